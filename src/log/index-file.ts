/**
 * The file beside a rolled segment that makes its batches findable: `<baseOffset>.index`. Rebuildable at any time from the segment, so a bad one is
 * never an error, only work.
 *
 *   ┌──────┬──────────────────┬────────────────────────────────────────────────────┐
 *   │ 0    │ magic   uint32   │ 'rlix'                                               │
 *   │ 4    │ version uint32   │ 1                                                    │
 *   │ 8    │ count   uint32   │ entries                                              │
 *   │ 12   │ crc     uint32   │ CRC-32C of bytes 16 … end                            │
 *   │ 16   │ base    float64  │ base offset of the segment                           │
 *   │ 24   │ end     float64  │ end position of the segment, bytes                   │
 *   │ 32   │ maxTime float64  │ largest timestamp of the segment, ms; −1 none        │
 *   │ 40   │ entries          │ count × (offset float64, max time before it float64, │
 *   │      │                  │ position uint32, zero uint32) = 24 bytes             │
 *   └──────┴──────────────────┴────────────────────────────────────────────────────┘
 *
 * Little-endian. Offsets are below 2^53, so a float64 holds them exactly.
 */
import { crc32cAt } from '../protocol/crc32c.ts';

const MAGIC = 0x78696c72;
const VERSION = 1;
const HEADER_BYTES = 40;
const ENTRY_BYTES = 24;
const CRC_FROM = 16;

/** Entries of an index as plain arrays of equal length. */
export interface IndexEntries {
  /** Base offset of a batch. */
  readonly offsets: Float64Array;
  /** Its position in the segment, bytes. */
  readonly positions: Uint32Array;
  /** Largest timestamp of all batches before it, ms; −1 none. */
  readonly timestamps: Float64Array;
  /** Largest timestamp of the segment, ms; −1 none. */
  readonly maxTimestamp: number;
}

/** Bytes of the index file of a segment. */
export function encodeIndexFile(baseOffset: number, endPosition: number, entries: IndexEntries): Buffer {
  const count = entries.offsets.length;
  const bytes = Buffer.alloc(HEADER_BYTES + count * ENTRY_BYTES);
  bytes.writeUInt32LE(MAGIC, 0);
  bytes.writeUInt32LE(VERSION, 4);
  bytes.writeUInt32LE(count, 8);
  bytes.writeDoubleLE(baseOffset, 16);
  bytes.writeDoubleLE(endPosition, 24);
  bytes.writeDoubleLE(entries.maxTimestamp, 32);
  for (let i = 0, at = HEADER_BYTES; i < count; i++, at += ENTRY_BYTES) {
    bytes.writeDoubleLE(entries.offsets[i] as number, at);
    bytes.writeDoubleLE(entries.timestamps[i] as number, at + 8);
    bytes.writeUInt32LE(entries.positions[i] as number, at + 16);
  }
  bytes.writeUInt32LE(crc32cAt(bytes, CRC_FROM, bytes.length - CRC_FROM), 12);
  return bytes;
}

/**
 * Entries of an index file, or null unless the file is whole, intact and of this very segment as long as it is now. (A segment cut and grown again
 * has another end position, or the index was removed with the cut.)
 */
export function decodeIndexFile(bytes: Buffer, baseOffset: number, endPosition: number): IndexEntries | null {
  if (bytes.length < HEADER_BYTES || bytes.readUInt32LE(0) !== MAGIC || bytes.readUInt32LE(4) !== VERSION) return null;
  const count = bytes.readUInt32LE(8);
  if (bytes.length !== HEADER_BYTES + count * ENTRY_BYTES) return null;
  if (crc32cAt(bytes, CRC_FROM, bytes.length - CRC_FROM) !== bytes.readUInt32LE(12)) return null;
  if (bytes.readDoubleLE(16) !== baseOffset || bytes.readDoubleLE(24) !== endPosition) return null;
  const offsets = new Float64Array(count);
  const positions = new Uint32Array(count);
  const timestamps = new Float64Array(count);
  for (let i = 0, at = HEADER_BYTES; i < count; i++, at += ENTRY_BYTES) {
    offsets[i] = bytes.readDoubleLE(at);
    timestamps[i] = bytes.readDoubleLE(at + 8);
    positions[i] = bytes.readUInt32LE(at + 16);
    const before = i - 1;
    const ascends =
      before < 0 || ((offsets[i] as number) > (offsets[before] as number) && (positions[i] as number) > (positions[before] as number));
    const isOffset = Number.isSafeInteger(offsets[i]) && (offsets[i] as number) >= baseOffset;
    if (!isOffset || !ascends || (positions[i] as number) >= endPosition) return null;
  }
  return { offsets, positions, timestamps, maxTimestamp: bytes.readDoubleLE(32) };
}
