import { describe, expect, it } from 'vitest';
import { ErrorCode } from '../../../src/protocol/errors.ts';
import { CoordinatorHarness, JOIN, subscription } from '../../support/coordinator-harness.ts';

describe('joining a group', () => {
  it('a dynamic member without an id is given one and has to come again with it', () => {
    const harness = new CoordinatorHarness();
    const first = harness.join().value;
    expect(first).toMatchObject({ errorCode: ErrorCode.MEMBER_ID_REQUIRED, generationId: -1 });
    expect(first.memberId).toMatch(/^client-/);
    expect(harness.join({ memberId: first.memberId }).isAnswered).toBe(false);
  });

  it('an old client is taken in at once', () => {
    const harness = new CoordinatorHarness();
    const join = harness.join({ needsKnownMemberId: false });
    harness.advance(3020);
    expect(join.value).toMatchObject({ errorCode: 0, generationId: 1, protocolName: 'range', protocolType: 'consumer' });
    expect(join.value.leader).toBe(join.value.memberId);
  });

  it('the first generation waits for group.initial.rebalance.delay.ms, and again as long as somebody joins meanwhile', () => {
    const harness = new CoordinatorHarness();
    const first = harness.join({ needsKnownMemberId: false });
    harness.advance(2900);
    const second = harness.join({ needsKnownMemberId: false });
    harness.advance(2980);
    expect(first.isAnswered).toBe(false);
    harness.advance(40);
    expect(first.value.generationId).toBe(1);
    expect(second.value.generationId).toBe(1);
  });

  it('a member that comes later than the initial delay ever lasts starts another generation', () => {
    const harness = new CoordinatorHarness();
    const joins = [harness.join({ needsKnownMemberId: false, rebalanceTimeoutMs: 7000 })];
    // Somebody every second: the delay ends with the rebalance timeout all the same.
    for (let second = 0; second < 8 && !joins[0]!.isAnswered; second++) {
      harness.advance(1000);
      if (!joins[0]!.isAnswered) joins.push(harness.join({ needsKnownMemberId: false, rebalanceTimeoutMs: 7000 }));
    }
    expect(joins[0]!.value.generationId).toBe(1);
    expect(harness.nowMs).toBeLessThanOrEqual(7100);
  });

  it('the leader alone is told the members, with their metadata for the chosen protocol', () => {
    const harness = new CoordinatorHarness({ initialRebalanceDelayMs: 0 });
    const a = harness.newMemberId();
    const b = harness.newMemberId();
    const joins = [harness.join({ memberId: a, protocols: [{ name: 'range', metadata: Buffer.from('a') }] })];
    joins.push(harness.join({ memberId: b, protocols: [{ name: 'range', metadata: Buffer.from('b') }] }));
    harness.advance(20);
    expect(joins[0]!.value.leader).toBe(a);
    expect(joins[0]!.value.members).toEqual([
      { memberId: a, groupInstanceId: null, metadata: Buffer.from('a') },
      { memberId: b, groupInstanceId: null, metadata: Buffer.from('b') },
    ]);
    expect(joins[1]!.value).toMatchObject({ leader: a, members: [] });
  });

  it('most votes among the protocols that all offer decide', () => {
    const harness = new CoordinatorHarness({ initialRebalanceDelayMs: 0 });
    const offer = (...names: string[]) => ({
      needsKnownMemberId: false,
      protocols: names.map((name) => ({ name, metadata: Buffer.from(name) })),
    });
    const joins = [harness.join(offer('only', 'x', 'y')), harness.join(offer('y', 'x')), harness.join(offer('x', 'y'))];
    harness.advance(20);
    expect(joins.map((join) => join.value.protocolName)).toEqual(['x', 'x', 'x']);
  });

  it('nobody joins who has no protocol in common with all, or another protocol type', () => {
    const harness = new CoordinatorHarness();
    harness.join({ needsKnownMemberId: false });
    expect(harness.join({ protocols: [{ name: 'other', metadata: Buffer.alloc(0) }] }).value.errorCode).toBe(
      ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
    );
    expect(harness.join({ protocolType: 'connect' }).value.errorCode).toBe(ErrorCode.INCONSISTENT_GROUP_PROTOCOL);
    expect(harness.join({ groupId: 'new', protocols: [] }).value.errorCode).toBe(ErrorCode.INCONSISTENT_GROUP_PROTOCOL);
    expect([...harness.machine.groupIds()]).toEqual(['group']);
  });

  it('session timeouts out of range, empty group ids and unknown member ids are refused', () => {
    const harness = new CoordinatorHarness();
    expect(harness.join({ sessionTimeoutMs: 5999 }).value.errorCode).toBe(ErrorCode.INVALID_SESSION_TIMEOUT);
    expect(harness.join({ sessionTimeoutMs: 1_800_001 }).value.errorCode).toBe(ErrorCode.INVALID_SESSION_TIMEOUT);
    expect(harness.join({ groupId: '' }).value.errorCode).toBe(ErrorCode.INVALID_GROUP_ID);
    expect(harness.join({ memberId: 'nobody' }).value).toMatchObject({ errorCode: ErrorCode.UNKNOWN_MEMBER_ID, memberId: 'nobody' });
    harness.stableGroup(1);
    expect(harness.join({ memberId: 'nobody' }).value.errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
  });

  it('a full group refuses new members, and ids that were given out count', () => {
    const harness = new CoordinatorHarness({ groupSizeMax: 2 });
    const [a, b] = [harness.newMemberId(), harness.newMemberId()];
    expect(harness.join().value).toMatchObject({ errorCode: ErrorCode.GROUP_MAX_SIZE_REACHED, memberId: '' });
    harness.join({ memberId: a });
    harness.join({ memberId: b });
    expect(harness.join().value.errorCode).toBe(ErrorCode.GROUP_MAX_SIZE_REACHED);
    harness.advance(6020);
    expect(harness.join().value.errorCode).toBe(ErrorCode.GROUP_MAX_SIZE_REACHED);
  });

  it('an id that nobody comes with is forgotten with its session, and so is a group that had nothing else', () => {
    const harness = new CoordinatorHarness();
    const memberId = harness.newMemberId();
    harness.advance(9980);
    expect([...harness.machine.groupIds()]).toEqual(['group']);
    harness.advance(40);
    expect([...harness.machine.groupIds()]).toEqual([]);
    expect(harness.join({ memberId }).value.errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
    expect(harness.budget.bytes).toBe(0);
    expect(harness.log).toEqual([]);
  });

  it('a rebalance waits for ids that were given out, until their session is over', () => {
    const harness = new CoordinatorHarness();
    const { memberIds } = harness.stableGroup(1);
    harness.newMemberId();
    const again = harness.join({ memberId: memberIds[0]! });
    harness.advance(9000);
    expect(again.isAnswered).toBe(false);
    harness.advance(2000);
    expect(again.value.generationId).toBe(2);
  });

  it('a stable follower that joins again with the same offer stays in its generation; with another one it starts the next', () => {
    const harness = new CoordinatorHarness();
    const { memberIds, generationId } = harness.stableGroup(2);
    const follower = memberIds[1]!;
    expect(harness.join({ memberId: follower }).value).toMatchObject({ errorCode: 0, generationId, members: [] });
    const changed = harness.join({ memberId: follower, protocols: [{ name: 'range', metadata: subscription('other') }] });
    expect(changed.isAnswered).toBe(false);
    expect(harness.heartbeat(memberIds[0]!, generationId)).toBe(ErrorCode.REBALANCE_IN_PROGRESS);
    harness.join({ memberId: memberIds[0]! });
    expect(changed.value.generationId).toBe(generationId + 1);
  });

  it('a stable leader that joins again starts the next generation', () => {
    const harness = new CoordinatorHarness();
    const { memberIds, generationId } = harness.stableGroup(1);
    expect(harness.join({ memberId: memberIds[0]! }).value).toMatchObject({ errorCode: 0, generationId: generationId + 1 });
  });

  it('whoever asks again before the assignment is there is told the same', () => {
    const harness = new CoordinatorHarness({ initialRebalanceDelayMs: 0 });
    const memberId = harness.newMemberId();
    const first = harness.join({ memberId });
    harness.advance(20);
    expect(harness.join({ memberId }).value).toEqual(first.value);
  });

  it('a second JoinGroup under the same id takes the place of the first, which is told to join again', () => {
    const harness = new CoordinatorHarness();
    const memberId = harness.newMemberId();
    const first = harness.join({ memberId });
    const second = harness.join({ memberId });
    expect(first.value.errorCode).toBe(ErrorCode.REBALANCE_IN_PROGRESS);
    harness.advance(6100);
    expect(first.answers).toHaveLength(1);
    expect(second.value).toMatchObject({ errorCode: 0, generationId: 1 });
  });

  it('members that do not join again in time are left behind, and one that did leads', () => {
    const harness = new CoordinatorHarness();
    const { memberIds, generationId } = harness.stableGroup(3, { rebalanceTimeoutMs: 8000, sessionTimeoutMs: 30_000 });
    const other = { rebalanceTimeoutMs: 8000, sessionTimeoutMs: 30_000, protocols: [{ name: 'range', metadata: subscription('x') }] };
    const join = harness.join({ ...other, memberId: memberIds[1]! });
    harness.advance(8020);
    expect(join.value).toMatchObject({ errorCode: 0, generationId: generationId + 1, leader: memberIds[1] });
    expect(join.value.members).toHaveLength(1);
    expect(harness.heartbeat(memberIds[0]!, generationId)).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
  });

  it('a new member whose JoinGroup waits for five minutes is given up', () => {
    const harness = new CoordinatorHarness();
    const { memberIds, generationId } = harness.stableGroup(1, { rebalanceTimeoutMs: 1_000_000, sessionTimeoutMs: 1_000_000 });
    const join = harness.join({ needsKnownMemberId: false, rebalanceTimeoutMs: 1_000_000 });
    harness.advance(300_020);
    expect(join.value.errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
    expect(harness.heartbeat(memberIds[0]!, generationId)).toBe(ErrorCode.REBALANCE_IN_PROGRESS);
  });

  it('too many protocols, or too much metadata, is refused', () => {
    const harness = new CoordinatorHarness();
    const protocols = Array.from({ length: 101 }, (_, index) => ({ name: `p${index}`, metadata: Buffer.alloc(0) }));
    expect(harness.join({ protocols }).value.errorCode).toBe(ErrorCode.INVALID_REQUEST);
    expect(harness.join({ protocols: [{ name: 'p', metadata: Buffer.alloc(1024 * 1024 + 1) }] }).value.errorCode).toBe(
      ErrorCode.INVALID_REQUEST,
    );
  });

  it('when the memory for groups is used up nobody new is taken in, and whoever is in goes on', () => {
    const harness = new CoordinatorHarness({}, 8 * 1024);
    const { memberIds } = harness.stableGroup(1);
    const big = { protocols: [{ name: 'range', metadata: Buffer.alloc(7000) }] };
    expect(harness.join(big).value.errorCode).toBe(ErrorCode.COORDINATOR_NOT_AVAILABLE);
    expect(harness.join({ memberId: memberIds[0]! }).value.errorCode).toBe(0);
  });

  it('what was stored is loaded whatever memory there is, and goes on; nothing new is taken in', () => {
    const first = new CoordinatorHarness();
    const { memberIds } = first.stableGroup(2);
    first.commit(1, { memberId: memberIds[0]!, generationId: 1 });
    const harness = new CoordinatorHarness({}, 1);
    harness.log.push(...first.log);
    harness.restart();
    expect(harness.join().value.errorCode).toBe(ErrorCode.COORDINATOR_NOT_AVAILABLE);
    expect(harness.commit(1, { groupId: 'new' }).value.errorCodes).toEqual([ErrorCode.COORDINATOR_NOT_AVAILABLE]);
    expect(harness.commit(2, { memberId: memberIds[0]!, generationId: 1 }).value.errorCodes).toEqual([0]);
    const joins = memberIds.map((memberId) => harness.join({ memberId }));
    expect(joins.map((join) => join.value.generationId)).toEqual([2, 2]);
    const assignments = memberIds.map((memberId) => ({ memberId, assignment: Buffer.from('x') }));
    const syncs = memberIds.map((memberId) => harness.sync({ memberId, generationId: 2, assignments }));
    expect(syncs.map((sync) => sync.value.errorCode)).toEqual([0, 0]);
  });

  it('what a join offers is copied by nobody here: the same protocols offered twice count once', () => {
    const harness = new CoordinatorHarness({ initialRebalanceDelayMs: 0 });
    const twice = [JOIN.protocols[0]!, JOIN.protocols[0]!];
    const join = harness.join({ needsKnownMemberId: false, protocols: twice });
    harness.advance(20);
    expect(join.value.protocolName).toBe('range');
    harness.leave(join.value.memberId);
    expect(harness.state()).toBe('Empty');
  });
});
