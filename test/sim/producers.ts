/**
 * Idempotent producers for the simulator. They do what clients and networks do: send up to five batches ahead, send any of them again, also what was answered
 * already, come too late or too early, and go on after a crash with whatever was not answered. And they keep a model: what a partition must remember of a
 * producer follows from the batches that its log has had, whatever shard, journal, checkpoint and recovery made of it.
 */
import type { PartitionState } from '../../src/log/partition-state.ts';
import { ProducerTable } from '../../src/log/producer-table.ts';
import { ErrorCode } from '../../src/protocol/errors.ts';
import { baseSequence, lastOffsetDelta, producerEpoch, producerId } from '../../src/protocol/record-batch.ts';
import type { Prng } from '../../src/lib/prng.ts';
import type { BatchInput } from '../../src/protocol/record.ts';
import { check } from './history.ts';

const WINDOW = 5;
const PER_TOPIC = 3;
/** Sequences begin again behind this one; most producers of the simulator are about to get there. */
const SEQUENCE_MAX = 0x7fff_ffff;

interface SimBatch {
  /** Of the record in it, and of the batch itself. */
  readonly id: number;
  readonly batch: Buffer;
  /** The how-manieth of its producer and epoch. */
  readonly n: number;
  /** −1: not acknowledged. */
  offset: number;
}

/** What is looked at of a topic. */
interface Topic {
  readonly id: string;
  readonly damagedAllowed: boolean;
}

/** What producers need of the simulation. */
interface Host<T extends Topic> {
  readonly prng: Prng;
  readonly trace: ((line: string) => void) | null;
  /** A truncation was under way when the broker died. */
  readonly truncationsAsked: boolean;
  makeBatch(topic: T, count: number, payloadBytes: number, producer: Partial<BatchInput>): { id: number; batch: Buffer };
  send(topic: T, id: number, batch: Buffer, attempt: Attempt<T>): boolean;
}

interface SimProducer<T extends Topic> {
  readonly topic: T;
  readonly id: number;
  epoch: number;
  next: number;
  sent: number;
  /** Not answered, or refused; in order. */
  open: SimBatch[];
  /** The last ones that were acknowledged. */
  acked: SimBatch[];
  /** What is acknowledged now was so in this life of the broker: it knows the producer. */
  known: boolean;
}

/** What a batch was sent for. */
export interface Attempt<T extends Topic> {
  readonly producer: SimProducer<T>;
  readonly epoch: number;
  readonly batch: SimBatch;
  /** It was acknowledged when it was sent. */
  readonly wasAcked: boolean;
  /** It must not be appended. */
  readonly wrong: boolean;
}

/** A batch that a log has had. */
interface Appended {
  readonly id: number;
  readonly epoch: number;
  readonly first: number;
  readonly last: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
}

interface Model {
  /** By base offset; what retention took from the log stays here. */
  appended: Map<number, Appended>;
  /** Batches below were not in the log any more when it was cut, so they need not be remembered. */
  forgivenBelow: number;
}

/** See the file header. */
export class SimProducers<T extends Topic> {
  /** Batches that were answered as appended before, for the summary. */
  duplicates = 0;
  /** Producers found as the model says after a recovery. */
  confirmed = 0;
  private readonly sim: Host<T>;
  private readonly producers = new Map<T, SimProducer<T>[]>();
  private readonly models = new Map<T, Model>();
  private nextProducer = 0;

  constructor(sim: Host<T>) {
    this.sim = sim;
  }

  /** One of the topic's producers does something. */
  step(topic: T): void {
    const { prng } = this.sim;
    const producers = this.producers.get(topic) ?? [];
    this.producers.set(topic, producers);
    if (producers.length < PER_TOPIC && prng.chance(0.3)) producers.push(this.newProducer(topic));
    if (producers.length === 0) return;
    const producer = prng.pick(producers);
    const dice = prng.below(10);
    if (dice < 5) {
      for (let n = prng.below(3); n >= 0 && producer.open.length < WINDOW; n--) this.sendNew(producer);
    } else if (dice < 7) for (const batch of producer.open) this.send(producer, batch, false);
    else if (dice < 9 && producer.acked.length > 0) this.send(producer, prng.pick(producer.acked), false);
    else if (producer.known && producer.open.length === 0) this.sendWrong(producer);
  }

  /** The broker answered. `isDuplicate`: it says that it had the batch. */
  onAnswer(attempt: Attempt<T>, error: number, baseOffset: number, isDuplicate: boolean): void {
    const { producer, batch, epoch } = attempt;
    const { topic } = producer;
    const what = `${topic.id}: batch ${batch.id} of producer ${producer.id}`;
    // Since it was sent the log was cut, or the client has begun anew for another reason.
    if (epoch !== producer.epoch) return;
    if (attempt.wrong) {
      check(error !== ErrorCode.NONE, `${what} leaves a gap or is of an old epoch and was accepted at ${baseOffset}`);
      return;
    }
    if (error === ErrorCode.NONE) {
      if (isDuplicate) this.duplicates++;
      check(batch.offset < 0 || batch.offset === baseOffset, `${what} was acknowledged at ${batch.offset} and now at ${baseOffset}`);
      producer.known = true;
      if (batch.offset >= 0) return;
      batch.offset = baseOffset;
      producer.open = producer.open.filter((each) => each !== batch);
      producer.acked = [...producer.acked, batch].sort((a, b) => a.n - b.n).slice(-WINDOW);
      return;
    }
    if (error !== ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER && error !== ErrorCode.INVALID_PRODUCER_EPOCH) return;
    const isRecent = producer.sent - batch.n <= WINDOW;
    check(
      !attempt.wasAcked || !isRecent || topic.damagedAllowed,
      `${what} was acknowledged at ${batch.offset} and is not known any more (error ${error})`,
    );
    // The first one that is not answered does not fit what the broker knows: the client cannot go on with these sequences.
    if (batch === producer.open[0]) this.begin(producer);
  }

  /** A batch became part of a log. */
  onAppended(topic: T, batch: Buffer, baseOffset: number): void {
    const id = producerId(batch, 0);
    if (id < 0) return;
    const lastOffset = baseOffset + lastOffsetDelta(batch, 0);
    const first = baseSequence(batch, 0);
    const last =
      first > SEQUENCE_MAX - (lastOffset - baseOffset)
        ? first + (lastOffset - baseOffset) - SEQUENCE_MAX - 1
        : first + lastOffset - baseOffset;
    this.modelOf(topic).appended.set(baseOffset, { id, epoch: producerEpoch(batch, 0), first, last, baseOffset, lastOffset });
  }

  /** The log was cut. */
  onTruncated(topic: T, state: PartitionState): void {
    const model = this.modelOf(topic);
    for (const [offset, { lastOffset }] of model.appended) if (lastOffset >= state.endOffset) model.appended.delete(offset);
    model.forgivenBelow = Math.max(model.forgivenBelow, state.segments[0]?.baseOffset ?? state.endOffset);
    for (const producer of this.producers.get(topic) ?? []) {
      if (producer.acked.some(({ offset }) => offset + 3 >= state.endOffset) || producer.open.length > 0) this.begin(producer);
    }
  }

  /** Holds what recovery knows of the producers against the log it found: `records` is all of it, the oldest part may be deleted. */
  verifyRecovered(
    topic: T,
    state: PartitionState | undefined,
    records: ReadonlyMap<number, { readonly baseOffset: number; readonly batch: Buffer }>,
  ): void {
    if (topic.damagedAllowed) {
      this.producers.delete(topic);
      return;
    }
    const model = this.modelOf(topic);
    const segmentsFrom = state?.segments[0]?.baseOffset ?? state?.endOffset ?? 0;
    const from = Math.max(segmentsFrom, state?.logStartOffset ?? 0);
    const lost = new Map<number, number>();
    for (const [offset, { id, lastOffset }] of model.appended) {
      const isLost = lastOffset >= (state?.endOffset ?? 0);
      if (isLost) lost.set(id, (lost.get(id) ?? 0) + 1);
      if (isLost || offset >= from) model.appended.delete(offset);
    }
    for (const { baseOffset, batch } of records.values()) this.onAppended(topic, batch, baseOffset);
    if (this.sim.truncationsAsked) model.forgivenBelow = Math.max(model.forgivenBelow, segmentsFrom);
    this.expectState(topic, state, model, { lost, segmentsFrom });
    for (const producer of this.producers.get(topic) ?? []) this.goOn(producer, model);
  }

  /** `lost`: batches of each producer that were appended and did not survive; `segmentsFrom`: where the oldest file begins. */
  private expectState(
    topic: T,
    state: PartitionState | undefined,
    model: Model,
    { lost, segmentsFrom }: { readonly lost: ReadonlyMap<number, number>; readonly segmentsFrom: number },
  ): void {
    const found = new Map(new ProducerTable(state?.producers).all().map((producer) => [producer.id, producer]));
    for (const [id, expected] of fold(model)) {
      const what = `${topic.id}: producer ${id}`;
      const batches = found.get(id)?.batches ?? [];
      // A batch that was lost may have taken the place of a remembered one that the log cannot give back, as it is deleted. No client sends that one again: it has
      // five on their way at most, so it sent the lost one only when the other one was acknowledged.
      const must = expected.filter(
        ({ baseOffset }, n) => baseOffset >= model.forgivenBelow && !(n < (lost.get(id) ?? 0) && baseOffset < segmentsFrom),
      );
      check(
        batches.length >= must.length && batches.length <= expected.length,
        `${what}: ${batches.length} batches are remembered, not ${expected.length}`,
      );
      expected.slice(expected.length - batches.length).forEach(({ epoch, first, last, baseOffset }, n) => {
        const batch = batches[n];
        const same =
          batch?.firstSequence === first &&
          batch.lastSequence === last &&
          batch.baseOffset === baseOffset &&
          found.get(id)?.epoch === epoch;
        check(same, `${what}: remembered is ${JSON.stringify(batch)} where offset ${baseOffset} with sequences ${first} to ${last} was`);
      });
      found.delete(id);
      this.confirmed++;
    }
    check(found.size === 0, `${topic.id}: producers ${[...found.keys()].join(', ')} are remembered and have nothing in the log`);
  }

  /** After a crash: what was not answered may be in the log or not; where something acknowledged is gone (as its mode allows) the client begins anew. */
  private goOn(producer: SimProducer<T>, model: Model): void {
    producer.known = false;
    const inLog = new Set([...model.appended.values()].filter(({ id }) => id === producer.id).map(({ baseOffset }) => baseOffset));
    if (producer.acked.some(({ offset }) => !inLog.has(offset))) this.begin(producer);
  }

  private newProducer(topic: T): SimProducer<T> {
    const producer = { topic, id: this.nextProducer++, epoch: -1, next: 0, sent: 0, open: [], acked: [], known: false };
    this.begin(producer);
    // Nobody knows it: it may begin with any sequence.
    if (this.sim.prng.chance(0.5)) producer.next = SEQUENCE_MAX - this.sim.prng.below(40);
    return producer;
  }

  private begin(producer: SimProducer<T>): void {
    producer.epoch++;
    producer.next = producer.sent = 0;
    producer.open = [];
    producer.acked = [];
    producer.known = false;
  }

  private sendNew(producer: SimProducer<T>): void {
    const records = 1 + this.sim.prng.below(3);
    const { id, batch } = this.sim.makeBatch(producer.topic, records, this.sim.prng.below(400), {
      producerId: producer.id,
      producerEpoch: producer.epoch,
      baseSequence: producer.next,
    });
    const made: SimBatch = { id, batch, n: producer.sent, offset: -1 };
    if (!this.send(producer, made, false)) return;
    producer.next = producer.next > SEQUENCE_MAX - records ? producer.next + records - SEQUENCE_MAX - 1 : producer.next + records;
    producer.sent++;
    producer.open.push(made);
  }

  /** A batch that no broker may take: of an epoch that is over, or one with a gap before it. */
  private sendWrong(producer: SimProducer<T>): void {
    const isOld = producer.epoch > 0 && this.sim.prng.chance(0.5);
    const { id, batch } = this.sim.makeBatch(producer.topic, 1, 20, {
      producerId: producer.id,
      producerEpoch: isOld ? producer.epoch - 1 : producer.epoch,
      baseSequence: isOld ? producer.next : (producer.next + 2) % SEQUENCE_MAX,
    });
    this.send(producer, { id, batch, n: -1, offset: -1 }, true);
  }

  private send(producer: SimProducer<T>, batch: SimBatch, wrong: boolean): boolean {
    this.sim.trace?.(
      `${producer.topic.id} <- batch ${batch.id} of producer ${producer.id} epoch ${producerEpoch(batch.batch, 0)} sequence ${baseSequence(batch.batch, 0)}${wrong ? ' (wrong)' : ''}`,
    );
    return this.sim.send(producer.topic, batch.id, batch.batch, {
      producer,
      epoch: producer.epoch,
      batch,
      wasAcked: batch.offset >= 0,
      wrong,
    });
  }

  private modelOf(topic: T): Model {
    let model = this.models.get(topic);
    if (model === undefined) this.models.set(topic, (model = { appended: new Map(), forgivenBelow: -1 }));
    return model;
  }
}

/** The last five batches of each producer that follow each other. */
function fold(model: Model): Map<number, Appended[]> {
  const producers = new Map<number, Appended[]>();
  const ascending = [...model.appended.values()].sort((a, b) => a.baseOffset - b.baseOffset);
  for (const batch of ascending) {
    const before = producers.get(batch.id) ?? [];
    const last = before.at(-1);
    const follows = last !== undefined && last.epoch === batch.epoch && batch.first === (last.last === SEQUENCE_MAX ? 0 : last.last + 1);
    producers.set(batch.id, follows ? [...before, batch].slice(-WINDOW) : [batch]);
  }
  return producers;
}
