/**
 * Removes the folder of a deleted topic. Large files shrink in steps with pauses in between: unlinking 256 MiB at once on a mount that discards held up
 * other syncs for 40 ms. Durable on return; a crash in between leaves a part, and the tombstone makes the next start go on.
 */
import { DiskError, type Disk } from '../log/disk.ts';

/** Bytes given back in one step. */
const STEP_BYTES = 32 << 20;
const STEP_PAUSE_MS = 10;

/** See the file header. Throws DiskError. */
export function removeTopic(disk: Disk, dataFolder: string, topicId: string, pause: (ms: number) => void): boolean {
  const topics = `${dataFolder}/topics`;
  const folder = `${topics}/${topicId}`;
  if (!disk.exists(folder)) return true;
  for (const partition of disk.list(folder)) {
    for (const name of disk.list(`${folder}/${partition}`)) shrink(disk, `${folder}/${partition}/${name}`, pause);
  }
  disk.removeTree(folder);
  disk.syncFolder(topics);
  return true;
}

// A seam: full segments of pool size could be renamed into the pool here instead of shrunk. Not before RETIRE is checkpointed (docs: segments).
function shrink(disk: Disk, path: string, pause: (ms: number) => void): void {
  let fd: number;
  try {
    fd = disk.open(path, 'write');
  } catch (error) {
    if (error instanceof DiskError && error.code === 'EISDIR') return;
    throw error;
  }
  try {
    for (let size = disk.size(fd); size > STEP_BYTES; size -= STEP_BYTES) {
      disk.truncate(fd, size - STEP_BYTES);
      pause(STEP_PAUSE_MS);
    }
  } finally {
    disk.close(fd);
  }
}
