/** When a shard deletes records, what it says of it, and when their files may be used again. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { segmentPath } from '../../../src/log/layout.ts';
import { emptyPartition, partitionKey, type PartitionState } from '../../../src/log/partition-state.ts';
import { recover } from '../../../src/log/recovery.ts';
import { retireSegments } from '../../../src/log/retire.ts';
import { expiredPart } from '../../../src/shard/expiry.ts';
import { NO_SEGMENT } from '../../../src/log/journal-layout.ts';
import { Worked } from '../../../src/shard/shard.ts';
import { DATA, ShardBench, START_MS } from '../../support/shard-bench.ts';

afterEach(() => void vi.restoreAllMocks());

const KINDS = ['sync', 'buffered'] as const;

/** A log of segments of 1000 bytes and ten offsets each, whose newest records have these ages in ms (null: no timestamp). */
function logOf(agesMs: readonly (number | null)[], nowMs: number): PartitionState {
  const state = emptyPartition('topic', 0);
  for (const ageMs of agesMs) {
    const baseOffset = state.endOffset;
    state.endOffset += 10;
    const maxTimestamp = ageMs === null ? -1 : nowMs - ageMs;
    state.segments.push({ baseOffset, endOffset: state.endOffset, endPosition: 1000, maxTimestamp, capacity: 0 });
  }
  return state;
}

/** What power leaves of the partition of a handle. */
function afterPowerLoss(bench: ShardBench, handle: number): PartitionState | undefined {
  bench.disk.losePower(0);
  return recover(bench.disk, DATA, () => 'known').partitions.get(partitionKey(`topic-${handle}`, 0));
}

describe('what is too old or too much', () => {
  const judge = (state: PartitionState, config: { retentionMs?: number; retentionBytes?: number }, modifiedMs = (): number => Infinity) =>
    expiredPart(state, { retentionMs: Infinity, retentionBytes: Infinity, ...config }, START_MS, modifiedMs);

  test('segments go by age while their newest record is older, and no further than the first one that is not', () => {
    const state = logOf([500, 401, 400, 999, 10], START_MS);
    expect(judge(state, { retentionMs: 400 })).toEqual({ offset: 20, firstSegment: 20 });
    expect(judge(state, { retentionMs: 500 })).toBeNull();
    expect(judge(state, { retentionMs: 499 })).toEqual({ offset: 10, firstSegment: 10 });
    expect(judge(state, {})).toBeNull();
  });

  test('segments go by size while what is left has retention.bytes; the active one never does', () => {
    const state = logOf([1, 1, 1, 1], START_MS);
    expect(judge(state, { retentionBytes: 3001 })).toBeNull();
    expect(judge(state, { retentionBytes: 3000 })).toEqual({ offset: 10, firstSegment: 10 });
    expect(judge(state, { retentionBytes: 1999 })).toEqual({ offset: 20, firstSegment: 20 });
    expect(judge(state, { retentionBytes: 0 })).toEqual({ offset: 30, firstSegment: 30 });
    expect(judge(logOf([1], START_MS), { retentionBytes: 0 })).toBeNull();
  });

  test('an active segment that is too old goes last, an empty one stays', () => {
    expect(judge(logOf([900, 800], START_MS), { retentionMs: 700 })).toEqual({ offset: 20, firstSegment: NO_SEGMENT });
    expect(judge(logOf([900, 10], START_MS), { retentionMs: 700 })).toEqual({ offset: 10, firstSegment: 10 });
    const rolled = logOf([900], START_MS);
    rolled.segments.push({ baseOffset: 10, endOffset: 10, endPosition: 0, maxTimestamp: -1, capacity: 0 });
    expect(judge(rolled, { retentionMs: 700 }, () => 0)).toEqual({ offset: 10, firstSegment: 10 });
    expect(judge(emptyPartition('topic', 0), { retentionMs: 0, retentionBytes: 0 })).toBeNull();
  });

  test('records without a time are as old as their file; one from the future keeps its segment', () => {
    const state = logOf([null, -5000, 10], START_MS);
    expect(judge(state, { retentionMs: 700 }, () => START_MS - 700)).toBeNull();
    expect(judge(state, { retentionMs: 700 }, () => START_MS - 701)).toEqual({ offset: 10, firstSegment: 10 });
  });

  test('what lies wholly below the log start goes whatever the settings', () => {
    const state = logOf([1, 1, 1], START_MS);
    state.logStartOffset = 15;
    expect(judge(state, {})).toEqual({ offset: 15, firstSegment: 10 });
    state.logStartOffset = 30;
    expect(judge(state, {})).toEqual({ offset: 30, firstSegment: NO_SEGMENT });
  });
});

describe.each(KINDS)('a %s shard', (kind) => {
  test('deletes what is too large as soon as a segment is full, without waiting for the check', () => {
    const bench = new ShardBench(kind, { retentionCheckIntervalMs: 1e9 });
    const { state } = bench.open(1, { retentionBytes: 6000 });
    for (let n = 0; n < 20; n++) bench.append(1);
    const moved = bench.take('logStartMoved');
    expect(moved.length).toBeGreaterThan(1);
    expect(moved.every(({ handle, error }) => handle === 1 && error === null)).toBe(true);
    expect(moved.flatMap(({ retired }) => retired)).toEqual([0, 4]);
    expect(moved.at(-1)?.logStartOffset).toBe(8);
    expect(state).toMatchObject({ logStartOffset: 8, endOffset: 20 });
    expect(state.segments.map(({ baseOffset }) => baseOffset)).toEqual([8, 12, 16]);
    expect(state.segments.reduce((bytes, { endPosition }) => bytes + endPosition, 0)).toBeGreaterThanOrEqual(6000);
    expect(bench.codes.every((code) => code === 0)).toBe(true);
  });

  test('deletes what is too old at a check, the active segment too, and goes on behind it', () => {
    const bench = new ShardBench(kind);
    const partition = bench.open(1, { retentionMs: 5000 });
    for (let n = 0; n < 6; n++) bench.append(1);
    bench.pass(4000);
    expect(bench.take('logStartMoved')).toEqual([]);
    bench.pass(3000);
    expect(bench.take('logStartMoved')).toMatchObject([{ logStartOffset: 6, retired: [0, 4] }]);
    expect(partition.state).toMatchObject({ logStartOffset: 6, endOffset: 6, segments: [] });
    expect(partition.active).toBeNull();
    bench.append(1);
    expect(bench.take('rolled').at(-1)).toMatchObject({ baseOffset: 6, previousEndPosition: -1 });
    expect(partition.state).toMatchObject({ logStartOffset: 6, endOffset: 7, segments: [{ baseOffset: 6 }] });
  });

  test('looks at age only at a check: records that are old when they come stay until then', () => {
    const bench = new ShardBench(kind, { retentionCheckIntervalMs: 10_000 });
    bench.open(1, { retentionMs: 5000 });
    for (let n = 0; n < 9; n++) bench.append(1, 900, START_MS - 1_000_000);
    bench.pass(5000);
    expect(bench.take('rolled').length).toBe(3);
    expect(bench.take('logStartMoved')).toEqual([]);
    bench.pass(6000);
    expect(bench.take('logStartMoved')).toMatchObject([{ logStartOffset: 9 }]);
  });

  test('keeps a segment as long as one of its records is young enough', () => {
    const bench = new ShardBench(kind);
    bench.open(1, { retentionMs: 5000 });
    bench.append(1);
    bench.pass(4000);
    bench.append(1);
    bench.pass(4000);
    expect(bench.take('logStartMoved')).toEqual([]);
    bench.pass(3000);
    expect(bench.take('logStartMoved')).toMatchObject([{ logStartOffset: 2 }]);
  });

  test('a record from the future keeps its own segment, and none behind it', () => {
    const bench = new ShardBench(kind);
    const partition = bench.open(1, { retentionMs: 5000 });
    bench.append(1, 900, START_MS * 2);
    for (let n = 0; n < 8; n++) bench.append(1);
    expect(partition.state.segments.map(({ maxTimestamp }) => maxTimestamp)).toEqual([START_MS * 2, START_MS, START_MS]);
    bench.disk.killProcess();
    const found = recover(bench.disk, DATA, () => 'known').partitions.get(partitionKey('topic-1', 0));
    expect(found?.segments.map(({ maxTimestamp }) => maxTimestamp)).toEqual([START_MS * 2, START_MS, START_MS]);
  });

  test('what is behind a record from the future goes by its own age, once that is deleted', () => {
    const bench = new ShardBench(kind);
    bench.open(1, { retentionMs: 5000 });
    bench.append(1, 900, START_MS * 2);
    for (let n = 0; n < 8; n++) bench.append(1);
    bench.tell({ kind: 'setLogStart', handle: 1, offset: 4 });
    bench.pass(7000);
    expect(bench.take('logStartMoved')).toMatchObject([{ logStartOffset: 9, retired: [4, 8] }]);
  });

  test('takes the age of a file where records have no time', () => {
    const bench = new ShardBench(kind);
    bench.open(1, { retentionMs: 5000 });
    bench.append(1, 900, -1);
    bench.pass(4000);
    expect(bench.take('logStartMoved')).toEqual([]);
    bench.pass(3000);
    expect(bench.take('logStartMoved')).toMatchObject([{ logStartOffset: 1, retired: [0] }]);
  });

  test('other settings take effect with the next cycle', () => {
    const bench = new ShardBench(kind, { retentionCheckIntervalMs: 1e9 });
    bench.open(1);
    for (let n = 0; n < 12; n++) bench.append(1);
    bench.configure(1, { retentionBytes: 5000 });
    expect(bench.take('logStartMoved')).toMatchObject([{ logStartOffset: 4, retired: [0] }]);
    bench.pass(500);
    bench.configure(1, { retentionMs: 100 });
    expect(bench.take('logStartMoved')).toMatchObject([{ logStartOffset: 12, retired: [4, 8] }]);
  });

  test('releases a segment only when a checkpoint that does not name it is durable', () => {
    const bench = new ShardBench(kind);
    bench.open(1, { retentionBytes: 3000 });
    for (let n = 0; n < 4; n++) bench.append(1);
    // Under way when the segment leaves: it names it.
    bench.pass(10_100);
    expect(bench.jobs.length).toBe(1);
    for (let n = 0; n < 5; n++) bench.append(1);
    expect(bench.take('logStartMoved')).toMatchObject([{ retired: [0] }]);
    bench.keep();
    expect(bench.take('released')).toEqual([]);
    bench.checkpoint();
    expect(bench.take('released')).toEqual([{ kind: 'released', segments: [{ topicId: 'topic-1', partition: 0, baseOffset: 0 }] }]);
    bench.append(1);
    bench.checkpoint();
    expect(bench.take('released')).toEqual([]);
  });

  test('writes a released file under another name without any start looking for the old records in it', () => {
    const bench = new ShardBench(kind);
    const other = bench.open(2);
    bench.append(2, 3800);
    bench.open(1, { retentionBytes: 3000 });
    for (let n = 0; n < 9; n++) bench.append(1);
    bench.checkpoint();
    expect(bench.take('released')).toMatchObject([{ segments: [{ baseOffset: 0 }] }]);
    const limits = { segmentBytesMin: 1000, bytesMax: 1e6, random: () => 'r' };
    retireSegments(bench.disk, DATA, [segmentPath(DATA, 'topic-1', 0, 0)], limits, () => undefined);
    bench.append(2);
    expect(other.activeSegment()?.capacity).toBeGreaterThan(3000);
    const state = afterPowerLoss(bench, 1);
    expect(state).toMatchObject({ logStartOffset: 4, damaged: [] });
    expect(bench.disk.exists(segmentPath(DATA, 'topic-1', 0, 0))).toBe(false);
  });

  test('a segment that left with a partition to another shard is released all the same', () => {
    const bench = new ShardBench(kind);
    bench.open(1, { retentionBytes: 3000 });
    for (let n = 0; n < 9; n++) bench.append(1);
    bench.tell({ kind: 'moveOut', handle: 1, moveNumber: 1 });
    bench.work();
    bench.checkpoint();
    expect(bench.take('released')).toMatchObject([{ segments: [{ baseOffset: 0 }] }]);
  });

  test('says that a deletion failed when its journal group does, and releases nothing', () => {
    const bench = new ShardBench('sync', { retentionCheckIntervalMs: 500 });
    bench.open(1, { retentionMs: 5000 });
    bench.append(1);
    // Quiet for a while: the group of the deletion is the next that syncs anything.
    bench.pass(1000);
    bench.disk.failSync = () => true;
    bench.pass(5000);
    bench.checkpoint();
    expect(bench.take('logStartMoved')).toMatchObject([{ error: expect.stringMatching(/EIO/) as string }]);
    expect(bench.take('released')).toEqual([]);
  });
});

describe('deleting on request', () => {
  test.each(KINDS)('is durable when it is answered (%s)', (kind) => {
    const bench = new ShardBench(kind);
    bench.open(1);
    for (let n = 0; n < 6; n++) bench.append(1);
    bench.tell({ kind: 'setLogStart', handle: 1, offset: 5 });
    bench.work();
    expect(bench.take('logStartSet')).toEqual([{ kind: 'logStartSet', handle: 1, logStartOffset: 5, retired: [0], error: null }]);
    expect(afterPowerLoss(bench, 1)?.logStartOffset).toBe(5);
  });

  test('a buffered shard promises what it had deleted by itself before, too', () => {
    const bench = new ShardBench('buffered');
    bench.open(1, { retentionBytes: 3000 });
    for (let n = 0; n < 9; n++) bench.append(1);
    expect(bench.take('logStartMoved')).toMatchObject([{ logStartOffset: 4 }]);
    bench.tell({ kind: 'setLogStart', handle: 1, offset: 3 });
    bench.work();
    expect(bench.take('logStartSet')).toMatchObject([{ logStartOffset: 4, retired: [], error: null }]);
    expect(afterPowerLoss(bench, 1)?.logStartOffset).toBe(4);
  });

  test('many requests of one cycle cost a buffered shard one sync, retention none', () => {
    const bench = new ShardBench('buffered');
    const syncs = vi.spyOn(bench.disk, 'fdatasync');
    for (let handle = 1; handle <= 8; handle++) bench.open(handle, { retentionBytes: 3000 });
    for (let handle = 1; handle <= 8; handle++) for (let n = 0; n < 9; n++) bench.append(handle);
    expect(bench.take('logStartMoved').length).toBe(8);
    expect(syncs).not.toHaveBeenCalled();
    for (let handle = 1; handle <= 8; handle++) bench.tell({ kind: 'setLogStart', handle, offset: 6 });
    bench.work();
    expect(bench.take('logStartSet').length).toBe(8);
    expect(syncs).toHaveBeenCalledTimes(1);
  });

  test('keeps the active segment for who writes on, and gives it up at the next check', () => {
    const bench = new ShardBench();
    const { state } = bench.open(1);
    for (let n = 0; n < 6; n++) bench.append(1);
    bench.tell({ kind: 'setLogStart', handle: 1, offset: 6 });
    bench.work();
    expect(bench.take('logStartSet')).toMatchObject([{ logStartOffset: 6, retired: [0] }]);
    bench.append(1);
    expect(bench.take('rolled').map(({ baseOffset }) => baseOffset)).toEqual([0, 4]);
    bench.tell({ kind: 'setLogStart', handle: 1, offset: 7 });
    bench.pass(2000);
    expect(bench.take('logStartMoved')).toMatchObject([{ logStartOffset: 7, retired: [4] }]);
    expect(state.segments).toEqual([]);
  });

  test('refuses an offset beyond the end and a partition it does not have', () => {
    const bench = new ShardBench();
    bench.open(1);
    bench.append(1);
    bench.tell({ kind: 'setLogStart', handle: 1, offset: 2 });
    bench.tell({ kind: 'setLogStart', handle: 9, offset: 0 });
    bench.work();
    expect(bench.take('logStartSet').map(({ error }) => error)).toEqual(['log start 2 is above the end 1', 'no partition with handle 9']);
  });
});

describe('the check', () => {
  test('goes through partitions in slices, without a pause while there is nothing else to do', () => {
    const bench = new ShardBench();
    for (let handle = 1; handle <= 1000; handle++) bench.open(handle);
    bench.nowMs += 1000;
    const looked: number[] = [];
    for (let at = 1; at <= 1000; at++) {
      const partition = bench.shard.partitions[at];
      const { config } = partition!;
      Object.defineProperty(partition, 'config', {
        get: () => {
          looked.push(at);
          return config;
        },
      });
    }
    const perCycle: number[] = [];
    for (let outcome: number = Worked.something; outcome !== Worked.nothing;) {
      const before = looked.length;
      outcome = bench.cycle();
      perCycle.push(looked.length - before);
    }
    expect(looked).toEqual(Array.from({ length: 1000 }, (_, n) => n + 1));
    expect(Math.max(...perCycle)).toBeLessThanOrEqual(256);
    expect(perCycle.length).toBeGreaterThanOrEqual(4);
    // Nothing more before it is due again.
    for (let n = 0; n < 10; n++) bench.cycle();
    expect(looked.length).toBe(1000);
  });

  test('deletes much in several groups, none larger than the journal has room for', () => {
    const bench = new ShardBench('sync', { journalBytesMax: 400 << 10, retentionCheckIntervalMs: 500 });
    for (let handle = 1; handle <= 600; handle++) bench.open(handle, { retentionMs: 100 });
    for (let handle = 1; handle <= 600; handle++) bench.append(handle, 10);
    bench.keep();
    for (let n = 0; n < 20; n++) {
      bench.pass(600);
      bench.keep();
    }
    expect(new Set(bench.take('logStartMoved').map(({ handle }) => handle)).size).toBe(600);
    expect(bench.shard.failure).toBeNull();
  });

  test('a clock that is set forward and put right again within a check interval deletes nothing for its age', () => {
    const bench = new ShardBench('sync', { retentionCheckIntervalMs: 60_000 });
    const { state } = bench.open(1, { retentionMs: 3_600_000, retentionBytes: 3000 });
    for (let n = 0; n < 6; n++) bench.append(1);
    bench.pass(90_000);
    bench.nowMs += 365 * 86_400_000;
    bench.pass(50_000);
    // By size it goes on.
    for (let n = 0; n < 4; n++) bench.append(1, 900, START_MS);
    expect(bench.take('logStartMoved')).toMatchObject([{ logStartOffset: 4 }]);
    bench.nowMs -= 365 * 86_400_000;
    bench.pass(300_000);
    expect(bench.take('logStartMoved')).toEqual([]);
    expect(state.endOffset).toBe(10);
    // Put back, it is not waited for until the year is over.
    bench.pass(3_600_000);
    expect(bench.take('logStartMoved')).toMatchObject([{ logStartOffset: 10 }]);
  });

  test('a clock that stays where it was set is believed after a check interval', () => {
    const bench = new ShardBench('sync', { retentionCheckIntervalMs: 60_000 });
    bench.open(1, { retentionMs: 3_600_000 });
    bench.append(1);
    bench.pass(90_000);
    bench.nowMs += 86_400_000;
    bench.pass(59_000);
    expect(bench.take('logStartMoved')).toEqual([]);
    bench.pass(62_000);
    expect(bench.take('logStartMoved')).toMatchObject([{ logStartOffset: 1 }]);
  });
});
