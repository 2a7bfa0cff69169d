/**
 * Reads partitions of main's own topics back, for the coordinators it hosts: from the log start to the watermark of when a load begins, in order, through
 * the same view and descriptors as fetches. Main only.
 *
 * A load is a row of slices: read on libuv's pool, then the whole batches in it checked and told in one task. So nobody else on main waits for more than a
 * slice, and memory is bounded by {@link LOADS_MAX} slices (a larger batch excepted). Every batch is held against its CRC, whatever was checked before: a
 * coordinator's memory is built from it. Bytes that do not fit end the load with an error; nothing here throws for what a disk says.
 *
 * Batches follow each other without a gap, those that compaction has left empty among them. Offsets that are nowhere (a journal group was damaged) end the load, too:
 * what they held may be newer than what is there. Segments may be replaced while a load goes on: it then continues at the offset it was at.
 */
import { ErrorCode } from '../protocol/errors.ts';
import { isBatchCrcValid } from '../protocol/crc32c.ts';
import { readKeyedBatch, type OnKeyedRecord } from '../protocol/keyed-batch.ts';
import {
  BATCH_HEADER_BYTES,
  baseOffset,
  batchBytes,
  Compression,
  compression,
  isControl,
  lastOffsetDelta,
  MAGIC,
  magic,
} from '../protocol/record-batch.ts';
import type { PartitionView } from './partition-view.ts';
import type { SegmentReader } from './segment-reader.ts';
import type { SegmentView } from './segment-view.ts';

/** Bytes of one slice: about as long as main may be kept from everything else, 1 or 2 ms. */
const SLICE_BYTES = 64 * 1024;
/** Loads at a time; others queue. */
const LOADS_MAX = 2;

/** Why a load ended early, for the log. */
export type OnLoadProblem = (view: PartitionView, offset: number, problem: string, error?: unknown) => void;

/** One load. */
class Load {
  readonly view: PartitionView;
  readonly onRecord: OnKeyedRecord;
  readonly done: (errorCode: number) => void;
  /** Watermark when it began. */
  endOffset = 0;
  /** Everything below was told. */
  nextOffset = 0;
  segment: SegmentView | null = null;
  /** In the segment: of the first byte that was not walked. */
  position = 0;
  /** Behind the last offset that was walked in the segment. */
  segmentOffset = 0;
  /** Bytes to read next. */
  wanted = SLICE_BYTES;
  buffer = Buffer.alloc(0);

  constructor(view: PartitionView, onRecord: OnKeyedRecord, done: (errorCode: number) => void) {
    this.view = view;
    this.onRecord = onRecord;
    this.done = done;
  }
}

/** See the file header. */
export class InternalLoads {
  private readonly reader: Pick<SegmentReader, 'read'>;
  private readonly onProblem: OnLoadProblem;
  private readonly queue: Load[] = [];
  private readonly skipsDamage: boolean;
  private running = 0;
  private stopped = false;

  /** @param skipsDamage whether a load goes on behind what is damaged or missing, saying so, rather than end there: what it tells may then be older than what was lost */
  constructor(reader: Pick<SegmentReader, 'read'>, onProblem: OnLoadProblem, skipsDamage = false) {
    this.reader = reader;
    this.onProblem = onProblem;
    this.skipsDamage = skipsDamage;
  }

  /**
   * Tells each record in order, then how the load ended; both in later tasks. Keys and values are the callee's to keep.
   *  - NONE: everything was told
   *  - CORRUPT_MESSAGE: a batch is not what was written, or records are missing, and damage is not skipped
   *  - KAFKA_STORAGE_ERROR: the disk could not be read, or what it holds may not be on it (after a failed sync)
   *  - UNKNOWN_TOPIC_OR_PARTITION: the topic was deleted meanwhile
   *  - UNKNOWN_SERVER_ERROR: `onRecord` threw
   *  - COORDINATOR_NOT_AVAILABLE: the broker stops
   */
  load(view: PartitionView, onRecord: OnKeyedRecord, done: (errorCode: number) => void): void {
    this.queue.push(new Load(view, onRecord, done));
    setImmediate(() => this.beginNext());
  }

  /** Nothing is read any more. */
  stop(): void {
    this.stopped = true;
  }

  private beginNext(): void {
    if (this.running === LOADS_MAX) return;
    const load = this.queue.shift();
    if (load === undefined) return;
    this.running++;
    load.nextOffset = load.view.logStartOffset;
    load.endOffset = load.view.highWatermark;
    this.step(load);
  }

  private end(load: Load, errorCode: number, problem?: string, error?: unknown): void {
    this.running--;
    if (problem !== undefined) this.onProblem(load.view, load.nextOffset, problem, error);
    load.done(errorCode);
    // In a task of its own: of ten thousand empty partitions each ends within the call that began it.
    setImmediate(() => this.beginNext());
  }

  /** Reads the next slice, or ends. */
  private step(load: Load): void {
    const { view } = load;
    if (this.stopped) return this.end(load, ErrorCode.COORDINATOR_NOT_AVAILABLE);
    if (view.topic.deleted) return this.end(load, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
    const segment = this.segmentOf(load);
    const goesOnAt = segment === null ? load.endOffset : segment.baseOffset;
    if (isLost(view, load.nextOffset, goesOnAt)) {
      if (!this.skips(load, `offsets up to ${goesOnAt - 1} are missing`)) return;
      load.nextOffset = goesOnAt;
    }
    if (segment === null) return this.end(load, ErrorCode.NONE);
    if (load.endOffset > view.unsecuredFrom)
      return this.end(load, ErrorCode.KAFKA_STORAGE_ERROR, 'a failed sync may have left out some of its records');
    const { position, wanted } = load;
    const length = Math.min(wanted, segment.endPosition - position);
    if (load.buffer.length < length) load.buffer = Buffer.allocUnsafeSlow(Math.max(length, SLICE_BYTES));
    this.reader.read(view, segment, load.buffer, 0, length, position, (error, bytesRead) => {
      // Gone from the log while it was read: its records are in another one now, or deleted.
      if (segment.retired) return this.step(load);
      if (error !== null) return this.end(load, ErrorCode.KAFKA_STORAGE_ERROR, 'its segment could not be read', error);
      this.walk(load, segment, length, bytesRead);
    });
  }

  /** The segment to go on in, with `load.position` in it; null at the end. */
  private segmentOf(load: Load): SegmentView | null {
    const { view } = load;
    let { segment } = load;
    if (segment !== null && segment.retired) segment = null;
    while (load.nextOffset < load.endOffset) {
      if (segment !== null && load.position < segment.endPosition) return segment;
      segment = segment === null ? this.segmentAt(view, load.nextOffset) : segmentBehind(view, segment);
      if (segment === null) return null;
      load.segment = segment;
      load.position = 0;
      load.segmentOffset = segment.baseOffset;
    }
    return null;
  }

  /** The segment that holds `offset`, or the first one behind it. */
  private segmentAt(view: PartitionView, offset: number): SegmentView | null {
    return view.segments[Math.max(0, view.segmentIndexOf(offset))] ?? null;
  }

  /** Tells the whole batches of the slice, of which `asked` bytes were to be read and `length` were there, then goes on. */
  private walk(load: Load, segment: SegmentView, asked: number, length: number): void {
    const { buffer } = load;
    let at = 0;
    let incomplete = 0;
    while (load.nextOffset < load.endOffset && length - at >= BATCH_HEADER_BYTES) {
      const size = checkHeader(buffer, at, load.position, segment);
      if (size === 0 || baseOffset(buffer, at) < load.segmentOffset)
        return this.skipSegment(load, segment, `the batch at byte ${load.position} of its segment is none`);
      if (
        isLost(load.view, load.segmentOffset, baseOffset(buffer, at)) &&
        !this.skips(load, `offsets up to ${baseOffset(buffer, at) - 1} are missing`)
      )
        return;
      if (size > length - at) {
        incomplete = size;
        break;
      }
      try {
        if (!isBatchCrcValid(buffer, at)) {
          if (!this.skips(load, `the CRC of the batch at byte ${load.position} of its segment is wrong`)) return;
        } else if (!this.tell(load, at, size)) {
          if (!this.skips(load, `the batch at byte ${load.position} of its segment has no readable records`)) return;
        }
      } catch (error) {
        return this.end(load, ErrorCode.UNKNOWN_SERVER_ERROR, 'a record could not be taken', error);
      }
      load.segmentOffset = baseOffset(buffer, at) + lastOffsetDelta(buffer, at) + 1;
      load.nextOffset = Math.max(load.nextOffset, load.segmentOffset);
      load.position += size;
      at += size;
    }
    // A file that is shorter than the log says, or a rest too short for a batch.
    if (at === 0 && incomplete <= asked)
      return this.skipSegment(load, segment, `its segment ends within the batch at byte ${load.position}`);
    load.wanted = Math.max(SLICE_BYTES, incomplete);
    this.step(load);
  }

  /** Says what is wrong; ends the load unless damage is skipped. Returns whether it goes on. */
  private skips(load: Load, problem: string): boolean {
    if (this.skipsDamage) this.onProblem(load.view, load.nextOffset, `${problem}; goes on behind it`);
    else this.end(load, ErrorCode.CORRUPT_MESSAGE, problem);
    return this.skipsDamage;
  }

  /** Nothing tells where the next batch of the segment begins. */
  private skipSegment(load: Load, segment: SegmentView, problem: string): void {
    if (!this.skips(load, problem)) return;
    load.position = segment.endPosition;
    load.nextOffset = Math.max(load.nextOffset, segment.endOffset);
    this.step(load);
  }

  /** Tells the records of the batch at `at` that were not told before. Returns whether it is one. */
  private tell(load: Load, at: number, size: number): boolean {
    const { buffer, nextOffset, onRecord } = load;
    if (compression(buffer, at) !== Compression.NONE) return false;
    if (isControl(buffer, at) || baseOffset(buffer, at) + lastOffsetDelta(buffer, at) < nextOffset) return true;
    // A copy of their own, so that whoever keeps a value keeps a batch alive and no slice.
    const batch = Buffer.from(buffer.subarray(at, at + size));
    return readKeyedBatch(batch, 0, (key, value, offset) => {
      if (offset >= nextOffset) onRecord(key, value, offset);
    });
  }
}

function segmentBehind(view: PartitionView, segment: SegmentView): SegmentView | null {
  return view.segments[view.segments.indexOf(segment) + 1] ?? null;
}

/** Whether offsets [from, to), which no batch has, were not given up: deleted, or acknowledged by a topic in `memory` before its disk failed. */
function isLost({ logStartOffset, topic, damage }: PartitionView, from: number, to: number): boolean {
  const first = Math.max(from, logStartOffset);
  return first < to && !(topic.config.durability === 'memory' && damage.any && damage.all.endOf(first) >= to);
}

/** Bytes of the batch at `at`, which lies at `position` of `segment`; 0 when its header cannot be one there. */
function checkHeader(bytes: Buffer, at: number, position: number, segment: SegmentView): number {
  const size = batchBytes(bytes, at);
  if (size < BATCH_HEADER_BYTES || position + size > segment.endPosition || magic(bytes, at) !== MAGIC) return 0;
  const delta = lastOffsetDelta(bytes, at);
  return delta >= 0 && baseOffset(bytes, at) + delta < segment.endOffset ? size : 0;
}
