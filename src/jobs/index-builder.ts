/**
 * Entries of an index that is rebuilt. A chain of batches that is not believed yet has a builder of its own, whose entries join those before once it is.
 *
 * Always: offsets and positions ascend; at most {@link ENTRIES_MAX} entries, of which those where a chain was taken up again stay longest: a reader who comes there by
 * the headers before would find the damage, and refuse what lies up to the next entry.
 */
import type { IndexEntries } from '../log/index-file.ts';

/** As many as an index in memory may have; see SparseIndex. */
const ENTRIES_MAX = 4096;

/** See the file header. */
export class IndexBuilder {
  private intervalBytes: number;
  private lastPosition = 0;
  private offsets: number[] = [];
  private positions: number[] = [];
  private timestamps: number[] = [];
  /** The chain was taken up again here. */
  private isStart: boolean[] = [];
  private maxTimestamp = -1;

  constructor(intervalBytes: number) {
    this.intervalBytes = Math.max(1, intervalBytes);
  }

  /** Tells of the next batch. `isStart`: nothing before leads to it, so it must be findable whatever the interval. */
  onBatch(offset: number, position: number, maxTimestamp: number, isStart: boolean): void {
    if (isStart || position - this.lastPosition >= this.intervalBytes) {
      this.offsets.push(offset);
      this.positions.push(position);
      this.timestamps.push(this.maxTimestamp);
      this.isStart.push(isStart);
      this.lastPosition = position;
      this.thin();
    }
    this.noteTimestamp(maxTimestamp);
  }

  /** Takes over an entry of another index. */
  takeOver(offset: number, position: number, maxTimestampBefore: number): void {
    this.noteTimestamp(maxTimestampBefore);
    this.onBatch(offset, position, -1, true);
  }

  /** Somewhere before what is told next there is a record of this time, ms; −1 none. */
  noteTimestamp(timestamp: number): void {
    this.maxTimestamp = Math.max(this.maxTimestamp, timestamp);
  }

  /** Takes over what `later` has, which begins with the batch of base offset `offset` at `position`. What is known of such offsets or places here was wrong. */
  join(later: IndexBuilder, offset: number, position: number): void {
    while (this.offsets.length > 0 && ((this.offsets.at(-1) as number) >= offset || (this.positions.at(-1) as number) >= position)) {
      for (const list of [this.offsets, this.positions, this.timestamps, this.isStart]) list.pop();
    }
    const before = this.maxTimestamp;
    this.offsets = this.offsets.concat(later.offsets);
    this.positions = this.positions.concat(later.positions);
    this.timestamps = this.timestamps.concat(later.timestamps.map((timestamp) => Math.max(before, timestamp)));
    this.isStart = this.isStart.concat(later.isStart);
    this.intervalBytes = Math.max(this.intervalBytes, later.intervalBytes);
    this.lastPosition = later.lastPosition;
    this.maxTimestamp = Math.max(before, later.maxTimestamp);
    this.thin();
  }

  export(): IndexEntries {
    return {
      offsets: Float64Array.from(this.offsets),
      positions: Uint32Array.from(this.positions),
      timestamps: Float64Array.from(this.timestamps),
      maxTimestamp: this.maxTimestamp,
    };
  }

  private thin(): void {
    if (this.offsets.length <= ENTRIES_MAX) return;
    const starts = this.isStart.filter(Boolean).length;
    let nth = 0;
    // With very many starts they are entries like the others.
    this.keep(this.isStart.map((isStart) => (isStart && starts <= ENTRIES_MAX / 2) || nth++ % 2 === 1));
    this.intervalBytes *= 2;
    this.thin();
  }

  private keep(isKept: readonly boolean[]): void {
    const kept = (_: unknown, i: number): boolean => isKept[i] as boolean;
    this.offsets = this.offsets.filter(kept);
    this.positions = this.positions.filter(kept);
    this.timestamps = this.timestamps.filter(kept);
    this.isStart = this.isStart.filter(kept);
  }
}
