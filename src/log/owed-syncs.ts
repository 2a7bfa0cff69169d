/**
 * What recovery has written, or a shard that stops, and what is not durable yet: files and names are synced many at once, because each sync waits for the
 * device on its own. Nothing of it may be served, or claimed by a checkpoint, before {@link OwedSyncs.settle} has returned. A start that fails in between is begun
 * anew and writes all of it again.
 */
import { DiskError, type Disk } from './disk.ts';

/** Most files that wait for their sync, and so descriptors held. */
const FILES_MAX = 128;

interface OwedFile {
  readonly fd: number;
  readonly path: string;
}

/** See the file header. */
export class OwedSyncs {
  private readonly disk: Disk;
  private files: OwedFile[] = [];
  private readonly folders = new Set<string>();

  constructor(disk: Disk) {
    this.disk = disk;
  }

  /** Takes over the descriptor of a file that was written: syncs it, now or later, and closes it. Throws DiskError. */
  addFile(fd: number, path: string): void {
    this.files.push({ fd, path });
    if (this.files.length >= FILES_MAX) this.settleFiles();
  }

  /** Names in this folder may not be on disk. Folders that partitions share are synced once. */
  addFolder(path: string): void {
    this.folders.add(path);
  }

  /** Syncs everything that is owed: all of it is durable when it returns. Throws DiskError. */
  settle(): void {
    this.settleFiles();
    this.disk.syncFolders([...this.folders]);
    this.folders.clear();
  }

  /** Closes what was not settled, without a sync that nobody would rely on. */
  close(): void {
    for (const { fd } of this.files) this.disk.close(fd);
    this.files = [];
  }

  private settleFiles(): void {
    const { files } = this;
    if (files.length === 0) return;
    try {
      this.disk.fdatasyncMany(files.map(({ fd }) => fd));
    } catch (error) {
      // Descriptors mean nothing to whoever reads it.
      if (!(error instanceof DiskError) || error.operation !== 'fdatasync') throw error;
      throw new DiskError(error.code, error.operation, namesOf(files), { cause: error });
    } finally {
      this.close();
    }
  }
}

function namesOf(files: readonly OwedFile[]): string {
  const first = (files[0] as OwedFile).path;
  return files.length === 1 ? first : `one of ${files.length} files from ${first} to ${(files.at(-1) as OwedFile).path}`;
}
