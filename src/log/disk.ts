/**
 * The disk port: every byte that ringlog stores passes through this interface, so that the simulator can lose, tear and refuse them
 * (test/sim/fake-disk.ts) and crash tests can count operations. All calls are synchronous: whoever calls them owns a thread that may wait.
 */
import { halfMade } from './layout.ts';

/** How {@link Disk.open} treats the file. */
export type OpenMode =
  /** Read only; the file must exist. */
  | 'read'
  /** Read and write; created when missing, never emptied. */
  | 'write';

/** Any refusal of the disk. `code` is the operating system's word (`ENOSPC`, `EIO`, `ENOENT`, …). */
export class DiskError extends Error {
  override name = 'DiskError';
  readonly code: string;
  readonly operation: string;
  readonly path: string;

  constructor(code: string, operation: string, path: string, options?: ErrorOptions) {
    super(`${operation} ${path}: ${code}`, options);
    this.code = code;
    this.operation = operation;
    this.path = path;
  }
}

/** True for errors that mean "no room left": they pass when room is made. */
export function isSpaceError(error: unknown): boolean {
  return error instanceof DiskError && (error.code === 'ENOSPC' || error.code === 'EDQUOT' || error.code === 'EFBIG');
}

/** True where bytes or names may not be on disk although they read back: nobody may go on as if they were, or sync again and believe that. */
export function isSyncError(error: unknown): boolean {
  return error instanceof DiskError && (error.operation === 'fdatasync' || error.operation === 'sync folder');
}

/** The operations ringlog's storage is made of. Paths are absolute. Failures throw {@link DiskError}. */
export interface Disk {
  open(path: string, mode: OpenMode): number;
  close(fd: number): void;
  /** Writes all bytes of all pieces at `position`, or throws; after a throw any prefix may have been written. */
  write(fd: number, pieces: readonly Uint8Array[], position: number): void;
  /** Reads up to `length` bytes into `target` at `targetPosition`; returns how many there were before the end of the file. */
  read(fd: number, target: Uint8Array, targetPosition: number, length: number, position: number): number;
  /** Makes the file's bytes and length durable. Never retried after a failure: the kernel has marked the pages clean. */
  fdatasync(fd: number): void;
  /** The same for several files, in any order or at once. All were tried when it throws. */
  fdatasyncMany(fds: readonly number[]): void;
  size(fd: number): number;
  /** When the file was last written, ms since the epoch. */
  modifiedMs(path: string): number;
  truncate(fd: number, length: number): void;
  rename(from: string, to: string): void;
  /** Removes a file; a missing one is no error. */
  unlink(path: string): void;
  /** Creates a folder and its parents. Returns the folders whose entries changed and so need {@link syncFolder}, outermost first. */
  mkdir(path: string): string[];
  /** Removes a folder with all it holds. */
  removeTree(path: string): void;
  /** Names in a folder, sorted; empty when the folder is missing. */
  list(path: string): string[];
  /** False only where there is nothing of this name; throws where that cannot be told. */
  exists(path: string): boolean;
  /** Makes the names in a folder durable. */
  syncFolder(path: string): void;
  /** The same for several folders, in any order or at once. When it throws, others may not have been tried. */
  syncFolders(paths: readonly string[]): void;
}

/** Reads a whole file, or returns null when it is missing. */
export function readFileIfPresent(disk: Disk, path: string): Buffer | null {
  try {
    return readFile(disk, path);
  } catch (error) {
    if (error instanceof DiskError && error.code === 'ENOENT') return null;
    throw error;
  }
}

/** Reads a whole file. Throws DiskError, also when it is missing. */
export function readFile(disk: Disk, path: string): Buffer {
  const fd = disk.open(path, 'read');
  try {
    const bytes = Buffer.alloc(disk.size(fd));
    const read = disk.read(fd, bytes, 0, bytes.length, 0);
    return bytes.subarray(0, read);
  } finally {
    disk.close(fd);
  }
}

/** Replaces a file so that a crash at any point leaves the old or the new content whole: temporary file, sync, rename, sync folder. */
export function replaceFileDurably(disk: Disk, folder: string, name: string, bytes: Uint8Array): void {
  const temporary = halfMade(`${folder}/${name}`);
  disk.unlink(temporary);
  const fd = disk.open(temporary, 'write');
  try {
    disk.write(fd, [bytes], 0);
    disk.fdatasync(fd);
  } finally {
    disk.close(fd);
  }
  disk.rename(temporary, `${folder}/${name}`);
  disk.syncFolder(folder);
}
