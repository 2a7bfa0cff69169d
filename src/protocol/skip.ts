/**
 * In-place reading for the hand-written parsers: a cursor moves over the bytes, nothing is allocated, nothing thrown.
 * Callers check for the failure value, which no legal input can produce.
 */

/** A place in a buffer that reading moves forward. */
export interface Cursor {
  position: number;
}

/** What {@link readUvarint} returns for bytes that are no uvarint of 32 bits inside the range. */
export const UVARINT_BAD = -1;

/** Reads 1 to 5 bytes below `end`; {@link UVARINT_BAD} if they are cut short or exceed 32 bits. */
export function readUvarint(buffer: Buffer, cursor: Cursor, end: number): number {
  let at = cursor.position;
  if (at >= end) return UVARINT_BAD;
  let byte = buffer[at++]!;
  if (byte < 0x80) {
    cursor.position = at;
    return byte;
  }
  let value = byte & 0x7f;
  for (let shift = 7; shift < 35; shift += 7) {
    if (at >= end) return UVARINT_BAD;
    byte = buffer[at++]!;
    // The fifth byte holds bits 28 to 31 only.
    if (shift === 28 && byte > 0x0f) return UVARINT_BAD;
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) {
      cursor.position = at;
      return value;
    }
  }
  return UVARINT_BAD;
}

/** Most tags of a section that is skipped. Clients send none or a few; each is work, and a request may be all tags. */
export const SKIPPED_TAGS_MAX = 1000;

/** Skips a tag section whose tags nobody here wants to know. Returns false if it does not lie below `end`, or has too many tags. */
export function skipTagSection(buffer: Buffer, cursor: Cursor, end: number): boolean {
  if (cursor.position < end && buffer[cursor.position] === 0) {
    cursor.position++;
    return true;
  }
  const count = readUvarint(buffer, cursor, end);
  if (count === UVARINT_BAD || count > SKIPPED_TAGS_MAX) return false;
  for (let index = 0; index < count; index++) {
    if (readUvarint(buffer, cursor, end) === UVARINT_BAD) return false;
    const length = readUvarint(buffer, cursor, end);
    if (length === UVARINT_BAD || length > end - cursor.position) return false;
    cursor.position += length;
  }
  return true;
}
