/** A shard whose process has no descriptor left. */
import { expect, test } from 'vitest';
import { ErrorCode } from '../../../src/protocol/errors.ts';
import { ShardBench } from '../../support/shard-bench.ts';

test('goes on with the journal it has when the next file cannot be opened, and takes that file once it can', () => {
  const bench = new ShardBench('sync', { journalBytesMax: 32 << 20, journalFileBytes: 9 << 20 });
  bench.open(1);
  const { journal } = bench.shard.journalWriter;
  const before = journal.totalBytes;
  // The keeper makes the next file; only the shard, which comes second, cannot open it.
  bench.disk.failOpen = (path) => path.endsWith('.jrn') && bench.disk.exists(path);
  for (let n = 0; n < 30; n++) bench.append(1);
  bench.pass(5000);
  bench.keep();
  bench.pass(5000);
  expect(bench.shard.failure).toBeNull();
  expect(new Set(bench.codes)).toEqual(new Set([ErrorCode.NONE]));
  expect(journal.totalBytes).toBe(before);
  bench.disk.failOpen = null;
  bench.append(1);
  bench.keep();
  bench.pass(2100);
  bench.keep();
  expect(journal.totalBytes).toBeGreaterThan(before);
});
