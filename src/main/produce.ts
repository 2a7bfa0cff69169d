/**
 * Produce requests from their frame to their answer: the table of pending ones. Main only.
 *
 * A slot of the table is the number that travels to the shards and back (`request` in submission and completion). Its object is made at first use
 * and recycled, with its view and results, so the hot path allocates nothing.
 */
import { assert } from '../lib/assert.ts';
import { ErrorCode } from '../protocol/errors.ts';
import { ProduceResults, type RecordError } from '../protocol/produce-response.ts';
import { ProduceView } from '../protocol/produce-view.ts';
import { malformedRecord } from './record-errors.ts';
import { Grant, type ReceiveRegions } from './regions.ts';
import type { ShardLink } from './shard-link.ts';

/**
 * Most partitions in one request; one with more closes its connection. More than the smallest batches leave room for in the 1 MiB that producers send by
 * default. A shard may take fewer at once (ShardLink.appendsMax): the rest of the request is told to try again.
 */
export const PRODUCE_PARTITIONS_MAX = 16_384;
/** A slot that was stretched beyond this many partitions gives its arrays back. */
const KEPT_PARTITIONS_MAX = 256;
export const PENDING_PRODUCES_MAX = 8192;

/** What a pending Produce needs of its connection. */
export interface ProduceOwner {
  readonly open: boolean;
  /** Closes the connection for what the client sent. */
  refuse(reason: string): void;
  /** What its last request waited for has happened: it is tried again soon. */
  wake(): void;
  /** An answer is ready. */
  onAnswered(): void;
}

/** What produce needs to know of a partition; {@link PartitionView} is one. */
export interface ProduceTarget {
  readonly handle: number;
  readonly logStartOffset: number;
}

/** Why a batch that was opened is refused. */
export interface Verdict {
  readonly errorCode: number;
  readonly recordErrors: readonly RecordError[];
}

/** One Produce request. */
export class PendingProduce {
  /** Number of its slot. */
  readonly id: number;
  /** Null once it was answered, or its connection is gone; the slot then only waits for its completions. */
  owner: ProduceOwner | null = null;
  readonly grant = new Grant();
  correlationId = 0;
  apiVersion = 0;
  /** Stages of its life, monotonic: arrived whole, started, answered (see request-metrics.ts). */
  arrivedMs = 0;
  startedMs = 0;
  doneMs = 0;
  bodyStart = 0;
  bodyEnd = 0;
  view = new ProduceView(PRODUCE_PARTITIONS_MAX);
  results = new ProduceResults();
  /** Where each partition goes; undefined where it was refused. */
  targets: (ProduceTarget | undefined)[] = [];
  /** Whether the view holds this request. */
  parsed = false;
  /** Partitions submitted and not answered. */
  answersOwed = 0;
  /** Partitions whose bytes a shard may still read. Of `memory` topics that is so after the answer, until the batch is written. */
  appendsOwed = 0;
  /** The answer may be written. */
  done = false;
  /** Its turn came and could not be used: it stands in the line of a link, or waits for a partition that is moving. */
  waiting = false;
  /** What is wrong with its compressed batches where the topic wants them opened, by slot; null until all were. */
  verdicts: ReadonlyMap<number, Verdict> | null = null;
  /** The link in whose line it stands while waiting, if that is why. */
  waitsFor: ShardLink | null = null;

  constructor(id: number) {
    this.id = id;
  }

  get acks(): number {
    return this.view.acks;
  }

  /** All its partitions that were not refused went to their shards. */
  becomeSubmitted(count: number): void {
    this.waiting = false;
    this.answersOwed = count;
    this.appendsOwed = count;
    this.done = count === 0;
  }

  /** The batch of one partition was appended. */
  onAppended(slot: number, baseOffset: number, logAppendTimeMs: number): void {
    this.onOutcome(slot);
    this.results.succeed(slot, baseOffset, logAppendTimeMs, (this.targets[slot] as ProduceTarget).logStartOffset);
  }

  /** It was not. `badRecord`: where the code is INVALID_RECORD, the index of the record that is why; −1: none. */
  onRefused(slot: number, errorCode: number, badRecord: number): void {
    this.onOutcome(slot);
    this.results.fail(slot, errorCode);
    if (errorCode === ErrorCode.INVALID_RECORD && badRecord >= 0) this.results.setRecordErrors(slot, [malformedRecord(badRecord)]);
  }

  private onOutcome(slot: number): void {
    assert(this.answersOwed > 0 && slot < this.view.partitionCount, 'outcome for nothing');
    this.answersOwed--;
    this.done = this.answersOwed === 0;
  }
}

/** The table of pending Produce requests. */
export class PendingTable {
  /** Connections that wait for a slot, in order of arrival. */
  readonly line = new Set<{ onSlotFree(): void }>();
  private readonly slots: PendingProduce[] = [];
  private readonly spare: PendingProduce[] = [];
  private readonly regions: ReceiveRegions;
  private readonly slotsMax: number;

  constructor(regions: ReceiveRegions, slotsMax = PENDING_PRODUCES_MAX) {
    this.regions = regions;
    this.slotsMax = slotsMax;
  }

  /** Slots that can be taken. */
  get available(): number {
    return this.spare.length + this.slotsMax - this.slots.length;
  }

  /** Takes a slot for the frame that `grant` holds; the caller made sure that one is free. */
  take(owner: ProduceOwner, grant: Grant): PendingProduce {
    let pending = this.spare.pop();
    if (pending === undefined) {
      assert(this.slots.length < this.slotsMax, 'pending requests beyond the limit');
      pending = new PendingProduce(this.slots.length);
      this.slots.push(pending);
    }
    grant.moveTo(pending.grant);
    pending.owner = owner;
    pending.parsed = false;
    pending.done = false;
    pending.waiting = false;
    pending.waitsFor = null;
    pending.verdicts = null;
    return pending;
  }

  /** The request of a completion. */
  at(id: number): PendingProduce {
    const pending = this.slots[id];
    assert(pending !== undefined, `completion for request slot ${id}, which never was`);
    return pending;
  }

  /** A shard is done with one partition of `pending`. */
  onAppendEnded(pending: PendingProduce): void {
    assert(pending.appendsOwed > 0, 'more completions than appends');
    pending.appendsOwed--;
    if (pending.appendsOwed === 0 && pending.owner === null) this.free(pending);
  }

  /** Its owner is done with `pending`: slot and bytes are free as soon as no shard reads them. */
  release(pending: PendingProduce): void {
    assert(pending.owner !== null, 'request released twice');
    pending.owner = null;
    if (pending.appendsOwed === 0) this.free(pending);
  }

  /** Lets those go on who wait for a slot. */
  serve(): void {
    for (const waiter of this.line) {
      if (this.available === 0) return;
      this.line.delete(waiter);
      waiter.onSlotFree();
    }
  }

  private free(pending: PendingProduce): void {
    this.regions.release(pending.grant);
    // A recycled slot keeps no deleted partition alive.
    for (let slot = 0; slot < pending.targets.length; slot++) pending.targets[slot] = undefined;
    if (pending.targets.length > KEPT_PARTITIONS_MAX || pending.view.partitionCapacity > KEPT_PARTITIONS_MAX) {
      pending.view = new ProduceView(PRODUCE_PARTITIONS_MAX);
      pending.results = new ProduceResults();
      pending.targets = [];
    }
    this.spare.push(pending);
  }
}
