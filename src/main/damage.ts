/**
 * What of a partition is refused: offset ranges (from recovery, or found by a reader), and holes, the byte stretches to jump over on the way to what
 * lies behind. Both are bounded: beyond the maximum neighbouring ranges are joined, and the oldest hole is forgotten (it is found again).
 */
import type { DamagedRange } from '../log/partition-state.ts';

/** Most ranges, and most holes, of one partition. A disk worse than this loses the stretches between its holes too. */
export const DAMAGE_MAX = 256;

/** Bytes of one segment that are not what was written. */
export interface Hole {
  readonly segmentBase: number;
  readonly fromPosition: number;
  /** Position of the next batch worth trusting, or the end of the segment as it was. */
  readonly toPosition: number;
  /** Offset of the batch at {@link toPosition}, or the end offset of the segment as it was. */
  readonly toOffset: number;
}

interface Range {
  from: number;
  to: number;
}

/** See the file header. */
export class DamageList {
  private readonly list: Range[] = [];
  private readonly holes: Hole[] = [];

  constructor(recovered: readonly DamagedRange[] = []) {
    for (const range of recovered) this.refuse(range.from, range.to);
  }

  /** All refused ranges, ascending and disjoint. */
  get ranges(): readonly Readonly<Range>[] {
    return this.list;
  }

  /** Whether `offset` is refused. */
  has(offset: number): boolean {
    const range = this.list[this.firstEndingAfter(offset)];
    return range !== undefined && range.from <= offset;
  }

  /** First refused offset at or behind `offset`; Infinity when there is none. */
  nextFrom(offset: number): number {
    const range = this.list[this.firstEndingAfter(offset)];
    return range === undefined ? Infinity : Math.max(range.from, offset);
  }

  /** One past the refused range that holds `offset`; `offset` itself when it is not refused. */
  endOf(offset: number): number {
    const range = this.list[this.firstEndingAfter(offset)];
    return range !== undefined && range.from <= offset ? range.to : offset;
  }

  /** The hole that holds `position` of the segment with `segmentBase`, or undefined. */
  holeAt(segmentBase: number, position: number): Hole | undefined {
    for (const hole of this.holes) {
      if (hole.segmentBase === segmentBase && hole.fromPosition <= position && position < hole.toPosition) return hole;
    }
    return undefined;
  }

  /** Refuses offsets [from, to). */
  refuse(from: number, to: number): void {
    if (from >= to) return;
    const first = this.firstEndingAfter(from - 1);
    let last = first;
    const merged: Range = { from, to };
    while (last < this.list.length && (this.list[last] as Range).from <= to) {
      merged.from = Math.min(merged.from, (this.list[last] as Range).from);
      merged.to = Math.max(merged.to, (this.list[last] as Range).to);
      last++;
    }
    this.list.splice(first, last - first, merged);
    if (this.list.length > DAMAGE_MAX) this.joinClosest();
  }

  /** Refuses offsets [fromOffset, hole.toOffset) and remembers how to get past them. */
  addHole(fromOffset: number, hole: Hole): void {
    this.refuse(fromOffset, hole.toOffset);
    const same = this.holes.findIndex((known) => known.segmentBase === hole.segmentBase && known.fromPosition === hole.fromPosition);
    if (same !== -1) this.holes.splice(same, 1);
    this.holes.push(hole);
    if (this.holes.length > DAMAGE_MAX) this.holes.shift();
  }

  /** Forgets what lies below `logStartOffset` or at and above `endOffset`. */
  prune(logStartOffset: number, endOffset: number): void {
    const kept = this.list.filter((range) => range.to > logStartOffset && range.from < endOffset);
    for (const range of kept) range.to = Math.min(range.to, endOffset);
    this.list.splice(0, this.list.length, ...kept);
    const holes = this.holes.filter((hole) => hole.toOffset > logStartOffset && hole.toOffset <= endOffset);
    this.holes.splice(0, this.holes.length, ...holes);
  }

  /** Forgets what lies within [from, to). */
  forget(from: number, to: number): void {
    const kept = this.list.flatMap((range) => [
      { from: range.from, to: Math.min(range.to, from) },
      { from: Math.max(range.from, to), to: range.to },
    ]);
    this.list.splice(0, this.list.length, ...kept.filter((range) => range.from < range.to));
    const holes = this.holes.filter((hole) => hole.segmentBase < from || hole.segmentBase >= to);
    this.holes.splice(0, this.holes.length, ...holes);
  }

  private firstEndingAfter(offset: number): number {
    let low = 0;
    let high = this.list.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.list[middle] as Range).to <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private joinClosest(): void {
    let closest = 0;
    for (let i = 1; i + 1 < this.list.length; i++) if (this.gapAfter(i) < this.gapAfter(closest)) closest = i;
    const [a, b] = [this.list[closest] as Range, this.list[closest + 1] as Range];
    this.list.splice(closest, 2, { from: a.from, to: b.to });
  }

  private gapAfter(i: number): number {
    return (this.list[i + 1] as Range).from - (this.list[i] as Range).to;
  }
}
