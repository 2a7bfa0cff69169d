/**
 * Idempotent producers as a shard sees them: judges each batch that has a producer id, keeps the number of producers in bounds, and forgets who was silent for
 * `producer.id.expiration.ms`. What is remembered lies in the table of each partition (log/producer-table.ts).
 *
 * At a limit, producers that appended nothing for a while (longer than clients usually try) are forgotten early, and if there are none, batches of unknown
 * producers are refused with an error that clients answer by trying again. Those that are known go on, and no promise is broken.
 */
import { PRODUCER_ROW_BYTES, sequenceAfter, type ProducerTable } from '../log/producer-table.ts';
import { CLOCK_STEP_MS } from '../lib/clock-step.ts';
import { ProducerUndo } from '../log/producer-undo.ts';
import { ErrorCode } from '../protocol/errors.ts';
import { baseSequence, isTransactional, lastOffsetDelta, producerEpoch, producerId } from '../protocol/record-batch.ts';
import type { ShardHost } from './host.ts';
import { controlBytesMax } from './journal-writer.ts';
import type { ShardPartition } from './partition.ts';

/** Whoever was silent for this long is forgotten where there is no room. Java gives a batch up after 2 minutes, librdkafka after 5. */
const IDLE_MS = 300_000;
/** At the limit of the shard all partitions are looked through at most this often. */
const SWEEP_INTERVAL_MS = 1000;

/** See the file header. */
export class Producers {
  /** Of the tables of all partitions. */
  readonly undo = new ProducerUndo();
  private readonly shard: ShardHost;
  /** Producers that fit a journal entry with a partition's whole state. */
  private readonly journaledMax: number;
  private total = 0;
  private dueMs = Infinity;
  private polledMs = NaN;
  private heldUntilMs = -Infinity;
  private sweptMs = -Infinity;
  /** The batch judged last; −1: it has no producer id. */
  private id = -1;
  private epoch = -1;
  private firstSequence = -1;
  private lastSequence = -1;

  constructor(shard: ShardHost) {
    this.shard = shard;
    this.journaledMax = Math.floor(controlBytesMax(shard.settings) / 2 / PRODUCER_ROW_BYTES);
  }

  /** All recovered partitions are open. */
  begin(nowMs: number): void {
    this.dueMs = nowMs + this.shard.settings.producerCheckIntervalMs;
  }

  /** Once per duty cycle, between groups. */
  poll(nowMs: number): void {
    const { producerCheckIntervalMs, producerExpirationMs } = this.shard.settings;
    const elapsedMs = nowMs - this.polledMs;
    this.polledMs = nowMs;
    if (elapsedMs > CLOCK_STEP_MS || elapsedMs < -CLOCK_STEP_MS) {
      this.heldUntilMs = nowMs + producerCheckIntervalMs;
      this.dueMs = Math.min(this.dueMs, this.heldUntilMs);
    }
    if (nowMs < this.dueMs) return;
    this.dueMs = nowMs + producerCheckIntervalMs;
    this.forgetAll(nowMs, producerExpirationMs);
  }

  /** The partition came with what is known of its producers; who was silent for too long meanwhile is forgotten. */
  onOpened(partition: ShardPartition, nowMs: number): void {
    partition.producers.forgetIdle(nowMs - this.shard.settings.producerExpirationMs);
    this.total += partition.producers.count;
  }

  /** The partition leaves this shard. */
  onReleased(partition: ShardPartition): void {
    this.total -= partition.producers.count;
  }

  /** The log was cut and another table holds now. */
  replace(partition: ShardPartition, table: ProducerTable): void {
    this.total += table.count - partition.producers.count;
    partition.producers = table;
  }

  /** Makes a table small enough for a journal entry with the whole state, without forgetting anybody who may still try again; false if that cannot be. */
  fitsJournal({ producers }: ShardPartition, nowMs: number): boolean {
    if (producers.count > this.journaledMax) this.total -= producers.forgetIdle(nowMs - IDLE_MS);
    return producers.count <= this.journaledMax;
  }

  /** The same where it has to fit: of those who are too many the ones that were silent for longest are forgotten. */
  fitToJournal(producers: ProducerTable): ProducerTable {
    producers.forgetOldest(this.journaledMax);
    return producers;
  }

  /**
   * Judges the batch at `at` of the slab, whose header was checked. DUPLICATE_SEQUENCE_NUMBER: it was appended before, see the partition's table. `given`: it
   * comes from a leader, whose word counts.
   */
  judge(partition: ShardPartition, slab: Buffer, at: number, given: boolean, nowMs: number): ErrorCode {
    const id = (this.id = producerId(slab, at));
    if (id < 0) return ErrorCode.NONE;
    this.epoch = producerEpoch(slab, at);
    this.firstSequence = baseSequence(slab, at);
    this.lastSequence = sequenceAfter(this.firstSequence, lastOffsetDelta(slab, at));
    if (given) return ErrorCode.NONE;
    // Nobody can have opened a transaction; clients take this as final.
    if (isTransactional(slab, at)) return ErrorCode.INVALID_TXN_STATE;
    if (this.epoch < 0) return ErrorCode.INVALID_PRODUCER_EPOCH;
    // Ids are given out from 0 on.
    if (!Number.isSafeInteger(id)) return ErrorCode.INVALID_PRODUCER_ID_MAPPING;
    const { producers } = partition;
    const code = producers.judge(id, this.epoch, this.firstSequence, this.lastSequence);
    if (code !== ErrorCode.NONE || producers.has(id) || this.hasRoom(partition, nowMs)) return code;
    return ErrorCode.REQUEST_TIMED_OUT;
  }

  /** The batch judged last was given its offsets. */
  note({ producers }: ShardPartition, baseOffset: number, timestamp: number, nowMs: number): void {
    if (this.id < 0) return;
    const before = producers.count;
    producers.note(this.id, this.epoch, this.firstSequence, this.lastSequence, baseOffset, timestamp, nowMs);
    this.total += producers.count - before;
  }

  /** The partition's batches of the group in work are secured. */
  commit({ producers }: ShardPartition): void {
    producers.commit();
  }

  /** The partition's batches of the group in work are refused: they have not been. */
  rollback({ producers }: ShardPartition): void {
    const before = producers.count;
    producers.rollback();
    this.total += producers.count - before;
  }

  private hasRoom({ producers }: ShardPartition, nowMs: number): boolean {
    const { partitionProducersMax, producersMax } = this.shard.settings;
    if (producers.count < partitionProducersMax && this.total < producersMax) return true;
    if (nowMs < this.heldUntilMs || nowMs - this.sweptMs < SWEEP_INTERVAL_MS) return false;
    this.sweptMs = nowMs;
    this.forgetAll(nowMs, IDLE_MS);
    return producers.count < partitionProducersMax && this.total < producersMax;
  }

  private forgetAll(nowMs: number, idleMs: number): void {
    if (nowMs < this.heldUntilMs) return;
    for (const partition of this.shard.partitions)
      if (partition !== undefined) this.total -= partition.producers.forgetIdle(nowMs - idleMs);
  }
}
