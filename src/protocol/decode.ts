/**
 * Table-driven decoder. Exact rather than fast: hot messages have hand-written views (`produce-view.ts`, `fetch-view.ts`).
 *
 * What always holds: it reads only inside [start, end); nothing is allocated by a count that the remaining bytes cannot
 * back; nesting is bounded by the table; whatever the bytes, it returns or throws a {@link MalformedError}.
 */

import { MalformedError } from './protocol-errors.ts';
import { defaultOf, type FieldPlan, type MessagePlan, type StructPlan } from './plan.ts';

/** Longest string of the protocol, in bytes, in either encoding. */
export const STRING_BYTES_MAX = 32767;

/**
 * Most elements of all arrays of one request together, tags among them. Every element costs memory and time of main, however short it is on the wire, so
 * the size of a request bounds neither well. A request that names every partition of a full broker stays below.
 */
export const REQUEST_ELEMENTS_MAX = 250_000;

class Reader {
  readonly buffer: Buffer;
  readonly end: number;
  readonly subject: string;
  position: number;
  readonly elementsMax: number;
  elementsLeft: number;
  /** Path of the field being read. */
  field = '';

  constructor(plan: MessagePlan, buffer: Buffer, start: number, end: number, elementsMax: number) {
    this.elementsMax = elementsMax;
    this.elementsLeft = elementsMax;
    this.buffer = buffer;
    this.position = start;
    this.end = end;
    this.subject = `${plan.name} v${plan.version}`;
  }

  fail(reason: string): never {
    throw new MalformedError(this.subject, this.field, this.position, reason);
  }

  /** Claims the next `length` bytes; returns where they begin. */
  take(length: number): number {
    const at = this.position;
    if (length > this.end - at) this.fail(`${length} bytes wanted, ${this.end - at} left`);
    this.position = at + length;
    return at;
  }

  /** At most 5 bytes, at most 2^32 - 1. */
  uvarint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.buffer[this.take(1)]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        if (value > 0xffffffff) break;
        return value;
      }
    }
    return this.fail('uvarint above 32 bits');
  }
}

/** Reads the length or count in front of a value; -1 is null, and refused unless the field may be null. */
function readLength(reader: Reader, field: FieldPlan): number {
  let length: number;
  if (field.compact) length = reader.uvarint() - 1;
  else if (field.kind === 'string') length = reader.buffer.readInt16BE(reader.take(2));
  else length = reader.buffer.readInt32BE(reader.take(4));
  if (length < -1) reader.fail(`negative length ${length}`);
  if (length === -1 && !field.nullable) reader.fail('null where null is not allowed');
  return length;
}

function readString(reader: Reader, field: FieldPlan): string | null {
  const length = readLength(reader, field);
  if (length === -1) return null;
  if (length > STRING_BYTES_MAX) reader.fail(`string of ${length} bytes`);
  const at = reader.take(length);
  if (length === 0) return '';
  const text = reader.buffer.toString('utf8', at, at + length);
  // Bytes that are no UTF-8 become a sign of three each: what was short enough to come could be too long to be said again in an answer.
  if (length > STRING_BYTES_MAX / 3 && Buffer.byteLength(text) > STRING_BYTES_MAX)
    reader.fail(`string of ${length} bytes that are no UTF-8`);
  return text;
}

function readBytes(reader: Reader, field: FieldPlan): Buffer | null {
  const length = readLength(reader, field);
  if (length === -1) return null;
  const at = reader.take(length);
  return reader.buffer.subarray(at, at + length);
}

function readArray(reader: Reader, field: FieldPlan): unknown[] | null {
  const count = readLength(reader, field);
  if (count === -1) return null;
  const element = field.element!;
  const left = reader.end - reader.position;
  if (count * Math.max(1, element.bytesMin) > left) reader.fail(`${count} elements in ${left} bytes`);
  if ((reader.elementsLeft -= count) < 0) reader.fail(`more than ${reader.elementsMax} elements`);
  const values: unknown[] = [];
  for (let index = 0; index < count; index++) values.push(readValue(reader, element));
  return values;
}

function readNullableStruct(reader: Reader, field: FieldPlan): unknown {
  const marker = reader.buffer.readInt8(reader.take(1));
  return marker < 0 ? null : readStruct(reader, field.struct!);
}

function readValue(reader: Reader, field: FieldPlan): unknown {
  const { buffer } = reader;
  switch (field.kind) {
    case 'bool':
      return buffer[reader.take(1)] !== 0;
    case 'int8':
      return buffer.readInt8(reader.take(1));
    case 'int16':
      return buffer.readInt16BE(reader.take(2));
    case 'uint16':
      return buffer.readUInt16BE(reader.take(2));
    case 'int32':
      return buffer.readInt32BE(reader.take(4));
    case 'uint32':
      return buffer.readUInt32BE(reader.take(4));
    case 'int64':
      return buffer.readBigInt64BE(reader.take(8));
    case 'float64':
      return buffer.readDoubleBE(reader.take(8));
    case 'uuid': {
      const at = reader.take(16);
      return buffer.toString('base64url', at, at + 16);
    }
    case 'string':
      return readString(reader, field);
    case 'bytes':
    case 'records':
      return readBytes(reader, field);
    case 'array':
      return readArray(reader, field);
    case 'struct':
      return field.nullable ? readNullableStruct(reader, field) : readStruct(reader, field.struct!);
  }
}

/** In a tag section a nullable struct is marked by a uvarint, elsewhere by an int8. */
function readTaggedValue(reader: Reader, field: FieldPlan): unknown {
  if (field.kind !== 'struct' || !field.nullable) return readValue(reader, field);
  const marker = reader.uvarint();
  if (marker > 1) reader.fail(`marker ${marker} of a nullable struct`);
  return marker === 0 ? null : readStruct(reader, field.struct!);
}

function readTagSection(reader: Reader, plan: StructPlan, into: Record<string, unknown>): void {
  const count = reader.uvarint();
  // An unknown one is skipped, which is work too.
  if ((reader.elementsLeft -= count) < 0) reader.fail(`more than ${reader.elementsMax} elements and tags`);
  for (let index = 0; index < count; index++) {
    const tag = reader.uvarint();
    const length = reader.uvarint();
    const start = reader.take(length);
    const field = plan.tagged.find((candidate) => candidate.tag === tag);
    if (field === undefined) continue;
    reader.position = start;
    reader.field = field.path;
    into[field.name] = readTaggedValue(reader, field);
    if (reader.position !== start + length) reader.fail(`tag ${tag} holds ${length} bytes, not ${reader.position - start}`);
  }
}

function readStruct(reader: Reader, plan: StructPlan): Record<string, unknown> {
  const value: Record<string, unknown> = {};
  for (const field of plan.fields) {
    if (field.present && field.tag === -1) {
      reader.field = field.path;
      value[field.name] = readValue(reader, field);
    } else {
      value[field.name] = defaultOf(field);
    }
  }
  if (plan.flexible) readTagSection(reader, plan, value);
  return value;
}

/** What may follow a message in the bytes it is read from. */
export type Behind = 'nothing' | 'ignored';

/**
 * Decodes the message in buffer[start, end), which it has to fill unless bytes behind it are ignored.
 * @param elementsMax most elements of all its arrays together
 * @throws MalformedError for anything else
 */
export function decode(
  plan: MessagePlan,
  buffer: Buffer,
  start: number,
  end: number,
  behind: Behind,
  elementsMax = Infinity,
): Record<string, unknown> {
  const reader = new Reader(plan, buffer, start, end, elementsMax);
  if (start < 0 || end < start || end > buffer.length) reader.fail(`no range of the buffer: ${start} to ${end}`);
  const value = readStruct(reader, plan.root);
  if (behind === 'nothing' && reader.position !== end) {
    reader.field = '';
    reader.fail(`${end - reader.position} bytes too many`);
  }
  return value;
}
