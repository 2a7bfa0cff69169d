/** Walks the batches of a stored partition from its first offset to its end, and says of each whether it is what it should be. */
import { readBatchHead, readIntactBatch, type BatchHead } from '../../log/batch-reader.ts';
import { DiskError, type Disk } from '../../log/disk.ts';
import { segmentPath } from '../../log/layout.ts';
import type { PartitionState, SegmentState } from '../../log/partition-state.ts';

/** A batch as it lies in its file. */
export interface StoredBatch {
  readonly kind: 'batch';
  readonly head: BatchHead;
  readonly path: string;
  readonly position: number;
  /** The whole batch. */
  readonly bytes: Buffer;
}

/** Something that is not as it should be. */
export interface Flaw {
  readonly kind: 'flaw';
  readonly path: string;
  readonly position: number;
  readonly text: string;
}

/**
 * Batches and flaws, in the order in which they lie.
 * @param from batches before this offset are passed over
 */
export function* walkPartition(
  disk: Disk,
  dataFolder: string,
  state: PartitionState,
  from = state.logStartOffset,
): Generator<StoredBatch | Flaw> {
  let expected = state.segments[0]?.baseOffset ?? state.logStartOffset;
  for (const segment of state.segments) {
    const path = segmentPath(dataFolder, state.topicId, state.partition, segment.baseOffset, segment.revision);
    if (segment.baseOffset > expected && segment.baseOffset > state.logStartOffset && !isRefused(state, expected, segment.baseOffset))
      yield { kind: 'flaw', path, position: 0, text: `offsets ${expected} to ${segment.baseOffset - 1} are in no segment` };
    if (segment.endOffset > from || segment.endOffset === segment.baseOffset) yield* walkSegment(disk, path, state, segment, from);
    expected = segment.endOffset;
  }
  if (expected !== state.endOffset && !isRefused(state, expected, state.endOffset) && state.segments.length > 0)
    yield { kind: 'flaw', path: '', position: 0, text: `the log should end at offset ${state.endOffset} and ends at ${expected}` };
}

function* walkSegment(disk: Disk, path: string, state: PartitionState, segment: SegmentState, from: number): Generator<StoredBatch | Flaw> {
  if (segment.endPosition === 0) return;
  let fd: number;
  try {
    fd = disk.open(path, 'read');
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    if (!isRefused(state, segment.baseOffset, segment.endOffset))
      yield { kind: 'flaw', path, position: 0, text: `cannot be opened: ${error.code}` };
    return;
  }
  try {
    let expected = segment.baseOffset;
    /** What follows leads to the end of the segment: its gaps are this log's. */
    let isTied = false;
    for (let position = 0; position < segment.endPosition;) {
      const head = readBatchHead(disk, fd, position, segment.endPosition);
      if (head !== null && head.baseOffset !== expected) isTied ||= leadsToEnd(disk, fd, position, expected, state, segment);
      const isNext = head !== null && (head.baseOffset === expected || isTied);
      if (!isNext || head.lastOffset >= segment.endOffset) {
        if (!isRefused(state, expected, segment.endOffset))
          yield {
            kind: 'flaw',
            path,
            position,
            text: `there should be the batch with offset ${expected}, and there is none; offsets to ${segment.endOffset - 1} cannot be read`,
          };
        return;
      }
      if (head.lastOffset >= from) {
        const bytes = readIntactBatch(disk, fd, position, head.bytes);
        if (bytes !== null) yield { kind: 'batch', head, path, position, bytes };
        else if (!isRefused(state, head.baseOffset, head.lastOffset + 1))
          yield {
            kind: 'flaw',
            path,
            position,
            text: `the checksum of the batch with offsets ${head.baseOffset} to ${head.lastOffset} does not fit`,
          };
      }
      expected = head.lastOffset + 1;
      position += head.bytes;
    }
  } finally {
    disk.close(fd);
  }
}

/**
 * Whether batches follow each other from `position` and offset `expected` to just the end of the segment. Offsets may be missing that were given out and never written:
 * then exactly those are refused. Any other gap is none of this log, but of the one before in the same file, and so may be the first that fits.
 */
function leadsToEnd(
  disk: Disk,
  fd: number,
  position: number,
  expected: number,
  { damaged }: PartitionState,
  segment: SegmentState,
): boolean {
  const behindGap = (offset: number): number => damaged.reduce((next, { from, to }) => (from === next ? to : next), offset);
  while (position < segment.endPosition) {
    const head = readBatchHead(disk, fd, position, segment.endPosition);
    if (head === null || (head.baseOffset !== expected && head.baseOffset !== behindGap(expected))) return false;
    expected = head.lastOffset + 1;
    position += head.bytes;
  }
  // It may have been cut within a gap.
  return expected === segment.endOffset || (expected < segment.endOffset && behindGap(expected) >= segment.endOffset);
}

/** Known to be damaged, and refused to readers: the state says so itself, and whoever reports has it from there. */
function isRefused({ damaged }: PartitionState, from: number, to: number): boolean {
  return damaged.some((range) => range.from <= from && to <= range.to);
}
