/**
 * How groups get from one generation to the next: who is waited for, for how long, and who is given up. One instance for the groups of a partition.
 *
 * Each group has one timer, which fires no later than its earliest deadline; a heartbeat moves a number and no timer. What is due is found out when it fires.
 */
import { ErrorCode } from '../protocol/errors.ts';
import type { ClassicGroup } from './classic-group.ts';
import { NO_BYTES, type ClassicMember } from './classic-member.ts';
import type { Instant } from './effects.ts';
import { groupErrorOf } from './append-errors.ts';
import type { GroupContext } from './group-context.ts';
import type { StoredGroup } from './group-records.ts';
import type { JoinAnswer, JoinedMember, SyncAnswer } from './group-requests.ts';

const NO_MEMBERS: readonly JoinedMember[] = [];

/** Clients may say that they need no time at all to come back; nobody looks again and again because of that. */
const WAIT_AGAIN_MS_MIN = 1000;

/** See the file header. */
export class Rebalance {
  private readonly context: GroupContext;

  constructor(context: GroupContext) {
    this.context = context;
  }

  // Answers.

  /** Answers a member's JoinGroup, if it waits. */
  answerJoin(group: ClassicGroup, member: ClassicMember, answer: JoinAnswer): void {
    const ticket = member.awaitingJoin;
    if (ticket === null) return;
    member.awaitingJoin = null;
    group.awaitingJoins--;
    this.context.host.effects.answer(ticket, answer);
  }

  /** Answers a member's SyncGroup, if it waits. */
  answerSync(member: ClassicMember, answer: SyncAnswer): boolean {
    const ticket = member.awaitingSync;
    if (ticket === null) return false;
    member.awaitingSync = null;
    this.context.host.effects.answer(ticket, answer);
    return true;
  }

  /** What a member is told of the generation there is. */
  joined(group: ClassicGroup, memberId: string, { withMembers = group.isLeader(memberId), skipAssignment = false } = {}): JoinAnswer {
    return {
      errorCode: ErrorCode.NONE,
      memberId,
      generationId: group.generation,
      protocolType: group.protocolType,
      protocolName: group.protocolName,
      leader: group.leaderId ?? '',
      skipAssignment,
      members: withMembers ? membersOf(group) : NO_MEMBERS,
    };
  }

  // From one state to the next.

  /** After a change of the members: a new rebalance if one may begin, else the end of the one that is going on, if nobody is missing any more. */
  rebalanceOrComplete(group: ClassicGroup, now: Instant): void {
    if (group.canRebalance) this.begin(group, now);
    else this.maybeCompleteJoin(group, now);
  }

  /** Begins a rebalance: every member has to join again. */
  begin(group: ClassicGroup, now: Instant): void {
    if (group.state === 'CompletingRebalance') this.withdrawAssignments(group, ErrorCode.REBALANCE_IN_PROGRESS, now);
    group.pendingSync.clear();
    group.syncDeadlineMs = Infinity;
    const isFirst = group.state === 'Empty';
    group.becomeState('PreparingRebalance', now.date);
    if (isFirst) {
      // Others are likely to come at the same time: waiting for them a little saves a rebalance each.
      const { initialRebalanceDelayMs } = this.context.host.settings;
      group.initialDelayEndMs = now.ms + Math.max(group.rebalanceTimeoutMs, initialRebalanceDelayMs);
      group.lastJoinMs = now.ms;
      this.waitForJoins(group, initialRebalanceDelayMs, now);
    } else if (group.hasAllMembersJoined) this.completeJoin(group, now);
    else this.waitForJoins(group, group.rebalanceTimeoutMs, now);
  }

  /** Ends the wait for members if nobody is missing; the initial delay is waited for in any case. */
  maybeCompleteJoin(group: ClassicGroup, now: Instant): void {
    if (group.state !== 'PreparingRebalance' || group.previousState === 'Empty' || !group.hasAllMembersJoined) return;
    this.completeJoin(group, now);
  }

  /** The next generation begins with those who have joined. */
  private completeJoin(group: ClassicGroup, now: Instant): void {
    group.joinDeadlineMs = Infinity;
    group.initialDelayEndMs = -1;
    for (const member of group.members.values()) {
      // Static members are expected back: their session decides.
      if (member.awaitingJoin === null && !member.isStatic) group.remove(member.memberId);
    }
    if (!group.electJoinedLeader() && group.members.size > 0) {
      // Static members alone, none of which has come: wait again, until one comes or their sessions are over.
      this.waitForJoins(group, Math.max(group.rebalanceTimeoutMs, WAIT_AGAIN_MS_MIN), now);
      return;
    }
    group.beginGeneration(now.date);
    if (group.state === 'Empty') this.storeEmpty(group);
    else this.tellGeneration(group, now);
  }

  private tellGeneration(group: ClassicGroup, now: Instant): void {
    for (const member of group.members.values()) {
      this.answerJoin(group, member, this.joined(group, member.memberId));
      member.isNew = false;
      group.pendingSync.add(member.memberId);
      this.hear(group, member, now);
    }
    group.syncDeadlineMs = now.ms + group.rebalanceTimeoutMs;
    this.wakeBy(group, group.syncDeadlineMs, now);
  }

  /**
   * A group without members is stored so that its offsets are kept, and forgotten, from now on. If that fails, the generation before it counts after a
   * restart: it finds nobody.
   */
  private storeEmpty(group: ClassicGroup): void {
    this.context.write(group, [group.record(null)]);
  }

  /** The leader has said who gets what: it is stored, and everybody is told once it is. */
  store(group: ClassicGroup, assignments: ReadonlyMap<string, Uint8Array>): void {
    const { generation } = group;
    group.isStoring = true;
    const settle = (errorCode: number, now: Instant): void => {
      // Secured: replay has done it. Otherwise the group may be elsewhere by now.
      if (errorCode === ErrorCode.NONE || group.state !== 'CompletingRebalance' || group.generation !== generation) return;
      group.isStoring = false;
      this.withdrawAssignments(group, groupErrorOf(errorCode), now);
      this.rebalanceOrComplete(group, now);
    };
    this.context.write(group, [group.record(assignments)], settle);
  }

  /** The generation's assignments are stored: everybody gets its own. Nothing if the group has gone on to another one meanwhile. */
  maybeBecomeStable(group: ClassicGroup, stored: StoredGroup, now: Instant): void {
    if (group.state !== 'CompletingRebalance' || group.generation !== stored.generation) return;
    group.isStoring = false;
    for (const { memberId, assignment } of stored.members) {
      const member = group.members.get(memberId);
      if (member !== undefined) group.assign(member, assignment);
    }
    group.becomeState('Stable', now.date);
    for (const member of group.members.values()) {
      const answer: SyncAnswer = {
        errorCode: ErrorCode.NONE,
        protocolType: group.protocolType,
        protocolName: group.protocolName,
        assignment: member.assignment,
      };
      // Its session was not looked at while it waited.
      if (this.answerSync(member, answer)) this.hear(group, member, now);
    }
  }

  /** Those who wait for an assignment of this generation do not get one. */
  private withdrawAssignments(group: ClassicGroup, errorCode: number, now: Instant): void {
    for (const member of group.members.values()) {
      group.assign(member, NO_BYTES);
      if (this.answerSync(member, syncError(errorCode))) this.hear(group, member, now);
    }
  }

  // Deadlines.

  /** The member was heard from. */
  hear(group: ClassicGroup, member: ClassicMember, now: Instant, timeoutMs = member.sessionTimeoutMs): void {
    member.deadlineMs = now.ms + timeoutMs;
    this.wakeBy(group, member.deadlineMs, now);
  }

  /** The timer of the group fires at `atMs` or before. */
  wakeBy(group: ClassicGroup, atMs: number, now: Instant): void {
    if (atMs >= group.timerDueMs || atMs === Infinity) return;
    const { timers, date } = this.context.host;
    if (group.timer !== null) timers.cancel(group.timer);
    group.timerDueMs = atMs;
    group.timer = timers.schedule(now.ms, atMs - now.ms, (nowMs) => this.onTimer(group, { ms: nowMs, date: date() }));
  }

  /** Somebody has sent SyncGroup, or has gone. */
  synced(group: ClassicGroup, memberId: string): void {
    group.pendingSync.delete(memberId);
    if (group.pendingSync.size === 0) group.syncDeadlineMs = Infinity;
  }

  private waitForJoins(group: ClassicGroup, waitMs: number, now: Instant): void {
    group.joinDeadlineMs = now.ms + waitMs;
    this.wakeBy(group, group.joinDeadlineMs, now);
  }

  private onTimer(group: ClassicGroup, now: Instant): void {
    group.timer = null;
    group.timerDueMs = Infinity;
    this.giveUpSilent(group, now);
    if (group.joinDeadlineMs <= now.ms) this.onJoinDeadline(group, now);
    if (group.syncDeadlineMs <= now.ms) this.giveUpUnsynced(group, now);
    this.context.maybeForget(group);
    if (this.context.groups.get(group.groupId) === group) this.wakeBy(group, earliestDeadline(group), now);
  }

  private onJoinDeadline(group: ClassicGroup, now: Instant): void {
    // As long as members keep coming it waits on, but no longer than a member may take.
    const untilMs = Math.min(group.lastJoinMs + this.context.host.settings.initialRebalanceDelayMs, group.initialDelayEndMs);
    if (untilMs > now.ms) this.waitForJoins(group, untilMs - now.ms, now);
    else this.completeJoin(group, now);
  }

  /** Members whose session is over, and ids that nobody came with. */
  private giveUpSilent(group: ClassicGroup, now: Instant): void {
    for (const [memberId, deadlineMs] of group.pendingMembers) if (deadlineMs <= now.ms) this.removePending(group, memberId, now);
    for (const member of group.members.values()) {
      if (member.isExpired(now.ms)) this.removeMember(group, member, now);
      // It waits for us: it is looked at again after as long, when it may have its answer.
      else if (member.deadlineMs <= now.ms) member.deadlineMs = now.ms + member.sessionTimeoutMs;
    }
  }

  private giveUpUnsynced(group: ClassicGroup, now: Instant): void {
    group.syncDeadlineMs = Infinity;
    if ((group.state !== 'CompletingRebalance' && group.state !== 'Stable') || group.pendingSync.size === 0) return;
    for (const memberId of group.pendingSync) group.remove(memberId);
    this.begin(group, now);
  }

  // Who goes.

  /** An id that was given out is not waited for any more. */
  removePending(group: ClassicGroup, memberId: string, now: Instant): void {
    group.remove(memberId);
    if (group.state === 'PreparingRebalance' && group.previousState !== 'Empty' && group.hasAllMembersJoined) this.completeJoin(group, now);
  }

  /** A member is given up. */
  private removeMember(group: ClassicGroup, member: ClassicMember, now: Instant): void {
    this.dismiss(group, member);
    if (group.state === 'Stable' || group.state === 'CompletingRebalance') this.begin(group, now);
    else if (group.state === 'PreparingRebalance' && group.hasAllMembersJoined) this.completeJoin(group, now);
  }

  /** Takes a member out of its group; what it waited for is answered as if it had never been there, so that it comes again if it is still alive. */
  dismiss(group: ClassicGroup, member: ClassicMember): void {
    this.answerJoin(group, member, joinError(ErrorCode.UNKNOWN_MEMBER_ID, ''));
    this.answerSync(member, syncError(ErrorCode.UNKNOWN_MEMBER_ID));
    group.remove(member.memberId);
    if (group.pendingSync.size === 0) group.syncDeadlineMs = Infinity;
  }
}

function membersOf(group: ClassicGroup): JoinedMember[] {
  return Array.from(group.members.values(), ({ memberId, groupInstanceId, ...member }) => {
    const metadata = member.protocols.find(({ name }) => name === group.protocolName)?.metadata ?? NO_BYTES;
    return { memberId, groupInstanceId, metadata };
  });
}

function earliestDeadline(group: ClassicGroup): number {
  let earliest = Math.min(group.joinDeadlineMs, group.syncDeadlineMs);
  for (const deadlineMs of group.pendingMembers.values()) earliest = Math.min(earliest, deadlineMs);
  for (const { deadlineMs } of group.members.values()) earliest = Math.min(earliest, deadlineMs);
  return earliest;
}

/** A JoinGroup that leads to nothing. */
export function joinError(errorCode: number, memberId: string): JoinAnswer {
  return {
    errorCode,
    memberId,
    generationId: -1,
    protocolType: null,
    protocolName: null,
    leader: '',
    skipAssignment: false,
    members: NO_MEMBERS,
  };
}

/** A SyncGroup that leads to nothing. */
export function syncError(errorCode: number): SyncAnswer {
  return { errorCode, protocolType: null, protocolName: null, assignment: NO_BYTES };
}
