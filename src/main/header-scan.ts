/**
 * Follows batch headers through a segment from a known batch on, until one reaches an offset or a time. Only headers are looked at, never record bytes.
 * Known holes are jumped over; a header that does not fit ends the scan, and so does a range that is refused: only the index leads to what is behind. A header with
 * which a batch would reach beyond the next index entry, in bytes or offsets, does not fit either: it is damaged, and what it jumps over is not.
 *
 * Offsets may be missing that were given out and never stored (a memory topic whose write failed): they are refused, nothing lies between, and the next batch follows in
 * place. In a recycled segment another log's batch of just that offset may stand where this one's were lost. So what follows a gap counts only once it leads to where
 * an index entry, or the end of the segment, says: to the byte, and with that offset.
 */
import { BATCH_HEADER_BYTES, lastOffsetDelta, maxTimestamp } from '../protocol/record-batch.ts';
import { checkStoredHeader } from './batch-walk.ts';
import { TAIL_READ_BYTES_MAX } from './fetch-windows.ts';
import type { PartitionView } from './partition-view.ts';
import type { SegmentReader } from './segment-reader.ts';
import type { SegmentView } from './segment-view.ts';
import type { SparseIndex } from './sparse-index.ts';

const CHUNK_BYTES = 64 * 1024;
/** Read where batches are so large that a chunk holds one header only. */
const CHUNK_BYTES_LARGE_BATCHES = 4096;
/** Scans at a time; others queue. Bounds memory to this many chunks. */
const SCANS_MAX = 4;

/** How a scan ended: at the batch asked for, at the segment's end, at a header that does not fit, or with a failed read. */
export type ScanOutcome = 'found' | 'end' | 'damaged' | 'error' | 'gone';

/** One scan, its bounds and its result. */
export interface Scan {
  readonly view: PartitionView;
  readonly segment: SegmentView;
  /** Where batches begin, as far as it is known. */
  readonly index: SparseIndex | null;
  /** Its first entry behind {@link position}, or one before that. */
  nextEntry: number;
  /** Where to begin, and at the end: the batch found or the place of the damage. */
  position: number;
  /** Base offset of the batch at {@link position}. */
  offset: number;
  /** Ends at the first batch whose last offset is this or more; Infinity: none. */
  readonly targetOffset: number;
  /** Ends at the first batch whose largest timestamp is this or more, ms; Infinity: none. */
  readonly targetTimestamp: number;
  /** The gap that was crossed last, while nothing has shown that what follows is of this log: where the next batch stands, and the first offset missing; −1: none. */
  gapPosition: number;
  gapOffset: number;
  /** The batch asked for, found behind that gap; −1: not yet. */
  foundPosition: number;
  foundOffset: number;
  outcome: ScanOutcome;
  error: Error | null;
  readonly done: (scan: Scan) => void;
}

/** Runs scans with a bounded number of buffers. */
export class HeaderScanner {
  private readonly reader: SegmentReader;
  private readonly buffers: Buffer[] = [];
  private readonly queue: Scan[] = [];
  private running = 0;
  private isBeginning = false;

  constructor(reader: SegmentReader) {
    this.reader = reader;
  }

  /** Begins a scan; `done` may be called at once. */
  scan(
    view: PartitionView,
    segment: SegmentView,
    index: SparseIndex | null,
    position: number,
    offset: number,
    targetOffset: number,
    targetTimestamp: number,
    done: (scan: Scan) => void,
  ): void {
    const nextEntry = index?.entryAfter(position) ?? 0;
    const target = { targetOffset, targetTimestamp };
    const gap = { gapPosition: -1, gapOffset: -1, foundPosition: -1, foundOffset: -1 };
    const scan: Scan = { view, segment, index, nextEntry, position, offset, ...target, ...gap, outcome: 'end', error: null, done };
    if (this.running === SCANS_MAX) this.queue.push(scan);
    else this.begin(scan);
  }

  private begin(scan: Scan): void {
    this.running++;
    const buffer = this.buffers.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES);
    this.advance(scan, buffer, 0, 0, CHUNK_BYTES);
  }

  private end(scan: Scan, buffer: Buffer, outcome: ScanOutcome): void {
    if (scan.gapPosition !== -1 && (outcome === 'end' || outcome === 'damaged')) {
      // What followed the gap leads nowhere.
      outcome = 'damaged';
      scan.position = scan.gapPosition;
      scan.offset = scan.gapOffset;
    }
    scan.outcome = outcome;
    this.buffers.push(buffer);
    this.running--;
    this.beginQueued();
    scan.done(scan);
  }

  /** Not again from within itself: of thousands of scans of a segment that is gone each ends within the call that began it, and leaves the next one to the loop. */
  private beginQueued(): void {
    if (this.isBeginning) return;
    this.isBeginning = true;
    try {
      while (this.running < SCANS_MAX && this.queue.length > 0) this.begin(this.queue.shift() as Scan);
    } finally {
      this.isBeginning = false;
    }
  }

  /** Goes on with `buffer` holding `length` bytes of the segment from `chunkPosition` on. */
  private advance(scan: Scan, buffer: Buffer, chunkPosition: number, length: number, wanted: number): void {
    const { view, segment } = scan;
    for (;;) {
      if (segment.retired) return this.end(scan, buffer, 'gone');
      if (scan.gapPosition !== -1 && leadsToKnown(scan)) {
        scan.gapPosition = -1;
        if (scan.foundPosition !== -1) {
          scan.position = scan.foundPosition;
          scan.offset = scan.foundOffset;
          return this.end(scan, buffer, 'found');
        }
      }
      if (scan.position >= segment.endPosition) return this.end(scan, buffer, 'end');
      if (view.damage.any) {
        const hole = view.damage.all.holeAt(segment.baseOffset, scan.position);
        if (hole !== undefined) {
          scan.position = hole.toPosition;
          scan.offset = hole.toOffset;
          continue;
        }
      }
      if (segment.endPosition - scan.position < BATCH_HEADER_BYTES) return this.end(scan, buffer, 'damaged');
      const at = scan.position - chunkPosition;
      if (at + BATCH_HEADER_BYTES > length) {
        if (this.readChunk(scan, buffer, wanted)) return;
        // Read at once: the chunk begins at the position now.
        if (scan.error !== null) return this.end(scan, buffer, 'error');
        chunkPosition = scan.position;
        length = this.chunkLength;
        if (length < BATCH_HEADER_BYTES) return this.end(scan, buffer, 'damaged');
        continue;
      }
      const size = checkStoredHeader(buffer, at, scan.position, scan.offset, segment);
      const isRefused = view.damage.any && view.damage.has(scan.offset);
      if (isRefused) {
        const next = view.damage.all.endOf(scan.offset);
        if (size === 0 && checkStoredHeader(buffer, at, scan.position, next, segment) > 0) {
          // An index from a file may be wrong about both.
          if (scan.index?.isTrusted === false) return this.end(scan, buffer, 'damaged');
          if (scan.gapPosition === -1) {
            scan.gapPosition = scan.position;
            scan.gapOffset = scan.offset;
          }
          scan.offset = next;
          continue;
        }
        // Where a range is refused another log's batches may stand; one batch that is just the range is this one's.
        if (size > 0 && scan.offset + lastOffsetDelta(buffer, at) + 1 !== next) return this.end(scan, buffer, 'damaged');
      }
      if (size === 0) return this.end(scan, buffer, 'damaged');
      const last = scan.offset + lastOffsetDelta(buffer, at);
      // No batch reaches into a refused range: its last offset delta is damaged, and hides those behind it.
      const isWhole = !view.damage.any || isRefused || view.damage.nextFrom(scan.offset) > last;
      if (!isWhole || reachesBeyondEntry(scan, size, last)) return this.end(scan, buffer, 'damaged');
      if (!isRefused && (last >= scan.targetOffset || maxTimestamp(buffer, at) >= scan.targetTimestamp)) {
        if (scan.gapPosition === -1) return this.end(scan, buffer, 'found');
        if (scan.foundPosition === -1) {
          scan.foundPosition = scan.position;
          scan.foundOffset = scan.offset;
        }
      }
      scan.position += size;
      scan.offset = last + 1;
      wanted = size >= CHUNK_BYTES_LARGE_BATCHES * 4 ? CHUNK_BYTES_LARGE_BATCHES : CHUNK_BYTES;
    }
  }

  private chunkLength = 0;

  /** Reads the chunk at the scan's position. True: later, and {@link advance} goes on by itself; false: done, see `scan.error` and `chunkLength`. */
  private readChunk(scan: Scan, buffer: Buffer, wanted: number): boolean {
    const { view, segment, position } = scan;
    const length = Math.min(wanted, segment.endPosition - position);
    if (segment === view.active && segment.endPosition - position <= TAIL_READ_BYTES_MAX) {
      try {
        this.chunkLength = this.reader.readNow(view, segment, buffer, 0, length, position);
      } catch (error) {
        scan.error = error as Error;
      }
      return false;
    }
    this.reader.read(view, segment, buffer, 0, length, position, (error, bytesRead) => {
      if (error !== null) {
        scan.error = error;
        this.end(scan, buffer, 'error');
      } else if (bytesRead < BATCH_HEADER_BYTES) this.end(scan, buffer, 'damaged');
      else this.advance(scan, buffer, position, bytesRead, wanted);
    });
    return true;
  }
}

/** Whether it is known of the batch at the scan's position, or of the end, that it is just there, and with this offset. */
function leadsToKnown({ index, segment, position, offset }: Scan): boolean {
  if (position === segment.endPosition) return offset === segment.endOffset;
  const entry = index === null ? 0 : index.entryAfter(position - 1);
  return index !== null && entry < index.count && index.position(entry) === position && index.offset(entry) === offset;
}

/** Whether an entry of the index lies within the batch of `size` bytes at the scan's position, or has one of its offsets, the last of which is `last`. */
function reachesBeyondEntry(scan: Scan, size: number, last: number): boolean {
  const { index, position } = scan;
  if (index === null) return false;
  // Entries may go meanwhile, and become fewer: each that is there is where a batch begins.
  while (scan.nextEntry < index.count && index.position(scan.nextEntry) <= position) scan.nextEntry++;
  return scan.nextEntry < index.count && (index.position(scan.nextEntry) < position + size || index.offset(scan.nextEntry) <= last);
}
