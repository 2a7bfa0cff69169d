/**
 * Decompresses LZ4 frames, as Kafka's producers write them. Checksums are not looked at: the batch has one of its own. Pure.
 *
 *     frame    magic | FLG | BD | content size 8 bytes if FLG says so | dictionary id 4 if so | header checksum | blocks … | 0 | content checksum 4 if so
 *     block    length uint32 (top bit: not compressed) | bytes | checksum 4 if FLG says so
 *     bytes    token (literals << 4 | match - 4) | more literal length | literals | distance uint16 | more match length … the last has literals only
 */
import { BoundedOutput } from './bounded-output.ts';
import { MalformedError } from './protocol-errors.ts';

const MAGIC = 0x184d2204;
const VERSION_MASK = 0xc0;
const VERSION = 0x40;
const BLOCK_CHECKSUM_BIT = 0x10;
const CONTENT_SIZE_BIT = 0x08;
const CONTENT_CHECKSUM_BIT = 0x04;
const DICTIONARY_BIT = 0x01;
const STORED_BIT = 0x80000000;
const MATCH_BYTES_MIN = 4;

function malformed(position: number, reason: string): never {
  throw new MalformedError('lz4', 'frame', position, reason);
}

/** @throws MalformedError @throws OutputTooLargeError when more than `bytesMax` bytes would come out */
export function decompressLz4(input: Buffer, bytesMax: number): Buffer {
  if (input.length < 7 || input.readUInt32LE(0) !== MAGIC) malformed(0, 'no frame');
  const flags = input[4] as number;
  if ((flags & VERSION_MASK) !== VERSION) malformed(4, 'unknown version');
  if ((flags & DICTIONARY_BIT) !== 0) malformed(4, 'needs a dictionary');
  const blockChecksumBytes = (flags & BLOCK_CHECKSUM_BIT) === 0 ? 0 : 4;
  const blockBytesMax = 1 << (8 + 2 * (((input[5] as number) >>> 4) & 7));
  let position = 6 + ((flags & CONTENT_SIZE_BIT) === 0 ? 0 : 8) + 1;
  const output = new BoundedOutput(bytesMax);
  for (;;) {
    if (position + 4 > input.length) malformed(position, 'length of a block cut short');
    const length = input.readUInt32LE(position);
    position += 4;
    if (length === 0) break;
    const end = position + (length & ~STORED_BIT);
    if (end + blockChecksumBytes > input.length) malformed(position, 'block cut short');
    const from = output.length;
    if ((length & STORED_BIT) === 0) decompressBlock(input, position, end, output);
    else output.append(input.subarray(position, end));
    if (output.length - from > blockBytesMax) malformed(position, `block of more than ${blockBytesMax} bytes`);
    position = end + blockChecksumBytes;
  }
  if (position + ((flags & CONTENT_CHECKSUM_BIT) === 0 ? 0 : 4) !== input.length) malformed(position, 'does not end where the frame does');
  return output.bytes;
}

function decompressBlock(input: Buffer, start: number, end: number, output: BoundedOutput): void {
  let position = start;
  // A length that does not fit its half of the token goes on in bytes, up to the first that is not 255.
  const lengthFrom = (half: number): number => {
    let length = half;
    if (half < 15) return length;
    for (;;) {
      if (position >= end) malformed(position, 'length cut short');
      const byte = input[position++] as number;
      length += byte;
      if (byte !== 255) return length;
    }
  };
  while (position < end) {
    const token = input[position++] as number;
    const literals = lengthFrom(token >>> 4);
    if (position + literals > end) malformed(position, 'literals cut short');
    output.append(input.subarray(position, position + literals));
    position += literals;
    if (position === end) return;
    if (position + 2 > end) malformed(position, 'distance cut short');
    const distance = input.readUInt16LE(position);
    position += 2;
    const length = lengthFrom(token & 15) + MATCH_BYTES_MIN;
    if (!output.repeat(distance, length)) malformed(position, 'match from before the beginning');
  }
  malformed(position, 'ends with a match');
}
