/**
 * Which shards a generation has. Each leaves its name in one folder of the generation, durably before it records anything: the folder of a shard that has begun
 * and is not there, or holds no checkpoint, is lost, and its partitions must not start over at offset 0.
 *
 * A name is an empty file: no flipped bit can keep a broker from starting, shards that begin at the same time leave theirs without a lock, and a ringlog that knows
 * nothing of it takes the folder for that of a shard that never began. Where names are gone, or that ringlog has begun the generation, what is there is believed.
 */
import type { Disk } from './disk.ts';

/** The folder of the names, beside those of the shards. */
export const BEGUN = 'begun';

/**
 * Notes that `shards` of the generation in `folder` have begun. Their first checkpoints are durable, or CURRENT does not name the generation yet: a crash
 * before this returns must not leave a name without a checkpoint. Durable when it returns. Throws DiskError, and may be repeated.
 */
export function noteBegun(disk: Disk, folder: string, shards: Iterable<string>): void {
  const names = `${folder}/${BEGUN}`;
  disk.mkdir(names);
  for (const shard of shards) disk.close(disk.open(`${names}/${shard}`, 'write'));
  // Both, whoever made the folder: one that failed between the two tries again.
  disk.syncFolder(folder);
  disk.syncFolder(names);
}

/** Names of the shards that are known to have begun. */
export function begunShards(disk: Disk, folder: string): string[] {
  // What somebody else has put there is no shard.
  return disk.list(`${folder}/${BEGUN}`).filter((name) => /^[a-z]+-\d+$/.test(name));
}
