/**
 * Compaction of a log: of the records of a key only the last one stays. A pass reads what is new and notes the last offset of each key, as many as its memory holds; then
 * it goes through the log from the beginning and writes what stays into new files. Nothing of the log itself is changed: the shard puts the new
 * files into the place of the old ones (shard/compaction.ts), or, after a crash, nobody ever names them.
 *
 * What cannot be read stays as it is: a segment with damage is not touched, a batch that cannot be opened is copied. Nor does it replace anything: what is
 * refused is no value of its key. Tombstones behind such places stay for ever: what they delete may still be there.
 */
import { DiskError, type Disk } from '../log/disk.ts';
import { partitionFolder, segmentPath } from '../log/layout.ts';
import type { CleaningOutcome, CleaningPlan } from '../log/messages.ts';
import type { SegmentState } from '../log/partition-state.ts';
import { OutputTooLargeError } from '../protocol/bounded-output.ts';
import { isBatchCrcValid } from '../protocol/crc32c.ts';
import { MalformedError } from '../protocol/protocol-errors.ts';
import { isControl, partitionLeaderEpoch, recordCount } from '../protocol/record-batch.ts';
import { BatchCleaner, openRecords, type RecordJudge } from './clean-batch.ts';
import { BatchScan } from './batch-scan.ts';
import { CleanedSegment } from './cleaned-segment.ts';
import { KeyMap, keysIn } from './key-map.ts';
import { OffsetSet } from './offset-set.ts';
import { RecordCursor } from './record-cursor.ts';

/** Positions in a segment are 32-bit in journal and completions. */
const SEGMENT_BYTES_MAX = 2 ** 31 - 1;

/** What a pass may use. */
export interface CleaningLimits {
  /** Memory for keys. */
  readonly keyBytesMax: number;
  /** Called with every number of bytes read or written; waits where that would be too many. */
  readonly onBytes: (bytes: number) => void;
}

/** Does a pass. On return everything it names is on disk; when it throws (DiskError) it has left no file. */
export function cleanLog(disk: Disk, dataFolder: string, plan: CleaningPlan, limits: CleaningLimits): CleaningOutcome {
  const pass = new CleaningPass(disk, dataFolder, plan, limits);
  try {
    return pass.run();
  } catch (error) {
    if (error instanceof DiskError) pass.undo();
    throw error;
  }
}

class CleaningPass implements RecordJudge {
  private readonly disk: Disk;
  private readonly dataFolder: string;
  private readonly plan: CleaningPlan;
  private readonly limits: CleaningLimits;
  private readonly scan: BatchScan;
  private readonly cleaner: BatchCleaner;
  private readonly record = new RecordCursor();
  private readonly keys: KeyMap;
  /** Of the new records: those that a later one replaces, and tombstones. */
  private readonly dead: OffsetSet;
  private readonly tombstones: OffsetSet;
  /** Base offsets of segments that are left alone. */
  private readonly untouched = new Set<number>();
  /** The keys of everything in [dirtyFrom, cleanedEnd) are known. */
  private cleanedEnd: number;
  /** From here on something below could not be read. */
  private unreadFrom = Infinity;
  private readonly made: string[] = [];

  constructor(disk: Disk, dataFolder: string, plan: CleaningPlan, limits: CleaningLimits) {
    this.disk = disk;
    this.dataFolder = dataFolder;
    this.plan = plan;
    this.limits = limits;
    this.scan = new BatchScan(disk, limits.onBytes);
    this.cleaner = new BatchCleaner(plan);
    const end = plan.segments.at(-1)?.endOffset ?? plan.dirtyFrom;
    const offsets = Math.max(0, end - plan.dirtyFrom);
    this.keys = new KeyMap(limits.keyBytesMax, offsets);
    this.dead = new OffsetSet(plan.dirtyFrom, plan.dirtyFrom + offsets);
    this.tombstones = new OffsetSet(plan.dirtyFrom, plan.dirtyFrom + offsets);
    this.cleanedEnd = plan.dirtyFrom;
  }

  run(): CleaningOutcome {
    for (const segment of this.plan.segments) {
      const { baseOffset, endOffset } = segment;
      if (this.plan.damaged.some(({ from, to }) => from < endOffset && baseOffset < to)) this.leave(segment);
    }
    this.learnKeys();
    const segments: SegmentState[] = [];
    for (const group of this.groups()) segments.push(...this.rewrite(group));
    if (segments.length > 0) this.disk.syncFolder(this.folder);
    return { cleanedEnd: this.cleanedEnd, segments };
  }

  /** Removes what was written. */
  undo(): void {
    for (const path of this.made) {
      try {
        this.disk.unlink(path);
      } catch (error) {
        // Then the next start finds a file that no log names.
        if (!(error instanceof DiskError)) throw error;
      }
    }
  }

  isDead(offset: number, bytes: Buffer, { keyStart, keyLength }: RecordCursor): boolean {
    if (offset >= this.plan.dirtyFrom) return this.dead.has(offset);
    // As in Kafka: without a key nothing could ever replace it.
    return keyLength < 0 || this.keys.get(bytes, keyStart, keyLength) !== -1;
  }

  isAlone(offset: number): boolean {
    return offset < this.unreadFrom;
  }

  private get folder(): string {
    return partitionFolder(this.dataFolder, this.plan.topicId, this.plan.partition);
  }

  private leave(segment: SegmentState): void {
    this.untouched.add(segment.baseOffset);
    this.unreadFrom = Math.min(this.unreadFrom, segment.baseOffset);
  }

  /** The first half: keys of what is new, until the map is full or the plan ends. */
  private learnKeys(): void {
    for (const segment of this.plan.segments) {
      if (segment.endOffset <= this.plan.dirtyFrom) continue;
      // Nobody is given what is refused, however whole its bytes are: it replaces nothing. And its file may be missing.
      if (this.untouched.has(segment.baseOffset)) {
        this.cleanedEnd = segment.endOffset;
        continue;
      }
      const isFull = this.withFile(segment, () => this.learnSegment());
      if (isFull) return;
      this.cleanedEnd = segment.endOffset;
      if (this.scan.damaged) this.leave(segment);
    }
  }

  /** True if the map is full. */
  private learnSegment(): boolean {
    const { scan } = this;
    while (scan.next()) {
      if (scan.base < this.plan.dirtyFrom) continue;
      if (!isBatchCrcValid(scan.buffer, scan.at)) {
        scan.damaged = true;
        return false;
      }
      const count = recordCount(scan.buffer, scan.at);
      if (this.keys.hasRoom(count)) this.learnBatch(count);
      else if (this.keys.count > 0) return true;
      // No pass would ever get past it: it stays as it is.
      else this.unreadFrom = Math.min(this.unreadFrom, scan.base);
      this.cleanedEnd = scan.last + 1;
    }
    return false;
  }

  private learnBatch(count: number): void {
    const { scan, record } = this;
    if (isControl(scan.buffer, scan.at) || count === 0) return;
    const records = this.open();
    if (records === null) return;
    for (let i = 0, position = 0; i < count; i++) {
      record.read(records, position, records.length);
      position = record.end;
      const offset = scan.base + record.offsetDelta;
      if (record.keyLength < 0) {
        this.dead.add(offset);
        continue;
      }
      if (record.isTombstone) this.tombstones.add(offset);
      const before = this.keys.put(records, record.keyStart, record.keyLength, offset);
      if (before >= this.plan.dirtyFrom) this.dead.add(before);
    }
  }

  /** The records of the scanned batch if all of them can be read; null: it stays as it is. */
  private open(): Buffer | null {
    const { scan, record } = this;
    try {
      const records = openRecords(scan.buffer, scan.at);
      let position = 0;
      for (let i = recordCount(scan.buffer, scan.at); i > 0; i--) {
        record.read(records, position, records.length);
        if (scan.base + record.offsetDelta > scan.last)
          throw new MalformedError('record batch', 'records', position, 'offset behind its batch');
        position = record.end;
      }
      return records;
    } catch (error) {
      if (!(error instanceof MalformedError) && !(error instanceof OutputTooLargeError)) throw error;
      this.unreadFrom = Math.min(this.unreadFrom, scan.base);
      return null;
    }
  }

  /** Neighbours that together fit into one segment. Between those that do not follow each other offsets are refused, which must stay so. */
  private *groups(): Generator<SegmentState[]> {
    let group: SegmentState[] = [];
    let bytes = 0;
    for (const segment of this.plan.segments) {
      if (segment.baseOffset >= this.cleanedEnd) break;
      const isLeft = this.untouched.has(segment.baseOffset);
      const follows = segment.baseOffset === group.at(-1)?.endOffset;
      if (group.length > 0 && (isLeft || !follows || bytes + segment.endPosition > this.plan.segmentBytes)) {
        yield group;
        group = [];
        bytes = 0;
      }
      if (isLeft) continue;
      group.push(segment);
      bytes += segment.endPosition;
    }
    if (group.length > 0) yield group;
  }

  /** The second half for one group: what takes its place, in one piece unless damage is found in it. */
  private rewrite(group: readonly SegmentState[]): SegmentState[] {
    const first = group[0];
    const last = group.at(-1);
    if (first === undefined || last === undefined) return [];
    const { topicId, partition, revision } = this.plan;
    const path = segmentPath(this.dataFolder, topicId, partition, first.baseOffset, revision);
    this.made.push(path);
    const out = new CleanedSegment(this.disk, path, first.baseOffset, this.limits.onBytes);
    let isChanged = group.length > 1;
    let damaged = -1;
    let made: SegmentState | null = null;
    try {
      damaged = group.findIndex((segment) => {
        if (this.withFile(segment, () => this.rewriteSegment(out))) isChanged = true;
        return this.scan.damaged;
      });
      const isTooLarge = out.bytes > SEGMENT_BYTES_MAX;
      if (isTooLarge) this.leave(first);
      else if (damaged < 0 && isChanged) made = out.finish(last.endOffset, revision);
    } finally {
      out.close();
    }
    if (made !== null) return [made];
    this.disk.unlink(path);
    if (damaged < 0) return [];
    this.leave(group[damaged] as SegmentState);
    return [...this.rewrite(group.slice(0, damaged)), ...this.rewrite(group.slice(damaged + 1))];
  }

  /** Copies what stays of the segment that is scanned. True if something does not. */
  private rewriteSegment(out: CleanedSegment): boolean {
    const { scan } = this;
    let isChanged = false;
    while (scan.next()) {
      const { buffer, at, base } = scan;
      // Empty batches are made anew where they are needed.
      if (recordCount(buffer, at) === 0) continue;
      const kept = this.staysWhole() ? 'same' : this.clean();
      if (scan.damaged) return isChanged;
      if (kept !== 'same') isChanged = true;
      const leaderEpoch = partitionLeaderEpoch(buffer, at);
      if (kept === 'same') out.add(buffer, at, scan.bytes, base, leaderEpoch);
      else if (kept !== 'none') out.add(kept, 0, kept.length, base, leaderEpoch);
    }
    return isChanged;
  }

  /** Known without a look at its records. */
  private staysWhole(): boolean {
    const { buffer, at, base, last } = this.scan;
    if (base >= this.cleanedEnd || isControl(buffer, at)) return true;
    return base >= this.plan.dirtyFrom && !this.dead.hasAny(base, last) && !this.tombstones.hasAny(base, last);
  }

  private clean(): 'same' | 'none' | Buffer {
    const { scan } = this;
    if (!isBatchCrcValid(scan.buffer, scan.at)) {
      scan.damaged = true;
      return 'same';
    }
    // No pass could know its keys: what is in it may be what tombstones behind it delete. Smaller, it would not be told from others any more.
    if (recordCount(scan.buffer, scan.at) > keysIn(this.limits.keyBytesMax)) {
      this.unreadFrom = Math.min(this.unreadFrom, scan.base);
      return 'same';
    }
    const records = this.open();
    return records === null ? 'same' : this.cleaner.clean(scan.buffer, scan.at, records, this);
  }

  private withFile(segment: SegmentState, run: () => boolean): boolean {
    const { topicId, partition } = this.plan;
    const fd = this.disk.open(segmentPath(this.dataFolder, topicId, partition, segment.baseOffset, segment.revision), 'read');
    try {
      this.scan.begin(fd, segment);
      return run();
    } finally {
      this.disk.close(fd);
    }
  }
}
