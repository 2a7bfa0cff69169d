/**
 * A data folder without its broker: takes its lock, so that none starts meanwhile, reads its topics, and lets recovery find out what each partition holds, without
 * changing a log.
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { EmbeddedMetadataStore } from '../../cluster/embedded-metadata-store.ts';
import { TopicCatalog } from '../../cluster/topic-catalog.ts';
import { checkFormat, IDENTITY_NAME, readIdentity } from '../../config/data-folder.ts';
import { lockFolder } from '../../config/lock.ts';
import { UserError } from '../../lib/user-error.ts';
import { DiskError } from '../../log/disk.ts';
import { RecoveryError } from '../../log/generation.ts';
import { NodeDisk } from '../../log/node-disk.ts';
import { emptyPartition, partitionKey, type PartitionState } from '../../log/partition-state.ts';
import { recover } from '../../log/recovery.ts';
import type { RecoveryNote } from '../../log/recovery-note.ts';
import { OverlayDisk } from './overlay-disk.ts';

/** A topic and the state of its partitions, by number. */
export interface StoredTopic {
  readonly name: string;
  readonly topicId: string;
  readonly partitions: readonly PartitionState[];
}

export interface OfflineFolder {
  readonly path: string;
  /** With what recovery would have written. */
  readonly disk: OverlayDisk;
  /** The broker was stopped in order. */
  readonly clean: boolean;
  readonly topics: readonly StoredTopic[];
  /** What recovery has to say. */
  readonly notes: readonly RecoveryNote[];
  /** Folders of topics that the metadata does not know. */
  readonly strangers: readonly string[];
}

/** Opens a folder, does the work, and lets go of the folder. Throws {@link UserError} where a broker has it, or there is no data, or recovery refuses. */
export async function withFolder<T>(path: string, work: (folder: OfflineFolder) => Promise<T>): Promise<T> {
  const folder = resolve(path);
  if (!existsSync(folder)) throw new UserError(`There is no folder ${folder} (--data-dir).`);
  if (!existsSync(join(folder, IDENTITY_NAME)))
    throw new UserError(
      `${folder} is no data folder: it has no ${IDENTITY_NAME}. Give the folder that "ringlog start" was given (--data-dir).`,
    );
  const lock = await lockFolder(folder);
  try {
    return await work(await open(folder));
  } catch (error) {
    if (error instanceof RecoveryError || error instanceof DiskError) throw new UserError(error.message, { cause: error });
    throw error;
  } finally {
    await lock.release();
  }
}

async function open(path: string): Promise<OfflineFolder> {
  const identity = readIdentity(path);
  if (identity !== undefined) checkFormat(path, identity);
  const nodeId = identity?.nodeId ?? -1;
  const store = await EmbeddedMetadataStore.open(join(path, 'meta'));
  const catalog = await TopicCatalog.load(store, { nodeId });
  try {
    const topics = [...catalog.topics()];
    const known = new Set(topics.map(({ topicId }) => topicId));
    const deleted = new Set([...catalog.tombstones()].map(({ topicId }) => topicId));
    const disk = new OverlayDisk(new NodeDisk());
    // A start moves folders of unknown topics aside. Here they stay, and are told of.
    const { clean, partitions, notes } = recover(disk, path, (topicId) => (known.has(topicId) ? 'known' : 'deleted'));
    const stored = topics.map(({ name, topicId, partitionCount }) => ({
      name,
      topicId,
      partitions: Array.from({ length: partitionCount }, (_, n) => partitions.get(partitionKey(topicId, n)) ?? emptyPartition(topicId, n)),
    }));
    const strangers = disk.list(`${path}/topics`).filter((topicId) => !known.has(topicId) && !deleted.has(topicId));
    return { path, disk, clean, topics: stored.toSorted((a, b) => (a.name < b.name ? -1 : 1)), notes, strangers };
  } finally {
    await catalog.close();
    await store.close();
  }
}
