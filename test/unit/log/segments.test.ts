/** Truncation, epoch ends, and the pool of retired segments. */
import { describe, expect, test, vi } from 'vitest';
import { endOffsetForEpoch, noteEpoch } from '../../../src/log/epochs.ts';
import { partitionFolder, segmentPath } from '../../../src/log/layout.ts';
import { emptyPartition, type EpochStart, type PartitionState } from '../../../src/log/partition-state.ts';
import { lengthOf, SegmentPool } from '../../../src/log/pool.ts';
import { pooledBytes, retireLeftovers, retireSegments, retireTopic, tidyPool } from '../../../src/log/retire.ts';
import { planTruncation } from '../../../src/log/truncation.ts';
import { Prng } from '../../../src/lib/prng.ts';
import { stampBatch } from '../../../src/protocol/record-batch.ts';
import { buildBatch } from '../../../src/protocol/record.ts';
import { DiskError } from '../../../src/log/disk.ts';
import { FakeDisk, SimulatedCrash } from '../../sim/fake-disk.ts';

const DATA = '/data';
const TOPIC = 'AAAAAAAAAAAAAAAAAAAAAA';

/** A log of segments with batches of the given record counts. */
function makeLog(disk: FakeDisk, segments: readonly (readonly number[])[]): PartitionState {
  const state = emptyPartition(TOPIC, 0);
  disk.mkdir(partitionFolder(DATA, TOPIC, 0));
  for (const batches of segments) {
    const baseOffset = state.endOffset;
    const fd = disk.open(segmentPath(DATA, TOPIC, 0, baseOffset), 'write');
    let position = 0;
    for (const count of batches) {
      const batch = buildBatch({ records: Array.from({ length: count }, () => ({ value: 'x' })), baseTimestamp: 1000 + state.endOffset });
      stampBatch(batch, 0, state.endOffset, 0);
      disk.write(fd, [batch], position);
      position += batch.length;
      state.endOffset += count;
    }
    disk.close(fd);
    state.segments.push({ baseOffset, endOffset: state.endOffset, endPosition: position, maxTimestamp: 9999, capacity: 0 });
  }
  return state;
}

test('a truncation cuts at the batch that holds the offset and drops later segments', () => {
  const disk = new FakeDisk(new Prng(1));
  const state = makeLog(disk, [[3, 3], [2, 5, 1], [4]]);
  state.epochs = [
    { epoch: 0, startOffset: 0 },
    { epoch: 2, startOffset: 9 },
  ];
  state.damaged = [
    { from: 2, to: 3 },
    { from: 8, to: 12 },
  ];
  const plan = planTruncation(disk, DATA, state, 10);
  expect(plan.state.endOffset).toBe(8);
  expect(plan.state.segments.map((segment) => [segment.baseOffset, segment.endOffset])).toEqual([
    [0, 6],
    [6, 8],
  ]);
  expect(plan.removed.map((segment) => segment.baseOffset)).toEqual([14]);
  expect(plan.state.epochs).toEqual([{ epoch: 0, startOffset: 0 }]);
  expect(plan.state.damaged).toEqual([{ from: 2, to: 3 }]);
  expect(state.endOffset).toBe(18);
});

test('a truncation to a segment boundary keeps the segment before it whole; to the start it leaves none', () => {
  const disk = new FakeDisk(new Prng(1));
  const state = makeLog(disk, [[3], [2]]);
  expect(planTruncation(disk, DATA, state, 3).state.segments).toMatchObject([{ baseOffset: 0, endOffset: 3 }]);
  expect(planTruncation(disk, DATA, state, 0)).toMatchObject({
    state: { endOffset: 0, segments: [] },
    removed: [{ baseOffset: 0 }, { baseOffset: 3 }],
  });
});

test('a truncation into the batch that holds the log start leaves nothing, and the log goes on at its start', () => {
  const disk = new FakeDisk(new Prng(1));
  const state = makeLog(disk, [[3, 3], [2]]);
  state.logStartOffset = 4;
  expect(planTruncation(disk, DATA, state, 5)).toMatchObject({
    state: { logStartOffset: 4, endOffset: 4, segments: [] },
    removed: [{ baseOffset: 0 }, { baseOffset: 6 }],
  });
  expect(planTruncation(disk, DATA, state, 6).state).toMatchObject({ endOffset: 6, segments: [{ baseOffset: 0, endOffset: 6 }] });
});

test('a truncation through a log that cannot be walked is refused, not guessed', () => {
  const disk = new FakeDisk(new Prng(1));
  const state = makeLog(disk, [[3, 3]]);
  disk.corrupt(segmentPath(DATA, TOPIC, 0, 0), 16);
  expect(() => planTruncation(disk, DATA, state, 4)).toThrow(/EBADMSG/);
});

test('the end of an epoch is where the next one begins, or the end of the log', () => {
  const epochs: EpochStart[] = [];
  for (const [epoch, offset] of [
    [1, 0],
    [1, 5],
    [4, 10],
    [3, 12],
    [6, 20],
  ] as const)
    noteEpoch(epochs, epoch, offset);
  const log = { epochs, endOffset: 30 };
  expect(epochs.map(({ epoch }) => epoch)).toEqual([1, 4, 6]);
  expect(endOffsetForEpoch(log, 0)).toEqual({ epoch: -1, endOffset: -1 });
  expect(endOffsetForEpoch(log, 1)).toEqual({ epoch: 1, endOffset: 10 });
  expect(endOffsetForEpoch(log, 3)).toEqual({ epoch: 1, endOffset: 10 });
  expect(endOffsetForEpoch(log, 4)).toEqual({ epoch: 4, endOffset: 20 });
  expect(endOffsetForEpoch(log, 9)).toEqual({ epoch: 6, endOffset: 30 });
});

test('a deleted topic leaves its full segments to the pool, within its limit, and nothing else', () => {
  const disk = new FakeDisk(new Prng(1));
  const folder = partitionFolder(DATA, TOPIC, 0);
  disk.mkdir(folder);
  for (const [name, bytes] of [
    ['00000000000000000000.log', 4000],
    ['00000000000000000010.log', 3000],
    ['00000000000000000020.log', 100],
    ['00000000000000000000.index', 50],
  ] as const) {
    const fd = disk.open(`${folder}/${name}`, 'write');
    disk.write(fd, [Buffer.alloc(bytes, 7)], 0);
    disk.close(fd);
  }
  let name = 0;
  retireTopic(disk, DATA, TOPIC, { segmentBytesMin: 1000, bytesMax: 5000, random: () => `n${name++}` }, () => {});
  expect(disk.exists(`${DATA}/topics/${TOPIC}`)).toBe(false);
  expect(pooledBytes(disk, DATA)).toBe(4000);

  const pool = new SegmentPool(disk, DATA);
  disk.mkdir(folder);
  expect(pool.has(3999, 1, 0)).toBe(false);
  expect(pool.has(8001, 1, 0)).toBe(false);
  expect(pool.has(8000, 4001, 0)).toBe(false);
  expect(pool.take(`${folder}/w.log`, 8000, 4001)).toBe(0);
  expect(pool.take(`${folder}/x.log`, 4096, 4000)).toBe(4000);
  expect(pool.take(`${folder}/y.log`, 4096, 1)).toBe(0);
  expect(disk.list(folder)).toEqual(['x.log']);
});

describe('segments that left their logs', () => {
  const LIMITS = { segmentBytesMin: 1000, bytesMax: 10_000, random: (): string => `n${++serial}` };
  const folder = partitionFolder(DATA, TOPIC, 0);
  let serial = 0;

  function withFiles(sizes: Readonly<Record<string, number>>): FakeDisk {
    const disk = new FakeDisk(new Prng(1));
    for (const changed of disk.mkdir(folder)) disk.syncFolder(changed);
    for (const [name, bytes] of Object.entries(sizes)) {
      const fd = disk.open(`${folder}/${name}`, 'write');
      disk.truncate(fd, bytes);
      disk.fdatasync(fd);
      disk.close(fd);
    }
    disk.syncFolder(folder);
    return disk;
  }

  test('go to the pool as far as it has room and they are large enough, for the rest they are removed', () => {
    const disk = withFiles({ 'a.log': 4000, 'b.log': 999, 'c.log': 5000, 'd.log': 1001, 'e.log': 1000 });
    retireSegments(
      disk,
      DATA,
      ['a', 'b', 'c', 'd', 'gone', 'e'].map((name) => `${folder}/${name}.log`),
      LIMITS,
      () => {},
    );
    expect(disk.list(folder)).toEqual([]);
    expect(
      disk
        .list(`${DATA}/pool`)
        .map(lengthOf)
        .sort((a, b) => a - b),
    ).toEqual([1000, 4000, 5000]);
  });

  test('have no name that anybody takes before both folders are synced, whatever the power does', () => {
    for (let crashAt = 1; ; crashAt++) {
      const disk = withFiles({ 'a.log': 4000, 'b.log': 4000 });
      disk.crashAt = disk.operations + crashAt;
      let crashed = false;
      try {
        retireSegments(disk, DATA, [`${folder}/a.log`, `${folder}/b.log`], LIMITS, () => {});
      } catch (error) {
        if (!(error instanceof SimulatedCrash)) throw error;
        crashed = true;
      }
      const takeable = disk.list(`${DATA}/pool`).filter((name) => lengthOf(name) > 0);
      disk.losePower(0);
      // What could have been taken is durably gone from its old place.
      if (takeable.length > 0) expect(disk.list(folder)).toEqual([]);
      if (!crashed) break;
    }
  });

  test('of a full disk are removed where they are', () => {
    const disk = withFiles({ 'a.log': 4000 });
    vi.spyOn(disk, 'rename').mockImplementation((from) => {
      throw new DiskError('ENOSPC', 'rename', from);
    });
    retireSegments(disk, DATA, [`${folder}/a.log`], LIMITS, () => {});
    expect(disk.list(folder)).toEqual([]);
    expect(disk.list(`${DATA}/pool`)).toEqual([]);
  });

  test('large ones shrink in steps, under a name that nobody takes', () => {
    const disk = withFiles({ 'a.log': 100 << 20 });
    const seen: string[][] = [];
    retireSegments(disk, DATA, [`${folder}/a.log`], { ...LIMITS, bytesMax: 0 }, () => seen.push(disk.list(folder)));
    expect(seen).toEqual([['a.log.gone'], ['a.log.gone'], ['a.log.gone']]);
    expect(disk.list(folder)).toEqual([]);
  });

  test('what an earlier life left of them is found by where the log begins, and nothing else is touched', () => {
    const name = (offset: number, ending: string): string => `${String(offset).padStart(20, '0')}.${ending}`;
    const disk = withFiles({
      [name(0, 'log')]: 4000,
      [name(0, 'index')]: 10,
      [name(10, 'log')]: 500,
      [name(15, 'log.gone')]: 500,
      [name(20, 'log')]: 4000,
      [name(20, 'index')]: 10,
      [name(30, 'log')]: 100,
      'somebody.txt': 5,
    });
    retireLeftovers(disk, DATA, { topicId: TOPIC, partition: 0, firstOffset: 20, cleanedEnd: 0, names: [] }, LIMITS, () => {});
    expect(disk.list(folder)).toEqual([name(20, 'index'), name(20, 'log'), name(30, 'log'), 'somebody.txt']);
    expect(pooledBytes(disk, DATA)).toBe(4000);
    retireLeftovers(disk, DATA, { topicId: 'unknown', partition: 0, firstOffset: 20, cleanedEnd: 0, names: [] }, LIMITS, () => {});
  });
});

describe('the pool', () => {
  function pooled(...names: string[]): FakeDisk {
    const disk = new FakeDisk(new Prng(1));
    disk.mkdir(`${DATA}/pool`);
    disk.mkdir(`${DATA}/x`);
    for (const name of names) disk.close(disk.open(`${DATA}/pool/${name}`, 'write'));
    return disk;
  }

  test('hands out the largest file that fits', () => {
    const disk = pooled('2047-a.pool', '2048-b.pool', '4096-c.pool', '4097-d.pool', '3000-e.pool');
    const pool = new SegmentPool(disk, DATA);
    expect([1, 2, 3, 4].map((n) => pool.take(`${DATA}/x/${n}`, 4096, 1))).toEqual([4096, 3000, 2048, 0]);
    expect(pool.take(`${DATA}/x/5`, 8000, 1)).toBe(4097);
  });

  test('is not listed at every question, and what came since is found a little later', () => {
    const disk = pooled();
    const lists = vi.spyOn(disk, 'list');
    const pool = new SegmentPool(disk, DATA);
    for (let ms = 0; ms < 200; ms++) expect(pool.has(4096, 1, 1000 + ms)).toBe(false);
    expect(lists).toHaveBeenCalledTimes(1);
    disk.close(disk.open(`${DATA}/pool/4000-a.pool`, 'write'));
    expect(pool.has(4096, 1, 1249)).toBe(false);
    expect(pool.has(4096, 1, 1250)).toBe(true);
    for (let ms = 0; ms < 5000; ms++) pool.has(4096, 1, 1250 + ms);
    expect(lists.mock.calls.length).toBeLessThanOrEqual(22);
    // A clock that was put back does not keep it from looking.
    disk.close(disk.open(`${DATA}/pool/900-b.pool`, 'write'));
    expect(pool.has(1024, 1, 10)).toBe(true);
  });

  test('a file whose leaving cannot be settled is left to nobody', () => {
    const disk = pooled('4000-a.pool');
    vi.spyOn(disk, 'syncFolder').mockImplementationOnce((path) => {
      throw new DiskError('EMFILE', 'open', path);
    });
    const pool = new SegmentPool(disk, DATA);
    expect(() => pool.take(`${DATA}/x/1`, 4096, 1)).toThrow('EMFILE');
    expect(disk.exists(`${DATA}/x/1`)).toBe(false);
    expect(pool.take(`${DATA}/x/1`, 4096, 1)).toBe(0);
  });

  test('a file that another thread took is not missed', () => {
    const disk = pooled('4000-a.pool', '3900-b.pool');
    const [one, other] = [new SegmentPool(disk, DATA), new SegmentPool(disk, DATA)];
    expect([one.has(4096, 1, 0), other.has(4096, 1, 0)]).toEqual([true, true]);
    expect(one.take(`${DATA}/x/1`, 4096, 1)).toBe(4000);
    expect(other.take(`${DATA}/x/2`, 4096, 1)).toBe(3900);
    expect(one.take(`${DATA}/x/3`, 4096, 1)).toBe(0);
  });
});

test('the pool gives room back, a file at a time, until it is empty', () => {
  const disk = new FakeDisk(new Prng(1));
  disk.mkdir(`${DATA}/pool`);
  for (const name of ['4000-a.pool', '5000-b.pool', '9-c.pool.unsettled']) disk.close(disk.open(`${DATA}/pool/${name}`, 'write'));
  const pool = new SegmentPool(disk, DATA);
  expect([pool.giveBack(), pool.giveBack(), pool.giveBack()]).toEqual([true, true, false]);
  expect(disk.list(`${DATA}/pool`)).toEqual(['9-c.pool.unsettled']);
});

test('a file that a crash left half way into the pool is removed, not handed out', () => {
  const disk = new FakeDisk(new Prng(1));
  disk.mkdir(`${DATA}/pool`);
  disk.close(disk.open(`${DATA}/pool/4000-abc.pool.unsettled`, 'write'));
  expect(new SegmentPool(disk, DATA).has(4096, 1, 0)).toBe(false);
  tidyPool(disk, DATA);
  expect(disk.list(`${DATA}/pool`)).toEqual([]);
});
