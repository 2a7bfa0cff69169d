import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { TimerWheel } from '../../../src/lib/timer-wheel.ts';
import { ErrorCode } from '../../../src/protocol/errors.ts';
import { CoordinatorHarness } from '../../support/coordinator-harness.ts';

/** A stable group of static members `i0`, `i1` …; the first leads. */
function staticGroup(harness: CoordinatorHarness, count: number, sessionTimeoutMs = 10_000) {
  const joins = Array.from({ length: count }, (_, index) => harness.join({ groupInstanceId: `i${index}`, sessionTimeoutMs }));
  harness.advance(6100);
  const memberIds = joins.map((join) => join.value.memberId);
  const generationId = joins[0]!.value.generationId;
  const assignments = memberIds.map((memberId, index) => ({ memberId, assignment: Buffer.from(`${index}`) }));
  memberIds.forEach((memberId, index) => index > 0 && harness.sync({ memberId, generationId, groupInstanceId: `i${index}` }));
  harness.sync({ memberId: memberIds[0]!, generationId, groupInstanceId: 'i0', assignments });
  return { memberIds, generationId };
}

describe('static members', () => {
  it('join without being given an id first', () => {
    const harness = new CoordinatorHarness();
    const { memberIds } = staticGroup(harness, 2);
    expect(memberIds[0]).toMatch(/^i0-/);
    expect(harness.state()).toBe('Stable');
  });

  it('one that restarts gets what it had, under a new id and without a rebalance', () => {
    const harness = new CoordinatorHarness();
    const { memberIds, generationId } = staticGroup(harness, 2);
    const back = harness.join({ groupInstanceId: 'i1' }).value;
    expect(back).toMatchObject({ errorCode: 0, generationId, leader: memberIds[0], skipAssignment: false, members: [] });
    expect(back.memberId).not.toBe(memberIds[1]);
    expect(harness.sync({ memberId: back.memberId, generationId, groupInstanceId: 'i1' }).value.assignment).toEqual(Uint8Array.of(49));
    expect(harness.heartbeat(memberIds[0]!, generationId, 'i0')).toBe(0);
  });

  it('a leader that restarts is told the members and that it must not assign', () => {
    const harness = new CoordinatorHarness();
    const { generationId } = staticGroup(harness, 2);
    const back = harness.join({ groupInstanceId: 'i0' }).value;
    expect(back).toMatchObject({ errorCode: 0, generationId, leader: back.memberId, skipAssignment: true });
    expect(back.members).toHaveLength(2);
    expect(harness.sync({ memberId: back.memberId, generationId, groupInstanceId: 'i0' }).value.assignment).toEqual(Uint8Array.of(48));
  });

  it('a leader of an old client that restarts is not told that it leads', () => {
    const harness = new CoordinatorHarness();
    const { memberIds } = staticGroup(harness, 2);
    const back = harness.join({ groupInstanceId: 'i0', canSkipAssignment: false }).value;
    expect(back).toMatchObject({ errorCode: 0, leader: memberIds[0], skipAssignment: false, members: [] });
  });

  it('the old id is fenced from everything', () => {
    const harness = new CoordinatorHarness();
    const { memberIds, generationId } = staticGroup(harness, 2);
    harness.join({ groupInstanceId: 'i1' });
    const old = { memberId: memberIds[1]!, generationId, groupInstanceId: 'i1' };
    const log = harness.log.length;
    expect(harness.heartbeat(old.memberId, generationId, 'i1')).toBe(ErrorCode.FENCED_INSTANCE_ID);
    expect(harness.sync(old).value.errorCode).toBe(ErrorCode.FENCED_INSTANCE_ID);
    expect(harness.join(old).value.errorCode).toBe(ErrorCode.FENCED_INSTANCE_ID);
    expect(harness.commit(5, old).value.errorCodes).toEqual([ErrorCode.FENCED_INSTANCE_ID]);
    expect(harness.leave(old).members[0]!.errorCode).toBe(ErrorCode.FENCED_INSTANCE_ID);
    // Without its instance id it is nobody.
    expect(harness.heartbeat(old.memberId, generationId)).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
    expect(harness.log).toHaveLength(log);
  });

  it('what the old id waited for is answered: fenced', () => {
    const harness = new CoordinatorHarness();
    const first = harness.join({ groupInstanceId: 'i0' });
    const second = harness.join({ groupInstanceId: 'i0' });
    expect(first.value.errorCode).toBe(ErrorCode.FENCED_INSTANCE_ID);
    harness.advance(6100);
    expect(second.value).toMatchObject({ errorCode: 0, generationId: 1 });
    const third = harness.join({ groupInstanceId: 'i0' });
    expect(third.value).toMatchObject({ errorCode: 0, generationId: 2 });
  });

  it('one that restarts with other protocols starts a rebalance', () => {
    const harness = new CoordinatorHarness();
    const { memberIds, generationId } = staticGroup(harness, 1);
    const back = harness.join({ groupInstanceId: 'i0', protocols: [{ name: 'other', metadata: Buffer.alloc(0) }] });
    // It is alone, but the group still offers what it offered before.
    expect(back.value.errorCode).toBe(ErrorCode.INCONSISTENT_GROUP_PROTOCOL);
    const both = harness.join({
      groupInstanceId: 'i0',
      protocols: [
        { name: 'other', metadata: Buffer.alloc(0) },
        { name: 'range', metadata: Buffer.alloc(0) },
      ],
    });
    expect(both.value).toMatchObject({ errorCode: 0, generationId: generationId + 1, protocolName: 'other' });
    expect(both.value.memberId).not.toBe(memberIds[0]);
  });

  it('a static member that is missing is waited for as long as its session lasts, not given up with the rebalance', () => {
    const harness = new CoordinatorHarness();
    const { memberIds, generationId } = staticGroup(harness, 2, 100_000);
    const join = harness.join({ memberId: memberIds[0]!, groupInstanceId: 'i0', sessionTimeoutMs: 100_000 });
    harness.advance(61_000);
    expect(join.value).toMatchObject({ errorCode: 0, generationId: generationId + 1 });
    expect(join.value.members.map((member) => member.groupInstanceId)).toEqual(['i0', 'i1']);
  });

  it('when none of the static members has come back, the rebalance waits on', () => {
    const harness = new CoordinatorHarness();
    const { memberIds, generationId } = staticGroup(harness, 1, 300_000);
    const dynamic = harness.newMemberId({ sessionTimeoutMs: 10_000 });
    harness.join({ memberId: dynamic, sessionTimeoutMs: 10_000 });
    harness.leave(dynamic);
    harness.advance(61_000);
    expect(harness.state()).toBe('PreparingRebalance');
    const join = harness.join({ memberId: memberIds[0]!, groupInstanceId: 'i0', sessionTimeoutMs: 300_000 });
    expect(join.value).toMatchObject({ errorCode: 0, generationId: generationId + 1 });
  });

  it('and is not looked after without pause, although the members that are missing said that they need no time to come back', () => {
    const harness = new CoordinatorHarness();
    const { generationId } = staticGroup(harness, 1, 300_000);
    const request = { groupInstanceId: 'i0', sessionTimeoutMs: 300_000, rebalanceTimeoutMs: 0 };
    harness.join(request);
    const dynamic = harness.newMemberId();
    harness.join({ memberId: dynamic });
    harness.leave(dynamic);
    expect(harness.state()).toBe('PreparingRebalance');
    const timers = vi.spyOn(TimerWheel.prototype, 'schedule');
    onTestFinished(() => timers.mockRestore());
    harness.advance(180_000);
    expect(harness.state()).toBe('PreparingRebalance');
    expect(timers.mock.calls.length).toBeGreaterThan(10);
    expect(timers.mock.calls.length).toBeLessThanOrEqual(181);
    const join = harness.join({ groupInstanceId: 'i0', sessionTimeoutMs: 300_000 });
    expect(join.value).toMatchObject({ errorCode: 0, generationId: generationId + 1 });
  });

  it('a takeover that cannot be stored is answered with an error, and the client takes over from itself', () => {
    const harness = new CoordinatorHarness();
    const { generationId } = staticGroup(harness, 2);
    harness.holdWrites = true;
    const failed = harness.join({ groupInstanceId: 'i1' });
    expect(failed.isAnswered).toBe(false);
    harness.release(ErrorCode.KAFKA_STORAGE_ERROR);
    expect(failed.value).toMatchObject({ errorCode: ErrorCode.NOT_COORDINATOR, memberId: '' });
    harness.holdWrites = false;
    const again = harness.join({ groupInstanceId: 'i1' }).value;
    expect(again).toMatchObject({ errorCode: 0, generationId });
    expect(harness.sync({ memberId: again.memberId, generationId, groupInstanceId: 'i1' }).value.assignment).toEqual(Uint8Array.of(49));
  });

  it('a takeover that is answered late, and by nobody then, is given up like any other member', () => {
    const harness = new CoordinatorHarness();
    staticGroup(harness, 1);
    harness.holdWrites = true;
    const late = harness.join({ groupInstanceId: 'i0' });
    harness.advance(60_000);
    expect(late.isAnswered).toBe(false);
    harness.holdWrites = false;
    harness.releaseAll();
    expect(late.value.errorCode).toBe(0);
    harness.advance(20_100);
    expect(harness.state()).toBe('Empty');
  });

  it('an administrator removes one by its instance id alone', () => {
    const harness = new CoordinatorHarness();
    staticGroup(harness, 2);
    const answer = harness.leave({ memberId: '', groupInstanceId: 'i1' }, { memberId: '', groupInstanceId: 'nobody' });
    expect(answer.members.map((member) => member.errorCode)).toEqual([0, ErrorCode.UNKNOWN_MEMBER_ID]);
    expect(harness.state()).toBe('PreparingRebalance');
  });

  it('one that took over in a rebalance which a restart undid is unknown, not fenced, and joins anew', () => {
    const harness = new CoordinatorHarness();
    const { memberIds, generationId } = staticGroup(harness, 1);
    harness.join({ memberId: memberIds[0]!, groupInstanceId: 'i0' });
    const ahead = harness.join({ groupInstanceId: 'i0' }).value;
    expect(ahead).toMatchObject({ errorCode: 0, generationId: generationId + 2 });
    harness.restart();
    const member = { memberId: ahead.memberId, generationId: ahead.generationId, groupInstanceId: 'i0' };
    expect(harness.sync(member).value.errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
    expect(harness.join({ groupInstanceId: 'i0' }).value).toMatchObject({ errorCode: 0, generationId });
    // Once somebody of that instance was heard, everybody else is fenced again.
    expect(harness.sync(member).value.errorCode).toBe(ErrorCode.FENCED_INSTANCE_ID);
  });

  it('survive a restart of the coordinator with their instance ids', () => {
    const harness = new CoordinatorHarness();
    const { memberIds, generationId } = staticGroup(harness, 2);
    harness.restart();
    expect(harness.heartbeat(memberIds[1]!, generationId, 'i1')).toBe(0);
    const back = harness.join({ groupInstanceId: 'i1' }).value;
    expect(back).toMatchObject({ errorCode: 0, generationId });
    expect(harness.heartbeat(memberIds[1]!, generationId, 'i1')).toBe(ErrorCode.FENCED_INSTANCE_ID);
  });
});
