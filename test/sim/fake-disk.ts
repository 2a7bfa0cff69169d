/**
 * A disk in memory that behaves like the worst honest disk: what was not synced may be lost, in any subset of sectors, whatever the order of
 * writes; names that were not synced may be lost too; a failed sync leaves pages clean and readable but not stored; it can be full; and it can
 * stop the process at any operation.
 */
import { DiskError, type Disk, type OpenMode } from '../../src/log/disk.ts';
import type { Prng } from '../../src/lib/prng.ts';

const SECTOR = 512;

/** Thrown at the operation where the simulated process dies. Nothing of the product may catch it: it is no DiskError. */
export class SimulatedCrash extends Error {
  override name = 'SimulatedCrash';
}

class Inode {
  current: Buffer = Buffer.alloc(0);
  size = 0;
  modifiedMs = 0;
  durable: Buffer = Buffer.alloc(0);
  durableSize = 0;
  /** Sectors that a failed sync has left out: marked clean, so no later sync stores them, and not what the disk holds. */
  readonly forsaken = new Set<number>();
  /** Sectors written since the last sync that covered them. */
  readonly unsynced = new Set<number>();
  /** Writeback errors so far, and how many of them somebody was told of: each open descriptor is told once (errseq_t of Linux). */
  errors = 0;
  errorsTold = 0;
}

type PendingName =
  | { readonly kind: 'link'; readonly path: string; readonly inode: Inode }
  | { readonly kind: 'unlink'; readonly path: string }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string; readonly inode: Inode }
  | { readonly kind: 'mkdir'; readonly path: string };

const namesOf = (op: PendingName): string[] => (op.kind === 'rename' ? [op.from, op.to] : [op.path]);
const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/')) || '/';

/** See the file header. */
export class FakeDisk implements Disk {
  private files = new Map<string, Inode>();
  private folders = new Set<string>(['/']);
  private durableFiles = new Map<string, Inode>();
  private durableFolders = new Set<string>(['/']);
  private pending: PendingName[] = [];
  private open_ = new Map<number, { inode: Inode; path: string; errorsSeen: number }>();
  private nextFd = 100;

  /** Changing operations so far. */
  operations = 0;
  /** The process dies at this operation (−1: never). */
  crashAt = -1;
  /** Total bytes that files may take. */
  capacity = Infinity;
  /** Decides whether a sync fails with EIO. */
  failSync: ((path: string) => boolean) | null = null;
  /** Decides whether a file or folder cannot be opened now (no descriptor is left); nothing else is wrong with it. */
  failOpen: ((path: string) => boolean) | null = null;
  /** Decides whether a file or folder is named and nothing can be done with it: its inode cannot be read. */
  unreadable: ((path: string) => boolean) | null = null;
  /** Lies about syncs: reports success and stores nothing (to prove that the checker notices). */
  lieAboutSync: ((path: string) => boolean) | null = null;
  bytesWritten = 0;
  /** The clock of files. */
  nowMs = 0;

  private readonly prng: Prng;

  /** Paths under which descriptors were opened that are still open. */
  get openPaths(): string[] {
    return [...this.open_.values()].map(({ path }) => path);
  }

  constructor(prng: Prng) {
    this.prng = prng;
  }

  open(path: string, mode: OpenMode): number {
    this.checkOpen(path);
    this.checkReadable('open', path);
    let inode = this.files.get(path);
    if (inode === undefined) {
      if (mode === 'read') throw new DiskError('ENOENT', 'open', path);
      this.step('open', path);
      if (!this.folders.has(parentOf(path))) throw new DiskError('ENOENT', 'open', path);
      inode = new Inode();
      this.files.set(path, inode);
      this.pending.push({ kind: 'link', path, inode });
    }
    const fd = this.nextFd++;
    this.open_.set(fd, { inode, path, errorsSeen: inode.errorsTold });
    return fd;
  }

  /** Opens a file for whoever checks: no descriptor of the simulated process, so nothing fails it. */
  peek(path: string): number {
    const inode = this.files.get(path);
    if (inode === undefined) throw new DiskError('ENOENT', 'open', path);
    const fd = this.nextFd++;
    this.open_.set(fd, { inode, path, errorsSeen: inode.errorsTold });
    return fd;
  }

  close(fd: number): void {
    this.handle(fd, 'close');
    this.open_.delete(fd);
  }

  write(fd: number, pieces: readonly Uint8Array[], position: number): void {
    const { inode, path } = this.handle(fd, 'write');
    const bytes = Buffer.concat(pieces);
    this.operations++;
    if (this.operations === this.crashAt) {
      this.store(inode, bytes.subarray(0, this.prng.below(bytes.length + 1)), position);
      throw new SimulatedCrash(`write ${path}`);
    }
    const grows = Math.max(0, position + bytes.length - inode.size);
    const room = this.capacity - this.usedBytes();
    if (grows > room) {
      const fits = Math.max(0, bytes.length - (grows - Math.max(0, room)));
      this.store(inode, bytes.subarray(0, fits), position);
      throw new DiskError('ENOSPC', 'write', path);
    }
    this.store(inode, bytes, position);
  }

  read(fd: number, target: Uint8Array, targetPosition: number, length: number, position: number): number {
    const { inode } = this.handle(fd, 'read');
    const end = Math.min(inode.size, position + length);
    if (end <= position) return 0;
    target.set(inode.current.subarray(position, end), targetPosition);
    return end - position;
  }

  fdatasync(fd: number): void {
    const handle = this.handle(fd, 'fdatasync');
    const { inode, path } = handle;
    this.step('fdatasync', path);
    if (this.failSync?.(path) === true) {
      // Marked clean, not on disk: a later sync stores nothing of these bytes, and says so once to each descriptor that was open.
      for (const sector of inode.unsynced) inode.forsaken.add(sector);
      inode.unsynced.clear();
      inode.errors++;
    }
    if (handle.errorsSeen < inode.errors) {
      handle.errorsSeen = inode.errorsTold = inode.errors;
      throw new DiskError('EIO', 'fdatasync', path);
    }
    if (this.lieAboutSync?.(path) === true) return;
    for (const sector of inode.unsynced) persist(inode, sector);
    inode.unsynced.clear();
    inode.durableSize = inode.size;
    inode.durable = grown(inode.durable, inode.size);
  }

  /** In an order of chance: a crash in between leaves any of them durable. A failure of one does not keep the others from being synced. */
  fdatasyncMany(fds: readonly number[]): void {
    this.inAnyOrder(fds, (fd) => this.fdatasync(fd));
  }

  size(fd: number): number {
    return this.handle(fd, 'stat').inode.size;
  }

  modifiedMs(path: string): number {
    this.checkReadable('stat', path);
    const inode = this.files.get(path);
    if (inode === undefined) throw new DiskError('ENOENT', 'stat', path);
    return inode.modifiedMs;
  }

  truncate(fd: number, length: number): void {
    const { inode, path } = this.handle(fd, 'truncate');
    this.step('truncate', path);
    inode.current = grown(inode.current, length);
    if (length < inode.size) inode.current.fill(0, length, inode.size);
    for (let sector = Math.floor(length / SECTOR); sector * SECTOR < inode.size; sector++) {
      inode.unsynced.add(sector);
      inode.forsaken.delete(sector);
    }
    inode.size = length;
  }

  rename(from: string, to: string): void {
    this.checkReadable('rename', from);
    this.step('rename', from);
    const inode = this.files.get(from);
    if (inode !== undefined) {
      if (!this.folders.has(parentOf(to))) throw new DiskError('ENOENT', 'rename', to);
      this.files.delete(from);
      this.files.set(to, inode);
      this.pending.push({ kind: 'rename', from, to, inode });
      return;
    }
    if (!this.folders.has(from)) throw new DiskError('ENOENT', 'rename', from);
    // Folders move whole and at once: only recovery's quarantine does it, and syncs right behind.
    this.moveTree(this.files, this.folders, from, to);
    this.moveTree(this.durableFiles, this.durableFolders, from, to);
    this.pending = this.pending.filter((op) => !('path' in op ? op.path : op.from).startsWith(`${from}/`));
  }

  unlink(path: string): void {
    if (!this.files.has(path)) return;
    this.checkReadable('unlink', path);
    this.step('unlink', path);
    this.files.delete(path);
    this.pending.push({ kind: 'unlink', path });
  }

  mkdir(path: string): string[] {
    const changed: string[] = [];
    let at = '';
    for (const part of path.split('/').slice(1)) {
      at += `/${part}`;
      if (this.folders.has(at)) continue;
      this.step('mkdir', at);
      this.folders.add(at);
      this.pending.push({ kind: 'mkdir', path: at });
      changed.push(parentOf(at));
    }
    return changed;
  }

  removeTree(path: string): void {
    for (const file of [...this.files.keys()]) if (file.startsWith(`${path}/`)) this.unlink(file);
    for (const folder of [...this.folders]) if (folder === path || folder.startsWith(`${path}/`)) this.folders.delete(folder);
    // Folder removals are not modelled as losable: a folder that comes back is empty and harmless.
    for (const folder of [...this.durableFolders]) if (folder === path || folder.startsWith(`${path}/`)) this.durableFolders.delete(folder);
  }

  list(path: string): string[] {
    this.checkOpen(path);
    this.checkReadable('list', path);
    const names = new Set<string>();
    for (const entry of [...this.files.keys(), ...this.folders])
      if (entry !== path && parentOf(entry) === path) names.add(entry.slice(path.length + 1));
    return [...names].sort();
  }

  exists(path: string): boolean {
    this.checkReadable('stat', path);
    return this.files.has(path) || this.folders.has(path);
  }

  syncFolder(path: string): void {
    this.checkOpen(path);
    this.checkReadable('open', path);
    this.step('sync folder', path);
    if (!this.folders.has(path)) throw new DiskError('ENOENT', 'sync folder', path);
    if (this.failSync?.(path) === true) throw new DiskError('EIO', 'sync folder', path);
    if (this.lieAboutSync?.(path) === true) return;
    // A name's history is ordered: with a change that becomes durable go the earlier changes of the same names.
    const settled = new Set<string>();
    for (let i = this.pending.length - 1; i >= 0; i--) {
      const names = namesOf(this.pending[i] as PendingName);
      if (names.some((name) => parentOf(name) === path || settled.has(name))) for (const name of names) settled.add(name);
    }
    this.pending = this.pending.filter((op) => {
      const touches = namesOf(op).some((name) => settled.has(name));
      if (touches) this.applyDurably(op);
      return !touches;
    });
  }

  /** In an order of chance too. */
  syncFolders(paths: readonly string[]): void {
    this.inAnyOrder(paths, (path) => this.syncFolder(path));
  }

  /** The process is gone; the kernel and its page cache live on. */
  killProcess(): void {
    this.failOpen = null;
    this.open_.clear();
    this.crashAt = -1;
  }

  /** The power is gone: each unsynced sector and name survives with probability `keep`. */
  losePower(keep: number): void {
    this.killProcess();
    for (const op of this.pending) if (this.prng.chance(keep)) this.applyDurably(op);
    this.pending = [];
    const inodes = new Set([...this.files.values(), ...this.durableFiles.values()]);
    for (const inode of inodes) {
      let kept = inode.durableSize;
      for (const sector of inode.unsynced) {
        if (!this.prng.chance(keep)) continue;
        persist(inode, sector);
        kept = Math.max(kept, Math.min((sector + 1) * SECTOR, inode.size));
      }
      inode.unsynced.clear();
      inode.forsaken.clear();
      inode.durableSize = Math.max(inode.durableSize, kept);
      inode.durable = grown(inode.durable, inode.durableSize);
      inode.current = Buffer.from(inode.durable);
      inode.size = inode.durableSize;
    }
    this.folders = new Set(this.durableFolders);
    this.files = new Map([...this.durableFiles].filter(([path]) => this.folders.has(parentOf(path))));
    this.durableFiles = new Map(this.files);
  }

  /**
   * The kernel needs memory: each page that a failed sync has left out, clean by name, is dropped with probability `p`, and reads back as what the disk holds.
   * Returns whether any byte changed.
   */
  evict(p: number): boolean {
    let changed = false;
    for (const inode of new Set([...this.files.values(), ...[...this.open_.values()].map((handle) => handle.inode)]))
      for (const sector of inode.forsaken) {
        if (!this.prng.chance(p)) continue;
        inode.forsaken.delete(sector);
        const from = sector * SECTOR;
        const to = Math.min(from + SECTOR, inode.current.length);
        const before = Buffer.from(inode.current.subarray(from, to));
        inode.current.fill(0, from, to);
        if (from < inode.durable.length) inode.durable.copy(inode.current, from, from, Math.min(to, inode.durable.length));
        changed ||= !before.equals(inode.current.subarray(from, to));
      }
    return changed;
  }

  /** Flips bits of a stored file, in cache and on disk alike: bit rot. */
  corrupt(path: string, position: number, mask = 0xff): void {
    const inode = this.files.get(path);
    if (inode === undefined || position >= inode.size) throw new DiskError('ENOENT', 'corrupt', path);
    inode.current[position] = (inode.current[position] as number) ^ mask;
    if (position < inode.durable.length) inode.durable[position] = inode.current[position];
  }

  /** Every file's bytes as they read now. */
  snapshot(): Map<string, Buffer> {
    return new Map([...this.files].map(([path, inode]) => [path, Buffer.from(inode.current.subarray(0, inode.size))]));
  }

  /** Whether every file reads as in a {@link snapshot}, and there is no other. */
  isLike(snapshot: ReadonlyMap<string, Buffer>): boolean {
    const now = this.snapshot();
    return now.size === snapshot.size && [...now].every(([path, bytes]) => snapshot.get(path)?.equals(bytes) === true);
  }

  /** Puts every file of a {@link snapshot} back, durably. The folders must be there. */
  restore(snapshot: ReadonlyMap<string, Buffer>): void {
    this.files.clear();
    this.pending = [];
    for (const [path, bytes] of snapshot) {
      const inode = new Inode();
      inode.current = Buffer.from(bytes);
      inode.durable = Buffer.from(bytes);
      inode.size = inode.durableSize = bytes.length;
      this.files.set(path, inode);
    }
    this.durableFiles = new Map(this.files);
  }

  /** Paths of all files, for scenarios that pick one. */
  paths(): string[] {
    return [...this.files.keys()].sort();
  }

  usedBytes(): number {
    let used = 0;
    for (const inode of this.files.values()) used += inode.size;
    return used;
  }

  private inAnyOrder<T>(items: readonly T[], run: (item: T) => void): void {
    const left = [...items];
    let failure: unknown = null;
    while (left.length > 0) {
      try {
        run(left.splice(this.prng.below(left.length), 1)[0] as T);
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
        failure ??= error;
      }
    }
    if (failure !== null) throw failure;
  }

  private checkOpen(path: string): void {
    if (this.failOpen?.(path) === true) throw new DiskError('EMFILE', 'open', path);
  }

  private checkReadable(operation: string, path: string): void {
    if (this.unreadable?.(path) === true && (this.files.has(path) || this.folders.has(path))) throw new DiskError('EIO', operation, path);
  }

  private step(operation: string, path: string): void {
    this.operations++;
    if (this.operations === this.crashAt) throw new SimulatedCrash(`${operation} ${path}`);
  }

  private handle(fd: number, operation: string): { inode: Inode; path: string; errorsSeen: number } {
    const entry = this.open_.get(fd);
    if (entry === undefined) throw new DiskError('EBADF', operation, `fd ${fd}`);
    return entry;
  }

  private store(inode: Inode, bytes: Buffer, position: number): void {
    if (bytes.length === 0) return;
    this.bytesWritten += bytes.length;
    inode.modifiedMs = this.nowMs;
    const end = position + bytes.length;
    inode.current = grown(inode.current, end);
    bytes.copy(inode.current, position);
    inode.size = Math.max(inode.size, end);
    for (let sector = Math.floor(position / SECTOR); sector * SECTOR < end; sector++) {
      inode.unsynced.add(sector);
      inode.forsaken.delete(sector);
    }
  }

  private applyDurably(op: PendingName): void {
    switch (op.kind) {
      case 'link':
        this.durableFiles.set(op.path, op.inode);
        return;
      case 'unlink':
        this.durableFiles.delete(op.path);
        return;
      case 'rename':
        this.durableFiles.delete(op.from);
        this.durableFiles.set(op.to, op.inode);
        return;
      case 'mkdir':
        this.durableFolders.add(op.path);
    }
  }

  private moveTree(files: Map<string, Inode>, folders: Set<string>, from: string, to: string): void {
    for (const [path, inode] of [...files]) {
      if (!path.startsWith(`${from}/`)) continue;
      files.delete(path);
      files.set(to + path.slice(from.length), inode);
    }
    for (const folder of [...folders]) {
      if (folder !== from && !folder.startsWith(`${from}/`)) continue;
      folders.delete(folder);
      folders.add(to + folder.slice(from.length));
    }
  }
}

function grown(buffer: Buffer, size: number): Buffer {
  if (buffer.length >= size) return buffer;
  const bigger = Buffer.alloc(Math.max(size, buffer.length * 2));
  buffer.copy(bigger);
  return bigger;
}

function persist(inode: Inode, sector: number): void {
  const from = sector * SECTOR;
  const to = Math.min(from + SECTOR, inode.current.length);
  if (from >= to) return;
  inode.durable = grown(inode.durable, to);
  inode.current.copy(inode.durable, from, from, to);
}
