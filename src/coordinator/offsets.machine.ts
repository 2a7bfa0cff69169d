/**
 * Committed offsets: committing, deleting, expiring. One instance for the groups of a partition.
 *
 * An offset changes when its record is replayed, which is after the record is secured. So what OffsetFetch shows cannot vanish, and a record that could not
 * be appended leaves nothing behind. Between the two a commit is known to deletions only (see `group-offsets.ts`).
 */
import { ErrorCode } from '../protocol/errors.ts';
import { commitErrorOf, groupErrorOf } from './append-errors.ts';
import type { ClassicGroup } from './classic-group.ts';
import type { Instant, Ticket } from './effects.ts';
import { GROUP_BYTES } from './group-budget.ts';
import type { GroupContext } from './group-context.ts';
import { offsetBytes } from './group-offsets.ts';
import type { CommittedOffset, CoordinatorRecord, OffsetRecord } from './group-records.ts';
import type {
  CommitAnswer,
  CommitPartition,
  CommitRequest,
  MemberIdentity,
  OffsetDeleteAnswer,
  OffsetDeleteRequest,
  PartitionName,
} from './group-requests.ts';
import { TEXT_LENGTH_MAX } from './group-settings.ts';
import type { Rebalance } from './rebalance.machine.ts';

/** See the file header. */
export class Offsets {
  private readonly context: GroupContext;
  private readonly rebalance: Rebalance;

  constructor(context: GroupContext, rebalance: Rebalance) {
    this.context = context;
    this.rebalance = rebalance;
  }

  commit(request: CommitRequest, ticket: Ticket<CommitAnswer>, now: Instant): void {
    const { effects, settings } = this.context.host;
    const known = this.context.groups.get(request.groupId);
    const problem = known === undefined ? unknownGroupProblem(request) : commitProblem(known, request);
    const refuseAll = (errorCode: number): void => effects.answer(ticket, { errorCodes: request.partitions.map(() => errorCode) });
    if (problem !== ErrorCode.NONE) return refuseAll(problem);
    if (!this.hasRoom(known, request)) return refuseAll(ErrorCode.COORDINATOR_NOT_AVAILABLE);
    if (known !== undefined) this.hearCommitter(known, request.memberId, now);
    const group = known ?? this.context.groupOrNew(request.groupId);
    const errorCodes = request.partitions.map(({ metadata }) =>
      Buffer.byteLength(metadata) > settings.offsetMetadataBytesMax ? ErrorCode.OFFSET_METADATA_TOO_LARGE : ErrorCode.NONE,
    );
    const taken = request.partitions.filter((_, index) => errorCodes[index] === ErrorCode.NONE);
    if (taken.length === 0) {
      this.context.maybeForget(group);
      return effects.answer(ticket, { errorCodes });
    }
    const records = taken.map((partition) => recordOf(request, partition, now));
    for (const { topic, partition } of taken) group.offsets.begin(topic, partition);
    const settle = (errorCode: number): void => {
      for (const { topic, partition } of taken) group.offsets.end(topic, partition);
      const failure = commitErrorOf(errorCode);
      effects.answer(ticket, {
        errorCodes: failure === ErrorCode.NONE ? errorCodes : errorCodes.map((code) => (code === ErrorCode.NONE ? failure : code)),
      });
    };
    this.context.write(group, records, settle);
  }

  /** OffsetDelete. */
  delete(request: OffsetDeleteRequest, ticket: Ticket<OffsetDeleteAnswer>): void {
    const { effects } = this.context.host;
    const group = this.context.groups.get(request.groupId);
    const problem = deleteProblem(request.groupId, group);
    if (problem !== ErrorCode.NONE || group === undefined) return effects.answer(ticket, { errorCode: problem, errorCodes: [] });
    const errorCodes = request.partitions.map(({ topic }) =>
      group.isSubscribedTo(topic) ? ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC : ErrorCode.NONE,
    );
    const records: CoordinatorRecord[] = [];
    for (const [index, { topic, partition }] of request.partitions.entries()) {
      if (errorCodes[index] === ErrorCode.NONE && group.offsets.has(topic, partition))
        records.push(tombstone(request.groupId, topic, partition));
    }
    if (records.length === 0) return effects.answer(ticket, { errorCode: ErrorCode.NONE, errorCodes });
    const settle = (errorCode: number): void => {
      const failure = groupErrorOf(errorCode);
      effects.answer(ticket, { errorCode: failure, errorCodes: failure === ErrorCode.NONE ? errorCodes : [] });
    };
    this.context.write(group, records, settle);
  }

  /** DeleteGroups, one of them; the answer is its code. */
  deleteGroup(groupId: string, ticket: Ticket<number>): void {
    const { effects } = this.context.host;
    const group = this.context.groups.get(groupId);
    if (group === undefined) return effects.answer(ticket, ErrorCode.GROUP_ID_NOT_FOUND);
    if (group.state !== 'Empty') return effects.answer(ticket, ErrorCode.NON_EMPTY_GROUP);
    const records: CoordinatorRecord[] = [...tombstones(groupId, group.offsets.all()), { kind: 'group', groupId, value: null }];
    this.context.write(group, records, (errorCode) => effects.answer(ticket, groupErrorOf(errorCode)));
  }

  /**
   * Deletes what of a group has expired, the group itself if nothing is left of an empty one. Kafka's rule: an offset expires a while after its group became
   * empty; where consumers are at work, a while after its commit if nobody is subscribed to its topic; without a group around it, a while after its commit.
   */
  expire(groupId: string, now: Instant): void {
    const group = this.context.groups.get(groupId);
    if (group === undefined) return;
    const { offsets } = group;
    const since = expiryBase(group);
    const records: CoordinatorRecord[] = [];
    let kept = 0;
    for (const topic of offsets.topicNames()) {
      const isHeld = since === null || group.isSubscribedTo(topic);
      for (const [partition, committed] of offsets.ofTopic(topic)) {
        // What is on its way is young.
        if (isHeld || offsets.isUnderWay(topic, partition) || !this.isExpired(committed, since(committed), now)) kept++;
        else records.push(tombstone(groupId, topic, partition));
      }
    }
    const isLeftover = group.state === 'Empty' && kept === 0 && !offsets.hasUnderWay && group.pendingMembers.size === 0;
    if (isLeftover && group.isStored) records.push({ kind: 'group', groupId, value: null });
    if (records.length > 0) this.context.write(group, records);
  }

  /** The topic is gone for good: so is what was committed for it. `settle` hears of the outcome, at once where there is nothing to delete. */
  forgetTopic(groupId: string, topic: string, settle: (errorCode: number) => void): void {
    const group = this.context.groups.get(groupId);
    const records = group === undefined ? [] : tombstones(groupId, group.offsets.allOf(topic));
    if (group === undefined || records.length === 0) settle(ErrorCode.NONE);
    else this.context.write(group, records, settle);
  }

  /** From replay. */
  replay({ groupId, topic, partition, value }: OffsetRecord): void {
    if (value !== null) return this.context.groupOrNew(groupId).offsets.set(topic, partition, value);
    const group = this.context.groups.get(groupId);
    if (group === undefined) return;
    group.offsets.delete(topic, partition);
    this.context.maybeForget(group);
  }

  /** A commit is a sign of life, except while the group waits for assignments. */
  private hearCommitter(group: ClassicGroup, memberId: string, now: Instant): void {
    const member = group.members.get(memberId);
    if (member === undefined || member.isNew || group.state === 'CompletingRebalance') return;
    this.rebalance.hear(group, member, now);
  }

  private hasRoom(group: ClassicGroup | undefined, { partitions }: CommitRequest): boolean {
    let added = group === undefined ? GROUP_BYTES : 0;
    for (const { topic, partition, metadata } of partitions) {
      const before = group?.offsets.get(topic, partition);
      added += offsetBytes(topic, metadata) - (before === undefined ? 0 : offsetBytes(topic, before.metadata));
    }
    return added <= 0 || this.context.host.budget.hasRoom(added);
  }

  private isExpired(committed: CommittedOffset, sinceMs: number, now: Instant): boolean {
    if (committed.expireTimestampMs !== -1) return now.date >= committed.expireTimestampMs;
    return now.date - sinceMs >= this.context.host.settings.offsetsRetentionMs;
  }
}

/** Since when an offset of the group is on its own; null: none of them is. */
function expiryBase(group: ClassicGroup): ((committed: CommittedOffset) => number) | null {
  if (group.protocolType === null) return (committed) => committed.commitTimestampMs;
  if (group.state === 'Empty') return (committed) => (group.stateSinceMs === -1 ? committed.commitTimestampMs : group.stateSinceMs);
  if (group.state === 'Stable' && group.subscribed !== null) return (committed) => committed.commitTimestampMs;
  return null;
}

/** Only commits from outside of any group make one. */
function unknownGroupProblem({ groupId, generationId, knowsGroupIdNotFound }: CommitRequest): number {
  if (groupId.length > TEXT_LENGTH_MAX) return ErrorCode.INVALID_GROUP_ID;
  if (generationId < 0) return ErrorCode.NONE;
  return knowsGroupIdNotFound ? ErrorCode.GROUP_ID_NOT_FOUND : ErrorCode.ILLEGAL_GENERATION;
}

/** Why whoever speaks may not commit for the group, or NONE. */
function commitProblem(group: ClassicGroup, { memberId, groupInstanceId, generationId }: MemberIdentity): number {
  // From outside: an administrator, or a consumer that assigns partitions to itself.
  if (generationId < 0 && group.state === 'Empty') return ErrorCode.NONE;
  if (generationId < 0 && memberId === '' && groupInstanceId === null) return ErrorCode.UNKNOWN_MEMBER_ID;
  const problem = group.memberProblem(memberId, groupInstanceId);
  if (problem !== ErrorCode.NONE) return problem;
  if (generationId !== group.generation) return ErrorCode.ILLEGAL_GENERATION;
  // The member has heard of a generation whose assignment it does not have yet.
  return group.state === 'CompletingRebalance' ? ErrorCode.REBALANCE_IN_PROGRESS : ErrorCode.NONE;
}

function deleteProblem(groupId: string, group: ClassicGroup | undefined): number {
  if (groupId === '') return ErrorCode.INVALID_GROUP_ID;
  if (group === undefined) return ErrorCode.GROUP_ID_NOT_FOUND;
  return group.state !== 'Empty' && !group.isConsumers ? ErrorCode.NON_EMPTY_GROUP : ErrorCode.NONE;
}

function recordOf({ groupId, retentionMs }: CommitRequest, committed: CommitPartition, now: Instant): OffsetRecord {
  const { topic, partition, offset, leaderEpoch, metadata, commitTimestampMs } = committed;
  const value = {
    offset,
    leaderEpoch,
    metadata,
    // Old clients may say any number.
    commitTimestampMs: commitTimestampMs >= 0 && Number.isSafeInteger(commitTimestampMs) ? commitTimestampMs : now.date,
    expireTimestampMs: retentionMs < 0 ? -1 : Math.min(now.date + retentionMs, Number.MAX_SAFE_INTEGER),
  };
  return { kind: 'offset', groupId, topic, partition, value };
}

function tombstone(groupId: string, topic: string, partition: number): OffsetRecord {
  return { kind: 'offset', groupId, topic, partition, value: null };
}

function tombstones(groupId: string, partitions: Iterable<PartitionName>): OffsetRecord[] {
  return Array.from(partitions, ({ topic, partition }) => tombstone(groupId, topic, partition));
}
