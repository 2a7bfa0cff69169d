/**
 * The memory budget of fetches: regions of the fetch slab, and a first-in first-out queue of those who wait for one, holding nothing. A read larger than
 * a quarter of the slab (one huge batch) gets a buffer of its own, one at a time.
 *
 * Always: while someone waits, nobody who came later gets a region first; the slab plus one oversized buffer is all there is.
 */
import { assert } from '../lib/assert.ts';
import { SlabAllocator } from '../ring/slab.ts';

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

/** See the file header. */
export class FetchMemory {
  private readonly slab: SlabAllocator;
  private readonly oversizeFrom: number;
  private readonly waiting: MemoryWaiter[] = [];
  private oversized: Region | null = null;
  private granting = false;

  constructor(memory: SharedArrayBuffer) {
    this.slab = new SlabAllocator(memory);
    this.oversizeFrom = Math.floor(memory.byteLength / 4);
  }

  /** Whether somebody waits for memory. */
  get isShort(): boolean {
    return this.waiting.length > 0;
  }

  /** Requests that wait. */
  get waiters(): number {
    return this.waiting.length;
  }

  /** Bytes of the slab that nobody owns. */
  get freeBytes(): number {
    return this.slab.freeBytes;
  }

  /** A region of `bytes`, or null: {@link wait}, or do with what you hold. */
  tryAllocate(bytes: number): Region | null {
    return this.waiting.length > 0 ? null : this.take(bytes);
  }

  /** Queues behind those who wait already; the waiter must hold no region, else two could wait for each other. */
  wait(waiter: MemoryWaiter): void {
    this.waiting.push(waiter);
    this.grant();
  }

  /** The waiter gives up. */
  cancel(waiter: MemoryWaiter): void {
    const at = this.waiting.indexOf(waiter);
    if (at === -1) return;
    this.waiting.splice(at, 1);
    this.grant();
  }

  /** Gives a region back; exactly once. */
  free(region: Region): void {
    if (region === this.oversized) this.oversized = null;
    else {
      assert(region.bytes === this.slab.bytes, 'an oversized buffer is given back once');
      this.slab.free(region.start, region.length);
    }
    this.grant();
  }

  private take(bytes: number): Region | null {
    if (bytes > this.oversizeFrom) {
      if (this.oversized !== null) return null;
      this.oversized = { bytes: Buffer.allocUnsafeSlow(bytes), start: 0, length: bytes };
      return this.oversized;
    }
    const start = this.slab.allocate(bytes);
    return start === -1 ? null : { bytes: this.slab.bytes, start, length: bytes };
  }

  private grant(): void {
    // A granted waiter may free at once, which comes back here.
    if (this.granting) return;
    this.granting = true;
    for (let waiter = this.waiting[0]; waiter !== undefined; waiter = this.waiting[0]) {
      const region = this.take(waiter.bytesWanted);
      if (region === null) break;
      this.waiting.shift();
      waiter.onMemory(region);
    }
    this.granting = false;
  }
}
