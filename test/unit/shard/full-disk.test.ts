/** What a shard says of a disk that takes no records. */
import { expect, test } from 'vitest';
import { ShardBench } from '../../support/shard-bench.ts';

const PARTITION = 1;
const SECOND_MS = 1000;

test('a full disk is told of at once, then once a minute while it lasts, and again when it is full again', () => {
  const bench = new ShardBench('sync');
  bench.open(PARTITION);
  bench.append(PARTITION, 10);
  expect(bench.take('refusing')).toEqual([]);
  const refusedFor = (seconds: number): number => {
    for (let i = 0; i < seconds; i++) {
      bench.append(PARTITION, 10);
      bench.nowMs += SECOND_MS;
    }
    return bench.take('refusing').length;
  };
  bench.disk.capacity = 0;
  expect(refusedFor(59)).toBe(1);
  expect(refusedFor(60)).toBe(1);
  bench.disk.capacity = Infinity;
  expect(refusedFor(600)).toBe(0);
  bench.disk.capacity = 0;
  bench.append(PARTITION, 10);
  expect(bench.take('refusing')).toMatchObject([{ reason: expect.stringContaining('ENOSPC') as string }]);
});
