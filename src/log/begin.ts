/** From a data folder to a running generation: recovery, then fresh checkpoints and journals for the shards that go on with what was found. */
import { isSpaceError, type Disk } from './disk.ts';
import { beginShard, generationNumber, newGenerationName, switchGeneration } from './generation.ts';
import { generationFolder, reservePath } from './layout.ts';
import { emptyPartition, partitionKey, type PartitionState } from './partition-state.ts';
import { recover, type Recovered } from './recovery.ts';
import type { TopicStatus } from './recovery-note.ts';
import { tidyPool } from './retire.ts';

/** A partition that metadata knows, and the shard (`<class>-<n>`) that will own it. */
export interface AssignedPartition {
  readonly topicId: string;
  readonly partition: number;
  readonly shard: string;
}

/** What a broker goes on with. */
export interface BegunGeneration {
  readonly name: string;
  readonly number: bigint;
  /** Folder of each shard of {@link AssignedPartition} and of `shards`, by name. */
  readonly folders: ReadonlyMap<string, string>;
  readonly recovered: Recovered;
}

/**
 * Recovers the data folder and makes a new generation of it the truth. `shards` begin even without partitions; the first of them inherits the
 * journal files of the generation before. Throws RecoveryError, DiskError.
 */
export function beginGeneration(
  disk: Disk,
  dataFolder: string,
  topicStatus: TopicStatus,
  partitions: readonly AssignedPartition[],
  shards: readonly string[],
  journalBytesMax: number,
): BegunGeneration {
  disk.mkdir(`${dataFolder}/topics`);
  const recovered = recover(disk, dataFolder, topicStatus);
  tidyPool(disk, dataFolder);
  const byShard = new Map<string, PartitionState[]>(shards.map((shard) => [shard, []]));
  for (const { topicId, partition, shard } of partitions) {
    const state = recovered.partitions.get(partitionKey(topicId, partition)) ?? emptyPartition(topicId, partition);
    const states = byShard.get(shard);
    if (states === undefined) byShard.set(shard, [state]);
    else states.push(state);
  }
  const name = newGenerationName();
  const begin = (): Map<string, string> => {
    const folders = new Map<string, string>();
    for (const [shard, states] of byShard) {
      const beginning = { shard, partitions: states.map((state) => ({ handle: -1, state, movedOut: false })) };
      folders.set(shard, beginShard(disk, dataFolder, name, beginning));
    }
    return folders;
  };
  let folders: Map<string, string>;
  try {
    folders = begin();
  } catch (error) {
    // A full disk must not keep a broker from starting: this is what the reserve is for.
    if (!isSpaceError(error) || !disk.exists(reservePath(dataFolder))) throw error;
    disk.removeTree(generationFolder(dataFolder, name));
    disk.unlink(reservePath(dataFolder));
    folders = begin();
  }
  switchGeneration(disk, dataFolder, name, folders.get(shards[0] as string) ?? null, journalBytesMax);
  return { name, number: generationNumber(name), folders, recovered };
}
