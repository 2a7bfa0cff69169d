/**
 * What happens to the files of a deleted topic or of segments that left a log: big ones go to the pool for a next owner, the rest is removed. Run
 * by a job, after main has no read in flight on them and has closed its descriptors, and after the deletion is durable (a tombstone, or a log
 * start that a checkpoint contains), so that nothing durable names the file under its old name any more.
 */
import { poolFolder } from './layout.ts';
import { isSpaceError, type Disk } from './disk.ts';
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

/** Puts a segment file into the pool if it is worth keeping, otherwise removes it. `pause` runs between the steps of a removal. */
export function retireSegment(disk: Disk, dataFolder: string, path: string, limits: PoolLimits, pause: () => void): void {
  if (!disk.exists(path)) return;
  const fd = disk.open(path, 'write');
  try {
    let bytes = disk.size(fd);
    if (
      bytes >= limits.segmentBytesMin &&
      bytes + pooledBytes(disk, dataFolder) <= limits.bytesMax &&
      moveToPool(disk, dataFolder, path, bytes, limits)
    )
      return;
    while (bytes > SHRINK_BYTES) {
      bytes -= SHRINK_BYTES;
      disk.truncate(fd, bytes);
      pause();
    }
    disk.unlink(path);
  } finally {
    disk.close(fd);
  }
}

/** Retires every file of a topic and removes its folder. Calling it again after a crash finishes the work. */
export function retireTopic(disk: Disk, dataFolder: string, topicId: string, limits: PoolLimits, pause: () => void): void {
  const topic = `${dataFolder}/topics/${topicId}`;
  if (!disk.exists(topic)) return;
  for (const partition of disk.list(topic)) {
    const folder = `${topic}/${partition}`;
    for (const name of disk.list(folder)) {
      if (name.endsWith('.log')) retireSegment(disk, dataFolder, `${folder}/${name}`, limits, pause);
      else disk.unlink(`${folder}/${name}`);
    }
  }
  disk.removeTree(topic);
  disk.syncFolder(`${dataFolder}/topics`);
}

function moveToPool(disk: Disk, dataFolder: string, path: string, bytes: number, limits: PoolLimits): boolean {
  const pool = poolFolder(dataFolder);
  // Not a pool name yet: nobody takes it before both names are settled, or it could appear under its old name with a new owner's bytes.
  const name = `${pool}/${bytes}-${limits.random()}.pool`;
  try {
    for (const changed of disk.mkdir(pool)) disk.syncFolder(changed);
    disk.rename(path, `${name}.unsettled`);
  } catch (error) {
    if (isSpaceError(error)) return false;
    throw error;
  }
  disk.syncFolder(path.slice(0, path.lastIndexOf('/')));
  disk.syncFolder(pool);
  disk.rename(`${name}.unsettled`, name);
  return true;
}

/** Removes what a crash left half way into the pool; at start, before anyone uses it. */
export function tidyPool(disk: Disk, dataFolder: string): void {
  const pool = poolFolder(dataFolder);
  for (const name of disk.list(pool)) if (lengthOf(name) === 0) disk.unlink(`${pool}/${name}`);
}

/** Bytes that wait in the pool. */
export function pooledBytes(disk: Disk, dataFolder: string): number {
  let total = 0;
  for (const name of disk.list(poolFolder(dataFolder))) total += lengthOf(name);
  return total;
}
