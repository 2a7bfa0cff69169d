/**
 * Sends records in order, a batch at a time: what comes while a batch is on its way gathers for the next one, so that a single record goes at once and a flood
 * goes in large batches.
 */
import type { KafkaClient } from '../kafka/client.ts';
import type { Acks, Compression, OutgoingRecord } from '../kafka/types.ts';

/** Records of one batch, at most. */
const BATCH_RECORDS_MAX = 10_000;
/** Bytes that may wait, beyond which whoever adds has to. */
const WAITING_BYTES_MAX = 8 * 1024 * 1024;
/** What a record costs in a batch beside its key, value and headers, at most; and a header. */
const RECORD_OVERHEAD_BYTES = 40;

export interface SenderOptions {
  readonly topic: string;
  readonly acks: Acks;
  readonly compression: Compression;
  /** Bytes of one batch before compression, at most; a larger record goes alone. */
  readonly batchBytesMax: number;
}

/** Bytes that a record takes in a batch, at most. */
export function recordBytes({ key, value, headers }: OutgoingRecord): number {
  const named = headers.reduce((sum, [name, each]) => sum + Buffer.byteLength(name) + each.length + RECORD_OVERHEAD_BYTES, 0);
  return (key?.length ?? 0) + (value?.length ?? 0) + named + RECORD_OVERHEAD_BYTES;
}

/** Sends records to one topic. */
export class RecordSender {
  /** Records and bytes of keys and values that were acknowledged. */
  acknowledged = 0;
  bytes = 0;
  /** First and one past the last offset of what was acknowledged, by partition, as far as the broker told. */
  readonly batches: { partition: number; offset: number }[] = [];
  readonly #client: KafkaClient;
  readonly #options: SenderOptions;
  #waiting: OutgoingRecord[] = [];
  #waitingBytes = 0;
  #pump: Promise<void> | null = null;
  #failure: unknown;

  constructor(client: KafkaClient, options: SenderOptions) {
    this.#client = client;
    this.#options = options;
  }

  /** Takes a record. Resolves once another one may be added; throws when an earlier one could not be sent. */
  async add(record: OutgoingRecord): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#waiting.push(record);
    this.#waitingBytes += recordBytes(record);
    this.#pump ??= this.#run();
    if (this.#waitingBytes > WAITING_BYTES_MAX) await this.flush();
  }

  /** Resolves once everything is acknowledged. */
  async flush(): Promise<void> {
    while (this.#pump !== null) await this.#pump;
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #run(): Promise<void> {
    // One turn, so that the lines of one read go together.
    await new Promise((resolve) => setImmediate(resolve));
    try {
      while (this.#waiting.length > 0) {
        const batch = this.#take();
        const { topic, acks, compression } = this.#options;
        this.batches.push(...(await this.#client.send(topic, batch, { acks, compression })));
        this.acknowledged += batch.length;
        for (const { key, value } of batch) this.bytes += (key?.length ?? 0) + (value?.length ?? 0);
      }
    } catch (error) {
      this.#failure = error;
      this.#waiting = [];
    } finally {
      this.#pump = null;
    }
  }

  #take(): OutgoingRecord[] {
    let count = 0;
    let bytes = 0;
    for (const record of this.#waiting) {
      const more = recordBytes(record);
      if (count > 0 && (count >= BATCH_RECORDS_MAX || bytes + more > this.#options.batchBytesMax)) break;
      count++;
      bytes += more;
    }
    this.#waitingBytes -= bytes;
    return this.#waiting.splice(0, count);
  }
}
