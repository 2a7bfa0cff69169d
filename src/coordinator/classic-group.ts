/**
 * One classic group: its members, its generation, its offsets. What may happen when is said by the machines; here is what a group is and what always holds.
 *
 *                   ┌──────────────── all members gone ───────────────┐
 *                   ▼                                                 │
 *     Empty ── a member joins ──► PreparingRebalance ── all joined, or time is up ──► CompletingRebalance ── the assignment is stored ──► Stable
 *                                        ▲                                                   │                                              │
 *                                        └────────── a member joins, changes, leaves or is given up ────────────────────────────────────────┘
 *
 * Always: `awaitingJoins` members have a waiting JoinGroup; `offering.get(p)` members offer protocol p; the leader is a member; each instance id belongs to one.
 */
import { assert } from '../lib/assert.ts';
import type { Timer } from '../lib/timer-wheel.ts';
import { ErrorCode } from '../protocol/errors.ts';
import { ClassicMember, NO_BYTES } from './classic-member.ts';
import { GROUP_BYTES, PENDING_MEMBER_BYTES, type GroupBudget } from './group-budget.ts';
import { GroupOffsets } from './group-offsets.ts';
import type { GroupRecord, StoredGroup } from './group-records.ts';
import type { MemberProtocol } from './group-requests.ts';
import { CONSUMER_PROTOCOL_TYPE, subscribedTopics } from './subscribed-topics.ts';

/** Kafka's names, as tools show them. */
export type GroupState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable';

/** Generations are int32 on the wire. */
const GENERATION_MAX = 2_147_483_647;

/** State → the states it may be entered from. */
const ENTERED_FROM: Readonly<Record<GroupState, readonly GroupState[]>> = {
  Empty: ['PreparingRebalance'],
  PreparingRebalance: ['Stable', 'CompletingRebalance', 'Empty'],
  CompletingRebalance: ['PreparingRebalance'],
  Stable: ['CompletingRebalance'],
};

/** See the file header. */
export class ClassicGroup {
  readonly groupId: string;
  readonly offsets: GroupOffsets;
  state: GroupState = 'Empty';
  previousState: GroupState = 'Empty';
  /** Since when it is in this state, in ms since 1970; −1: unknown. */
  stateSinceMs = -1;
  generation = 0;
  /** Null until it has had a member: then it is a group for offsets alone. */
  protocolType: string | null = null;
  protocolName: string | null = null;
  leaderId: string | null = null;
  /** Topics of its consumers in this generation; null where nobody can tell. */
  subscribed: ReadonlySet<string> | null = null;
  readonly members = new Map<string, ClassicMember>();
  /** Ids given to members that have not joined with them yet, and when they are given up. */
  readonly pendingMembers = new Map<string, number>();
  /** Members of the generation that have not sent SyncGroup yet. */
  readonly pendingSync = new Set<string>();
  awaitingJoins = 0;
  /** A record of it is in the log: it cannot be forgotten without a tombstone. */
  isStored = false;
  /** Writes of the group that are not settled. */
  writesUnderWay = 0;
  /** The assignments of this generation are on their way to the log. */
  isStoring = false;
  /** When the rebalance goes on without those who have not joined. */
  joinDeadlineMs = Infinity;
  /** When the initial delay ends however many still come; −1: it is over, or there was none. */
  initialDelayEndMs = -1;
  /** When the last new member came during the initial delay. */
  lastJoinMs = -1;
  /** When members that have not sent SyncGroup are given up. */
  syncDeadlineMs = Infinity;
  /** The one timer of the group: fires no later than its earliest deadline. */
  timer: Timer | null = null;
  timerDueMs = Infinity;
  private readonly staticMembers = new Map<string, string>();
  /** How many members offer each protocol. */
  private readonly offering = new Map<string, number>();
  private readonly budget: GroupBudget;

  constructor(groupId: string, budget: GroupBudget) {
    this.groupId = groupId;
    this.budget = budget;
    this.offsets = new GroupOffsets(budget);
    budget.add(GROUP_BYTES + 2 * groupId.length);
  }

  /** Nothing of it is in memory any more. */
  release(): void {
    assert(this.offsets.isEmpty && this.members.size === 0 && this.pendingMembers.size === 0, 'only an empty group is forgotten');
    this.budget.add(-(GROUP_BYTES + 2 * this.groupId.length));
  }

  /** Takes the state of a stored generation: while the log is being loaded. */
  restore(stored: StoredGroup): void {
    for (const memberId of this.members.keys()) this.remove(memberId);
    this.generation = stored.generation;
    this.protocolType = stored.protocolType === '' ? null : stored.protocolType;
    this.protocolName = stored.protocol;
    this.stateSinceMs = stored.stateSinceMs;
    this.leaderId = null;
    // While the group is empty any protocol will do.
    this.state = 'Empty';
    for (const member of stored.members) {
      // What a log says is not for us to assert.
      if (this.members.has(member.memberId) || this.staticMembers.has(member.groupInstanceId ?? '')) continue;
      const protocols = [{ name: stored.protocol ?? '', metadata: member.subscription }];
      const restored = new ClassicMember({ ...member, protocols });
      restored.assignment = member.assignment;
      restored.isUnheard = true;
      this.add(restored, stored.protocolType);
    }
    this.leaderId = stored.leader !== null && this.members.has(stored.leader) ? stored.leader : this.leaderId;
    this.state = this.members.size === 0 ? 'Empty' : 'Stable';
    this.previousState = this.state;
    this.subscribed = this.computeSubscribed();
    this.isStored = true;
  }

  /** Its record was deleted: nothing is known of it but its offsets, if it has any. Members that came meanwhile go on, and generations count on. */
  becomeUnstored(): void {
    this.isStored = false;
    if (this.state !== 'Empty') return;
    this.protocolType = null;
    this.subscribed = null;
    this.stateSinceMs = -1;
  }

  /** It was stored without members, and has none: what is said of it then counts. */
  becomeStoredEmpty(stored: StoredGroup): void {
    this.protocolType = stored.protocolType === '' ? null : stored.protocolType;
    this.stateSinceMs = stored.stateSinceMs;
    this.subscribed = this.computeSubscribed();
  }

  get isConsumers(): boolean {
    return this.protocolType === CONSUMER_PROTOCOL_TYPE;
  }

  /** Whether consumers of the group read the topic; yes if nobody can tell. */
  isSubscribedTo(topic: string): boolean {
    return this.subscribed?.has(topic) ?? this.isConsumers;
  }

  becomeState(state: GroupState, date: number): void {
    assert(ENTERED_FROM[state].includes(this.state), `group ${this.groupId} goes from ${this.state} to ${state}`);
    this.previousState = this.state;
    this.state = state;
    this.stateSinceMs = date;
  }

  /** Whether a rebalance may begin. */
  get canRebalance(): boolean {
    return ENTERED_FROM.PreparingRebalance.includes(this.state);
  }

  get hasAllMembersJoined(): boolean {
    return this.members.size === this.awaitingJoins && this.pendingMembers.size === 0;
  }

  /** The longest rebalance timeout of its members. */
  get rebalanceTimeoutMs(): number {
    let longest = 0;
    for (const { rebalanceTimeoutMs } of this.members.values()) longest = Math.max(longest, rebalanceTimeoutMs);
    return longest;
  }

  isLeader(memberId: string): boolean {
    return this.leaderId === memberId;
  }

  /** The member with this instance id. */
  staticMemberId(groupInstanceId: string): string | undefined {
    return this.staticMembers.get(groupInstanceId);
  }

  /**
   * What is wrong with who speaks, or NONE. Whoever has the instance id of a member that has not spoken since the group was loaded is not fenced but unknown: it
   * may have taken over in a rebalance that was never stored. A client takes the first for its end, and joins anew on the second.
   */
  memberProblem(memberId: string, groupInstanceId: string | null): number {
    if (groupInstanceId !== null) {
      const current = this.members.get(this.staticMemberId(groupInstanceId) ?? '');
      if (current === undefined) return ErrorCode.UNKNOWN_MEMBER_ID;
      if (current.memberId !== memberId) return current.isUnheard ? ErrorCode.UNKNOWN_MEMBER_ID : ErrorCode.FENCED_INSTANCE_ID;
    }
    const member = this.members.get(memberId);
    if (member === undefined) return ErrorCode.UNKNOWN_MEMBER_ID;
    member.isUnheard = false;
    return ErrorCode.NONE;
  }

  /** Whether somebody with these protocols has one in common with all members. */
  supports(protocolType: string, protocols: readonly MemberProtocol[]): boolean {
    if (this.state === 'Empty') return protocolType !== '' && protocols.length > 0;
    return protocolType === this.protocolType && protocols.some(({ name }) => (this.offering.get(name) ?? 0) === this.members.size);
  }

  add(member: ClassicMember, protocolType: string): void {
    assert(!this.members.has(member.memberId), 'a member joins once');
    if (this.members.size === 0) this.protocolType = protocolType;
    if (member.groupInstanceId !== null) {
      assert(!this.staticMembers.has(member.groupInstanceId), 'an instance id belongs to one member');
      this.staticMembers.set(member.groupInstanceId, member.memberId);
    }
    this.leaderId ??= member.memberId;
    this.members.set(member.memberId, member);
    this.countProtocols(member, 1);
    if (member.awaitingJoin !== null) this.awaitingJoins++;
    this.budget.add(member.bytes);
    this.deletePending(member.memberId);
  }

  /** Removes a member, or an id that was given out. Its requests have been answered. */
  remove(memberId: string): void {
    const member = this.members.get(memberId);
    if (member !== undefined) {
      this.members.delete(memberId);
      this.countProtocols(member, -1);
      if (member.awaitingJoin !== null) this.awaitingJoins--;
      if (member.groupInstanceId !== null) this.staticMembers.delete(member.groupInstanceId);
      this.budget.add(-member.bytes);
    }
    if (this.isLeader(memberId)) this.leaderId = this.members.keys().next().value ?? null;
    this.deletePending(memberId);
    this.pendingSync.delete(memberId);
  }

  /** Gives a static member another id, as its last act under the old one: whatever it waited for must have been answered. */
  replaceStatic(member: ClassicMember, newMemberId: string): ClassicMember {
    assert(
      member.groupInstanceId !== null && member.awaitingJoin === null && member.awaitingSync === null,
      'a fenced member waits for nothing',
    );
    const { groupInstanceId, clientId, clientHost, rebalanceTimeoutMs, sessionTimeoutMs, protocols } = member;
    const successor = new ClassicMember({
      memberId: newMemberId,
      groupInstanceId,
      clientId,
      clientHost,
      rebalanceTimeoutMs,
      sessionTimeoutMs,
      protocols,
    });
    successor.assignment = member.assignment;
    this.budget.add(successor.bytes - member.bytes);
    this.members.delete(member.memberId);
    this.members.set(newMemberId, successor);
    this.pendingSync.delete(member.memberId);
    if (this.isLeader(member.memberId)) this.leaderId = newMemberId;
    this.staticMembers.set(member.groupInstanceId, newMemberId);
    return successor;
  }

  /** A member joins again, with what it offers now. */
  update(member: ClassicMember, protocols: readonly MemberProtocol[], rebalanceTimeoutMs: number, sessionTimeoutMs: number): void {
    this.budget.add(-member.bytes);
    this.countProtocols(member, -1);
    member.protocols = protocols;
    this.countProtocols(member, 1);
    this.budget.add(member.bytes);
    member.rebalanceTimeoutMs = rebalanceTimeoutMs;
    member.sessionTimeoutMs = sessionTimeoutMs;
  }

  assign(member: ClassicMember, assignment: Uint8Array): void {
    this.budget.add(assignment.length - member.assignment.length);
    member.assignment = assignment;
  }

  /** An id was given out. */
  addPending(memberId: string, deadlineMs: number): void {
    assert(!this.members.has(memberId) && !this.pendingMembers.has(memberId), 'an id is given out once');
    this.pendingMembers.set(memberId, deadlineMs);
    this.budget.add(PENDING_MEMBER_BYTES + 2 * memberId.length);
  }

  private deletePending(memberId: string): void {
    if (this.pendingMembers.delete(memberId)) this.budget.add(-(PENDING_MEMBER_BYTES + 2 * memberId.length));
  }

  /** Makes a member that has joined the leader if the leader has not. False: nobody has. */
  electJoinedLeader(): boolean {
    if (this.leaderId === null) return false;
    if (this.members.get(this.leaderId)?.awaitingJoin != null) return true;
    for (const member of this.members.values()) {
      if (member.awaitingJoin === null) continue;
      this.leaderId = member.memberId;
      return true;
    }
    return false;
  }

  /** Begins the next generation with the members there are. */
  beginGeneration(date: number): void {
    this.generation = this.generation === GENERATION_MAX ? 1 : this.generation + 1;
    this.isStoring = false;
    this.pendingSync.clear();
    if (this.members.size === 0) {
      this.protocolName = null;
      this.becomeState('Empty', date);
    } else {
      this.protocolName = this.selectProtocol();
      this.becomeState('CompletingRebalance', date);
    }
    this.subscribed = this.computeSubscribed();
  }

  /** The protocol that most members prefer among those that all of them offer. */
  selectProtocol(): string {
    const candidates = new Set<string>();
    for (const [name, count] of this.offering) if (count === this.members.size) candidates.add(name);
    const votes = new Map<string, number>();
    let winner = '';
    for (const member of this.members.values()) {
      const choice = member.vote(candidates);
      assert(choice !== undefined, 'who joined has a protocol in common with all');
      const count = (votes.get(choice) ?? 0) + 1;
      votes.set(choice, count);
      if (count > (votes.get(winner) ?? 0)) winner = choice;
    }
    return winner;
  }

  /** The record of this generation. @param assignments by member; null: those that are in force */
  record(assignments: ReadonlyMap<string, Uint8Array> | null): GroupRecord {
    const members = Array.from(this.members.values(), (member) =>
      member.stored(this.protocolName, assignments === null ? member.assignment : (assignments.get(member.memberId) ?? NO_BYTES)),
    );
    return {
      kind: 'group',
      groupId: this.groupId,
      value: {
        protocolType: this.protocolType ?? '',
        generation: this.generation,
        protocol: this.protocolName,
        leader: this.leaderId,
        stateSinceMs: this.stateSinceMs,
        members,
      },
    };
  }

  private countProtocols(member: ClassicMember, change: 1 | -1): void {
    for (const name of new Set(member.protocols.map((protocol) => protocol.name))) {
      const count = (this.offering.get(name) ?? 0) + change;
      if (count === 0) this.offering.delete(name);
      else this.offering.set(name, count);
    }
  }

  private computeSubscribed(): ReadonlySet<string> | null {
    if (!this.isConsumers) return null;
    const all = new Set<string>();
    for (const member of this.members.values()) {
      const topics = subscribedTopics(member.metadataOf(this.protocolName));
      if (topics === null) return null;
      for (const topic of topics) all.add(topic);
    }
    return all;
  }
}
