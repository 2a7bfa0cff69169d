/**
 * Deletes records: decides, in the duty cycle, where logs begin now, and says when the files of what they lost may be used again.
 *
 *   decided   log start into the journal with the next group, segments out of the state → main stops serving them
 *             a crash here: without the entry the log still has them, with it recovery drops them
 *   released  a durable checkpoint no longer names them, whatever happens to the journal → main gives the files away once nobody reads them
 *             a crash here: the next start finds files below the log start and gives them away
 *
 * Waiting for the checkpoint is what makes it safe in a shard that does not sync its journal, and costs no sync. It is also enough: a checkpoint covers every
 * group up to its sequence, so from then on no recovery reads the entry, or a state before it.
 *
 * Partitions are looked through every check interval, a slice per cycle. Out of turn, in the next cycle, comes one that began a segment, for its size alone (so
 * records that are old when they come stay until a check, as in Kafka), and one that got other settings.
 */
import { DiskError, type Disk } from '../log/disk.ts';
import { EntryType } from '../log/journal-layout.ts';
import { segmentPath } from '../log/layout.ts';
import { raiseLogStart } from '../log/log-start.ts';
import type { RetiredSegment } from '../log/messages.ts';
import { CLOCK_STEP_MS } from '../lib/clock-step.ts';
import type { SegmentState } from '../log/partition-state.ts';
import type { ShardHost } from './host.ts';
import { expiredPart } from './expiry.ts';
import { controlBytesMax } from './journal-writer.ts';
import type { ShardPartition } from './partition.ts';

/** Partition handles looked at in one cycle; almost all of them have nothing to delete. */
const SLICE_HANDLES = 256;
/** The first look comes this long after the start, if the check interval is not shorter. */
const FIRST_CHECK_MS = 30_000;
/** Most segments released with one message. */
const RELEASED_MAX = 256;

/** Segments whose files wait for a checkpoint that contains the journal group `sequence`. */
interface Waiting {
  readonly sequence: number;
  readonly segments: readonly RetiredSegment[];
}

/** See the file header. */
export class Retention {
  private readonly shard: ShardHost;
  private readonly disk: Disk;
  /** Ascending in sequence. */
  private waiting: Waiting[] = [];
  /** To be looked at out of turn, and whether for age too or for size alone. */
  private readonly asked = new Map<ShardPartition, boolean>();
  /** Next handle to look at; −1: no round under way. */
  private cursor = -1;
  private dueMs = Infinity;
  private polledMs = NaN;
  /** Until then no record is deleted for its age: the clock was set, and may be put right again. */
  private ageHeldUntilMs = -Infinity;

  constructor(shard: ShardHost, disk: Disk) {
    this.shard = shard;
    this.disk = disk;
  }

  /** All recovered partitions are open. */
  begin(nowMs: number): void {
    this.dueMs = nowMs + Math.min(FIRST_CHECK_MS, this.shard.settings.retentionCheckIntervalMs);
  }

  /** The partition began a segment: it may be too large. */
  onRolled(partition: ShardPartition): void {
    if (!this.asked.has(partition)) this.asked.set(partition, false);
  }

  /** The partition has other settings. */
  onConfigured(partition: ShardPartition): void {
    this.asked.set(partition, true);
  }

  /** The check interval may be another one: a shorter one counts from now. */
  onSettings(nowMs: number): void {
    if (this.dueMs !== Infinity) this.dueMs = Math.min(this.dueMs, nowMs + this.shard.settings.retentionCheckIntervalMs);
  }

  /** Once per duty cycle, between groups; true if there is more to do at once. */
  poll(nowMs: number): boolean {
    const elapsedMs = nowMs - this.polledMs;
    this.polledMs = nowMs;
    if (elapsedMs > CLOCK_STEP_MS || elapsedMs < -CLOCK_STEP_MS) this.onClockStep(nowMs);
    if (this.cursor < 0 && nowMs >= this.dueMs) this.cursor = 0;
    if ((this.cursor < 0 && this.asked.size === 0) || this.shard.failure !== null) return false;
    this.work(nowMs);
    return this.cursor >= 0 || this.asked.size > 0;
  }

  /**
   * Makes `offset` the first offset of a partition's log and `firstSegment` (or none) its first segment, with the next journal group. Returns the base offsets of
   * the segments that are no longer part of it.
   */
  moveLogStart(partition: ShardPartition, offset: number, firstSegment: number): number[] {
    const { state } = partition;
    const writer = this.shard.journalWriter;
    const retired = raiseLogStart(state, offset, firstSegment);
    if (state.segments.length === 0) this.shard.segments.dropActive(partition);
    writer.record(partition, { type: EntryType.logStart, offset, firstSegment });
    this.shard.noteWritten(1);
    this.releaseLater(partition, retired);
    return retired.map(({ baseOffset }) => baseOffset);
  }

  /** Segments left a log with what was just recorded: they are released once a checkpoint contains that. */
  releaseLater({ state }: ShardPartition, left: readonly SegmentState[]): void {
    if (left.length === 0) return;
    const { topicId, partition } = state;
    const segments = left.map(({ baseOffset, revision }) => ({
      topicId,
      partition,
      baseOffset,
      ...(revision === undefined ? {} : { revision }),
    }));
    this.waiting.push({ sequence: this.shard.journalWriter.sequence + 1, segments });
  }

  /** A checkpoint of every group up to `sequence` is durable: nothing durable names the segments that left before it any more. */
  onCheckpoint(sequence: number): void {
    const covered = this.waiting.findIndex((entry) => entry.sequence > sequence);
    const released = this.waiting.splice(0, covered < 0 ? this.waiting.length : covered).flatMap(({ segments }) => segments);
    for (let at = 0; at < released.length; at += RELEASED_MAX)
      this.shard.reply({ kind: 'released', segments: released.slice(at, at + RELEASED_MAX) });
  }

  /** A clock that is put right within a check interval deletes nothing that it should not. */
  private onClockStep(nowMs: number): void {
    const intervalMs = this.shard.settings.retentionCheckIntervalMs;
    this.ageHeldUntilMs = nowMs + intervalMs;
    if (this.dueMs !== Infinity) this.dueMs = Math.min(this.dueMs, nowMs + intervalMs);
  }

  private work(nowMs: number): void {
    const { partitions, settings, journalWriter } = this.shard;
    // What waits for the journal here leaves most of the room to what main asks for.
    const bytesMax = controlBytesMax(settings) / 4;
    for (const [partition, forAge] of this.asked) {
      if (journalWriter.waitingControlBytes > bytesMax) return;
      this.asked.delete(partition);
      if (partitions[partition.handle] === partition) this.check(partition, nowMs, forAge);
    }
    if (this.cursor < 0) return;
    const end = Math.min(this.cursor + SLICE_HANDLES, partitions.length);
    for (; this.cursor < end && journalWriter.waitingControlBytes <= bytesMax; this.cursor++) {
      const partition = partitions[this.cursor];
      if (partition !== undefined) this.check(partition, nowMs, true);
    }
    if (this.cursor < partitions.length) return;
    this.cursor = -1;
    this.dueMs = nowMs + settings.retentionCheckIntervalMs;
  }

  private check(partition: ShardPartition, nowMs: number, forAge: boolean): void {
    const { state, config, handle } = partition;
    // While it is compacted its segments stay where they are; asked for again then.
    if (state.segments.length === 0 || partition.cleaning !== 0) return;
    const ageNowMs = !forAge || nowMs < this.ageHeldUntilMs ? -Infinity : nowMs;
    const start = expiredPart(state, config, ageNowMs, (segment) => this.modifiedMs(partition, segment));
    if (start === null) return;
    const retired = this.moveLogStart(partition, start.offset, start.firstSegment);
    this.shard.reply({ kind: 'logStartMoved', handle, logStartOffset: start.offset, retired, error: null });
    // There may be more of it.
    this.asked.set(partition, forAge);
  }

  /** A file that cannot be asked counts as new. */
  private modifiedMs(partition: ShardPartition, segment: SegmentState): number {
    const { topicId, partition: number } = partition.state;
    try {
      return this.disk.modifiedMs(segmentPath(this.shard.settings.dataFolder, topicId, number, segment.baseOffset, segment.revision));
    } catch (error) {
      if (error instanceof DiskError) return Infinity;
      throw error;
    }
  }
}
