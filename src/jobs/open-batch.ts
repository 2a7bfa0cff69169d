/** Does a {@link BatchJob}, synchronously, on whatever thread calls: the pool's worker, or a test. */
import { OutputTooLargeError } from '../protocol/bounded-output.ts';
import { MalformedError } from '../protocol/protocol-errors.ts';
import { BATCH_HEADER_BYTES, compression } from '../protocol/record-batch.ts';
import { readRecordsFrom } from '../protocol/record.ts';
import { decompress } from './decompress.ts';
import type { BatchFinding, BatchJob } from './job.ts';

/** Most bytes that the records of one batch may be. Producers limit a batch before it is compressed: to a megabyte, if nobody says otherwise. */
export const OPENED_BYTES_MAX = 128 * 1024 * 1024;

/** See the file header. @param bytesMax tests want less */
export function openBatch(job: BatchJob, bytesMax = OPENED_BYTES_MAX): BatchFinding {
  const batch = Buffer.from(job.batch.buffer, job.batch.byteOffset, job.batch.byteLength);
  try {
    return find(batch, decompress(compression(batch, 0), batch.subarray(BATCH_HEADER_BYTES), bytesMax), job);
  } catch (error) {
    if (error instanceof MalformedError) return { kind: 'malformed' };
    if (error instanceof OutputTooLargeError) return { kind: 'unopened' };
    throw error;
  }
}

function find(batch: Buffer, records: Buffer, { timestamp, fromOffset }: BatchJob): BatchFinding {
  for (const record of readRecordsFrom(batch, 0, records, 0, records.length)) {
    const offset = Number(record.offset);
    // As Java would add it up: producers may write what they like.
    const found = BigInt.asIntN(64, record.timestamp);
    if (offset >= fromOffset && Number(found) >= timestamp) return { kind: 'found', offset, timestamp: found };
  }
  return { kind: 'none' };
}
