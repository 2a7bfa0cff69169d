/**
 * The reading half of a fetch: goes through its targets in order and takes windows until the answer is full. A small state machine: each
 * `advance` does one transition of the current partition (locate its batch → get memory → read a window → judge it) and either goes on, is done, or
 * leaves a step under way that comes back through `resume`.
 *
 * Always: it waits for memory only while it holds no window, so two fetches never wait for each other; at its end every region is in a window kept for
 * the answer, or freed.
 */
import { assert } from '../lib/assert.ts';
import { ErrorCode } from '../protocol/errors.ts';
import { BATCH_HEADER_BYTES } from '../protocol/record-batch.ts';
import type { FetchHost } from './fetch-host.ts';
import { SMALL_BYTES, type MemoryWaiter, type Region } from './fetch-memory.ts';
import type { FetchTargets } from './fetch-targets.ts';
import type { FetchWindow } from './fetch-windows.ts';
import type { Place } from './locator.ts';
import type { PartitionView } from './partition-view.ts';
import type { SegmentView } from './segment-view.ts';
import type { Steps } from './steps.ts';

/** Cost of one step, in transitions that only look: about a third of a millisecond. Answers from a few partitions need no second one. */
const STEP_COST = 1000;
/** What a read costs compared to such a transition. */
const READ_COST = 20;
/** First batches that were read in vain, because they did not fit into what is left of the answer; after so many it counts as full. */
const MISSES_MAX = 8;

/** Look-ups begun anew for one partition because its segment gave way to another; then the next fetch has to try. */
const RELOCATIONS_MAX = 3;

/** What one transition leads to: the next one, a step whose callback resumes, or the end of all partitions. */
type Progress = 'on' | 'pending' | 'done';

/** See the file header. */
export class FetchReading implements MemoryWaiter {
  bytesWanted = 0;
  /** Bytes of records to answer in all. */
  recordsTotal = 0;
  /** Bytes read for the answer, incomplete last batches included. */
  bytesRead = 0;
  /** Partitions have an error. */
  failed = false;
  /** Less was read than there is and was asked for, because memory is short. */
  shortened = false;
  /** A step is under way. */
  pending = false;
  /** The step under way is a wait for memory. */
  waitingForMemory = false;
  private readonly host: FetchHost;
  /** The owner fills it, errors included, before `begin`. */
  private readonly targets: FetchTargets;
  private readonly onDone: () => void;
  private readonly onMemoryWait: () => void;
  private abandoned = false;
  private advancing = false;
  private bytesLeft = 0;
  /** Of the step under way. */
  private spent = 0;
  private misses = 0;
  private steps: Steps | null = null;
  private current = 0;
  /** Of the current partition: the batch that holds its offset, once located. */
  private segment: SegmentView | null = null;
  private position = 0;
  private base = 0;
  private located = false;
  /** Size of a first batch that did not fit into what was asked for. */
  private firstBatchBytes = 0;
  private relocations = 0;
  private region: Region | null = null;
  private window: FetchWindow | null = null;
  private readonly onStep = (): void => this.resume();
  private readonly onResolved = (isSettled: boolean): void => {
    if (!isSettled) this.fail(ErrorCode.KAFKA_STORAGE_ERROR);
    this.resume();
  };
  private readonly onPlace = (place: Place): void => this.placed(place);

  /** @param onMemoryWait it begins to wait for memory; `giveUpMemory` ends that */
  constructor(host: FetchHost, targets: FetchTargets, onDone: () => void, onMemoryWait: () => void) {
    this.host = host;
    this.onMemoryWait = onMemoryWait;
    this.targets = targets;
    this.onDone = onDone;
  }

  /** Reads up to about `bytesMax`, in steps if there is much to look at; calls `onDone` at the end, maybe before it returns. */
  begin(bytesMax: number, steps: Steps): void {
    assert(!this.pending, 'one reading at a time');
    this.abandoned = false;
    this.bytesRead = 0;
    this.shortened = false;
    this.bytesLeft = Math.min(bytesMax, this.host.responseBytesMax);
    this.failed = this.hasErrors();
    this.current = 0;
    this.misses = 0;
    this.steps = steps;
    this.beginPartition();
    this.run();
  }

  /** The region wanted is granted; see {@link MemoryWaiter}. */
  onMemory(region: Region): void {
    this.waitingForMemory = false;
    this.region = region;
    this.resume();
  }

  /** Gives up waiting for memory: ends with what there is, which is nothing. */
  giveUpMemory(): void {
    if (!this.waitingForMemory) return;
    this.host.memory.cancel(this);
    this.waitingForMemory = false;
    this.current = this.targets.count;
    this.resume();
  }

  /** Nobody wants the answer any more: ends as soon as the step under way does. */
  abandon(): void {
    this.abandoned = true;
    this.giveUpMemory();
  }

  /** Drops the windows kept for the answer. */
  releaseWindows(): void {
    const { windows, count } = this.targets;
    for (let i = 0; i < count; i++) {
      const window = windows[i];
      if (window == null) continue;
      this.host.windows.release(window);
      windows[i] = null;
    }
    this.recordsTotal = 0;
  }

  private hasErrors(): boolean {
    const { errors, count } = this.targets;
    for (let i = 0; i < count; i++) if (errors[i] !== ErrorCode.NONE) return true;
    return false;
  }

  private resume(): void {
    this.pending = false;
    if (!this.advancing) this.run();
  }

  private run(): void {
    this.advancing = true;
    let progress: Progress = 'on';
    this.spent = 0;
    while (progress === 'on' && !this.abandoned) {
      progress = ++this.spent > STEP_COST ? this.rest() : this.advance();
      // Its callback has run already.
      if (progress === 'pending' && !this.pending) progress = 'on';
    }
    this.advancing = false;
    if (this.pending) return;
    this.beginPartition();
    if (this.region !== null) this.host.memory.free(this.region);
    this.region = null;
    this.onDone();
  }

  /** It has worked enough for now: others have their turn. */
  private rest(): Progress {
    this.pending = true;
    (this.steps as Steps).add(this.onStep);
    return 'pending';
  }

  /** Whether no batch fits into what is left of the answer, or it is not worth looking for one. */
  private get isFull(): boolean {
    return this.recordsTotal > 0 && (this.bytesLeft < BATCH_HEADER_BYTES || this.misses === MISSES_MAX);
  }

  private advance(): Progress {
    if (this.current >= this.targets.count || this.isFull) return 'done';
    const view = this.targets.views[this.current];
    if (view === undefined || this.targets.errors[this.current] !== ErrorCode.NONE) return this.next();
    if (this.window !== null) return this.judgeWindow(view, this.window);
    const offset = this.targets.offset[this.current] as number;
    // The view may have changed while a step was under way.
    if (view.topic.deleted || offset >= view.highWatermark || offset < view.logStartOffset) return this.next();
    if (offset >= view.unsecuredFrom) return this.fail(ErrorCode.KAFKA_STORAGE_ERROR);
    if (view.damage.has(offset)) return this.fail(ErrorCode.CORRUPT_MESSAGE);
    const limit = Math.min(this.bytesLeft, this.targets.bytesMax[this.current] as number);
    if (this.recordsTotal > 0 && limit < BATCH_HEADER_BYTES) return this.next();
    if (!this.located) return this.locate(view, offset);
    const segment = this.segment as SegmentView;
    const available = segment.endPosition - this.position;
    if (segment.retired) return this.relocate();
    if (available <= 0) return this.next();
    return this.openWindow(view, segment, Math.min(available, Math.max(limit, this.firstBatchBytes, BATCH_HEADER_BYTES)));
  }

  private next(): Progress {
    this.current++;
    this.beginPartition();
    return 'on';
  }

  private beginPartition(): void {
    if (this.window !== null) this.host.windows.release(this.window);
    this.window = null;
    this.segment = null;
    this.located = false;
    this.firstBatchBytes = 0;
    this.relocations = 0;
  }

  /** The segment left the log: what was asked for may be in another one now. */
  private relocate(): Progress {
    if (this.relocations === RELOCATIONS_MAX) return this.next();
    const relocations = this.relocations + 1;
    this.beginPartition();
    this.relocations = relocations;
    return 'on';
  }

  private fail(error: number): Progress {
    this.targets.errors[this.current] = error;
    this.failed = true;
    return this.next();
  }

  private locate(view: PartitionView, offset: number): Progress {
    const locator = this.host.locator;
    if (locator.tryLocate(view, offset)) {
      this.located = true;
      this.segment = locator.segment;
      this.position = locator.position;
      this.base = locator.base;
      return 'on';
    }
    this.pending = true;
    locator.locate(view, offset, this.onPlace);
    return 'pending';
  }

  private placed(place: Place): void {
    if (place.outcome === 'found') {
      this.located = true;
      this.segment = place.segment;
      this.position = place.position;
      this.base = place.base;
    } else if (place.outcome === 'damaged') this.fail(ErrorCode.CORRUPT_MESSAGE);
    else if (place.outcome === 'error') this.fail(ErrorCode.KAFKA_STORAGE_ERROR);
    else if (place.outcome === 'gone') this.relocate();
    else this.next(); // The log changed under the lookup: no data this time, the next fetch is judged anew.
    this.resume();
  }

  private openWindow(view: PartitionView, segment: SegmentView, length: number): Progress {
    const { windows, memory } = this.host;
    this.window = windows.share(segment, this.position, length);
    if (this.window === null) {
      const region = this.takeRegion(length);
      if (region === null) {
        // What is read already is answered; waiting while holding it could wait for ever.
        if (this.recordsTotal > 0) {
          this.shortened = true;
          return this.next();
        }
        this.bytesWanted = this.leastUseful(length);
        this.waitingForMemory = true;
        this.pending = true;
        memory.wait(this);
        if (this.waitingForMemory) this.onMemoryWait();
        return 'pending';
      }
      if (region.length < length) this.shortened = true;
      const limitOffset = Math.min(view.damage.nextFrom(this.base), view.unsecuredFrom);
      this.spent += READ_COST;
      this.window = windows.read(view, segment, this.position, Math.min(length, region.length), this.base, limitOffset, region);
    }
    if (this.window.ready) return 'on';
    this.pending = true;
    (this.window.callbacks ??= []).push(this.onStep);
    return 'pending';
  }

  /** A region for `length` bytes, or for less while memory is short (a small answer now beats a large one later); null: there is none. */
  private takeRegion(length: number): Region | null {
    const { memory } = this.host;
    const granted = this.region;
    this.region = null;
    if (granted !== null) {
      if (granted.length >= this.leastUseful(length)) return granted;
      memory.free(granted);
    }
    const region = memory.tryAllocate(length);
    if (region !== null || this.recordsTotal > 0) return region;
    return memory.tryAllocate(this.leastUseful(length));
  }

  /** Bytes of a read of up to `length` that still bring the first batch, as far as its size is known. */
  private leastUseful(length: number): number {
    return Math.max(Math.min(length, SMALL_BYTES), this.firstBatchBytes);
  }

  private judgeWindow(view: PartitionView, window: FetchWindow): Progress {
    assert(window.ready, 'only a ready window is judged');
    if (window.error !== null) {
      this.host.onReadError(view, window.segment, window.error);
      return this.fail(ErrorCode.KAFKA_STORAGE_ERROR);
    }
    if (window.stale) return window.segment.retired ? this.relocate() : this.next();
    if (window.validBytes > 0 && !window.hasRecords && this.goesOnBehind(view, window)) return 'on';
    if (window.validBytes > 0) {
      this.keep(view, window);
      return this.next();
    }
    this.window = null;
    const { segment, position, damaged, firstBatchBytes, length } = window;
    this.host.windows.release(window);
    if (!damaged) {
      // It reaches into a range that is refused already.
      if (firstBatchBytes <= length) return this.fail(ErrorCode.CORRUPT_MESSAGE);
      if (this.recordsTotal > 0) {
        if (this.bytesLeft < (this.targets.bytesMax[this.current] as number)) this.misses++;
        return this.next();
      }
      // The first batch of an answer is given whole, however large, so that the consumer can go on.
      this.firstBatchBytes = firstBatchBytes;
      return 'on';
    }
    // Recorded as damage; the transition after that finds the offset refused. Or the place was wrong: it is looked up again.
    this.located = false;
    this.pending = true;
    this.host.damage.resolve(view, segment, position, this.base, this.onResolved);
    return 'pending';
  }

  /** The segment ends with batches without records, which are no answer while there are others: goes on with the next one. False: there is none. */
  private goesOnBehind(view: PartitionView, window: FetchWindow): boolean {
    const { segment, position, validBytes, nextOffset } = window;
    const next = view.segments[view.segmentIndexOf(nextOffset)];
    if (position + validBytes < segment.endPosition || next?.baseOffset !== nextOffset || next.endPosition === 0) return false;
    if (view.damage.has(nextOffset) || nextOffset >= view.unsecuredFrom) return false;
    this.beginPartition();
    this.segment = next;
    this.position = 0;
    this.base = nextOffset;
    this.located = true;
    return true;
  }

  private keep(view: PartitionView, window: FetchWindow): void {
    this.window = null;
    this.targets.windows[this.current] = window;
    this.recordsTotal += window.validBytes;
    this.bytesRead += window.length;
    this.bytesLeft -= window.validBytes;
    // Behind the last batch of a sealed segment this place is none, but then the offset begins the next segment and nobody asks.
    view.hints.remember(window.nextOffset, window.position + window.validBytes, window.nextOffset);
  }
}
