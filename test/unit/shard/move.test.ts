/** A partition leaves its shard: what it has is on disk by then, under its name. */
import { expect, test } from 'vitest';
import { segmentPath } from '../../../src/log/layout.ts';
import { DATA } from '../../sim/history.ts';
import { ShardBench } from '../../support/shard-bench.ts';

test('also the names of segments that were closed, when the active one was cut off', () => {
  const bench = new ShardBench('sync', { syncStepBytes: 500 });
  bench.open(1);
  // Files with much to sync are synced ahead of the checkpoint, and their folder is not.
  for (let i = 0; i < 6; i++) {
    bench.append(1);
    bench.keep();
  }
  const [first, second] = bench.shard.partitions[1]!.state.segments;
  expect(second).toBeDefined();
  bench.tell({ kind: 'truncate', handle: 1, endOffset: second!.baseOffset });
  bench.work();
  bench.tell({ kind: 'moveOut', handle: 1, moveNumber: 1 });
  bench.work();
  expect(bench.take('movedOut')).toMatchObject([{ error: null, state: { segments: [first] } }]);
  bench.disk.losePower(0);
  expect(bench.disk.exists(segmentPath(DATA, 'topic-1', 0, first!.baseOffset))).toBe(true);
});
