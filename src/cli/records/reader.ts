/** Reads partitions of a topic from given offsets on, without a group: to given ends, or on and on. */
import { UserError } from '../../lib/user-error.ts';
import type { KafkaClient } from '../kafka/client.ts';
import { BrokerRefusedError, UnreachableError } from '../kafka/errors.ts';
import type { IncomingRecord, Topic } from '../kafka/types.ts';

const FETCH_BYTES_MAX = 4 * 1024 * 1024;
const FETCH_WAIT_MS = 500;
/** So many answers without a record, before the known end, mean that none will come. */
const EMPTY_MAX = 20;
/** What passes by itself is tried again so often, with so long between. */
const RETRIES_MAX = 60;
const RETRY_MS = 1000;
/** Another broker leads the partition now, or will soon. */
const LEADERSHIP_CODES = new Set([
  'NOT_LEADER_OR_FOLLOWER',
  'LEADER_NOT_AVAILABLE',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'REPLICA_NOT_AVAILABLE',
]);

export interface ReadOptions {
  readonly topic: Topic;
  /** Offset of the first record, by partition. */
  readonly from: ReadonlyMap<number, number>;
  /** One past the last offset, by partition; undefined: read what comes, until `signal`. */
  readonly to: ReadonlyMap<number, number> | undefined;
  readonly signal: AbortSignal;
  /** Something a person should know. */
  readonly onNotice: (text: string) => void;
}

/** Records in the groups in which they come; of one partition always in order. */
export async function* readRecords(client: KafkaClient, options: ReadOptions): AsyncGenerator<readonly IncomingRecord[]> {
  const reading = new Reading(client, options);
  let next = reading.step();
  for (;;) {
    const records = await next;
    if (records === null) return;
    // The next answer comes while this one is printed.
    next = reading.step();
    next.catch(() => undefined); // thrown when it is awaited
    if (records.length > 0) yield records;
  }
}

class Reading {
  readonly #client: KafkaClient;
  readonly #options: ReadOptions;
  readonly #position: Map<number, number>;
  #topic: Topic;
  #empty = 0;
  #failures = 0;

  constructor(client: KafkaClient, options: ReadOptions) {
    this.#client = client;
    this.#options = options;
    this.#position = new Map(options.from);
    this.#topic = options.topic;
  }

  /** The next records, or null at the end. */
  async step(): Promise<IncomingRecord[] | null> {
    const { to, signal } = this.#options;
    const left = [...this.#position].filter(([partition, offset]) => to === undefined || offset < (to.get(partition) ?? 0));
    if (left.length === 0 || signal.aborted) return null;
    const leaderOf = (partition: number): number => this.#topic.partitions[partition]?.leader ?? -1;
    const leaders = [...new Set(left.map(([partition]) => leaderOf(partition)))];
    try {
      const answers = await Promise.all(
        leaders.map((leader) => this.#fetch(leader, new Map(left.filter(([partition]) => leaderOf(partition) === leader)))),
      );
      this.#failures = 0;
      const records = answers.flat();
      this.#empty = records.length > 0 ? 0 : this.#empty + 1;
      if (to !== undefined && this.#empty > EMPTY_MAX) throw nothingComes(left, to);
      return records;
    } catch (error) {
      if (signal.aborted) return null;
      await this.#recover(
        error,
        left.map(([partition]) => partition),
      );
      return [];
    }
  }

  async #fetch(leader: number, from: ReadonlyMap<number, number>): Promise<IncomingRecord[]> {
    const limits = { waitMs: FETCH_WAIT_MS, bytesMax: FETCH_BYTES_MAX };
    const { records, next } = await this.#client.fetch(this.#topic, leader, from, limits);
    for (const [partition, offset] of next) this.#position.set(partition, offset);
    const { to } = this.#options;
    return to === undefined ? [...records] : records.filter(({ partition, offset }) => offset < (to.get(partition) ?? 0));
  }

  /** Puts right what went wrong, or throws it. */
  async #recover(error: unknown, partitions: readonly number[]): Promise<void> {
    const code = error instanceof BrokerRefusedError ? error.code : '';
    const isGone = code === 'OFFSET_OUT_OF_RANGE';
    const passes = LEADERSHIP_CODES.has(code) || (error instanceof UnreachableError && this.#options.to === undefined);
    if ((!isGone && !passes) || ++this.#failures > RETRIES_MAX) throw error;
    if (isGone) return this.#skipDeleted(partitions, error);
    if (this.#failures === 1) this.#options.onNotice(`${(error as Error).message} Trying again …`);
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    this.#topic = await this.#client.topic(this.#topic.name).catch(() => this.#topic);
  }

  /** Records were deleted before they were read. */
  async #skipDeleted(partitions: readonly number[], error: unknown): Promise<void> {
    const { name } = this.#topic;
    const earliest = await this.#client.offsets(name, partitions, 'earliest');
    const latest = await this.#client.offsets(name, partitions, 'latest');
    let moved = false;
    for (const partition of partitions) {
      const at = this.#position.get(partition) ?? 0;
      const first = earliest.get(partition) ?? 0;
      const end = latest.get(partition) ?? 0;
      if (at > end)
        throw new UserError(`Partition ${partition} of ${name} ends at offset ${end}, and offset ${at} is wanted (--from).`, {
          cause: error,
        });
      if (at >= first) continue;
      this.#options.onNotice(`Partition ${partition} of ${name} begins at offset ${first}: offsets ${at} to ${first - 1} are deleted.`);
      this.#position.set(partition, first);
      moved = true;
    }
    if (!moved && ++this.#empty > EMPTY_MAX) throw error;
  }
}

function nothingComes(left: readonly (readonly [number, number])[], to: ReadonlyMap<number, number>): UserError {
  const [partition, offset] = left[0] as readonly [number, number];
  return new UserError(
    `Partition ${partition} should hold records up to offset ${to.get(partition) ?? 0}, and none comes from offset ${offset} on.`,
  );
}
