/**
 * When a durable journal group is damaged, the partitions it spoke of are not known. A later group of the same partition shows the gap; for a
 * partition without one, this looks at the segments behind the known end: an intact chain of batches that continues the log exactly is evidence
 * that offsets were given out. They are never served (no journal vouches for them), but never given out again either.
 */
import { readBatchHead, readIntactBatch } from './batch-reader.ts';
import { DiskError, type Disk } from './disk.ts';
import { partitionFolder, segmentOffset, segmentPath } from './layout.ts';
import { emptyPartition, partitionKey, type PartitionState, type SegmentState } from './partition-state.ts';
import type { RecoveryNote } from './recovery-note.ts';

/** Marks the offsets that follow the partition's end and were probably acknowledged as damaged. Returns whether there are any. */
export function extendOverLostTail(disk: Disk, dataFolder: string, state: PartitionState, notes: RecoveryNote[]): boolean {
  const from = state.endOffset;
  const known = state.segments[state.segments.length - 1];
  if (known !== undefined) follow(disk, dataFolder, state, known);
  // The damaged group may also have begun segments; where none is known, the one in which a new start of the log lies.
  const bases = segmentOffsets(disk, dataFolder, state);
  const around = state.segments.length === 0 ? bases.findLast((baseOffset) => baseOffset < from) : undefined;
  for (const baseOffset of bases) {
    const isNext = baseOffset === state.endOffset && baseOffset !== known?.baseOffset;
    if (!isNext && baseOffset !== around) continue;
    follow(disk, dataFolder, state, begin(state, baseOffset));
    if (!isNext && state.endOffset === from) state.segments.pop();
  }
  if (state.endOffset > from) refuse(state, from, notes);
  return state.endOffset > from;
}

/**
 * The state of a partition that a damaged group may have been the only one to tell of; null if no batch of it is found. All its offsets are refused: its files
 * stay where they are, for whoever investigates.
 */
export function adoptLostPartition(
  disk: Disk,
  dataFolder: string,
  topicId: string,
  partition: number,
  notes: RecoveryNote[],
): PartitionState | null {
  const state = emptyPartition(topicId, partition);
  const bases = segmentOffsets(disk, dataFolder, state);
  state.logStartOffset = state.endOffset = bases[0] ?? 0;
  for (const baseOffset of bases) {
    if (baseOffset < state.endOffset) continue;
    state.endOffset = baseOffset;
    follow(disk, dataFolder, state, begin(state, baseOffset));
  }
  if (state.endOffset === state.logStartOffset) return null;
  refuse(state, state.logStartOffset, notes);
  return state;
}

function begin(state: PartitionState, baseOffset: number): SegmentState {
  const segment: SegmentState = { baseOffset, endOffset: baseOffset, endPosition: 0, maxTimestamp: -1, capacity: 0 };
  state.segments.push(segment);
  return segment;
}

/** Moves the end of the log over what follows in its last segment, if that reaches beyond. Offsets between the two are refused already. */
function follow(disk: Disk, dataFolder: string, state: PartitionState, segment: SegmentState): void {
  let fd: number;
  try {
    fd = disk.open(segmentPath(dataFolder, state.topicId, state.partition, segment.baseOffset, segment.revision), 'read');
  } catch (error) {
    if (error instanceof DiskError && error.code === 'ENOENT') return;
    throw error;
  }
  try {
    const epoch = state.epochs[state.epochs.length - 1]?.epoch ?? 0;
    let { endOffset, endPosition } = segment;
    for (;;) {
      const head = readBatchHead(disk, fd, endPosition, disk.size(fd));
      if (head === null || head.baseOffset !== endOffset || head.leaderEpoch < epoch) break;
      if (readIntactBatch(disk, fd, endPosition, head.bytes) === null) break;
      endPosition += head.bytes;
      endOffset = head.lastOffset + 1;
    }
    if (endOffset <= state.endOffset) return;
    segment.endPosition = endPosition;
    state.endOffset = segment.endOffset = endOffset;
  } finally {
    disk.close(fd);
  }
}

function refuse(state: PartitionState, from: number, notes: RecoveryNote[]): void {
  state.damaged.push({ from, to: state.endOffset });
  const range = `offsets ${from} to ${state.endOffset - 1}`;
  const text = `${partitionKey(state.topicId, state.partition)}: ${range} were probably in a damaged journal group; refused, not given out again`;
  notes.push({ kind: 'corruption', text });
}

/** Base offsets of the segment files of a partition, ascending. */
function segmentOffsets(disk: Disk, dataFolder: string, { topicId, partition }: PartitionState): number[] {
  return disk
    .list(partitionFolder(dataFolder, topicId, partition))
    .map(segmentOffset)
    .filter((offset) => offset >= 0);
}
