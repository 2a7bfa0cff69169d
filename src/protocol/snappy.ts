/**
 * Decompresses snappy as Kafka's producers write it. Pure.
 *
 *     raw block     uncompressed length uvarint | elements: literal (its bytes follow) or copy (distance, length) …        librdkafka and others
 *     framed        82 "SNAPPY" 00 | version int32 | compatible version int32 | per block: length int32, raw block …        Java
 */
import { BoundedOutput } from './bounded-output.ts';
import { MalformedError } from './protocol-errors.ts';

const FRAME_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const FRAME_HEADER_BYTES = 16;

function malformed(position: number, reason: string): never {
  throw new MalformedError('snappy', 'block', position, reason);
}

/** @throws MalformedError @throws OutputTooLargeError when more than `bytesMax` bytes would come out */
export function decompressSnappy(input: Buffer, bytesMax: number): Buffer {
  const output = new BoundedOutput(bytesMax);
  if (!input.subarray(0, FRAME_MAGIC.length).equals(FRAME_MAGIC)) {
    decompressBlock(input, 0, input.length, output);
    return output.bytes;
  }
  if (input.length < FRAME_HEADER_BYTES) malformed(0, 'frame header cut short');
  for (let position = FRAME_HEADER_BYTES; position < input.length;) {
    if (position + 4 > input.length) malformed(position, 'length of a block cut short');
    const end = position + 4 + input.readUInt32BE(position);
    if (end > input.length) malformed(position, 'block cut short');
    decompressBlock(input, position + 4, end, output);
    position = end;
  }
  return output.bytes;
}

function decompressBlock(input: Buffer, start: number, end: number, output: BoundedOutput): void {
  let position = start;
  let expected = 0;
  for (let shift = 0; ; shift += 7) {
    if (position >= end || shift > 28) malformed(position, 'no length');
    const byte = input[position++] as number;
    expected += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  const from = output.length;
  while (position < end) {
    const tag = input[position++] as number;
    const kind = tag & 3;
    if (kind === 0) {
      let length = tag >>> 2;
      if (length >= 60) {
        const lengthBytes = length - 59;
        if (position + lengthBytes > end) malformed(position, 'length of a literal cut short');
        length = input.readUIntLE(position, lengthBytes);
        position += lengthBytes;
      }
      length++;
      if (position + length > end) malformed(position, 'literal cut short');
      output.append(input.subarray(position, position + length));
      position += length;
      continue;
    }
    const distanceBytes = kind === 3 ? 4 : kind;
    if (position + distanceBytes > end) malformed(position, 'copy cut short');
    const low = input.readUIntLE(position, distanceBytes);
    position += distanceBytes;
    // A short copy keeps three bits of its distance in the tag.
    const distance = kind === 1 ? ((tag >>> 5) << 8) | low : low;
    const length = kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1;
    // Not beyond the beginning of its block.
    if (distance > output.length - from || !output.repeat(distance, length)) malformed(position, 'copy from before the beginning');
  }
  if (output.length - from !== expected) malformed(position, `${output.length - from} bytes instead of ${expected}`);
}
