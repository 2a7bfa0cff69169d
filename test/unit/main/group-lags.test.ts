import { afterEach, describe, expect, it } from 'vitest';
import { GroupBudget } from '../../../src/coordinator/group-budget.ts';
import { GroupOffsets } from '../../../src/coordinator/group-offsets.ts';
import type { WatchedGroup } from '../../../src/coordinator/group-partition.machine.ts';
import type { SeriesMessage } from '../../../src/http/messages.ts';
import { GroupLags } from '../../../src/main/group-lags.ts';
import { RecordAges } from '../../../src/main/record-ages.ts';
import { buildBatch } from '../../../src/protocol/record.ts';
import { settle, ReadBench } from '../../support/read-bench.ts';

const DATE_0 = 1_700_000_000_000;

interface Group extends WatchedGroup {
  state: WatchedGroup['state'];
  readonly members: { size: number };
  readonly offsets: GroupOffsets;
}

function group(groupId: string, state: WatchedGroup['state'] = 'Stable', size = 1): Group {
  return { groupId, state, members: { size }, offsets: new GroupOffsets(new GroupBudget(1 << 30)) };
}

function commit({ offsets }: Group, topic: string, partition: number, offset: number): void {
  offsets.set(topic, partition, {
    offset: BigInt(offset),
    leaderEpoch: -1,
    metadata: '',
    commitTimestampMs: DATE_0,
    expireTimestampMs: -1,
  });
}

/** A log on a real disk, with groups beside it, and what readers of the metrics would see. */
class Bench {
  readonly reads = new ReadBench({ indexIntervalBytes: 300 });
  readonly groups: Group[] = [];
  readonly shown = new Map<SeriesMessage['table'], SeriesMessage>();
  readonly ages = new RecordAges(this.reads.side.locator, this.reads.side.reader);
  readonly lags: GroupLags;
  date = DATE_0;
  /** Tables laid out anew. */
  told: string[] = [];

  constructor(rowsMax = 1000) {
    this.lags = new GroupLags({
      groups: () => this.groups,
      router: this.reads.router,
      ages: this.ages,
      rowsMax,
      date: () => this.date,
      tell: (message) => {
        this.told.push(message.table);
        this.shown.set(message.table, message);
      },
    });
  }

  /** A round, and all that is looked up because of it. */
  async round(): Promise<void> {
    this.lags.begin();
    await expect.poll(() => this.ages.pending).toBe(0);
  }

  /** Lag in records and seconds by group, topic and partition. */
  get seen(): Record<string, number[]> {
    const { rows, memory } = this.shown.get('groups')!;
    const values = new Float64Array(memory);
    return Object.fromEntries(rows.map((labels, n) => [labels.join(' '), [...values.subarray(2 * n, 2 * n + 2)]]));
  }

  get members(): Record<string, number> {
    const { rows, memory } = this.shown.get('members')!;
    const values = new Float64Array(memory);
    return Object.fromEntries(rows.map((labels, n) => [labels.join(' '), values[n]!]));
  }
}

let bench: Bench;
afterEach(() => bench.reads.close());

const none = { baseTimestamp: -1n, maxTimestamp: -1n };
const at = (seconds: number): { baseTimestamp: bigint; maxTimestamp: bigint } => ({
  baseTimestamp: BigInt(DATE_0 + seconds * 1000),
  maxTimestamp: BigInt(DATE_0 + seconds * 1000),
});

describe('lag of a group', () => {
  it('is the records and the age of the first one that is not committed, also in a segment of long ago and after a restart', async () => {
    bench = new Bench();
    const [log] = bench.reads.addTopic('t');
    for (let n = 0; n < 100; n++) {
      log!.append(2, 100, at(n));
      if (n % 20 === 19) log!.roll();
    }
    const late = group('late');
    bench.groups.push(late);
    bench.date = DATE_0 + 1_000_000;
    for (const offset of [0, 1, 7, 39, 40, 111, 198, 199]) {
      commit(late, 't', 0, offset);
      await bench.round();
      await bench.round();
      expect(bench.seen, `committed ${offset}`).toEqual({ 'late t 0': [200 - offset, 1000 - Math.floor(offset / 2)] });
    }
    log!.restart();
    commit(late, 't', 0, 33);
    await bench.round();
    await bench.round();
    expect(bench.seen).toEqual({ 'late t 0': [167, 984] });
    bench.date += 5000;
    await bench.round();
    expect(bench.seen).toEqual({ 'late t 0': [167, 989] });
  });

  it('is nothing for who has read all, or committed more; of what is deleted nothing counts but the number', async () => {
    bench = new Bench();
    const [log] = bench.reads.addTopic('t');
    for (let n = 0; n < 10; n++) log!.append(1, 100, at(n));
    for (const [name, offset] of Object.entries({ done: 10, ahead: 99, none: -1, old: 2 })) {
      const one = group(name);
      commit(one, 't', 0, offset);
      bench.groups.push(one);
    }
    log!.view.onLogStartSet(5, []);
    bench.date = DATE_0 + 20_000;
    await bench.round();
    await bench.round();
    expect(bench.seen).toEqual({ 'done t 0': [0, 0], 'ahead t 0': [0, 0], 'old t 0': [8, 15] });
  });

  it('is of partitions that there are: others have no series, and a new topic of the same name has its own', async () => {
    bench = new Bench();
    const [first] = bench.reads.addTopic('t');
    first!.append(10, 10, at(0));
    const one = group('g');
    commit(one, 't', 0, 3);
    commit(one, 't', 7, 0);
    commit(one, 'nowhere', 0, 0);
    bench.groups.push(one);
    bench.date = DATE_0 + 100_000;
    await bench.round();
    await bench.round();
    expect(bench.seen).toEqual({ 'g t 0': [7, 100] });
    bench.reads.router.removeTopic(bench.reads.router.topicByName('t')!);
    await bench.round();
    expect(bench.seen).toEqual({});
    const [second] = bench.reads.addTopic('t');
    second!.append(4, 10, at(90));
    await bench.round();
    await bench.round();
    expect(bench.seen).toEqual({ 'g t 0': [1, 10] });
  });

  it('in seconds is none where records have no time, and never negative where their time is to come', async () => {
    bench = new Bench();
    const [timeless, early] = [bench.reads.addTopic('timeless')[0]!, bench.reads.addTopic('early')[0]!];
    timeless.append(1, 10, none);
    early.append(1, 10, at(500));
    const one = group('g');
    commit(one, 'timeless', 0, 0);
    commit(one, 'early', 0, 0);
    bench.groups.push(one);
    await bench.round();
    await bench.round();
    expect(bench.seen).toEqual({ 'g timeless 0': [1, NaN], 'g early 0': [1, 0] });
  });

  it('in seconds is of the next record that compaction has left', async () => {
    bench = new Bench();
    const [log] = bench.reads.addTopic('t');
    log!.append(1, 10, at(0));
    for (let n = 0; n < 3; n++)
      log!.appendBatch(buildBatch({ records: [], baseOffset: 1 + 10 * n, lastOffsetDelta: 9, partitionLeaderEpoch: 3, ...none }));
    log!.append(1, 10, at(40));
    const one = group('g');
    commit(one, 't', 0, 5);
    bench.groups.push(one);
    bench.date = DATE_0 + 100_000;
    await bench.round();
    await bench.round();
    expect(bench.seen).toEqual({ 'g t 0': [27, 60] });
  });

  it('is looked up once for each commit, and not at all while nothing moves', async () => {
    bench = new Bench();
    const [log] = bench.reads.addTopic('t');
    for (let n = 0; n < 50; n++) log!.append(1, 100, at(n));
    const looks: number[] = [];
    const { reader } = bench.reads.side;
    const read = reader.read.bind(reader);
    reader.read = (...args) => {
      // Headers of batches; the scan that finds them reads more.
      if (args[4] === 61) looks.push(args[5]);
      read(...args);
    };
    const one = group('g');
    commit(one, 't', 0, 10);
    bench.groups.push(one);
    for (let n = 0; n < 5; n++) await bench.round();
    expect(looks).toHaveLength(1);
    log!.append(1, 100, at(60));
    await bench.round();
    expect(looks).toHaveLength(1);
    commit(one, 't', 0, 11);
    await bench.round();
    await bench.round();
    expect(looks).toHaveLength(2);
  });
});

describe('groups', () => {
  it('are counted by state, with their members and offsets, and go when they are gone', async () => {
    bench = new Bench();
    bench.reads.addTopic('t');
    const states = ['Empty', 'Stable', 'Stable', 'PreparingRebalance', 'CompletingRebalance'] as const;
    states.forEach((state, n) => bench.groups.push(group(`g${n}`, state, n)));
    commit(bench.groups[0]!, 't', 0, 0);
    commit(bench.groups[0]!, 'gone', 0, 0);
    await bench.round();
    expect(bench.lags.counts).toEqual({ Empty: 1, Stable: 2, PreparingRebalance: 1, CompletingRebalance: 1, offsets: 2 });
    expect(bench.members).toEqual({ g0: 0, g1: 1, g2: 2, g3: 3, g4: 4 });
    bench.groups[4]!.members.size = 40;
    bench.told = [];
    await bench.round();
    expect(bench.told).toEqual([]);
    expect(bench.members).toMatchObject({ g4: 40 });
    bench.groups.splice(1, 3);
    await bench.round();
    expect(bench.members).toEqual({ g0: 0, g4: 40 });
    expect(bench.lags.counts).toMatchObject({ Empty: 1, Stable: 0 });
  });

  it('have no more series than the limit, and the page says how many are left out', async () => {
    bench = new Bench(3);
    for (const log of bench.reads.addTopic('t', 4)) log.append(1, 10, at(0));
    for (let n = 0; n < 5; n++) {
      const one = group(`g${n}`);
      for (let partition = 0; partition < 4; partition++) commit(one, 't', partition, 0);
      bench.groups.push(one);
    }
    await bench.round();
    expect(Object.keys(bench.seen)).toEqual(['g0 t 0', 'g0 t 1', 'g0 t 2']);
    expect(bench.shown.get('groups')?.leftOut).toBe(17);
    expect(Object.keys(bench.members)).toEqual(['g0', 'g1', 'g2']);
    expect(bench.shown.get('members')?.leftOut).toBe(2);
    expect(bench.lags.counts).toMatchObject({ Stable: 5, offsets: 20 });
  });

  it('with an id longer than names of topics may be have no series, and count as left out', async () => {
    bench = new Bench(3);
    bench.reads.addTopic('t', 1)[0]!.append(1, 10, at(0));
    for (const id of ['a'.repeat(249), 'b'.repeat(250), 'c'.repeat(10_000)]) {
      const one = group(id);
      commit(one, 't', 0, 0);
      bench.groups.push(one);
    }
    await bench.round();
    expect(Object.keys(bench.seen)).toEqual([`${'a'.repeat(249)} t 0`]);
    expect(Object.keys(bench.members)).toEqual(['a'.repeat(249)]);
    expect([bench.shown.get('groups')?.leftOut, bench.shown.get('members')?.leftOut]).toEqual([2, 2]);
    expect(bench.lags.counts).toMatchObject({ Stable: 3, offsets: 3 });
  });

  it('are gone through a few hundred a turn, however many there are, and one that comes back meanwhile is shown once', async () => {
    bench = new Bench(100_000);
    for (const log of bench.reads.addTopic('t', 10)) log.append(1, 10, at(0));
    for (let n = 0; n < 500; n++) {
      const one = group(`g${n}`);
      for (let partition = 0; partition < 10; partition++) commit(one, 't', partition, 1);
      bench.groups.push(one);
    }
    let looked = 0;
    for (const { offsets } of bench.groups) {
      const ofTopic = offsets.ofTopic.bind(offsets);
      offsets.ofTopic = function* (topic) {
        for (const entry of ofTopic(topic)) {
          looked++;
          yield entry;
        }
      };
    }
    bench.groups.push(bench.groups[0]!);
    bench.lags.begin();
    let turns = 0;
    for (; !bench.shown.has('groups'); turns++) {
      const before = looked;
      await settle(1);
      expect(looked - before).toBeLessThanOrEqual(600);
    }
    expect(turns).toBeGreaterThan(8);
    expect(bench.shown.get('groups')?.rows).toHaveLength(5000);
    expect(bench.shown.get('members')?.rows).toHaveLength(500);
  });
});
