/**
 * What main asks of a shard beside appends. Runs between groups: no batch is staged while a message is handled. Entries go into the next journal
 * group, and every answer waits until that group is secured (the shard flushes replies after its commit).
 */
import { DiskError, type Disk } from '../log/disk.ts';
import { encodeControlEntry, EntryType, NO_SEGMENT, type ControlEntry } from '../log/journal-layout.ts';
import { segmentPath } from '../log/layout.ts';
import { firstSegmentAt } from '../log/log-start.ts';
import type { ChangeableSettings, ToShard } from '../log/messages.ts';
import { partitionKey, type PartitionConfig } from '../log/partition-state.ts';
import { cutProducers } from '../log/producer-truncation.ts';
import { planTruncation } from '../log/truncation.ts';
import { unreachable } from '../lib/assert.ts';
import type { Checkpointer } from './checkpointer.ts';
import type { Compaction } from './compaction.ts';
import type { ShardHost } from './host.ts';
import { controlBytesMax } from './journal-writer.ts';
import { ShardPartition, UNKNOWN_AGE } from './partition.ts';
import type { Producers } from './producers.ts';
import type { Retention } from './retention.ts';
import { unsecuredOf } from './segment-writer.ts';

/** Fewer syncs at the end of a stop are done before threads that help have started. */
const HELPED_SYNCS_MIN = 64;

/** What control messages are about. */
export interface ShardControlParts {
  readonly checkpointer: Checkpointer;
  readonly retention: Retention;
  readonly compaction: Compaction;
  readonly producers: Producers;
}

/** See the file header. */
export class ShardControl {
  private readonly shard: ShardHost;
  private readonly parts: ShardControlParts;
  private readonly disk: Disk;
  private stopping = false;
  /** Segment files that left the log with the group in work; removed once that group is secured. */
  private doomed: string[] = [];
  private cuts = false;
  /** Who is answered may rely on what the group in work says. */
  private promises = false;

  constructor(shard: ShardHost, parts: ShardControlParts, disk: Disk) {
    this.shard = shard;
    this.parts = parts;
    this.disk = disk;
  }

  handle(message: ToShard, nowMs: number): void {
    switch (message.kind) {
      case 'open':
        return this.open(message, nowMs);
      case 'begin':
        this.parts.checkpointer.begin(nowMs);
        this.parts.retention.begin(nowMs);
        this.parts.compaction.begin(nowMs);
        this.parts.producers.begin(nowMs);
        return this.shard.reply({ kind: 'began' });
      case 'close':
        return this.close(message.handle);
      case 'configure':
        return this.configure(message.handle, message.config);
      case 'moveOut':
        return this.moveOut(message.handle, message.moveNumber, nowMs);
      case 'truncate':
        return this.truncate(message.handle, message.endOffset);
      case 'setLogStart':
        return this.setLogStart(message.handle, message.offset);
      case 'settings':
        return this.changeSettings(message, nowMs);
      case 'cleaned':
        return this.parts.compaction.onCleaned(message, nowMs);
      case 'stop':
        this.stopping = true;
        return this.parts.checkpointer.end();
      default:
        unreachable(message);
    }
  }

  /** True if the group in work must be durable in a shard of either class: it cuts a log, hands a partition on, or a client is promised that records are gone. */
  get mustBeDurable(): boolean {
    return this.cuts || this.promises;
  }

  /**
   * True while bytes that a checkpoint may name leave a log with the group in work: they are overwritten or removed next, so the entry that says
   * so must be durable, and no append of the same group may come before that.
   */
  get mustEndGroup(): boolean {
    return this.cuts;
  }

  /** Removes files whose truncation is secured now. */
  removeFiles(): void {
    for (const path of this.doomed) {
      try {
        this.disk.unlink(path);
      } catch (error) {
        // It stays as after a crash: a file that no log names.
        if (!(error instanceof DiskError)) throw error;
      }
    }
    this.doomed = [];
    this.cuts = this.promises = false;
  }

  /**
   * Finishes a stop once no checkpoint is under way. After a failed sync nobody looks after that one, and nothing can be secured any more. Returns whether it goes on
   * in the next cycle, once main has heard what it asks for.
   */
  maybeFinishStop(): boolean {
    if (!this.stopping || (this.shard.failure === null && this.parts.checkpointer.busy)) return false;
    const isMuch = this.shard.failure === null && this.shard.segments.unsyncedCount >= HELPED_SYNCS_MIN;
    if (isMuch && this.shard.askForSyncHelp()) return true;
    let error: string | null;
    try {
      error = this.shard.failure ?? this.parts.checkpointer.finish();
    } catch (failed) {
      if (!(failed instanceof DiskError)) throw failed;
      error = failed.message;
    }
    this.shard.stopped = true;
    this.shard.reply({ kind: 'stopped', error });
    return false;
  }

  /** Why nothing can be recorded now, or null. */
  private refusal(): string | null {
    return this.shard.failure ?? this.shard.refusal;
  }

  private open(message: Extract<ToShard, { kind: 'open' }>, nowMs: number): void {
    const { handle, state, config, leaderEpoch, recovered } = message;
    const refusal = this.refusal();
    // What the first checkpoint of this generation names must be in every later one: it is taken even when nothing can be recorded of it now.
    if (refusal !== null && !recovered) return this.shard.reply({ kind: 'opened', handle, error: refusal });
    this.shard.movedOut.delete(partitionKey(state.topicId, state.partition));
    const partition = new ShardPartition(handle, state, config, leaderEpoch, this.parts.producers.undo);
    if (!recovered) this.parts.producers.fitToJournal(partition.producers);
    this.parts.producers.onOpened(partition, nowMs);
    this.shard.partitions[handle] = partition;
    if (!recovered) this.shard.journalWriter.record(partition, { type: EntryType.open, state: partition.snapshot() });
    else if (refusal === null) this.shard.journalWriter.bind(partition);
    this.shard.noteWritten(1);
    this.shard.reply({ kind: 'opened', handle, error: null });
  }

  private changeSettings({ retentionCheckIntervalMs, producerExpirationMs }: ChangeableSettings, nowMs: number): void {
    this.shard.settings = { ...this.shard.settings, retentionCheckIntervalMs, producerExpirationMs };
    this.parts.retention.onSettings(nowMs);
  }

  private configure(handle: number, config: PartitionConfig): void {
    const partition = this.shard.partitions[handle];
    if (partition !== undefined) {
      partition.config = config;
      partition.rollAboveTimestamp = UNKNOWN_AGE;
      this.parts.retention.onConfigured(partition);
    }
    this.shard.reply({ kind: 'configured', handle });
  }

  private record(partition: ShardPartition, entry: ControlEntry): void {
    this.shard.journalWriter.record(partition, entry);
    this.shard.noteWritten(1);
  }

  private close(handle: number): void {
    const partition = this.shard.partitions[handle];
    if (partition === undefined) return this.shard.reply({ kind: 'closed', handle, state: null });
    this.shard.segments.release(partition);
    this.shard.partitions[handle] = undefined;
    this.parts.producers.onReleased(partition);
    // Recovery asks the metadata about a deleted topic, so the entry is only thrift: a full journal must not keep a deletion from making room.
    if (this.refusal() === null) this.record(partition, { type: EntryType.close });
    this.shard.reply({ kind: 'closed', handle, state: partition.snapshot() });
  }

  /**
   * Hands a partition on: everything it has is synced first, so what is secured is always a prefix, whichever of the two journals survives. Both
   * record the whole state under the move's number and recovery believes the highest. This one's record is durable when the move is answered, in a shard of either
   * class: should the other's be damaged later, it is the only one that tells where the log ended.
   */
  private moveOut(handle: number, moveNumber: number, nowMs: number): void {
    const partition = this.shard.partitions[handle];
    if (partition === undefined || this.refusal() !== null) {
      const error = this.refusal() ?? `no partition with handle ${handle}`;
      return this.shard.reply({ kind: 'movedOut', handle, state: null, error });
    }
    if (!this.parts.producers.fitsJournal(partition, nowMs)) {
      const error = `too many producers (${partition.producers.count}) wrote to the partition of late; try again when fewer do`;
      return this.shard.reply({ kind: 'movedOut', handle, state: null, error });
    }
    const bytes = encodeControlEntry(handle, { type: EntryType.movedOut, state: partition.snapshot() }).length;
    const bytesMax = controlBytesMax(this.shard.settings);
    if (bytes > bytesMax) {
      const error = `its state takes ${bytes} bytes of the journal and ${bytesMax} are the most; it moves when the broker starts again`;
      return this.shard.reply({ kind: 'movedOut', handle, state: null, error });
    }
    try {
      this.shard.segments.syncAll(partition);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.shard.fail(`${error.message} while a partition moved to another shard`, unsecuredOf(partition));
      return this.shard.reply({ kind: 'movedOut', handle, state: null, error: error.message });
    }
    // Under the number it came with.
    this.shard.journalWriter.nameUnlessAppended(partition);
    partition.state.moveNumber = moveNumber;
    this.shard.segments.release(partition);
    this.shard.partitions[handle] = undefined;
    this.parts.producers.onReleased(partition);
    const state = partition.snapshot();
    this.shard.movedOut.set(partitionKey(state.topicId, state.partition), state);
    this.promises = true;
    this.record(partition, { type: EntryType.movedOut, state });
    this.shard.reply({ kind: 'movedOut', handle, state, error: null });
  }

  private truncate(handle: number, endOffset: number): void {
    const partition = this.shard.partitions[handle];
    const refuse = (error: string): void => this.shard.reply({ kind: 'truncated', handle, state: null, error });
    if (partition === undefined || this.refusal() !== null) return refuse(this.refusal() ?? `no partition with handle ${handle}`);
    const { state } = partition;
    if (endOffset < state.logStartOffset) return refuse(`cannot truncate to ${endOffset}: the log starts at ${state.logStartOffset}`);
    if (endOffset >= state.endOffset)
      return this.shard.reply({ kind: 'truncated', handle, state: structuredClone(partition.snapshot()), error: null });
    let plan;
    let producers;
    try {
      plan = planTruncation(this.disk, this.shard.settings.dataFolder, state, endOffset);
      producers = cutProducers(this.disk, this.shard.settings.dataFolder, plan.state, endOffset, partition.producers);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      return refuse(error.message);
    }
    this.cuts = true;
    // The journal entry comes first, the files go after it is secured: a crash in between leaves files that no log names.
    for (const removed of plan.removed)
      this.doomed.push(segmentPath(this.shard.settings.dataFolder, state.topicId, state.partition, removed.baseOffset, removed.revision));
    if (plan.removed.length > 0) this.shard.segments.dropActive(partition);
    Object.assign(state, plan.state);
    this.parts.producers.replace(partition, this.parts.producers.fitToJournal(producers));
    partition.stagedEnd = state.endOffset;
    partition.rollAboveTimestamp = UNKNOWN_AGE;
    partition.syncedEnd = Math.min(partition.syncedEnd, state.endOffset);
    partition.lentEnd = Math.min(partition.lentEnd, state.endOffset);
    const active = partition.activeSegment();
    this.record(partition, {
      type: EntryType.truncate,
      endOffset: state.endOffset,
      segmentBase: active?.baseOffset ?? NO_SEGMENT,
      endPosition: active?.endPosition ?? 0,
      maxTimestamp: active?.maxTimestamp ?? -1,
      producers: partition.producers.toBytes(),
    });
    this.shard.reply({ kind: 'truncated', handle, state: structuredClone(partition.snapshot()), error: null });
  }

  private setLogStart(handle: number, offset: number): void {
    const partition = this.shard.partitions[handle];
    const refuse = (error: string): void =>
      this.shard.reply({ kind: 'logStartSet', handle, logStartOffset: partition?.state.logStartOffset ?? -1, retired: [], error });
    if (partition === undefined || this.refusal() !== null) return refuse(this.refusal() ?? `no partition with handle ${handle}`);
    const { state } = partition;
    if (offset > state.endOffset) return refuse(`log start ${offset} is above the end ${state.endOffset}`);
    // Recorded again where it is there already but perhaps not durable: the answer is a promise.
    const start = Math.max(offset, state.logStartOffset);
    this.promises = true;
    // The active segment stays, however much of it is deleted: whoever deletes up to the end may be writing on.
    const retired = this.parts.retention.moveLogStart(partition, start, firstSegmentAt(state, start));
    this.shard.reply({ kind: 'logStartSet', handle, logStartOffset: start, retired, error: null });
  }
}
