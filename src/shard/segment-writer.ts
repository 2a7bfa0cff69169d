/**
 * Opens, rolls, truncates and syncs the segment files of a shard's partitions. Throws DiskError; the caller decides whom an error hurts.
 *
 * A descriptor with bytes the disk may not have is never closed: a failed writeback would then go unseen. Such descriptors wait in `retiring`
 * until a checkpoint has synced them.
 */
import type { Disk } from '../log/disk.ts';
import { partitionFolder, segmentPath } from '../log/layout.ts';
import type { UnsecuredRange } from '../log/messages.ts';
import type { SegmentPool } from '../log/pool.ts';
import type { SegmentState } from '../log/partition-state.ts';
import { assert } from '../lib/assert.ts';
import type { OpenSegment, ShardPartition } from './partition.ts';

/** Segment positions are 32-bit in journal and completions. */
const SEGMENT_POSITION_MAX = 2 ** 31 - 1;

/** A descriptor that takes no more bytes but may have unsynced ones. */
interface Retiring {
  readonly partition: ShardPartition;
  readonly segment: OpenSegment;
}

/** What a failed sync of a partition's segments may have left out. */
export function unsecuredOf({ handle, state, syncedEnd }: ShardPartition): UnsecuredRange[] {
  return syncedEnd < state.endOffset ? [{ handle, from: syncedEnd }] : [];
}

/** See the file header. */
export class SegmentWriter {
  private readonly disk: Disk;
  private readonly dataFolder: string;
  private readonly pool: SegmentPool;
  /** Whose active segment is open. */
  private readonly partitions: Set<ShardPartition> = new Set();
  private retiring: Retiring[] = [];
  /** Folders with names the disk may not have. */
  private unsyncedFolders: Set<string> = new Set();
  /** A checkpoint job is syncing files of ours: until it is done no descriptor closes. */
  private lending = false;
  private lentRetiring: Retiring[] = [];
  private lentFolders: string[] = [];
  private lentPartitions: ShardPartition[] = [];
  /** What the last sync of {@link closeIdle} covered, for when it has failed. */
  unsecuredIdle: UnsecuredRange[] = [];

  constructor(disk: Disk, dataFolder: string, pool: SegmentPool) {
    this.disk = disk;
    this.dataFolder = dataFolder;
    this.pool = pool;
  }

  /** Bytes that the active segment can still take. One that compaction wrote takes none: only files without a revision are appended to. */
  roomIn(partition: ShardPartition, stagedPosition: number): number {
    const segment = partition.activeSegment();
    if (segment === undefined || segment.revision !== undefined) return 0;
    const limit = segment.capacity > 0 ? segment.capacity : Math.min(partition.config.segmentBytes, SEGMENT_POSITION_MAX);
    return limit - stagedPosition;
  }

  /** The active segment's file, opened or created if need be. */
  active(partition: ShardPartition): OpenSegment {
    const { active } = partition;
    if (active !== null) {
      active.used = true;
      return active;
    }
    const segment = partition.activeSegment();
    assert(segment !== undefined, 'active segment asked for before the first roll');
    partition.active = this.openFile(partition, segment.baseOffset, partition.nameIsDurable);
    this.partitions.add(partition);
    return partition.active;
  }

  /** Descriptors: of active segments, and of those that are full or dropped and may have unsynced bytes. */
  get openCount(): number {
    return this.partitions.size + this.retiring.length + this.lentRetiring.length;
  }

  /**
   * Closes files of active segments until at most `openMax` are open, those first that were not written to since the last look. Only files whose bytes and names are
   * durable, unless `mayWait`: then others too, after a sync, and all that take no more bytes. They open again at their next write. Between groups only. Throws DiskError
   * when a sync fails.
   */
  closeIdle(openMax: number, mayWait: boolean): void {
    if (this.lending && !mayWait) return;
    const idle = this.idlePartitions(openMax, mayWait);
    // Whoever writes records of ever later times rolls with each of them: these are to wait for a checkpoint only while they are few.
    const retiring = mayWait ? this.retiring : [];
    const closing = [...idle.map((partition) => ({ partition, segment: partition.active as OpenSegment })), ...retiring];
    const unsynced = closing.filter(({ segment }) => segment.dirty || segment.lent);
    this.unsecuredIdle = [...new Set(unsynced.map(({ partition }) => partition))].flatMap(unsecuredOf);
    if (unsynced.length > 0) this.disk.fdatasyncMany(unsynced.map(({ segment }) => segment.fd));
    if (mayWait) this.closeRetiring();
    for (const partition of idle) {
      this.noteActiveSynced(partition, partition.state.endOffset);
      // Otherwise it is durable already: its folder does not wait for a sync.
      if (mayWait) this.secureName(partition);
      this.disk.close((partition.active as OpenSegment).fd);
      partition.active = null;
      partition.nameIsDurable = true;
      this.partitions.delete(partition);
    }
  }

  /** All that take no more bytes and that the keeper does not have are on disk. */
  private closeRetiring(): void {
    const lent = new Set(this.lentRetiring.map(({ partition }) => partition));
    for (const { partition } of this.retiring) {
      const end = partition.activeSegment()?.baseOffset ?? partition.state.endOffset;
      if (!lent.has(partition)) partition.syncedEnd = Math.max(partition.syncedEnd, end);
      // What the keeper has is all that is missing before there.
      else if (partition.lentEnd >= 0) partition.lentEnd = Math.max(partition.lentEnd, end);
    }
    const closing = this.retiring;
    this.retiring = [];
    this.closeAll(closing);
  }

  /** Closes all of them, whatever the disk says of one; then throws what it said first. */
  private closeAll(retired: readonly Retiring[]): void {
    const failures: unknown[] = [];
    for (const { segment } of retired) {
      try {
        this.disk.close(segment.fd);
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  /** The active segment is on disk up to `endOffset`. An earlier one may still wait for its sync. */
  noteActiveSynced(partition: ShardPartition, endOffset: number): void {
    if (partition.syncedEnd >= (partition.activeSegment()?.baseOffset ?? Infinity)) partition.syncedEnd = endOffset;
  }

  /** Second chance: the first round forgets that a file was used, the second one takes it all the same. */
  private idlePartitions(openMax: number, mayWait: boolean): ShardPartition[] {
    const idle = new Set<ShardPartition>();
    for (let round = 0; round < 2; round++) {
      for (const partition of this.partitions) {
        if (this.partitions.size - idle.size <= openMax) return [...idle];
        const { dirty, folder, used } = partition.active as OpenSegment;
        (partition.active as OpenSegment).used = false;
        if (!used && (mayWait || (!dirty && !this.unsyncedFolders.has(folder)))) idle.add(partition);
      }
    }
    return [...idle];
  }

  /** Begins a new active segment for at least `bytes` at the partition's end; from the pool if `fromPool` and it has one. Returns its description. */
  roll(partition: ShardPartition, fromPool: boolean, bytes: number): SegmentState {
    const { topicId, partition: number, endOffset } = partition.state;
    const folder = partitionFolder(this.dataFolder, topicId, number);
    this.ensureFolder(partition);
    const before = partition.activeSegment();
    // An empty active segment has the name the new one takes: its descriptor must not outlive the name.
    if (before !== undefined && before.baseOffset === endOffset) this.dropActive(partition);
    let capacity = 0;
    if (fromPool) {
      capacity = this.pool.take(segmentPath(this.dataFolder, topicId, number, endOffset), partition.config.segmentBytes, bytes);
      // Both names of the recycled file must be settled before its new owner writes: it may never appear under the old one with new bytes.
      if (capacity > 0) this.syncNames(folder);
    }
    const opened = this.openFile(partition, endOffset, capacity > 0);
    if (partition.active !== null) this.retire(partition, partition.active);
    const segment: SegmentState = { baseOffset: endOffset, endOffset, endPosition: 0, maxTimestamp: -1, capacity };
    if (before !== undefined && before.baseOffset === endOffset) partition.state.segments.pop();
    partition.state.segments.push(segment);
    partition.active = opened;
    partition.stagedPosition = 0;
    partition.stagedMaxTimestamp = -1;
    this.partitions.add(partition);
    return segment;
  }

  /** Makes the name of the active segment's file durable, so that the journal may refer to bytes that are only there. */
  secureName(partition: ShardPartition): void {
    const segment = this.active(partition);
    if (segment.nameSynced) return;
    this.syncNames(segment.folder);
    segment.nameSynced = true;
  }

  /**
   * Makes all bytes and names of one partition durable. What a checkpoint under way has been lent is not durable yet, so it is synced here too; and a segment
   * whose bytes were synced early is closed, while its name still waits for a checkpoint.
   */
  syncAll(partition: ShardPartition): void {
    const { topicId, partition: number } = partition.state;
    if (partition.active !== null) this.syncFile(partition.active);
    for (const entry of [...this.retiring, ...this.lentRetiring]) if (entry.partition === partition) this.syncFile(entry.segment);
    const folder = partitionFolder(this.dataFolder, topicId, number);
    // Where this life wrote nothing there may be no folder, and none of its names is new.
    if (partition.folderReady && this.unsyncedChain(folder).length > 0) this.syncNames(folder);
    if (partition.active !== null) partition.active.nameSynced = true;
    partition.syncedEnd = partition.state.endOffset;
  }

  /** Files with unsynced bytes, and folders with unsynced names: what the next checkpoint has to sync. */
  get unsyncedCount(): number {
    let count = this.unsyncedFolders.size;
    for (const { active } of this.partitions) if (active?.dirty === true) count++;
    for (const { segment } of this.retiring) if (segment.dirty) count++;
    return count;
  }

  /**
   * Files with at least `bytesMin` unsynced bytes and, if that is 0, folders with unsynced names, for the keeper to sync. Their descriptors stay open
   * until {@link takeBack}: the kernel tells a failed writeback to whoever has the file open, and may forget it once nobody has.
   */
  lendDirty(bytesMin = 0): { paths: string[]; folders: string[] } {
    const paths: string[] = [];
    const lend = (segment: OpenSegment): void => {
      if (!segment.dirty || segment.dirtyBytes < bytesMin) return;
      paths.push(segment.path);
      segment.dirty = false;
      segment.dirtyBytes = 0;
      segment.lent = true;
    };
    for (const partition of this.partitions) lend(partition.active as OpenSegment);
    for (const { segment } of this.retiring) lend(segment);
    // What retired and is neither dirty nor lent any more closes when the keeper is done.
    this.lentRetiring = this.retiring.filter(({ segment }) => !segment.dirty);
    this.retiring = this.retiring.filter(({ segment }) => segment.dirty);
    if (bytesMin === 0) {
      this.lentFolders = [...this.unsyncedFolders];
      this.unsyncedFolders = new Set();
    }
    if (bytesMin === 0) {
      this.lentPartitions = [...new Set([...this.partitions, ...this.lentRetiring.map(({ partition }) => partition)])];
      for (const partition of this.lentPartitions) partition.lentEnd = partition.state.endOffset;
    }
    this.lending = true;
    return { paths, folders: this.lentFolders };
  }

  /** The keeper is done and everything lent is durable: retired descriptors close. */
  takeBack(): void {
    this.lending = false;
    this.lentFolders = [];
    for (const partition of this.partitions) (partition.active as OpenSegment).lent = false;
    for (const partition of this.lentPartitions) {
      partition.syncedEnd = Math.max(partition.syncedEnd, partition.lentEnd);
      partition.lentEnd = -1;
    }
    this.lentPartitions = [];
    for (const { segment } of this.retiring) segment.lent = false;
    const closing = this.lentRetiring;
    this.lentRetiring = [];
    this.closeAll(closing);
  }

  /** A sync of what was lent has failed: which offsets it may have left out. */
  unsecuredLent(): UnsecuredRange[] {
    const lent = new Set<ShardPartition>();
    for (const partition of this.partitions) if (partition.active?.lent === true) lent.add(partition);
    for (const { partition, segment } of [...this.retiring, ...this.lentRetiring]) if (segment.lent) lent.add(partition);
    return [...lent].flatMap(unsecuredOf);
  }

  /** The keeper could not do it now: everything lent is as unsynced as before. */
  takeBackUnsynced(): void {
    this.lending = false;
    for (const folder of this.lentFolders) this.unsyncedFolders.add(folder);
    this.lentFolders = [];
    this.retiring.push(...this.lentRetiring);
    this.lentRetiring = [];
    for (const partition of this.lentPartitions) partition.lentEnd = -1;
    this.lentPartitions = [];
    const active = [...this.partitions].map((partition) => partition.active as OpenSegment);
    for (const segment of [...active, ...this.retiring.map((entry) => entry.segment)]) {
      segment.dirty ||= segment.lent;
      segment.lent = false;
    }
  }

  /** Forgets a partition that left this shard; everything it wrote was secured or is not wanted any more. */
  release(partition: ShardPartition): void {
    for (const entry of this.retiring) if (entry.partition === partition) entry.segment.dirty = false;
    if (partition.active !== null) {
      partition.active.dirty = false;
      this.retire(partition, partition.active);
    }
    partition.active = null;
    this.partitions.delete(partition);
  }

  /** The active segment changed by a truncation: its old descriptor retires. */
  dropActive(partition: ShardPartition): void {
    if (partition.active !== null) this.retire(partition, partition.active);
    partition.active = null;
    partition.nameIsDurable = false;
    this.partitions.delete(partition);
  }

  /**
   * Before its first file of this process life a partition's folder is made, and the whole chain above counts as unsynced, even where it exists: a
   * process that was killed may have left it in the cache only.
   */
  private ensureFolder(partition: ShardPartition): void {
    if (partition.folderReady) return;
    const { topicId, partition: number } = partition.state;
    this.disk.mkdir(partitionFolder(this.dataFolder, topicId, number));
    const topics = `${this.dataFolder}/topics`;
    for (const folder of [this.dataFolder, topics, `${topics}/${topicId}`]) this.unsyncedFolders.add(folder);
    partition.folderReady = true;
  }

  private syncFile(segment: OpenSegment): void {
    if (segment.dirty || segment.lent) this.disk.fdatasync(segment.fd);
    segment.dirty = false;
    segment.dirtyBytes = 0;
  }

  private retire(partition: ShardPartition, segment: OpenSegment): void {
    if (segment.dirty || this.lending) this.retiring.push({ partition, segment });
    else this.disk.close(segment.fd);
  }

  private openFile(partition: ShardPartition, baseOffset: number, nameSynced: boolean): OpenSegment {
    const { topicId, partition: number } = partition.state;
    const folder = partitionFolder(this.dataFolder, topicId, number);
    const path = segmentPath(this.dataFolder, topicId, number, baseOffset);
    this.ensureFolder(partition);
    const fd = this.disk.open(path, 'write');
    if (!nameSynced) this.unsyncedFolders.add(folder);
    return { fd, path, folder, dirty: false, dirtyBytes: 0, lent: false, nameSynced, used: true };
  }

  /** Syncs a partition's folder and the folders above it whose names are not durable yet, innermost last. */
  private syncNames(folder: string): void {
    for (const unsynced of this.unsyncedChain(folder)) {
      if (unsynced === folder) continue;
      this.disk.syncFolder(unsynced);
      this.unsyncedFolders.delete(unsynced);
    }
    this.disk.syncFolder(folder);
    this.unsyncedFolders.delete(folder);
  }

  /** A partition's folder and the folders above it, as far as they have names that may not be durable; outermost first. */
  private unsyncedChain(folder: string): string[] {
    return [...this.unsyncedFolders, ...this.lentFolders]
      .filter((unsynced) => folder === unsynced || folder.startsWith(`${unsynced}/`))
      .sort();
  }
}
