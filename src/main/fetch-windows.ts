/**
 * Reads shared by fetches: one window is a stretch of one segment, read once into one region and walked once. Fetches that ask for the same stretch
 * while the window is alive share it (a thousand tailing consumers of a partition cost one read).
 *
 * Always: a window's region is freed when its last reference is dropped and its read has ended; a stale window (its bytes were cut off the log) is
 * shared no more, and not served by those who still hold it unless they had begun to answer.
 */
import { assert } from '../lib/assert.ts';
import { LinkedList, type Linked } from '../lib/linked-list.ts';
import { BatchWalk } from './batch-walk.ts';
import type { FetchMemory, Region } from './fetch-memory.ts';
import type { PartitionView } from './partition-view.ts';
import type { SegmentReader } from './segment-reader.ts';
import type { SegmentView } from './segment-view.ts';

/** Reads of at most this many bytes near the end of the active segment are done at once: 3 µs against 30 µs through libuv's pool. */
export const TAIL_READ_BYTES_MAX = 64 * 1024;

/** When record batches from the disk are checked before they are served (`ringlog.fetch.verify`). */
export type FetchVerify = 'once' | 'always' | 'never';

/** One shared read. */
export class FetchWindow implements Linked<FetchWindow> {
  next: FetchWindow | null = null;
  previous: FetchWindow | null = null;
  /** Fetches may share it: it stands in the list of its segment. */
  isShared = false;
  readonly segment: SegmentView;
  /** First byte in the segment. */
  readonly position: number;
  /** Bytes read, or to be read. */
  readonly length: number;
  readonly region: Region;
  /** Holders; the read in flight is not one of them. */
  references = 1;
  ready = false;
  stale = false;
  /** The read itself failed; nothing is known about the bytes. */
  error: Error | null = null;
  /** Bytes of whole, fitting batches; see BatchWalk for this and the next four. */
  validBytes = 0;
  nextOffset = 0;
  damaged = false;
  firstBatchBytes = 0;
  hasRecords = false;
  /** Called once ready. */
  callbacks: (() => void)[] | null = null;

  constructor(segment: SegmentView, position: number, length: number, region: Region) {
    this.segment = segment;
    this.position = position;
    this.length = length;
    this.region = region;
  }
}

/** See the file header. */
export class FetchWindows {
  /** Reads that shared an existing window instead of reading. */
  sharedReads = 0;
  /** Windows read. */
  reads = 0;
  private readonly memory: FetchMemory;
  private readonly reader: SegmentReader;
  private readonly verify: FetchVerify;
  private readonly walk = new BatchWalk();
  /** Windows that fetches may share, by segment. A list stays when it is empty, since the next window is often soon there, and goes with its segment. */
  private readonly shared = new WeakMap<SegmentView, LinkedList<FetchWindow>>();

  constructor(memory: FetchMemory, reader: SegmentReader, verify: FetchVerify) {
    this.memory = memory;
    this.reader = reader;
    this.verify = verify;
  }

  /** A live window of exactly this stretch, now held by the caller too; or null. */
  share(segment: SegmentView, position: number, length: number): FetchWindow | null {
    const windows = this.shared.get(segment);
    if (windows === undefined) return null;
    for (let window = windows.first; window !== null; window = window.next) {
      if (window.position !== position || window.length !== length || window.error !== null) continue;
      window.references++;
      this.sharedReads++;
      return window;
    }
    return null;
  }

  /**
   * Begins to read `length` bytes at `position` into `region`, whose ownership passes to the window. The window is held by the caller; it may be ready
   * at once. `expectedOffset`: base offset of the batch at `position`. `limitOffset`: batches that reach it are not served.
   */
  read(
    view: PartitionView,
    segment: SegmentView,
    position: number,
    length: number,
    expectedOffset: number,
    limitOffset: number,
    region: Region,
  ): FetchWindow {
    assert(length <= region.length && position + length <= segment.endPosition, 'a window lies within its region and its segment');
    const window = new FetchWindow(segment, position, length, region);
    let windows = this.shared.get(segment);
    if (windows === undefined) this.shared.set(segment, (windows = new LinkedList()));
    windows.append(window);
    window.isShared = true;
    this.reads++;
    const isTail = segment === view.active && length <= TAIL_READ_BYTES_MAX && segment.endPosition - position <= TAIL_READ_BYTES_MAX;
    if (isTail) {
      try {
        this.finish(
          window,
          null,
          this.reader.readNow(view, segment, region.bytes, region.start, length, position),
          expectedOffset,
          limitOffset,
        );
      } catch (error) {
        this.finish(window, error as Error, 0, expectedOffset, limitOffset);
      }
    } else {
      // The read holds the region too, so that a holder who leaves early does not free it under the kernel.
      window.references++;
      this.reader.read(view, segment, region.bytes, region.start, length, position, (error, bytesRead) => {
        this.finish(window, error, bytesRead, expectedOffset, limitOffset);
        this.release(window);
      });
    }
    return window;
  }

  /** Drops one hold. */
  release(window: FetchWindow): void {
    assert(window.references > 0, 'a window is released once per hold');
    window.references--;
    if (window.references > 0) return;
    this.unshare(window);
    this.memory.free(window.region);
  }

  /** Bytes at and behind `endPosition` of `segment` are no longer part of the log. */
  onCut(segment: SegmentView, endPosition: number): void {
    const windows = this.shared.get(segment);
    if (windows === undefined) return;
    for (let window = windows.first; window !== null;) {
      const { next } = window;
      if (window.position + window.length > endPosition) {
        window.stale = true;
        this.unshare(window);
      }
      window = next;
    }
  }

  private finish(window: FetchWindow, error: Error | null, bytesRead: number, expectedOffset: number, limitOffset: number): void {
    window.ready = true;
    window.error = error;
    if (error !== null) this.unshare(window);
    else if (!window.stale) this.walkWindow(window, bytesRead, expectedOffset, limitOffset);
    const callbacks = window.callbacks;
    window.callbacks = null;
    if (callbacks !== null) for (const callback of callbacks) callback();
  }

  private walkWindow(window: FetchWindow, bytesRead: number, expectedOffset: number, limitOffset: number): void {
    const { segment, position, region, walk } = {
      segment: window.segment,
      position: window.position,
      region: window.region,
      walk: this.walk,
    };
    const verify = this.verify !== 'never' && (this.verify === 'always' || !segment.isVerified(position, position + window.length));
    walk.run(region.bytes, region.start, bytesRead, position, expectedOffset, limitOffset, segment, verify);
    window.validBytes = walk.validBytes;
    window.nextOffset = walk.nextOffset;
    window.firstBatchBytes = walk.firstBatchBytes;
    window.hasRecords = walk.hasRecords;
    // The file is shorter than the log says: what is missing is damage, even in the middle of a batch.
    window.damaged = walk.damaged || (bytesRead < window.length && walk.validBytes < window.length);
    if (verify && this.verify === 'once' && walk.validBytes > 0) segment.markVerified(position, position + walk.validBytes);
  }

  private unshare(window: FetchWindow): void {
    if (!window.isShared) return;
    window.isShared = false;
    (this.shared.get(window.segment) as LinkedList<FetchWindow>).remove(window);
  }
}
