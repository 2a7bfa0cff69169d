/**
 * Walks the batches in bytes read from a segment and decides how many of them may be served. Judges bytes from a disk, so nothing here throws: what does
 * not fit is damage.
 *
 * A batch fits when its header is possible, its base offset is the one expected (offsets are dense at append, and the base offset lies outside of the
 * CRC, so this is the only guard against a flipped bit in it), it ends within the segment in bytes and in offsets, and, where asked for, its CRC is right.
 */
import { isBatchCrcValid } from '../protocol/crc32c.ts';
import { BATCH_HEADER_BYTES, baseOffset, batchBytes, lastOffsetDelta, MAGIC, magic, recordCount } from '../protocol/record-batch.ts';
import type { SegmentView } from './segment-view.ts';

/**
 * Bytes of the batch at `at`, which lies at `position` of `segment`; 0 when its header cannot be one of a batch with base offset `expectedOffset`.
 * The caller has made sure that {@link BATCH_HEADER_BYTES} bytes are there.
 */
export function checkStoredHeader(bytes: Buffer, at: number, position: number, expectedOffset: number, segment: SegmentView): number {
  const length = batchBytes(bytes, at);
  if (length < BATCH_HEADER_BYTES || position + length > segment.endPosition) return 0;
  if (magic(bytes, at) !== MAGIC || baseOffset(bytes, at) !== expectedOffset) return 0;
  const delta = lastOffsetDelta(bytes, at);
  if (delta < 0 || expectedOffset + delta >= segment.endOffset) return 0;
  return length;
}

/** Result of a walk; reused, so read it before the next one. */
export class BatchWalk {
  /** Bytes of whole batches that may be served. */
  validBytes = 0;
  /** Offset behind the last of them. */
  nextOffset = 0;
  /** The walk ended at a batch that does not fit, at `validBytes`. */
  damaged = false;
  /** Any of them has records. */
  hasRecords = false;
  /** Bytes of the first batch, as its header says; 0 when the header did not fit or was not there. */
  firstBatchBytes = 0;

  /**
   * Walks `bytes[start, start + length)`, which lie at `position` of `segment` and begin with the batch of base offset `expectedOffset`. Stops before
   * a batch that reaches `limitOffset`. With `verify`, CRCs are computed. An incomplete batch at the end is no damage unless the segment ends there.
   *
   * Batches without records, which compaction has left there, are no answer alone while the segment goes on: they count as part of the batch that
   * follows. (Some clients take an answer without records for the end of the log.)
   */
  run(
    bytes: Buffer,
    start: number,
    length: number,
    position: number,
    expectedOffset: number,
    limitOffset: number,
    segment: SegmentView,
    verify: boolean,
  ): void {
    this.validBytes = 0;
    this.nextOffset = expectedOffset;
    this.damaged = false;
    this.firstBatchBytes = 0;
    this.hasRecords = false;
    const end = Math.min(length, segment.endPosition - position);
    let walked = 0;
    while (end - walked >= BATCH_HEADER_BYTES) {
      const at = start + walked;
      const size = checkStoredHeader(bytes, at, position + walked, this.nextOffset, segment);
      if (size === 0) break;
      if (walked === 0) this.firstBatchBytes = size;
      const next = this.nextOffset + lastOffsetDelta(bytes, at) + 1;
      if (next > limitOffset) return;
      if (size > end - walked) {
        // The length is damaged: no memory for it.
        if (segment.index?.hasWithin(position + walked, size) === true) break;
        return this.needMore(walked + size);
      }
      if (verify && !isBatchCrcValid(bytes, at)) break;
      walked += size;
      this.hasRecords ||= recordCount(bytes, at) !== 0;
      this.validBytes = walked;
      this.nextOffset = next;
    }
    // Less than a header left: damage only if the segment has no more bytes to complete it. Otherwise the header itself did not fit.
    const rest = end - walked;
    this.damaged = rest >= BATCH_HEADER_BYTES || (rest > 0 && position + length >= segment.endPosition);
    if (!this.damaged && position + walked < segment.endPosition) this.needMore(walked + BATCH_HEADER_BYTES);
  }

  /** The bytes end within a batch that ends at `bytes`, or later. */
  private needMore(bytes: number): void {
    if (this.hasRecords || this.validBytes === 0) return;
    this.validBytes = 0;
    this.firstBatchBytes = bytes;
  }
}
