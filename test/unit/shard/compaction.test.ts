/** When a log is compacted, and what becomes of the outcome. */
import { describe, expect, it, test } from 'vitest';
import { cleanLog } from '../../../src/jobs/clean-log.ts';
import { generationNumber } from '../../../src/log/generation.ts';
import { EntryType } from '../../../src/log/journal-layout.ts';
import { readJournal, type FoundGroup } from '../../../src/log/journal-reader.ts';
import { segmentPath } from '../../../src/log/layout.ts';
import type { CleaningOutcome, CleaningPlan } from '../../../src/log/messages.ts';
import { emptyPartition, partitionKey, type CompactionConfig, type PartitionConfig } from '../../../src/log/partition-state.ts';
import { recover, type Recovered } from '../../../src/log/recovery.ts';
import { ErrorCode } from '../../../src/protocol/errors.ts';
import { buildBatch } from '../../../src/protocol/record.ts';
import { DATA, ShardBench } from '../../support/shard-bench.ts';

const BACKOFF_MS = 15_000;
const GENERATION = '00000000000000aa';

function begin(compaction: Partial<CompactionConfig> = {}, config: Partial<PartitionConfig> = {}): ShardBench {
  const bench = new ShardBench('sync', { cleanerBackoffMs: BACKOFF_MS });
  bench.open(1, configWith(compaction, config));
  return bench;
}

const configWith = (compaction: Partial<CompactionConfig>, config: Partial<PartitionConfig> = {}): Partial<PartitionConfig> => ({
  compaction: { lagMsMin: 0, lagMsMax: Infinity, dirtyRatioMin: 0.5, deleteRetentionMs: 1000, ...compaction },
  ...config,
});

/** Appends records of a few keys, about four to a segment. */
function append(bench: ShardBench, count: number, timestamp = bench.nowMs): void {
  for (let i = 0; i < count; i++) {
    bench.sendBatch(1, buildBatch({ records: [{ key: `k${i % 3}`, value: Buffer.alloc(900) }], baseTimestamp: timestamp }));
    bench.work();
  }
}

/** Lets a checkpoint secure all, and the time come at which logs are looked through. */
function plans(bench: ShardBench): CleaningPlan[] {
  bench.checkpoint();
  bench.pass(BACKOFF_MS + 100);
  return bench.take('clean').map(({ plan }) => plan);
}

function run(bench: ShardBench, plan: CleaningPlan): CleaningOutcome {
  return cleanLog(bench.disk, DATA, plan, { keyBytesMax: 1 << 16, onBytes: () => undefined });
}

function finish(bench: ShardBench, plan: CleaningPlan, outcome: CleaningOutcome | null): void {
  bench.tell({ kind: 'cleaned', handle: 1, plan, outcome });
  bench.work();
}

const bases = (bench: ShardBench): number[] => bench.shard.partitions[1]?.state.segments.map(({ baseOffset }) => baseOffset) ?? [];

describe('a log is due', () => {
  it('once enough of it is new and in segments that nobody appends to', () => {
    const bench = begin();
    append(bench, 4);
    expect(plans(bench)).toEqual([]);
    append(bench, 1);
    const [plan] = plans(bench);
    expect(plan?.segments.map(({ baseOffset, endOffset }) => [baseOffset, endOffset])).toEqual([[0, 4]]);
    finish(bench, plan as CleaningPlan, run(bench, plan as CleaningPlan));
    expect(plans(bench)).toEqual([]);
    // What the pass has left is two records of four, and then as much again is new.
    append(bench, 4);
    expect(plans(bench)).toMatchObject([{ dirtyFrom: 4 }]);
  });

  it('never without the policy, and not before its bytes are in their segments on disk', () => {
    const bench = new ShardBench('sync', { cleanerBackoffMs: BACKOFF_MS, checkpointIntervalMs: 1e9 });
    bench.open(1, configWith({}));
    bench.open(2);
    append(bench, 9);
    for (let i = 0; i < 9; i++) bench.append(2);
    bench.pass(2 * BACKOFF_MS);
    expect(bench.take('clean')).toEqual([]);
    bench.shard.partitions[1]!.syncedEnd = 4;
    bench.pass(BACKOFF_MS);
    expect(bench.take('clean')).toMatchObject([{ handle: 1, plan: { segments: [{ baseOffset: 0 }] } }]);
  });

  it('not with records that are younger than min.compaction.lag.ms', () => {
    const bench = begin({ lagMsMin: 3_600_000 });
    append(bench, 4, bench.nowMs - 4_000_000);
    append(bench, 5);
    expect(plans(bench)).toMatchObject([{ segments: [{ baseOffset: 0 }] }]);
  });

  it('after max.compaction.lag.ms, however little is new', () => {
    const bench = begin({ dirtyRatioMin: 1, lagMsMax: 600_000 });
    append(bench, 5);
    const [first] = plans(bench);
    finish(bench, first as CleaningPlan, run(bench, first as CleaningPlan));
    append(bench, 5);
    expect(plans(bench)).toEqual([]);
    bench.pass(600_000);
    expect(plans(bench).length + bench.take('clean').length).toBeGreaterThan(0);
  });

  it('one at a time, the neediest first', () => {
    const bench = begin();
    bench.open(2, configWith({ dirtyRatioMin: 0.1 }));
    append(bench, 9);
    const [first] = plans(bench);
    finish(bench, first as CleaningPlan, run(bench, first as CleaningPlan));
    append(bench, 8);
    for (let i = 0; i < 9; i++) bench.sendBatch(2, buildBatch({ records: [{ key: 'k', value: Buffer.alloc(900) }] }));
    bench.work();
    expect(plans(bench)).toMatchObject([{ topicId: 'topic-2' }]);
    expect(plans(bench)).toEqual([]);
  });
});

describe('the outcome', () => {
  it('takes the place of what was read, with the files released after the next checkpoint', () => {
    const bench = begin();
    append(bench, 13);
    const [plan] = plans(bench) as [CleaningPlan];
    const outcome = run(bench, plan);
    append(bench, 4);
    bench.take('released');
    finish(bench, plan, outcome);
    expect(bench.take('released')).toEqual([]);
    bench.checkpoint();
    expect(bench.take('released')).toMatchObject([{ segments: [{ baseOffset: 0 }, { baseOffset: 4 }, { baseOffset: 8 }] }]);
    expect(bench.take('replaced')).toMatchObject([
      {
        error: null,
        discarded: [],
        segments: [0, 4, 8].map((baseOffset) => ({ baseOffset, endOffset: baseOffset + 4, revision: plan.revision })),
        replaced: [{}, {}, {}],
      },
    ]);
    // The next pass puts together what fits into one segment.
    append(bench, 8);
    const [next] = plans(bench) as [CleaningPlan];
    finish(bench, next, run(bench, next));
    expect(bases(bench)).toEqual([0, 12, 16, 20, 24]);
  });

  it('is discarded when records of the log were deleted meanwhile', () => {
    const bench = begin();
    append(bench, 9);
    const [plan] = plans(bench) as [CleaningPlan];
    const outcome = run(bench, plan);
    bench.tell({ kind: 'setLogStart', handle: 1, offset: 5 });
    bench.work();
    finish(bench, plan, outcome);
    expect(bench.take('replaced')).toMatchObject([{ segments: [], replaced: [], discarded: [{ baseOffset: 0 }, { baseOffset: 4 }] }]);
    expect(bases(bench)).toEqual([4, 8]);
  });

  it('is discarded when the partition went to another shard, or was deleted', () => {
    const bench = begin();
    append(bench, 9);
    const [plan] = plans(bench) as [CleaningPlan];
    const outcome = run(bench, plan);
    bench.tell({ kind: 'moveOut', handle: 1, moveNumber: 1 });
    bench.work();
    finish(bench, plan, outcome);
    expect(bench.take('replaced')).toMatchObject([{ segments: [], discarded: [{ baseOffset: 0 }, { baseOffset: 4 }] }]);
  });

  it('that is none makes the log wait, and others have their turn', () => {
    const bench = begin();
    append(bench, 9);
    const [plan] = plans(bench) as [CleaningPlan];
    finish(bench, plan, null);
    bench.pass(BACKOFF_MS * 2);
    expect(bench.take('clean')).toEqual([]);
    bench.pass(60_000);
    expect(bench.take('clean')).toHaveLength(1);
  });

  it('says that it is not known when its journal group failed', () => {
    const bench = begin();
    append(bench, 9);
    const [plan] = plans(bench) as [CleaningPlan];
    const outcome = run(bench, plan);
    bench.disk.failSync = (path) => path.endsWith('.jrn');
    finish(bench, plan, outcome);
    expect(bench.take('replaced')).toMatchObject([{ error: expect.stringContaining('fdatasync') as string }]);
  });
});

test('retention waits while a pass is under way, and goes on when it has ended', () => {
  const bench = begin({}, { retentionBytes: 0 });
  bench.configure(1, configWith({}));
  append(bench, 9);
  const [plan] = plans(bench) as [CleaningPlan];
  const outcome = run(bench, plan);
  bench.configure(1, configWith({}, { retentionBytes: 0 }));
  bench.pass(3000);
  expect(bases(bench)).toEqual([0, 4, 8]);
  finish(bench, plan, outcome);
  bench.pass(3000);
  expect(bases(bench)).toEqual([8]);
});

test('no name of a new file was there before', () => {
  const bench = begin();
  append(bench, 9);
  const [first] = plans(bench) as [CleaningPlan];
  finish(bench, first, run(bench, first));
  append(bench, 8);
  const [second] = plans(bench) as [CleaningPlan];
  expect(second.revision).toBeGreaterThan(first.revision);
  expect(bench.disk.exists(segmentPath(DATA, 'topic-1', 0, 0, second.revision))).toBe(false);
});

describe('a damaged journal group before that of a replacement', () => {
  const groupsOf = ({ disk }: ShardBench): readonly FoundGroup[] =>
    readJournal(disk, `${DATA}/generations/${GENERATION}/sync-0`, generationNumber(GENERATION), 0).groups;

  /** The process ends, the header or the entries of a group rot, and what is found at the next start. */
  function recoverWithout(bench: ShardBench, sequence: number): Recovered {
    const groups = groupsOf(bench);
    expect(groups.at(-1)?.entries).toMatchObject([{ body: { type: EntryType.replace } }]);
    const { path, payloadAt } = groups.find((group) => group.sequence === sequence) as FoundGroup;
    bench.disk.corrupt(path, payloadAt - 1);
    bench.disk.killProcess();
    return recover(bench.disk, DATA, () => 'known');
  }

  it('may have had the end of the log: what it acknowledged is refused, not given out again', () => {
    const bench = begin();
    append(bench, 9);
    const [plan] = plans(bench) as [CleaningPlan];
    const outcome = run(bench, plan);
    append(bench, 1);
    const { sequence } = bench.shard.journalWriter;
    finish(bench, plan, outcome);
    expect(bench.offsets.at(-1)).toBe(9);
    const { partitions, notes } = recoverWithout(bench, sequence);
    expect(partitions.get(partitionKey('topic-1', 0))).toMatchObject({ endOffset: 10, damaged: [{ from: 9, to: 10 }] });
    expect(notes.map(({ kind }) => kind)).toContain('corruption');
  });

  it('may have had the segment that was appended to as well', () => {
    const bench = begin();
    append(bench, 4);
    bench.checkpoint();
    append(bench, 1);
    const { sequence } = bench.shard.journalWriter;
    bench.pass(BACKOFF_MS);
    const [plan] = bench.take('clean').map((message) => message.plan) as [CleaningPlan];
    finish(bench, plan, run(bench, plan));
    expect(bases(bench)).toEqual([0, 4]);
    const state = recoverWithout(bench, sequence).partitions.get(partitionKey('topic-1', 0));
    expect(state).toMatchObject({ endOffset: 5, damaged: [{ from: 4, to: 5 }] });
    expect(state?.segments).toMatchObject([{ baseOffset: 0, revision: plan.revision }, { baseOffset: 4 }]);
  });
});

test('nothing is appended to a file that compaction wrote, also where it is the last one of a log', () => {
  const bench = begin();
  const segment = { baseOffset: 0, endOffset: 4, endPosition: 1000, maxTimestamp: 5, capacity: 0, revision: 7 };
  bench.open(2, configWith({}), { ...emptyPartition('topic-2', 0), endOffset: 4, segments: [segment], cleanedEnd: 4 });
  bench.sendBatch(2, buildBatch({ records: [{ key: 'k', value: 'v' }] }));
  bench.work();
  expect(bench.offsets).toEqual([4]);
  expect(bench.shard.partitions[2]?.state.segments).toMatchObject([segment, { baseOffset: 4, endOffset: 5 }]);
});

test('a record without key is refused, and named', () => {
  const bench = begin();
  bench.sendBatch(1, buildBatch({ records: [{ key: 'k', value: 'v' }, { value: 'v' }] }));
  bench.work();
  expect([bench.codes, bench.badRecords]).toEqual([[ErrorCode.INVALID_RECORD], [1]]);
});

test('a segment of a compacted topic ends after max.compaction.lag.ms, so that it can be compacted', () => {
  const bench = begin({ lagMsMax: 1000 });
  append(bench, 1);
  append(bench, 1, bench.nowMs + 1001);
  expect(bases(bench)).toEqual([0, 1]);
});
