/**
 * Compacts logs: decides, in the duty cycle, whose turn it is; a job reads the log and writes new files (jobs/clean-log.ts); then the new segments take the place of the old
 * ones, with the next journal group. Appends and reads go on all the time: a pass touches only segments that nobody appends to, and changes none of them.
 *
 *   planned    the partition's retention waits, so that what the job reads stays where it is
 *              a crash here: files that no log names; the next start removes them
 *   replaced   the entry goes into the journal with the next group → main reads the new files
 *              a crash here: without the entry the old segments are the log, with it the new ones; both are on disk
 *   released   a durable checkpoint does not name the old segments any more → main gives their files away once nobody reads them
 *
 * Only what is on disk in its segments is compacted, so a new file never holds what the loss of power could take from the old ones, and recovery never has to write
 * into a replaced one.
 */
import { readBatchHead } from '../log/batch-reader.ts';
import { DiskError, type Disk } from '../log/disk.ts';
import { EntryType } from '../log/journal-layout.ts';
import { segmentPath } from '../log/layout.ts';
import type { CleaningOutcome, CleaningPlan, ToShard } from '../log/messages.ts';
import type { SegmentState } from '../log/partition-state.ts';
import { replaceSegments } from '../log/replacement.ts';
import type { ShardHost } from './host.ts';
import { controlBytesMax } from './journal-writer.ts';
import type { ShardPartition } from './partition.ts';
import type { Retention } from './retention.ts';

/** Partition handles looked at in one cycle. */
const SLICE_HANDLES = 256;
/** After a pass that came to nothing, so long until the next one of that partition. */
const RETRY_MS = 60_000;
/** Segments named by one journal entry, at most; each takes about a hundred bytes. */
const ENTRY_SEGMENTS_MAX = 64;
/** Bytes that such an entry takes at most. */
const ENTRY_BYTES_MAX = 16 * 1024;

/** How much of a log there is to compact. */
interface Due {
  /** Segments from the first on that a pass may read. */
  readonly segments: readonly SegmentState[];
  /** Bytes that were not compacted, as a share of all of them. */
  readonly ratio: number;
}

/** See the file header. */
export class Compaction {
  private readonly shard: ShardHost;
  private readonly retention: Retention;
  private readonly disk: Disk;
  /** Next handle to look at; −1: no round under way. */
  private cursor = -1;
  private dueMs = Infinity;
  /** The neediest partition of the round. */
  private best: { readonly partition: ShardPartition; readonly due: Due } | null = null;
  /** A pass is under way; one at a time. */
  private underWay = false;

  constructor(shard: ShardHost, retention: Retention, disk: Disk) {
    this.shard = shard;
    this.retention = retention;
    this.disk = disk;
  }

  /** All recovered partitions are open. */
  begin(nowMs: number): void {
    this.dueMs = nowMs + this.shard.settings.cleanerBackoffMs;
  }

  /** Once per duty cycle, between groups. */
  poll(nowMs: number): void {
    if (this.underWay || this.shard.failure !== null || this.shard.stopped) return;
    // A clock that was set back must not keep it from looking.
    if (this.cursor < 0 && this.dueMs - nowMs > this.shard.settings.cleanerBackoffMs) this.dueMs = nowMs;
    if (this.cursor < 0 && nowMs >= this.dueMs && this.dueMs !== Infinity) this.cursor = 0;
    if (this.cursor < 0) return;
    const { partitions } = this.shard;
    const end = Math.min(this.cursor + SLICE_HANDLES, partitions.length);
    for (; this.cursor < end; this.cursor++) {
      const partition = partitions[this.cursor];
      if (partition === undefined || partition.config.compaction === null || nowMs < partition.cleanAfterMs) continue;
      const due = this.dueOf(partition, nowMs);
      if (due !== null && (this.best === null || due.ratio > this.best.due.ratio)) this.best = { partition, due };
    }
    if (this.cursor < partitions.length) return;
    this.cursor = -1;
    this.dueMs = nowMs + this.shard.settings.cleanerBackoffMs;
    const { best } = this;
    this.best = null;
    if (best !== null && partitions[best.partition.handle] === best.partition) this.start(best.partition, best.due, nowMs);
  }

  /** A pass has ended; its outcome is null when it came to nothing. */
  onCleaned({ handle, plan, outcome }: Extract<ToShard, { kind: 'cleaned' }>, nowMs: number): void {
    this.underWay = false;
    // There may be more to do at once.
    this.dueMs = nowMs;
    const partition = this.shard.partitions[handle];
    const isPlanned = partition?.cleaning === plan.revision;
    if (partition !== undefined && isPlanned) {
      partition.cleaning = 0;
      // It waited.
      this.retention.onConfigured(partition);
    }
    const refusal = this.shard.failure ?? this.shard.refusal;
    if (partition === undefined || outcome === null || !isPlanned || refusal !== null || !hasAll(partition, plan)) {
      if (partition !== undefined) partition.cleanAfterMs = nowMs + RETRY_MS;
      return this.reply(handle, plan, [], [], outcome?.segments ?? []);
    }
    this.replace(partition, plan, outcome);
  }

  private replace(partition: ShardPartition, plan: CleaningPlan, outcome: CleaningOutcome): void {
    const writer = this.shard.journalWriter;
    const put: SegmentState[] = [];
    const old: SegmentState[] = [];
    let at = 0;
    do {
      if (writer.waitingControlBytes + ENTRY_BYTES_MAX > controlBytesMax(this.shard.settings)) break;
      const segments = outcome.segments.slice(at, at + ENTRY_SEGMENTS_MAX);
      at += segments.length;
      // The rest is compacted again if it does not fit: then this pass has not got to its end.
      const cleanedEnd = at === outcome.segments.length ? outcome.cleanedEnd : 0;
      old.push(...replaceSegments(partition.state, segments, cleanedEnd));
      put.push(...segments);
      writer.record(partition, { type: EntryType.replace, segments, cleanedEnd });
      this.shard.noteWritten(1);
    } while (at < outcome.segments.length);
    this.retention.releaseLater(partition, old);
    this.reply(partition.handle, plan, put, old, outcome.segments.slice(at));
  }

  private reply(
    handle: number,
    { topicId, partition }: CleaningPlan,
    segments: readonly SegmentState[],
    replaced: readonly SegmentState[],
    discarded: readonly SegmentState[],
  ): void {
    this.shard.reply({ kind: 'replaced', handle, topicId, partition, segments, replaced, discarded, error: null });
  }

  private start(partition: ShardPartition, { segments }: Due, nowMs: number): void {
    const { state, config, handle } = partition;
    if (config.compaction === null) return;
    // Later than any that the partition has, and than any that a pass before may have left behind: those have the time of their plan, too.
    const revision = Math.max(Math.floor(nowMs), ...state.segments.map(({ revision: its = 0 }) => its + 1));
    partition.cleaning = revision;
    this.underWay = true;
    this.shard.reply({
      kind: 'clean',
      handle,
      plan: {
        topicId: state.topicId,
        partition: state.partition,
        segments: structuredClone(segments),
        damaged: structuredClone(state.damaged),
        dirtyFrom: dirtyFrom(partition),
        revision,
        segmentBytes: config.segmentBytes,
        nowMs,
        deleteRetentionMs: config.compaction.deleteRetentionMs,
      },
    });
  }

  /** What a pass over the partition would have to do; null: it is not worth one. */
  private dueOf(partition: ShardPartition, nowMs: number): Due | null {
    const { state, config, syncedEnd } = partition;
    const { compaction } = config;
    if (compaction === null) return null;
    const from = dirtyFrom(partition);
    const segments: SegmentState[] = [];
    let cleanBytes = 0;
    let dirtyBytes = 0;
    let firstDirty: SegmentState | null = null;
    for (const segment of state.segments.slice(0, -1)) {
      const isYoung = compaction.lagMsMin > 0 && segment.maxTimestamp > nowMs - compaction.lagMsMin;
      if (segment.endOffset > syncedEnd || (isYoung && segment.endOffset > from)) break;
      segments.push(segment);
      if (segment.endOffset <= from) cleanBytes += segment.endPosition;
      else {
        dirtyBytes += segment.endPosition;
        firstDirty ??= segment;
      }
    }
    if (firstDirty === null) return null;
    const ratio = dirtyBytes / (cleanBytes + dirtyBytes);
    if (ratio >= compaction.dirtyRatioMin) return { segments, ratio };
    if (compaction.lagMsMax === Infinity) return null;
    // Kafka goes by the first batch of the segment, too.
    const firstMs = this.firstTimestamp(partition, firstDirty);
    return firstMs >= 0 && nowMs - firstMs > compaction.lagMsMax ? { segments, ratio } : null;
  }

  /** Of the first batch of a segment, ms; −1: none, or it cannot be read. */
  private firstTimestamp({ state }: ShardPartition, segment: SegmentState): number {
    try {
      const fd = this.disk.open(
        segmentPath(this.shard.settings.dataFolder, state.topicId, state.partition, segment.baseOffset, segment.revision),
        'read',
      );
      try {
        return readBatchHead(this.disk, fd, 0, segment.endPosition)?.maxTimestamp ?? -1;
      } finally {
        this.disk.close(fd);
      }
    } catch (error) {
      if (error instanceof DiskError) return -1;
      throw error;
    }
  }
}

/** What lies below is compacted, or deleted. */
function dirtyFrom({ state }: ShardPartition): number {
  return Math.max(state.cleanedEnd ?? 0, state.segments[0]?.baseOffset ?? 0);
}

/** Whether the log still begins with exactly what the pass has read: a client may have deleted records, or a truncation may have cut it. */
function hasAll({ state }: ShardPartition, { segments }: CleaningPlan): boolean {
  return segments.every((segment, i) => {
    const now = state.segments[i];
    return (
      now?.baseOffset === segment.baseOffset &&
      now.endOffset === segment.endOffset &&
      now.endPosition === segment.endPosition &&
      now.revision === segment.revision
    );
  });
}
