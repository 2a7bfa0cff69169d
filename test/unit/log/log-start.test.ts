/** The start of a log: moving it up, and what replay, recovery and truncation make of it. */
import { describe, expect, test } from 'vitest';
import { EntryType, NO_SEGMENT, type ControlEntry, type JournalEntry } from '../../../src/log/journal-layout.ts';
import { partitionFolder, segmentPath } from '../../../src/log/layout.ts';
import { firstSegmentAt, raiseLogStart } from '../../../src/log/log-start.ts';
import { NO_PRODUCERS } from '../../../src/log/producer-table.ts';
import { emptyPartition, type PartitionState } from '../../../src/log/partition-state.ts';
import { Replay } from '../../../src/log/replay.ts';
import { planTruncation } from '../../../src/log/truncation.ts';
import { Prng } from '../../../src/lib/prng.ts';
import { stampBatch } from '../../../src/protocol/record-batch.ts';
import { buildBatch } from '../../../src/protocol/record.ts';
import { FakeDisk } from '../../sim/fake-disk.ts';

/** Segments of ten offsets each. */
function logOf(segments: number): PartitionState {
  const state = emptyPartition('topic', 0);
  for (let n = 0; n < segments; n++)
    state.segments.push({ baseOffset: n * 10, endOffset: n * 10 + 10, endPosition: 100, maxTimestamp: 5, capacity: 0 });
  state.endOffset = segments * 10;
  return state;
}

const bases = (state: PartitionState): number[] => state.segments.map(({ baseOffset }) => baseOffset);

describe('moving the start of a log up', () => {
  test('drops the segments before the first that stays, and tells which', () => {
    const state = logOf(4);
    expect(raiseLogStart(state, 25, firstSegmentAt(state, 25)).map(({ baseOffset }) => baseOffset)).toEqual([0, 10]);
    expect(state.logStartOffset).toBe(25);
    expect(bases(state)).toEqual([20, 30]);
    expect(raiseLogStart(state, 25, 20)).toEqual([]);
    expect(raiseLogStart(state, 40, NO_SEGMENT).length).toBe(2);
    expect(state).toMatchObject({ logStartOffset: 40, endOffset: 40, segments: [] });
  });

  test('the active segment is needed, however much of it is deleted', () => {
    const state = logOf(2);
    expect([0, 9, 10, 20].map((offset) => firstSegmentAt(state, offset))).toEqual([0, 0, 10, 10]);
    expect(firstSegmentAt(emptyPartition('topic', 0), 0)).toBe(NO_SEGMENT);
  });

  test('keeps the epoch that holds the new start', () => {
    const state = logOf(3);
    state.epochs = [
      { epoch: 1, startOffset: 0 },
      { epoch: 3, startOffset: 5 },
      { epoch: 4, startOffset: 22 },
    ];
    raiseLogStart(state, 12, 10);
    expect(state.epochs).toEqual([
      { epoch: 3, startOffset: 12 },
      { epoch: 4, startOffset: 22 },
    ]);
    raiseLogStart(state, 22, 20);
    expect(state.epochs).toEqual([{ epoch: 4, startOffset: 22 }]);
  });

  test('keeps damage that who follows the first segment has to get past', () => {
    const state = logOf(3);
    state.damaged = [
      { from: 3, to: 5 },
      { from: 11, to: 13 },
    ];
    raiseLogStart(state, 19, 10);
    expect(state.damaged).toEqual([{ from: 11, to: 13 }]);
    raiseLogStart(state, 20, 20);
    expect(state.damaged).toEqual([]);
  });

  test('keeps damage above the start, also when its segment is gone', () => {
    const state = logOf(3);
    state.segments.splice(1, 1);
    state.damaged = [{ from: 10, to: 20 }];
    raiseLogStart(state, 12, firstSegmentAt(state, 12));
    expect(bases(state)).toEqual([20]);
    expect(state.damaged).toEqual([{ from: 10, to: 20 }]);
    raiseLogStart(state, 20, 20);
    expect(state.damaged).toEqual([]);
  });
});

describe('replay', () => {
  const control = (body: ControlEntry): JournalEntry => ({ type: 'control', handle: 1, body });
  const append = (baseOffset: number, segmentBase: number): JournalEntry => ({
    type: EntryType.append,
    inline: true,
    stamped: false,
    handle: 1,
    baseOffset,
    lastOffsetDelta: 9,
    segmentBase,
    position: 0,
    batchBytes: 100,
    batchCrc: 0,
    payloadAt: 0,
    maxTimestamp: 5,
    leaderEpoch: 0,
    producerId: -1,
    producerEpoch: -1,
    baseSequence: -1,
  });
  const replayed = (...entries: JournalEntry[]): { state: PartitionState; appended: number[]; notes: number } => {
    const replay = new Replay([]);
    const all = [control({ type: EntryType.open, state: emptyPartition('topic', 0) }), ...entries];
    all.forEach((entry, n) => replay.apply({ sequence: n + 1, timestampMs: 0, entries: [entry], path: 'journal', payloadAt: 0 }));
    const { state, appends } = replay.partitions.get('topic/0')!;
    return { state, appended: appends.map(({ entry }) => entry.baseOffset), notes: replay.notes.length };
  };

  test('forgets the appends of segments that left: their files may be somebody else’s', () => {
    const found = replayed(
      append(0, 0),
      append(10, 10),
      append(20, 20),
      control({ type: EntryType.logStart, offset: 15, firstSegment: 10 }),
    );
    expect(found.state.logStartOffset).toBe(15);
    expect(bases(found.state)).toEqual([10, 20]);
    expect(found.appended).toEqual([10, 20]);
  });

  test('a log that lost all its segments goes on in the one that the next append names', () => {
    const found = replayed(
      append(0, 0),
      append(10, 0),
      control({ type: EntryType.logStart, offset: 20, firstSegment: NO_SEGMENT }),
      append(20, 20),
    );
    expect(found.state).toMatchObject({ logStartOffset: 20, endOffset: 30, segments: [{ baseOffset: 20, endOffset: 30 }] });
    expect(found.appended).toEqual([20]);
    expect(found.notes).toBe(0);
  });

  test('a start above the known end shows that offsets were given out, and deleted again', () => {
    const found = replayed(append(0, 0), control({ type: EntryType.logStart, offset: 30, firstSegment: NO_SEGMENT }));
    expect(found.state).toMatchObject({ logStartOffset: 30, endOffset: 30, segments: [], damaged: [] });
  });

  test('a segment that begins below the end shows a truncation whose group is damaged', () => {
    const whole = replayed(append(0, 0), append(10, 10), control({ type: EntryType.roll, baseOffset: 0, capacity: 0 }), append(0, 0));
    expect(whole.state).toMatchObject({ endOffset: 10, segments: [{ baseOffset: 0, endOffset: 10 }], damaged: [] });
    expect(whole.appended).toEqual([0]);
    expect(whole.notes).toBe(1);
    const part = replayed(append(0, 0), append(10, 0), control({ type: EntryType.roll, baseOffset: 10, capacity: 0 }), append(10, 10));
    expect(part.state).toMatchObject({ endOffset: 20, damaged: [] });
    expect(part.state.segments.map(({ baseOffset, endOffset }) => [baseOffset, endOffset])).toEqual([
      [0, 10],
      [10, 20],
    ]);
    expect(part.appended).toEqual([0, 10]);
  });

  test('a truncation that left no segment leaves none', () => {
    const found = replayed(
      append(0, 0),
      control({ type: EntryType.logStart, offset: 5, firstSegment: 0 }),
      control({ type: EntryType.truncate, endOffset: 5, segmentBase: NO_SEGMENT, endPosition: 0, producers: NO_PRODUCERS }),
    );
    expect(found.state).toMatchObject({ logStartOffset: 5, endOffset: 5, segments: [] });
    expect(found.appended).toEqual([]);
  });
});

test('a truncation to an offset within a batch that begins below the log start leaves an empty log, not one that ends before it starts', () => {
  const disk = new FakeDisk(new Prng(1));
  const state = logOf(0);
  disk.mkdir(partitionFolder('/data', 'topic', 0));
  const fd = disk.open(segmentPath('/data', 'topic', 0, 0), 'write');
  const batch = buildBatch({ records: Array.from({ length: 10 }, () => ({ value: 'x' })), baseTimestamp: 1 });
  stampBatch(batch, 0, 0, 0);
  disk.write(fd, [batch], 0);
  disk.close(fd);
  Object.assign(state, { logStartOffset: 4, endOffset: 10 });
  state.segments.push({ baseOffset: 0, endOffset: 10, endPosition: batch.length, maxTimestamp: 1, capacity: 0 });
  const plan = planTruncation(disk, '/data', state, 6);
  expect(plan.state).toMatchObject({ logStartOffset: 4, endOffset: 4, segments: [] });
  expect(plan.removed.map(({ baseOffset }) => baseOffset)).toEqual([0]);
});
