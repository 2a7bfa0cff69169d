/** A shard keeps a limited number of segments open, and a file that it closes has nothing left that the disk might not have. */
import { describe, expect, test } from 'vitest';
import { DiskError } from '../../../src/log/disk.ts';
import { ShardBench, START_MS } from '../../support/shard-bench.ts';

const PARTITIONS = 40;

function benchWith(openSegmentsMax: number, kind: 'sync' | 'buffered' = 'sync'): ShardBench {
  const bench = new ShardBench(kind, { openSegmentsMax });
  for (let handle = 0; handle < PARTITIONS; handle++) bench.open(handle, { segmentBytes: 100_000 });
  return bench;
}

const openSegments = (bench: ShardBench): string[] => bench.disk.openPaths.filter((path) => path.endsWith('.log'));
const isOpen = (bench: ShardBench, handle: number): boolean => openSegments(bench).some((path) => path.includes(`/topic-${handle}/`));

test.each(['sync', 'buffered'] as const)('(%s) more than the limit are never open between groups', (kind) => {
  const bench = benchWith(16, kind);
  for (let round = 0; round < 3; round++) {
    for (let handle = 0; handle < PARTITIONS; handle++) {
      bench.append(handle);
      expect(openSegments(bench).length).toBeLessThanOrEqual(16);
    }
  }
  expect(bench.codes).toEqual(Array(3 * PARTITIONS).fill(0));
  for (let handle = 0; handle < PARTITIONS; handle++) expect(bench.shard.partitions[handle]?.state.endOffset).toBe(3);
});

test('those close first that were not written to since the last look', () => {
  const bench = benchWith(32);
  for (let handle = 0; handle < 10; handle++) bench.append(handle);
  bench.shard.segments.closeIdle(9, true);
  for (const handle of [5, 7, 9]) bench.append(handle);
  bench.shard.segments.closeIdle(3, true);
  expect([5, 7, 9].every((handle) => isOpen(bench, handle))).toBe(true);
  expect(openSegments(bench).length).toBe(3);
});

test('a checkpoint leaves a quarter of the limit open, without a sync in the shard', () => {
  const bench = benchWith(32);
  for (let handle = 0; handle < 32; handle++) bench.append(handle);
  expect(openSegments(bench).length).toBe(32);
  const work = bench.work.bind(bench);
  bench.work = () => {
    // The keeper may sync, the shard not, but for its journal: it vouches for its last group while it is quiet.
    bench.disk.failSync = (path) => !path.endsWith('.jrn');
    work();
    bench.disk.failSync = null;
  };
  bench.checkpoint();
  expect(bench.shard.failure).toBeNull();
  expect(openSegments(bench).length).toBe(8);
});

test('a file whose bytes or name the disk may not have stays open when nothing may be waited for', () => {
  const bench = benchWith(32);
  for (let handle = 0; handle < 32; handle++) bench.append(handle);
  bench.shard.segments.closeIdle(0, false);
  expect(openSegments(bench).length).toBe(32);
});

test.each(['sync', 'buffered'] as const)('(%s) closed files are durable with their names', (kind) => {
  const bench = benchWith(16, kind);
  for (let handle = 0; handle < PARTITIONS; handle++) bench.append(handle);
  const closed = Array.from({ length: PARTITIONS }, (_, handle) => handle).filter((handle) => !isOpen(bench, handle));
  expect(closed.length).toBeGreaterThanOrEqual(PARTITIONS - 16);
  const sizes = closed.map((handle) => bench.shard.partitions[handle]?.state.segments[0]?.endPosition);
  bench.disk.losePower(0);
  for (const [i, handle] of closed.entries()) {
    const fd = bench.disk.open(`/data/topics/topic-${handle}/0/${'0'.repeat(20)}.log`, 'read');
    const bytes = Buffer.alloc(10_000);
    expect(bench.disk.read(fd, bytes, 0, bytes.length, 0)).toBe(sizes[i]);
    expect(bytes.subarray(0, sizes[i]).includes(Buffer.alloc(800, handle))).toBe(true);
  }
});

test('a sync that fails while files are closed ends all acknowledgements', () => {
  const bench = benchWith(16);
  for (let handle = 0; handle < 16; handle++) bench.append(handle);
  bench.disk.failSync = (path) => path.endsWith('.log');
  bench.append(16);
  expect(bench.shard.failure).toMatch(/EIO.*quiet partitions/);
});

describe('segments that take no more bytes and wait for a checkpoint', () => {
  const HOUR_MS = 3_600_000;

  /** Each record is so much later than the one before that it begins a segment. */
  function rollWithEach(
    bench: ShardBench,
    handles: readonly number[],
    from: number,
    to: number,
    after: () => void = () => undefined,
  ): void {
    for (let i = from; i < to; i++)
      for (const handle of handles) {
        bench.append(handle, 10, START_MS + 2 * i * HOUR_MS);
        after();
      }
  }

  function rolling(kind: 'sync' | 'buffered'): ShardBench {
    const bench = new ShardBench(kind, { openSegmentsMax: 16 });
    for (const handle of [1, 2]) bench.open(handle, { segmentMs: HOUR_MS, segmentBytes: 100_000 });
    return bench;
  }

  test.each(['sync', 'buffered'] as const)('(%s) count: records of ever later times open no more files than the limit', (kind) => {
    const bench = rolling(kind);
    rollWithEach(bench, [1, 2], 0, 60, () => expect(openSegments(bench).length).toBeLessThanOrEqual(16));
    expect(bench.codes).toEqual(Array(120).fill(0));
    expect(bench.shard.partitions[1]?.state.segments.length).toBe(60);
  });

  test.each(['sync', 'buffered'] as const)('(%s) are durable when they are closed, also while the keeper has some', (kind) => {
    const bench = rolling(kind);
    rollWithEach(bench, [1, 2], 0, 4);
    // The keeper is given what there is, and takes its time.
    bench.pass(bench.shard.settings.checkpointIntervalMs + 100);
    rollWithEach(bench, [1], 4, 44);
    expect(openSegments(bench).length).toBeLessThanOrEqual(16);
    bench.keep();
    bench.checkpoint();
    const sizes = bench.shard.partitions[1]?.state.segments.map(({ baseOffset, endPosition }) => ({ baseOffset, endPosition })) ?? [];
    expect(sizes.length).toBe(44);
    bench.disk.losePower(0);
    for (const { baseOffset, endPosition } of sizes) {
      const fd = bench.disk.open(`/data/topics/topic-1/0/${String(baseOffset).padStart(20, '0')}.log`, 'read');
      expect(bench.disk.read(fd, Buffer.alloc(1000), 0, 1000, 0)).toBe(endPosition);
      bench.disk.close(fd);
    }
  });

  test('a sync of theirs that fails makes what they hold doubtful, and ends all acknowledgements', () => {
    const bench = rolling('sync');
    rollWithEach(bench, [1, 2], 0, 8);
    bench.said.length = 0;
    bench.disk.failSync = (path) => path.includes('/topic-2/') && path.endsWith('.log');
    rollWithEach(bench, [1], 8, 10);
    expect(bench.shard.failure).toMatch(/EIO.*quiet partitions/);
    const ranges = bench.take('unsecured').flatMap((message) => message.ranges);
    expect(ranges).toContainEqual({ handle: 2, from: 0 });
  });

  test('of a partition that goes quiet meanwhile, all counts as durable once the keeper is done', () => {
    const bench = rolling('buffered');
    rollWithEach(bench, [1], 0, 2);
    bench.pass(bench.shard.settings.checkpointIntervalMs + 100);
    rollWithEach(bench, [1], 2, 4);
    rollWithEach(bench, [2], 0, 40);
    bench.keep();
    const partition = bench.shard.partitions[1];
    expect(partition?.syncedEnd).toBeGreaterThanOrEqual(partition?.activeSegment()?.baseOffset ?? Infinity);
  });

  test('a descriptor that cannot be closed is closed once, and so are the others', () => {
    const bench = rolling('sync');
    rollWithEach(bench, [1, 2], 0, 8);
    const { disk } = bench;
    const close = disk.close.bind(disk);
    const closed: number[] = [];
    disk.close = (fd) => {
      closed.push(fd);
      close(fd);
      if (closed.length === 2) throw new DiskError('EIO', 'close', 'a segment');
    };
    rollWithEach(bench, [1, 2], 8, 20);
    expect(closed.length).toBeGreaterThan(14);
    expect(bench.codes).toEqual(Array(40).fill(0));
  });
});
