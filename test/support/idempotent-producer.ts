/**
 * An idempotent producer for tests, on the small client: up to five batches in flight, and whatever was not answered when the connection ended is sent again, in order,
 * over the next one. It is the only one that writes to its partition, from offset 0 on, so a record's number is its sequence and has to be its offset.
 */
import type { Prng } from '../../src/lib/prng.ts';
import { initProducerId } from '../../src/protocol/apis/22-init-producer-id.ts';
import { buildBatch } from '../../src/protocol/record.ts';
import { ConnectionLost, type KafkaClient, type SeenRecord } from './kafka-client.ts';

const IN_FLIGHT = 5;
const VERSION = 5;

interface Batch {
  readonly number: number;
  readonly count: number;
  readonly bytes: Buffer;
}

/** Asks for a producer id; the promise resolves with id and error code. */
export async function askProducerId(
  client: KafkaClient,
  transactionalId: string | null = null,
): Promise<{ errorCode: number; id: number; epoch: number }> {
  const answer = await client.request(initProducerId, VERSION, {
    transactionalId,
    transactionTimeoutMs: 1000,
    producerId: -1n,
    producerEpoch: -1,
  });
  return { errorCode: answer.errorCode, id: Number(answer.producerId), epoch: answer.producerEpoch };
}

/** See the file header. */
export class IdempotentProducer {
  readonly topic: string;
  /** Records below are acknowledged. */
  acknowledged = 0;
  /** Number of the next record. */
  next = 0;
  private readonly id: number;
  private readonly prng: Prng;
  /** Not acknowledged, in order. */
  private open: Batch[] = [];

  constructor(topic: string, id: number, prng: Prng) {
    this.topic = topic;
    this.id = id;
    this.prng = prng;
  }

  /** Sends new batches, some of them twice, until the connection ends. Throws what the broker should not have answered. */
  async run(client: KafkaClient): Promise<void> {
    await this.work(client, () => client.closed);
  }

  /** Sends what was not answered, and nothing new. */
  async finish(client: KafkaClient): Promise<void> {
    await this.work(client, () => true);
    if (this.open.length > 0) throw new Error(`${this.topic}: ${this.open.length} batches are left`);
  }

  /** Holds a log that begins at `start` against what was sent: each record once, in order, and all that was acknowledged. */
  verify(start: number, records: readonly SeenRecord[]): void {
    records.forEach(({ offset, value }, n) => {
      const found = `${this.topic}: offset ${offset} holds ${JSON.stringify(value.slice(0, 20))}`;
      if (offset !== start + n) throw new Error(`${found} and stands where ${start + n} should`);
      if (value.split(' ')[0] !== String(offset)) throw new Error(found);
    });
    const end = start + records.length;
    if (end < this.acknowledged || end > this.next)
      throw new Error(`${this.topic}: ends at ${end}; acknowledged is what is below ${this.acknowledged}, sent what is below ${this.next}`);
  }

  private async work(client: KafkaClient, isOver: () => boolean): Promise<void> {
    const answers = new Set<Promise<void>>();
    const send = (batch: Batch): void => {
      const answer = this.send(client, batch).finally(() => answers.delete(answer));
      answers.add(answer);
    };
    try {
      for (const batch of this.open) send(batch);
      for (;;) {
        while (!isOver() && this.open.length < IN_FLIGHT) {
          const batch = this.make();
          this.open.push(batch);
          send(batch);
          if (this.prng.chance(0.1)) send(batch);
        }
        if (answers.size === 0) return;
        await Promise.race(answers);
      }
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
      await Promise.allSettled(answers);
    }
  }

  private async send(client: KafkaClient, batch: Batch): Promise<void> {
    const { errorCode, baseOffset } = await client.produce(this.topic, 0, batch.bytes);
    if (errorCode !== 0 || baseOffset !== batch.number)
      throw new Error(`${this.topic}: batch ${batch.number} was answered with error ${errorCode}, offset ${baseOffset}`);
    this.acknowledged = Math.max(this.acknowledged, batch.number + batch.count);
    this.open = this.open.filter((each) => each !== batch);
  }

  private make(): Batch {
    const number = this.next;
    const count = 1 + this.prng.below(3);
    const bytes = this.prng.chance(0.03) ? 100_000 : this.prng.below(1500);
    const records = Array.from({ length: count }, (_, n) => ({ value: `${number + n} `.padEnd(bytes, '.') }));
    this.next += count;
    const producer = { producerId: this.id, producerEpoch: 0, baseSequence: number };
    return { number, count, bytes: buildBatch({ records, baseTimestamp: 1_700_000_000_000, ...producer }) };
  }
}
