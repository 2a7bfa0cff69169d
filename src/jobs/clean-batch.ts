/**
 * What compaction makes of one batch: the batch as it is, a smaller one, or nothing. A smaller one has the header of the old one: its first and last offset, producer and
 * leader epoch stay, so no reader sees another order of things. Pure.
 *
 * Records without value (tombstones) stay for a while, for readers who have seen an older value. When they go is in the batch, as in Kafka (KIP-534): the
 * first pass that leaves one there, and with it nothing older of its key, sets the attribute *delete horizon* and puts that time into the place of the base timestamp.
 *
 * What was compressed is compressed again with gzip, whatever it was before: every client reads it, and it is the one codec that Node 20 writes.
 */
import { gzipSync } from 'node:zlib';
import { crc32cAt } from '../protocol/crc32c.ts';
import {
  ATTRIBUTES_POSITION,
  BASE_OFFSET_POSITION,
  BASE_TIMESTAMP_POSITION,
  BATCH_HEADER_BYTES,
  BATCH_LENGTH_OVERHEAD,
  BATCH_LENGTH_POSITION,
  BASE_SEQUENCE_POSITION,
  baseOffset,
  batchBytes,
  Compression,
  COMPRESSION_MASK,
  compression,
  CRC_POSITION,
  DELETE_HORIZON_BIT,
  isLogAppendTime,
  LAST_OFFSET_DELTA_POSITION,
  MAGIC,
  MAGIC_POSITION,
  MAX_TIMESTAMP_POSITION,
  OPENED_BYTES_MAX,
  PARTITION_LEADER_EPOCH_POSITION,
  PRODUCER_EPOCH_POSITION,
  PRODUCER_ID_POSITION,
  RECORD_COUNT_POSITION,
  recordCount,
} from '../protocol/record-batch.ts';
import { pushVarint, pushVarlong } from '../protocol/varint.ts';
import { decompress } from './decompress.ts';
import { RecordCursor } from './record-cursor.ts';

/** Decides about records. */
export interface RecordJudge {
  /** A later record of the key exists, or it has no key. `bytes` holds the key that `record` speaks of. */
  isDead(offset: number, bytes: Buffer, record: RecordCursor): boolean;
  /** Nothing older of its key is left below this offset: a tombstone may go when its time has come. */
  isAlone(offset: number): boolean;
}

/** Time and how long tombstones stay from now on, ms. */
export interface TombstoneTimes {
  readonly nowMs: number;
  readonly deleteRetentionMs: number;
}

/** The records of the batch at `at`, uncompressed; a view of the batch when it was not compressed. @throws MalformedError @throws OutputTooLargeError */
export function openRecords(bytes: Buffer, at: number): Buffer {
  const records = bytes.subarray(at + BATCH_HEADER_BYTES, at + batchBytes(bytes, at));
  return decompress(compression(bytes, at), records, OPENED_BYTES_MAX);
}

/** See the file header. */
export class BatchCleaner {
  private readonly record = new RecordCursor();
  private readonly times: TombstoneTimes;

  constructor(times: TombstoneTimes) {
    this.times = times;
  }

  /**
   * What is left of the batch at `at`: `same`: all of it, as it lies there; `none`; or a new one. @param records see {@link openRecords}
   * @throws MalformedError
   */
  clean(bytes: Buffer, at: number, records: Buffer, judge: RecordJudge): 'same' | 'none' | Buffer {
    const { record } = this;
    const count = recordCount(bytes, at);
    const base = baseOffset(bytes, at);
    const horizonMs = deleteHorizonMs(bytes, at);
    const kept: number[] = [];
    let tombstones = false;
    let position = 0;
    for (let i = 0; i < count; i++) {
      record.read(records, position, records.length);
      position = record.end;
      const offset = base + record.offsetDelta;
      if (judge.isDead(offset, records, record)) continue;
      if (record.isTombstone && horizonMs <= this.times.nowMs && judge.isAlone(offset)) continue;
      tombstones ||= record.isTombstone;
      kept.push(record.start);
    }
    if (kept.length === 0) return 'none';
    const setsHorizon = tombstones && horizonMs === Infinity;
    if (kept.length === count && !setsHorizon) return 'same';
    return this.rebuild(bytes.subarray(at, at + batchBytes(bytes, at)), records, kept, setsHorizon);
  }

  private rebuild(batch: Buffer, records: Buffer, kept: readonly number[], setsHorizon: boolean): Buffer {
    const { record } = this;
    const oldBase = batch.readBigInt64BE(BASE_TIMESTAMP_POSITION);
    const newBase = setsHorizon ? BigInt(Math.ceil(this.times.nowMs + this.times.deleteRetentionMs)) : oldBase;
    const parts: Buffer[] = [];
    let maxTimestamp = -1n;
    for (const start of kept) {
      record.read(records, start, records.length);
      // As Java would add it up: producers may write what they like.
      const timestamp = BigInt.asIntN(64, oldBase + record.timestampDelta(records));
      if (timestamp > maxTimestamp) maxTimestamp = timestamp;
      if (newBase === oldBase) parts.push(records.subarray(record.start, record.end));
      else parts.push(...withTimestampDelta(records, record, BigInt.asIntN(64, timestamp - newBase)));
    }
    let body = Buffer.concat(parts);
    const header = Buffer.from(batch.subarray(0, BATCH_HEADER_BYTES));
    let attributes = header.readInt16BE(ATTRIBUTES_POSITION);
    if (setsHorizon) attributes |= DELETE_HORIZON_BIT;
    if ((attributes & COMPRESSION_MASK) !== Compression.NONE) {
      body = gzipSync(body);
      attributes = (attributes & ~COMPRESSION_MASK) | Compression.GZIP;
    }
    header.writeInt16BE(attributes, ATTRIBUTES_POSITION);
    header.writeBigInt64BE(newBase, BASE_TIMESTAMP_POSITION);
    // With log append time the header's is that of every record.
    if (!isLogAppendTime(batch, 0)) header.writeBigInt64BE(maxTimestamp, MAX_TIMESTAMP_POSITION);
    header.writeInt32BE(kept.length, RECORD_COUNT_POSITION);
    return seal(Buffer.concat([header, body]));
  }
}

/** When the tombstones of a batch may go, ms; Infinity: no pass has said so yet. */
function deleteHorizonMs(bytes: Buffer, at: number): number {
  const attributes = bytes.readInt16BE(at + ATTRIBUTES_POSITION);
  return (attributes & DELETE_HORIZON_BIT) === 0 ? Infinity : Number(bytes.readBigInt64BE(at + BASE_TIMESTAMP_POSITION));
}

/** The record with another timestamp delta: the same bytes but for that field and the length. */
function withTimestampDelta(records: Buffer, record: RecordCursor, delta: bigint): Buffer[] {
  const rest = records.subarray(record.offsetStart, record.end);
  // Attributes first.
  const fields: number[] = [records[record.timestampStart - 1] as number];
  pushVarlong(fields, delta);
  const length: number[] = [];
  pushVarint(length, fields.length + rest.length);
  return [Buffer.from([...length, ...fields]), rest];
}

/** Most offsets that one batch can say it spans. */
export const BATCH_OFFSETS_MAX = 2 ** 31;

/**
 * A batch without records that spans the offsets [from, to): it stands where batches were, so that what follows is still exactly where the batch before says it
 * is. Kafka writes such batches too, and clients step over them.
 */
export function emptyBatch(from: number, to: number, leaderEpoch: number): Buffer {
  const batch = Buffer.alloc(BATCH_HEADER_BYTES);
  batch.writeBigInt64BE(BigInt(from), BASE_OFFSET_POSITION);
  batch.writeInt32BE(leaderEpoch, PARTITION_LEADER_EPOCH_POSITION);
  batch.writeInt8(MAGIC, MAGIC_POSITION);
  batch.writeInt32BE(to - from - 1, LAST_OFFSET_DELTA_POSITION);
  batch.writeBigInt64BE(-1n, BASE_TIMESTAMP_POSITION);
  batch.writeBigInt64BE(-1n, MAX_TIMESTAMP_POSITION);
  batch.writeBigInt64BE(-1n, PRODUCER_ID_POSITION);
  batch.writeInt16BE(-1, PRODUCER_EPOCH_POSITION);
  batch.writeInt32BE(-1, BASE_SEQUENCE_POSITION);
  return seal(batch);
}

/** Writes length and CRC of a batch that is otherwise complete. */
function seal(batch: Buffer): Buffer {
  batch.writeInt32BE(batch.length - BATCH_LENGTH_OVERHEAD, BATCH_LENGTH_POSITION);
  batch.writeUInt32BE(crc32cAt(batch, ATTRIBUTES_POSITION, batch.length - ATTRIBUTES_POSITION), CRC_POSITION);
  return batch;
}
