/** Does a {@link BatchJob}, synchronously, on whatever thread calls: the pool's worker, or a test. */
import { findTimestampsOutside } from '../protocol/batch-refusal.ts';
import { crc32cAt, isBatchCrcValid } from '../protocol/crc32c.ts';
import { ErrorCode } from '../protocol/errors.ts';
import { OutputTooLargeError } from '../protocol/bounded-output.ts';
import { MalformedError } from '../protocol/protocol-errors.ts';
import {
  BATCH_HEADER_BYTES,
  checkBatchHeader,
  compression,
  crc,
  maxTimestamp,
  OPENED_BYTES_MAX,
  setMaxTimestamp,
} from '../protocol/record-batch.ts';
import { RecordWalk } from '../protocol/record-walk.ts';
import { readRecordsFrom } from '../protocol/record.ts';
import { decompress } from './decompress.ts';
import type { BatchFinding, BatchJob, MendedHeader } from './job.ts';

/** See the file header. @param bytesMax tests want less */
export function openBatch(job: BatchJob, bytesMax = OPENED_BYTES_MAX): BatchFinding {
  try {
    return job.kind === 'find' ? find(job, bytesMax) : validate(job, bytesMax);
  } catch (error) {
    if (error instanceof MalformedError) return { kind: 'malformed', record: -1 };
    if (error instanceof OutputTooLargeError) return { kind: 'unopened' };
    throw error;
  }
}

function recordsOf(batch: Buffer, bytesMax: number): Buffer {
  return decompress(compression(batch, 0), batch.subarray(BATCH_HEADER_BYTES), bytesMax);
}

function find({ batch: bytes, timestamp, fromOffset }: Extract<BatchJob, { kind: 'find' }>, bytesMax: number): BatchFinding {
  const batch = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const records = recordsOf(batch, bytesMax);
  for (const record of readRecordsFrom(batch, 0, records, 0, records.length)) {
    const offset = Number(record.offset);
    // As Java would add it up: producers may write what they like.
    const found = BigInt.asIntN(64, record.timestamp);
    if (offset >= fromOffset && Number(found) >= timestamp) return { kind: 'found', offset, timestamp: found };
  }
  return { kind: 'none' };
}

function validate(job: Extract<BatchJob, { kind: 'validate' }>, bytesMax: number): BatchFinding {
  // A copy: when its connection closes, the bytes may become another request's under our hands.
  const batch = Buffer.from(Buffer.from(job.slab, job.position, job.length));
  // What is wrong with the batch as a whole is the shard's to say.
  if (checkBatchHeader(batch, 0, batch.length) !== ErrorCode.NONE || !isBatchCrcValid(batch, 0)) return { kind: 'valid', mended: null };
  const records = recordsOf(batch, bytesMax);
  const walk = new RecordWalk();
  if (walk.walk(batch, 0, records, 0, records.length, job.keyed) !== ErrorCode.NONE) return { kind: 'malformed', record: walk.badRecord };
  const { timestampMin: min, timestampMax: max } = job;
  if (walk.timestampMin < min || walk.timestampMax > max)
    return {
      kind: 'timestamps',
      records: findTimestampsOutside(batch, 0, records, 0, records.length, min, max, job.namedMax, Infinity),
    };
  return { kind: 'valid', mended: job.isTimed ? mend(batch, walk.timestampMax) : null };
}

/** Numbers that are not exact are left alone. */
function mend(batch: Buffer, largest: number): MendedHeader | null {
  if (largest === maxTimestamp(batch, 0) || !Number.isSafeInteger(largest)) return null;
  setMaxTimestamp(batch, 0, largest, crc32cAt);
  return { maxTimestamp: largest, crc: crc(batch, 0) };
}
