/**
 * When a checkpoint is due, what it holds, and what it frees. The content is taken at one moment, between two groups; the slow part (syncs, the
 * file itself) is the keeper's. Only when that is durable does journal space return.
 *
 * Crash before the job is done: the checkpoint before is valid and the journal still reaches back to it.
 */
import { encodeCheckpoint } from '../log/checkpoint.ts';
import { DiskError, isSpaceError, isSyncError, type Disk } from '../log/disk.ts';
import { runKeeperWork, syncAtOnce } from '../log/keeper.ts';
import { alignGroup } from '../log/journal-layout.ts';
import { checkpointName, checkpointSequence } from '../log/layout.ts';
import { JobStatus, type KeeperWork } from '../log/messages.ts';
import { withRoom, writeZeros } from '../log/room.ts';
import type { JobResults } from '../ring/job-results.ts';
import type { ShardHost } from './host.ts';
import type { Retention } from './retention.ts';
import { JournalWriter } from './journal-writer.ts';

/** After the disk refused something (room, a descriptor), this long until the next try. */
const RETRY_MS = 2000;
/** First journal file of a shard that starts without any: small, so that starting is quick. */
const FIRST_JOURNAL_BYTES = 8 << 20;

/** Between two files of a step the disk is the shard's. A checkpoint does not wait: journal space depends on it. */
const STEP_PAUSE_MS = 2;

interface UnderWay {
  job: number;
  readonly sequence: number;
  readonly bytes: number;
  /** The second half, while the first is under way. */
  second: KeeperWork | null;
  /** Only a step ahead of the next checkpoint: files with much to sync are synced early, and nothing else follows. */
  readonly isStep: boolean;
}

/** See the file header. */
export class Checkpointer {
  /** Bytes written (journal or segments) since the last checkpoint was taken. */
  bytesSince = 0;
  /** At least the unsynced bytes of the file that has most. */
  dirtiestBytes = 0;
  /** Checkpoints that became durable. */
  completed = 0;
  /** How long the last of them took. */
  lastTookMs = 0;
  /** Sequence that the newest durable checkpoint contains. */
  durableSequence = 0;

  private readonly shard: ShardHost;
  private readonly retention: Retention;
  private readonly disk: Disk;
  private readonly folder: string;
  private readonly generation: bigint;
  private readonly results: JobResults;
  /** Journal bytes that a group wants at least. */
  private readonly groupRoom: number;
  /** Makes the folder and first checkpoint of a shard that begins in the middle of a generation; null once it is done. */
  private begins: (() => void) | null;
  /** Why there is no journal to write to, or null. */
  private unready: string | null = null;
  private begun = false;
  private ending = false;
  private jobs = 0;
  private underWay: UnderWay | null = null;
  private preparing: { job: number; path: string } | null = null;
  private lastAtMs = 0;
  private prepareAfterMs = 0;
  private retryAfterMs = 0;
  private polledMs = -Infinity;

  constructor(
    shard: ShardHost,
    retention: Retention,
    disk: Disk,
    folder: string,
    generation: bigint,
    results: JobResults,
    begins: (() => void) | null,
  ) {
    this.shard = shard;
    this.retention = retention;
    this.disk = disk;
    this.folder = folder;
    this.generation = generation;
    this.results = results;
    this.begins = begins;
    this.groupRoom = 2 * JournalWriter.overhead(shard.settings);
  }

  /** Why a journal without room is not going to have some soon, or null: then who waits need not be refused. */
  get refusal(): string | null {
    return this.unready ?? (this.retryAfterMs > 0 ? 'the disk is full' : null);
  }

  /** True while the keeper works on a checkpoint of this shard. */
  get busy(): boolean {
    return this.underWay !== null;
  }

  /** True while the outcome of any job is awaited. */
  get waiting(): boolean {
    return this.underWay !== null || this.preparing !== null;
  }

  /** All recovered partitions are open: checkpoints may be taken from now on. */
  begin(nowMs: number): void {
    this.begun = true;
    this.lastAtMs = nowMs;
  }

  /** The shard stops: no more jobs. Under load there would always be another one, and the stop waits until none is under way. */
  end(): void {
    this.ending = true;
  }

  /**
   * Makes what the shard needs before it can record anything: its folder, and a journal file if none was inherited that holds a group. Where the disk refuses
   * (it is full), the shard refuses too, and tries again.
   */
  prepareFirst(nowMs: number): void {
    try {
      this.prepareFolder();
      const { journal } = this.shard.journalWriter;
      if (journal.roomFor(this.groupRoom) < this.groupRoom) this.prepareFirstJournal();
      this.unready = null;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      if (isSyncError(error)) return this.shard.fail(`${error.message} while the shard began`);
      this.unready = error.message;
      this.prepareAfterMs = nowMs + RETRY_MS;
    }
  }

  private prepareFolder(): void {
    withRoom(this.disk, this.shard.settings.dataFolder, () => this.begins?.());
    this.begins = null;
  }

  private prepareFirstJournal(): void {
    const { journal } = this.shard.journalWriter;
    const path = journal.nextPath();
    // Half as much again as a group needs: a second file is prepared once a quarter is used, before a group finds no room.
    const least = alignGroup(this.groupRoom * 1.5);
    const bytes = Math.max(Math.min(FIRST_JOURNAL_BYTES, this.shard.settings.journalBytesMax), least);
    try {
      try {
        writeZeros(this.disk, path, bytes);
      } catch (error) {
        if (!isSpaceError(error) || isSyncError(error)) throw error;
        withRoom(this.disk, this.shard.settings.dataFolder, () => writeZeros(this.disk, path, least));
      }
      this.disk.syncFolder(this.folder);
      journal.adopt(path);
    } catch (error) {
      // The next try takes another name.
      this.disk.unlink(path);
      throw error;
    }
  }

  /** Once per duty cycle: collects finished jobs, starts due ones. */
  poll(nowMs: number): void {
    this.followClock(nowMs);
    if (this.unready !== null && nowMs >= this.prepareAfterMs) this.prepareFirst(nowMs);
    if (this.unready !== null) return;
    if (this.preparing !== null) this.pollPrepared(nowMs);
    if (this.underWay !== null) this.pollCheckpoint(nowMs);
    // After a failed sync no checkpoint may claim what that sync left out.
    if (!this.begun || this.ending || this.shard.failure !== null) return;
    const { settings } = this.shard;
    const due =
      this.bytesSince >= settings.checkpointIntervalBytes ||
      (this.bytesSince > 0 && nowMs - this.lastAtMs >= settings.checkpointIntervalMs);
    if (due && this.underWay === null && nowMs >= this.retryAfterMs) this.start(nowMs);
    if (this.underWay === null && nowMs >= this.retryAfterMs && settings.class === 'sync' && this.dirtiestBytes >= settings.syncStepBytes)
      this.step();
    this.maybePrepare(nowMs);
  }

  /** A clock that was set back would put off by as much whatever is due: it is due as from now. */
  private followClock(nowMs: number): void {
    if (nowMs < this.polledMs) {
      this.lastAtMs = Math.min(this.lastAtMs, nowMs);
      this.retryAfterMs = Math.min(this.retryAfterMs, nowMs + RETRY_MS);
      this.prepareAfterMs = Math.min(this.prepareAfterMs, nowMs + RETRY_MS);
    }
    this.polledMs = nowMs;
  }

  /** Another sync of this shard failed: no checkpoint follows, but what the keeper's sync under way may leave out has to be known too. */
  pollAfterFailure(): void {
    if (this.underWay === null || this.results.statusOf('checkpoint', this.underWay.job) < 0) return;
    const { isStep, second, job } = this.underWay;
    this.underWay = null;
    const failed = this.results.statusOf('checkpoint', job) === JobStatus.failed;
    if (failed && (isStep || second !== null)) this.shard.fail('another background sync failed', this.shard.segments.unsecuredLent());
  }

  /** The journal is full: start a checkpoint now unless one is under way. */
  demand(nowMs: number): void {
    if (this.begun && !this.ending && this.unready === null && this.underWay === null && nowMs >= this.retryAfterMs) this.start(nowMs);
  }

  /**
   * Writes the last checkpoint of a clean stop in this thread. Returns why it is not durable, or null. Throws DiskError. A shard that was not told that all its
   * partitions are open knows only some, or none: what it would write in the place of the first checkpoint of its generation would lose the others.
   */
  finish(): string | null {
    if (!this.begun) return 'stopped before all of its partitions were open';
    this.prepareFolder();
    const { paths, folders } = this.shard.segments.lendDirty();
    // Where the disk refuses, the stop has failed: nothing is claimed.
    syncAtOnce(this.disk, paths, folders);
    this.shard.segments.takeBack();
    const written = runKeeperWork(this.disk, this.encode(true));
    return written === JobStatus.ok ? null : 'the final checkpoint could not be written (is the disk full?)';
  }

  private start(nowMs: number): void {
    let second: KeeperWork;
    try {
      second = this.encode(false);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.retryAfterMs = nowMs + RETRY_MS;
      return;
    }
    const { paths, folders } = this.shard.segments.lendDirty();
    const job = ++this.jobs;
    this.underWay = { job, sequence: this.shard.journalWriter.sequence, bytes: this.bytesSince, second, isStep: false };
    this.dirtiestBytes = 0;
    this.bytesSince = 0;
    this.lastAtMs = nowMs;
    this.shard.reply({ kind: 'job', job, work: { kind: 'sync', paths, folders, pauseMs: 0 } });
  }

  /** Syncs the files with most to sync ahead of the next checkpoint. */
  private step(): void {
    const { paths } = this.shard.segments.lendDirty(this.shard.settings.syncStepBytes);
    this.dirtiestBytes = 0;
    const job = ++this.jobs;
    this.underWay = { job, sequence: this.durableSequence, bytes: 0, second: null, isStep: true };
    this.shard.reply({ kind: 'job', job, work: { kind: 'sync', paths, folders: [], pauseMs: STEP_PAUSE_MS } });
  }

  /** The state of every partition as of now. */
  private encode(clean: boolean): KeeperWork {
    const { sequence } = this.shard.journalWriter;
    const partitions = [];
    for (const partition of this.shard.partitions)
      if (partition !== undefined) partitions.push({ handle: partition.handle, state: partition.snapshot(), movedOut: false });
    for (const state of this.shard.movedOut.values()) partitions.push({ handle: -1, state, movedOut: true });
    const older = this.disk
      .list(this.folder)
      .filter((name) => checkpointSequence(name) >= 0 && checkpointSequence(name) < sequence)
      .sort();
    return {
      kind: 'checkpoint',
      folder: this.folder,
      name: checkpointName(sequence),
      bytes: encodeCheckpoint({ generation: this.generation, sequence, clean, partitions }),
      remove: older.slice(0, -1).map((name) => `${this.folder}/${name}`),
      dataFolder: this.shard.settings.dataFolder,
      reserveBytes: this.shard.settings.reserveBytes,
    };
  }

  private pollCheckpoint(nowMs: number): void {
    const underWay = this.underWay as UnderWay;
    const status = this.results.statusOf('checkpoint', underWay.job);
    if (status < 0) return;
    const isSync = underWay.isStep || underWay.second !== null;
    if (status === JobStatus.failed) {
      this.underWay = null;
      this.shard.fail('a background sync failed while a checkpoint was written', isSync ? this.shard.segments.unsecuredLent() : []);
      return;
    }
    if (isSync && status === JobStatus.ok) this.shard.segments.takeBack();
    if (status === JobStatus.notDone) {
      // Nothing is claimed, nothing was lost: the next checkpoint covers the same and more.
      if (isSync) this.shard.segments.takeBackUnsynced();
      this.bytesSince += underWay.bytes;
      this.retryAfterMs = nowMs + RETRY_MS;
      this.underWay = null;
      return;
    }
    if (underWay.second !== null) {
      // Everything it names is durable, and no sync of this shard has failed: it may be written.
      // Now most files are clean, and closing those of quiet partitions costs nothing.
      this.shard.segments.closeIdle(this.shard.settings.openSegmentsMax / 4, false);
      underWay.job = ++this.jobs;
      this.shard.reply({ kind: 'job', job: underWay.job, work: underWay.second });
      underWay.second = null;
      return;
    }
    this.underWay = null;
    if (underWay.isStep) return;
    this.retryAfterMs = 0;
    this.completed++;
    this.lastTookMs = nowMs - this.lastAtMs;
    this.durableSequence = underWay.sequence;
    const writer = this.shard.journalWriter;
    writer.journal.release(underWay.sequence, this.groupRoom);
    if (writer.syncedThrough < underWay.sequence) writer.syncedThrough = underWay.sequence;
    this.retention.onCheckpoint(underWay.sequence);
  }

  /** Grows the circle ahead of need, while it is below its maximum. */
  private maybePrepare(nowMs: number): void {
    const { journal } = this.shard.journalWriter;
    const { journalBytesMax, journalFileBytes } = this.shard.settings;
    if (this.preparing !== null || nowMs < this.prepareAfterMs) return;
    if (journal.totalBytes + journalFileBytes > journalBytesMax) return;
    // A young shard has one small file: its second one is wanted with the first write, later ones when no more than one file is left. Every byte of a
    // journal is written once before it is used: what is not needed between two checkpoints would be paid for nothing.
    const isYoung = journal.totalBytes < journalFileBytes && journal.bytesWritten > 0;
    if (!isYoung && journal.freeBytes > journalFileBytes && journal.roomFor(this.groupRoom) >= this.groupRoom) return;
    const path = journal.nextPath();
    const job = ++this.jobs;
    this.preparing = { job, path };
    this.shard.reply({ kind: 'job', job, work: { kind: 'prepareJournal', path, bytes: journalFileBytes } });
  }

  private pollPrepared(nowMs: number): void {
    const { job, path } = this.preparing as { job: number; path: string };
    const status = this.results.statusOf('prepareJournal', job);
    if (status < 0 || nowMs < this.prepareAfterMs) return;
    try {
      if (status === JobStatus.ok) this.shard.journalWriter.journal.adopt(path);
      else this.prepareAfterMs = nowMs + RETRY_MS;
      this.preparing = null;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      // It is there and cannot be opened now.
      this.prepareAfterMs = nowMs + RETRY_MS;
    }
  }
}
