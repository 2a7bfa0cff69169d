/**
 * Finds where a damaged stretch of a segment ends, refuses its offsets and remembers how to get past it. The end is, in this order: the batch that
 * follows by the damaged batch's own header, if that says no less than where a fitting header stands and of which offset; else the next entry of the segment's
 * index; else the end of the segment. So what lies behind stays readable, and at most an index interval is lost to an unusable header.
 *
 * What cannot be read now, for a failing disk or a want of descriptors, says nothing about what lies there: nothing is refused for it.
 *
 * Where bytes of a recycled segment were lost, a batch of the log before it may stand, and its length leads to the next of that log: its offsets give it away.
 */
import { BATCH_HEADER_BYTES, baseOffset, batchBytes, lastOffsetDelta, MAGIC, magic, recordCount } from '../protocol/record-batch.ts';
import { checkStoredHeader } from './batch-walk.ts';
import type { IndexCache } from './index-cache.ts';
import type { PartitionView } from './partition-view.ts';
import type { SegmentReader } from './segment-reader.ts';
import type { SegmentView } from './segment-view.ts';
import type { SparseIndex } from './sparse-index.ts';

/** Told of every newly found damage: offsets [from, to) of the partition are refused from now on. */
export type DamageReport = (view: PartitionView, from: number, to: number, segment: SegmentView, position: number) => void;

/** Told of a read that failed. */
export type ReadErrorReport = (view: PartitionView, segment: SegmentView, error: Error) => void;

/** Where a batch begins. */
interface Entry {
  readonly position: number;
  readonly offset: number;
}

/** See the file header. */
export class DamageFinder {
  /** Damaged stretches found in this life of the process. */
  found = 0;
  private readonly reader: SegmentReader;
  private readonly indexes: IndexCache;
  private readonly report: DamageReport;
  private readonly onReadError: ReadErrorReport;

  constructor(reader: SegmentReader, indexes: IndexCache, report: DamageReport, onReadError: ReadErrorReport) {
    this.reader = reader;
    this.indexes = indexes;
    this.report = report;
    this.onReadError = onReadError;
  }

  /**
   * The batch of base offset `offset` should lie at `position` of `segment`, and does not. `done` runs once the damage is recorded, the segment is gone, or
   * the way that led there turned out to be doubtful: in each case the caller looks the place up again. With false nothing could be found out now, and nothing
   * is recorded: a storage error, which the caller may meet again.
   */
  resolve(view: PartitionView, segment: SegmentView, position: number, offset: number, done: (isSettled: boolean) => void): void {
    this.indexes.getTrusted(view, segment, (index, rebuilt) => {
      if (segment.retired || position >= segment.endPosition) return done(true);
      if (index === null) return done(false);
      if (rebuilt) {
        view.hints.clear();
        return done(true);
      }
      const entry = nextEntry(index, position, offset, view.damage.all.endOf(offset));
      this.findFollower(
        view,
        segment,
        position,
        offset,
        entry === null ? segment.endPosition : entry.position,
        (error, followerPosition, followerOffset) => {
          if (segment.retired) return done(true);
          if (error !== null) {
            this.onReadError(view, segment, error);
            return done(false);
          }
          let toPosition = entry?.position ?? segment.endPosition;
          let toOffset = entry?.offset ?? segment.endOffset;
          const knownTo = view.damage.all.endOf(offset);
          // Within a range that is refused already a header says nothing, unless its batch is the rest of it.
          if (followerPosition !== -1 && (knownTo === offset || followerOffset === knownTo)) {
            toPosition = followerPosition;
            toOffset = followerOffset;
          }
          view.damage.all.addHole(offset, { segmentBase: segment.baseOffset, fromPosition: position, toPosition, toOffset });
          if (toOffset > knownTo) {
            this.found++;
            this.report(view, knownTo, toOffset, segment, position);
          }
          done(true);
        },
      );
    });
  }

  /** Looks for the next batch where the damaged one's header says; (−1, 0) when there is none that fits before `boundPosition`. */
  private findFollower(
    view: PartitionView,
    segment: SegmentView,
    position: number,
    offset: number,
    boundPosition: number,
    found: (error: Error | null, position: number, offset: number) => void,
  ): void {
    const none = (error: Error | null = null): void => found(error, -1, 0);
    if (segment.endPosition - position < BATCH_HEADER_BYTES) return none();
    const header = Buffer.allocUnsafe(BATCH_HEADER_BYTES);
    const follower = Buffer.allocUnsafe(BATCH_HEADER_BYTES);
    this.reader.read(view, segment, header, 0, BATCH_HEADER_BYTES, position, (error, bytesRead) => {
      if (error !== null || bytesRead < BATCH_HEADER_BYTES || segment.retired) return none(error);
      const length = batchBytes(header, 0);
      const next = position + length;
      if (length < BATCH_HEADER_BYTES || next >= boundPosition || segment.endPosition - next < BATCH_HEADER_BYTES) return none();
      this.reader.read(view, segment, follower, 0, BATCH_HEADER_BYTES, next, (nextError, nextRead) => {
        if (nextError !== null || nextRead < BATCH_HEADER_BYTES) return none(nextError);
        const nextOffset = baseOffset(follower, 0);
        const fits = nextOffset > offset && nextOffset < segment.endOffset && checkStoredHeader(follower, 0, next, nextOffset, segment) > 0;
        const behind = offset + lastOffsetDelta(header, 0) + 1;
        if (fits && leadsTo(header, offset, nextOffset)) found(null, next, nextOffset);
        // A gap in offsets lies between. Whether that is so is for the scan to find out.
        else if (fits && view.damage.all.endOf(behind) === nextOffset && leadsTo(header, offset, behind)) found(null, next, behind);
        else none();
      });
    });
  }
}

/**
 * The entry of the next batch behind the damaged one of base offset `offset`. With offsets up to `refusedTo` refused already it leads out of that range, not from one batch
 * in it to the next; but over nothing that is not refused, as long as there is one in the range from where to go on.
 */
function nextEntry(index: SparseIndex, position: number, offset: number, refusedTo: number): Entry | null {
  let last: Entry | null = null;
  // Also one at this very place: then the header before, which told of another offset, is the damaged one.
  for (let i = index.entryAfter(position - 1); i < index.count; i++) {
    const entry = { position: index.position(i), offset: index.offset(i) };
    if (entry.offset <= offset) continue;
    if (entry.offset >= refusedTo) return entry.offset === refusedTo || last === null ? entry : last;
    // A hole without bytes leads nowhere.
    if (entry.position > position) last = entry;
  }
  return last;
}

/**
 * Whether the header of the damaged batch of base offset `offset` says that `nextOffset` follows, where its length led to. One of its other fields may be wrong; the
 * number of records stands in for a last offset delta that is.
 */
function leadsTo(header: Buffer, offset: number, nextOffset: number): boolean {
  const isBase = baseOffset(header, 0) === offset;
  const isMagic = magic(header, 0) === MAGIC;
  if (offset + lastOffsetDelta(header, 0) + 1 === nextOffset) return isBase || isMagic;
  return isBase && isMagic && offset + recordCount(header, 0) === nextOffset;
}
