/**
 * How the embedded store writes a key to its database, with checksums of its own: the database has none.
 *
 *   key    the UTF-8 bytes of the key; the header record has the one-byte key 0x00, which no key of ours begins with
 *   value  0  u32  CRC32C of the key's bytes, then of everything from offset 4
 *          4  u32  format, 1
 *          8  f64  createRevision        (header: revision of the store)
 *         16  f64  modRevision           (header: number of keys)
 *         24  …    MessagePack value     (header: u32, sum of all keys' checksums modulo 2^32)
 *
 * Number and sum in the header tell a missing or an extra key, the checksum of each record tells a changed one.
 */

import { crc32c } from '../protocol/crc32c.ts';
import type { StoredEntry } from './metadata-state.ts';

export const HEADER_KEY = Buffer.from([0]);
const RECORD_HEAD_BYTES = 24;
const HEADER_BYTES = RECORD_HEAD_BYTES + 4;
const FORMAT = 1;

export interface StoreHeader {
  readonly revision: number;
  readonly count: number;
  /** Sum of the keys' checksums modulo 2^32. */
  readonly sum: number;
}

export interface EncodedRecord {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly checksum: number;
}

export function encodeRecord(entry: StoredEntry): EncodedRecord {
  const key = Buffer.from(entry.key);
  const value = Buffer.alloc(RECORD_HEAD_BYTES + entry.bytes.length);
  value.writeDoubleLE(entry.createRevision, 8);
  value.writeDoubleLE(entry.modRevision, 16);
  value.set(entry.bytes, RECORD_HEAD_BYTES);
  return { key, value, checksum: seal(key, value) };
}

/** The entry and its checksum, or undefined when the record is damaged. */
export function decodeRecord(key: Buffer, value: Buffer): { entry: StoredEntry; checksum: number } | undefined {
  const checksum = value.length >= RECORD_HEAD_BYTES ? unseal(key, value) : undefined;
  if (checksum === undefined) return undefined;
  const entry = {
    key: key.toString(),
    bytes: Uint8Array.from(value.subarray(RECORD_HEAD_BYTES)),
    createRevision: value.readDoubleLE(8),
    modRevision: value.readDoubleLE(16),
    lease: undefined,
  };
  return { entry, checksum };
}

export function encodeHeader(header: StoreHeader): Buffer {
  const value = Buffer.alloc(HEADER_BYTES);
  value.writeDoubleLE(header.revision, 8);
  value.writeDoubleLE(header.count, 16);
  value.writeUInt32LE(header.sum, RECORD_HEAD_BYTES);
  seal(HEADER_KEY, value);
  return value;
}

export function decodeHeader(value: Buffer): StoreHeader | undefined {
  if (value.length !== HEADER_BYTES || unseal(HEADER_KEY, value) === undefined) return undefined;
  return { revision: value.readDoubleLE(8), count: value.readDoubleLE(16), sum: value.readUInt32LE(RECORD_HEAD_BYTES) };
}

/** Writes format and checksum into `value`; returns the checksum. */
function seal(key: Buffer, value: Buffer): number {
  value.writeUInt32LE(FORMAT, 4);
  const checksum = crc32c(value.subarray(4), crc32c(key));
  value.writeUInt32LE(checksum, 0);
  return checksum;
}

function unseal(key: Buffer, value: Buffer): number | undefined {
  const checksum = crc32c(value.subarray(4), crc32c(key));
  return checksum === value.readUInt32LE(0) && value.readUInt32LE(4) === FORMAT ? checksum : undefined;
}
