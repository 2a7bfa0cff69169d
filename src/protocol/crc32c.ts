/** CRC-32C (Castagnoli), native, also over shared memory: about 6 GB/s. The one place where it enters. */

import { createRequire } from 'node:module';
import type * as nodeRs from '@node-rs/crc32';
import { ATTRIBUTES_POSITION, batchBytes, crc } from './record-batch.ts';

// Not imported: for that Node would first read the whole file for the names that it exports, some ms in each thread.
const native = (createRequire(import.meta.url)('@node-rs/crc32') as typeof nodeRs).crc32c;

/** CRC-32C of `bytes`, going on from that of what comes before them. */
export function crc32c(bytes: Uint8Array, before = 0): number {
  return native(bytes, before);
}

/** CRC-32C of `length` bytes at `start`, 0 to 2^32 - 1. Makes one view (about 30 ns), no copy. */
export function crc32cAt(buffer: Buffer, start: number, length: number): number {
  return native(buffer.subarray(start, start + length));
}

/** The CRC that the batch at `position` should bear. Its length field must have been checked. */
export function batchCrc(buffer: Buffer, position: number): number {
  return crc32cAt(buffer, position + ATTRIBUTES_POSITION, batchBytes(buffer, position) - ATTRIBUTES_POSITION);
}

/** Whether the batch at `position` bears its right CRC. Its length field must have been checked. */
export function isBatchCrcValid(buffer: Buffer, position: number): boolean {
  return batchCrc(buffer, position) === crc(buffer, position);
}
