import { describe, expect, it } from 'vitest';
import type { CommitAnswer, JoinAnswer, SyncAnswer } from '../../../src/coordinator/group-requests.ts';
import { groupPartition } from '../../../src/coordinator/group-hash.ts';
import { TimerWheel } from '../../../src/lib/timer-wheel.ts';
import { GroupCoordinator } from '../../../src/main/group-coordinator.ts';
import { ErrorCode } from '../../../src/protocol/errors.ts';
import { JOIN, Pending, SETTINGS } from '../../support/coordinator-harness.ts';
import { FakeGroupLog, turns } from '../../support/fake-group-log.ts';

const WEEK_MS = 7 * 24 * 3_600_000;

class Bench {
  readonly log: FakeGroupLog;
  readonly timers = new TimerWheel(0, 10);
  readonly problems: string[] = [];
  readonly coordinator: GroupCoordinator;
  nowMs = 0;
  dateAheadMs = 1_700_000_000_000;

  constructor(log = new FakeGroupLog()) {
    this.log = log;
    this.coordinator = new GroupCoordinator({
      log,
      settings: { ...SETTINGS, initialRebalanceDelayMs: 0 },
      memoryBytes: 1 << 28,
      retentionCheckMs: 600_000,
      timers: this.timers,
      nowMs: () => this.nowMs,
      date: () => this.dateAheadMs + this.nowMs,
      onProblem: (text) => void this.problems.push(text),
    });
  }

  static async started(log = new FakeGroupLog()): Promise<Bench> {
    const bench = new Bench(log);
    bench.coordinator.start();
    await turns();
    return bench;
  }

  async advance(ms: number): Promise<void> {
    this.nowMs += ms;
    this.timers.advance(this.nowMs);
    await turns();
  }

  commit(groupId: string, offset: number, topic = 't'): Pending<CommitAnswer> {
    const ticket = new Pending<CommitAnswer>();
    const partitions = [{ topic, partition: 0, offset: BigInt(offset), leaderEpoch: -1, metadata: '', commitTimestampMs: -1 }];
    const identity = { groupId, memberId: '', groupInstanceId: null, generationId: -1 };
    this.coordinator.commit({ ...identity, knowsGroupIdNotFound: true, retentionMs: -1, partitions }, ticket);
    return ticket;
  }

  offset(groupId: string, topic = 't'): number | undefined {
    const offsets = this.coordinator.offsetsOf(groupId);
    if (typeof offsets === 'number') throw new Error(`error ${offsets}`);
    const committed = offsets?.get(topic, 0);
    return committed === undefined ? undefined : Number(committed.offset);
  }
}

describe('the coordinator of groups', () => {
  it('is not there before somebody asks for it: the topic is made then', async () => {
    const log = new FakeGroupLog();
    log.exists = false;
    const bench = await Bench.started(log);
    expect(bench.commit('g', 1).value.errorCodes).toEqual([ErrorCode.NOT_COORDINATOR]);
    expect(bench.coordinator.list()).toEqual([]);
    log.ensured = ErrorCode.COORDINATOR_NOT_AVAILABLE;
    expect(await bench.coordinator.ensure()).toBe(ErrorCode.COORDINATOR_NOT_AVAILABLE);
    log.ensured = 0;
    expect(await bench.coordinator.ensure()).toBe(0);
    await turns();
    const commit = bench.commit('g', 1);
    await turns();
    expect(commit.value.errorCodes).toEqual([0]);
  });

  it('says that it is loading while it is, partition by partition; a member that beats meanwhile is told that all is well', async () => {
    const log = new FakeGroupLog();
    log.holdLoads = true;
    const bench = await Bench.started(log);
    const member = { groupId: 'g', memberId: 'm', groupInstanceId: null, generationId: 1 };
    const join = new Pending<JoinAnswer>();
    bench.coordinator.join(JOIN, join);
    expect(join.value.errorCode).toBe(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS);
    expect(bench.commit('g', 1).value.errorCodes).toEqual([ErrorCode.COORDINATOR_LOAD_IN_PROGRESS]);
    expect(bench.coordinator.heartbeat(member)).toBe(0);
    expect([bench.coordinator.list(), bench.coordinator.describe('g'), bench.coordinator.offsetsOf('g')]).toEqual([14, 14, 14]);
    log.loads.find(({ partition }) => partition === groupPartition('g', 4))!.finish();
    expect(bench.coordinator.heartbeat(member)).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
    expect(bench.coordinator.list()).toBe(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS);
    for (const { partition, finish } of log.loads) if (partition !== groupPartition('g', 4)) finish();
    expect(bench.coordinator.list()).toEqual([]);
  });

  it('finds groups and offsets again in the log, each group in the partition that Kafka would use', async () => {
    const bench = await Bench.started();
    const commits = ['a', 'b', 'c', 'd'].map((groupId, index) => bench.commit(groupId, index));
    await turns();
    expect(commits.map((commit) => commit.value.errorCodes)).toEqual([[0], [0], [0], [0]]);
    for (const groupId of ['a', 'b', 'c', 'd']) expect(bench.log.stored[groupPartition(groupId, 4)]!.length).toBeGreaterThan(0);
    const again = await Bench.started(bench.log);
    expect(['a', 'b', 'c', 'd'].map((groupId) => again.offset(groupId))).toEqual([0, 1, 2, 3]);
  });

  it('appends what comes in one turn of main as one batch a partition, and answers once that is secured', async () => {
    const log = new FakeGroupLog();
    log.partitionCount = 1;
    const bench = await Bench.started(log);
    log.holdAppends = true;
    const commits = Array.from({ length: 100 }, (_, n) => bench.commit(`g${n}`, n));
    await turns();
    expect(log.batches).toEqual([100]);
    expect(commits.some((commit) => commit.isAnswered)).toBe(false);
    const later = bench.commit('g0', 1000);
    await turns();
    expect(log.batches).toEqual([100]);
    log.secure();
    expect(commits.every((commit) => commit.value.errorCodes[0] === 0)).toBe(true);
    expect([later.isAnswered, bench.offset('g0'), log.batches]).toEqual([false, 0, [100, 1]]);
    log.secure();
    expect([later.value.errorCodes, bench.offset('g0')]).toEqual([[0], 1000]);
  });

  it('answers what the log could not take with an error that makes clients try again', async () => {
    const bench = await Bench.started();
    bench.log.holdAppends = true;
    const commit = bench.commit('g', 1);
    await turns();
    bench.log.secure(ErrorCode.KAFKA_STORAGE_ERROR);
    expect(commit.value.errorCodes).toEqual([ErrorCode.NOT_COORDINATOR]);
    expect(bench.offset('g')).toBeUndefined();
  });

  it('takes no commits while the log is far behind, and takes them again afterwards', async () => {
    const bench = await Bench.started();
    bench.log.holdAppends = true;
    const partitions = Array.from({ length: 60_000 }, (_, partition) => ({
      ...{ topic: 't', partition, offset: 1n, leaderEpoch: -1, metadata: '', commitTimestampMs: -1 },
    }));
    const identity = { groupId: 'g', memberId: '', groupInstanceId: null, generationId: -1, knowsGroupIdNotFound: true, retentionMs: -1 };
    for (let n = 0; n < 2; n++) bench.coordinator.commit({ ...identity, partitions }, new Pending<CommitAnswer>());
    await turns();
    expect(bench.commit('other', 1).value.errorCodes).toEqual([ErrorCode.COORDINATOR_NOT_AVAILABLE]);
    while (bench.log.appends.length > 0) bench.log.secure();
    const commit = bench.commit('other', 1);
    await turns();
    bench.log.secure();
    expect(commit.value.errorCodes).toEqual([0]);
  });

  it('gets members through a rebalance with its timers', async () => {
    const bench = await Bench.started();
    const join = new Pending<JoinAnswer>();
    bench.coordinator.join({ ...JOIN, needsKnownMemberId: false, uniqueId: 'u' }, join);
    await bench.advance(20);
    const { memberId, generationId } = join.value;
    const sync = new Pending<SyncAnswer>();
    const member = { groupId: 'group', memberId, groupInstanceId: null, generationId };
    const assignments = [{ memberId, assignment: Buffer.from('all') }];
    bench.coordinator.sync({ ...member, protocolType: null, protocolName: null, assignments }, sync);
    expect(sync.isAnswered).toBe(false);
    await turns();
    expect(Buffer.from(sync.value.assignment).toString()).toBe('all');
    expect(bench.coordinator.heartbeat(member)).toBe(0);
    await bench.advance(10_020);
    expect(bench.coordinator.heartbeat(member)).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
    await turns();
    const again = await Bench.started(bench.log);
    expect(again.coordinator.describe('group')).toMatchObject({ state: 'Empty', generation: generationId + 1 });
  });

  it('a partition that cannot be loaded is tried again; what was read of it before does not count twice', async () => {
    const first = await Bench.started();
    first.commit('g', 7);
    await turns();
    first.log.holdLoads = true;
    const bench = await Bench.started(first.log);
    const own = bench.log.loads.findIndex(({ partition }) => partition === groupPartition('g', 4));
    for (const [index, { finish }] of bench.log.loads.splice(0).entries()) finish(index === own ? ErrorCode.KAFKA_STORAGE_ERROR : 0);
    expect(bench.commit('g', 8).value.errorCodes).toEqual([ErrorCode.COORDINATOR_NOT_AVAILABLE]);
    expect(bench.problems).toHaveLength(1);
    await bench.advance(5100);
    bench.log.loads.shift()!.finish();
    expect(bench.offset('g')).toBe(7);
  });

  it('passes over records of other kinds, and serves nobody from a log whose values it cannot read', async () => {
    const log = new FakeGroupLog();
    const own = groupPartition('g', 4);
    log.stored[own] = [
      { key: null, value: null },
      { key: Buffer.from('0001'), value: Buffer.from('x') },
      { key: Buffer.from([0, 3, 0, 0]), value: null },
    ];
    const first = await Bench.started(log);
    first.commit('g', 1);
    await turns();
    expect([first.offset('g'), first.problems]).toEqual([1, []]);
    log.stored[own].push({ key: log.stored[own].at(-1)!.key, value: Buffer.from([0, 99]) });
    const bench = await Bench.started(log);
    expect(bench.commit('g', 2).value.errorCodes).toEqual([ErrorCode.COORDINATOR_NOT_AVAILABLE]);
    expect(bench.problems).toHaveLength(2);
    // What was there may be mended, by a newer version of the broker for example.
    log.stored[own].pop();
    await bench.advance(5100);
    expect(bench.offset('g')).toBe(1);
  });

  it('looks for what has expired every offsets.retention.check.interval.ms', async () => {
    const bench = await Bench.started();
    for (let n = 0; n < 500; n++) bench.commit(`g${n}`, n);
    await turns();
    await bench.advance(WEEK_MS - 1);
    expect(bench.coordinator.list()).toHaveLength(500);
    await bench.advance(600_020);
    await turns();
    expect(bench.coordinator.list()).toHaveLength(0);
    await bench.advance(600_020);
    const again = await Bench.started(bench.log);
    expect(again.coordinator.list()).toEqual([]);
  });

  it('deletes nothing by a clock that was set and is put right again; one that stays is believed a check later', async () => {
    const bench = await Bench.started();
    bench.commit('g', 1);
    await turns();
    await bench.advance(300_000);
    bench.dateAheadMs += WEEK_MS;
    await bench.advance(300_020);
    bench.dateAheadMs -= WEEK_MS;
    await bench.advance(600_020);
    await bench.advance(600_020);
    expect(bench.offset('g')).toBe(1);
    bench.dateAheadMs += WEEK_MS;
    await bench.advance(600_020);
    expect(bench.offset('g')).toBe(1);
    await bench.advance(600_020);
    expect(bench.offset('g')).toBeUndefined();
  });

  it('a topic that is deleted takes its offsets along, also one that is deleted while groups are being loaded', async () => {
    const bench = await Bench.started();
    bench.commit('a', 1, 'gone');
    bench.commit('b', 1, 'gone');
    bench.commit('b', 1, 'stays');
    await turns();
    const isGone = bench.coordinator.onTopicDeleted('gone');
    bench.commit('a', 2, 'stays');
    await turns();
    expect([bench.offset('a', 'gone'), bench.offset('b', 'gone'), bench.offset('b', 'stays')]).toEqual([undefined, undefined, 1]);
    expect(await isGone).toBe(true);
    bench.log.holdLoads = true;
    const again = await Bench.started(bench.log);
    let isKnown = false;
    const isGoneToo = again.coordinator.onTopicDeleted('stays').finally(() => (isKnown = true));
    await turns();
    expect(isKnown).toBe(false);
    for (const { finish } of again.log.loads) finish();
    await turns();
    expect(await isGoneToo).toBe(true);
    expect([again.offset('a', 'stays'), again.offset('b', 'stays')]).toEqual([undefined, undefined]);
  });

  it('a topic whose offsets could not be deleted is not forgotten', async () => {
    const bench = await Bench.started();
    bench.commit('a', 1, 'gone');
    await turns();
    bench.log.holdAppends = true;
    const isGone = bench.coordinator.onTopicDeleted('gone');
    await turns();
    bench.log.secure(ErrorCode.NOT_COORDINATOR);
    expect(await isGone).toBe(false);
    expect(bench.offset('a', 'gone')).toBe(1);
  });

  it('does nothing any more once it is stopped', async () => {
    const bench = await Bench.started();
    const commit = bench.commit('g', 1);
    bench.coordinator.stop();
    await turns();
    expect([commit.isAnswered, bench.log.batches]).toEqual([false, []]);
    expect(bench.commit('g', 1).value.errorCodes).toEqual([ErrorCode.COORDINATOR_NOT_AVAILABLE]);
    await bench.advance(WEEK_MS);
  });
});
