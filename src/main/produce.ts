/**
 * Produce requests from their frame to their answer: the table of pending ones. Main only.
 *
 * A slot of the table is the number that travels to the shards and back (`request` in submission and completion). Its object is made at first use
 * and recycled, with its view and results, so the hot path allocates nothing.
 */
import { assert } from '../lib/assert.ts';
import { ProduceResults } from '../protocol/produce-response.ts';
import { ProduceView } from '../protocol/produce-view.ts';
import { Area, Grant, type ReceiveRegions } from './regions.ts';
import type { ShardLink } from './shard-link.ts';

/** Most partitions in one request; one with more closes its connection. A shard may take fewer at once: see ShardLink.appendsMax. */
export const PRODUCE_PARTITIONS_MAX = 4096;
/** A slot that was stretched beyond this many partitions gives its arrays back. */
const KEPT_PARTITIONS_MAX = 256;
export const PENDING_PRODUCES_MAX = 8192;

/** What a pending Produce needs of its connection. */
export interface ProduceOwner {
  readonly open: boolean;
  close(reason: string): void;
  /** The request at the end of the queue can be tried again. */
  startNext(): void;
  /** An answer is ready. */
  onAnswered(): void;
}

/** What produce needs to know of a partition; {@link PartitionView} is one. */
export interface ProduceTarget {
  readonly handle: number;
  readonly logStartOffset: number;
}

/** One Produce request. */
export class PendingProduce {
  /** Number of its slot. */
  readonly id: number;
  /** Null once the connection is gone; the slot then only waits for its completions. */
  owner: ProduceOwner | null = null;
  readonly grant = new Grant();
  correlationId = 0;
  apiVersion = 0;
  bodyStart = 0;
  bodyEnd = 0;
  view = new ProduceView(PRODUCE_PARTITIONS_MAX);
  results = new ProduceResults();
  /** Where each partition goes; undefined where it was refused. */
  targets: (ProduceTarget | undefined)[] = [];
  /** Whether the view holds this request. */
  parsed = false;
  /** Partitions submitted and not answered. */
  owed = 0;
  submitted = false;
  /** The answer may be written. */
  done = false;
  /** Its turn came and could not be used: it stands in the line of a link, or waits for a partition that is moving. */
  waiting = false;
  /** The link in whose line it stands while waiting, if that is why. */
  waitsFor: ShardLink | null = null;

  constructor(id: number) {
    this.id = id;
  }

  get acks(): number {
    return this.view.acks;
  }

  /** Outcome of one partition. Returns whether it was the last one. */
  onOutcome(slot: number, errorCode: number, baseOffset: number, logAppendTimeMs: number): boolean {
    assert(this.owed > 0 && slot < this.view.partitionCount, 'outcome for nothing');
    if (errorCode === 0) this.results.succeed(slot, baseOffset, logAppendTimeMs, (this.targets[slot] as ProduceTarget).logStartOffset);
    else this.results.fail(slot, errorCode);
    this.owed--;
    if (this.owed > 0) return false;
    this.done = true;
    return true;
  }

  /** Whether any partition was refused. Meaningful when done. */
  get hasError(): boolean {
    const { errorCode } = this.results;
    for (let slot = 0; slot < this.view.partitionCount; slot++) if (errorCode[slot] !== 0) return true;
    return false;
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
  get free(): number {
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
    pending.submitted = false;
    pending.done = false;
    pending.waiting = false;
    pending.waitsFor = null;
    pending.owed = 0;
    return pending;
  }

  /** The request of a completion. */
  at(id: number): PendingProduce {
    const pending = this.slots[id];
    assert(pending !== undefined, `completion for request slot ${id}, which never was`);
    return pending;
  }

  /** Frees the slot and the bytes of its request: nothing refers to them any more. */
  release(pending: PendingProduce): void {
    assert(pending.owed === 0 && pending.grant.area !== Area.none, 'request released while a shard has it, or twice');
    this.regions.release(pending.grant);
    pending.owner = null;
    if (pending.targets.length > KEPT_PARTITIONS_MAX || pending.view.partitionCapacity > KEPT_PARTITIONS_MAX) {
      pending.view = new ProduceView(PRODUCE_PARTITIONS_MAX);
      pending.results = new ProduceResults();
      pending.targets = [];
    }
    this.spare.push(pending);
  }

  /** Lets those go on who wait for a slot. */
  serve(): void {
    for (const waiter of this.line) {
      if (this.free === 0) return;
      this.line.delete(waiter);
      waiter.onSlotFree();
    }
  }
}
