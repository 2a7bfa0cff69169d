/**
 * Finds the batch that holds an offset, or the first batch that reaches a time: by what readers before left behind (hints), by the index, then by following
 * headers from the index entry on.
 */
import type { DamageFinder, ReadErrorReport } from './damage-finder.ts';
import type { HeaderScanner, Scan } from './header-scan.ts';
import type { IndexCache } from './index-cache.ts';
import type { PartitionView } from './partition-view.ts';
import type { SegmentView } from './segment-view.ts';
import type { SparseIndex } from './sparse-index.ts';

/** `found`; `none`: no such batch; `damaged`: the offset lies in a refused range; `error`: the disk could not be read; `gone`: the log changed meanwhile. */
export type LocateOutcome = 'found' | 'none' | 'damaged' | 'error' | 'gone';

/** A batch's place. */
export interface Place {
  readonly outcome: LocateOutcome;
  readonly segment: SegmentView | null;
  readonly position: number;
  /** Base offset of the batch. */
  readonly base: number;
}

/** Holes jumped over by one lookup; more than a segment may have. */
const ATTEMPTS_MAX = 512;

const GONE: Place = { outcome: 'gone', segment: null, position: 0, base: 0 };
const NONE: Place = { outcome: 'none', segment: null, position: 0, base: 0 };
const DAMAGED: Place = { outcome: 'damaged', segment: null, position: 0, base: 0 };
const ERROR: Place = { outcome: 'error', segment: null, position: 0, base: 0 };

/** See the file header. */
export class Locator {
  /** Result of the last {@link tryLocate} that said true. */
  segment: SegmentView | null = null;
  position = 0;
  base = 0;
  private readonly indexes: IndexCache;
  private readonly scanner: HeaderScanner;
  private readonly damage: DamageFinder;
  private readonly onReadError: ReadErrorReport;

  constructor(indexes: IndexCache, scanner: HeaderScanner, damage: DamageFinder, onReadError: ReadErrorReport) {
    this.onReadError = onReadError;
    this.indexes = indexes;
    this.scanner = scanner;
    this.damage = damage;
  }

  /** Finds the batch that holds `offset` (readable, not refused) without touching the disk; false: ask {@link locate}. */
  tryLocate(view: PartitionView, offset: number): boolean {
    const segment = view.segments[view.segmentIndexOf(offset)];
    if (segment === undefined || offset >= segment.endOffset) return false;
    this.segment = segment;
    if (offset === segment.baseOffset) {
      this.position = 0;
      this.base = offset;
      return true;
    }
    const hint = view.hints.find(offset);
    if (hint !== -1) {
      this.position = view.hints.position(hint);
      this.base = view.hints.base(hint);
      return true;
    }
    const index = segment.index;
    const entry = index === null ? -1 : index.findOffset(offset);
    if (index === null || entry === -1 || index.offset(entry) !== offset) return false;
    this.position = index.position(entry);
    this.base = offset;
    return true;
  }

  /** Finds the batch that holds `offset`. The callback may run at once. */
  locate(view: PartitionView, offset: number, done: (place: Place) => void, attempts = ATTEMPTS_MAX): void {
    const segment = view.segments[view.segmentIndexOf(offset)];
    if (segment === undefined || offset >= segment.endOffset) return done(NONE);
    if (view.damage.has(offset)) return done(DAMAGED);
    this.withIndex(view, segment, offset, (index) => {
      if (segment.retired || offset >= segment.endOffset) return done(GONE);
      const entry = index === null ? -1 : index.findOffset(offset);
      const position = entry === -1 ? 0 : (index as SparseIndex).position(entry);
      const base = entry === -1 ? segment.baseOffset : (index as SparseIndex).offset(entry);
      const again = (): void => (attempts === 0 ? done(ERROR) : this.locate(view, offset, done, attempts - 1));
      this.scan(view, segment, index, position, base, offset, Infinity, again, (place) => {
        if (place.outcome === 'found' && place.base > offset) return done(DAMAGED);
        if (place.outcome === 'found') view.hints.remember(offset, place.position, place.base);
        // The headers end before the offset does: a part of the segment that should be there is not.
        done(place.outcome === 'none' ? DAMAGED : place);
      });
    });
  }

  /** Finds the first batch at or behind `fromSegment` whose largest timestamp is at least `timestamp` (ms). */
  locateTimestamp(
    view: PartitionView,
    timestamp: number,
    fromSegment: number,
    done: (place: Place) => void,
    attempts = ATTEMPTS_MAX,
  ): void {
    const segment = view.segments.find((candidate, i) => i >= fromSegment && candidate.maxTimestamp >= timestamp);
    if (segment === undefined) return done(NONE);
    this.indexes.get(view, segment, (index) => {
      if (segment.retired) return done(GONE);
      const entry = index === null ? -1 : index.findTimestamp(timestamp);
      const position = entry === -1 ? 0 : (index as SparseIndex).position(entry);
      const base = entry === -1 ? segment.baseOffset : (index as SparseIndex).offset(entry);
      const again = (): void =>
        attempts === 0 ? done(ERROR) : this.locateTimestamp(view, timestamp, this.indexOf(view, segment), done, attempts - 1);
      this.scan(view, segment, index, position, base, Infinity, timestamp, again, (place) => {
        // What had the time is damaged: the next segment may have a later one.
        if (place.outcome === 'none') this.locateTimestamp(view, timestamp, this.indexOf(view, segment) + 1, done, attempts);
        else done(place);
      });
    });
  }

  /** The same, from the batch of base offset `base` at `position` of `segment` on. */
  locateTimestampFrom(
    view: PartitionView,
    timestamp: number,
    segment: SegmentView,
    position: number,
    base: number,
    done: (place: Place) => void,
    attempts = ATTEMPTS_MAX,
  ): void {
    const again = (): void =>
      attempts === 0 ? done(ERROR) : this.locateTimestampFrom(view, timestamp, segment, position, base, done, attempts - 1);
    this.scan(view, segment, segment.index, position, base, Infinity, timestamp, again, (place) => {
      if (place.outcome === 'none') this.locateTimestamp(view, timestamp, this.indexOf(view, segment) + 1, done);
      else done(place);
    });
  }

  /** Place of a segment in its view; behind the last when it is gone. */
  private indexOf(view: PartitionView, segment: SegmentView): number {
    const at = view.segments.indexOf(segment);
    return at === -1 ? view.segments.length : at;
  }

  /** The index in memory will do when it covers the offset, even if it does not cover the whole active segment. */
  private withIndex(view: PartitionView, segment: SegmentView, offset: number, done: (index: SparseIndex | null) => void): void {
    const index = segment.index;
    if (index !== null && (index.startPosition === 0 || index.findOffset(offset) !== -1)) done(index);
    else this.indexes.get(view, segment, done);
  }

  /** `again`: damage was found and recorded, or the index was wrong; the look-up begins anew. */
  private scan(
    view: PartitionView,
    segment: SegmentView,
    index: SparseIndex | null,
    position: number,
    base: number,
    targetOffset: number,
    targetTimestamp: number,
    again: () => void,
    done: (place: Place) => void,
  ): void {
    this.scanner.scan(view, segment, index, position, base, targetOffset, targetTimestamp, (scan: Scan) => {
      // What a failed sync may have left out answers nothing, and is no damage either.
      if (scan.offset >= view.unsecuredFrom && (scan.outcome === 'found' || scan.outcome === 'damaged')) return done(ERROR);
      if (scan.outcome === 'found') return done({ outcome: 'found', segment, position: scan.position, base: scan.offset });
      if (scan.outcome === 'end') return done(NONE);
      if (scan.outcome === 'gone') return done(GONE);
      if (scan.outcome === 'error') {
        if (scan.error !== null) this.onReadError(view, segment, scan.error);
        return done(ERROR);
      }
      this.damage.resolve(view, segment, scan.position, scan.offset, (isSettled) => {
        if (segment.retired) done(GONE);
        else if (!isSettled) done(ERROR);
        else again();
      });
    });
  }
}
