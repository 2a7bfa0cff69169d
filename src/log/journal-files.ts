/** The journal files that recovery reads batches from: each is opened once, however many partitions have something in it. */
import type { Disk } from './disk.ts';

/** See the file header. Holds at most as many descriptors as there are journal files. */
export class JournalFiles {
  private readonly disk: Disk;
  private readonly open = new Map<string, number>();

  constructor(disk: Disk) {
    this.disk = disk;
  }

  /** The descriptor of a journal file, good until {@link close}. Throws DiskError. */
  descriptor(path: string): number {
    let fd = this.open.get(path);
    if (fd === undefined) this.open.set(path, (fd = this.disk.open(path, 'read')));
    return fd;
  }

  close(): void {
    for (const fd of this.open.values()) this.disk.close(fd);
    this.open.clear();
  }
}
