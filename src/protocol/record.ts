/**
 * Records inside a batch, one object each: for tests, tools and internal topics. The data path never opens a batch.
 *
 *     length varint | attributes int8 | timestampDelta varlong | offsetDelta varint
 *     | keyLength varint, key | valueLength varint, value | headerCount varint
 *     | per header: keyLength varint, key, valueLength varint, value
 *
 * A length of -1 is null (never for header keys). Offsets and timestamps are bigint here: exact for any log.
 */

import { crc32cAt } from './crc32c.ts';
import { MalformedError } from './protocol-errors.ts';
import * as batch from './record-batch.ts';
import type { Cursor } from './skip.ts';
import { pushVarint, pushVarlong, readVarint, readVarlong, VARINT_BAD } from './varint.ts';

/** A header of a record. */
export interface RecordHeader {
  readonly key: string;
  readonly value: Buffer | null;
}

/** A record as it was read. Key, value and header values are views of the batch. */
export interface RecordView {
  readonly offset: bigint;
  /** Milliseconds since 1970. */
  readonly timestamp: bigint;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly RecordHeader[];
}

/** A record to be written. Strings are written as UTF-8. */
export interface RecordInput {
  readonly key?: Uint8Array | string | null;
  readonly value?: Uint8Array | string | null;
  readonly headers?: readonly { readonly key: string; readonly value: Uint8Array | string | null }[];
  /** Milliseconds since 1970; default: the base timestamp of the batch. */
  readonly timestamp?: bigint | number;
  /** Distance from the base offset; default: one more than the record before. */
  readonly offsetDelta?: number;
}

/** Header fields of a batch to be written; what is left out is what a plain producer sends. */
export interface BatchInput {
  readonly records: readonly RecordInput[];
  readonly baseOffset?: bigint | number;
  readonly partitionLeaderEpoch?: number;
  readonly attributes?: number;
  /** Default: the timestamp of the first record. */
  readonly baseTimestamp?: bigint | number;
  /** Default: the largest timestamp of the records. */
  readonly maxTimestamp?: bigint | number;
  readonly producerId?: bigint | number;
  readonly producerEpoch?: number;
  readonly baseSequence?: number;
  /** Default: the largest offset delta of the records. */
  readonly lastOffsetDelta?: number;
}

function malformed(position: number, reason: string): never {
  throw new MalformedError('record batch', 'records', position, reason);
}

function readLength(buffer: Buffer, cursor: Cursor, end: number, least: number): number {
  const length = readVarint(buffer, cursor, end);
  if (length === VARINT_BAD || length < least || length > end - cursor.position) malformed(cursor.position, 'bad length');
  return length;
}

function readBytes(buffer: Buffer, cursor: Cursor, end: number): Buffer | null {
  const length = readLength(buffer, cursor, end, -1);
  if (length === -1) return null;
  const start = cursor.position;
  cursor.position += length;
  return buffer.subarray(start, start + length);
}

function readHeaders(buffer: Buffer, cursor: Cursor, end: number): RecordHeader[] {
  // Each header takes two bytes at least.
  const count = readVarint(buffer, cursor, end);
  if (count === VARINT_BAD || count < 0 || count * 2 > end - cursor.position) malformed(cursor.position, 'bad header count');
  const headers: RecordHeader[] = [];
  for (let index = 0; index < count; index++) {
    const keyLength = readLength(buffer, cursor, end, 0);
    const key = buffer.toString('utf8', cursor.position, cursor.position + keyLength);
    cursor.position += keyLength;
    headers.push({ key, value: readBytes(buffer, cursor, end) });
  }
  return headers;
}

/** Reads the record at the cursor; `baseOffset` and `baseTimestamp` are those of its batch. @throws MalformedError */
export function readRecord(buffer: Buffer, cursor: Cursor, end: number, baseOffset: bigint, baseTimestamp: bigint): RecordView {
  const length = readLength(buffer, cursor, end, batch.RECORD_BYTES_MIN - 1);
  const after = cursor.position + length;
  cursor.position++;
  const timestampDelta = readVarlong(buffer, cursor, after);
  const offsetDelta = readVarint(buffer, cursor, after);
  if (timestampDelta === undefined || offsetDelta === VARINT_BAD) malformed(cursor.position, 'bad delta');
  const key = readBytes(buffer, cursor, after);
  const value = readBytes(buffer, cursor, after);
  const headers = readHeaders(buffer, cursor, after);
  if (cursor.position !== after) malformed(cursor.position, 'record longer than its fields');
  return { offset: baseOffset + BigInt(offsetDelta), timestamp: baseTimestamp + timestampDelta, key, value, headers };
}

/**
 * Iterates the records of one batch that is not compressed, in order. With LogAppendTime every record bears the batch's time.
 * @param end end of the buffer's part that belongs to the batch or to batches
 * @throws MalformedError, also for a compressed batch; the CRC is not checked
 */
export function* readRecords(buffer: Buffer, position = 0, end = buffer.length): Generator<RecordView, void, undefined> {
  if (end > buffer.length || end - position < batch.BATCH_HEADER_BYTES) malformed(position, 'shorter than a batch header');
  const batchEnd = position + batch.batchBytes(buffer, position);
  if (batch.magic(buffer, position) !== batch.MAGIC || batchEnd > end || batchEnd < position + batch.BATCH_HEADER_BYTES) {
    malformed(position, 'not a batch of magic 2');
  }
  if (batch.compression(buffer, position) !== batch.Compression.NONE) malformed(position, 'compressed');
  yield* readRecordsFrom(buffer, position, buffer, position + batch.BATCH_HEADER_BYTES, batchEnd);
}

/**
 * Iterates records that lie in records[start, end), uncompressed if need be, of the batch whose header is at `position` of `header`.
 * @throws MalformedError unless the bytes are exactly as many records as the header says
 */
export function* readRecordsFrom(
  header: Buffer,
  position: number,
  records: Buffer,
  start: number,
  end: number,
): Generator<RecordView, void, undefined> {
  const count = batch.recordCount(header, position);
  if (count < 0 || count * batch.RECORD_BYTES_MIN > end - start) malformed(start, `${count} records in ${end - start} bytes`);
  const baseOffset = header.readBigInt64BE(position + batch.BASE_OFFSET_POSITION);
  const baseTimestamp = header.readBigInt64BE(position + batch.BASE_TIMESTAMP_POSITION);
  const maxTimestamp = header.readBigInt64BE(position + batch.MAX_TIMESTAMP_POSITION);
  const appendTime = batch.isLogAppendTime(header, position);
  const cursor = { position: start };
  for (let index = 0; index < count; index++) {
    const record = readRecord(records, cursor, end, baseOffset, baseTimestamp);
    yield appendTime ? { ...record, timestamp: maxTimestamp } : record;
  }
  if (cursor.position !== end) malformed(cursor.position, 'bytes behind the last record');
}

function bytesOf(value: Uint8Array | string | null | undefined): Uint8Array | null {
  return typeof value === 'string' ? Buffer.from(value) : (value ?? null);
}

function pushBytes(parts: Uint8Array[], numbers: number[], value: Uint8Array | null): void {
  pushVarint(numbers, value === null ? -1 : value.length);
  if (value === null || value.length === 0) return;
  parts.push(Uint8Array.from(numbers), value);
  numbers.length = 0;
}

/** Encodes one record. `timestampDelta` in ms; the record's own `timestamp` and `offsetDelta` are not looked at. */
export function encodeRecord(record: RecordInput, timestampDelta: bigint, offsetDelta: number): Buffer {
  const parts: Uint8Array[] = [];
  const numbers: number[] = [0];
  pushVarlong(numbers, timestampDelta);
  pushVarint(numbers, offsetDelta);
  pushBytes(parts, numbers, bytesOf(record.key));
  pushBytes(parts, numbers, bytesOf(record.value));
  const headers = record.headers ?? [];
  pushVarint(numbers, headers.length);
  for (const header of headers) {
    pushBytes(parts, numbers, Buffer.from(header.key));
    pushBytes(parts, numbers, bytesOf(header.value));
  }
  parts.push(Uint8Array.from(numbers));
  const length: number[] = [];
  pushVarint(
    length,
    parts.reduce((sum, part) => sum + part.length, 0),
  );
  return Buffer.concat([Uint8Array.from(length), ...parts]);
}

/** Writes the header of a batch around `records`, which are as they shall stand there, compressed or not. */
function assemble(input: BatchInput, records: readonly Uint8Array[], lastDelta: number, maxTimestamp: bigint): Buffer {
  const result = Buffer.concat([Buffer.alloc(batch.BATCH_HEADER_BYTES), ...records]);
  result.writeBigInt64BE(BigInt(input.baseOffset ?? 0), batch.BASE_OFFSET_POSITION);
  result.writeInt32BE(result.length - batch.BATCH_LENGTH_OVERHEAD, batch.BATCH_LENGTH_POSITION);
  result.writeInt32BE(input.partitionLeaderEpoch ?? -1, batch.PARTITION_LEADER_EPOCH_POSITION);
  result.writeInt8(batch.MAGIC, batch.MAGIC_POSITION);
  result.writeInt16BE(input.attributes ?? 0, batch.ATTRIBUTES_POSITION);
  result.writeInt32BE(input.lastOffsetDelta ?? lastDelta, batch.LAST_OFFSET_DELTA_POSITION);
  result.writeBigInt64BE(BigInt(input.baseTimestamp ?? 0), batch.BASE_TIMESTAMP_POSITION);
  result.writeBigInt64BE(BigInt(input.maxTimestamp ?? maxTimestamp), batch.MAX_TIMESTAMP_POSITION);
  result.writeBigInt64BE(BigInt(input.producerId ?? -1), batch.PRODUCER_ID_POSITION);
  result.writeInt16BE(input.producerEpoch ?? -1, batch.PRODUCER_EPOCH_POSITION);
  result.writeInt32BE(input.baseSequence ?? -1, batch.BASE_SEQUENCE_POSITION);
  result.writeInt32BE(input.records.length, batch.RECORD_COUNT_POSITION);
  const crc = crc32cAt(result, batch.ATTRIBUTES_POSITION, result.length - batch.ATTRIBUTES_POSITION);
  result.writeUInt32BE(crc, batch.CRC_POSITION);
  return result;
}

/**
 * Builds a batch of magic 2 with a right CRC.
 * @param compress makes of the encoded records what shall stand in the batch; the attributes must say the same
 */
export function buildBatch(input: BatchInput, compress?: (records: Buffer) => Uint8Array): Buffer {
  const baseTimestamp = BigInt(input.baseTimestamp ?? input.records[0]?.timestamp ?? 0);
  const encoded: Buffer[] = [];
  let delta = -1;
  let lastDelta = 0;
  let maxTimestamp = -1n;
  for (const record of input.records) {
    delta = record.offsetDelta ?? delta + 1;
    lastDelta = Math.max(lastDelta, delta);
    const timestamp = BigInt(record.timestamp ?? baseTimestamp);
    if (timestamp > maxTimestamp) maxTimestamp = timestamp;
    encoded.push(encodeRecord(record, timestamp - baseTimestamp, delta));
  }
  const records = compress === undefined ? encoded : [compress(Buffer.concat(encoded))];
  return assemble({ ...input, baseTimestamp }, records, lastDelta, maxTimestamp);
}
