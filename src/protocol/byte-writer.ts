/** In-place writing for the hand-written response writers: a place in a buffer of the caller that moves forward. */

import { assert } from '../lib/assert.ts';
import { writeInt16, writeInt32, writeInt64 } from './int64.ts';

/** Bytes of `value` as a uvarint, 1 to 5. */
export function uvarintBytes(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : value < 0x10000000 ? 4 : 5;
}

/** Writes big-endian values one after the other. The caller has made sure that there is room; {@link finish} asserts it. */
export class ByteWriter {
  buffer: Buffer;
  position = 0;

  constructor(buffer: Buffer) {
    this.buffer = buffer;
  }

  int8(value: number): void {
    this.buffer[this.position++] = value;
  }

  int16(value: number): void {
    writeInt16(this.buffer, this.position, value);
    this.position += 2;
  }

  int32(value: number): void {
    writeInt32(this.buffer, this.position, value);
    this.position += 4;
  }

  /** @param value a safe integer */
  int64(value: number): void {
    writeInt64(this.buffer, this.position, value);
    this.position += 8;
  }

  uvarint(value: number): void {
    let rest = value;
    while (rest > 0x7f) {
      this.buffer[this.position++] = (rest & 0x7f) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.buffer[this.position++] = rest;
  }

  /** A count or length: uvarint of n + 1 if flexible, else int32. -1 is null. */
  count(value: number, flexible: boolean): void {
    if (flexible) this.uvarint(value + 1);
    else this.int32(value);
  }

  /** Copies length bytes; names are short, so a loop beats a native call. */
  copy(source: Uint8Array, start: number, length: number): void {
    const { buffer } = this;
    let at = this.position;
    if (length > 64) {
      buffer.set(source.subarray(start, start + length), at);
      at += length;
    } else {
      for (let from = start; from < start + length; from++) buffer[at++] = source[from]!;
    }
    this.position = at;
  }

  /** A nullable string; `bytes` is its length in UTF-8, which the caller needed for the size anyway. */
  string(value: string | null, bytes: number, flexible: boolean): void {
    if (flexible) this.uvarint(value === null ? 0 : bytes + 1);
    else this.int16(value === null ? -1 : bytes);
    if (value !== null) this.position += this.buffer.write(value, this.position, 'utf8');
  }

  /** Asserts that writing ended where the caller computed, inside the buffer (writes beyond it are silently lost). */
  finish(expected: number): void {
    assert(this.position === expected && expected <= this.buffer.length, `writer ended at ${this.position}, not at ${expected}`);
  }
}
