/**
 * JoinGroup: who may join, and what that means for the group. One instance for the groups of a partition.
 *
 * A dynamic member without an id is given one first (from version 4 on) and comes again with it, so that a client that gives up and asks anew leaves no
 * unknown members behind. A static member takes over from whoever had its instance id before: in a stable group without a rebalance.
 */
import { ErrorCode } from '../protocol/errors.ts';
import { groupErrorOf } from './append-errors.ts';
import type { ClassicGroup } from './classic-group.ts';
import { ClassicMember, memberBytes } from './classic-member.ts';
import type { Instant, Ticket } from './effects.ts';
import { GROUP_BYTES, PENDING_MEMBER_BYTES } from './group-budget.ts';
import type { GroupContext } from './group-context.ts';
import type { JoinAnswer, JoinRequest } from './group-requests.ts';
import { MEMBER_METADATA_BYTES_MAX, MEMBER_PROTOCOLS_MAX, NEW_MEMBER_JOIN_MS_MAX, TEXT_LENGTH_MAX } from './group-settings.ts';
import { joinError, syncError, type Rebalance } from './rebalance.machine.ts';

type JoinTicket = Ticket<JoinAnswer>;

/** See the file header. */
export class Joining {
  private readonly context: GroupContext;
  private readonly rebalance: Rebalance;

  constructor(context: GroupContext, rebalance: Rebalance) {
    this.context = context;
    this.rebalance = rebalance;
  }

  join(request: JoinRequest, ticket: JoinTicket, now: Instant): void {
    const problem = this.problemOf(request);
    if (problem !== ErrorCode.NONE) return this.refuse(ticket, problem, request.memberId);
    const known = this.context.groups.get(request.groupId);
    if (known === undefined && request.memberId !== '') return this.refuse(ticket, ErrorCode.UNKNOWN_MEMBER_ID, request.memberId);
    if (!this.hasRoom(known, request)) return this.refuse(ticket, ErrorCode.COORDINATOR_NOT_AVAILABLE, request.memberId);
    const group = known ?? this.context.groupOrNew(request.groupId);
    if (!this.accepts(group, request.memberId)) this.refuseForSize(group, request, ticket, now);
    else if (!group.supports(request.protocolType, request.protocols))
      this.refuse(ticket, ErrorCode.INCONSISTENT_GROUP_PROTOCOL, request.memberId);
    else if (request.memberId !== '') this.joinKnown(group, request, ticket, now);
    else if (request.groupInstanceId !== null) this.joinStatic(group, request.groupInstanceId, request, ticket, now);
    else this.joinDynamic(group, request, ticket, now);
    this.context.maybeForget(group);
  }

  private refuse(ticket: JoinTicket, errorCode: number, memberId: string): void {
    this.context.host.effects.answer(ticket, joinError(errorCode, memberId));
  }

  /** What is wrong with the request whatever its group is like. */
  private problemOf(request: JoinRequest): number {
    const { sessionTimeoutMsMin, sessionTimeoutMsMax } = this.context.host.settings;
    const { groupId, sessionTimeoutMs } = request;
    if (groupId === '' || groupId.length > TEXT_LENGTH_MAX) return ErrorCode.INVALID_GROUP_ID;
    if (sessionTimeoutMs < sessionTimeoutMsMin || sessionTimeoutMs > sessionTimeoutMsMax) return ErrorCode.INVALID_SESSION_TIMEOUT;
    return isExcessive(request) ? ErrorCode.INVALID_REQUEST : ErrorCode.NONE;
  }

  /** Whether the budget has room for what the request adds. If not, the client tries again: others may leave meanwhile. */
  private hasRoom(group: ClassicGroup | undefined, { groupId, memberId, groupInstanceId, clientId, protocols }: JoinRequest): boolean {
    const member = group?.members.get(memberId);
    const id = memberId === '' ? `${groupInstanceId ?? clientId}-` : memberId;
    const bytes = memberBytes(id, groupInstanceId, protocols);
    // Whoever is in and wants no more goes on, however little room there is.
    const added = member === undefined ? bytes + PENDING_MEMBER_BYTES : bytes + member.assignment.length - member.bytes;
    const ofGroup = group === undefined ? GROUP_BYTES + 2 * groupId.length : 0;
    return added + ofGroup <= 0 || this.context.host.budget.hasRoom(added + ofGroup);
  }

  /**
   * Whether the group is not full. While it waits for joins those who have joined count, so that a group that became too large gets rid of who comes last.
   * Ids that were given out count, too: they cost memory, and nobody has to come with them.
   */
  private accepts(group: ClassicGroup, memberId: string): boolean {
    const { groupSizeMax } = this.context.host.settings;
    const member = group.members.get(memberId);
    const others = group.pendingMembers.size - (group.pendingMembers.has(memberId) ? 1 : 0);
    if (group.state === 'PreparingRebalance') return member?.awaitingJoin != null || group.awaitingJoins + others < groupSizeMax;
    return member !== undefined || group.members.size + others < groupSizeMax;
  }

  private refuseForSize(group: ClassicGroup, request: JoinRequest, ticket: JoinTicket, now: Instant): void {
    group.remove(request.memberId);
    this.refuse(ticket, ErrorCode.GROUP_MAX_SIZE_REACHED, '');
    this.rebalance.maybeCompleteJoin(group, now);
  }

  private joinDynamic(group: ClassicGroup, request: JoinRequest, ticket: JoinTicket, now: Instant): void {
    const memberId = `${request.clientId}-${request.uniqueId}`;
    if (!request.needsKnownMemberId) return this.addMember(group, memberId, request, ticket, now);
    const deadlineMs = now.ms + request.sessionTimeoutMs;
    group.addPending(memberId, deadlineMs);
    this.rebalance.wakeBy(group, deadlineMs, now);
    this.refuse(ticket, ErrorCode.MEMBER_ID_REQUIRED, memberId);
  }

  private joinStatic(group: ClassicGroup, groupInstanceId: string, request: JoinRequest, ticket: JoinTicket, now: Instant): void {
    const memberId = `${groupInstanceId}-${request.uniqueId}`;
    const before = group.members.get(group.staticMemberId(groupInstanceId) ?? '');
    if (before === undefined) this.addMember(group, memberId, request, ticket, now);
    else this.takeOver(group, before, memberId, request, ticket, now);
  }

  private joinKnown(group: ClassicGroup, request: JoinRequest, ticket: JoinTicket, now: Instant): void {
    const { memberId, groupInstanceId } = request;
    if (group.pendingMembers.has(memberId)) {
      // Ids are given out to dynamic members only.
      if (groupInstanceId !== null) this.refuse(ticket, ErrorCode.UNKNOWN_MEMBER_ID, memberId);
      else this.addMember(group, memberId, request, ticket, now);
      return;
    }
    const problem = group.memberProblem(memberId, groupInstanceId);
    const member = group.members.get(memberId);
    if (problem !== ErrorCode.NONE || member === undefined) return this.refuse(ticket, problem, memberId);
    if (this.mayStay(group, member, request)) {
      // Its last answer may have been lost.
      this.context.host.effects.answer(ticket, this.rebalance.joined(group, memberId));
    } else this.rejoin(group, member, request, ticket, now);
  }

  /** Whether a member that joins again can go on in the generation there is. A stable group's leader wants another one: something changed that it assigns by. */
  private mayStay(group: ClassicGroup, member: ClassicMember, { protocols }: JoinRequest): boolean {
    if (group.state === 'CompletingRebalance') return member.offers(protocols);
    return group.state === 'Stable' && !group.isLeader(member.memberId) && member.offers(protocols);
  }

  private addMember(group: ClassicGroup, memberId: string, request: JoinRequest, ticket: JoinTicket, now: Instant): void {
    const member = new ClassicMember({ ...request, memberId });
    member.isNew = true;
    member.awaitingJoin = ticket;
    group.lastJoinMs = now.ms;
    group.add(member, request.protocolType);
    this.rebalance.hear(group, member, now, NEW_MEMBER_JOIN_MS_MAX);
    this.rebalance.rebalanceOrComplete(group, now);
  }

  private rejoin(group: ClassicGroup, member: ClassicMember, request: JoinRequest, ticket: JoinTicket, now: Instant): void {
    this.wait(group, member, request, ticket);
    this.rebalance.rebalanceOrComplete(group, now);
  }

  /** The member waits for the next generation, with what it offers now. */
  private wait(group: ClassicGroup, member: ClassicMember, request: JoinRequest, ticket: JoinTicket): void {
    group.update(member, request.protocols, request.rebalanceTimeoutMs, request.sessionTimeoutMs);
    // Whoever waited under this id has given up, most likely, and must not take the answer.
    this.rebalance.answerJoin(group, member, joinError(ErrorCode.REBALANCE_IN_PROGRESS, member.memberId));
    member.awaitingJoin = ticket;
    group.awaitingJoins++;
  }

  /** A static member is back under a new id; the old one is fenced. */
  private takeOver(
    group: ClassicGroup,
    before: ClassicMember,
    newId: string,
    request: JoinRequest,
    ticket: JoinTicket,
    now: Instant,
  ): void {
    const oldLeader = group.leaderId ?? '';
    this.rebalance.answerJoin(group, before, joinError(ErrorCode.FENCED_INSTANCE_ID, before.memberId));
    this.rebalance.answerSync(before, syncError(ErrorCode.FENCED_INSTANCE_ID));
    const member = group.replaceStatic(before, newId);
    this.rebalance.hear(group, member, now);
    this.wait(group, member, request, ticket);
    if (group.state === 'CompletingRebalance') {
      // The leader may have been told the old id: what it assigns would go to nobody.
      this.rebalance.begin(group, now);
    } else if (group.state === 'Stable') {
      if (group.selectProtocol() === group.protocolName) this.storeTakeOver(group, member, oldLeader, request);
      else this.rebalance.begin(group, now);
    } else this.rebalance.maybeCompleteJoin(group, now);
  }

  /** Nothing changes for anybody else: the member keeps what the old id had, once that is stored. If it cannot be stored, the client comes again and takes over from itself. */
  private storeTakeOver(group: ClassicGroup, member: ClassicMember, oldLeader: string, { canSkipAssignment }: JoinRequest): void {
    const { memberId } = member;
    const settle = (errorCode: number): void => {
      const isLeader = group.isLeader(memberId);
      this.rebalance.answerJoin(
        group,
        member,
        errorCode !== ErrorCode.NONE
          ? joinError(groupErrorOf(errorCode), '')
          : canSkipAssignment
            ? this.rebalance.joined(group, memberId, { skipAssignment: isLeader })
            : // An old client takes a leader's answer for an order to assign: it is not told that it leads.
              { ...this.rebalance.joined(group, memberId, { withMembers: false }), leader: oldLeader },
      );
    };
    this.context.write(group, [group.record(null)], settle);
  }
}

/** Whether the member says more of itself than can be kept. */
function isExcessive({ clientId, groupInstanceId, protocolType, protocols }: JoinRequest): boolean {
  if (protocols.length > MEMBER_PROTOCOLS_MAX) return true;
  let metadataBytes = 0;
  let longest = Math.max(clientId.length, groupInstanceId?.length ?? 0, protocolType.length);
  for (const { name, metadata } of protocols) {
    metadataBytes += metadata.length;
    longest = Math.max(longest, name.length);
  }
  return metadataBytes > MEMBER_METADATA_BYTES_MAX || longest > TEXT_LENGTH_MAX;
}
