/**
 * Segments of a log give way to what compaction made of them: the same bookkeeping for a shard and for the replay of its journal. Pure.
 *
 * A replacement is sound by itself, and so is the first part of several: where a record goes, one of its key stays behind it, and a tombstone goes only together with or
 * after everything older of its key.
 */
import type { LogState, SegmentState } from './partition-state.ts';

/**
 * Puts the segments `by`, ascending, each into the place of those that begin within its offsets. Returns the ones that are not part of the log any more. One that
 * replaces nothing is left out: its records left the log meanwhile.
 */
export function replaceSegments(state: LogState, by: readonly SegmentState[], cleanedEnd: number): SegmentState[] {
  const replaced: SegmentState[] = [];
  for (const segment of by) {
    const at = state.segments.findIndex(({ baseOffset }) => baseOffset >= segment.baseOffset);
    if (at < 0 || state.segments[at]?.baseOffset !== segment.baseOffset) continue;
    const after = state.segments.findIndex(({ baseOffset }) => baseOffset >= segment.endOffset);
    replaced.push(...state.segments.splice(at, (after < 0 ? state.segments.length : after) - at, { ...segment }));
  }
  // A damaged journal group may have had the records; the new segment shows that they were.
  state.endOffset = Math.max(state.endOffset, state.segments.at(-1)?.endOffset ?? 0);
  state.cleanedEnd = Math.max(state.cleanedEnd ?? 0, cleanedEnd);
  return replaced;
}
