/**
 * Room on a full disk for what must be written all the same: checkpoints, the first journal of a shard, what a start writes. It comes from the pool first, then
 * from the reserve, a file that is kept for this. The reserve is given up in steps: whoever fills the disk takes what is left of each.
 */
import { isSpaceError, isSyncError, type Disk } from './disk.ts';
import { reservePath } from './layout.ts';
import { SegmentPool } from './pool.ts';

/** Size of the reserve: room for some checkpoints and a small journal. */
export const RESERVE_BYTES = 8 << 20;
/** The reserve is never shortened by less. */
const STEP_BYTES_MIN = 64 << 10;
/** Zeros are written in pieces of this size, each synced by itself. */
const ZEROS = Buffer.alloc(1 << 20);

/**
 * Runs `run`, again after making room as long as it finds none. It must leave nothing behind, or begin anew. `spare` removes what nobody needs, before anything
 * that was set aside is given up, and says whether there was any. Throws what `run` throws when no room is left to make.
 */
export function withRoom<T>(disk: Disk, dataFolder: string, run: () => T, spare: () => boolean = nothingToSpare): T {
  for (;;) {
    try {
      return run();
    } catch (error) {
      // A sync that finds no room has failed, and is never tried again.
      if (!isSpaceError(error) || isSyncError(error) || !(spare() || makeRoom(disk, dataFolder))) throw error;
    }
  }
}

function makeRoom(disk: Disk, dataFolder: string): boolean {
  return new SegmentPool(disk, dataFolder).giveBack() || shortenReserve(disk, reservePath(dataFolder));
}

/** Gives up an eighth of the reserve; false when there is none. */
function shortenReserve(disk: Disk, path: string): boolean {
  if (!disk.exists(path)) return false;
  const fd = disk.open(path, 'write');
  try {
    const bytes = disk.size(fd);
    const rest = bytes - Math.max(STEP_BYTES_MIN, Math.ceil(bytes / 8));
    if (rest > 0) disk.truncate(fd, rest);
    else disk.unlink(path);
    return true;
  } finally {
    disk.close(fd);
  }
}

/** Brings the reserve to `bytes`, or as near as there is room. */
export function keepReserve(disk: Disk, dataFolder: string, bytes: number): void {
  const path = reservePath(dataFolder);
  const fd = disk.open(path, 'write');
  try {
    const before = disk.size(fd);
    if (before >= bytes) return;
    let at = before;
    try {
      while (at < bytes) {
        const piece = ZEROS.subarray(0, Math.min(STEP_BYTES_MIN, bytes - at));
        disk.write(fd, [piece], at);
        at += piece.length;
      }
    } catch (error) {
      if (!isSpaceError(error)) throw error;
      disk.truncate(fd, at);
    }
    if (at > before) disk.fdatasync(fd);
    if (at === 0) disk.unlink(path);
  } finally {
    disk.close(fd);
  }
}

/**
 * Writes a file of `bytes` zeros and syncs it: every block is allocated, so writing it again needs no room and commits no metadata. `pause` runs between the
 * steps in which it is synced: one large sync would hold up those of the shard.
 */
export function writeZeros(disk: Disk, path: string, bytes: number, pause: () => void = doNotWait): void {
  disk.unlink(path);
  const fd = disk.open(path, 'write');
  try {
    for (let at = 0; at < bytes; at += ZEROS.length) {
      disk.write(fd, [ZEROS.subarray(0, Math.min(ZEROS.length, bytes - at))], at);
      if (at + ZEROS.length >= bytes) continue;
      disk.fdatasync(fd);
      pause();
    }
    disk.fdatasync(fd);
  } finally {
    disk.close(fd);
  }
}

function nothingToSpare(): boolean {
  return false;
}

function doNotWait(): void {}
