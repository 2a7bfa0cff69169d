/**
 * A disk that counts every changing operation over all threads of the process and kills it before the n-th: for crash tests, which try every n.
 * SIGKILL, so that nothing gets a chance to tidy up.
 */
import type { Disk, OpenMode } from './disk.ts';

/** See the file header. */
export class CountingDisk implements Disk {
  private readonly inner: Disk;
  private readonly next: () => number;
  private readonly at: number;

  /** `next` numbers the operations of the whole process from 1; it dies at number `at` (0 or below: never). */
  constructor(inner: Disk, next: () => number, at: number) {
    this.inner = inner;
    this.next = next;
    this.at = at;
  }

  open(path: string, mode: OpenMode): number {
    if (mode === 'write') this.count();
    return this.inner.open(path, mode);
  }

  close(fd: number): void {
    this.inner.close(fd);
  }

  write(fd: number, pieces: readonly Uint8Array[], position: number): void {
    this.count();
    this.inner.write(fd, pieces, position);
  }

  read(fd: number, target: Uint8Array, targetPosition: number, length: number, position: number): number {
    return this.inner.read(fd, target, targetPosition, length, position);
  }

  fdatasync(fd: number): void {
    this.count();
    this.inner.fdatasync(fd);
  }

  /** One by one, so that the process can die between any two of them. */
  fdatasyncMany(fds: readonly number[]): void {
    for (const fd of fds) this.fdatasync(fd);
  }

  size(fd: number): number {
    return this.inner.size(fd);
  }

  modifiedMs(path: string): number {
    return this.inner.modifiedMs(path);
  }

  truncate(fd: number, length: number): void {
    this.count();
    this.inner.truncate(fd, length);
  }

  rename(from: string, to: string): void {
    this.count();
    this.inner.rename(from, to);
  }

  unlink(path: string): void {
    this.count();
    this.inner.unlink(path);
  }

  mkdir(path: string): string[] {
    this.count();
    return this.inner.mkdir(path);
  }

  removeTree(path: string): void {
    this.count();
    this.inner.removeTree(path);
  }

  list(path: string): string[] {
    return this.inner.list(path);
  }

  exists(path: string): boolean {
    return this.inner.exists(path);
  }

  syncFolder(path: string): void {
    this.count();
    this.inner.syncFolder(path);
  }

  /** One by one, as the files. */
  syncFolders(paths: readonly string[]): void {
    for (const path of paths) this.syncFolder(path);
  }

  private count(): void {
    if (this.next() !== this.at) return;
    process.kill(process.pid, 'SIGKILL');
    // The signal may take a moment to arrive: no operation may slip through meanwhile.
    for (;;);
  }
}
