/**
 * The keeper's work: slow, synchronous disk operations that no client waits for. Runs in the job pool; the simulator and a stopping shard call
 * it directly. A failed sync is never retried: what it was about is written again, or nothing is claimed of it.
 */
import { DiskError, isSyncError, replaceFileDurably, type Disk } from './disk.ts';
import { OwedSyncs } from './owed-syncs.ts';
import { JobStatus, type KeeperWork } from './messages.ts';
import { halfMade } from './layout.ts';
import { keepReserve, withRoom, writeZeros } from './room.ts';

/** Between two steps of a journal file's preparation the disk is the shard's. */
const PREPARE_PAUSE_MS = 2;

/** Does one piece of work and returns its {@link JobStatus}. `pause` waits that many milliseconds; who is in a hurry does not wait. */
export function runKeeperWork(disk: Disk, work: KeeperWork, pause: (ms: number) => void = doNotWait): number {
  try {
    run(disk, work, pause);
    return JobStatus.ok;
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    return isSyncError(error) ? JobStatus.failed : JobStatus.notDone;
  }
}

function run(disk: Disk, work: KeeperWork, pause: (ms: number) => void): void {
  switch (work.kind) {
    case 'sync':
      for (const [i, path] of work.paths.entries()) {
        if (i > 0 && work.pauseMs > 0) pause(work.pauseMs);
        syncFile(disk, path);
      }
      for (const folder of work.folders) if (disk.exists(folder)) disk.syncFolder(folder);
      return;
    case 'checkpoint':
      withRoom(disk, work.dataFolder, () => replaceFileDurably(disk, work.folder, work.name, work.bytes));
      for (const path of work.remove) disk.unlink(path);
      keepReserve(disk, work.dataFolder, work.reserveBytes);
      return;
    case 'prepareJournal':
      prepareJournal(disk, work, pause);
  }
}

/** Syncs files and folders many at once, for a shard that stops: nothing else is kept from the disk by that any more. Throws DiskError. */
export function syncAtOnce(disk: Disk, paths: readonly string[], folders: readonly string[]): void {
  const owed = new OwedSyncs(disk);
  try {
    for (const path of paths) {
      const fd = openIfThere(disk, path);
      if (fd !== null) owed.addFile(fd, path);
    }
    for (const folder of folders) if (disk.exists(folder)) owed.addFolder(folder);
    owed.settle();
  } finally {
    owed.close();
  }
}

/** A file that is gone left its log meanwhile: nothing of it is owed. */
function openIfThere(disk: Disk, path: string): number | null {
  try {
    return disk.open(path, 'read');
  } catch (error) {
    if (error instanceof DiskError && error.code === 'ENOENT') return null;
    throw error;
  }
}

function syncFile(disk: Disk, path: string): void {
  const fd = openIfThere(disk, path);
  if (fd === null) return;
  try {
    disk.fdatasync(fd);
  } finally {
    disk.close(fd);
  }
}

function prepareJournal(disk: Disk, { path, bytes }: Extract<KeeperWork, { kind: 'prepareJournal' }>, pause: (ms: number) => void): void {
  const temporary = halfMade(path);
  try {
    writeZeros(disk, temporary, bytes, () => pause(PREPARE_PAUSE_MS));
    disk.rename(temporary, path);
    disk.syncFolder(path.slice(0, path.lastIndexOf('/')));
  } catch (error) {
    // It will not be asked for again under this name.
    for (const left of [temporary, path]) disk.unlink(left);
    throw error;
  }
}

function doNotWait(): void {}
