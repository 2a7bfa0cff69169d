/** The disk port on the real file system: synchronous calls, short writes continued, errors given their system code. */
import fs from 'node:fs';
import path from 'node:path';
import { getSystemErrorName } from 'node:util';
import { DiskError, type Disk, type OpenMode } from './disk.ts';

/** Linux takes at most 1024 pieces in one writev. */
const PIECES_MAX = 1000;
/** EIO, for a failure without a number: nothing may count as durable. */
const UNKNOWN_ERRNO = -5;

/** Most folders that {@link NodeDisk.syncFolders} has open at once. */
const FOLDERS_MAX = 128;

/** Runs {@link trySync} on all of `handles` and returns 0 or the error number of a failure; see ring/sync-crew.ts. */
export type SyncMany = (handles: readonly number[]) => number;

/** {@link Disk} over node:fs. Holds nothing, so every thread makes its own. */
export class NodeDisk implements Disk {
  private readonly syncMany: SyncMany;

  /** @param syncMany syncs several files at once; by default they are synced one after the other */
  constructor(syncMany: SyncMany = syncOneByOne) {
    this.syncMany = syncMany;
  }

  open(file: string, mode: OpenMode): number {
    return guard('open', file, () =>
      fs.openSync(file, mode === 'read' ? fs.constants.O_RDONLY : fs.constants.O_RDWR | fs.constants.O_CREAT, 0o644),
    );
  }

  close(fd: number): void {
    guard('close', `fd ${fd}`, () => fs.closeSync(fd));
  }

  write(fd: number, pieces: readonly Uint8Array[], position: number): void {
    try {
      let at = position;
      if (pieces.length === 1) {
        writeWhole(fd, pieces[0] as Uint8Array, at);
        return;
      }
      for (let first = 0; first < pieces.length; first += PIECES_MAX) {
        const chunk = pieces.length <= PIECES_MAX ? pieces : pieces.slice(first, first + PIECES_MAX);
        let expected = 0;
        for (const piece of chunk) expected += piece.length;
        let written = fs.writevSync(fd, chunk, at);
        if (written < expected) {
          // A short write (a disk about to be full): continue piece by piece, so that the error of the next byte surfaces.
          for (const piece of chunk) {
            if (written >= piece.length) written -= piece.length;
            else {
              writeWhole(fd, written === 0 ? piece : piece.subarray(written), at + written);
              written = 0;
            }
            at += piece.length;
          }
        } else at += expected;
      }
    } catch (error) {
      throw asDiskError(error, 'write', `fd ${fd}`);
    }
  }

  read(fd: number, target: Uint8Array, targetPosition: number, length: number, position: number): number {
    return guard('read', `fd ${fd}`, () => {
      let total = 0;
      while (total < length) {
        const read = fs.readSync(fd, target, targetPosition + total, length - total, position + total);
        if (read === 0) break;
        total += read;
      }
      return total;
    });
  }

  fdatasync(fd: number): void {
    guard('fdatasync', `fd ${fd}`, () => fs.fdatasyncSync(fd));
  }

  fdatasyncMany(fds: readonly number[]): void {
    if (fds.length === 1) return this.fdatasync(fds[0] as number);
    const errno = this.syncMany(fds);
    if (errno !== 0) throw new DiskError(getSystemErrorName(errno), 'fdatasync', `one of fds ${fds.join(', ')}`);
  }

  size(fd: number): number {
    return guard('stat', `fd ${fd}`, () => fs.fstatSync(fd).size);
  }

  modifiedMs(file: string): number {
    return guard('stat', file, () => fs.statSync(file).mtimeMs);
  }

  truncate(fd: number, length: number): void {
    guard('truncate', `fd ${fd}`, () => fs.ftruncateSync(fd, length));
  }

  rename(from: string, to: string): void {
    guard('rename', `${from} to ${to}`, () => fs.renameSync(from, to));
  }

  unlink(file: string): void {
    guard('unlink', file, () => fs.rmSync(file, { force: true }));
  }

  mkdir(folder: string): string[] {
    return guard('mkdir', folder, () => {
      const first = fs.mkdirSync(folder, { recursive: true });
      if (first === undefined) return [];
      const changed: string[] = [];
      for (let made = path.resolve(folder); made.length >= first.length; made = path.dirname(made)) changed.unshift(path.dirname(made));
      return changed;
    });
  }

  removeTree(folder: string): void {
    guard('remove', folder, () => fs.rmSync(folder, { recursive: true, force: true }));
  }

  list(folder: string): string[] {
    try {
      return fs.readdirSync(folder).sort();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw asDiskError(error, 'list', folder);
    }
  }

  exists(file: string): boolean {
    try {
      return fs.statSync(file, { throwIfNoEntry: false }) !== undefined;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') return false;
      throw asDiskError(error, 'stat', file);
    }
  }

  syncFolder(folder: string): void {
    // That the folder cannot be opened now (no descriptor is left) says nothing about what is on disk: not a failed sync.
    const fd = guard('open', folder, () => fs.openSync(folder, 'r'));
    try {
      guard('sync folder', folder, () => fs.fsyncSync(fd));
    } finally {
      fs.closeSync(fd);
    }
  }

  syncFolders(folders: readonly string[]): void {
    for (let first = 0; first < folders.length; first += FOLDERS_MAX) this.syncSomeFolders(folders.slice(first, first + FOLDERS_MAX));
  }

  private syncSomeFolders(folders: readonly string[]): void {
    if (folders.length === 1) return this.syncFolder(folders[0] as string);
    const fds: number[] = [];
    try {
      for (const folder of folders) fds.push(guard('open', folder, () => fs.openSync(folder, 'r')));
      const errno = this.syncMany(fds.map((fd) => ~fd));
      if (errno === 0) return;
      const which = `one of ${folders.length} folders from ${folders[0]} to ${folders.at(-1)}`;
      throw new DiskError(getSystemErrorName(errno), 'sync folder', which);
    } finally {
      for (const fd of fds) fs.closeSync(fd);
    }
  }
}

/** Syncs a file (`handle`: its descriptor) or the names in a folder (`handle`: the complement of its descriptor); returns 0 or the error number (negative). */
export function trySync(handle: number): number {
  try {
    // A folder whole: what of it counts as data is the file system's word.
    if (handle < 0) fs.fsyncSync(~handle);
    else fs.fdatasyncSync(handle);
    return 0;
  } catch (error) {
    return (error as NodeJS.ErrnoException).errno ?? UNKNOWN_ERRNO;
  }
}

function syncOneByOne(handles: readonly number[]): number {
  let errno = 0;
  for (const handle of handles) errno = trySync(handle) || errno;
  return errno;
}

function writeWhole(fd: number, bytes: Uint8Array, position: number): void {
  let written = 0;
  while (written < bytes.length) written += fs.writeSync(fd, bytes, written, bytes.length - written, position + written);
}

function guard<T>(operation: string, file: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw asDiskError(error, operation, file);
  }
}

function asDiskError(error: unknown, operation: string, file: string): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  return typeof code === 'string' && !(error instanceof DiskError) ? new DiskError(code, operation, file, { cause: error }) : error;
}
