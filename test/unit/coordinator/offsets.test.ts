import { describe, expect, it } from 'vitest';
import { ErrorCode } from '../../../src/protocol/errors.ts';
import { CoordinatorHarness, JOIN, subscription, survivors } from '../../support/coordinator-harness.ts';

const WEEK_MS = 7 * 24 * 3_600_000;

describe('committed offsets', () => {
  it('are answered, and shown, once they are secured', () => {
    const harness = new CoordinatorHarness();
    harness.holdWrites = true;
    const commit = harness.commit(42);
    expect([commit.isAnswered, harness.offset()]).toEqual([false, undefined]);
    harness.release();
    expect([commit.value.errorCodes, harness.offset()]).toEqual([[0], 42]);
  });

  it('that could not be appended leave nothing behind', () => {
    const harness = new CoordinatorHarness();
    harness.commit(1);
    harness.holdWrites = true;
    const commit = harness.commit(2);
    const first = harness.commit(3, { groupId: 'new' });
    harness.release(ErrorCode.KAFKA_STORAGE_ERROR);
    harness.release(ErrorCode.MESSAGE_TOO_LARGE);
    expect(commit.value.errorCodes).toEqual([ErrorCode.NOT_COORDINATOR]);
    expect(first.value.errorCodes).toEqual([ErrorCode.INVALID_COMMIT_OFFSET_SIZE]);
    expect(harness.offset()).toBe(1);
    expect([...harness.machine.groupIds()]).toEqual(['group']);
  });

  it('come back after a restart, exactly: offset, leader epoch, metadata', () => {
    const harness = new CoordinatorHarness();
    harness.commit(0, {
      partitions: [
        { topic: 'a', partition: 1, offset: 2n ** 62n, leaderEpoch: 7, metadata: 'grüße', commitTimestampMs: -1 },
        { topic: 'b', partition: 0, offset: 0n, leaderEpoch: -1, metadata: '', commitTimestampMs: 5 },
      ],
    });
    const before = survivors(harness.machine);
    harness.restart();
    expect(survivors(harness.machine)).toEqual(before);
    expect(harness.machine.offsetsOf('group')!.get('a', 1)).toMatchObject({ offset: 2n ** 62n, leaderEpoch: 7, metadata: 'grüße' });
    expect(harness.machine.offsetsOf('group')!.get('b', 0)).toMatchObject({ commitTimestampMs: 5 });
  });

  it('may bear any time and any retention that old clients say', () => {
    const harness = new CoordinatorHarness();
    const at = (commitTimestampMs: number) => [
      { topic: 'topic', partition: 0, offset: 1n, leaderEpoch: -1, metadata: '', commitTimestampMs },
    ];
    for (const commitTimestampMs of [-2, -(2 ** 63), 2 ** 63]) {
      expect(harness.commit(0, { partitions: at(commitTimestampMs) }).value.errorCodes).toEqual([0]);
      expect(harness.machine.offsetsOf('group')!.get('topic', 0)!.commitTimestampMs).toBe(harness.now.date);
    }
    for (const retentionMs of [2 ** 63, -(2 ** 63)]) expect(harness.commit(2, { retentionMs }).value.errorCodes).toEqual([0]);
    harness.restart();
    harness.expire();
    expect(harness.offset()).toBe(2);
  });

  it('of a simple consumer make a group of their own; with a generation they do not', () => {
    const harness = new CoordinatorHarness();
    expect(harness.commit(1).value.errorCodes).toEqual([0]);
    expect([...harness.machine.list()]).toEqual([{ groupId: 'group', protocolType: '', state: 'Empty' }]);
    expect(harness.commit(1, { groupId: 'other', generationId: 3, memberId: 'm' }).value.errorCodes).toEqual([
      ErrorCode.GROUP_ID_NOT_FOUND,
    ]);
    expect(harness.commit(1, { groupId: 'other', generationId: 3, memberId: 'm', knowsGroupIdNotFound: false }).value.errorCodes).toEqual([
      ErrorCode.ILLEGAL_GENERATION,
    ]);
  });

  it('come from members of the generation alone while the group has members', () => {
    const harness = new CoordinatorHarness();
    const { memberIds, generationId } = harness.stableGroup(1);
    const memberId = memberIds[0]!;
    const code = (request: object) => harness.commit(9, request).value.errorCodes[0];
    expect(code({})).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
    expect(code({ memberId, generationId: generationId - 1 })).toBe(ErrorCode.ILLEGAL_GENERATION);
    expect(code({ memberId: 'nobody', generationId })).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
    expect(code({ memberId, generationId, groupInstanceId: 'nobody' })).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
    expect(harness.offset()).toBeUndefined();
    expect(code({ memberId, generationId })).toBe(0);
    harness.leave(memberId);
    expect(code({})).toBe(0);
  });

  it('are taken from the old generation while members are joining, and not while the assignment is made', () => {
    const harness = new CoordinatorHarness();
    const { memberIds, generationId } = harness.stableGroup(2);
    harness.join({ memberId: memberIds[0]! });
    expect(harness.state()).toBe('PreparingRebalance');
    expect(harness.commit(5, { memberId: memberIds[1]!, generationId }).value.errorCodes).toEqual([0]);
    harness.join({ memberId: memberIds[1]! });
    expect(harness.state()).toBe('CompletingRebalance');
    expect(harness.commit(6, { memberId: memberIds[1]!, generationId: generationId + 1 }).value.errorCodes).toEqual([
      ErrorCode.REBALANCE_IN_PROGRESS,
    ]);
  });

  it('may have metadata of offset.metadata.max.bytes, counted in bytes; the others of the request stand', () => {
    const harness = new CoordinatorHarness({ offsetMetadataBytesMax: 4 });
    const partition = (index: number, metadata: string) => ({
      topic: 't',
      partition: index,
      offset: 1n,
      leaderEpoch: -1,
      metadata,
      commitTimestampMs: -1,
    });
    const partitions = [partition(0, '1234'), partition(1, '12345'), partition(2, 'üüü')];
    expect(harness.commit(0, { partitions }).value.errorCodes).toEqual([
      0,
      ErrorCode.OFFSET_METADATA_TOO_LARGE,
      ErrorCode.OFFSET_METADATA_TOO_LARGE,
    ]);
    expect([harness.offset('t', 0), harness.offset('t', 1)]).toEqual([1, undefined]);
    expect(harness.commit(0, { groupId: 'none', partitions: [partition(1, '12345')] }).value.errorCodes).toEqual([
      ErrorCode.OFFSET_METADATA_TOO_LARGE,
    ]);
    expect([...harness.machine.groupIds()]).toEqual(['group']);
  });

  it('take memory within the budget; a commit that needs no more is taken when it is used up', () => {
    const harness = new CoordinatorHarness({}, 2048);
    harness.commit(1, {}, 'topic', 0);
    for (let partition = 1; partition < 10; partition++) harness.commit(1, {}, 'topic', partition);
    expect(harness.commit(1, {}, 'topic', 99).value.errorCodes).toEqual([ErrorCode.COORDINATOR_NOT_AVAILABLE]);
    expect(harness.commit(2, {}, 'topic', 0).value.errorCodes).toEqual([0]);
    expect(harness.budget.bytes).toBeLessThanOrEqual(2048);
  });
});

describe('deleting', () => {
  it('OffsetDelete deletes offsets of an empty group, and of topics its consumers do not read', () => {
    const harness = new CoordinatorHarness();
    const { memberIds, generationId } = harness.stableGroup(1, { protocols: [{ name: 'range', metadata: subscription('read') }] });
    harness.commit(1, { memberId: memberIds[0]!, generationId }, 'read');
    harness.commit(1, { memberId: memberIds[0]!, generationId }, 'old');
    const both = [
      { topic: 'read', partition: 0 },
      { topic: 'old', partition: 0 },
      { topic: 'never', partition: 0 },
    ];
    expect(harness.deleteOffsets(both).value).toEqual({ errorCode: 0, errorCodes: [ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC, 0, 0] });
    expect([harness.offset('read'), harness.offset('old')]).toEqual([1, undefined]);
    harness.leave(memberIds[0]!);
    expect(harness.deleteOffsets(both).value).toEqual({ errorCode: 0, errorCodes: [0, 0, 0] });
    expect(harness.offset('read')).toBeUndefined();
    harness.restart();
    expect(harness.offset('read')).toBeUndefined();
  });

  it('OffsetDelete is refused for groups that are not there, or whose members are no consumers', () => {
    const harness = new CoordinatorHarness();
    const partitions = [{ topic: 't', partition: 0 }];
    expect(harness.deleteOffsets(partitions).value.errorCode).toBe(ErrorCode.GROUP_ID_NOT_FOUND);
    expect(harness.deleteOffsets(partitions, '').value.errorCode).toBe(ErrorCode.INVALID_GROUP_ID);
    harness.stableGroup(1, { protocolType: 'connect' });
    expect(harness.deleteOffsets(partitions).value.errorCode).toBe(ErrorCode.NON_EMPTY_GROUP);
  });

  it('DeleteGroups deletes an empty group with its offsets, and no other', () => {
    const harness = new CoordinatorHarness();
    const { memberIds, generationId } = harness.stableGroup(1);
    harness.commit(1, { memberId: memberIds[0]!, generationId });
    expect(harness.deleteGroup('other').value).toBe(ErrorCode.GROUP_ID_NOT_FOUND);
    expect(harness.deleteGroup().value).toBe(ErrorCode.NON_EMPTY_GROUP);
    harness.leave(memberIds[0]!);
    expect(harness.deleteGroup().value).toBe(0);
    expect([...harness.machine.groupIds()]).toEqual([]);
    expect(harness.budget.bytes).toBe(0);
    harness.restart();
    expect([...harness.machine.groupIds()]).toEqual([]);
  });

  it('covers commits that are on their way', () => {
    const harness = new CoordinatorHarness();
    harness.holdWrites = true;
    harness.commit(1);
    const byPartition = harness.deleteOffsets([{ topic: 'topic', partition: 0 }]);
    harness.commit(2, {}, 'topic', 1);
    const whole = harness.deleteGroup();
    harness.releaseAll();
    expect([byPartition.value.errorCode, whole.value]).toEqual([0, 0]);
    expect([...harness.machine.groupIds()]).toEqual([]);
    expect([...harness.freshCopy().groupIds()]).toEqual([]);
  });

  it('does not touch what comes while it is on its way', () => {
    const harness = new CoordinatorHarness();
    harness.commit(1);
    harness.holdWrites = true;
    harness.deleteGroup();
    harness.commit(2);
    const join = harness.join({ ...JOIN, needsKnownMemberId: false });
    harness.releaseAll();
    expect(harness.offset()).toBe(2);
    harness.advance(6100);
    expect(join.value).toMatchObject({ errorCode: 0, generationId: 1 });
    expect(survivors(harness.freshCopy())).toMatchObject({ group: { offsets: ['topic-0 2 -1 '] } });
  });

  it('a generation that comes and goes while the group is being deleted leaves no members behind', () => {
    const harness = new CoordinatorHarness({ initialRebalanceDelayMs: 0 });
    const { memberIds } = harness.stableGroup(1);
    harness.leave(memberIds[0]!);
    harness.holdWrites = true;
    const deleted = harness.deleteGroup();
    const join = harness.join({ needsKnownMemberId: false });
    harness.advance(20);
    const { memberId, generationId } = join.value;
    harness.sync({ memberId, generationId, assignments: [] });
    harness.leave(memberId);
    harness.releaseAll();
    expect(deleted.value).toBe(0);
    expect(harness.machine.describe('group')).toMatchObject({ state: 'Empty', members: [] });
    expect(harness.freshCopy().describe('group')).toMatchObject({ state: 'Empty', members: [], generation: generationId + 1 });
    harness.holdWrites = false;
    harness.expire();
    expect([...harness.machine.groupIds()]).toEqual([]);
  });

  it('that fails says so and deletes nothing', () => {
    const harness = new CoordinatorHarness();
    harness.commit(1);
    harness.holdWrites = true;
    const offsets = harness.deleteOffsets([{ topic: 'topic', partition: 0 }]);
    const group = harness.deleteGroup();
    harness.release(ErrorCode.NOT_ENOUGH_REPLICAS);
    harness.release(ErrorCode.KAFKA_STORAGE_ERROR);
    expect(offsets.value).toEqual({ errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE, errorCodes: [] });
    expect(group.value).toBe(ErrorCode.NOT_COORDINATOR);
    expect(harness.offset()).toBe(1);
  });

  it('a deleted topic takes its offsets along in every group', () => {
    const harness = new CoordinatorHarness();
    harness.commit(1, {}, 'gone', 0);
    harness.commit(1, {}, 'gone', 5);
    harness.commit(1, {}, 'stays');
    harness.holdWrites = true;
    harness.commit(2, {}, 'gone', 6);
    const told: number[] = [];
    for (const topic of ['gone', 'unknown']) harness.machine.forgetTopic('group', topic, (errorCode) => void told.push(errorCode));
    harness.run();
    expect(told).toEqual([0]);
    harness.releaseAll();
    expect(told).toEqual([0, 0]);
    expect([harness.offset('gone', 0), harness.offset('gone', 5), harness.offset('gone', 6), harness.offset('stays')]).toEqual([
      undefined,
      undefined,
      undefined,
      1,
    ]);
  });
});

describe('expiry', () => {
  it('offsets of an empty group expire a while after it became empty, and the group with them', () => {
    const harness = new CoordinatorHarness();
    const { memberIds, generationId } = harness.stableGroup(1);
    harness.commit(1, { memberId: memberIds[0]!, generationId });
    for (let day = 0; day < 30; day++) {
      harness.nowMs += 24 * 3_600_000;
      harness.expire();
    }
    // Nobody turned the clock of the timers: the member is still there, and reads the topic.
    expect(harness.offset()).toBe(1);
    harness.leave(memberIds[0]!);
    harness.nowMs += WEEK_MS - 1;
    harness.expire();
    expect(harness.offset()).toBe(1);
    harness.nowMs += 1;
    harness.expire();
    expect([...harness.machine.groupIds()]).toEqual([]);
    harness.restart();
    expect([...harness.machine.groupIds()]).toEqual([]);
  });

  it('counts from when the group became empty also over a restart', () => {
    const harness = new CoordinatorHarness();
    const { memberIds, generationId } = harness.stableGroup(1);
    harness.commit(1, { memberId: memberIds[0]!, generationId });
    harness.nowMs += WEEK_MS;
    harness.leave(memberIds[0]!);
    harness.restart();
    harness.nowMs += WEEK_MS - 1;
    harness.expire();
    expect(harness.offset()).toBe(1);
    harness.nowMs += 1;
    harness.expire();
    expect(harness.offset()).toBeUndefined();
  });

  it('in a stable group offsets of topics that nobody reads any more expire a while after their commit', () => {
    const harness = new CoordinatorHarness();
    const { memberIds, generationId } = harness.stableGroup(1, { protocols: [{ name: 'range', metadata: subscription('read') }] });
    harness.commit(1, { memberId: memberIds[0]!, generationId }, 'read');
    harness.commit(1, { memberId: memberIds[0]!, generationId }, 'old');
    harness.nowMs += WEEK_MS;
    harness.expire();
    expect([harness.offset('read'), harness.offset('old')]).toEqual([1, undefined]);
  });

  it('without a group around them they expire a while after their commit, each on its own', () => {
    const harness = new CoordinatorHarness();
    harness.commit(1, {}, 'a');
    harness.nowMs += 1000;
    harness.commit(1, {}, 'b');
    harness.nowMs += WEEK_MS - 1000;
    harness.expire();
    expect([harness.offset('a'), harness.offset('b')]).toEqual([undefined, 1]);
    harness.nowMs += 1000;
    harness.expire();
    expect([...harness.machine.groupIds()]).toEqual([]);
    expect(harness.budget.bytes).toBe(0);
  });

  it('a retention that an old client asked for counts instead', () => {
    const harness = new CoordinatorHarness();
    harness.commit(1, { retentionMs: 5000 });
    harness.restart();
    harness.nowMs += 4999;
    harness.expire();
    expect(harness.offset()).toBe(1);
    harness.nowMs += 1;
    harness.expire();
    expect(harness.offset()).toBeUndefined();
  });

  it('what is being committed does not expire', () => {
    const harness = new CoordinatorHarness();
    harness.commit(1);
    harness.nowMs += WEEK_MS;
    harness.holdWrites = true;
    const commit = harness.commit(2);
    harness.expire();
    harness.releaseAll();
    expect([commit.value.errorCodes, harness.offset()]).toEqual([[0], 2]);
  });

  it('while a group is rebalancing nothing expires', () => {
    const harness = new CoordinatorHarness();
    const { memberIds, generationId } = harness.stableGroup(2);
    harness.commit(1, { memberId: memberIds[0]!, generationId }, 'old');
    harness.join({ memberId: memberIds[0]! });
    harness.nowMs += WEEK_MS;
    harness.expire();
    expect(harness.offset('old')).toBe(1);
  });
});
