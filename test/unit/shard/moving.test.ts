/** A partition leaves its shard. */
import { expect, test } from 'vitest';
import { ShardBench } from '../../support/shard-bench.ts';

test('one that was never written has no folder, and moves all the same', () => {
  const bench = new ShardBench();
  bench.open(1);
  bench.open(2);
  // Folders above partitions wait for a sync now, as they do for each partition that is written.
  bench.append(1);
  bench.tell({ kind: 'moveOut', handle: 2, moveNumber: 1 });
  bench.work();
  expect(bench.take('movedOut')).toMatchObject([{ handle: 2, error: null }]);
  expect(bench.shard.failure).toBeNull();
  bench.append(1);
  expect(bench.codes).toEqual([0, 0]);
});
