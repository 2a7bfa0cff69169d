/**
 * Batches of internal topics, where they lie: records with a key, perhaps a value, and nothing else. Written in place, so that a coordinator's records are
 * encoded straight into the region that a shard reads; read without an object per record. Never compressed. Pure.
 */
import { assert } from '../lib/assert.ts';
import { crc32cAt } from './crc32c.ts';
import { writeInt16, writeInt32, writeInt64 } from './int64.ts';
import * as batch from './record-batch.ts';
import type { Cursor } from './skip.ts';
import { readVarint, readVarlong, VARINT_BAD, varintBytes, writeVarint } from './varint.ts';

/** A record of an internal topic; a null value deletes what was written under the key before. */
export interface KeyedRecord {
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
}

/** Told of each record; `key` and `value` are views of the batch. */
export type OnKeyedRecord = (key: Uint8Array | null, value: Uint8Array | null, offset: number) => void;

/** Attributes, timestamp delta (always 0) and header count (always 0), a byte each. */
const FIXED_BYTES = 3;
const NULL_LENGTH = -1;

/** Bytes of the batch that {@link writeKeyedBatch} makes of these records. */
export function keyedBatchBytes(records: readonly KeyedRecord[]): number {
  let bytes = batch.BATCH_HEADER_BYTES;
  for (let delta = 0; delta < records.length; delta++) {
    const body = bodyBytes(records[delta] as KeyedRecord, delta);
    bytes += varintBytes(body) + body;
  }
  return bytes;
}

/** Writes the records as one batch at `position`, as a plain producer at `timestampMs` would, with its CRC. Returns the position behind it. */
export function writeKeyedBatch(buffer: Buffer, position: number, records: readonly KeyedRecord[], timestampMs: number): number {
  assert(records.length > 0, 'a batch has records');
  let at = position + batch.BATCH_HEADER_BYTES;
  for (let delta = 0; delta < records.length; delta++) at = writeRecord(buffer, at, records[delta] as KeyedRecord, delta);
  writeInt64(buffer, position + batch.BASE_OFFSET_POSITION, 0);
  writeInt32(buffer, position + batch.BATCH_LENGTH_POSITION, at - position - batch.BATCH_LENGTH_OVERHEAD);
  writeInt32(buffer, position + batch.PARTITION_LEADER_EPOCH_POSITION, -1);
  buffer[position + batch.MAGIC_POSITION] = batch.MAGIC;
  writeInt16(buffer, position + batch.ATTRIBUTES_POSITION, batch.Compression.NONE);
  writeInt32(buffer, position + batch.LAST_OFFSET_DELTA_POSITION, records.length - 1);
  writeInt64(buffer, position + batch.BASE_TIMESTAMP_POSITION, timestampMs);
  writeInt64(buffer, position + batch.MAX_TIMESTAMP_POSITION, timestampMs);
  writeInt64(buffer, position + batch.PRODUCER_ID_POSITION, -1);
  writeInt16(buffer, position + batch.PRODUCER_EPOCH_POSITION, -1);
  writeInt32(buffer, position + batch.BASE_SEQUENCE_POSITION, -1);
  writeInt32(buffer, position + batch.RECORD_COUNT_POSITION, records.length);
  const covered = position + batch.ATTRIBUTES_POSITION;
  writeInt32(buffer, position + batch.CRC_POSITION, crc32cAt(buffer, covered, at - covered));
  return at;
}

/**
 * Goes through the records of the uncompressed batch at `position`, all of whose bytes are there and whose CRC is right; headers are passed over.
 * @returns whether the bytes were exactly as many records as the batch says; what was told before the first that is none has been told
 */
export function readKeyedBatch(buffer: Buffer, position: number, onRecord: OnKeyedRecord): boolean {
  const end = position + batch.batchBytes(buffer, position);
  const base = batch.baseOffset(buffer, position);
  const lastDelta = batch.lastOffsetDelta(buffer, position);
  const count = batch.recordCount(buffer, position);
  const cursor: Cursor = { position: position + batch.BATCH_HEADER_BYTES };
  for (let index = 0; index < count; index++) {
    const length = readVarint(buffer, cursor, end);
    const recordEnd = cursor.position + length;
    if (length <= 0 || recordEnd > end) return false;
    cursor.position++;
    if (readVarlong(buffer, cursor, recordEnd) === undefined) return false;
    const delta = readVarint(buffer, cursor, recordEnd);
    if (delta < 0 || delta > lastDelta) return false;
    const key = readBytes(buffer, cursor, recordEnd);
    const value = key === undefined ? undefined : readBytes(buffer, cursor, recordEnd);
    if (key === undefined || value === undefined || !skipHeaders(buffer, cursor, recordEnd)) return false;
    onRecord(key, value, base + delta);
  }
  return cursor.position === end;
}

function bodyBytes({ key, value }: KeyedRecord, delta: number): number {
  const valueBytes = value === null ? varintBytes(NULL_LENGTH) : varintBytes(value.length) + value.length;
  return FIXED_BYTES + varintBytes(delta) + varintBytes(key.length) + key.length + valueBytes;
}

function writeRecord(buffer: Buffer, position: number, record: KeyedRecord, delta: number): number {
  let at = writeVarint(buffer, position, bodyBytes(record, delta));
  buffer[at++] = 0;
  buffer[at++] = 0;
  at = writeVarint(buffer, at, delta);
  at = writeBytes(buffer, at, record.key);
  at = writeBytes(buffer, at, record.value);
  buffer[at++] = 0;
  return at;
}

function writeBytes(buffer: Buffer, position: number, bytes: Uint8Array | null): number {
  const at = writeVarint(buffer, position, bytes === null ? NULL_LENGTH : bytes.length);
  if (bytes === null) return at;
  buffer.set(bytes, at);
  return at + bytes.length;
}

/** Undefined where there is no such field. */
function readBytes(buffer: Buffer, cursor: Cursor, end: number): Uint8Array | null | undefined {
  const length = readVarint(buffer, cursor, end);
  if (length === NULL_LENGTH) return null;
  if (length < 0 || length > end - cursor.position) return undefined;
  const start = cursor.position;
  cursor.position += length;
  return buffer.subarray(start, cursor.position);
}

/** True if what is left of the record is its headers. */
function skipHeaders(buffer: Buffer, cursor: Cursor, end: number): boolean {
  const count = readVarint(buffer, cursor, end);
  if (count === VARINT_BAD || count < 0) return false;
  for (let field = 0; field < 2 * count; field++) if (readBytes(buffer, cursor, end) === undefined) return false;
  return cursor.position === end;
}
