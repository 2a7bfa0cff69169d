/** A clock that was set back: what a shard does after a while is not put off for as long as it went back. */
import { expect, test } from 'vitest';
import { ShardBench } from '../../support/shard-bench.ts';

const HOUR_MS = 3_600_000;
const INTERVAL_MS = 1000;
const RETRY_MS = 2000;

function benchWith(kind: 'sync' | 'buffered'): ShardBench {
  const bench = new ShardBench(kind, { checkpointIntervalMs: INTERVAL_MS });
  bench.open(1);
  bench.append(1);
  bench.checkpoint();
  expect(bench.shard.checkpointer.completed).toBe(1);
  bench.append(1);
  return bench;
}

test.each(['sync', 'buffered'] as const)('(%s) the next checkpoint comes after an interval', (kind) => {
  const bench = benchWith(kind);
  bench.nowMs -= HOUR_MS;
  bench.pass(INTERVAL_MS - 200);
  bench.keep();
  expect(bench.shard.checkpointer.completed).toBe(1);
  bench.pass(400);
  bench.keep();
  expect(bench.shard.checkpointer.completed).toBe(2);
});

test.each(['sync', 'buffered'] as const)(
  '(%s) a disk that took no checkpoint is tried again after a while, and is not called full until then',
  (kind) => {
    const bench = benchWith(kind);
    bench.disk.failOpen = (path) => path.includes('.ckpt');
    bench.pass(INTERVAL_MS + 200);
    bench.keep();
    const { checkpointer } = bench.shard;
    expect([checkpointer.completed, checkpointer.refusal]).toEqual([1, 'the disk is full']);
    bench.disk.failOpen = null;
    bench.nowMs -= HOUR_MS;
    bench.pass(RETRY_MS + 200);
    bench.keep();
    expect([checkpointer.completed, checkpointer.refusal]).toEqual([2, null]);
  },
);
