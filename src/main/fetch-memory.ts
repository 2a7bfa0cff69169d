/**
 * The memory budget of fetches, in lanes, so that who reads much and takes it slowly does not stand in the way of who reads little:
 *
 *   small      an eighth of the budget, for reads of at most {@link SMALL_BYTES}; these may use the bulk lane too while nobody waits there
 *   bulk       the rest, for larger reads
 *   oversized  one buffer of its own at a time, for a batch larger than a quarter of the bulk lane (and than an ordinary answer)
 *
 * Whoever finds no room waits in its lane, first in first out, holding nothing.
 *
 * Always: in its own lane nobody gets a region before those who came earlier; the slab plus one oversized buffer are all there is.
 */
import { assert } from '../lib/assert.ts';
import { createSlab, SLAB_UNIT, SlabAllocator } from '../ring/slab.ts';

/** Reads of at most this many bytes have a lane of their own. */
export const SMALL_BYTES = 64 * 1024;

/** No read up to this size, an ordinary answer, counts as oversized. */
const BULK_BYTES_MIN = 1024 * 1024;

/** Part of the budget that is kept for small reads: one of 8. */
const SMALL_PART = 8;

/** Who waits for memory. */
export interface MemoryWaiter {
  /** Bytes needed. */
  bytesWanted: number;
  /** The region is granted; the waiter owns it now. */
  onMemory(region: Region): void;
}

/** Bytes that one owner may write and read until it frees them. */
export interface Region {
  readonly bytes: Buffer;
  /** First byte of the region in {@link bytes}. */
  readonly start: number;
  readonly length: number;
}

type Lane = 'small' | 'bulk' | 'oversized';

/** See the file header. */
export class FetchMemory {
  private readonly small: SlabAllocator;
  private readonly bulk: SlabAllocator;
  private readonly oversizeFrom: number;
  private readonly waiting: Readonly<Record<Lane, MemoryWaiter[]>> = { small: [], bulk: [], oversized: [] };
  private oversized: Region | null = null;
  private granting = false;

  /** @param bytes the budget, in whole {@link SLAB_UNIT}s */
  constructor(bytes: number) {
    const smallBytes = Math.max(SMALL_BYTES, roundDown(bytes / SMALL_PART));
    // One piece of memory: the allocator of C keeps freed pieces below 32 MiB, and clears, hence touches, all of one that it gives out again.
    const memory = createSlab(Math.max(smallBytes + SLAB_UNIT, roundDown(bytes)));
    this.small = new SlabAllocator(memory, 0, smallBytes);
    this.bulk = new SlabAllocator(memory, smallBytes);
    this.oversizeFrom = Math.max(BULK_BYTES_MIN, Math.floor(this.bulk.capacity / 4));
  }

  /** Requests that wait. */
  get waiters(): number {
    return this.waiting.small.length + this.waiting.bulk.length + this.waiting.oversized.length;
  }

  /** Whether somebody waits for memory. */
  get isShort(): boolean {
    return this.waiters > 0;
  }

  /** Bytes of the slabs that nobody owns. */
  get freeBytes(): number {
    return this.small.freeBytes + this.bulk.freeBytes;
  }

  /** A region of `bytes`, or null: {@link wait}, or do with what you hold. */
  tryAllocate(bytes: number): Region | null {
    return this.waiting[this.laneOf(bytes)].length > 0 ? null : this.take(bytes);
  }

  /** Queues behind those of its lane who wait already; the waiter must hold no region, else two could wait for each other. */
  wait(waiter: MemoryWaiter): void {
    this.waiting[this.laneOf(waiter.bytesWanted)].push(waiter);
    this.grant();
  }

  /** The waiter gives up. */
  cancel(waiter: MemoryWaiter): void {
    const lane = this.waiting[this.laneOf(waiter.bytesWanted)];
    const at = lane.indexOf(waiter);
    if (at === -1) return;
    lane.splice(at, 1);
    this.grant();
  }

  /** Gives a region back; exactly once. */
  free(region: Region): void {
    if (region === this.oversized) this.oversized = null;
    else {
      const slab = region.bytes === this.small.bytes ? this.small : this.bulk;
      assert(region.bytes === slab.bytes, 'an oversized buffer is given back once');
      slab.free(region.start, region.length);
    }
    this.grant();
  }

  private laneOf(bytes: number): Lane {
    if (bytes <= SMALL_BYTES) return 'small';
    return bytes <= this.oversizeFrom ? 'bulk' : 'oversized';
  }

  private take(bytes: number): Region | null {
    const lane = this.laneOf(bytes);
    if (lane === 'oversized') {
      if (this.oversized !== null) return null;
      this.oversized = { bytes: Buffer.allocUnsafeSlow(bytes), start: 0, length: bytes };
      return this.oversized;
    }
    if (lane === 'bulk') return cut(this.bulk, bytes);
    return cut(this.small, bytes) ?? (this.waiting.bulk.length === 0 ? cut(this.bulk, bytes) : null);
  }

  private grant(): void {
    // A granted waiter may free at once, which comes back here.
    if (this.granting) return;
    this.granting = true;
    this.grantLane(this.waiting.oversized);
    this.grantLane(this.waiting.bulk);
    this.grantLane(this.waiting.small);
    this.granting = false;
  }

  private grantLane(lane: MemoryWaiter[]): void {
    for (let waiter = lane[0]; waiter !== undefined; waiter = lane[0]) {
      const region = this.take(waiter.bytesWanted);
      if (region === null) return;
      lane.shift();
      waiter.onMemory(region);
    }
  }
}

function cut(slab: SlabAllocator, bytes: number): Region | null {
  const start = slab.allocate(bytes);
  return start === -1 ? null : { bytes: slab.bytes, start, length: bytes };
}

function roundDown(bytes: number): number {
  return bytes - (bytes % SLAB_UNIT);
}
