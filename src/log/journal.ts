/**
 * The writing side of a shard's journal: preallocated files used in turn. A file is full, then held until a durable checkpoint covers its last
 * group, then free again. Nothing here waits: `reserve` says whether a group fits now.
 */
import { assert } from '../lib/assert.ts';
import type { Disk } from './disk.ts';
import { alignGroup } from './journal-layout.ts';
import { journalName, journalNumber } from './layout.ts';

interface JournalFile {
  readonly path: string;
  readonly fd: number;
  readonly bytes: number;
  /** Sequence of the last group written into it. */
  lastSequence: number;
}

/** See the file header. Always: `position` is a multiple of the group alignment and at most the active file's length. */
export class Journal {
  private readonly disk: Disk;
  private readonly folder: string;
  private readonly free: JournalFile[] = [];
  private readonly held: JournalFile[] = [];
  private active: JournalFile | null = null;
  private position = 0;
  private nextNumber = 0;
  /** Bytes of groups written since the journal was opened. */
  bytesWritten = 0;

  /** Opens the journal files that lie in `folder`; all are taken as free: the caller's generation is new. */
  constructor(disk: Disk, folder: string) {
    this.disk = disk;
    this.folder = folder;
    for (const name of disk.list(folder)) if (journalNumber(name) >= 0) this.adopt(`${folder}/${name}`);
  }

  /** Path for a file to prepare next. */
  nextPath(): string {
    return `${this.folder}/${journalName(this.nextNumber++)}`;
  }

  /** Takes a prepared file (written full length, durable) into the circle. */
  adopt(path: string): void {
    const fd = this.disk.open(path, 'write');
    const bytes = this.disk.size(fd);
    this.nextNumber = Math.max(this.nextNumber, journalNumber(path.slice(path.lastIndexOf('/') + 1)) + 1);
    this.free.push({ path, fd, bytes, lastSequence: -1 });
  }

  /** Bytes of all files in the circle. */
  get totalBytes(): number {
    let total = this.active === null ? 0 : this.active.bytes;
    for (const file of this.free) total += file.bytes;
    for (const file of this.held) total += file.bytes;
    return total;
  }

  /** Bytes that can be written before a checkpoint has to free some. */
  get freeBytes(): number {
    let total = this.active === null ? 0 : this.active.bytes - this.position;
    for (const file of this.free) total += file.bytes;
    return total;
  }

  /** Bytes of the largest group that fits now: what is left of the active file, unless that is below `enough` and a free file is larger. */
  roomFor(enough: number): number {
    const left = this.active === null ? 0 : this.active.bytes - this.position;
    if (left >= enough) return left;
    let largest = left;
    for (const file of this.free) if (file.bytes > largest) largest = file.bytes;
    return largest;
  }

  /** Makes room for a group of `bytes`, moving on to the next free file if the active one has too little; false when no file has room. */
  reserve(bytes: number): boolean {
    if (this.active !== null && this.position + bytes <= this.active.bytes) return true;
    const next = this.free.findIndex((file) => file.bytes >= bytes);
    if (next < 0) return false;
    if (this.active !== null) this.held.push(this.active);
    this.active = this.free.splice(next, 1)[0] as JournalFile;
    this.position = 0;
    return true;
  }

  /** Writes a group for which {@link reserve} said yes. Durable only once {@link activeFd} is synced. */
  write(sequence: number, pieces: readonly Uint8Array[], bytes: number): void {
    const file = this.active;
    assert(file !== null && this.position + bytes <= file.bytes, 'journal: group written without reserve');
    this.disk.write(file.fd, pieces, this.position);
    file.lastSequence = sequence;
    this.position = alignGroup(this.position + bytes);
    this.bytesWritten += bytes;
  }

  /**
   * Writes a vouch (journal-layout.ts) where the next group will begin and overwrite it; false when no file has room. It takes no place, and what the file holds
   * stays as it was.
   */
  writeVouch(vouch: Uint8Array): boolean {
    if (!this.reserve(vouch.length)) return false;
    const file = this.active as JournalFile;
    this.disk.write(file.fd, [vouch], this.position);
    return true;
  }

  /** The file that was written to last: once it is synced that group (or vouch) is durable, and earlier files were synced with their own groups. */
  get activeFd(): number {
    assert(this.active !== null, 'journal: nothing was written');
    return this.active.fd;
  }

  /** Makes every group since the last checkpoint durable, for a shard that does not sync its groups one by one. */
  syncAll(): void {
    this.disk.fdatasyncMany([...this.held.map((file) => file.fd), this.activeFd]);
  }

  /** A checkpoint covering every group up to `sequence` is durable: files whose groups all lie below become free. A group wants at least `groupRoom`. */
  release(sequence: number, groupRoom: number): void {
    for (let file = this.held[0]; file !== undefined && file.lastSequence <= sequence; file = this.held[0]) {
      this.held.shift();
      this.free.push(file);
    }
    // Nothing but checkpointed groups in the active file: start it over, so that a quiet journal stays within few pages, and one of a single
    // file never comes to an end.
    if (this.active === null || this.held.length > 0 || this.active.lastSequence > sequence) return;
    if (this.position > this.active.bytes / 2 || this.position + groupRoom > this.active.bytes) {
      this.free.push(this.active);
      this.active = null;
    }
  }

  close(): void {
    for (const file of [...this.free, ...this.held]) this.disk.close(file.fd);
    if (this.active !== null) this.disk.close(this.active.fd);
    this.free.length = this.held.length = 0;
    this.active = null;
  }
}
