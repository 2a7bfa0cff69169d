/** Goes from record to record of a batch, uncompressed, and says where the parts of each lie. One object serves any number of batches; nothing is allocated. */
import { MalformedError } from '../protocol/protocol-errors.ts';
import { readVarint, readVarlong, VARINT_BAD } from '../protocol/varint.ts';

/** See the file header. */
export class RecordCursor {
  /** The record: its length field included. */
  start = 0;
  end = 0;
  /** Where its timestamp delta begins. */
  timestampStart = 0;
  /** Where its offset delta begins. */
  offsetStart = 0;
  offsetDelta = 0;
  keyStart = 0;
  /** −1: it has no key. */
  keyLength = -1;
  /** It has no value. */
  isTombstone = false;
  private readonly cursor = { position: 0 };

  /** Reads the record at `start` of bytes[…, end). @throws MalformedError */
  read(bytes: Buffer, start: number, end: number): void {
    const { cursor } = this;
    cursor.position = this.start = start;
    const length = readVarint(bytes, cursor, end);
    this.end = cursor.position + length;
    if (length <= 0 || this.end > end) this.refuse('bad length');
    this.timestampStart = ++cursor.position;
    while ((bytes[cursor.position] ?? 0) >= 0x80) cursor.position++;
    this.offsetStart = ++cursor.position;
    this.offsetDelta = readVarint(bytes, cursor, this.end);
    this.keyLength = readVarint(bytes, cursor, this.end);
    if (this.offsetDelta === VARINT_BAD || this.offsetDelta < 0 || this.keyLength === VARINT_BAD) this.refuse('bad delta or key');
    this.keyStart = cursor.position;
    if (this.keyLength > 0) cursor.position += this.keyLength;
    const valueLength = readVarint(bytes, cursor, this.end);
    if (valueLength === VARINT_BAD) this.refuse('bad value');
    this.isTombstone = valueLength < 0;
  }

  /** Timestamp of the record just read, relative to its batch, ms. @throws MalformedError */
  timestampDelta(bytes: Buffer): bigint {
    this.cursor.position = this.timestampStart;
    const delta = readVarlong(bytes, this.cursor, this.offsetStart);
    if (delta === undefined) this.refuse('bad timestamp');
    return delta as bigint;
  }

  private refuse(reason: string): void {
    throw new MalformedError('record batch', 'records', this.start, reason);
  }
}
