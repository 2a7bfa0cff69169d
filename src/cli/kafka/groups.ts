/** What the commands want of consumer groups, on top of the client library. */
import { UserError } from '../../lib/user-error.ts';
import type { KafkaClient } from './client.ts';
import { asUserError, BrokerRefusedError } from './errors.ts';
import type { CommittedOffset, DescribedGroup, Group, IncomingRecord } from './types.ts';

/** All groups of the cluster, sorted by id. */
export function listGroups(client: KafkaClient): Promise<Group[]> {
  return client.withAdmin(async (admin) => {
    const groups = [...(await admin.listGroups()).values()];
    return groups
      .map(({ id, state, protocolType }) => ({ id, state: stateText(state), protocolType }))
      .toSorted((a, b) => (a.id < b.id ? -1 : 1));
  });
}

/** A group with its members. One that is not there is refused. */
export function describeGroup(client: KafkaClient, id: string): Promise<DescribedGroup> {
  return client.withAdmin(async (admin) => {
    const group = (await admin.describeGroups({ groups: [id] })).get(id);
    const state = stateText(group?.state ?? 'DEAD');
    if (group === undefined || state === 'dead')
      throw new UserError(`There is no group "${id}". "ringlog group list" shows what there is.`);
    const members = [...group.members.values()].map(({ id: memberId, groupInstanceId, clientId, clientHost, assignments }) => ({
      memberId,
      instanceId: groupInstanceId ?? null,
      clientId,
      host: clientHost.replace(/^\//, ''),
      assigned: [...(assignments?.values() ?? [])],
    }));
    return { id, state, protocolType: group.protocolType, assignor: group.protocol, members };
  });
}

/** What a group committed, by topic and partition, sorted. */
export function committedOffsets(client: KafkaClient, groupId: string): Promise<CommittedOffset[]> {
  return client.withAdmin(async (admin) => {
    const [found] = await admin.listConsumerGroupOffsets({ groups: [groupId] });
    return (found?.topics ?? [])
      .flatMap(({ name: topic, partitions }) =>
        partitions.map(({ partitionIndex: partition, committedOffset }) => ({ topic, partition, offset: Number(committedOffset) })),
      )
      .filter(({ offset }) => offset >= 0)
      .toSorted((a, b) => (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1));
  });
}

/** Sets what a group committed; it must have no members. */
export function commitOffsets(client: KafkaClient, groupId: string, offsets: readonly CommittedOffset[]): Promise<void> {
  const topics = [...new Set(offsets.map(({ topic }) => topic))].map((name) => ({
    name,
    partitionOffsets: offsets.filter(({ topic }) => topic === name).map(({ partition, offset }) => ({ partition, offset: BigInt(offset) })),
  }));
  return client.withAdmin((admin) => admin.alterConsumerGroupOffsets({ groupId, topics }));
}

/** Forgets what a group committed for some partitions of a topic. */
export async function deleteOffsets(client: KafkaClient, groupId: string, topic: string, partitions: readonly number[]): Promise<void> {
  const topics = [{ name: topic, partitionIndexes: [...partitions] }];
  await client.withAdmin((admin) => admin.deleteConsumerGroupOffsets({ groupId, topics }));
}

export function deleteGroup(client: KafkaClient, groupId: string): Promise<void> {
  return client.withAdmin((admin) => admin.deleteGroups({ groups: [groupId] }));
}

export interface MembershipOptions {
  readonly groupId: string;
  readonly topic: string;
  /** Where to begin in a partition for which the group committed nothing. */
  readonly otherwise: 'earliest' | 'latest';
  /** One past the last offset, by partition: the reading ends there, as far as the group gave the partition to this member. Undefined: until `signal`. */
  readonly to: ReadonlyMap<number, number> | undefined;
  readonly signal: AbortSignal;
}

/** How often it is asked whether all has been read, ms. */
const END_CHECK_MS = 100;
const REBALANCE_CODES = new Set(['REBALANCE_IN_PROGRESS', 'ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID']);

/** Membership in a group: gives records, and commits those that were dealt with. */
export class Membership {
  readonly #client: KafkaClient;
  readonly #options: MembershipOptions;
  readonly #member: ReturnType<KafkaClient['newMember']>;
  /** What is to be committed, by partition. */
  readonly #done = new Map<number, number>();
  /** The commit under way, or the last one. Never rejects. */
  #committing: Promise<void> = Promise.resolve();
  /** The one that follows it. */
  #next: Promise<void> | null = null;

  constructor(client: KafkaClient, options: MembershipOptions) {
    this.#client = client;
    this.#options = options;
    this.#member = client.newMember(options.groupId, { isolationLevel: 0 });
  }

  /** Records as the group gives them to this member. */
  async *records(): AsyncGenerator<IncomingRecord> {
    const { topic, otherwise, to, signal } = this.#options;
    try {
      const stream = await this.#member.consume({
        topics: [topic],
        mode: 'committed',
        fallbackMode: otherwise,
        autocommit: false,
        maxWaitTime: 500,
      });
      const stop = (): void => stream.close(() => undefined);
      signal.addEventListener('abort', stop);
      const timer = setInterval(() => {
        if (to !== undefined && stream.readableLength === 0 && this.#isAtEnd(to, stream.offsetsToFetch)) stop();
      }, END_CHECK_MS);
      try {
        for await (const { partition, offset, timestamp, key, value, headers } of stream) {
          const named = [...headers].map(([name, each]): [string, Buffer] => [name.toString(), each]);
          const at = Number(offset);
          // The library gives what is null as undefined.
          yield { topic, partition, offset: at, timestampMs: Number(timestamp), key: key ?? null, value: value ?? null, headers: named };
        }
      } finally {
        clearInterval(timer);
        signal.removeEventListener('abort', stop);
      }
    } catch (error) {
      if (!signal.aborted) throw asUserError(error, this.#client.bootstrap);
    }
  }

  /** A record was dealt with: {@link commit} may say so. */
  onDone({ partition, offset }: IncomingRecord): void {
    this.#done.set(partition, offset + 1);
  }

  /**
   * Tells the group what was dealt with since the last time, after a commit that is under way. What that one could not tell is told now. Who asks again meanwhile
   * waits for the same.
   */
  commit(): Promise<void> {
    if (this.#next !== null) return this.#next;
    const next = this.#committing.then(() => {
      this.#next = null;
      return this.#commitDone();
    });
    this.#next = next;
    this.#committing = next.catch(() => undefined);
    return next;
  }

  async #commitDone(): Promise<void> {
    const { topic } = this.#options;
    // What was taken from this member is another's now, who may have come further already.
    const mine = new Set(this.#assigned());
    const done = [...this.#done].filter(([partition]) => mine.has(partition));
    const offsets = done.map(([partition, offset]) => ({ topic, partition, offset: BigInt(offset), leaderEpoch: -1 }));
    this.#done.clear();
    if (offsets.length === 0) return;
    try {
      await this.#member.commit({ offsets });
    } catch (error) {
      const reason = asUserError(error, this.#client.bootstrap);
      // The group gives its partitions out anew: whoever gets these reads again what was not committed.
      if (reason instanceof BrokerRefusedError && REBALANCE_CODES.has(reason.code)) return;
      for (const [partition, offset] of done) if (!this.#done.has(partition)) this.#done.set(partition, offset);
      throw reason;
    }
  }

  /** Leaves the group. */
  async close(): Promise<void> {
    await Promise.allSettled([this.#member.close(true)]);
  }

  /** Partitions that this member reads now. */
  #assigned(): number[] {
    const { topic } = this.#options;
    return (this.#member.assignments ?? []).filter((each) => each.topic === topic).flatMap(({ partitions }) => partitions);
  }

  #isAtEnd(to: ReadonlyMap<number, number>, next: ReadonlyMap<string, bigint>): boolean {
    const { topic } = this.#options;
    if (this.#member.assignments === null) return false;
    return this.#assigned().every((partition) => {
      const end = to.get(partition) ?? 0;
      const at = next.get(`${topic}:${partition}`);
      return at !== undefined && Number(at) >= end;
    });
  }
}

/** `PREPARING_REBALANCE`, as brokers and library write it in different ways, in one. */
function stateText(state: string): string {
  return state.toLowerCase().replaceAll(/[_ ]/g, '');
}
