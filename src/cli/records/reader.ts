/** Reads partitions of a topic from given offsets on, without a group: to given ends, or on and on. */
import { UserError } from '../../lib/user-error.ts';
import type { KafkaClient } from '../kafka/client.ts';
import { BrokerRefusedError, UnreachableError } from '../kafka/errors.ts';
import type { Fetched, IncomingRecord, Topic } from '../kafka/types.ts';

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

/** What gives the records. */
export type Source = Pick<KafkaClient, 'fetch' | 'topic' | 'offsets'>;

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
export async function* readRecords(client: Source, options: ReadOptions): AsyncGenerator<readonly IncomingRecord[]> {
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

/** A leader that did not answer, and the partitions that it was asked for. */
interface Failure {
  readonly error: unknown;
  readonly partitions: readonly number[];
}

class Reading {
  readonly #client: Source;
  readonly #options: ReadOptions;
  /** Offset of the next record to give, by partition: moves only together with the records that are given. */
  readonly #position: Map<number, number>;
  #topic: Topic;
  /** Of the last step; put right by the next one, so that what other leaders answered is given first. */
  #failed: readonly Failure[] = [];
  #empty = 0;
  /** Steps in a row with a failure. */
  #failures = 0;

  constructor(client: Source, options: ReadOptions) {
    this.#client = client;
    this.#options = options;
    this.#position = new Map(options.from);
    this.#topic = options.topic;
  }

  /** The next records, or null at the end. */
  async step(): Promise<IncomingRecord[] | null> {
    const { to, signal } = this.#options;
    if (signal.aborted) return null;
    if (this.#failed.length > 0) await this.#recover(this.#failed);
    const left = [...this.#position].filter(([partition, offset]) => to === undefined || offset < (to.get(partition) ?? 0));
    if (left.length === 0 || signal.aborted) return null;
    const leaderOf = (partition: number): number => this.#topic.partitions[partition]?.leader ?? -1;
    const leaders = [...new Set(left.map(([partition]) => leaderOf(partition)))];
    const asked = leaders.map((leader) => new Map(left.filter(([partition]) => leaderOf(partition) === leader)));
    const limits = { waitMs: FETCH_WAIT_MS, bytesMax: FETCH_BYTES_MAX };
    const answers = await Promise.allSettled(
      leaders.map((leader, index) => this.#client.fetch(this.#topic, leader, asked[index] as Map<number, number>, limits)),
    );
    const records = answers.flatMap((answer) => (answer.status === 'fulfilled' ? this.#take(answer.value) : []));
    this.#failed = answers.flatMap((answer, index) =>
      answer.status === 'rejected' ? [{ error: answer.reason, partitions: [...(asked[index]?.keys() ?? [])] }] : [],
    );
    if (records.length > 0) this.#empty = 0;
    if (this.#failed.length > 0) return records;
    this.#failures = 0;
    if (records.length === 0) this.#empty++;
    if (to !== undefined && this.#empty > EMPTY_MAX) throw nothingComes(left, to);
    return records;
  }

  /** What is wanted of an answer. */
  #take({ records, next }: Fetched): IncomingRecord[] {
    for (const [partition, offset] of next) this.#position.set(partition, offset);
    const { to } = this.#options;
    return to === undefined ? [...records] : records.filter(({ partition, offset }) => offset < (to.get(partition) ?? 0));
  }

  /** Puts right what went wrong, or throws it. */
  async #recover(failed: readonly Failure[]): Promise<void> {
    const gone = failed.filter(({ error }) => codeOf(error) === 'OFFSET_OUT_OF_RANGE');
    const passing = failed.filter(({ error }) => this.#passes(error));
    const lasting = failed.find((each) => !gone.includes(each) && !passing.includes(each));
    if (lasting !== undefined) throw lasting.error;
    if (++this.#failures > RETRIES_MAX) throw failed[0]?.error;
    for (const { error, partitions } of gone) await this.#skipDeleted(partitions, error);
    const [first] = passing;
    if (first === undefined) return;
    if (this.#failures === 1) this.#options.onNotice(`${(first.error as Error).message} Trying again …`);
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    this.#topic = await this.#client.topic(this.#topic.name).catch(() => this.#topic);
  }

  /** Whether something goes away by itself. */
  #passes(error: unknown): boolean {
    return LEADERSHIP_CODES.has(codeOf(error)) || (error instanceof UnreachableError && this.#options.to === undefined);
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

function codeOf(error: unknown): string {
  return error instanceof BrokerRefusedError ? error.code : '';
}

function nothingComes(left: readonly (readonly [number, number])[], to: ReadonlyMap<number, number>): UserError {
  const [partition, offset] = left[0] as readonly [number, number];
  return new UserError(
    `Partition ${partition} should hold records up to offset ${to.get(partition) ?? 0}, and none comes from offset ${offset} on.`,
  );
}
