/**
 * The duty cycle of a shard: take what waits (that is the group), stage, write segments, journal, sync, publish. While the disk works the next
 * group gathers in the ring: the sync is the linger, no timer is needed.
 *
 * Synchronous and free of clock and random source: the worker's entry and the simulator call the same {@link Shard.doWork}.
 *
 * Order of a cycle, and what a crash between two steps leaves:
 *   1 segment writes      space errors strike here, before anything is journalled, and hurt one partition;
 *                         a crash leaves bytes behind the end of the log, which nothing reads
 *   2 journal write       a crash leaves a group that recovery keeps or cuts whole per batch; nobody was answered yet
 *   3 sync (class sync)   of referenced segments, then of the journal; after a failure nothing more is acknowledged by this shard
 *   4 commit, publish     only now offsets are final, answers go out and readers may see the bytes
 * `memory` topics answer before step 1 and become readable in step 4.
 */
import { assert } from '../lib/assert.ts';
import { DiskError, isSpaceError, isSyncError, type Disk } from '../log/disk.ts';
import { noteEpoch } from '../log/epochs.ts';
import { EntryType } from '../log/journal-layout.ts';
import type { Journal } from '../log/journal.ts';
import type { FromShard, ToShard, UnsecuredRange } from '../log/messages.ts';
import type { PartitionState } from '../log/partition-state.ts';
import { SegmentPool } from '../log/pool.ts';
import { crc32cAt, isBatchCrcValid } from '../protocol/crc32c.ts';
import { ErrorCode } from '../protocol/errors.ts';
import {
  baseOffset,
  checkBatchHeader,
  lastOffsetDelta,
  maxTimestamp,
  partitionLeaderEpoch,
  setLogAppendTime,
  stampBatch,
} from '../protocol/record-batch.ts';
import { CompletionFlag, CompletionKind, offerControl } from '../ring/completion.ts';
import type { ControlPort } from '../ring/control.ts';
import type { JobResults } from '../ring/job-results.ts';
import type { RingConsumer, RingProducer } from '../ring/ring.ts';
import { Submission, SubmissionFlag, SubmissionKind } from '../ring/submission.ts';
import { Checkpointer } from './checkpointer.ts';
import { writeCompletion } from './completion-slot.ts';
import { Compaction } from './compaction.ts';
import { ShardControl } from './control.ts';
import { Group, NEVER_STAGED } from './group.ts';
import type { ShardHost } from './host.ts';
import { controlBytesMax, JournalWriter } from './journal-writer.ts';
import { ShardMetrics } from './metrics.ts';
import type { ShardPartition } from './partition.ts';
import { Producers } from './producers.ts';
import { RecordChecks } from './record-checks.ts';
import { RefusalNotice } from './refusal-notice.ts';
import { Retention } from './retention.ts';
import { SegmentAge } from './segment-age.ts';
import { SegmentWriter, unsecuredOf } from './segment-writer.ts';
import type { ShardSettings } from './settings.ts';
import { Vouching } from './vouching.ts';

/** What a shard is given to work with. */
export interface ShardPorts {
  readonly disk: Disk;
  readonly submissions: RingConsumer;
  readonly completions: RingProducer;
  readonly control: ControlPort<FromShard, ToShard>;
  readonly jobResults: JobResults;
  /** The receive slab. */
  readonly slab: Buffer;
  readonly journal: Journal;
  /** Makes the folder and first checkpoint of a shard that begins in the middle of a generation; null: they are there. */
  readonly begins: (() => void) | null;
  /** Wakes main. */
  readonly ring: () => void;
  /** Gives main time to drain the completion ring; only called when it is full. */
  readonly waitForMain: () => void;
  /** Where others look at its numbers; without it nobody does. */
  readonly metrics?: ShardMetrics;
}

/** What one call of {@link Shard.doWork} did, for the thread to decide how to wait. */
export const Worked = { nothing: 0, something: 1, stalled: 2 } as const;

/** See the file header. */
export class Shard implements ShardHost {
  settings: ShardSettings;
  /** Indexed by handle. */
  readonly partitions: (ShardPartition | undefined)[] = [];
  /** Partitions that left this shard in this generation, by `topicId/partition`: checkpoints go on naming them (see log/checkpoint.ts). */
  readonly movedOut = new Map<string, PartitionState>();
  readonly segments: SegmentWriter;
  readonly journalWriter: JournalWriter;
  readonly checkpointer: Checkpointer;
  readonly retention: Retention;
  readonly compaction: Compaction;
  readonly producers: Producers;
  readonly pool: SegmentPool;
  readonly metrics: ShardMetrics;
  /** Why nothing is acknowledged any more, or null. */
  failure: string | null = null;
  stopped = false;
  /** Set for the length of a cycle that can journal nothing: why appends and changes are refused. */
  refusal: string | null = null;

  private readonly ports: ShardPorts;
  private readonly control: ShardControl;
  private readonly age: SegmentAge;
  private readonly vouching: Vouching;
  private readonly records = new RecordChecks();
  private readonly group: Group;
  private readonly touched: ShardPartition[] = [];
  private readonly replies: FromShard[] = [];
  /** Descriptors of the sync in work. */
  private readonly syncing: number[] = [];
  /** Main was asked for threads that help to sync. */
  private helpWanted = false;
  private readonly notice = new RefusalNotice((message) => this.reply(message));
  /** `memory` batches of the group in work were answered before they were written. */
  private answeredEarly = false;
  private readonly groupOverhead: number;
  private groupBytesLimit = 0;
  /** Bytes of record batches that the journal has room for in this cycle. */
  private inlineBytesMax = 0;
  private readonly controlBytesMax: number;

  constructor(settings: ShardSettings, folder: string, generation: bigint, ports: ShardPorts) {
    this.settings = settings;
    this.ports = ports;
    this.metrics = ports.metrics ?? new ShardMetrics();
    this.pool = new SegmentPool(ports.disk, settings.dataFolder);
    this.segments = new SegmentWriter(ports.disk, settings.dataFolder, this.pool);
    this.age = new SegmentAge(ports.disk, this.segments);
    this.retention = new Retention(this, ports.disk);
    this.compaction = new Compaction(this, this.retention, ports.disk);
    this.producers = new Producers(this);
    this.group = new Group(settings.groupBatchesMax);
    this.journalWriter = new JournalWriter(ports.journal, generation, settings.groupBatchesMax);
    this.checkpointer = new Checkpointer(this, this.retention, ports.disk, folder, generation, ports.jobResults, ports.begins);
    this.vouching = new Vouching(this, this.checkpointer, ports.disk);
    this.control = new ShardControl(this, this, ports.disk);
    this.controlBytesMax = controlBytesMax(settings);
    this.groupOverhead = JournalWriter.overhead(settings);
    this.checkpointer.prepareFirst(0);
  }

  /** One duty cycle at time `nowMs` (wall clock, ms since the epoch). */
  doWork(nowMs: number): number {
    this.notice.nowMs = nowMs;
    if (this.failure === null) this.checkpointer.poll(nowMs);
    else this.checkpointer.pollAfterFailure();
    let outcome: number = Worked.nothing;
    // A group is as large as the journal has room for: near the end of a file a smaller one beats a wasted rest.
    const room = this.ports.journal.roomFor(this.groupOverhead * 2) - this.groupOverhead;
    this.groupBytesLimit = Math.min(this.settings.groupBytesMax, room);
    // A batch may pass the limit; overhead has room for the largest that goes inline in a group that is not crowded.
    this.inlineBytesMax = room + this.settings.referenceBytesMin;
    if (this.failure !== null) this.groupBytesLimit = this.settings.groupBytesMax;
    if (this.groupBytesLimit <= 0) {
      // Journal full: only a finished checkpoint or a prepared file helps; the ring keeps what waits and pushes back on main. Where the disk
      // has no room even for a checkpoint, waiting helps nobody: appends are refused until it has.
      this.checkpointer.demand(nowMs);
      this.metrics.onStall();
      this.refusal = this.checkpointer.refusal;
      outcome = Worked.stalled;
      if (this.refusal !== null) this.groupBytesLimit = this.settings.groupBytesMax;
      if (this.refusal !== null && this.gather(nowMs)) {
        this.answeredEarly = false;
        this.notice.tell(this.refusal);
        this.flushReplies();
        this.publishGroup();
      }
      this.refusal = null;
    } else {
      if (this.retention.poll(nowMs)) outcome = Worked.something;
      this.compaction.poll(nowMs);
      this.producers.poll(nowMs);
      if (this.gather(nowMs)) {
        this.commit(nowMs);
        outcome = Worked.something;
      } else this.vouching.poll(nowMs);
    }
    if (!this.stopped && this.control.maybeFinishStop()) outcome = Worked.something;
    this.flushReplies();
    return outcome;
  }

  /** Queues a message to main; it goes out after the group in work is secured. */
  reply(message: FromShard): void {
    this.replies.push(message);
  }

  /**
   * A sync failed: nothing written since is acknowledged, now or later; what is below the watermark stays readable (by main), but for what that sync may have
   * left out in segments.
   */
  fail(reason: string, unsecured: readonly UnsecuredRange[] = []): void {
    if (unsecured.length > 0) this.reply({ kind: 'unsecured', ranges: unsecured });
    if (this.failure !== null) return;
    this.failure = reason;
    // Waiting entries count as work: the shard would never sleep again.
    this.journalWriter.discardControl();
    this.reply({ kind: 'failed', reason });
  }

  /** Asks main for threads that help to sync, unless it did; returns whether it asked. */
  askForSyncHelp(): boolean {
    if (this.helpWanted) return false;
    this.helpWanted = true;
    this.reply({ kind: 'syncHelpWanted' });
    return true;
  }

  /** Bytes were written that a checkpoint would make unnecessary to redo. */
  noteWritten(bytes: number): void {
    this.checkpointer.bytesSince += bytes;
  }

  /** Takes submissions into the group. A control message ends the group if appends came before it. */
  private gather(nowMs: number): boolean {
    const { submissions } = this.ports;
    const group = this.group;
    group.clear();
    this.touched.length = 0;
    let available = submissions.available();
    let taken = 0;
    let controls = 0;
    while (group.count < group.capacity && group.bytes < this.groupBytesLimit) {
      // What came while the first ones were judged goes along: every sync costs the same.
      if (taken === available) available = submissions.available();
      if (taken === available) break;
      const at = submissions.at(taken);
      const words = submissions.words;
      if (words[at + Submission.kind] === SubmissionKind.control) {
        if (group.count > 0 || this.journalWriter.waitingControlBytes > this.controlBytesMax) break;
        this.control.handle(this.ports.control.receive(), nowMs);
        controls++;
        taken++;
        if (this.control.mustEndGroup) break;
        continue;
      }
      // Appends bring entries of their own (bind, roll), and a group has room for so many.
      if (this.journalWriter.waitingControlBytes > this.controlBytesMax) break;
      assert(words[at + Submission.kind] === SubmissionKind.append, `unknown submission kind ${words[at + Submission.kind]}`);
      const i = group.add(
        words[at + Submission.request] as number,
        words[at + Submission.tag] as number,
        words[at + Submission.position] as number,
        words[at + Submission.length] as number,
        words[at + Submission.handle] as number,
        words[at + Submission.flags] as number,
      );
      const code = this.stage(i, nowMs);
      if (code === MUST_ROLL_FIRST) {
        group.count--;
        group.bytes -= group.length[i] as number;
        break;
      }
      group.errorCode[i] = code;
      if (code !== ErrorCode.NONE) group.refuse(i, this.records.takeBadRecord());
      taken++;
    }
    if (taken > 0) submissions.release(taken);
    return taken > 0 || controls > 0 || this.journalWriter.waitingControlBytes > 0;
  }

  /** Validates batch `i` of the group and gives it offsets and a place; returns Kafka's error code. */
  private stage(i: number, nowMs: number): number {
    const group = this.group;
    const slab = this.ports.slab;
    const partition = this.partitions[group.handle[i] as number];
    if (partition === undefined) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
    if (this.failure !== null || this.refusal !== null || partition.stopped) return ErrorCode.KAFKA_STORAGE_ERROR;
    const at = group.slabAt[i] as number;
    const length = group.length[i] as number;
    const { config } = partition;
    if (length > config.maxMessageBytes) return ErrorCode.MESSAGE_TOO_LARGE;
    const given = ((group.flags[i] as number) & SubmissionFlag.givenOffsets) !== 0;
    const malformed = checkBatchHeader(slab, at, length, given);
    if (malformed !== ErrorCode.NONE) return malformed;
    if (!isBatchCrcValid(slab, at)) return ErrorCode.CORRUPT_MESSAGE;
    if (length > config.segmentBytes) return ErrorCode.RECORD_LIST_TOO_LARGE;
    const judged = this.producers.judge(partition, slab, at, given, nowMs);
    if (judged === ErrorCode.DUPLICATE_SEQUENCE_NUMBER) this.stageDuplicate(i, partition);
    if (judged !== ErrorCode.NONE) return judged;
    const unfit = given ? ErrorCode.NONE : this.records.check(slab, at, length, config, nowMs);
    if (unfit !== ErrorCode.NONE) return unfit;

    const first = partition.firstInGroup < 0;
    if (first) {
      partition.stagedEnd = partition.state.endOffset;
      partition.stagedPosition = partition.activeSegment()?.endPosition ?? 0;
      partition.stagedMaxTimestamp = partition.activeSegment()?.maxTimestamp ?? -1;
      partition.stagedBytes = 0;
    }
    // Beyond this a number is no offset any more: two records would have the same one.
    if (partition.stagedEnd + lastOffsetDelta(slab, at) >= Number.MAX_SAFE_INTEGER) return ErrorCode.INVALID_RECORD;
    // A follower's log is its leader's: a batch either continues it exactly or does not belong here.
    if (given && baseOffset(slab, at) !== partition.stagedEnd) return ErrorCode.OFFSET_OUT_OF_RANGE;
    const stampsTime = !given && config.timestampType === 'LogAppendTime';
    if (partition.firstNamedAt === -1) this.journalWriter.nameWithAppend(partition);
    const isFull =
      this.segments.roomIn(partition, partition.stagedPosition) < length || (first && this.wantsPoolSegment(partition, length, nowMs));
    if (isFull || (partition.stagedPosition > 0 && this.age.isOver(partition, stampsTime ? nowMs : maxTimestamp(slab, at), nowMs))) {
      if (!first) return MUST_ROLL_FIRST;
      const rolled = this.roll(partition, length, isFull);
      if (rolled !== ErrorCode.NONE) return rolled;
      if (this.segments.roomIn(partition, 0) < length) return ErrorCode.RECORD_LIST_TOO_LARGE;
    }

    const epoch = given ? partitionLeaderEpoch(slab, at) : partition.leaderEpoch;
    if (!given) stampBatch(slab, at, partition.stagedEnd, epoch);
    let appendTime = -1;
    if (stampsTime) {
      appendTime = Math.max(nowMs, partition.state.lastAppendTime);
      partition.state.lastAppendTime = appendTime;
      setLogAppendTime(slab, at, appendTime, crc32cAt);
    }
    const delta = lastOffsetDelta(slab, at);
    const timestamp = maxTimestamp(slab, at);
    if (partition.stagedPosition === 0) this.age.onFirstBatch(partition, timestamp, nowMs);
    group.leaderEpoch[i] = epoch;
    group.baseOffset[i] = partition.stagedEnd;
    group.lastOffsetDelta[i] = delta;
    group.position[i] = partition.stagedPosition;
    group.maxTimestamp[i] = timestamp;
    group.logAppendTime[i] = appendTime;
    this.producers.note(partition, partition.stagedEnd, timestamp, nowMs);
    partition.stagedEnd += delta + 1;
    partition.stagedPosition += length;
    partition.stagedBytes += length;
    if (timestamp > partition.stagedMaxTimestamp) partition.stagedMaxTimestamp = timestamp;
    if (first) {
      partition.firstInGroup = i;
      this.touched.push(partition);
    } else group.next[partition.lastInGroup] = i;
    partition.lastInGroup = i;
    return ErrorCode.NONE;
  }

  /**
   * A batch that is there already: staged in this group or committed before. Its answer is that of the first time, and it waits for this group, which contains
   * the original or comes after it. Nothing of it is written.
   */
  private stageDuplicate(i: number, { producers, config }: ShardPartition): void {
    this.group.baseOffset[i] = producers.duplicateOffset;
    this.group.logAppendTime[i] = config.timestampType === 'LogAppendTime' ? producers.duplicateTimestamp : -1;
  }

  /** A partition that writes in bulk while its growing segment is still small changes to a recycled one, when there is one. */
  private wantsPoolSegment(partition: ShardPartition, bytes: number, nowMs: number): boolean {
    if (!partition.bulk) return false;
    const segment = partition.activeSegment();
    if (segment === undefined || segment.capacity > 0 || segment.endPosition > partition.config.segmentBytes / 8) return false;
    return this.pool.has(partition.config.segmentBytes, bytes, nowMs);
  }

  /** Begins a segment for at least `bytes`, because the one before is full or only because that one is too old. */
  private roll(partition: ShardPartition, bytes: number, isFull: boolean): number {
    const before = partition.activeSegment();
    const previousEndPosition = before === undefined ? -1 : before.endPosition;
    try {
      // The first segment of a log grows: most partitions stay small. Those that follow a full one come from the pool if it has any.
      const segment = this.segments.roll(partition, before !== undefined && isFull, bytes);
      this.retention.onRolled(partition);
      this.journalWriter.record(partition, { type: EntryType.roll, baseOffset: segment.baseOffset, capacity: segment.capacity });
      this.reply({
        kind: 'rolled',
        handle: partition.handle,
        baseOffset: segment.baseOffset,
        capacity: segment.capacity,
        previousEndPosition,
      });
      return ErrorCode.NONE;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      if (this.poolMadeRoom(error)) return this.roll(partition, bytes, isFull);
      if (isSyncError(error)) this.fail(`${error.message} while a segment was rolled`);
      else this.notice.tell(error.message);
      return ErrorCode.KAFKA_STORAGE_ERROR;
    }
  }

  /** Steps 1 to 4 of the file header. */
  private commit(nowMs: number): void {
    // Answers of control messages in this group must come first and are not secured yet: then `memory` topics wait with the rest.
    this.answeredEarly = this.replies.length === 0;
    if (this.answeredEarly)
      for (const partition of this.touched)
        if (partition.config.durability === 'memory') this.publishPartition(partition, CompletionFlag.answer);
    for (const partition of this.touched) this.writeSegment(partition);
    if (this.failure === null) this.writeJournal(nowMs);
    if (this.failure !== null) this.refuseGroup();
    for (const partition of this.touched) this.commitPartition(partition);
    // Control messages came before the appends of their group: their answers (and rolls) reach main before the batches do.
    this.flushReplies();
    this.publishGroup();
    if (this.failure === null) this.control.removeFiles();
    if (this.group.count > 0) this.metrics.onGroup(this.group.count, this.group.bytes);
    this.group.clear();
    if (this.segments.openCount > this.settings.openSegmentsMax && this.failure === null) this.closeIdle();
  }

  /** Too many files are open. Half of them at a time, so that their syncs wait for the disk together and the next ones are far. */
  private closeIdle(): void {
    try {
      this.segments.closeIdle(this.settings.openSegmentsMax / 2, true);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      // Without a descriptor for a folder the files stay open, until the next group.
      if (isSyncError(error)) this.fail(`${error.message} while segments of quiet partitions were closed`, this.segments.unsecuredIdle);
    }
  }

  /** Step 1 for one partition. */
  private writeSegment(partition: ShardPartition): void {
    const { group } = this;
    const buffered = this.settings.class === 'buffered';
    partition.bulk = partition.stagedBytes >= this.referenceBytesMin(partition);
    partition.byReference = buffered || partition.bulk || group.isPassedWith(partition.handle, this.inlineBytesMax);
    try {
      const segment = this.segments.active(partition);
      if (partition.byReference && !buffered) this.segments.secureName(partition);
      const pieces = group.piecesOf(partition.firstInGroup, this.ports.slab);
      segment.dirty = true;
      segment.dirtyBytes += partition.stagedBytes;
      if (segment.dirtyBytes > this.checkpointer.dirtiestBytes) this.checkpointer.dirtiestBytes = segment.dirtyBytes;
      this.writePieces(segment.fd, pieces, group.position[partition.firstInGroup] as number);
      this.noteWritten(partition.stagedBytes);
      if (!partition.byReference) group.addPayload(pieces, partition.stagedBytes);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      if (isSyncError(error)) this.fail(`${error.message} while preparing a segment`);
      else this.notice.tell(error.message);
      this.refusePartition(partition);
    }
  }

  /**
   * Bytes from which on a partition of this group is written by reference. Each such partition costs a sync beside the journal's, and a few of them wait for
   * the device together; many had better share the journal's. Who wrote much a moment ago goes on with less: what it had inline would be synced with the
   * next reference anyway, for the second time.
   */
  private referenceBytesMin(partition: ShardPartition): number {
    const { referenceBytesMin } = this.settings;
    const crowded = Math.max(1, this.touched.length / REFERENCES_AT_ONCE);
    return (referenceBytesMin * crowded) / (partition.bulk ? BULK_STAYS_PART : 1);
  }

  /** Writes segment bytes; a full disk takes back what the pool holds before it refuses anybody. */
  private writePieces(fd: number, pieces: readonly Uint8Array[], position: number): void {
    for (;;) {
      try {
        this.ports.disk.write(fd, pieces, position);
        return;
      } catch (error) {
        if (!this.poolMadeRoom(error)) throw error;
      }
    }
  }

  /** After an error: whether the disk was full and has room now. */
  private poolMadeRoom(error: unknown): boolean {
    return isSpaceError(error) && !isSyncError(error) && this.pool.giveBack();
  }

  /** Steps 2 and 3. */
  private writeJournal(nowMs: number): void {
    for (const partition of this.touched) if (partition.firstInGroup >= 0) this.journalWriter.nameAgain(partition, this.controlBytesMax);
    try {
      const wrote = this.journalWriter.write(this.group, this.partitions, this.ports.slab, nowMs);
      if (!wrote) return;
      if (this.settings.class === 'buffered') {
        // A journal that forgot a truncation would find other bytes, or none, where the checkpoint says the log is.
        if (this.control.mustBeDurable) this.ports.journal.syncAll();
        return;
      }
      this.syncGroup();
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      const isGroupSync = this.settings.class === 'sync' && isSyncError(error);
      // Which of the files failed is not known.
      const unsecured = this.touched.flatMap((partition) => (isGroupSync && partition.byReference ? unsecuredOf(partition) : []));
      this.fail(`${error.message}; the journal or a segment could not be made durable`, unsecured);
    }
  }

  /**
   * Step 3: the journal and the segments it refers to, at once. Their order does not matter: until all are durable nobody is answered, and a group of which
   * only the journal survived is a torn tail like any other.
   */
  private syncGroup(): void {
    const fds = this.syncing;
    fds.length = 0;
    fds.push(this.ports.journal.activeFd);
    for (const { byReference, firstInGroup, active } of this.touched)
      if (byReference && firstInGroup >= 0 && active !== null) fds.push(active.fd);
    if (fds.length > 1) this.askForSyncHelp();
    this.ports.disk.fdatasyncMany(fds);
    for (const partition of this.touched) {
      if (!partition.byReference || partition.firstInGroup < 0 || partition.active === null) continue;
      partition.active.dirty = false;
      partition.active.dirtyBytes = 0;
      this.segments.noteActiveSynced(partition, partition.stagedEnd);
    }
    this.journalWriter.becomeSynced();
  }

  /** The partition's bytes could not be written: its batches of this group are refused, its offsets given out again. */
  private refusePartition(partition: ShardPartition): void {
    for (let i = partition.firstInGroup; i >= 0; i = this.group.next[i] as number) this.group.errorCode[i] = ErrorCode.KAFKA_STORAGE_ERROR;
    this.refuseDuplicates(partition);
    if (this.answeredEarly && partition.config.durability === 'memory') {
      // Already acknowledged: the offsets are burnt and the partition stops.
      partition.stopped = true;
      partition.state.damaged.push({ from: partition.state.endOffset, to: partition.stagedEnd });
      partition.state.endOffset = partition.stagedEnd;
      this.producers.commit(partition);
    } else this.producers.rollback(partition);
    partition.firstInGroup = partition.lastInGroup = -1;
  }

  /** Batches that came twice in this group, the first time included in what is refused now. */
  private refuseDuplicates({ handle, state }: ShardPartition): void {
    const { group } = this;
    for (let i = 0; i < group.count; i++)
      if (
        group.handle[i] === handle &&
        group.errorCode[i] === ErrorCode.DUPLICATE_SEQUENCE_NUMBER &&
        (group.baseOffset[i] as number) >= state.endOffset
      )
        group.errorCode[i] = ErrorCode.KAFKA_STORAGE_ERROR;
  }

  private refuseGroup(): void {
    for (const partition of this.touched) if (partition.firstInGroup >= 0) this.refusePartition(partition);
  }

  /** Step 4 for one partition: staged becomes committed. */
  private commitPartition(partition: ShardPartition): void {
    if (partition.firstInGroup < 0) return;
    const { state } = partition;
    const segment = partition.activeSegment();
    assert(segment !== undefined, 'committed batch without a segment');
    for (let i = partition.firstInGroup; i >= 0; i = this.group.next[i] as number)
      noteEpoch(state.epochs, this.group.leaderEpoch[i] as number, this.group.baseOffset[i] as number);
    this.metrics.onCommitted(partition.stagedEnd - state.endOffset, partition.stagedBytes);
    state.endOffset = segment.endOffset = partition.stagedEnd;
    segment.endPosition = partition.stagedPosition;
    segment.maxTimestamp = partition.stagedMaxTimestamp;
    this.producers.commit(partition);
    partition.firstInGroup = partition.lastInGroup = -1;
  }

  private publishPartition(partition: ShardPartition, flags: number): void {
    for (let i = partition.firstInGroup; i >= 0; i = this.group.next[i] as number) this.publish(i, flags);
    this.ports.completions.publish();
    this.ports.ring();
  }

  private publishGroup(): void {
    const { group, partitions } = this;
    if (group.count === 0) return;
    for (let i = 0; i < group.count; i++) {
      const partition = partitions[group.handle[i] as number];
      const answered =
        this.answeredEarly && partition !== undefined && partition.config.durability === 'memory' && group.next[i] !== NEVER_STAGED;
      let flags: number = CompletionFlag.released;
      if (!answered) flags |= CompletionFlag.answer;
      if (group.errorCode[i] === ErrorCode.NONE) flags |= CompletionFlag.readable;
      this.publish(i, flags);
    }
    this.ports.completions.publish();
    this.ports.ring();
  }

  private publish(i: number, flags: number): void {
    const { group } = this;
    const { completions } = this.ports;
    while (completions.free(1) < 1) this.ports.waitForMain();
    if (writeCompletion(completions.words, completions.claim(), group, i, flags) !== ErrorCode.NONE) this.metrics.onRefused();
  }

  /** Sends the queued messages to main. */
  private flushReplies(): void {
    if (this.replies.length === 0) return;
    for (let message of this.replies) {
      // A group that failed secured nothing: what was to be confirmed with it is refused.
      if (this.failure !== null && 'error' in message && message.error === null) message = { ...message, error: this.failure };
      while (this.ports.completions.free(1) < 1) this.ports.waitForMain();
      this.ports.control.post(message);
      offerControl(this.ports.completions, CompletionKind.control);
    }
    this.replies.length = 0;
    this.ports.completions.publish();
    this.ports.ring();
  }
}

/** Partitions of one group whose syncs are worth their while. */
const REFERENCES_AT_ONCE = 8;
/** A partition stays with references until a group has less than this part of what made it begin. */
const BULK_STAYS_PART = 4;
/** Internal answer of staging: the group must be committed before this batch's partition can roll. */
const MUST_ROLL_FIRST = -1000;
