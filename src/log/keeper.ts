/**
 * The keeper's work: slow, synchronous disk operations that no client waits for. Runs in the job pool; the simulator and a stopping shard call
 * it directly.
 */
import { DiskError, isSpaceError, replaceFileDurably, type Disk } from './disk.ts';
import { JobStatus, type KeeperWork } from './messages.ts';

/** Zeros are written in pieces of this size. */
const ZEROS = Buffer.alloc(1 << 20);
/** A journal file is prepared in steps of this size, each synced: one large sync would hold up those of the shard. */
const PREPARE_STEP_BYTES = 4 << 20;
/** Between two steps the disk is the shard's. */
const PREPARE_PAUSE_MS = 2;
/** Size of the reserve file: room for a checkpoint when the disk is full. */
export const RESERVE_BYTES = 8 << 20;

/**
 * Does one piece of work and returns its {@link JobStatus}. A failed sync is `failed` and never retried; no room is `noSpace`. `pause` waits that many
 * milliseconds; who is in a hurry does not wait.
 */
export function runKeeperWork(disk: Disk, work: KeeperWork, pause: (ms: number) => void = doNotWait): number {
  switch (work.kind) {
    case 'sync':
      return syncAll(disk, work);
    case 'checkpoint':
      return writeCheckpoint(disk, work);
    case 'prepareJournal':
      return prepareJournal(disk, work, pause);
  }
}

function syncAll(disk: Disk, work: Extract<KeeperWork, { kind: 'sync' }>): number {
  try {
    for (const path of work.paths) syncFile(disk, path);
    for (const folder of work.folders) if (disk.exists(folder)) disk.syncFolder(folder);
    return JobStatus.ok;
  } catch (error) {
    if (error instanceof DiskError) return JobStatus.failed;
    throw error;
  }
}

function writeCheckpoint(disk: Disk, work: Extract<KeeperWork, { kind: 'checkpoint' }>): number {
  try {
    try {
      replaceFileDurably(disk, work.folder, work.name, work.bytes);
    } catch (error) {
      if (!isSpaceError(error) || !disk.exists(work.reserve)) throw error;
      disk.unlink(work.reserve);
      replaceFileDurably(disk, work.folder, work.name, work.bytes);
    }
    for (const path of work.remove) disk.unlink(path);
    if (!disk.exists(work.reserve)) keepReserve(disk, work.reserve, work.reserveBytes);
    return JobStatus.ok;
  } catch (error) {
    if (isSpaceError(error)) return JobStatus.noSpace;
    if (error instanceof DiskError) return JobStatus.failed;
    throw error;
  }
}

/** Sets room aside for the checkpoint that has to be written when the disk is full; without room for that it has to wait. */
function keepReserve(disk: Disk, path: string, bytes: number): void {
  try {
    writeZeros(disk, path, bytes);
  } catch (error) {
    if (!isSpaceError(error)) throw error;
    disk.unlink(path);
  }
}

/** A file that is gone left its log meanwhile: nothing of it is owed. */
function syncFile(disk: Disk, path: string): void {
  let fd: number;
  try {
    fd = disk.open(path, 'read');
  } catch (error) {
    if (error instanceof DiskError && error.code === 'ENOENT') return;
    throw error;
  }
  try {
    disk.fdatasync(fd);
  } finally {
    disk.close(fd);
  }
}

function prepareJournal(disk: Disk, work: Extract<KeeperWork, { kind: 'prepareJournal' }>, pause: (ms: number) => void): number {
  const temporary = `${work.path}.tmp`;
  try {
    writeZeros(disk, temporary, work.bytes, () => pause(PREPARE_PAUSE_MS));
    disk.rename(temporary, work.path);
    disk.syncFolder(work.path.slice(0, work.path.lastIndexOf('/')));
    return JobStatus.ok;
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    disk.unlink(temporary);
    return isSpaceError(error) ? JobStatus.noSpace : JobStatus.failed;
  }
}

/**
 * Writes a file of `bytes` zeros and syncs it: every block is allocated, so writing it again needs no room and commits no metadata. `pause` runs between the
 * steps in which it is synced.
 */
export function writeZeros(disk: Disk, path: string, bytes: number, pause: () => void = doNotWait): void {
  disk.unlink(path);
  const fd = disk.open(path, 'write');
  try {
    for (let at = 0; at < bytes; at += ZEROS.length) {
      disk.write(fd, [ZEROS.subarray(0, Math.min(ZEROS.length, bytes - at))], at);
      if ((at + ZEROS.length) % PREPARE_STEP_BYTES !== 0 || at + ZEROS.length >= bytes) continue;
      disk.fdatasync(fd);
      pause();
    }
    disk.fdatasync(fd);
  } finally {
    disk.close(fd);
  }
}

function doNotWait(): void {}
