/**
 * The records of a compressed batch, out of whichever codec. Synchronous and for jobs only: a batch may take a second. What comes out is limited, and so is
 * the memory it takes, whatever the bytes claim.
 *
 * zstd is a package in plain JavaScript (docs/decisions/0011): Node has it from 22.15 on, and Node 20 must open every batch, too.
 */
import { gunzipSync } from 'node:zlib';
import { Decompress } from 'fzstd';
import { assert } from '../lib/assert.ts';
import { BoundedOutput, OutputTooLargeError } from '../protocol/bounded-output.ts';
import { decompressLz4 } from '../protocol/lz4.ts';
import { MalformedError } from '../protocol/protocol-errors.ts';
import { Compression } from '../protocol/record-batch.ts';
import { decompressSnappy } from '../protocol/snappy.ts';
import { checkZstdFrames } from '../protocol/zstd-frames.ts';

/** Decompresses `records`. @throws MalformedError @throws OutputTooLargeError when more than `bytesMax` bytes come out */
export function decompress(codec: number, records: Buffer, bytesMax: number): Buffer {
  switch (codec) {
    case Compression.GZIP:
      return decompressGzip(records, bytesMax);
    case Compression.SNAPPY:
      return decompressSnappy(records, bytesMax);
    case Compression.LZ4:
      return decompressLz4(records, bytesMax);
    case Compression.ZSTD:
      return decompressZstd(records, bytesMax);
    default:
      assert(codec === Compression.NONE, `codec ${codec} was let in`);
      return records;
  }
}

function decompressGzip(records: Buffer, bytesMax: number): Buffer {
  try {
    return gunzipSync(records, { maxOutputLength: bytesMax });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw new OutputTooLargeError(bytesMax);
    throw new MalformedError('gzip', 'records', 0, (error as Error).message);
  }
}

function decompressZstd(records: Buffer, bytesMax: number): Buffer {
  checkZstdFrames(records, bytesMax);
  const output = new BoundedOutput(bytesMax);
  try {
    // In pieces as they come out: thrown from in there, the limit ends it.
    new Decompress((piece) => output.append(piece)).push(records, true);
  } catch (error) {
    if (error instanceof OutputTooLargeError) throw error;
    // The package throws whatever its arithmetic on bad bytes leads to.
    throw new MalformedError('zstd', 'records', 0, (error as Error).message);
  }
  return output.bytes;
}
