/** segment.ms and segment.jitter.ms: when an append begins a new segment although the old one has room. */
import { expect, test } from 'vitest';
import { emptyPartition } from '../../../src/log/partition-state.ts';
import { DATA, ShardBench, START_MS } from '../../support/shard-bench.ts';

const rolls = (bench: ShardBench): number[] => bench.take('rolled').map(({ baseOffset }) => baseOffset);

test('a batch that is more than segment.ms younger than the first one of its segment begins another', () => {
  const bench = new ShardBench();
  bench.open(1, { segmentMs: 1000 });
  for (const age of [0, 500, 1000, 1001, 900, 2001, 2002]) bench.append(1, 10, START_MS + age);
  expect(rolls(bench)).toEqual([0, 3, 6]);
});

test('also in the middle of a group', () => {
  const bench = new ShardBench();
  bench.open(1, { segmentMs: 1000 });
  for (const age of [0, 10, 1500, 1600, 3000]) bench.send(1, 10, START_MS + age);
  bench.work();
  expect(rolls(bench)).toEqual([0, 2, 4]);
  expect(bench.codes).toEqual([0, 0, 0, 0, 0]);
});

test('time alone ends no segment, except of records that have none', () => {
  const bench = new ShardBench();
  bench.open(1, { segmentMs: 1000 });
  bench.open(2, { segmentMs: 1000 });
  bench.append(1, 10, START_MS);
  bench.append(2, 10, -1);
  rolls(bench);
  bench.pass(5000);
  expect(rolls(bench)).toEqual([]);
  bench.append(1, 10, START_MS);
  expect(rolls(bench)).toEqual([]);
  bench.append(2, 10, -1);
  expect(rolls(bench)).toEqual([1]);
});

test('of a topic with times of the broker its clock counts', () => {
  const bench = new ShardBench();
  bench.open(1, { segmentMs: 1000, timestampType: 'LogAppendTime' });
  bench.append(1, 10, 5);
  bench.pass(1000);
  bench.append(1, 10, 5);
  bench.pass(100);
  bench.append(1, 10, 5);
  expect(rolls(bench)).toEqual([0, 2]);
});

test('a segment that was begun in an earlier life, or elsewhere, has its age from its first batch', () => {
  const bench = new ShardBench();
  const partition = bench.open(1, { segmentMs: 1000 });
  bench.append(1, 10, START_MS);
  bench.tell({ kind: 'close', handle: 1 });
  bench.open(2, { segmentMs: 1000 }, structuredClone(partition.snapshot()));
  bench.append(2, 10, START_MS + 1000);
  expect(rolls(bench)).toEqual([]);
  bench.append(2, 10, START_MS + 1001);
  expect(rolls(bench)).toEqual([2]);
});

test('a changed segment.ms counts from the first batch on', () => {
  const bench = new ShardBench();
  bench.open(1);
  bench.append(1, 10, START_MS);
  bench.append(1, 10, START_MS + 5000);
  bench.configure(1, { segmentMs: 4000 });
  bench.append(1, 10, START_MS + 4001);
  expect(rolls(bench)).toEqual([0, 2]);
});

test('a segment that was cut empty counts from the batch that it begins with again', () => {
  const bench = new ShardBench();
  bench.open(1, { segmentMs: 1000 });
  bench.append(1, 10, START_MS);
  bench.append(1, 10, START_MS);
  bench.tell({ kind: 'truncate', handle: 1, endOffset: 0 });
  bench.append(1, 10, START_MS + 5000);
  bench.append(1, 10, START_MS + 6000);
  expect(rolls(bench)).toEqual([0, 0]);
});

test('jitter takes off less than itself, and differs from segment to segment', () => {
  const bench = new ShardBench();
  const rolledAt = new Set<number>();
  for (let handle = 1; handle <= 20; handle++) {
    bench.open(handle, { segmentMs: 1000, segmentJitterMs: 400 }, emptyPartition(`topic-${handle}`, handle % 3));
    bench.append(handle, 10, START_MS);
    rolls(bench);
    let age = 590;
    while (rolls(bench).length === 0) bench.append(handle, 10, START_MS + (age += 10));
    expect(age).toBeGreaterThan(600);
    expect(age).toBeLessThanOrEqual(1010);
    rolledAt.add(age);
  }
  expect(rolledAt.size).toBeGreaterThan(10);
});

test('only a full segment is followed by one of the pool', () => {
  const bench = new ShardBench();
  bench.disk.mkdir(`${DATA}/pool`);
  const fd = bench.disk.open(`${DATA}/pool/3900-a.pool`, 'write');
  bench.disk.write(fd, [Buffer.alloc(3900)], 0);
  bench.disk.close(fd);
  bench.open(1, { segmentMs: 1000 });
  bench.append(1, 10, START_MS);
  bench.append(1, 10, START_MS + 2000);
  expect(bench.take('rolled').map(({ capacity }) => capacity)).toEqual([0, 0]);
  for (let n = 0; n < 5; n++) bench.append(1, 900, START_MS + 2000);
  expect(bench.take('rolled').map(({ capacity }) => capacity)).toEqual([3900]);
});
