/**
 * A single-producer single-consumer ring of fixed-size slots over shared memory.
 *
 *   control block (Int32 words, one cache line per writing thread)
 *   ┌────────────┬──────────────────────────────────────────────────────────────┐
 *   │ word 0     │ head: slots published so far, modulo 2^32     (producer writes) │
 *   │ word 16    │ tail: slots consumed so far, modulo 2^32      (consumer writes) │
 *   │ word 32    │ asleep: 1 while the consumer blocks on head   (consumer writes) │
 *   │ word 48 …  │ slots, `slotWords` words each, `slots` of them                 │
 *   └────────────┴──────────────────────────────────────────────────────────────┘
 *
 * Always: 0 ≤ head − tail ≤ slots (as a difference modulo 2^32), slots is a power of two.
 * Slot contents are plain stores: the Atomics.store of head publishes them, the Atomics.load of head by the consumer acquires them; the
 * Atomics.store of tail hands them back the same way.
 */
import { assert } from '../lib/assert.ts';

const HEAD = 0;
const TAIL = 16;
const ASLEEP = 32;
const SLOTS = 48;

/** What both ends need to find a ring; survives `workerData`. */
export interface RingMemory {
  readonly buffer: SharedArrayBuffer;
  readonly slots: number;
  readonly slotWords: number;
}

/** Allocates the memory of a ring. `slots` and `slotWords` are powers of two. */
export function createRing(slots: number, slotWords: number): RingMemory {
  assert(slots > 0 && (slots & (slots - 1)) === 0, `ring slots must be a power of two, got ${slots}`);
  assert(slotWords > 0 && (slotWords & (slotWords - 1)) === 0, `slot words must be a power of two, got ${slotWords}`);
  return { buffer: new SharedArrayBuffer((SLOTS + slots * slotWords) * 4), slots, slotWords };
}

/** The writing end; exactly one thread holds it. */
export class RingProducer {
  /** Slot words are written through this view at the position {@link claim} returned. */
  readonly words: Int32Array;
  private readonly mask: number;
  private readonly shift: number;
  private readonly slots: number;
  private head: number;
  private published: number;
  private tailSeen: number;

  constructor(memory: RingMemory) {
    this.words = new Int32Array(memory.buffer);
    this.slots = memory.slots;
    this.mask = memory.slots - 1;
    this.shift = Math.log2(memory.slotWords);
    this.head = Atomics.load(this.words, HEAD);
    this.published = this.head;
    this.tailSeen = Atomics.load(this.words, TAIL);
  }

  /** Slots that can be claimed now. Re-reads the consumer's tail only when the cached answer is below `wanted`. */
  free(wanted: number): number {
    let free = this.slots - ((this.head - this.tailSeen) | 0);
    if (free < wanted) {
      this.tailSeen = Atomics.load(this.words, TAIL);
      free = this.slots - ((this.head - this.tailSeen) | 0);
    }
    return free;
  }

  /** Takes the next slot and returns the index of its first word. The caller made sure with {@link free}. */
  claim(): number {
    assert(this.free(1) >= 1, 'ring overrun: claim without a free slot');
    const at = SLOTS + ((this.head & this.mask) << this.shift);
    this.head = (this.head + 1) | 0;
    return at;
  }

  /** Makes every claimed slot visible and wakes the consumer if it sleeps. Free when nothing was claimed. */
  publish(): void {
    if (this.head === this.published) return;
    this.published = this.head;
    Atomics.store(this.words, HEAD, this.head);
    // Sequentially consistent: either we see asleep = 1 here, or the consumer sees the new head before it blocks.
    if (Atomics.load(this.words, ASLEEP) === 1) Atomics.notify(this.words, HEAD, 1);
  }
}

/** The reading end; exactly one thread holds it. */
export class RingConsumer {
  /** Slot words are read through this view at the position {@link at} returned. */
  readonly words: Int32Array;
  private readonly mask: number;
  private readonly shift: number;
  private tail: number;

  constructor(memory: RingMemory) {
    this.words = new Int32Array(memory.buffer);
    this.mask = memory.slots - 1;
    this.shift = Math.log2(memory.slotWords);
    this.tail = Atomics.load(this.words, TAIL);
  }

  /** Slots waiting to be consumed. */
  available(): number {
    return (Atomics.load(this.words, HEAD) - this.tail) | 0;
  }

  /** Index of the first word of the `n`-th waiting slot (0 is the oldest). Valid until {@link release} covers it. */
  at(n: number): number {
    return SLOTS + (((this.tail + n) & this.mask) << this.shift);
  }

  /** Hands the `n` oldest slots back to the producer. */
  release(n: number): void {
    this.tail = (this.tail + n) | 0;
    Atomics.store(this.words, TAIL, this.tail);
  }

  /** Blocks this thread until something waits or `timeoutMs` has passed. Never on main. */
  sleep(timeoutMs: number): void {
    if (this.available() !== 0) return;
    Atomics.store(this.words, ASLEEP, 1);
    const head = Atomics.load(this.words, HEAD);
    if (head === this.tail) Atomics.wait(this.words, HEAD, head, timeoutMs);
    Atomics.store(this.words, ASLEEP, 0);
  }
}

/** A private word to sleep on: for a thread that has to wait for something that rings no bell. Never on main. */
export class Nap {
  private readonly words = new Int32Array(new SharedArrayBuffer(4));

  /** Blocks this thread for `ms` milliseconds. */
  sleep(ms: number): void {
    Atomics.wait(this.words, 0, 0, ms);
  }
}
