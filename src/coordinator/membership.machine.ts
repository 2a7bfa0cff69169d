/** SyncGroup, Heartbeat and LeaveGroup: what members of a generation do. One instance for the groups of a partition. */
import { ErrorCode } from '../protocol/errors.ts';
import type { ClassicGroup } from './classic-group.ts';
import type { Instant, Ticket } from './effects.ts';
import type { GroupContext } from './group-context.ts';
import type { LeaveAnswer, LeaveRequest, LeavingMember, MemberIdentity, SyncAnswer, SyncRequest } from './group-requests.ts';
import { syncError, type Rebalance } from './rebalance.machine.ts';

/** See the file header. */
export class Membership {
  private readonly context: GroupContext;
  private readonly rebalance: Rebalance;

  constructor(context: GroupContext, rebalance: Rebalance) {
    this.context = context;
    this.rebalance = rebalance;
  }

  sync(request: SyncRequest, ticket: Ticket<SyncAnswer>): void {
    const { effects } = this.context.host;
    const group = this.context.groups.get(request.groupId);
    const problem = request.groupId === '' ? ErrorCode.INVALID_GROUP_ID : syncProblem(group, request);
    const member = group?.members.get(request.memberId);
    if (problem !== ErrorCode.NONE || group === undefined || member === undefined) return effects.answer(ticket, syncError(problem));
    this.rebalance.synced(group, member.memberId);
    if (group.state === 'Stable') {
      effects.answer(ticket, {
        errorCode: ErrorCode.NONE,
        protocolType: group.protocolType,
        protocolName: group.protocolName,
        assignment: member.assignment,
      });
      return;
    }
    // Whoever waited under this id has given up, most likely, and must not take the answer.
    this.rebalance.answerSync(member, syncError(ErrorCode.REBALANCE_IN_PROGRESS));
    member.awaitingSync = ticket;
    if (!group.isLeader(member.memberId) || group.isStoring) return;
    const assignments = new Map(request.assignments.map(({ memberId, assignment }) => [memberId, assignment]));
    let added = 0;
    for (const { memberId, assignment } of group.members.values()) added += (assignments.get(memberId)?.length ?? 0) - assignment.length;
    if (added <= 0 || this.context.host.budget.hasRoom(added)) this.rebalance.store(group, assignments);
    else this.rebalance.answerSync(member, syncError(ErrorCode.COORDINATOR_NOT_AVAILABLE));
  }

  /** Returns the code to answer with. */
  heartbeat(request: MemberIdentity, now: Instant): number {
    if (request.groupId === '') return ErrorCode.INVALID_GROUP_ID;
    const group = this.context.groups.get(request.groupId);
    if (group === undefined) return ErrorCode.UNKNOWN_MEMBER_ID;
    const problem = group.memberProblem(request.memberId, request.groupInstanceId);
    if (problem !== ErrorCode.NONE) return problem;
    if (request.generationId !== group.generation) return ErrorCode.ILLEGAL_GENERATION;
    const member = group.members.get(request.memberId);
    // A new member waits for its first generation and cannot be heard from: its time to join is not for a heartbeat to change.
    if (member !== undefined && !member.isNew) this.rebalance.hear(group, member, now);
    return group.state === 'PreparingRebalance' ? ErrorCode.REBALANCE_IN_PROGRESS : ErrorCode.NONE;
  }

  leave(request: LeaveRequest, now: Instant): LeaveAnswer {
    const { groupId, members } = request;
    if (groupId === '') return { errorCode: ErrorCode.INVALID_GROUP_ID, members: [] };
    const group = this.context.groups.get(groupId);
    if (group === undefined) {
      const unknown = members.map((leaving) => ({ ...leaving, errorCode: ErrorCode.UNKNOWN_MEMBER_ID }));
      return { errorCode: ErrorCode.NONE, members: unknown };
    }
    const sizeBefore = group.members.size;
    const answers = members.map((leaving) => ({ ...leaving, errorCode: this.leaveOne(group, leaving) }));
    if (group.members.size < sizeBefore) this.rebalance.rebalanceOrComplete(group, now);
    else this.rebalance.maybeCompleteJoin(group, now);
    this.context.maybeForget(group);
    return { errorCode: ErrorCode.NONE, members: answers };
  }

  private leaveOne(group: ClassicGroup, { memberId, groupInstanceId }: LeavingMember): number {
    if (group.pendingMembers.has(memberId)) {
      group.remove(memberId);
      return ErrorCode.NONE;
    }
    // An administrator names a static member by its instance id alone.
    const leavingId = memberId === '' && groupInstanceId !== null ? (group.staticMemberId(groupInstanceId) ?? '') : memberId;
    const problem = group.memberProblem(leavingId, groupInstanceId);
    const member = group.members.get(leavingId);
    if (problem !== ErrorCode.NONE || member === undefined) return problem;
    this.rebalance.dismiss(group, member);
    return ErrorCode.NONE;
  }
}

/** Why the member may not sync in the generation it says, or NONE. */
function syncProblem(group: ClassicGroup | undefined, request: SyncRequest): number {
  if (group === undefined) return ErrorCode.UNKNOWN_MEMBER_ID;
  const problem = group.memberProblem(request.memberId, request.groupInstanceId);
  if (problem !== ErrorCode.NONE) return problem;
  if (request.generationId !== group.generation) return ErrorCode.ILLEGAL_GENERATION;
  if (isOther(request.protocolType, group.protocolType) || isOther(request.protocolName, group.protocolName))
    return ErrorCode.INCONSISTENT_GROUP_PROTOCOL;
  return group.state === 'PreparingRebalance' ? ErrorCode.REBALANCE_IN_PROGRESS : ErrorCode.NONE;
}

/** Whether both are said and differ. */
function isOther(said: string | null, actual: string | null): boolean {
  return said !== null && actual !== null && said !== actual;
}
