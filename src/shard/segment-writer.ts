/**
 * Opens, rolls, truncates and syncs the segment files of a shard's partitions. Throws DiskError; the caller decides whom an error hurts.
 *
 * A descriptor with bytes the disk may not have is never closed: a failed writeback would then go unseen. Such descriptors wait in `retiring`
 * until a checkpoint has synced them.
 */
import type { Disk } from '../log/disk.ts';
import { partitionFolder, segmentPath } from '../log/layout.ts';
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

/** See the file header. */
export class SegmentWriter {
  private readonly disk: Disk;
  private readonly dataFolder: string;
  private readonly pool: SegmentPool;
  private readonly partitions: Set<ShardPartition> = new Set();
  private retiring: Retiring[] = [];
  /** Folders with names the disk may not have. */
  private unsyncedFolders: Set<string> = new Set();
  /** A checkpoint job holds descriptor numbers: none may be closed, or the job would sync a stranger's file. */
  private lent = false;

  constructor(disk: Disk, dataFolder: string, pool: SegmentPool) {
    this.disk = disk;
    this.dataFolder = dataFolder;
    this.pool = pool;
  }

  /** Bytes that the active segment can still take. */
  roomIn(partition: ShardPartition, stagedPosition: number): number {
    const segment = partition.activeSegment();
    if (segment === undefined) return 0;
    const limit = segment.capacity > 0 ? segment.capacity : Math.min(partition.config.segmentBytes, SEGMENT_POSITION_MAX);
    return limit - stagedPosition;
  }

  /** The active segment's file, opened or created if need be. */
  active(partition: ShardPartition): OpenSegment {
    if (partition.active !== null) return partition.active;
    const segment = partition.activeSegment();
    assert(segment !== undefined, 'active segment asked for before the first roll');
    partition.active = this.openFile(partition, segment.baseOffset, false);
    this.partitions.add(partition);
    return partition.active;
  }

  /** Begins a new active segment at the partition's end; from the pool if `fromPool` and it has one. Returns its description. */
  roll(partition: ShardPartition, fromPool: boolean): SegmentState {
    const { topicId, partition: number, endOffset } = partition.state;
    const folder = partitionFolder(this.dataFolder, topicId, number);
    for (const changed of this.disk.mkdir(folder)) this.unsyncedFolders.add(changed);
    let capacity = 0;
    if (fromPool) {
      capacity = this.pool.take(segmentPath(this.dataFolder, topicId, number, endOffset), partition.config.segmentBytes);
      // Both names of the recycled file must be settled before its new owner writes: it may never appear under the old one with new bytes.
      if (capacity > 0) this.syncNames(folder);
    }
    const opened = this.openFile(partition, endOffset, capacity > 0);
    if (partition.active !== null) this.retire(partition, partition.active);
    const before = partition.activeSegment();
    const segment: SegmentState = { baseOffset: endOffset, endOffset, endPosition: 0, maxTimestamp: -1, capacity };
    // An empty active segment has the same base offset: the new one takes its place.
    if (before !== undefined && before.baseOffset === endOffset) partition.state.segments.pop();
    partition.state.segments.push(segment);
    partition.active = opened;
    partition.stagedPosition = 0;
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

  /** Makes all bytes and names of one partition durable. */
  syncAll(partition: ShardPartition): void {
    if (partition.active !== null) {
      if (partition.active.dirty) this.disk.fdatasync(partition.active.fd);
      partition.active.dirty = false;
      this.secureName(partition);
    }
    const own = this.retiring.filter((entry) => entry.partition === partition);
    for (const { segment } of own) {
      if (segment.dirty) this.disk.fdatasync(segment.fd);
      segment.dirty = false;
      this.syncNames(segment.folder);
    }
  }

  /** Descriptors and folders a checkpoint has to sync; they count as clean from now on, and stay open until {@link takeBack}. */
  lendDirty(): { fds: number[]; folders: string[]; closing: number[] } {
    const fds: number[] = [];
    for (const partition of this.partitions) {
      const active = partition.active;
      if (active === null || !active.dirty) continue;
      fds.push(active.fd);
      active.dirty = false;
    }
    const closing: number[] = [];
    for (const { segment } of this.retiring) {
      if (segment.dirty) fds.push(segment.fd);
      closing.push(segment.fd);
    }
    this.retiring = [];
    const folders = [...this.unsyncedFolders];
    this.unsyncedFolders = new Set();
    this.lent = true;
    return { fds, folders, closing };
  }

  /** The checkpoint job is done: closes the retired descriptors that {@link lendDirty} named. */
  takeBack(closing: readonly number[]): void {
    this.lent = false;
    for (const fd of closing) this.disk.close(fd);
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
  }

  private retire(partition: ShardPartition, segment: OpenSegment): void {
    if (segment.dirty || this.lent) this.retiring.push({ partition, segment });
    else this.disk.close(segment.fd);
  }

  private openFile(partition: ShardPartition, baseOffset: number, nameSynced: boolean): OpenSegment {
    const { topicId, partition: number } = partition.state;
    const folder = partitionFolder(this.dataFolder, topicId, number);
    const path = segmentPath(this.dataFolder, topicId, number, baseOffset);
    const fd = this.disk.open(path, 'write');
    if (!nameSynced) this.unsyncedFolders.add(folder);
    return { fd, path, folder, dirty: false, nameSynced };
  }

  /** Syncs a partition's folder and the folders above it whose names are not durable yet, innermost last. */
  private syncNames(folder: string): void {
    const chain = [...this.unsyncedFolders].filter((unsynced) => folder === unsynced || folder.startsWith(`${unsynced}/`)).sort();
    for (const unsynced of chain) {
      if (unsynced !== folder) this.disk.syncFolder(unsynced);
      this.unsyncedFolders.delete(unsynced);
    }
    this.disk.syncFolder(folder);
  }
}
