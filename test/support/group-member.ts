/** A member of a classic group for tests against a real broker: one request at a time, every answer shown. */
import { offsetCommit } from '../../src/protocol/apis/08-offset-commit.ts';
import { offsetFetch } from '../../src/protocol/apis/09-offset-fetch.ts';
import { findCoordinator } from '../../src/protocol/apis/10-find-coordinator.ts';
import { joinGroup } from '../../src/protocol/apis/11-join-group.ts';
import { heartbeat } from '../../src/protocol/apis/12-heartbeat.ts';
import { leaveGroup } from '../../src/protocol/apis/13-leave-group.ts';
import { syncGroup } from '../../src/protocol/apis/14-sync-group.ts';
import { ErrorCode } from '../../src/protocol/errors.ts';
import type { ResponseOf } from '../../src/protocol/schema.ts';
import { subscription } from './coordinator-harness.ts';
import { ConnectionLost, type KafkaClient } from './kafka-client.ts';

/** Codes after which a client asks again, as every client does. */
const TRANSIENT: ReadonlySet<number> = new Set([
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.NOT_COORDINATOR,
]);

export interface MemberOptions {
  readonly groupInstanceId?: string;
  readonly sessionTimeoutMs?: number;
  readonly rebalanceTimeoutMs?: number;
  readonly topics?: readonly string[];
}

/** See the file header. */
export class GroupMember {
  readonly client: KafkaClient;
  readonly groupId: string;
  memberId = '';
  generationId = -1;
  assignment = '';
  private readonly options: MemberOptions;

  constructor(client: KafkaClient, groupId: string, options: MemberOptions = {}) {
    this.client = client;
    this.groupId = groupId;
    this.options = options;
  }

  private get groupInstanceId(): string | null {
    return this.options.groupInstanceId ?? null;
  }

  /** Resolves once there is a coordinator, and it has loaded the group. */
  async find(): Promise<void> {
    await findGroup(this.client, this.groupId);
  }

  /** Joins; resolves with the answer of the next generation. */
  async join(): Promise<ResponseOf<typeof joinGroup>> {
    const { sessionTimeoutMs = 10_000, rebalanceTimeoutMs = 30_000, topics = ['t'] } = this.options;
    const answer = await this.client.request(joinGroup, 9, {
      groupId: this.groupId,
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      memberId: this.memberId,
      groupInstanceId: this.groupInstanceId,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: subscription(...topics) }],
    });
    this.memberId = answer.memberId;
    if (answer.errorCode === ErrorCode.MEMBER_ID_REQUIRED) return this.join();
    this.generationId = answer.generationId;
    return answer;
  }

  /** Waits for the assignment; as the leader with what everybody gets. */
  async sync(assignments: Readonly<Record<string, string>> = {}): Promise<ResponseOf<typeof syncGroup>> {
    const answer = await this.client.request(syncGroup, 5, {
      groupId: this.groupId,
      generationId: this.generationId,
      memberId: this.memberId,
      groupInstanceId: this.groupInstanceId,
      protocolType: 'consumer',
      protocolName: 'range',
      assignments: Object.entries(assignments).map(([memberId, text]) => ({ memberId, assignment: Buffer.from(text) })),
    });
    this.assignment = answer.assignment.toString();
    return answer;
  }

  /** Joins and syncs; whoever leads gives each member its own id. Joins again while others come. */
  async settle(): Promise<void> {
    for (;;) {
      const joined = await this.join();
      if (joined.errorCode === ErrorCode.UNKNOWN_MEMBER_ID) this.memberId = '';
      if (joined.errorCode !== 0) continue;
      const { errorCode } = await this.sync(Object.fromEntries(joined.members.map(({ memberId }) => [memberId, memberId])));
      if (errorCode === 0) return;
    }
  }

  /** Does what a consumer does, until its connection is gone. */
  async work(): Promise<void> {
    try {
      await this.settle();
      for (;;) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        if ((await this.heartbeat()) !== 0) await this.settle();
      }
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
    }
  }

  async heartbeat(): Promise<number> {
    const { groupId, generationId, memberId, groupInstanceId } = this;
    return (await this.client.request(heartbeat, 4, { groupId, generationId, memberId, groupInstanceId })).errorCode;
  }

  async leave(): Promise<number> {
    const members = [{ memberId: this.memberId, groupInstanceId: this.groupInstanceId }];
    const answer = await this.client.request(leaveGroup, 5, { groupId: this.groupId, members });
    return answer.errorCode === 0 ? answer.members[0]!.errorCode : answer.errorCode;
  }

  /** Commits one offset; resolves with its code. */
  async commit(offset: number, partition = 0, topic = 't'): Promise<number> {
    const identity = { memberId: this.memberId, groupInstanceId: this.groupInstanceId, generationIdOrMemberEpoch: this.generationId };
    return commitOffset(this.client, this.groupId, offset, partition, topic, identity);
  }
}

/** Asks for the coordinator until it is there and has loaded the group. */
export async function findGroup(client: KafkaClient, groupId: string): Promise<void> {
  for (;;) {
    const { coordinators } = await client.request(findCoordinator, 6, { keyType: 0, coordinatorKeys: [groupId] });
    if (coordinators[0]!.errorCode === 0 && (await fetchOffsets(client, groupId)) !== null) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Commits from outside of a group, unless `identity` says otherwise. */
export async function commitOffset(
  client: KafkaClient,
  groupId: string,
  offset: number,
  partition = 0,
  topic = 't',
  identity: object = {},
): Promise<number> {
  const partitions = [{ partitionIndex: partition, committedOffset: BigInt(offset), committedMetadata: '' }];
  const answer = await client.request(offsetCommit, 9, { groupId, ...identity, topics: [{ name: topic, partitions }] });
  return answer.topics[0]!.partitions[0]!.errorCode;
}

/** Committed offsets by `topic-partition`; null while the group is being loaded. */
export async function fetchOffsets(client: KafkaClient, groupId: string): Promise<Record<string, number> | null> {
  const { groups } = await client.request(offsetFetch, 9, { groups: [{ groupId, topics: null }] });
  const { errorCode, topics } = groups[0]!;
  if (TRANSIENT.has(errorCode)) return null;
  if (errorCode !== 0) throw new Error(`OffsetFetch of ${groupId}: error ${errorCode}`);
  const all = topics.flatMap(({ name, partitions }) =>
    partitions.map((each) => [`${name}-${each.partitionIndex}`, Number(each.committedOffset)]),
  );
  return Object.fromEntries(all) as Record<string, number>;
}
