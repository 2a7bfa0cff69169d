/** A member of a classic group. */
import type { Ticket } from './effects.ts';
import { MEMBER_BYTES } from './group-budget.ts';
import type { StoredMember } from './group-records.ts';
import type { JoinAnswer, MemberProtocol, SyncAnswer } from './group-requests.ts';

/** No assignment. */
export const NO_BYTES = new Uint8Array(0);

/** What a member says of itself when it joins. */
export interface MemberTraits {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly rebalanceTimeoutMs: number;
  readonly sessionTimeoutMs: number;
  /** By preference. */
  readonly protocols: readonly MemberProtocol[];
}

/** See the file header. */
export class ClassicMember {
  readonly memberId: string;
  /** Set for a static member. */
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  rebalanceTimeoutMs: number;
  sessionTimeoutMs: number;
  protocols: readonly MemberProtocol[];
  /** Of the generation that is stored. */
  assignment: Uint8Array = NO_BYTES;
  /** It comes from the log, and nothing was heard of it since. */
  isUnheard = false;
  /** It has not been told its first generation yet. */
  isNew = false;
  /** When it is given up, unless it is heard from; not looked at while one of its requests waits, except while it is new. */
  deadlineMs = Infinity;
  /** Its JoinGroup that waits for the next generation. */
  awaitingJoin: Ticket<JoinAnswer> | null = null;
  /** Its SyncGroup that waits for the assignment. */
  awaitingSync: Ticket<SyncAnswer> | null = null;

  constructor(traits: MemberTraits) {
    this.memberId = traits.memberId;
    this.groupInstanceId = traits.groupInstanceId;
    this.clientId = traits.clientId;
    this.clientHost = traits.clientHost;
    this.rebalanceTimeoutMs = traits.rebalanceTimeoutMs;
    this.sessionTimeoutMs = traits.sessionTimeoutMs;
    this.protocols = traits.protocols;
  }

  get isStatic(): boolean {
    return this.groupInstanceId !== null;
  }

  /** Whether it is to be given up at `nowMs`. Whoever waits for an answer of ours needs not be heard from; a new member may have given up on us. */
  isExpired(nowMs: number): boolean {
    return this.deadlineMs <= nowMs && (this.isNew || (this.awaitingJoin === null && this.awaitingSync === null));
  }

  /** Its metadata for a protocol that it offers. */
  metadataOf(protocol: string | null): Uint8Array {
    return this.protocols.find(({ name }) => name === protocol)?.metadata ?? NO_BYTES;
  }

  /** Whether it offers just these protocols, in this order, with this metadata. */
  offers(protocols: readonly MemberProtocol[]): boolean {
    return (
      protocols.length === this.protocols.length &&
      protocols.every(({ name, metadata }, index) => {
        const own = this.protocols[index] as MemberProtocol;
        return own.name === name && Buffer.compare(own.metadata, metadata) === 0;
      })
    );
  }

  /** The protocol it prefers among the candidates, one of which it offers. */
  vote(candidates: ReadonlySet<string>): string | undefined {
    return this.protocols.find(({ name }) => candidates.has(name))?.name;
  }

  /** What it costs to keep it. */
  get bytes(): number {
    return memberBytes(this.memberId, this.groupInstanceId, this.protocols) + this.assignment.length;
  }

  /** As it stands in the record of its group. @param assignment of the generation that is being stored */
  stored(protocol: string | null, assignment: Uint8Array): StoredMember {
    return {
      memberId: this.memberId,
      groupInstanceId: this.groupInstanceId,
      clientId: this.clientId,
      clientHost: this.clientHost,
      rebalanceTimeoutMs: this.rebalanceTimeoutMs,
      sessionTimeoutMs: this.sessionTimeoutMs,
      subscription: this.metadataOf(protocol),
      assignment,
    };
  }
}

/** What it costs to keep a member, without its assignment. */
export function memberBytes(memberId: string, groupInstanceId: string | null, protocols: readonly MemberProtocol[]): number {
  let bytes = MEMBER_BYTES + 2 * (memberId.length + (groupInstanceId?.length ?? 0));
  for (const { name, metadata } of protocols) bytes += 2 * name.length + metadata.length;
  return bytes;
}
