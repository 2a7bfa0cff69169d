/** A disk that tells how long the sync of a group took; everything else it leaves to the disk it stands for. */
import type { Disk } from './disk.ts';

/** The same disk, with `onSynced` called after each `fdatasyncMany` that succeeded. */
export function timedDisk(disk: Disk, onSynced: (ms: number) => void): Disk {
  const timed = Object.create(disk) as Disk;
  timed.fdatasyncMany = (fds) => {
    const beganMs = performance.now();
    disk.fdatasyncMany(fds);
    onSynced(performance.now() - beganMs);
  };
  return timed;
}
