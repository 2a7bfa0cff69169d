/**
 * Says in words what is wrong with a produced batch that was refused, for the people behind its producer. Only ever called for a batch that was; what
 * refuses it is `checkBatchHeader` and `RecordWalk`. Pure.
 */
import {
  batchBytes,
  BATCH_HEADER_BYTES,
  baseOffset,
  baseSequence,
  baseTimestamp,
  compression,
  Compression,
  isControl,
  isLogAppendTime,
  isTransactional,
  lastOffsetDelta,
  MAGIC,
  MAGIC_POSITION,
  magic,
  producerId,
  recordCount,
  recordCountMax,
} from './record-batch.ts';
import type { Cursor } from './skip.ts';
import { readVarint, readVarlong, VARINT_BAD } from './varint.ts';

/** Why `checkBatchHeader` refuses the batch of `length` bytes at `position` of a producer, as a sentence; null when it does not. In its order. */
export function whyHeaderRefused(buffer: Buffer, position: number, length: number): string | null {
  if (length <= 0) return 'There is no batch; a partition of a request has exactly one.';
  if (length <= MAGIC_POSITION) return `The batch has ${length} bytes; its header alone has ${BATCH_HEADER_BYTES}.`;
  const format = magic(buffer, position);
  if (format !== MAGIC) return `The batch is of format ${format}; only format ${MAGIC} is served.`;
  if (length < BATCH_HEADER_BYTES) return `The batch has ${length} bytes; its header alone has ${BATCH_HEADER_BYTES}.`;
  const bytes = batchBytes(buffer, position);
  if (bytes < BATCH_HEADER_BYTES || bytes > length) return `The length field says that the batch has ${bytes} bytes; ${length} came.`;
  if (bytes < length) return `${length - bytes} bytes follow the batch; a partition of a request has exactly one batch.`;
  if (isControl(buffer, position)) return 'The batch says that it is a control batch; only a broker writes those.';
  if (isLogAppendTime(buffer, position)) return 'The batch says that its timestamps are of LogAppendTime; only a broker says so.';
  const codec = compression(buffer, position);
  if (codec > Compression.ZSTD) return `The batch is compressed with codec ${codec}, which is none; 0 to ${Compression.ZSTD} are.`;
  const base = baseOffset(buffer, position);
  if (base !== 0) return `The batch has base offset ${base}; a producer sends 0.`;
  const count = recordCount(buffer, position);
  const delta = lastOffsetDelta(buffer, position);
  if (count <= 0 || count !== delta + 1)
    return `The batch says that it has ${count} records and last offset delta ${delta}; it must have records, and the delta is one less than their number.`;
  const most = recordCountMax(buffer, position);
  if (count > most) return `The batch says that it has ${count} records; its bytes can hold ${most} at most.`;
  const id = producerId(buffer, position);
  const sequence = baseSequence(buffer, position);
  if (id >= 0 && sequence < 0) return `The batch of producer id ${id} has sequence number ${sequence}; it must be 0 or more.`;
  if (id < 0 && isTransactional(buffer, position)) return 'The batch is transactional and has no producer id.';
  return null;
}

/** A record and its time, ms. */
export interface TimedRecord {
  readonly index: number;
  readonly timestamp: number;
}

/**
 * Names the records in records[start, end) of the batch whose header is at `position` of `header` that are older than `min` or younger than `max`, ms. They
 * were walked before (RecordWalk) and are right; those without a timestamp have none that could be wrong.
 * @param namedMax as many are named, at most @param lookedAtMax and as many looked at
 */
export function findTimestampsOutside(
  header: Buffer,
  position: number,
  records: Uint8Array,
  start: number,
  end: number,
  min: number,
  max: number,
  namedMax: number,
  lookedAtMax: number,
): TimedRecord[] {
  const found: TimedRecord[] = [];
  const base = baseTimestamp(header, position);
  const count = Math.min(recordCount(header, position), lookedAtMax);
  const cursor: Cursor = { position: start };
  for (let index = 0; index < count && found.length < namedMax; index++) {
    const length = readVarint(records, cursor, end);
    if (length <= 0 || cursor.position + length > end) break;
    const recordEnd = cursor.position + length;
    // Attributes.
    cursor.position++;
    const small = readVarint(records, cursor, recordEnd);
    const timestamp = base + (small === VARINT_BAD ? Number(readVarlong(records, cursor, recordEnd)) : small);
    if (timestamp !== -1 && (timestamp < min || timestamp > max)) found.push({ index, timestamp });
    cursor.position = recordEnd;
  }
  return found;
}
