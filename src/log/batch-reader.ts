/** Reads record batches from segment files: for recovery and truncation, never on a hot path. */
import { isBatchCrcValid } from '../protocol/crc32c.ts';
import {
  baseOffset,
  baseSequence,
  BATCH_HEADER_BYTES,
  batchBytes,
  CRC_POSITION,
  lastOffsetDelta,
  MAGIC,
  magic,
  maxTimestamp,
  partitionLeaderEpoch,
  producerEpoch,
  producerId,
} from '../protocol/record-batch.ts';
import type { Disk } from './disk.ts';

/** No batch is larger than a request may be. */
const BATCH_BYTES_MAX = 2 ** 31 - 1;

/** What a batch's header says about it; not verified beyond being possible. */
export interface BatchHead {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly bytes: number;
  readonly crc: number;
  readonly maxTimestamp: number;
  readonly leaderEpoch: number;
  /** −1 without idempotence, as the next two. */
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
}

const header = Buffer.alloc(BATCH_HEADER_BYTES);

/** Reads the batch header at `position`, or null when what is there cannot be one that ends by `limit`. */
export function readBatchHead(disk: Disk, fd: number, position: number, limit: number): BatchHead | null {
  if (position + BATCH_HEADER_BYTES > limit || disk.read(fd, header, 0, BATCH_HEADER_BYTES, position) < BATCH_HEADER_BYTES) return null;
  const bytes = batchBytes(header, 0);
  const delta = lastOffsetDelta(header, 0);
  if (magic(header, 0) !== MAGIC || bytes < BATCH_HEADER_BYTES || bytes > BATCH_BYTES_MAX || delta < 0 || position + bytes > limit)
    return null;
  const base = baseOffset(header, 0);
  if (!Number.isSafeInteger(base) || base < 0) return null;
  return {
    baseOffset: base,
    lastOffset: base + delta,
    bytes,
    crc: header.readUInt32BE(CRC_POSITION),
    maxTimestamp: maxTimestamp(header, 0),
    leaderEpoch: partitionLeaderEpoch(header, 0),
    producerId: producerId(header, 0),
    producerEpoch: producerEpoch(header, 0),
    baseSequence: baseSequence(header, 0),
  };
}

/** Reads a whole batch of `bytes` at `position`; null when the file ends before, or it is not an intact batch of that length. */
export function readIntactBatch(disk: Disk, fd: number, position: number, bytes: number): Buffer | null {
  if (bytes < BATCH_HEADER_BYTES) return null;
  const batch = Buffer.allocUnsafeSlow(bytes);
  if (disk.read(fd, batch, 0, bytes, position) < bytes) return null;
  return isIntactBatch(batch, bytes) ? batch : null;
}

/** True if `batch` is one whole batch of `bytes` whose CRC fits. */
export function isIntactBatch(batch: Buffer, bytes: number): boolean {
  return (
    batch.length === bytes &&
    bytes >= BATCH_HEADER_BYTES &&
    batchBytes(batch, 0) === bytes &&
    magic(batch, 0) === MAGIC &&
    isBatchCrcValid(batch, 0)
  );
}
