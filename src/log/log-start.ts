/**
 * The start of a log moves up: its oldest records are deleted, by age, by size or because a client asked. The same bookkeeping for a shard and for
 * the replay of its journal. Pure.
 */
import { assert } from '../lib/assert.ts';
import { NO_SEGMENT } from './journal-layout.ts';
import type { LogState, PartitionState, SegmentState } from './partition-state.ts';

/**
 * Makes `offset` the first offset of the log and takes the segments before `firstSegment` (a base offset or {@link NO_SEGMENT}) out of it. Returns them,
 * ascending. All leader epochs go but the one that holds the new start. Damage goes with its segment: whoever follows the batches of the first segment has to
 * get past it, whether its records are deleted or not.
 */
export function raiseLogStart(state: LogState, offset: number, firstSegment: number): SegmentState[] {
  assert(offset >= state.logStartOffset && offset <= state.endOffset, `log start ${offset} outside of the log`);
  state.logStartOffset = offset;
  const epoch = state.epochs.findLast((start) => start.startOffset <= offset);
  if (epoch !== undefined)
    state.epochs = [{ epoch: epoch.epoch, startOffset: offset }, ...state.epochs.filter((start) => start.startOffset > offset)];
  const kept = firstSegment === NO_SEGMENT ? -1 : state.segments.findIndex((segment) => segment.baseOffset >= firstSegment);
  const retired = state.segments.splice(0, kept < 0 ? state.segments.length : kept);
  // A range above the log start stays refused, also where no segment holds its offsets any more.
  const from = Math.min(offset, state.segments[0]?.baseOffset ?? offset);
  state.damaged = state.damaged.filter((range) => range.to > from);
  return retired;
}

/** Base offset of the first segment that a log still needs when it starts at `offset`. The active segment always stays. */
export function firstSegmentAt(state: Pick<PartitionState, 'segments'>, offset: number): number {
  const { segments } = state;
  const needed = segments.find((segment, i) => i === segments.length - 1 || segment.endOffset > offset);
  return needed === undefined ? NO_SEGMENT : needed.baseOffset;
}
