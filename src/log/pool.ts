/**
 * Retired segments waiting for a next owner. Their blocks are allocated and written, so writing them again neither allocates nor commits
 * metadata; they are not zeroed, because what a log contains is what checkpoint and journal say.
 *
 * A file's name carries its length: `<bytes>-<random>.pool`. Any thread may take one: the rename decides who got it.
 */
import { DiskError, type Disk } from './disk.ts';
import { poolFolder } from './layout.ts';

/** Smaller files are not worth keeping. */
export const POOL_SEGMENT_BYTES_MIN = 1 << 20;

/** See the file header. */
export class SegmentPool {
  private readonly disk: Disk;
  private readonly folder: string;

  constructor(disk: Disk, dataFolder: string) {
    this.disk = disk;
    this.folder = poolFolder(dataFolder);
  }

  /** True if {@link take} would find a file for segments of `segmentBytes` that holds `bytesMin`; a folder that cannot be looked at has none. */
  has(segmentBytes: number, bytesMin: number): boolean {
    try {
      return this.find(segmentBytes, bytesMin).length > 0;
    } catch (error) {
      if (error instanceof DiskError) return false;
      throw error;
    }
  }

  /**
   * Moves a pool file of at least `bytesMin` to `path` and returns its length, or 0 when there is none that fits. The pool's side of the rename is durable
   * on return; the caller syncs the folder of `path` before it writes.
   */
  take(path: string, segmentBytes: number, bytesMin: number): number {
    for (const name of this.find(segmentBytes, bytesMin)) {
      try {
        this.disk.rename(`${this.folder}/${name}`, path);
      } catch (error) {
        if (error instanceof DiskError && error.code === 'ENOENT') continue; // Another shard was quicker.
        throw error;
      }
      this.disk.syncFolder(this.folder);
      return lengthOf(name);
    }
    return 0;
  }

  /** Removes a file of the pool to make room on a full disk; false when there is none, or the disk does not even do that. */
  giveBack(): boolean {
    try {
      return this.disk.list(this.folder).some((name) => lengthOf(name) > 0 && this.remove(name));
    } catch (error) {
      if (error instanceof DiskError) return false;
      throw error;
    }
  }

  /** False if another shard was quicker. */
  private remove(name: string): boolean {
    const gone = `${this.folder}/${name}.gone`;
    try {
      // Under a name that nobody takes, so that no shard is given a file that goes away.
      this.disk.rename(`${this.folder}/${name}`, gone);
    } catch (error) {
      if (error instanceof DiskError && error.code === 'ENOENT') return false;
      throw error;
    }
    this.disk.unlink(gone);
    return true;
  }

  /** Files between half of (and no less than `bytesMin`) and the whole of a segment's size, largest first. */
  private find(segmentBytes: number, bytesMin: number): string[] {
    const least = Math.max(segmentBytes / 2, bytesMin);
    return this.disk
      .list(this.folder)
      .filter((name) => lengthOf(name) >= least && lengthOf(name) <= segmentBytes)
      .sort((a, b) => lengthOf(b) - lengthOf(a));
  }
}

/** Length in a pool file's name, or 0 for any other name. */
export function lengthOf(name: string): number {
  const match = /^(\d+)-[0-9a-z]+\.pool$/.exec(name);
  return match === null ? 0 : Number(match[1]);
}
