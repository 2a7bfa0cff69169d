/** Folders that no log claims: moved aside, never deleted. A missing metadata entry is not a tombstone. */
import type { Disk } from './disk.ts';
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
