/** Truncation, epoch ends, and the pool of retired segments. */
import { expect, test } from 'vitest';
import { endOffsetForEpoch, noteEpoch } from '../../../src/log/epochs.ts';
import { partitionFolder, segmentPath } from '../../../src/log/layout.ts';
import { emptyPartition, type EpochStart, type PartitionState } from '../../../src/log/partition-state.ts';
import { SegmentPool } from '../../../src/log/pool.ts';
import { pooledBytes, retireTopic, tidyPool } from '../../../src/log/retire.ts';
import { planTruncation } from '../../../src/log/truncation.ts';
import { Prng } from '../../../src/lib/prng.ts';
import { stampBatch } from '../../../src/protocol/record-batch.ts';
import { buildBatch } from '../../../src/protocol/record.ts';
import { FakeDisk } from '../../sim/fake-disk.ts';

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
