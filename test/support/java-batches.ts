/** Batches as the Java client (4.3.1) writes them, one for each codec, all with the same 300 records. */
import { readFileSync } from 'node:fs';
import { Compression } from '../../src/protocol/record-batch.ts';

const stored = JSON.parse(readFileSync(new URL('./java-batches.json', import.meta.url), 'utf8')) as Record<string, string>;

export const CODECS = [
  ['gzip', Compression.GZIP],
  ['snappy', Compression.SNAPPY],
  ['lz4', Compression.LZ4],
  ['zstd', Compression.ZSTD],
] as const;

/** A copy of the batch, to be changed at will. */
export function javaBatch(codec: (typeof CODECS)[number][0]): Buffer {
  return Buffer.from(stored[codec] as string, 'base64');
}

/** Key, value and timestamp of record `i`. */
export function javaRecord(i: number): { key: string; value: string; timestamp: number } {
  return { key: `key ${i % 5}`, value: `the value of record ${i} ${'abc'.repeat(i % 20)}`, timestamp: 1000 + ((i * 7) % 300) * 10 };
}
