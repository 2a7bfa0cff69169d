/** The APIs of groups as clients see them, in every version. */
import { describe, expect, it } from 'vitest';
import { resolveBrokerConfig } from '../../../src/config/broker-config.ts';
import { TimerWheel } from '../../../src/lib/timer-wheel.ts';
import { GroupCoordinator } from '../../../src/main/group-coordinator.ts';
import { offsetFetchHandler } from '../../../src/main/handlers/09-offset-fetch.ts';
import { groupSettingsOf, handleGroups } from '../../../src/main/group-side.ts';
import type { Handler } from '../../../src/main/requests.ts';
import type { Router } from '../../../src/main/router.ts';
import { offsetCommit } from '../../../src/protocol/apis/08-offset-commit.ts';
import { offsetFetch } from '../../../src/protocol/apis/09-offset-fetch.ts';
import { findCoordinator } from '../../../src/protocol/apis/10-find-coordinator.ts';
import { joinGroup } from '../../../src/protocol/apis/11-join-group.ts';
import { heartbeat } from '../../../src/protocol/apis/12-heartbeat.ts';
import { leaveGroup } from '../../../src/protocol/apis/13-leave-group.ts';
import { syncGroup } from '../../../src/protocol/apis/14-sync-group.ts';
import { describeGroups } from '../../../src/protocol/apis/15-describe-groups.ts';
import { listGroups } from '../../../src/protocol/apis/16-list-groups.ts';
import { deleteGroups } from '../../../src/protocol/apis/42-delete-groups.ts';
import { offsetDelete } from '../../../src/protocol/apis/47-offset-delete.ts';
import { servedApi } from '../../../src/protocol/api-versions.ts';
import { ErrorCode } from '../../../src/protocol/errors.ts';
import type { Api, RequestInput, ResponseOf } from '../../../src/protocol/schema.ts';
import { subscription } from '../../support/coordinator-harness.ts';
import { FakeGroupLog, turns } from '../../support/fake-group-log.ts';
import { FakeRequest } from '../../support/read-bench.ts';

/** A topic id that ends with this byte. */
const idOf = (last: number): string => Buffer.from([...new Array<number>(15).fill(0), last]).toString('base64url');
const TOPIC_ID = idOf(1);

class Bench {
  readonly log = new FakeGroupLog();
  readonly handlers = new Map<number, Handler>();
  readonly timers = new TimerWheel(0, 10);
  /** A topic `t` with two partitions. */
  readonly topics = new Map([['t', { name: 't', id: TOPIC_ID, partitions: [{}, {}] }]]);
  /** What handlers threw. */
  readonly failures: unknown[] = [];
  nowMs = 0;

  static async started(): Promise<Bench> {
    const bench = new Bench();
    const broker = resolveBrokerConfig({ set: ['group.initial.rebalance.delay.ms=0'] });
    const coordinator = new GroupCoordinator({
      log: bench.log,
      settings: groupSettingsOf(broker),
      memoryBytes: broker.groupsMemoryBytes,
      retentionCheckMs: broker.offsetsRetentionCheckIntervalMs,
      timers: bench.timers,
      nowMs: () => bench.nowMs,
      date: () => 1_700_000_000_000 + bench.nowMs,
      onProblem: (text) => {
        throw new Error(text);
      },
    });
    const router = {
      topicByName: (name: string) => bench.topics.get(name),
      topicById: (id: string) => [...bench.topics.values()].find((topic) => topic.id === id),
    } as unknown as Router;
    handleGroups({ ingress: { handle: (key, handler) => void bench.handlers.set(key, handler) }, coordinator, router, broker });
    coordinator.start();
    await turns();
    return bench;
  }

  send<A extends Api>(api: A, version: number, body: RequestInput<A>): FakeRequest {
    const request = new FakeRequest(api, version, body);
    const running = this.handlers.get(api.key)!(request);
    if (running !== undefined) running.catch((error: unknown) => void this.failures.push(error));
    return request;
  }

  async ask<A extends Api>(api: A, version: number, body: RequestInput<A>): Promise<ResponseOf<A>> {
    const request = this.send(api, version, body);
    await this.pass();
    expect(this.failures).toEqual([]);
    return request.decode(api);
  }

  async pass(): Promise<void> {
    this.nowMs += 20;
    this.timers.advance(this.nowMs);
    await turns();
  }

  joinBody(memberId = '', name = 'member'): RequestInput<typeof joinGroup> {
    const protocols = [{ name: 'range', metadata: Buffer.concat([subscription('t'), Buffer.from(name)]) }];
    return { groupId: 'g', sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 20_000, memberId, protocolType: 'consumer', protocols };
  }

  /** Joins, alone or with whoever is waiting; by way of an id of its own from version 4 on. */
  async join(version: number): Promise<ResponseOf<typeof joinGroup>> {
    const first = await this.ask(joinGroup, version, this.joinBody());
    if (version < 4) return first;
    expect(first.errorCode).toBe(ErrorCode.MEMBER_ID_REQUIRED);
    expect(first.memberId).toMatch(/^test-/);
    return this.ask(joinGroup, version, this.joinBody(first.memberId));
  }
}

/** The version `offset` of an API, or its last. */
const upTo = (api: Api, version: number): number => Math.min(version, servedApi(api.key)!.max);

describe('the APIs of groups', () => {
  for (let version = 0; version <= 10; version++) {
    it(`get a member through its life in versions up to ${version}`, async () => {
      const bench = await Bench.started();
      const joinVersion = upTo(joinGroup, version);
      const joined = await bench.join(joinVersion);
      expect(joined).toMatchObject({ errorCode: 0, generationId: 1, protocolName: 'range', leader: joined.memberId });
      expect(joined.members.map((member) => member.metadata)).toEqual(bench.joinBody().protocols.map((each) => each.metadata));
      if (joinVersion >= 7) expect(joined.protocolType).toBe('consumer');

      const syncVersion = upTo(syncGroup, version);
      const member = { groupId: 'g', memberId: joined.memberId, generationId: 1 };
      const protocol = syncVersion >= 5 ? { protocolType: 'consumer', protocolName: 'range' } : {};
      const assignments = [{ memberId: joined.memberId, assignment: Buffer.from('mine') }];
      const synced = await bench.ask(syncGroup, syncVersion, { ...member, ...protocol, assignments });
      expect([synced.errorCode, synced.assignment.toString()]).toEqual([0, 'mine']);
      expect(await bench.ask(heartbeat, upTo(heartbeat, version), member)).toMatchObject({ errorCode: 0 });

      const byId = version >= 10;
      const partitions = [0, 1, 2].map((partitionIndex) => ({
        partitionIndex,
        committedOffset: 5n,
        committedMetadata: partitionIndex === 1 ? null : 'm',
      }));
      const commitBody = { groupId: 'g', memberId: joined.memberId, ...(version >= 1 ? { generationIdOrMemberEpoch: 1 } : {}) };
      const named = [byId ? { topicId: TOPIC_ID, partitions } : { name: 't', partitions }];
      const unknown = [byId ? { topicId: idOf(9), partitions } : { name: 'unknown', partitions }];
      const commit = await bench.ask(offsetCommit, version, { ...commitBody, topics: [...unknown, ...named] });
      const codes = commit.topics.map((topic) => topic.partitions.map((partition) => partition.errorCode));
      const missing = byId ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
      // Without generations a commit comes from outside, and the group has members.
      const own = version === 0 ? ErrorCode.UNKNOWN_MEMBER_ID : 0;
      expect(codes).toEqual([
        [missing, missing, missing],
        [own, own, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
      ]);

      const wanted = [0, 1, 7];
      const byName = [{ name: 't', partitionIndexes: wanted }];
      const topics = byId ? [{ topicId: TOPIC_ID, partitionIndexes: wanted }] : byName;
      const fetchBody =
        version >= 8
          ? {
              groups: [
                { groupId: 'g', topics },
                { groupId: 'nobody', topics: null },
              ],
            }
          : { groupId: 'g', topics: byName };
      const fetched = await bench.ask(offsetFetch, version, fetchBody);
      const group = version >= 8 ? fetched.groups[0]! : fetched;
      expect(group.errorCode).toBe(0);
      const found = group.topics[0]!.partitions.map((partition) => [partition.committedOffset, partition.metadata, partition.errorCode]);
      const five = version === 0 ? [-1n, '', 0] : [5n, 'm', 0];
      expect(found).toEqual([five, version === 0 ? [-1n, '', 0] : [5n, '', 0], [-1n, '', 0]]);
      if (version >= 8) expect(fetched.groups[1]).toMatchObject({ groupId: 'nobody', errorCode: 0, topics: [] });

      const described = (await bench.ask(describeGroups, upTo(describeGroups, version), { groups: ['g', 'nobody'] })).groups;
      expect(described[0]).toMatchObject({ errorCode: 0, groupState: 'Stable', protocolType: 'consumer', protocolData: 'range' });
      expect(described[0]!.members[0]).toMatchObject({ clientId: 'test', clientHost: '/127.0.0.1', memberAssignment: Buffer.from('mine') });
      expect(described[1]).toMatchObject({ groupState: 'Dead', errorCode: version >= 6 ? ErrorCode.GROUP_ID_NOT_FOUND : 0 });
      const listed = (await bench.ask(listGroups, upTo(listGroups, version), {})).groups;
      expect(listed).toMatchObject([{ groupId: 'g', protocolType: 'consumer' }]);

      const deleteVersion = upTo(deleteGroups, version);
      expect((await bench.ask(deleteGroups, deleteVersion, { groupsNames: ['g'] })).results[0]!.errorCode).toBe(ErrorCode.NON_EMPTY_GROUP);
      const leaveVersion = upTo(leaveGroup, version);
      const leaving = leaveVersion < 3 ? { memberId: joined.memberId } : { members: [{ memberId: joined.memberId }] };
      const left = await bench.ask(leaveGroup, leaveVersion, { groupId: 'g', ...leaving });
      expect(left.errorCode).toBe(0);
      if (leaveVersion >= 3) expect(left.members).toMatchObject([{ memberId: joined.memberId, errorCode: 0 }]);
      const again = await bench.ask(leaveGroup, leaveVersion, { groupId: 'g', ...leaving });
      expect(leaveVersion < 3 ? again.errorCode : again.members[0]!.errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
      const deleted = await bench.ask(deleteGroups, deleteVersion, { groupsNames: ['g', 'nobody', 'g', ''] });
      expect(deleted.results.map(({ groupId, errorCode }) => [groupId, errorCode])).toEqual([
        ['g', 0],
        ['nobody', ErrorCode.GROUP_ID_NOT_FOUND],
        ['', ErrorCode.INVALID_GROUP_ID],
      ]);
    });
  }

  it('an answer that cannot be written is the loss of its client, not of the others whose commits became durable with it', async () => {
    const bench = await Bench.started();
    const commit = (group: string, others: readonly string[]): FakeRequest => {
      const partitions = [{ partitionIndex: 0, committedOffset: 5n, committedMetadata: null }];
      const topics = ['t', ...others].map((name) => ({ name, partitions }));
      return bench.send(offsetCommit, 9, { groupId: group, memberId: '', generationIdOrMemberEpoch: -1, topics });
    };
    // No answer can be written in such a version: that stands for whatever may be wrong with one.
    const unanswerable = commit('a', []);
    Object.defineProperty(unanswerable, 'apiVersion', { value: 77 });
    const others = [commit('b', []), commit('c', ['unknown'])];
    await bench.pass();
    expect(bench.failures).toEqual([]);
    expect([unanswerable.answer, unanswerable.failed === null]).toEqual([null, false]);
    for (const other of others) expect(other.decode(offsetCommit).topics[0]!.partitions[0]!.errorCode).toBe(0);
  });

  it('FindCoordinator names this broker for every group, and nobody for what there is not', async () => {
    const bench = await Bench.started();
    const here = { errorCode: 0, nodeId: 1, host: '127.0.0.1', port: 9092 };
    for (let version = 0; version <= 3; version++) expect(await bench.ask(findCoordinator, version, { key: 'g' })).toMatchObject(here);
    for (let version = 4; version <= 6; version++) {
      const { coordinators } = await bench.ask(findCoordinator, version, { keyType: 0, coordinatorKeys: ['a', 'b'] });
      expect(coordinators).toMatchObject([
        { key: 'a', ...here },
        { key: 'b', ...here },
      ]);
    }
    const nobody = { nodeId: -1, host: '', port: -1 };
    const share = await bench.ask(findCoordinator, 6, { keyType: 2, coordinatorKeys: ['x'] });
    expect(share.coordinators).toMatchObject([{ key: 'x', ...nobody, errorCode: ErrorCode.INVALID_REQUEST }]);
  });

  it('FindCoordinator of many keys is answered in steps, each key once', async () => {
    const bench = await Bench.started();
    await bench.ask(findCoordinator, 4, { keyType: 0, coordinatorKeys: ['g'] });
    const keys = Array.from({ length: 20_000 }, (_, n) => `g${n % 10_000}`);
    const request = bench.send(findCoordinator, 4, { keyType: 0, coordinatorKeys: keys });
    let steps = 0;
    for (; request.answer === null && steps < 1000; steps++) await bench.pass();
    expect(request.decode(findCoordinator).coordinators.map(({ key }) => key)).toEqual(keys.slice(0, 10_000));
    expect(steps).toBeGreaterThan(2);
  });

  it('FindCoordinator of a transaction is refused with the code that is final for the clients of its version, and with the reason', async () => {
    const bench = await Bench.started();
    const errorMessage = expect.stringContaining('does not serve transactions') as string;
    // librdkafka's highest: it asks again after every other error.
    const old = { errorCode: ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, errorMessage, nodeId: -1, host: '', port: -1 };
    for (const version of [1, 2]) expect(await bench.ask(findCoordinator, version, { key: 'x', keyType: 1 })).toMatchObject(old);
    const refused = { ...old, errorCode: ErrorCode.UNSUPPORTED_VERSION };
    expect(await bench.ask(findCoordinator, 3, { key: 'x', keyType: 1 })).toMatchObject(refused);
    for (let version = 4; version <= 6; version++) {
      const { coordinators } = await bench.ask(findCoordinator, version, { keyType: 1, coordinatorKeys: ['x'] });
      expect(coordinators).toMatchObject([{ key: 'x', ...refused }]);
    }
  });

  it('a JoinGroup or SyncGroup that waits holds neither its bytes nor the turn of a large request', async () => {
    const bench = await Bench.started();
    const two = await Promise.all([bench.ask(joinGroup, 9, bench.joinBody()), bench.ask(joinGroup, 9, bench.joinBody())]);
    const joins = two.map(({ memberId }, index) => bench.send(joinGroup, 9, bench.joinBody(memberId, `${index}`)));
    // They are filled with nonsense as soon as the handler has given them up.
    expect(joins.map((join) => join.bytes[0])).toEqual([0xdd, 0xdd]);
    await bench.pass();
    const leader = joins.map((join) => join.decode(joinGroup)).find((join) => join.members.length > 0)!;
    expect(leader.members.map((member) => member.metadata.subarray(-1).toString())).toEqual(['0', '1']);
    const follower = joins.map((join) => join.decode(joinGroup)).find((join) => join.members.length === 0)!;
    const sync = bench.send(syncGroup, 3, { groupId: 'g', generationId: 1, memberId: follower.memberId, assignments: [] });
    expect([sync.answer, sync.bytes[0]]).toEqual([null, 0xdd]);
    const assignments = [{ memberId: follower.memberId, assignment: Buffer.from('yours') }];
    await bench.ask(syncGroup, 3, { groupId: 'g', generationId: 1, memberId: leader.memberId, assignments });
    expect(sync.decode(syncGroup).assignment.toString()).toBe('yours');
  });

  it('errors of JoinGroup say no generation, and no protocol in the way of their version', async () => {
    const bench = await Bench.started();
    for (let version = 0; version <= 9; version++) {
      const answer = await bench.ask(joinGroup, version, { ...bench.joinBody(), sessionTimeoutMs: 1 });
      const protocolName = version >= 7 ? null : '';
      expect(answer).toMatchObject({
        errorCode: ErrorCode.INVALID_SESSION_TIMEOUT,
        generationId: -1,
        protocolName,
        leader: '',
        members: [],
      });
    }
  });

  it('SyncGroup from version 5 on has to name the protocol', async () => {
    const bench = await Bench.started();
    const joined = await bench.join(9);
    const body = { groupId: 'g', generationId: 1, memberId: joined.memberId, assignments: [] };
    expect((await bench.ask(syncGroup, 5, body)).errorCode).toBe(ErrorCode.INCONSISTENT_GROUP_PROTOCOL);
    expect((await bench.ask(syncGroup, 5, { ...body, protocolType: 'consumer', protocolName: 'range' })).errorCode).toBe(0);
  });

  it('OffsetFetch without topics tells everything that is committed; by id what still has one', async () => {
    const bench = await Bench.started();
    bench.topics.set('u', { name: 'u', id: idOf(2), partitions: [{}] });
    const partitions = [{ partitionIndex: 0, committedOffset: 3n, committedLeaderEpoch: 4, committedMetadata: 'm' }];
    await bench.ask(offsetCommit, 8, {
      groupId: 'g',
      topics: [
        { name: 't', partitions },
        { name: 'u', partitions },
      ],
    });
    const told = { partitionIndex: 0, committedOffset: 3n, metadata: 'm', errorCode: 0 };
    for (let version = 2; version <= 7; version++) {
      const { topics } = await bench.ask(offsetFetch, version, { groupId: 'g', topics: null });
      expect(topics).toMatchObject([
        { name: 't', partitions: [told] },
        { name: 'u', partitions: [told] },
      ]);
      if (version >= 5) expect(topics[0]!.partitions[0]!.committedLeaderEpoch).toBe(4);
    }
    bench.topics.delete('u');
    const { groups } = await bench.ask(offsetFetch, 10, { groups: [{ groupId: 'g', topics: null }] });
    expect(groups[0]!.topics).toMatchObject([{ topicId: TOPIC_ID, partitions: [told] }]);
    const unknown = [{ topicId: idOf(9), partitionIndexes: [0] }];
    const byId = await bench.ask(offsetFetch, 10, { groups: [{ groupId: 'g', topics: unknown }] });
    expect(byId.groups[0]!.topics[0]!.partitions[0]).toMatchObject({ errorCode: ErrorCode.UNKNOWN_TOPIC_ID, committedOffset: -1n });
  });

  it('OffsetFetch and DescribeGroups tell a group, and a partition of it, once, however often they are asked for it', async () => {
    const bench = await Bench.started();
    const partitions = [{ partitionIndex: 0, committedOffset: 3n, committedMetadata: 'm'.repeat(4000) }];
    await bench.ask(offsetCommit, 8, { groupId: 'g', topics: [{ name: 't', partitions }] });
    const many = <T>(item: T): T[] => Array.from({ length: 100 }, () => item);
    const topics = many({ name: 't', topicId: TOPIC_ID, partitionIndexes: [1, 0, ...many(0)].slice(0, 5) });
    const answered = async (version: number, body: RequestInput<typeof offsetFetch>): Promise<number> => {
      const answer = await bench.ask(offsetFetch, version, body);
      const all = version >= 8 ? answer.groups.flatMap((group) => group.topics) : answer.topics;
      return all.flatMap((topic) => topic.partitions).length;
    };
    for (let version = 0; version <= 7; version++) expect(await answered(version, { groupId: 'g', topics })).toBe(2);
    for (let version = 8; version <= 10; version++) {
      expect(await answered(version, { groups: [{ groupId: 'g', topics }] })).toBe(2);
      expect(await answered(version, { groups: many({ groupId: 'g', topics: null }) })).toBe(1);
    }
    expect((await bench.ask(describeGroups, 5, { groups: many('g') })).groups).toHaveLength(1);
  });

  it('OffsetFetch has the error of a group where its version has a place for it', async () => {
    const bench = await Bench.started();
    const coordinator = { offsetsOf: () => ErrorCode.COORDINATOR_LOAD_IN_PROGRESS };
    bench.handlers.set(offsetFetch.key, offsetFetchHandler(coordinator, { topicByName: () => undefined, topicById: () => undefined }));
    const topics = [{ name: 't', partitionIndexes: [0] }];
    for (let version = 0; version <= 10; version++) {
      const body = version >= 8 ? { groups: [{ groupId: 'g', topics: version === 10 ? null : topics }] } : { groupId: 'g', topics };
      const answer = await bench.ask(offsetFetch, version, body);
      const place = version < 2 ? answer.topics[0]!.partitions[0]! : version < 8 ? answer : answer.groups[0]!;
      expect(place.errorCode).toBe(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS);
    }
  });

  it('OffsetFetch never says that the coordinator is not available, which would end older clients', async () => {
    const bench = await Bench.started();
    const coordinator = { offsetsOf: () => ErrorCode.COORDINATOR_NOT_AVAILABLE };
    bench.handlers.set(offsetFetch.key, offsetFetchHandler(coordinator, { topicByName: () => undefined, topicById: () => undefined }));
    const { groups } = await bench.ask(offsetFetch, 9, { groups: [{ groupId: 'g', topics: null }] });
    expect(groups[0]!.errorCode).toBe(ErrorCode.NOT_COORDINATOR);
    expect((await bench.ask(offsetFetch, 5, { groupId: 'g', topics: null })).errorCode).toBe(ErrorCode.NOT_COORDINATOR);
  });

  it('ListGroups filters by state and type, however they are written', async () => {
    const bench = await Bench.started();
    await bench.join(9);
    await bench.ask(offsetCommit, 8, {
      groupId: 'simple',
      topics: [{ name: 't', partitions: [{ partitionIndex: 0, committedOffset: 1n, committedMetadata: '' }] }],
    });
    const ids = async (statesFilter: string[], typesFilter: string[] = []): Promise<string[]> =>
      (await bench.ask(listGroups, 5, { statesFilter, typesFilter })).groups.map(({ groupId }) => groupId).sort();
    expect(await ids([])).toEqual(['g', 'simple']);
    expect(await ids(['EMPTY'])).toEqual(['simple']);
    expect(await ids([' completingRebalance', 'Empty'])).toEqual(['g', 'simple']);
    expect(await ids(['nonsense'])).toEqual([]);
    expect(await ids([], ['Classic'])).toEqual(['g', 'simple']);
    expect(await ids([], ['consumer'])).toEqual([]);
    const listed = (await bench.ask(listGroups, 5, {})).groups.find(({ groupId }) => groupId === 'simple');
    expect(listed).toMatchObject({ protocolType: '', groupState: 'Empty', groupType: 'classic' });
  });

  it('OffsetDelete deletes what there is, and says which partitions there are not', async () => {
    const bench = await Bench.started();
    const partitions = [0, 1].map((partitionIndex) => ({ partitionIndex, committedOffset: 1n, committedMetadata: '' }));
    await bench.ask(offsetCommit, 8, { groupId: 'g', topics: [{ name: 't', partitions }] });
    const body = {
      groupId: 'g',
      topics: [
        { name: 'unknown', partitions: [{ partitionIndex: 0 }] },
        { name: 't', partitions: [{ partitionIndex: 9 }, { partitionIndex: 0 }] },
      ],
    };
    const answer = await bench.ask(offsetDelete, 0, body);
    expect(answer.topics.map((topic) => topic.partitions.map((partition) => partition.errorCode))).toEqual([[3], [3, 0]]);
    const { topics } = await bench.ask(offsetFetch, 5, { groupId: 'g', topics: null });
    expect(topics[0]!.partitions.map(({ partitionIndex }) => partitionIndex)).toEqual([1]);
    expect(await bench.ask(offsetDelete, 0, { groupId: 'nobody', topics: [] })).toMatchObject({
      errorCode: ErrorCode.GROUP_ID_NOT_FOUND,
      topics: [],
    });
  });
});
