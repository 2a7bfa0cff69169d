/**
 * A bounded index of one segment: some batches by offset, position and time. Main feeds it while the segment is active; a keeper job writes it
 * beside the segment at roll (log/index-file.ts).
 *
 * Always: offsets and positions strictly ascend, maxTimestamps never descend; at most {@link INDEX_ENTRIES_MAX} entries: when full, every second
 * one is dropped and the interval doubles. Position 0 is implied, and stored only where the first offsets of the segment are missing, so a small
 * partition has no arrays at all.
 */
import { assert } from '../lib/assert.ts';
import type { IndexEntries } from '../log/index-file.ts';

/** Most entries of one index. */
export const INDEX_ENTRIES_MAX = 4096;

const ENTRIES_FIRST = 8;

/** See the file header. */
export class SparseIndex {
  /** Bytes between two entries, at least. */
  intervalBytes: number;
  /** Number of entries. */
  count = 0;
  /** It comes from what happened in this life, or from the segment itself; not from a file that may have outlived a cut. */
  isTrusted = true;
  /** Entries cover the segment from this position on; 0 unless the broker restarted while the segment was active. */
  startPosition: number;
  /** One past the last offset before {@link startPosition}; of no meaning while that is 0. */
  startOffset: number;
  private offsets: Float64Array | null = null;
  private positions: Uint32Array | null = null;
  /** Largest timestamp of all batches *before* the entry's batch since {@link startPosition}, ms; −1 when none has one. */
  private timestamps: Float64Array | null = null;
  private maxTimestampSoFar = -1;
  private lastPosition: number;

  constructor(intervalBytes: number, startPosition = 0, startOffset = 0) {
    this.intervalBytes = Math.max(1, intervalBytes);
    this.startPosition = startPosition;
    this.startOffset = startOffset;
    this.lastPosition = startPosition;
  }

  /** Tells of the next batch of the segment, in order. Stores an entry once the interval since the last one is full. */
  onBatch(baseOffset: number, position: number, maxTimestamp: number): void {
    const first = position === this.startPosition && position > 0 && this.count === 0;
    if (first || position - this.lastPosition >= this.intervalBytes) this.push(baseOffset, position, this.maxTimestampSoFar);
    if (maxTimestamp > this.maxTimestampSoFar) this.maxTimestampSoFar = maxTimestamp;
  }

  /** Appends an entry as read from a file or a rebuild. */
  push(offset: number, position: number, maxTimestampBefore: number): void {
    if (this.count === INDEX_ENTRIES_MAX) this.thin();
    const capacity = this.offsets === null ? 0 : this.offsets.length;
    if (this.count === capacity) this.grow(capacity === 0 ? ENTRIES_FIRST : Math.min(INDEX_ENTRIES_MAX, capacity * 2));
    const at = this.count;
    assert(at === 0 || (offset > this.offset(at - 1) && position > this.position(at - 1)), 'index entries must ascend');
    (this.offsets as Float64Array)[at] = offset;
    (this.positions as Uint32Array)[at] = position;
    (this.timestamps as Float64Array)[at] = maxTimestampBefore;
    this.count++;
    this.lastPosition = position;
    if (maxTimestampBefore > this.maxTimestampSoFar) this.maxTimestampSoFar = maxTimestampBefore;
  }

  /** Offset of entry `i`: base offset of the batch at {@link position}. */
  offset(i: number): number {
    return (this.offsets as Float64Array)[i] as number;
  }

  /** Position of entry `i` in the segment, bytes. */
  position(i: number): number {
    return (this.positions as Uint32Array)[i] as number;
  }

  /** Largest timestamp before entry `i`, ms; −1 when none. */
  maxTimestampBefore(i: number): number {
    return (this.timestamps as Float64Array)[i] as number;
  }

  /** Last entry with an offset ≤ `offset`; −1: the segment's start (or what lies before {@link startPosition}). */
  findOffset(offset: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.offset(middle) <= offset) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** First entry with a position > `position`; `count` when there is none. */
  entryAfter(position: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.position(middle) <= position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Whether a batch begins within the `bytes` behind the beginning of the one at `position`. */
  hasWithin(position: number, bytes: number): boolean {
    const entry = this.entryAfter(position);
    return entry < this.count && this.position(entry) < position + bytes;
  }

  /** Last entry before which every timestamp is < `timestamp`; −1: the start. The first batch that reaches it is at or behind this entry. */
  findTimestamp(timestamp: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.maxTimestampBefore(middle) < timestamp) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** Forgets entries at or behind `endPosition`: the segment was cut there, and ends with the offset before `endOffset`. */
  truncate(endOffset: number, endPosition: number): void {
    this.count = endPosition <= this.startPosition ? 0 : this.entryAfter(endPosition - 1);
    this.lastPosition = this.count === 0 ? Math.min(this.startPosition, endPosition) : this.position(this.count - 1);
    if (endPosition < this.startPosition) {
      this.startPosition = endPosition;
      this.startOffset = endOffset;
    }
    // The maximum of what remains is unknown without a walk; a too large one only makes a time lookup start earlier than it could.
  }

  /** Joins `older`, which covers [0, startPosition), in front of this index. */
  prepend(older: SparseIndex): void {
    const joined = new SparseIndex(Math.max(this.intervalBytes, older.intervalBytes));
    const olderMax = older.maxTimestampSoFar;
    for (let i = 0; i < older.count && older.position(i) < this.startPosition; i++) {
      joined.push(older.offset(i), older.position(i), older.maxTimestampBefore(i));
    }
    for (let i = 0; i < this.count; i++) {
      joined.push(this.offset(i), this.position(i), Math.max(olderMax, this.maxTimestampBefore(i)));
    }
    this.intervalBytes = joined.intervalBytes;
    this.startPosition = 0;
    this.count = joined.count;
    this.offsets = joined.offsets;
    this.positions = joined.positions;
    this.timestamps = joined.timestamps;
    if (olderMax > this.maxTimestampSoFar) this.maxTimestampSoFar = olderMax;
    if (this.count > 0) this.lastPosition = this.position(this.count - 1);
  }

  /** Entries as exact-length copies, ready to hand to another thread. */
  export(): IndexEntries {
    return {
      offsets: this.offsets === null ? new Float64Array(0) : this.offsets.slice(0, this.count),
      positions: this.positions === null ? new Uint32Array(0) : this.positions.slice(0, this.count),
      timestamps: this.timestamps === null ? new Float64Array(0) : this.timestamps.slice(0, this.count),
      maxTimestamp: this.maxTimestampSoFar,
    };
  }

  /** An index of a whole segment from entries of a file or a rebuild. */
  static import(entries: IndexEntries, intervalBytes: number): SparseIndex {
    const index = new SparseIndex(intervalBytes);
    for (let i = 0; i < entries.offsets.length; i++) {
      index.push(entries.offsets[i] as number, entries.positions[i] as number, entries.timestamps[i] as number);
    }
    if (entries.maxTimestamp > index.maxTimestampSoFar) index.maxTimestampSoFar = entries.maxTimestamp;
    return index;
  }

  private thin(): void {
    let kept = 0;
    for (let i = 1; i < this.count; i += 2) {
      (this.offsets as Float64Array)[kept] = this.offset(i);
      (this.positions as Uint32Array)[kept] = this.position(i);
      (this.timestamps as Float64Array)[kept] = this.maxTimestampBefore(i);
      kept++;
    }
    this.count = kept;
    this.intervalBytes *= 2;
  }

  private grow(capacity: number): void {
    const offsets = new Float64Array(capacity);
    const positions = new Uint32Array(capacity);
    const timestamps = new Float64Array(capacity);
    if (this.offsets !== null) {
      offsets.set(this.offsets);
      positions.set(this.positions as Uint32Array);
      timestamps.set(this.timestamps as Float64Array);
    }
    this.offsets = offsets;
    this.positions = positions;
    this.timestamps = timestamps;
  }
}
