/** Topic folders without metadata: moved aside, never deleted. A missing entry is not a tombstone. */
import type { Disk } from './disk.ts';
import { quarantineFolder } from './layout.ts';
import type { RecoveryNote, TopicStatus } from './recovery-note.ts';

export function quarantineUnknownFolders(disk: Disk, dataFolder: string, topicStatus: TopicStatus, notes: RecoveryNote[]): void {
  const topics = `${dataFolder}/topics`;
  const quarantine = quarantineFolder(dataFolder);
  for (const topicId of disk.list(topics)) {
    if (topicStatus(topicId) !== 'unknown') continue;
    disk.mkdir(quarantine);
    disk.syncFolder(dataFolder);
    let target = `${quarantine}/${topicId}`;
    for (let n = 1; disk.exists(target); n++) target = `${quarantine}/${topicId}.${n}`;
    disk.rename(`${topics}/${topicId}`, target);
    disk.syncFolder(topics);
    disk.syncFolder(quarantine);
    notes.push({ kind: 'quarantine', text: `${topics}/${topicId} belongs to no topic in the metadata; moved to ${target}` });
  }
}
