/** Files in the folder of a partition that are no part of its log: a crash came before they were removed. */
import type { Disk } from '../../log/disk.ts';
import { partitionFolder, segmentName } from '../../log/layout.ts';
import type { PartitionState } from '../../log/partition-state.ts';
import { isLeftover } from '../../log/retire.ts';

/** Their names, ascending. The next start removes them. */
export function leftoversOf(disk: Disk, dataFolder: string, state: PartitionState): string[] {
  const names = new Set(state.segments.map(({ baseOffset, revision }) => segmentName(baseOffset, revision)));
  const firstOffset = state.segments[0]?.baseOffset ?? state.endOffset;
  const kept = { firstOffset, cleanedEnd: state.cleanedEnd ?? 0 };
  return disk
    .list(partitionFolder(dataFolder, state.topicId, state.partition))
    .filter((name) => isLeftover(name, names, kept))
    .toSorted();
}
