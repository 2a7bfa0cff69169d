/**
 * Views of a record batch (magic 2) where it lies: (buffer, position) in, numbers out, no copy, no allocation.
 *
 *     at  bytes  field
 *      0    8    baseOffset             written by the broker, outside the CRC
 *      8    4    batchLength            bytes that follow this field: total - 12
 *     12    4    partitionLeaderEpoch   written by the broker, outside the CRC
 *     16    1    magic                  2
 *     17    4    crc                    CRC-32C of everything from attributes to the end
 *     21    2    attributes             0-2 compression, 3 timestamp type, 4 transactional, 5 control, 6 delete horizon
 *     23    4    lastOffsetDelta        last offset - baseOffset
 *     27    8    baseTimestamp          ms
 *     35    8    maxTimestamp           ms
 *     43    8    producerId             -1 without idempotence, as the next two
 *     51    2    producerEpoch
 *     53    4    baseSequence
 *     57    4    recordCount
 *     61         records                compressed as a whole if the attributes say so
 *
 * int64 fields come as numbers; see `int64.ts` for what that means. Accessors do not check: `checkBatchHeader` comes first.
 */

import { ErrorCode } from './errors.ts';
import { readInt16, readInt32, readInt64, writeInt16, writeInt32, writeInt64 } from './int64.ts';

export const BASE_OFFSET_POSITION = 0;
export const BATCH_LENGTH_POSITION = 8;
export const PARTITION_LEADER_EPOCH_POSITION = 12;
export const MAGIC_POSITION = 16;
export const CRC_POSITION = 17;
/** The CRC covers everything from here to the end of the batch. */
export const ATTRIBUTES_POSITION = 21;
export const LAST_OFFSET_DELTA_POSITION = 23;
export const BASE_TIMESTAMP_POSITION = 27;
export const MAX_TIMESTAMP_POSITION = 35;
export const PRODUCER_ID_POSITION = 43;
export const PRODUCER_EPOCH_POSITION = 51;
export const BASE_SEQUENCE_POSITION = 53;
export const RECORD_COUNT_POSITION = 57;

/** Bytes of the batch header, which is never compressed; records follow. */
export const BATCH_HEADER_BYTES = 61;
/** Fewest bytes of a record: length, attributes, two deltas, two lengths, header count. */
export const RECORD_BYTES_MIN = 7;
/** Most bytes that the records of one batch may be once they are decompressed. Producers limit a batch before it is compressed: to a megabyte, if nobody says otherwise. */
export const OPENED_BYTES_MAX = 128 * 1024 * 1024;
/** Bytes in front of what `batchLength` counts. */
export const BATCH_LENGTH_OVERHEAD = 12;
/** The only record format that is served. */
export const MAGIC = 2;

export const COMPRESSION_MASK = 0x07;
export const TIMESTAMP_TYPE_BIT = 0x08;
export const TRANSACTIONAL_BIT = 0x10;
export const CONTROL_BIT = 0x20;
export const DELETE_HORIZON_BIT = 0x40;

/** Numbers behind the compression bits. */
export const Compression = Object.freeze({ NONE: 0, GZIP: 1, SNAPPY: 2, LZ4: 3, ZSTD: 4 });
export type Compression = (typeof Compression)[keyof typeof Compression];

/** Offset of the first record. */
export function baseOffset(buffer: Buffer, position: number): number {
  return readInt64(buffer, position + BASE_OFFSET_POSITION);
}

/** The length field: total bytes minus 12. */
export function batchLength(buffer: Buffer, position: number): number {
  return readInt32(buffer, position + BATCH_LENGTH_POSITION);
}

/** Bytes of the whole batch, as its length field claims. */
export function batchBytes(buffer: Buffer, position: number): number {
  return readInt32(buffer, position + BATCH_LENGTH_POSITION) + BATCH_LENGTH_OVERHEAD;
}

export function partitionLeaderEpoch(buffer: Buffer, position: number): number {
  return readInt32(buffer, position + PARTITION_LEADER_EPOCH_POSITION);
}

export function magic(buffer: Buffer, position: number): number {
  return (buffer[position + MAGIC_POSITION]! << 24) >> 24;
}

/** The stored CRC-32C, 0 to 2^32 - 1. */
export function crc(buffer: Buffer, position: number): number {
  return readInt32(buffer, position + CRC_POSITION) >>> 0;
}

export function attributes(buffer: Buffer, position: number): number {
  return readInt16(buffer, position + ATTRIBUTES_POSITION);
}

/** See {@link Compression}; 5 to 7 mean nothing. */
export function compression(buffer: Buffer, position: number): number {
  return buffer[position + ATTRIBUTES_POSITION + 1]! & COMPRESSION_MASK;
}

export function isTransactional(buffer: Buffer, position: number): boolean {
  return (buffer[position + ATTRIBUTES_POSITION + 1]! & TRANSACTIONAL_BIT) !== 0;
}

export function isControl(buffer: Buffer, position: number): boolean {
  return (buffer[position + ATTRIBUTES_POSITION + 1]! & CONTROL_BIT) !== 0;
}

/** Whether readers take `maxTimestamp` as the time of every record. */
export function isLogAppendTime(buffer: Buffer, position: number): boolean {
  return (buffer[position + ATTRIBUTES_POSITION + 1]! & TIMESTAMP_TYPE_BIT) !== 0;
}

export function lastOffsetDelta(buffer: Buffer, position: number): number {
  return readInt32(buffer, position + LAST_OFFSET_DELTA_POSITION);
}

/** Offset of the last record. */
export function lastOffset(buffer: Buffer, position: number): number {
  return baseOffset(buffer, position) + lastOffsetDelta(buffer, position);
}

/** Milliseconds since 1970, -1 for none. */
export function baseTimestamp(buffer: Buffer, position: number): number {
  return readInt64(buffer, position + BASE_TIMESTAMP_POSITION);
}

/** Milliseconds since 1970, -1 for none. */
export function maxTimestamp(buffer: Buffer, position: number): number {
  return readInt64(buffer, position + MAX_TIMESTAMP_POSITION);
}

/** -1 without idempotence. */
export function producerId(buffer: Buffer, position: number): number {
  return readInt64(buffer, position + PRODUCER_ID_POSITION);
}

export function producerEpoch(buffer: Buffer, position: number): number {
  return readInt16(buffer, position + PRODUCER_EPOCH_POSITION);
}

export function baseSequence(buffer: Buffer, position: number): number {
  return readInt32(buffer, position + BASE_SEQUENCE_POSITION);
}

export function recordCount(buffer: Buffer, position: number): number {
  return readInt32(buffer, position + RECORD_COUNT_POSITION);
}

/** Writes what the broker assigns. Both fields lie outside the CRC, so it stays valid. */
export function stampBatch(buffer: Buffer, position: number, offset: number, leaderEpoch: number): void {
  writeInt64(buffer, position + BASE_OFFSET_POSITION, offset);
  writeInt32(buffer, position + PARTITION_LEADER_EPOCH_POSITION, leaderEpoch);
}

/** Computes CRC-32C of `length` bytes at `start`, e.g. `crc32cAt` of `crc32c.ts`. */
type CrcOf = (buffer: Buffer, start: number, length: number) => number;

/** Turns the batch into one of LogAppendTime, appended at `timestampMs`, and computes its CRC anew. */
export function setLogAppendTime(buffer: Buffer, position: number, timestampMs: number, crcOf: CrcOf): void {
  writeInt16(buffer, position + ATTRIBUTES_POSITION, attributes(buffer, position) | TIMESTAMP_TYPE_BIT);
  setMaxTimestamp(buffer, position, timestampMs, crcOf);
}

/** Writes the largest timestamp of the batch, ms, and computes its CRC anew. */
export function setMaxTimestamp(buffer: Buffer, position: number, timestampMs: number, crcOf: CrcOf): void {
  writeInt64(buffer, position + MAX_TIMESTAMP_POSITION, timestampMs);
  const covered = batchBytes(buffer, position) - ATTRIBUTES_POSITION;
  writeInt32(buffer, position + CRC_POSITION, crcOf(buffer, position + ATTRIBUTES_POSITION, covered));
}

/** Writes the largest timestamp of the batch, ms, with the CRC that it has then. */
export function writeMaxTimestamp(buffer: Buffer, position: number, timestampMs: number, crcThen: number): void {
  writeInt64(buffer, position + MAX_TIMESTAMP_POSITION, timestampMs);
  writeInt32(buffer, position + CRC_POSITION, crcThen);
}

/** Most records that the batch at `position` can have. Nobody opens a compressed batch, perhaps: what it claims costs offsets all the same. */
export function recordCountMax(buffer: Buffer, position: number): number {
  const isOpen = compression(buffer, position) === Compression.NONE;
  return Math.floor((isOpen ? batchBytes(buffer, position) - BATCH_HEADER_BYTES : OPENED_BYTES_MAX) / RECORD_BYTES_MIN);
}

/**
 * Judges the header of one produced batch that should fill `length` bytes at `position`. The CRC is checked elsewhere.
 *
 * @param offsetsGiven the batch comes from a leader, which gave it its offsets (and may have stamped its append time or written a control batch)
 * @returns an error code to answer:
 *  - NONE
 *  - CORRUPT_MESSAGE: shorter than a header, a length field beyond `length`, an unknown format, negative counts
 *  - INVALID_RECORD: nothing there, an older format, base offset not 0, more than one batch, no records, more than its bytes can hold, gaps, a control batch,
 *    or a producer id without sequence, or a transaction without producer id
 *  - INVALID_TIMESTAMP: the producer claims log append time
 *  - UNSUPPORTED_COMPRESSION_TYPE: compression bits without meaning
 */
export function checkBatchHeader(buffer: Buffer, position: number, length: number, offsetsGiven = false): ErrorCode {
  if (length <= 0) return ErrorCode.INVALID_RECORD;
  if (length <= MAGIC_POSITION) return ErrorCode.CORRUPT_MESSAGE;
  // Magic stands at the same place in all formats; older ones mean something else by the other bytes, and may be shorter.
  const format = magic(buffer, position);
  if (format !== MAGIC) return format === 0 || format === 1 ? ErrorCode.INVALID_RECORD : ErrorCode.CORRUPT_MESSAGE;
  if (length < BATCH_HEADER_BYTES) return ErrorCode.CORRUPT_MESSAGE;
  const bytes = batchBytes(buffer, position);
  if (bytes < BATCH_HEADER_BYTES || bytes > length) return ErrorCode.CORRUPT_MESSAGE;
  if (bytes < length) return ErrorCode.INVALID_RECORD;
  const low = buffer[position + ATTRIBUTES_POSITION + 1]!;
  if (!offsetsGiven && (low & CONTROL_BIT) !== 0) return ErrorCode.INVALID_RECORD;
  if (!offsetsGiven && (low & TIMESTAMP_TYPE_BIT) !== 0) return ErrorCode.INVALID_TIMESTAMP;
  if ((low & COMPRESSION_MASK) > Compression.ZSTD) return ErrorCode.UNSUPPORTED_COMPRESSION_TYPE;
  if (!offsetsGiven && (readInt32(buffer, position) !== 0 || readInt32(buffer, position + 4) !== 0)) return ErrorCode.INVALID_RECORD;
  const count = recordCount(buffer, position);
  const delta = lastOffsetDelta(buffer, position);
  if (count < 0 || delta < 0) return ErrorCode.CORRUPT_MESSAGE;
  if (count === 0 || count !== delta + 1) return ErrorCode.INVALID_RECORD;
  if (!offsetsGiven && count > recordCountMax(buffer, position)) return ErrorCode.INVALID_RECORD;
  if (producerId(buffer, position) >= 0 ? baseSequence(buffer, position) < 0 : (low & TRANSACTIONAL_BIT) !== 0)
    return ErrorCode.INVALID_RECORD;
  return ErrorCode.NONE;
}
