/**
 * Walks the records of a produced batch where they lie, uncompressed, without making anything of them: whether they are what the header says, and between
 * which times they are. One object serves any number of batches; a walk allocates nothing. Pure.
 */
import { ErrorCode } from './errors.ts';
import { baseTimestamp, recordCount } from './record-batch.ts';
import type { Cursor } from './skip.ts';
import { readVarint, readVarlong, VARINT_BAD } from './varint.ts';

/** A timestamp that says that there is none. */
const NO_TIMESTAMP = -1;

/** See the file header. */
export class RecordWalk {
  /** Of the records of the last walk that have a timestamp, ms; Infinity and -1 when none has. */
  timestampMin = Infinity;
  timestampMax = NO_TIMESTAMP;
  /** Index of the record at which the last walk ended with INVALID_RECORD; -1 when it did not, or when it is the batch that is wrong and no record of it. */
  badRecord = -1;
  private readonly cursor: Cursor = { position: 0 };

  /**
   * Walks records[start, end), which are all the records of the batch whose header is at `position` of `header`.
   * @param keyed every record must have a key
   * @returns NONE, or INVALID_RECORD unless they are exactly as many as the header says, one behind the other, with rising offsets without gaps
   */
  walk(header: Buffer, position: number, records: Uint8Array, start: number, end: number, keyed = false): ErrorCode {
    const count = recordCount(header, position);
    const base = baseTimestamp(header, position);
    const { cursor } = this;
    this.timestampMin = Infinity;
    this.timestampMax = NO_TIMESTAMP;
    this.badRecord = -1;
    cursor.position = start;
    if (count < 0) return ErrorCode.INVALID_RECORD;
    for (let index = 0; index < count; index++) {
      const length = readVarint(records, cursor, end);
      const recordEnd = cursor.position + length;
      // Attributes have a byte, which nobody uses.
      cursor.position++;
      if (length <= 0 || recordEnd > end) return this.refuse(index);
      const timestampDelta = this.readDelta(records, recordEnd);
      if (timestampDelta === VARINT_BAD || readVarint(records, cursor, recordEnd) !== index) return this.refuse(index);
      const timestamp = base + timestampDelta;
      if (timestamp !== NO_TIMESTAMP) {
        if (timestamp < this.timestampMin) this.timestampMin = timestamp;
        if (timestamp > this.timestampMax) this.timestampMax = timestamp;
      }
      // Key and value.
      if (!this.skipBytes(records, recordEnd, keyed ? 0 : -1) || !this.skipBytes(records, recordEnd, -1)) return this.refuse(index);
      const headers = readVarint(records, cursor, recordEnd);
      if (headers < 0) return this.refuse(index);
      for (let i = 0; i < headers; i++)
        if (!this.skipBytes(records, recordEnd, 0) || !this.skipBytes(records, recordEnd, -1)) return this.refuse(index);
      if (cursor.position !== recordEnd) return this.refuse(index);
    }
    return cursor.position === end ? ErrorCode.NONE : ErrorCode.INVALID_RECORD;
  }

  private refuse(index: number): ErrorCode {
    this.badRecord = index;
    return ErrorCode.INVALID_RECORD;
  }

  /** A timestamp delta; VARINT_BAD when there is none. Nearly all fit in 32 bits, and only those that do not cost an object. */
  private readDelta(records: Uint8Array, end: number): number {
    const { cursor } = this;
    const small = readVarint(records, cursor, end);
    if (small !== VARINT_BAD) return small;
    const large = readVarlong(records, cursor, end);
    return large === undefined ? VARINT_BAD : Number(large);
  }

  /** Skips a length and as many bytes; lengths below zero stand for null. */
  private skipBytes(records: Uint8Array, end: number, lengthMin: number): boolean {
    const { cursor } = this;
    const length = readVarint(records, cursor, end);
    if (length < lengthMin) return false;
    if (length > 0) cursor.position += length;
    return cursor.position <= end;
  }
}
