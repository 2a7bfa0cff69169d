import { describe, expect, it } from 'vitest';
import { ErrorCode } from '../../../src/protocol/errors.ts';
import { CoordinatorHarness, survivors } from '../../support/coordinator-harness.ts';

/** Members that have joined generation 1 and not synced; the first leads. */
function completing(harness: CoordinatorHarness, count: number) {
  const memberIds = Array.from({ length: count }, () => harness.newMemberId());
  const joins = memberIds.map((memberId) => harness.join({ memberId }));
  harness.advance(6100);
  return { memberIds, generationId: joins[0]!.value.generationId };
}

describe('a generation', () => {
  it('gives every member what the leader said, and nothing to whom it forgot', () => {
    const harness = new CoordinatorHarness();
    const { memberIds, generationId } = completing(harness, 3);
    const followers = memberIds.slice(1).map((memberId) => harness.sync({ memberId, generationId }));
    expect(followers.some((follower) => follower.isAnswered)).toBe(false);
    const assignments = [
      { memberId: memberIds[0]!, assignment: Buffer.from('a') },
      { memberId: memberIds[1]!, assignment: Buffer.from('b') },
    ];
    const leader = harness.sync({ memberId: memberIds[0]!, generationId, assignments });
    expect([leader, ...followers].map((sync) => Buffer.from(sync.value.assignment).toString())).toEqual(['a', 'b', '']);
    expect(leader.value).toMatchObject({ errorCode: 0, protocolName: 'range', protocolType: 'consumer' });
    expect(harness.state()).toBe('Stable');
  });

  it('is not told to anybody before it is stored', () => {
    const harness = new CoordinatorHarness();
    const { memberIds, generationId } = completing(harness, 2);
    harness.holdWrites = true;
    const follower = harness.sync({ memberId: memberIds[1]!, generationId });
    const leader = harness.sync({ memberId: memberIds[0]!, generationId });
    expect([leader.isAnswered, follower.isAnswered, harness.state()]).toEqual([false, false, 'CompletingRebalance']);
    harness.release();
    expect([leader.value.errorCode, follower.value.errorCode, harness.state()]).toEqual([0, 0, 'Stable']);
  });

  it('that cannot be stored is answered with an error all over, and the members join again', () => {
    const harness = new CoordinatorHarness();
    const { memberIds, generationId } = completing(harness, 2);
    harness.holdWrites = true;
    const follower = harness.sync({ memberId: memberIds[1]!, generationId });
    const leader = harness.sync({ memberId: memberIds[0]!, generationId });
    harness.release(ErrorCode.KAFKA_STORAGE_ERROR);
    expect([leader.value.errorCode, follower.value.errorCode]).toEqual([ErrorCode.NOT_COORDINATOR, ErrorCode.NOT_COORDINATOR]);
    expect(harness.state()).toBe('PreparingRebalance');
    const joins = memberIds.map((memberId) => harness.join({ memberId }));
    expect(joins[0]!.value.generationId).toBe(generationId + 1);
  });

  it('that is overtaken while it is being stored does not come back', () => {
    const harness = new CoordinatorHarness();
    const { memberIds, generationId } = completing(harness, 1);
    harness.holdWrites = true;
    const leader = harness.sync({ memberId: memberIds[0]!, generationId, assignments: [] });
    const newcomer = harness.join({ needsKnownMemberId: false });
    expect(leader.value.errorCode).toBe(ErrorCode.REBALANCE_IN_PROGRESS);
    harness.release();
    expect(harness.state()).toBe('PreparingRebalance');
    harness.join({ memberId: memberIds[0]! });
    expect(newcomer.value.generationId).toBe(generationId + 1);
    expect(harness.state()).toBe('CompletingRebalance');
  });

  it('answers SyncGroup again once it is stable', () => {
    const harness = new CoordinatorHarness();
    const { memberIds, generationId } = harness.stableGroup(2);
    expect(harness.sync({ memberId: memberIds[1]!, generationId }).value).toMatchObject({ errorCode: 0, assignment: Uint8Array.of(49) });
  });

  it('takes nothing of another generation, of nobody, or by another protocol', () => {
    const harness = new CoordinatorHarness();
    const { memberIds, generationId } = harness.stableGroup(1);
    const memberId = memberIds[0]!;
    expect(harness.heartbeat(memberId, generationId + 1)).toBe(ErrorCode.ILLEGAL_GENERATION);
    expect(harness.heartbeat(memberId, generationId - 1)).toBe(ErrorCode.ILLEGAL_GENERATION);
    expect(harness.heartbeat('nobody', generationId)).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
    expect(harness.heartbeat(memberId, generationId, null, 'other')).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
    expect(harness.heartbeat(memberId, generationId, null, '')).toBe(ErrorCode.INVALID_GROUP_ID);
    expect(harness.sync({ memberId, generationId: generationId - 1 }).value.errorCode).toBe(ErrorCode.ILLEGAL_GENERATION);
    expect(harness.sync({ memberId: 'nobody', generationId }).value.errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
    expect(harness.sync({ memberId, generationId, protocolName: 'other' }).value.errorCode).toBe(ErrorCode.INCONSISTENT_GROUP_PROTOCOL);
    expect(harness.sync({ memberId, generationId, protocolType: 'other' }).value.errorCode).toBe(ErrorCode.INCONSISTENT_GROUP_PROTOCOL);
    expect(harness.sync({ groupId: 'other', memberId, generationId }).value.errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
  });

  it('ends for a member that is not heard from for its session timeout; heartbeats and commits count as signs of life', () => {
    const harness = new CoordinatorHarness();
    const { memberIds, generationId } = harness.stableGroup(3);
    const [beating, committing, silent] = memberIds as [string, string, string];
    for (let second = 0; second < 12; second++) {
      harness.advance(1000);
      if (harness.state() !== 'Stable') break;
      expect(harness.heartbeat(beating, generationId)).toBe(0);
      expect(harness.commit(second, { memberId: committing, generationId }).value.errorCodes).toEqual([0]);
    }
    expect(harness.nowMs - 6020).toBeGreaterThanOrEqual(9_000);
    expect(harness.heartbeat(silent, generationId)).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
    expect(harness.heartbeat(beating, generationId)).toBe(ErrorCode.REBALANCE_IN_PROGRESS);
    const joins = [beating, committing].map((memberId) => harness.join({ memberId }));
    expect(joins.map((join) => join.value.generationId)).toEqual([generationId + 1, generationId + 1]);
  });

  it('is not waited for by members that do not sync within the rebalance timeout', () => {
    const harness = new CoordinatorHarness();
    const memberIds = [harness.newMemberId(), harness.newMemberId()];
    const slow = { rebalanceTimeoutMs: 20_000, sessionTimeoutMs: 60_000 };
    const joins = memberIds.map((memberId) => harness.join({ memberId, ...slow }));
    harness.advance(6100);
    const { generationId } = joins[0]!.value;
    const follower = harness.sync({ memberId: memberIds[1]!, generationId });
    harness.advance(20_100);
    expect(follower.value.errorCode).toBe(ErrorCode.REBALANCE_IN_PROGRESS);
    const join = harness.join({ memberId: memberIds[1]!, ...slow });
    expect(join.value).toMatchObject({ errorCode: 0, generationId: generationId + 1, leader: memberIds[1] });
  });

  it('a member that waits for an answer is not given up, however long that takes', () => {
    const harness = new CoordinatorHarness();
    const { memberIds } = harness.stableGroup(2, { sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 100_000 });
    const patient = harness.join({ memberId: memberIds[0]!, sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 100_000 });
    for (let second = 0; second < 50; second++) {
      harness.advance(1000);
      expect(harness.heartbeat(memberIds[1]!, 1)).toBe(ErrorCode.REBALANCE_IN_PROGRESS);
    }
    expect(patient.isAnswered).toBe(false);
    harness.join({ memberId: memberIds[1]!, sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 100_000 });
    expect(patient.value).toMatchObject({ errorCode: 0, generationId: 2 });
  });

  it('members that leave start another one; the last one leaves an empty group', () => {
    const harness = new CoordinatorHarness();
    const { memberIds, generationId } = harness.stableGroup(3);
    expect(harness.leave(memberIds[0]!, 'nobody').members.map((member) => member.errorCode)).toEqual([0, ErrorCode.UNKNOWN_MEMBER_ID]);
    const join = harness.join({ memberId: memberIds[1]! });
    harness.join({ memberId: memberIds[2]! });
    expect(join.value).toMatchObject({ generationId: generationId + 1, leader: memberIds[1] });
    harness.leave(memberIds[1]!, memberIds[2]!);
    expect(harness.state()).toBe('Empty');
    expect(survivors(harness.freshCopy())).toEqual(survivors(harness.machine));
  });

  it('leaving a group that is not there, or none, is answered', () => {
    const harness = new CoordinatorHarness();
    expect(harness.leave('nobody')).toEqual({
      errorCode: 0,
      members: [{ memberId: 'nobody', groupInstanceId: null, errorCode: ErrorCode.UNKNOWN_MEMBER_ID }],
    });
    expect(harness.machine.leave({ groupId: '', members: [] }, harness.now).errorCode).toBe(ErrorCode.INVALID_GROUP_ID);
  });

  it('an id that was given out and leaves is not waited for, and starts no rebalance', () => {
    const harness = new CoordinatorHarness();
    const { memberIds, generationId } = harness.stableGroup(1);
    const pending = harness.newMemberId();
    expect(harness.leave(pending).members[0]!.errorCode).toBe(0);
    expect(harness.heartbeat(memberIds[0]!, generationId)).toBe(0);
    const second = harness.newMemberId();
    const join = harness.join({ memberId: memberIds[0]! });
    expect(join.isAnswered).toBe(false);
    harness.leave(second);
    expect(join.value.generationId).toBe(generationId + 1);
  });

  it('whoever leaves while it waits is answered', () => {
    const harness = new CoordinatorHarness();
    const { memberIds, generationId } = completing(harness, 2);
    const follower = harness.sync({ memberId: memberIds[1]!, generationId });
    harness.leave(memberIds[1]!);
    expect(follower.value.errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
    const join = harness.join({ memberId: memberIds[0]! });
    expect(join.value.generationId).toBe(generationId + 1);
  });

  it('survives a restart of the coordinator, assignments included', () => {
    const harness = new CoordinatorHarness();
    const { memberIds, generationId } = harness.stableGroup(3);
    const before = survivors(harness.machine);
    harness.restart();
    expect(survivors(harness.machine)).toEqual(before);
    expect(harness.heartbeat(memberIds[2]!, generationId)).toBe(0);
    expect(harness.sync({ memberId: memberIds[2]!, generationId }).value.assignment).toEqual(Uint8Array.of(50));
    harness.advance(9_000);
    expect(harness.heartbeat(memberIds[2]!, generationId)).toBe(0);
    expect(harness.state()).toBe('Stable');
    harness.advance(2_000);
    expect(harness.state()).toBe('PreparingRebalance');
  });

  it('after a restart whoever is ahead of the log joins again', () => {
    const harness = new CoordinatorHarness();
    const { memberIds, generationId } = harness.stableGroup(1);
    const ahead = harness.join({ memberId: memberIds[0]! }).value.generationId;
    expect(ahead).toBe(generationId + 1);
    harness.restart();
    expect(harness.sync({ memberId: memberIds[0]!, generationId: ahead }).value.errorCode).toBe(ErrorCode.ILLEGAL_GENERATION);
    expect(harness.join({ memberId: memberIds[0]! }).value.generationId).toBe(ahead);
  });

  it('a group that is larger than a lowered group.max.size is rebalanced at start, and the last do not get in', () => {
    const harness = new CoordinatorHarness();
    const { memberIds } = harness.stableGroup(3);
    Object.assign(harness.settings, { groupSizeMax: 2 });
    harness.restart();
    expect(harness.state()).toBe('PreparingRebalance');
    const joins = memberIds.map((memberId) => harness.join({ memberId }));
    expect(joins[2]!.value.errorCode).toBe(ErrorCode.GROUP_MAX_SIZE_REACHED);
    expect(joins.slice(0, 2).map((join) => join.value.generationId)).toEqual([2, 2]);
  });

  it('has assignments within the memory for groups', () => {
    const harness = new CoordinatorHarness({}, 16 * 1024);
    const { memberIds, generationId } = completing(harness, 1);
    const assignments = [{ memberId: memberIds[0]!, assignment: Buffer.alloc(16 * 1024) }];
    expect(harness.sync({ memberId: memberIds[0]!, generationId, assignments }).value.errorCode).toBe(ErrorCode.COORDINATOR_NOT_AVAILABLE);
    expect(harness.sync({ memberId: memberIds[0]!, generationId }).value.errorCode).toBe(0);
  });

  it('is described with what its members want and have while it is stable, and without otherwise', () => {
    const harness = new CoordinatorHarness();
    const { memberIds } = harness.stableGroup(1);
    expect(harness.machine.describe('group')).toMatchObject({ state: 'Stable', protocolType: 'consumer', protocolName: 'range' });
    expect(harness.machine.describe('group')!.members[0]).toMatchObject({ memberId: memberIds[0], assignment: Uint8Array.of(48) });
    harness.newMemberId();
    harness.join({ memberId: memberIds[0]! });
    const described = harness.machine.describe('group')!;
    expect(described).toMatchObject({ state: 'PreparingRebalance', protocolName: '' });
    expect(described.members[0]).toMatchObject({ memberId: memberIds[0], clientHost: '/127.0.0.1', clientId: 'client' });
    expect([described.members[0]!.assignment.length, described.members[0]!.subscription.length]).toEqual([0, 0]);
    expect([...harness.machine.list()]).toEqual([{ groupId: 'group', protocolType: 'consumer', state: 'PreparingRebalance' }]);
    expect(harness.machine.describe('other')).toBeUndefined();
  });
});
