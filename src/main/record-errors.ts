/** How records that made their batch be refused are named to the client (KIP-467). */
import type { TimedRecord } from '../protocol/batch-refusal.ts';
import type { RecordError } from '../protocol/produce-response.ts';

/** Records of one batch that are named. */
export const RECORDS_NAMED_MAX = 100;
/** And of one request, whose batches may be many and small. */
export const REQUEST_RECORDS_NAMED_MAX = 1000;

/** Names a record whose bytes are none, or that has no key where it must have one. */
export function malformedRecord(index: number): RecordError {
  return {
    batchIndex: index,
    message: `Record ${index} is malformed: its length, its offset delta, or the length of one of its fields is wrong, or it has no key, which compacted topics require.`,
  };
}

/** Names records whose times are not between `min` and `max`, ms. */
export function untimelyRecords(records: readonly TimedRecord[], min: number, max: number): RecordError[] {
  return records.map(({ index, timestamp }) => ({
    batchIndex: index,
    message: `Timestamp ${timestamp} of record ${index} is out of range: ${rangeText(min, max)}.`,
  }));
}

/** Between which times a timestamp must be, ms; `Infinity`: no limit. */
export function rangeText(min: number, max: number): string {
  if (min === -Infinity) return `it must be at most ${max}`;
  return max === Infinity ? `it must be at least ${min}` : `it must be within [${min}, ${max}]`;
}
