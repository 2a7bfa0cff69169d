/**
 * int64 as a JS number, for offsets, timestamps and producer ids on hot paths: exact within ±(2^53 - 1). Beyond that the
 * result is rounded; {@link isExactInt64} tells. Tables use bigint instead.
 */

const TWO_32 = 2 ** 32;

/** Reads a big-endian int64 as a number, rounded if it is not exact. */
export function readInt64(buffer: Buffer, position: number): number {
  const high = (buffer[position]! << 24) | (buffer[position + 1]! << 16) | (buffer[position + 2]! << 8) | buffer[position + 3]!;
  const low = (buffer[position + 4]! << 24) | (buffer[position + 5]! << 16) | (buffer[position + 6]! << 8) | buffer[position + 7]!;
  return high * TWO_32 + (low >>> 0);
}

/** Writes a safe integer as a big-endian int64. */
export function writeInt64(buffer: Buffer, position: number, value: number): void {
  writeInt32(buffer, position, Math.floor(value / TWO_32));
  writeInt32(buffer, position + 4, value);
}

/** Whether {@link readInt64} gave the very number that was on the wire. */
export function isExactInt64(value: number): boolean {
  return Number.isSafeInteger(value);
}

/** Reads a big-endian int32; the caller has checked the bounds. */
export function readInt32(buffer: Buffer, position: number): number {
  return (buffer[position]! << 24) | (buffer[position + 1]! << 16) | (buffer[position + 2]! << 8) | buffer[position + 3]!;
}

/** Writes the low 32 bits of `value`, big-endian; the caller has checked the bounds. */
export function writeInt32(buffer: Buffer, position: number, value: number): void {
  const bits = value | 0;
  buffer[position] = bits >>> 24;
  buffer[position + 1] = bits >>> 16;
  buffer[position + 2] = bits >>> 8;
  buffer[position + 3] = bits;
}

/** Reads a big-endian int16; the caller has checked the bounds. */
export function readInt16(buffer: Buffer, position: number): number {
  return ((buffer[position]! << 24) >> 16) | buffer[position + 1]!;
}

/** Writes the low 16 bits of `value`, big-endian; the caller has checked the bounds. */
export function writeInt16(buffer: Buffer, position: number, value: number): void {
  buffer[position] = value >>> 8;
  buffer[position + 1] = value;
}
