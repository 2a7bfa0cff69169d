/** Cutting a partition's log so that a given offset becomes the next one. */
import { DiskError, type Disk } from './disk.ts';
import { readBatchHead } from './batch-reader.ts';
import { segmentPath } from './layout.ts';
import type { LogState, SegmentState } from './partition-state.ts';

/** What a truncation leaves and what it takes away. */
export interface TruncationPlan {
  readonly state: LogState;
  /** Segments that no longer belong to the log, ascending. */
  readonly removed: readonly SegmentState[];
}

/**
 * Plans the cut of `state` at `endOffset` (below its end, not below its log start). Batches are whole or gone: the new end is `endOffset` or, if
 * that falls inside a batch, the base offset of that batch; if that one lies below the log start, nothing is left and the log goes on at its start.
 * Changes nothing. Throws DiskError (`EBADMSG` where the log cannot be walked).
 */
export function planTruncation(disk: Disk, dataFolder: string, state: LogState, endOffset: number): TruncationPlan {
  const kept = state.segments.filter((segment) => segment.baseOffset < endOffset).map((segment) => ({ ...segment }));
  const removed = state.segments.filter((segment) => segment.baseOffset >= endOffset);
  const last = kept[kept.length - 1];
  let end = endOffset;
  if (last !== undefined && last.endOffset > endOffset) {
    const path = segmentPath(dataFolder, state.topicId, state.partition, last.baseOffset, last.revision);
    const fd = disk.open(path, 'read');
    try {
      let position = 0;
      let timestamp = -1;
      for (;;) {
        const head = readBatchHead(disk, fd, position, last.endPosition);
        if (head === null) throw new DiskError('EBADMSG', `walk to offset ${endOffset} in`, path);
        if (head.lastOffset >= endOffset) {
          end = Math.min(end, head.baseOffset);
          break;
        }
        timestamp = Math.max(timestamp, head.maxTimestamp);
        position += head.bytes;
      }
      last.endPosition = position;
      last.endOffset = end;
      last.maxTimestamp = timestamp;
    } finally {
      disk.close(fd);
    }
  }
  if (end < state.logStartOffset) return { state: cutState(state, [], state.logStartOffset), removed: state.segments };
  return { state: cutState(state, kept, end), removed };
}

/** The state with the segments `kept` and `end` as its next offset; epochs and damage beyond are dropped. */
function cutState(state: LogState, kept: SegmentState[], end: number): LogState {
  return {
    ...state,
    endOffset: end,
    // Nothing of what was secured is ever cut, so neither is anything compacted; but an offset that is given out anew is new.
    ...(state.cleanedEnd === undefined ? {} : { cleanedEnd: Math.min(state.cleanedEnd, end) }),
    segments: kept,
    epochs: state.epochs.filter((epoch) => epoch.startOffset < end),
    damaged: state.damaged.filter((range) => range.from < end).map((range) => ({ from: range.from, to: Math.min(range.to, end) })),
  };
}
