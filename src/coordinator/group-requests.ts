/** What the group machine is asked, and what it answers: the fields of the protocol that matter, in one shape for all versions. Bytes are kept: callers give copies. */
import type { StoredGroup } from './group-records.ts';

/** A way of assigning that a member offers, with what it wants to tell the leader about itself. */
export interface MemberProtocol {
  readonly name: string;
  readonly metadata: Uint8Array;
}

/** Who speaks: a member of a generation of a group. */
export interface MemberIdentity {
  readonly groupId: string;
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  /** −1 where the version has none. */
  readonly generationId: number;
}

export interface JoinRequest {
  readonly groupId: string;
  /** '': it has none yet. */
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly protocolType: string;
  readonly protocols: readonly MemberProtocol[];
  /** Whether a dynamic member is given an id first and has to come again with it (from version 4 on). */
  readonly needsKnownMemberId: boolean;
  /** Whether a static leader can be told not to assign (from version 9 on). */
  readonly canSkipAssignment: boolean;
  /** Random and unique: the end of the member id, should it get one. */
  readonly uniqueId: string;
}

export interface JoinedMember {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly metadata: Uint8Array;
}

export interface JoinAnswer {
  readonly errorCode: number;
  readonly memberId: string;
  readonly generationId: number;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly leader: string;
  readonly skipAssignment: boolean;
  /** For the leader alone. */
  readonly members: readonly JoinedMember[];
}

export interface SyncRequest extends MemberIdentity {
  /** Null: not said. */
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  /** From the leader. */
  readonly assignments: readonly { readonly memberId: string; readonly assignment: Uint8Array }[];
}

export interface SyncAnswer {
  readonly errorCode: number;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly assignment: Uint8Array;
}

export interface LeavingMember {
  /** '': the one with this instance id, whoever it is. */
  readonly memberId: string;
  readonly groupInstanceId: string | null;
}

export interface LeaveRequest {
  readonly groupId: string;
  readonly members: readonly LeavingMember[];
}

export interface LeaveAnswer {
  readonly errorCode: number;
  readonly members: readonly (LeavingMember & { readonly errorCode: number })[];
}

export interface CommitPartition {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  /** −1: unknown. */
  readonly leaderEpoch: number;
  readonly metadata: string;
  /** Ms since 1970; below zero, or no exact number: now. */
  readonly commitTimestampMs: number;
}

export interface CommitRequest extends MemberIdentity {
  /** From version 9 on an unknown group has an error of its own. */
  readonly knowsGroupIdNotFound: boolean;
  /** How long the offsets are kept, in ms; below zero: by the rule of the broker. */
  readonly retentionMs: number;
  /** All of them exist. */
  readonly partitions: readonly CommitPartition[];
}

/** Codes of the partitions, in the order of the request. */
export interface CommitAnswer {
  readonly errorCodes: readonly number[];
}

export interface PartitionName {
  readonly topic: string;
  readonly partition: number;
}

export interface OffsetDeleteRequest {
  readonly groupId: string;
  readonly partitions: readonly PartitionName[];
}

export interface OffsetDeleteAnswer {
  /** Of the whole request. */
  readonly errorCode: number;
  /** Of the partitions, in the order of the request; empty if the request failed as a whole. */
  readonly errorCodes: readonly number[];
}

/** A group as DescribeGroups shows it. */
export interface DescribedGroup extends Pick<StoredGroup, 'members'> {
  readonly groupId: string;
  readonly state: string;
  readonly generation: number;
  readonly protocolType: string;
  /** '' unless the group is stable. */
  readonly protocolName: string;
}

/** A group as ListGroups shows it. */
export interface ListedGroup {
  readonly groupId: string;
  readonly protocolType: string;
  readonly state: string;
}
