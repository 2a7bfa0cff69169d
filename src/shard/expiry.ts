/** What of a log is too old or too much, as Kafka judges it, segment by segment from the oldest on. Pure. */
import { NO_SEGMENT } from '../log/journal-layout.ts';
import type { PartitionConfig, PartitionState, SegmentState } from '../log/partition-state.ts';

/** Most segments that leave a log in one step. */
const SEGMENTS_MAX = 64;

/** Where a log is to begin. */
export interface NewStart {
  readonly offset: number;
  /** Base offset of the first segment that stays, or NO_SEGMENT. */
  readonly firstSegment: number;
}

/**
 * The new start of a log, or null when all of it stays. A segment goes if
 * - it lies wholly below the log start already, or
 * - its newest record is older than `retention.ms` (records without a time count as written when their file was: `modifiedMs`), or
 * - without it the log still has `retention.bytes`.
 *
 * The active segment never goes for its size. If it is too old or wholly deleted it goes last, and the next append begins another.
 */
export function expiredPart(
  state: Pick<PartitionState, 'segments' | 'logStartOffset' | 'endOffset'>,
  config: Pick<PartitionConfig, 'retentionMs' | 'retentionBytes'>,
  nowMs: number,
  modifiedMs: (segment: SegmentState) => number,
): NewStart | null {
  const { segments, logStartOffset } = state;
  const last = segments.length - 1;
  let bytes = 0;
  for (const segment of segments) bytes += segment.endPosition;
  const isOver = (segment: SegmentState): boolean => {
    if (segment.endOffset <= logStartOffset) return true;
    if (config.retentionMs === Infinity) return false;
    const newestMs = segment.maxTimestamp >= 0 ? segment.maxTimestamp : modifiedMs(segment);
    return nowMs - newestMs > config.retentionMs;
  };
  let gone = 0;
  for (; gone < last && gone < SEGMENTS_MAX; gone++) {
    const segment = segments[gone] as SegmentState;
    if (!isOver(segment) && bytes - config.retentionBytes < segment.endPosition) break;
    bytes -= segment.endPosition;
  }
  const kept = segments[gone];
  if (kept === undefined) return null;
  if (gone === last && kept.endPosition > 0 && isOver(kept)) return { offset: state.endOffset, firstSegment: NO_SEGMENT };
  return gone === 0 ? null : { offset: Math.max(logStartOffset, kept.baseOffset), firstSegment: kept.baseOffset };
}
