/**
 * The groups of one partition of `__consumer_offsets`: every request, the replay of its records, its timers. Kafka's name for it is a coordinator shard.
 *
 *     request ──► handler ──► answers, writes ──► (host: append, secure) ──► replay each record ──► settle ──► answers
 *     start   ──► replay every record of the log ──► becomeActive
 *
 * Why records are replayed only once they are secured: nothing has to be taken back when an append fails, and nobody is shown what could vanish. The price
 * is that a handler does not see what is on its way; the two places where that matters know it by themselves (deletions of offsets, the storing of assignments).
 *
 * What lies in the log is always a state that was whole: a generation with all its assignments, or an empty group. A coordinator that starts from it finds
 * members that may be ahead of it by a rebalance; they are told (unknown member, illegal generation) and join again.
 */
import type { ClassicGroup } from './classic-group.ts';
import type { Instant, Ticket } from './effects.ts';
import { GroupContext, type GroupHost } from './group-context.ts';
import type { GroupOffsets } from './group-offsets.ts';
import type { CoordinatorRecord, GroupRecord } from './group-records.ts';
import type {
  CommitAnswer,
  CommitRequest,
  DescribedGroup,
  JoinAnswer,
  JoinRequest,
  LeaveAnswer,
  LeaveRequest,
  ListedGroup,
  MemberIdentity,
  OffsetDeleteAnswer,
  OffsetDeleteRequest,
  SyncAnswer,
  SyncRequest,
} from './group-requests.ts';
import { Joining } from './join.machine.ts';
import { Membership } from './membership.machine.ts';
import { Offsets } from './offsets.machine.ts';
import { Rebalance } from './rebalance.machine.ts';

/** A group as it is now, to be looked at and not kept. */
export interface WatchedGroup extends Pick<ClassicGroup, 'groupId' | 'state'> {
  readonly members: { readonly size: number };
  /** Secured ones. */
  readonly offsets: Pick<GroupOffsets, 'topicNames' | 'ofTopic' | 'countOf'>;
}

/** See the file header. */
export class GroupPartition {
  /** Before, records are being loaded and no request is taken. */
  private isActive = false;
  private readonly context: GroupContext;
  private readonly rebalance: Rebalance;
  private readonly joining: Joining;
  private readonly membership: Membership;
  private readonly offsets: Offsets;

  constructor(partition: number, host: GroupHost) {
    this.context = new GroupContext(partition, host);
    this.rebalance = new Rebalance(this.context);
    this.joining = new Joining(this.context, this.rebalance);
    this.membership = new Membership(this.context, this.rebalance);
    this.offsets = new Offsets(this.context, this.rebalance);
  }

  // Requests. Those that take a ticket answer through the effects, now or later.

  join(request: JoinRequest, ticket: Ticket<JoinAnswer>, now: Instant): void {
    this.joining.join(request, ticket, now);
  }

  sync(request: SyncRequest, ticket: Ticket<SyncAnswer>): void {
    this.membership.sync(request, ticket);
  }

  /** Returns the code to answer with. */
  heartbeat(request: MemberIdentity, now: Instant): number {
    return this.membership.heartbeat(request, now);
  }

  leave(request: LeaveRequest, now: Instant): LeaveAnswer {
    return this.membership.leave(request, now);
  }

  commit(request: CommitRequest, ticket: Ticket<CommitAnswer>, now: Instant): void {
    this.offsets.commit(request, ticket, now);
  }

  deleteOffsets(request: OffsetDeleteRequest, ticket: Ticket<OffsetDeleteAnswer>): void {
    this.offsets.delete(request, ticket);
  }

  /** The answer is a code. */
  deleteGroup(groupId: string, ticket: Ticket<number>): void {
    this.offsets.deleteGroup(groupId, ticket);
  }

  /** The secured offsets of a group; undefined if there is no such group. */
  offsetsOf(groupId: string): Pick<GroupOffsets, 'get' | 'topicNames' | 'ofTopic'> | undefined {
    return this.context.groups.get(groupId)?.offsets;
  }

  describe(groupId: string): DescribedGroup | undefined {
    const group = this.context.groups.get(groupId);
    return group === undefined ? undefined : described(group);
  }

  *list(): Generator<ListedGroup, void, undefined> {
    for (const { groupId, protocolType, state } of this.context.groups.values()) yield { groupId, protocolType: protocolType ?? '', state };
  }

  // What is not asked for by a client.

  groupIds(): IterableIterator<string> {
    return this.context.groups.keys();
  }

  /** All groups. They may come, go and change between two steps of who goes through them. */
  watched(): IterableIterator<WatchedGroup> {
    return this.context.groups.values();
  }

  get groupCount(): number {
    return this.context.groups.size;
  }

  /** Deletes what of a group has expired. */
  expire(groupId: string, now: Instant): void {
    this.offsets.expire(groupId, now);
  }

  /** Deletes what a group has committed for a topic that is gone. `settle` is told of the outcome. */
  forgetTopic(groupId: string, topic: string, settle: (errorCode: number) => void): void {
    this.offsets.forgetTopic(groupId, topic, settle);
  }

  /** Takes what a secured record says, in the order of the log: the one place where anything changes that survives a restart. */
  replay(record: CoordinatorRecord, now: Instant): void {
    if (record.kind === 'offset') this.offsets.replay(record);
    else this.replayGroup(record, now);
  }

  /** All records are replayed: requests may come. Members of stable groups have a session's time to be heard from. */
  becomeActive(now: Instant): void {
    this.isActive = true;
    const { groupSizeMax } = this.context.host.settings;
    for (const group of this.context.groups.values()) {
      for (const member of group.members.values()) this.rebalance.hear(group, member, now);
      // The limit is another one than it was: some will not get back in.
      if (group.members.size > groupSizeMax) this.rebalance.begin(group, now);
    }
  }

  private replayGroup({ groupId, value }: GroupRecord, now: Instant): void {
    const group = this.context.groups.get(groupId);
    if (value === null) {
      if (group === undefined) return;
      if (!this.isActive) group.restore({ protocolType: '', generation: 0, protocol: null, leader: null, stateSinceMs: -1, members: [] });
      group.becomeUnstored();
      this.context.maybeForget(group);
    } else if (this.isActive && group !== undefined) {
      group.isStored = true;
      if (value.members.length > 0) this.rebalance.maybeBecomeStable(group, value, now);
      else if (group.state === 'Empty') group.becomeStoredEmpty(value);
    } else this.context.groupOrNew(groupId).restore(value);
  }
}

function described(group: ClassicGroup): DescribedGroup {
  const isStable = group.state === 'Stable';
  const members = Array.from(group.members.values(), (member) => {
    const stored = member.stored(group.protocolName, member.assignment);
    return isStable ? stored : { ...stored, subscription: NOTHING, assignment: NOTHING };
  });
  return {
    groupId: group.groupId,
    state: group.state,
    generation: group.generation,
    protocolType: group.protocolType ?? '',
    protocolName: isStable ? (group.protocolName ?? '') : '',
    members,
  };
}

/** What members want and have is not told while it changes. */
const NOTHING = new Uint8Array(0);
