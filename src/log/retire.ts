/**
 * What happens to the files of a deleted topic or of segments that left a log: big ones go to the pool for a next owner, the rest is removed. Run
 * by a job, after main has no read in flight on them and has closed its descriptors, and after the deletion is durable (a tombstone, or a log
 * start that a checkpoint contains), so that nothing durable names the file under its old name any more.
 */
import { parseSegmentFile, partitionFolder, poolFolder } from './layout.ts';
import { DiskError, isSpaceError, type Disk } from './disk.ts';
import { lengthOf } from './pool.ts';

/** Limits of the pool. */
export interface PoolLimits {
  /** Smaller files are removed. */
  readonly segmentBytesMin: number;
  /** The pool never holds more than this. */
  readonly bytesMax: number;
  /** Makes names unique. */
  readonly random: () => string;
}

/** Files are shortened in steps of this size before the unlink: one unlink of a large file stalls other syncs on a `discard` mount. */
const SHRINK_BYTES = 32 << 20;
/** Ends the name of a file that is being removed in steps. */
const GONE = '.gone';

/**
 * Puts segment files into the pool as far as they are worth keeping and it has room, and removes the others. A file that is gone already is no error.
 * `pause` runs between the steps of a removal. A crash leaves files under their old names, for the caller to come again, or under names that
 * nobody takes, for {@link tidyPool} and {@link retireLeftovers}.
 */
export function retireSegments(disk: Disk, dataFolder: string, paths: readonly string[], limits: PoolLimits, pause: () => void): void {
  if (paths.length === 0) return;
  const pool = poolFolder(dataFolder);
  const kept: { readonly unsettled: string; readonly name: string }[] = [];
  const folders = new Set<string>();
  let room = openPool(disk, pool) ? limits.bytesMax - pooledBytes(disk, dataFolder) : -1;
  for (const path of paths) {
    const bytes = sizeOf(disk, path);
    if (bytes < 0) continue;
    if (bytes < limits.segmentBytesMin || bytes > room) {
      remove(disk, path, bytes, pause);
      continue;
    }
    const name = `${pool}/${bytes}-${limits.random()}.pool`;
    // Not a pool name yet: nobody takes it before both names are settled, or it could appear under its old name with a new owner's bytes.
    const unsettled = `${name}.unsettled`;
    try {
      disk.rename(path, unsettled);
    } catch (error) {
      if (!isSpaceError(error)) throw error;
      remove(disk, path, bytes, pause);
      continue;
    }
    room -= bytes;
    folders.add(path.slice(0, path.lastIndexOf('/')));
    kept.push({ unsettled, name });
  }
  if (kept.length === 0) return;
  for (const folder of folders) disk.syncFolder(folder);
  disk.syncFolder(pool);
  for (const { unsettled, name } of kept) disk.rename(unsettled, name);
}

/** Retires every file of a topic and removes its folder. Calling it again after a crash finishes the work. */
export function retireTopic(disk: Disk, dataFolder: string, topicId: string, limits: PoolLimits, pause: () => void): void {
  const topic = `${dataFolder}/topics/${topicId}`;
  if (!disk.exists(topic)) return;
  for (const partition of disk.list(topic)) {
    const folder = `${topic}/${partition}`;
    const paths = disk.list(folder).map((name) => `${folder}/${name}`);
    const segments = paths.filter((path) => path.endsWith('.log'));
    retireSegments(disk, dataFolder, segments, limits, pause);
    for (const path of paths) if (!path.endsWith('.log')) disk.unlink(path);
  }
  disk.removeTree(topic);
  disk.syncFolder(`${dataFolder}/topics`);
}

/** Makes the pool's folder; false when the disk is too full for that. */
function openPool(disk: Disk, pool: string): boolean {
  try {
    for (const changed of disk.mkdir(pool)) disk.syncFolder(changed);
    return true;
  } catch (error) {
    if (isSpaceError(error)) return false;
    throw error;
  }
}

/** Length of a file, or −1 when it is gone. */
function sizeOf(disk: Disk, path: string): number {
  let fd: number;
  try {
    fd = disk.open(path, 'read');
  } catch (error) {
    if (error instanceof DiskError && error.code === 'ENOENT') return -1;
    throw error;
  }
  try {
    return disk.size(fd);
  } finally {
    disk.close(fd);
  }
}

function remove(disk: Disk, path: string, length: number, pause: () => void): void {
  if (length <= SHRINK_BYTES) return disk.unlink(path);
  // Under a name that nobody takes: a file that is cut short must not be one that found a new owner meanwhile.
  const gone = `${path}${GONE}`;
  disk.rename(path, gone);
  const fd = disk.open(gone, 'write');
  try {
    for (let bytes = length - SHRINK_BYTES; bytes > 0; bytes -= SHRINK_BYTES) {
      disk.truncate(fd, bytes);
      pause();
    }
  } finally {
    disk.close(fd);
  }
  disk.unlink(gone);
}

/** A partition's log as it was recovered, for {@link retireLeftovers}. */
export interface KeptSegments {
  readonly topicId: string;
  readonly partition: number;
  /** Where its log begins now. */
  readonly firstOffset: number;
  /** What compaction has gone through ends here. */
  readonly cleanedEnd: number;
  /** Names of the files of its segments, without extension. */
  readonly names: readonly string[];
}

/**
 * Finishes what a crash interrupted: retires the files of a partition's segments that left its log, or never came to be part of it: those that begin before it, those
 * that compaction has replaced, and those that it wrote and nobody put in force. Only right while no reader, job or checkpoint of this life knows them: at start.
 */
export function retireLeftovers(disk: Disk, dataFolder: string, kept: KeptSegments, limits: PoolLimits, pause: () => void): void {
  const folder = partitionFolder(dataFolder, kept.topicId, kept.partition);
  const names = new Set(kept.names);
  const segments: string[] = [];
  for (const name of disk.list(folder)) {
    const path = `${folder}/${name}`;
    if (name.endsWith(GONE)) disk.unlink(path);
    else if (!isLeftover(name, names, kept)) continue;
    else if (name.endsWith('.log')) segments.push(path);
    else disk.unlink(path);
  }
  retireSegments(disk, dataFolder, segments, limits, pause);
}

/** Whether a file in the folder of a partition is one that left its log, or never came to be part of it. @param names those of its segments, without extension */
export function isLeftover(
  name: string,
  names: ReadonlySet<string>,
  { firstOffset, cleanedEnd }: Pick<KeptSegments, 'firstOffset' | 'cleanedEnd'>,
): boolean {
  const file = parseSegmentFile(name);
  if (file === null || names.has(name.slice(0, name.lastIndexOf('.')))) return false;
  // Behind what was compacted an unnamed file is what a cut left there, as ever.
  return file.revision > 0 || file.baseOffset < Math.max(firstOffset, cleanedEnd);
}

/** Removes what a crash left half way into the pool; at start, before anyone uses it. False: there was nothing. */
export function tidyPool(disk: Disk, dataFolder: string): boolean {
  const pool = poolFolder(dataFolder);
  const left = disk.list(pool).filter((name) => lengthOf(name) === 0);
  for (const name of left) disk.unlink(`${pool}/${name}`);
  return left.length > 0;
}

/** Bytes that wait in the pool. */
export function pooledBytes(disk: Disk, dataFolder: string): number {
  let total = 0;
  for (const name of disk.list(poolFolder(dataFolder))) total += lengthOf(name);
  return total;
}
