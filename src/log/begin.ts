/** From a data folder to a running generation: recovery, then fresh checkpoints and journals for the shards that go on with what was found. */
import { noteBegun } from './begun.ts';
import type { Disk } from './disk.ts';
import { beginShard, discardUnborn, generationNumber, newGenerationName, recycleGenerations, switchGeneration } from './generation.ts';
import { generationFolder } from './layout.ts';
import { emptyPartition, partitionKey, type PartitionState } from './partition-state.ts';
import { recover, type Recovered } from './recovery.ts';
import type { TopicStatus } from './recovery-note.ts';
import { tidyPool } from './retire.ts';
import { withRoom } from './room.ts';

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
 * Recovers the data folder and makes a new generation of it the truth. `shards` begin even without partitions. A full disk must not keep a broker from
 * starting: pool and reserve make room. Throws RecoveryError, DiskError.
 */
export function beginGeneration(
  disk: Disk,
  dataFolder: string,
  topicStatus: TopicStatus,
  partitions: readonly AssignedPartition[],
  shards: readonly string[],
  journalBytesMax: number,
  name = newGenerationName(),
): BegunGeneration {
  disk.mkdir(`${dataFolder}/topics`);
  // Until the switch everything may be begun anew. A start that recovery refuses changes nothing.
  const tidy = (): boolean => [discardUnborn(disk, dataFolder), tidyPool(disk, dataFolder)].some(Boolean);
  const owners = new Map(partitions.map(({ topicId, partition, shard }) => [partitionKey(topicId, partition), shard]));
  const recovered = withRoom(disk, dataFolder, () => recover(disk, dataFolder, topicStatus, owners), tidy);
  tidy();
  const byShard = new Map<string, PartitionState[]>(shards.map((shard) => [shard, []]));
  for (const { topicId, partition, shard } of partitions) {
    const state = recovered.partitions.get(partitionKey(topicId, partition)) ?? emptyPartition(topicId, partition);
    const states = byShard.get(shard);
    if (states === undefined) byShard.set(shard, [state]);
    else states.push(state);
  }
  const folders = withRoom(disk, dataFolder, () => {
    disk.removeTree(generationFolder(dataFolder, name));
    const begun = new Map<string, string>();
    for (const [shard, states] of byShard) {
      const beginning = { shard, partitions: states.map((state) => ({ handle: -1, state, movedOut: false })) };
      begun.set(shard, beginShard(disk, dataFolder, name, beginning));
    }
    noteBegun(disk, generationFolder(dataFolder, name), begun.keys());
    return begun;
  });
  withRoom(disk, dataFolder, () => switchGeneration(disk, dataFolder, name));
  const left = recycleGenerations(disk, dataFolder, name, [...folders.values()], journalBytesMax);
  return { name, number: generationNumber(name), folders, recovered: { ...recovered, notes: [...recovered.notes, ...left] } };
}
