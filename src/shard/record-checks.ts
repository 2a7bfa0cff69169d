/**
 * What a shard judges of the records of a batch before it takes it: those of an uncompressed one are walked; of a compressed one only the header is known
 * here, which main has had checked against the records where the topic wants that.
 */
import { crc32cAt } from '../protocol/crc32c.ts';
import { ErrorCode } from '../protocol/errors.ts';
import { BATCH_HEADER_BYTES, baseTimestamp, Compression, compression, maxTimestamp, setMaxTimestamp } from '../protocol/record-batch.ts';
import { RecordWalk } from '../protocol/record-walk.ts';
import type { PartitionConfig } from '../log/partition-state.ts';

const NO_TIMESTAMP = -1;

/** See the file header. */
export class RecordChecks {
  private readonly walk = new RecordWalk();

  /** Index of the record for which {@link check} refused a batch, once; -1: for none. */
  takeBadRecord(): number {
    const { badRecord } = this.walk;
    this.walk.badRecord = -1;
    return badRecord;
  }

  /**
   * Judges the records of the batch of `length` bytes at `position`, whose header and CRC are right.
   * @returns an error code: NONE, INVALID_RECORD, or INVALID_TIMESTAMP for times too far from `nowMs` (where they count: not where the broker gives its own)
   */
  check(slab: Buffer, position: number, length: number, config: PartitionConfig, nowMs: number): ErrorCode {
    let first = baseTimestamp(slab, position);
    let last = maxTimestamp(slab, position);
    if (compression(slab, position) === Compression.NONE) {
      const malformed = this.walk.walk(slab, position, slab, position + BATCH_HEADER_BYTES, position + length, config.compaction !== null);
      if (malformed !== ErrorCode.NONE) return malformed;
      first = this.walk.timestampMin;
      const largest = this.walk.timestampMax;
      // Retention and look-ups by time go by the header: a wrong one is put right, as Kafka does. Numbers that are not exact are left alone.
      if (largest !== last && Number.isSafeInteger(largest) && config.timestampType === 'CreateTime')
        setMaxTimestamp(slab, position, largest, crc32cAt);
      last = largest;
    }
    if (config.timestampType !== 'CreateTime') return ErrorCode.NONE;
    const tooEarly = first !== NO_TIMESTAMP && nowMs - first > config.timestampBeforeMsMax;
    const tooLate = last !== NO_TIMESTAMP && last - nowMs > config.timestampAfterMsMax;
    return tooEarly || tooLate ? ErrorCode.INVALID_TIMESTAMP : ErrorCode.NONE;
  }
}
