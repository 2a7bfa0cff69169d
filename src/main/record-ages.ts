/**
 * Finds out in the background when records were made, a few at a time, for those who only want to know how old they are. Reads as a fetch does (index, batch headers,
 * page cache), one record after the other, and so slowly that no client notices. Main only.
 */
import {
  BATCH_HEADER_BYTES,
  baseOffset,
  baseTimestamp,
  isLogAppendTime,
  lastOffsetDelta,
  maxTimestamp,
  recordCount,
} from '../protocol/record-batch.ts';
import type { Locator, Place } from './locator.ts';
import type { PartitionView } from './partition-view.ts';
import type { SegmentReader } from './segment-reader.ts';
import type { SegmentView } from './segment-view.ts';

/** Batches in a row that compaction has left empty, beyond which no record is looked for. */
const EMPTY_BATCHES_MAX = 16;

/** Who wants to know the age of a record. */
export interface AgeSeeker {
  readonly view: PartitionView;
  /** Offset of the record when its turn comes. */
  readonly firstOffset: number;
  /** The time of the first record of the batch with `offset`, ms since 1970; null: it could not be found out. */
  onTimestamp(offset: number, timestamp: number | null): void;
}

/** See the file header. */
export class RecordAges {
  private readonly locator: Pick<Locator, 'tryLocate' | 'locate' | 'segment' | 'position'>;
  private readonly reader: Pick<SegmentReader, 'read'>;
  private readonly waiting = new Set<AgeSeeker>();
  private readonly header = Buffer.allocUnsafeSlow(BATCH_HEADER_BYTES);
  /** Looks that may still begin before {@link allow} is called again. */
  private allowed = 0;
  private isLooking = false;

  constructor(locator: Pick<Locator, 'tryLocate' | 'locate' | 'segment' | 'position'>, reader: Pick<SegmentReader, 'read'>) {
    this.locator = locator;
    this.reader = reader;
  }

  /** Records that wait to be looked up, and the one that is. */
  get pending(): number {
    return this.waiting.size + (this.isLooking ? 1 : 0);
  }

  /** Asks; once for each seeker, until it is answered. */
  seek(seeker: AgeSeeker): void {
    this.waiting.add(seeker);
    this.next();
  }

  /** The seeker does not want to know any more. */
  forget(seeker: AgeSeeker): void {
    this.waiting.delete(seeker);
  }

  /** So many looks, and no more, may begin from now on. */
  allow(looks: number): void {
    this.allowed = looks;
    this.next();
  }

  private next(): void {
    if (this.isLooking || this.allowed === 0) return;
    for (const seeker of this.waiting) {
      this.waiting.delete(seeker);
      this.allowed--;
      this.isLooking = true;
      this.look(seeker, seeker.firstOffset);
      return;
    }
  }

  private look(seeker: AgeSeeker, offset: number): void {
    this.find(seeker.view, offset, EMPTY_BATCHES_MAX, (timestamp) => {
      this.isLooking = false;
      seeker.onTimestamp(offset, timestamp);
      // Not at once: a look that found everything in memory would be followed by the next in the same turn.
      setImmediate(() => this.next());
    });
  }

  private find(view: PartitionView, offset: number, emptyMax: number, done: (timestamp: number | null) => void): void {
    const { locator } = this;
    if (locator.tryLocate(view, offset)) return this.read(view, locator.segment as SegmentView, locator.position, emptyMax, done);
    locator.locate(view, offset, ({ outcome, segment, position }: Place) => {
      if (outcome === 'found' && segment !== null) this.read(view, segment, position, emptyMax, done);
      else done(null);
    });
  }

  private read(
    view: PartitionView,
    segment: SegmentView,
    position: number,
    emptyMax: number,
    done: (timestamp: number | null) => void,
  ): void {
    if (segment.retired) return done(null);
    const { header } = this;
    this.reader.read(view, segment, header, 0, BATCH_HEADER_BYTES, position, (error, bytesRead) => {
      if (error !== null || bytesRead < BATCH_HEADER_BYTES) return done(null);
      if (recordCount(header, 0) > 0) return done(isLogAppendTime(header, 0) ? maxTimestamp(header, 0) : baseTimestamp(header, 0));
      if (emptyMax === 0) done(null);
      else this.find(view, baseOffset(header, 0) + lastOffsetDelta(header, 0) + 1, emptyMax - 1, done);
    });
  }
}
