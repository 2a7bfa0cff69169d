/** What no log claims is moved aside, never deleted: folders (a missing metadata entry is not a tombstone), and what recovery cuts off. */
import { readFileIfPresent, type Disk } from './disk.ts';
import { quarantineFolder } from './layout.ts';
import { partitionKey, type PartitionState } from './partition-state.ts';
import type { RecoveryNote, TopicStatus } from './recovery-note.ts';

/**
 * Moves aside topic folders without metadata, and partition folders with segments of which neither checkpoint nor journal knows (a topic whose mode
 * does not survive the loss of power may lose the record of its birth). Such a partition starts empty.
 */
export function quarantineUnknownFolders(
  disk: Disk,
  dataFolder: string,
  topicStatus: TopicStatus,
  partitions: ReadonlyMap<string, PartitionState>,
  notes: RecoveryNote[],
): void {
  const topics = `${dataFolder}/topics`;
  for (const topicId of disk.list(topics)) {
    const status = topicStatus(topicId);
    if (status === 'unknown') {
      const target = moveAside(disk, dataFolder, topics, topicId, topicId);
      notes.push({ kind: 'quarantine', text: `${topics}/${topicId} belongs to no topic in the metadata; moved to ${target}` });
    }
    if (status !== 'known') continue;
    const folder = `${topics}/${topicId}`;
    for (const partition of disk.list(folder)) {
      if (partitions.has(partitionKey(topicId, Number(partition)))) continue;
      if (!disk.list(`${folder}/${partition}`).some((name) => name.endsWith('.log'))) continue;
      const target = moveAside(disk, dataFolder, folder, partition, `${topicId}-${partition}`);
      notes.push({
        kind: 'quarantine',
        text: `${folder}/${partition} has segments that no checkpoint or journal knows; moved to ${target}, the partition starts empty`,
      });
    }
  }
}

/** Copies what recovery cuts off a log, for whoever investigates; what an earlier cut at the same place left stays. Not synced. Throws DiskError. */
export function keepTail(disk: Disk, dataFolder: string, label: string, bytes: Buffer): void {
  const folder = quarantineFolder(dataFolder);
  disk.mkdir(folder);
  let path = `${folder}/${label}.tail`;
  for (let n = 1; disk.exists(path); n++) {
    // A start that was killed has copied it already, perhaps not all of it.
    const before = readFileIfPresent(disk, path);
    if (before !== null && bytes.subarray(0, before.length).equals(before)) break;
    path = `${folder}/${label}.${n}.tail`;
  }
  const target = disk.open(path, 'write');
  try {
    disk.write(target, [bytes], 0);
  } finally {
    disk.close(target);
  }
}

function moveAside(disk: Disk, dataFolder: string, parent: string, name: string, label: string): string {
  const quarantine = quarantineFolder(dataFolder);
  disk.mkdir(quarantine);
  disk.syncFolder(dataFolder);
  let target = `${quarantine}/${label}`;
  for (let n = 1; disk.exists(target); n++) target = `${quarantine}/${label}.${n}`;
  disk.rename(`${parent}/${name}`, target);
  disk.syncFolder(parent);
  disk.syncFolder(quarantine);
  return target;
}
