/** Reads a whole log of a {@link ReadBench} as a consumer that skips refused offsets, and holds every byte it gets against what was written. */
import { expect } from 'vitest';
import { ErrorCode } from '../../src/protocol/errors.ts';
import type { LogWriter, ReadBench } from './read-bench.ts';

/** Base offsets of the batches that were served, and the offsets that were refused. */
export async function readAll(bench: ReadBench, log: LogWriter): Promise<{ bases: number[]; refused: number[] }> {
  const bases: number[] = [];
  const refused: number[] = [];
  for (let offset = 0; offset < log.state.endOffset;) {
    const answer = await bench.fetch(log.view.topic.name, [{ offset, maxBytes: 1 << 20 }]);
    const { errorCode, records } = answer.responses[0]!.partitions[0]!;
    if (errorCode === ErrorCode.CORRUPT_MESSAGE) {
      refused.push(offset++);
      continue;
    }
    expect(errorCode).toBe(0);
    let at = 0;
    expect(records!.length).toBeGreaterThan(0);
    while (at < records!.length) {
      const base = Number(records!.readBigInt64BE(at));
      const stored = log.batches.find((batch) => batch.base === base);
      expect(stored, `served a batch that was never written, base ${base}`).toBeDefined();
      expect(records!.subarray(at, at + stored!.bytes.length).equals(stored!.bytes)).toBe(true);
      bases.push(base);
      at += stored!.bytes.length;
      offset = stored!.last + 1;
    }
  }
  return { bases, refused };
}
