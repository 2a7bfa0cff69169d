/**
 * When a durable journal group is damaged, the partitions it spoke of are not known. A later group of the same partition shows the gap; for a
 * partition without one, this looks at the segment behind the known end: an intact chain of batches that continues the log exactly is evidence
 * that offsets were given out. They are never served (no journal vouches for them), but never given out again either.
 */
import { readBatchHead, readIntactBatch } from './batch-reader.ts';
import { DiskError, type Disk } from './disk.ts';
import { segmentPath } from './layout.ts';
import type { RecoveryNote } from './recovery-note.ts';
import type { ReplayedPartition } from './replay.ts';

/** Marks the offsets that follow the partition's end and were probably acknowledged as damaged. */
export function extendOverLostTail(
  disk: Disk,
  dataFolder: string,
  replayed: ReplayedPartition,
  missing: readonly number[],
  notes: RecoveryNote[],
): void {
  const { state } = replayed;
  const segment = state.segments[state.segments.length - 1];
  if (replayed.movedOut || segment === undefined || replayed.lastSequence > (missing[missing.length - 1] as number)) return;
  let fd: number;
  try {
    fd = disk.open(segmentPath(dataFolder, state.topicId, state.partition, segment.baseOffset), 'read');
  } catch (error) {
    if (error instanceof DiskError && error.code === 'ENOENT') return;
    throw error;
  }
  try {
    const from = state.endOffset;
    const epoch = state.epochs[state.epochs.length - 1]?.epoch ?? 0;
    for (;;) {
      const head = readBatchHead(disk, fd, segment.endPosition, disk.size(fd));
      if (head === null || head.baseOffset !== state.endOffset || head.leaderEpoch < epoch) break;
      if (readIntactBatch(disk, fd, segment.endPosition, head.bytes) === null) break;
      segment.endPosition += head.bytes;
      state.endOffset = segment.endOffset = head.lastOffset + 1;
    }
    if (state.endOffset === from) return;
    state.damaged.push({ from, to: state.endOffset });
    notes.push({
      kind: 'corruption',
      text: `${state.topicId}/${state.partition}: offsets ${from} to ${state.endOffset - 1} were probably in a damaged journal group; refused, not given out again`,
    });
  } finally {
    disk.close(fd);
  }
}
