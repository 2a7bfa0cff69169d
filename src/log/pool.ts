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
/** The folder is looked at this often at most: who asks is a duty cycle, and what it learns a moment later costs nobody anything. */
const LOOK_MS = 250;

/** See the file header. */
export class SegmentPool {
  private readonly disk: Disk;
  private readonly folder: string;
  private lookedAtMs = -Infinity;
  /** Lengths of the files that were there at `lookedAtMs`. */
  private seenBytes: number[] = [];

  constructor(disk: Disk, dataFolder: string) {
    this.disk = disk;
    this.folder = poolFolder(dataFolder);
  }

  /**
   * True if {@link take} is likely to find a file for segments of `segmentBytes` that holds `bytesMin`. Cheap enough for every cycle; a folder that cannot be
   * looked at has none.
   */
  has(segmentBytes: number, bytesMin: number, nowMs: number): boolean {
    // A clock that was set back counts as time that passed.
    if (Math.abs(nowMs - this.lookedAtMs) >= LOOK_MS) {
      this.lookedAtMs = nowMs;
      this.seenBytes = this.look();
    }
    return this.seenBytes.some((bytes) => fits(bytes, segmentBytes, bytesMin));
  }

  /**
   * Moves a pool file of at least `bytesMin` to `path` and returns its length, or 0 when there is none that fits. The pool's side of the rename is durable
   * on return; the caller syncs the folder of `path` before it writes. When it throws there is nothing at `path`.
   */
  take(path: string, segmentBytes: number, bytesMin: number): number {
    this.lookedAtMs = -Infinity;
    for (const name of this.find(segmentBytes, bytesMin)) {
      try {
        this.disk.rename(`${this.folder}/${name}`, path);
      } catch (error) {
        if (error instanceof DiskError && error.code === 'ENOENT') continue; // Another shard was quicker.
        throw error;
      }
      try {
        this.disk.syncFolder(this.folder);
      } catch (error) {
        // The old name may come back, so nobody may find the file under the new one and write to it.
        this.disk.unlink(path);
        throw error;
      }
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

  private look(): number[] {
    try {
      return this.disk.list(this.folder).map(lengthOf);
    } catch (error) {
      if (error instanceof DiskError) return [];
      throw error;
    }
  }

  /** Files between half of (and no less than `bytesMin`) and the whole of a segment's size, largest first. */
  private find(segmentBytes: number, bytesMin: number): string[] {
    return this.disk
      .list(this.folder)
      .filter((name) => fits(lengthOf(name), segmentBytes, bytesMin))
      .sort((a, b) => lengthOf(b) - lengthOf(a));
  }
}

/** Whether a file of the pool is worth writing as a segment of at most `segmentBytes`, and holds `bytesMin`. */
function fits(bytes: number, segmentBytes: number, bytesMin: number): boolean {
  return bytes >= Math.max(segmentBytes / 2, bytesMin) && bytes <= segmentBytes;
}

/** Length in a pool file's name, or 0 for any other name. */
export function lengthOf(name: string): number {
  const match = /^(\d+)-[0-9a-z]+\.pool$/.exec(name);
  return match === null ? 0 : Number(match[1]);
}
