/**
 * A disk on which everything can be read and nothing is changed: what is written stays in memory and is read back from there. On it recovery runs as at a start of a
 * broker, and shows what that start would find.
 */
import { assert } from '../../lib/assert.ts';
import { DiskError, type Disk, type OpenMode } from '../../log/disk.ts';

/** What was written to a file, in order; the later wins. */
interface Written {
  size: number;
  readonly pieces: { readonly position: number; readonly bytes: Buffer }[];
}

interface OpenFile {
  readonly path: string;
  /** Of the disk below; null for a file that is only here. */
  readonly below: number | null;
}

/** {@link Disk} over another one that is only read. */
export class OverlayDisk implements Disk {
  readonly #below: Disk;
  readonly #written = new Map<string, Written>();
  readonly #open = new Map<number, OpenFile>();
  #nextFd = 1;

  constructor(below: Disk) {
    this.#below = below;
  }

  open(path: string, mode: OpenMode): number {
    const isBelow = this.#below.exists(path);
    if (!isBelow && mode === 'write' && !this.#written.has(path)) this.#written.set(path, { size: 0, pieces: [] });
    if (!isBelow && !this.#written.has(path)) throw new DiskError('ENOENT', 'open', path);
    const fd = this.#nextFd++;
    this.#open.set(fd, { path, below: isBelow ? this.#below.open(path, 'read') : null });
    return fd;
  }

  close(fd: number): void {
    const { below } = this.#file(fd);
    this.#open.delete(fd);
    if (below !== null) this.#below.close(below);
  }

  write(fd: number, pieces: readonly Uint8Array[], position: number): void {
    const { path } = this.#file(fd);
    const written = this.#written.get(path) ?? { size: this.size(fd), pieces: [] };
    this.#written.set(path, written);
    let at = position;
    for (const piece of pieces) {
      written.pieces.push({ position: at, bytes: Buffer.from(piece) });
      at += piece.length;
    }
    written.size = Math.max(written.size, at);
  }

  read(fd: number, target: Uint8Array, targetPosition: number, length: number, position: number): number {
    const { path, below } = this.#file(fd);
    const written = this.#written.get(path);
    const found = below === null ? 0 : this.#below.read(below, target, targetPosition, length, position);
    if (written === undefined) return found;
    const total = Math.max(found, Math.min(length, written.size - position), 0);
    target.fill(0, targetPosition + found, targetPosition + total);
    for (const { position: at, bytes } of written.pieces) {
      const from = Math.max(at, position);
      const to = Math.min(at + bytes.length, position + total);
      if (from < to) target.set(bytes.subarray(from - at, to - at), targetPosition + from - position);
    }
    return total;
  }

  size(fd: number): number {
    const { path, below } = this.#file(fd);
    return this.#written.get(path)?.size ?? (below === null ? 0 : this.#below.size(below));
  }

  modifiedMs(path: string): number {
    return this.#below.modifiedMs(path);
  }

  list(path: string): string[] {
    return this.#below.list(path);
  }

  exists(path: string): boolean {
    return this.#written.has(path) || this.#below.exists(path);
  }

  // What was written is in memory: there is nothing to make durable, and no folder to make or to move.
  fdatasync(): void {}
  fdatasyncMany(): void {}
  syncFolder(): void {}
  syncFolders(): void {}
  rename(): void {}
  mkdir(): string[] {
    return [];
  }

  truncate(): never {
    return never('truncate');
  }

  unlink(): never {
    return never('unlink');
  }

  removeTree(): never {
    return never('removeTree');
  }

  #file(fd: number): OpenFile {
    const file = this.#open.get(fd);
    assert(file !== undefined, `descriptor ${fd} is not open`);
    return file;
  }
}

/** Recovery takes nothing away. If that changes, a check has to learn it before it can be trusted. */
function never(operation: string): never {
  throw new Error(`recovery wants to ${operation}, which a check cannot do`);
}
