/**
 * Memory for what clients send: the receive slab, cut into areas so that no two requests can wait for each other. Main only.
 *
 *   0            budget / 4                          budget            budget + largest request
 *   ┌────────────┬───────────────────────────────────┬─────────────────────────┬─────────┐
 *   │ small      │ large                             │ oversized               │ own     │
 *   └────────────┴───────────────────────────────────┴─────────────────────────┴─────────┘
 *
 * - small: frames of at most 64 KiB. Whole small produce frames share refcounted 64 KiB chunks; a frame that arrives in pieces has a region of its
 *   own, so a client that stops in the middle pins no neighbours.
 * - large: a region per frame.
 * - oversized: for frames larger than the large area, one at a time; exists only if such frames are allowed. Untouched, it costs nothing.
 * - own: for the batches that main itself writes (see internal-appends.ts), so that clients who fill the rest and main do not take it from each other.
 *
 * Whoever finds no room waits in the line of its area and is served first come, first served; nobody overtakes. A waiter holds no region, and a
 * granted frame always has room for all of it, so what is granted ends by itself or by its sender's time-out.
 */
import { assert } from '../lib/assert.ts';
import { createSlab, SLAB_UNIT, SlabAllocator } from '../ring/slab.ts';

/** Frames of at most this many bytes are small. */
export const SMALL_FRAME_BYTES_MAX = 64 * 1024;
/** Whole frames of at most this many bytes share a chunk. */
export const CHUNKED_FRAME_BYTES_MAX = 16 * 1024;
/** Bytes of a chunk. */
const CHUNK_BYTES = 64 * 1024;
/** No setting allows larger frames than this: a slab has room for the largest one and the budget beside it. */
export const REQUEST_BYTES_MAX = 1024 * 1024 * 1024;
/** Slab positions travel as int32. */
const SLAB_BYTES_MAX = 2 ** 31 - SLAB_UNIT;

export const Area = { none: 0, chunk: 1, small: 2, large: 3, oversized: 4 } as const;

/** A shared region that small frames are placed in one after the other. */
class Chunk {
  position = 0;
  /** Frames in it that are not released. */
  frames = 0;
  filled = 0;
}

/** The place of one frame. Made once per owner and filled again. */
export class Grant {
  area: number = Area.none;
  /** First byte in the slab. */
  position = 0;
  bytes = 0;
  chunk: Chunk | null = null;

  /** Hands the place over to `other`, which has none. */
  moveTo(other: Grant): void {
    assert(other.area === Area.none, 'grant moved onto another');
    other.area = this.area;
    other.position = this.position;
    other.bytes = this.bytes;
    other.chunk = this.chunk;
    this.area = Area.none;
    this.chunk = null;
  }
}

/** Someone in the line for memory. */
export interface MemoryWaiter {
  /** Filled before {@link onGranted}. */
  readonly grant: Grant;
  readonly wantedBytes: number;
  onGranted(): void;
}

export interface ReceiveRegionsOptions {
  /** Bytes for small and large frames together. */
  readonly budgetBytes: number;
  /** Largest frame that may come. */
  readonly requestBytesMax: number;
  /** Bytes of the area for main's own batches, in whole {@link SLAB_UNIT}s; none by default. */
  readonly ownBytes?: number;
  /** Called when something was released while others wait: {@link ReceiveRegions.serve} should be called soon. */
  readonly onRoom: () => void;
}

/** See the file header. */
export class ReceiveRegions {
  /** Shared with the shards. */
  readonly memory: SharedArrayBuffer;
  /** The whole slab. */
  readonly bytes: Buffer;
  /** The area of main's own batches; nothing else here touches it. */
  readonly own: SlabAllocator;
  private readonly small: SlabAllocator;
  private readonly large: SlabAllocator;
  private readonly smallBytes: number;
  private readonly largeBytes: number;
  private readonly oversizedPosition: number;
  private readonly oversizedBytes: number;
  private oversizedTaken = false;
  private readonly onRoom: () => void;
  /** A Set keeps the order of arrival and forgets anyone at once. One line per area. */
  private readonly smallLine = new Set<MemoryWaiter>();
  private readonly largeLine = new Set<MemoryWaiter>();
  private readonly oversizedLine = new Set<MemoryWaiter>();
  private current: Chunk | null = null;
  private readonly spareChunks: Chunk[] = [];

  constructor(options: ReceiveRegionsOptions) {
    const { ownBytes = 0 } = options;
    const plan = ReceiveRegions.plan(options.budgetBytes, options.requestBytesMax, ownBytes);
    this.smallBytes = plan.smallBytes;
    this.largeBytes = plan.largeBytes;
    this.oversizedBytes = plan.oversizedBytes;
    this.oversizedPosition = plan.smallBytes + plan.largeBytes;
    const ownPosition = this.oversizedPosition + plan.oversizedBytes;
    this.memory = createSlab(ownPosition + ownBytes);
    this.own = new SlabAllocator(this.memory, ownPosition, ownPosition + ownBytes);
    this.small = new SlabAllocator(this.memory, 0, plan.smallBytes);
    this.large = new SlabAllocator(this.memory, plan.smallBytes, this.oversizedPosition);
    this.bytes = this.small.bytes;
    this.onRoom = options.onRoom;
  }

  /** Sizes of the areas. The budget gives way where it and the largest request would not fit one slab. */
  private static plan(
    budgetBytes: number,
    requestBytesMax: number,
    ownBytes: number,
  ): { smallBytes: number; largeBytes: number; oversizedBytes: number } {
    const slabBytes = SLAB_BYTES_MAX - ownBytes;
    const request = SlabAllocator.sizeOf(requestBytesMax);
    assert(requestBytesMax <= REQUEST_BYTES_MAX, `requests of ${requestBytesMax} bytes do not fit a slab`);
    let budget = Math.min(budgetBytes, slabBytes);
    if (request > largePart(budget)) budget = Math.min(budget, slabBytes - request);
    const largeBytes = largePart(budget);
    const smallBytes = budget - (budget % SLAB_UNIT) - largeBytes;
    assert(smallBytes >= 2 * CHUNK_BYTES, `a receive budget of ${budgetBytes} bytes is too small`);
    return { smallBytes, largeBytes, oversizedBytes: request > largeBytes ? request : 0 };
  }

  /** Whether memory is scarce: sockets then read no further than the size of their next frame. */
  get scarce(): boolean {
    return this.waiting > 0 || this.small.freeBytes < this.smallBytes / 8;
  }

  /** How many wait. */
  get waiting(): number {
    return this.smallLine.size + this.largeLine.size + this.oversizedLine.size;
  }

  /** Bytes granted and not released, chunks counted whole. Zero when nothing is in flight. */
  get usedBytes(): number {
    const idleChunk = this.current !== null && this.current.frames === 0 ? CHUNK_BYTES : 0;
    const oversized = this.oversizedTaken ? this.oversizedBytes : 0;
    return this.smallBytes - this.small.freeBytes - idleChunk + this.largeBytes - this.large.freeBytes + oversized;
  }

  /** Places a whole frame of at most {@link CHUNKED_FRAME_BYTES_MAX} bytes in a chunk. False if there is no room or others wait for it. */
  tryPlace(grant: Grant, bytes: number): boolean {
    assert(bytes <= CHUNKED_FRAME_BYTES_MAX, 'frame too large for a chunk');
    let chunk = this.current;
    if (chunk === null || chunk.filled + bytes > CHUNK_BYTES) {
      if (this.smallLine.size > 0) return false;
      chunk = this.nextChunk();
      if (chunk === null) return false;
    }
    grant.area = Area.chunk;
    grant.position = chunk.position + chunk.filled;
    grant.bytes = bytes;
    grant.chunk = chunk;
    chunk.frames++;
    chunk.filled += bytes;
    return true;
  }

  /** A region for a frame of `bytes`. False if there is no room or others wait for it: then {@link wait}. */
  tryGrant(grant: Grant, bytes: number): boolean {
    return this.lineOf(bytes).size === 0 && this.allocate(grant, bytes);
  }

  /** Joins the line for `waiter.wantedBytes`. */
  wait(waiter: MemoryWaiter): void {
    this.lineOf(waiter.wantedBytes).add(waiter);
  }

  /** Leaves the line. */
  cancel(waiter: MemoryWaiter): void {
    if (this.lineOf(waiter.wantedBytes).delete(waiter) && this.waiting > 0) this.onRoom();
  }

  /** Gives room to those who wait, in order. */
  serve(): void {
    this.serveLine(this.smallLine);
    this.serveLine(this.largeLine);
    this.serveLine(this.oversizedLine);
  }

  /** Gives a place back. */
  release(grant: Grant): void {
    const { area, position, bytes, chunk } = grant;
    grant.area = Area.none;
    grant.chunk = null;
    if (area === Area.chunk) this.leaveChunk(chunk as Chunk);
    else if (area === Area.small) this.small.free(position, bytes);
    else if (area === Area.large) this.large.free(position, bytes);
    else {
      assert(area === Area.oversized, 'released without a grant');
      this.oversizedTaken = false;
    }
    if (this.waiting > 0) this.onRoom();
  }

  private serveLine(line: Set<MemoryWaiter>): void {
    for (const waiter of line) {
      if (!this.allocate(waiter.grant, waiter.wantedBytes)) return;
      line.delete(waiter);
      waiter.onGranted();
    }
  }

  private lineOf(bytes: number): Set<MemoryWaiter> {
    if (bytes <= SMALL_FRAME_BYTES_MAX) return this.smallLine;
    return bytes <= this.largeBytes ? this.largeLine : this.oversizedLine;
  }

  private allocate(grant: Grant, bytes: number): boolean {
    assert(grant.area === Area.none && bytes > 0, 'granted twice');
    let position: number;
    if (bytes <= SMALL_FRAME_BYTES_MAX) {
      position = this.allocateSmall(bytes);
      grant.area = Area.small;
    } else if (bytes <= this.largeBytes) {
      position = this.large.allocate(bytes);
      grant.area = Area.large;
    } else {
      assert(bytes <= this.oversizedBytes, 'frame larger than any area');
      position = this.oversizedTaken ? -1 : this.oversizedPosition;
      this.oversizedTaken = true;
      grant.area = Area.oversized;
    }
    if (position < 0) {
      grant.area = Area.none;
      return false;
    }
    grant.position = position;
    grant.bytes = bytes;
    return true;
  }

  /** A chunk nobody is in is only a cache: it gives way to a frame that needs the room. */
  private allocateSmall(bytes: number): number {
    const position = this.small.allocate(bytes);
    if (position >= 0 || this.current === null || this.current.frames > 0) return position;
    this.freeChunk(this.current);
    this.current = null;
    return this.small.allocate(bytes);
  }

  private nextChunk(): Chunk | null {
    const position = this.small.allocate(CHUNK_BYTES);
    if (position < 0) return null;
    // The old chunk goes when its last frame does; an empty one was reset instead of being left full.
    assert(this.current === null || this.current.frames > 0, 'an empty chunk was not reset');
    const chunk = this.spareChunks.pop() ?? new Chunk();
    chunk.position = position;
    chunk.frames = 0;
    chunk.filled = 0;
    this.current = chunk;
    return chunk;
  }

  private leaveChunk(chunk: Chunk): void {
    assert(chunk.frames > 0, 'chunk released too often');
    chunk.frames--;
    if (chunk.frames > 0) return;
    // The current chunk starts over: it is still in the processor's cache.
    if (chunk === this.current) chunk.filled = 0;
    else this.freeChunk(chunk);
  }

  private freeChunk(chunk: Chunk): void {
    this.small.free(chunk.position, CHUNK_BYTES);
    this.spareChunks.push(chunk);
  }
}

function largePart(budgetBytes: number): number {
  const part = Math.floor((budgetBytes / 4) * 3);
  return part - (part % SLAB_UNIT);
}
