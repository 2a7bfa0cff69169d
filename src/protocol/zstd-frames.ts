/**
 * Looks at the headers of zstd frames before anything is decompressed: a few bytes may ask for a window of gigabytes, and a decoder would make it. Pure.
 *
 *     frame    magic | descriptor | window 1 byte unless single segment | dictionary id | content size | blocks … | checksum 4 if the descriptor says so
 *     block    3 bytes: last 1 bit, type 2 bits (0 stored, 1 one byte repeated, 2 compressed), size 21 bits | its bytes
 */
import { OutputTooLargeError } from './bounded-output.ts';
import { MalformedError } from './protocol-errors.ts';

const MAGIC = 0xfd2fb528;
/** The last four bits are free. */
const SKIPPABLE_MAGIC = 0x184d2a50;
const SINGLE_SEGMENT_BIT = 0x20;
const RESERVED_BIT = 0x08;
const CHECKSUM_BIT = 0x04;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4] as const;
/** As much as zstd's own decoder allows unless it is told otherwise. What a frame asks for depends on the producer's level, not on what is in it. */
const WINDOW_BYTES_MAX = 128 * 1024 * 1024;
const REPEATED = 1;
const RESERVED_TYPE = 3;

function malformed(position: number, reason: string): never {
  throw new MalformedError('zstd', 'frame', position, reason);
}

/**
 * Follows frames and blocks to the end of `input`.
 * @throws MalformedError unless they end there
 * @throws OutputTooLargeError when a frame says that it has a content of more than `bytesMax` bytes, or wants a window that nobody needs
 */
export function checkZstdFrames(input: Buffer, bytesMax: number): void {
  if (input.length === 0) malformed(0, 'no frame');
  for (let position = 0; position < input.length;) {
    if (position + 5 > input.length) malformed(position, 'frame header cut short');
    const magic = input.readUInt32LE(position);
    position += 4;
    if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) {
      if (position + 4 > input.length) malformed(position, 'skippable frame cut short');
      position += 4 + input.readUInt32LE(position);
      if (position > input.length) malformed(position, 'skippable frame cut short');
    } else if (magic === MAGIC) position = followFrame(input, position, bytesMax);
    else malformed(position - 4, 'no frame');
  }
}

/** The end of the frame whose descriptor is at `start`. */
function followFrame(input: Buffer, start: number, bytesMax: number): number {
  const descriptor = input[start] as number;
  const isSingle = (descriptor & SINGLE_SEGMENT_BIT) !== 0;
  const sizeCode = descriptor >>> 6;
  const sizeBytes = sizeCode === 0 ? (isSingle ? 1 : 0) : 1 << sizeCode;
  const windowBytes = isSingle ? 0 : 1;
  const sizeAt = start + 1 + windowBytes + DICTIONARY_ID_BYTES[(descriptor & 3) as 0 | 1 | 2 | 3];
  let position = sizeAt + sizeBytes;
  if ((descriptor & RESERVED_BIT) !== 0 || position > input.length) malformed(start, 'unknown or cut short');
  let content = 0;
  for (let i = sizeBytes - 1; i >= 0; i--) content = content * 256 + (input[sizeAt + i] as number);
  if (windowOf(input[start + 1] as number, isSingle) > WINDOW_BYTES_MAX || content > bytesMax) throw new OutputTooLargeError(bytesMax);
  for (let isLast = false; !isLast;) {
    if (position + 3 > input.length) malformed(position, 'block header cut short');
    const header = input.readUIntLE(position, 3);
    const type = (header >>> 1) & 3;
    if (type === RESERVED_TYPE) malformed(position, 'unknown type of block');
    isLast = (header & 1) === 1;
    position += 3 + (type === REPEATED ? 1 : header >>> 3);
  }
  if ((descriptor & CHECKSUM_BIT) !== 0) position += 4;
  if (position > input.length) malformed(position, 'frame cut short');
  return position;
}

/** Bytes of the window that a frame asks for; a single segment has its content for that. */
function windowOf(byte: number, isSingle: boolean): number {
  if (isSingle) return 0;
  const base = 2 ** (10 + (byte >>> 3));
  return base + (base / 8) * (byte & 7);
}
