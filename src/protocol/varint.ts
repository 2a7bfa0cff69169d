/**
 * Varints inside records: zigzag, then 7 bits per byte, least significant group first. Lengths and offset deltas are
 * varints of 32 bits, timestamp deltas varlongs of 64.
 */

import type { Cursor } from './skip.ts';

/** What {@link readVarint} returns for bytes that are no varint of 32 bits; no 32-bit value equals it. */
export const VARINT_BAD = Number.MIN_SAFE_INTEGER;

/** Reads a zigzag varint of 32 bits below `end`, or {@link VARINT_BAD}. */
export function readVarint(buffer: Uint8Array, cursor: Cursor, end: number): number {
  let raw = 0;
  let at = cursor.position;
  for (let shift = 0; shift < 35; shift += 7) {
    if (at >= end) return VARINT_BAD;
    const byte = buffer[at++]!;
    if (shift === 28 && byte > 0x0f) return VARINT_BAD;
    raw |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      cursor.position = at;
      return (raw >>> 1) ^ -(raw & 1);
    }
  }
  return VARINT_BAD;
}

/** Reads a zigzag varlong of 64 bits below `end`; undefined if it is none. */
export function readVarlong(buffer: Uint8Array, cursor: Cursor, end: number): bigint | undefined {
  let raw = 0n;
  let at = cursor.position;
  for (let shift = 0n; shift < 70n; shift += 7n) {
    if (at >= end) return undefined;
    const byte = buffer[at++]!;
    if (shift === 63n && byte > 1) return undefined;
    raw |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) {
      cursor.position = at;
      return (raw >> 1n) ^ -(raw & 1n);
    }
  }
  return undefined;
}

/** Appends `value`, an int32, as a zigzag varint. */
export function pushVarint(out: number[], value: number): void {
  let raw = ((value << 1) ^ (value >> 31)) >>> 0;
  while (raw > 0x7f) {
    out.push((raw & 0x7f) | 0x80);
    raw >>>= 7;
  }
  out.push(raw);
}

/** Appends `value`, an int64, as a zigzag varlong. */
export function pushVarlong(out: number[], value: bigint): void {
  let raw = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  while (raw > 0x7fn) {
    out.push(Number(raw & 0x7fn) | 0x80);
    raw >>= 7n;
  }
  out.push(Number(raw));
}

/** Bytes of `value`, an int32, as a zigzag varint. */
export function varintBytes(value: number): number {
  let raw = ((value << 1) ^ (value >> 31)) >>> 0;
  let bytes = 1;
  while (raw > 0x7f) {
    raw >>>= 7;
    bytes++;
  }
  return bytes;
}

/** Writes `value`, an int32, as a zigzag varint at `position`. Returns the position behind it. */
export function writeVarint(buffer: Uint8Array, position: number, value: number): number {
  let raw = ((value << 1) ^ (value >> 31)) >>> 0;
  let at = position;
  while (raw > 0x7f) {
    buffer[at++] = (raw & 0x7f) | 0x80;
    raw >>>= 7;
  }
  buffer[at++] = raw;
  return at;
}
