/**
 * The slab: one SharedArrayBuffer cut into contiguous regions. Only main allocates and frees; a region has one owner at a time. Untouched pages
 * cost no memory and the lowest free address is used first, so resident memory follows use.
 *
 * Always: the free extents are sorted, disjoint, never adjacent, and with the allocated regions they cover the slab exactly.
 */
import { assert } from '../lib/assert.ts';

/** Regions are multiples of this many bytes. */
export const SLAB_UNIT = 4096;

/** Allocates the memory of a slab of `bytes` (rounded down to {@link SLAB_UNIT}, below 2 GiB so that positions fit an int32). */
export function createSlab(bytes: number): SharedArrayBuffer {
  assert(bytes >= SLAB_UNIT && bytes < 2 ** 31, `slab size must be ${SLAB_UNIT} to 2^31-1 bytes, got ${bytes}`);
  return new SharedArrayBuffer(bytes - (bytes % SLAB_UNIT));
}

/** First-fit allocator over a slab; see the file header. */
export class SlabAllocator {
  /** All bytes of the slab. */
  readonly bytes: Buffer;
  private readonly starts: number[];
  private readonly lengths: number[];
  private readonly from: number;
  private readonly to: number;
  private freeTotal: number;

  /** Manages the bytes `from` to `to` of the slab (both multiples of {@link SLAB_UNIT}); positions stay those of the whole slab. */
  constructor(memory: SharedArrayBuffer, from = 0, to = memory.byteLength) {
    assert(
      from >= 0 && from <= to && to <= memory.byteLength && from % SLAB_UNIT === 0 && to % SLAB_UNIT === 0,
      'slab: range out of place',
    );
    this.bytes = Buffer.from(memory);
    this.from = from;
    this.to = to;
    this.starts = from < to ? [from] : [];
    this.lengths = from < to ? [to - from] : [];
    this.freeTotal = to - from;
  }

  /** Bytes it manages. */
  get capacity(): number {
    return this.to - this.from;
  }

  /** Bytes not allocated. */
  get freeBytes(): number {
    return this.freeTotal;
  }

  /** Bytes that a request of `bytes` takes from the slab. */
  static sizeOf(bytes: number): number {
    return Math.ceil(bytes / SLAB_UNIT) * SLAB_UNIT;
  }

  /** Position of a region of at least `bytes`, or −1 when no contiguous room is left. */
  allocate(bytes: number): number {
    const size = SlabAllocator.sizeOf(bytes);
    for (let i = 0; i < this.starts.length; i++) {
      const length = this.lengths[i] as number;
      if (length < size) continue;
      const start = this.starts[i] as number;
      if (length === size) {
        this.starts.splice(i, 1);
        this.lengths.splice(i, 1);
      } else {
        this.starts[i] = start + size;
        this.lengths[i] = length - size;
      }
      this.freeTotal -= size;
      return start;
    }
    return -1;
  }

  /** Returns a region of `bytes` (the same number as allocated) at `position`. */
  free(position: number, bytes: number): void {
    const size = SlabAllocator.sizeOf(bytes);
    let low = 0;
    let high = this.starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.starts[middle] as number) < position) low = middle + 1;
      else high = middle;
    }
    const before = low - 1;
    const beforeEnd = before >= 0 ? (this.starts[before] as number) + (this.lengths[before] as number) : -1;
    const after = low < this.starts.length ? (this.starts[low] as number) : Infinity;
    assert(
      position >= this.from && position + size <= this.to && beforeEnd <= position && position + size <= after,
      `slab: freed twice or out of range at ${position}`,
    );
    this.freeTotal += size;
    if (beforeEnd === position) {
      this.lengths[before] = (this.lengths[before] as number) + size;
      if (position + size === after) {
        this.lengths[before] = this.lengths[before] + this.lengths[low]!;
        this.starts.splice(low, 1);
        this.lengths.splice(low, 1);
      }
    } else if (position + size === after) {
      this.starts[low] = position;
      this.lengths[low] = (this.lengths[low] as number) + size;
    } else {
      this.starts.splice(low, 0, position);
      this.lengths.splice(low, 0, size);
    }
  }
}
