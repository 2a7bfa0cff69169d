/**
 * Table-driven encoder. Refuses what the wanted version cannot express: a wrong answer on the wire is worse than
 * an exception in a test.
 */

import { STRING_BYTES_MAX } from './decode.ts';
import { EncodeError } from './protocol-errors.ts';
import { isDefault, type FieldPlan, type MessagePlan, type StructPlan } from './plan.ts';

const BYTES_INITIAL = 512;

/** Stands for an array whose elements are encoded elsewhere: its count is written, and where the elements belong is noted. */
export class ArrayGap {
  readonly count: number;
  /** Of the first element in the encoded message; set by {@link encode}. */
  position = -1;

  constructor(count: number) {
    this.count = count;
  }
}

/** A buffer that grows by doubling. */
class Writer {
  buffer: Buffer;
  position: number;
  readonly subject: string;
  field = '';

  constructor(plan: MessagePlan, position: number) {
    this.buffer = Buffer.allocUnsafe(BYTES_INITIAL + position);
    this.position = position;
    this.subject = `${plan.name} v${plan.version}`;
  }

  fail(reason: string): never {
    throw new EncodeError(this.subject, this.field, reason);
  }

  /** Claims the next `length` bytes; returns where they begin. */
  reserve(length: number): number {
    const at = this.position;
    if (at + length > this.buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(at + length, this.buffer.length * 2));
      this.buffer.copy(larger, 0, 0, at);
      this.buffer = larger;
    }
    this.position = at + length;
    return at;
  }

  // In all of these the position is reserved first, because reserving may replace the buffer.

  int8(value: number): void {
    const at = this.reserve(1);
    this.buffer[at] = value;
  }

  int16(value: number): void {
    const at = this.reserve(2);
    this.buffer.writeUInt16BE(value & 0xffff, at);
  }

  int32(value: number): void {
    const at = this.reserve(4);
    this.buffer.writeUInt32BE(value >>> 0, at);
  }

  uvarint(value: number): void {
    let rest = value;
    while (rest > 0x7f) {
      this.int8((rest & 0x7f) | 0x80);
      rest = Math.floor(rest / 128);
    }
    this.int8(rest);
  }

  /** A JS number that must be an integer within bounds. */
  integer(value: unknown, min: number, max: number): number {
    if (!Number.isInteger(value) || (value as number) < min || (value as number) > max)
      this.fail(`${String(value)} is not in ${min}..${max}`);
    return value as number;
  }
}

function writeLength(writer: Writer, field: FieldPlan, length: number): void {
  if (field.compact) writer.uvarint(length + 1);
  else if (field.kind === 'string') writer.int16(length);
  else writer.int32(length);
}

function writeNull(writer: Writer, field: FieldPlan): void {
  if (!field.nullable) writer.fail('null where null is not allowed');
  if (field.kind === 'struct') writer.int8(-1);
  else writeLength(writer, field, -1);
}

function writeString(writer: Writer, field: FieldPlan, value: unknown): void {
  if (typeof value !== 'string') return writer.fail('not a string');
  const length = Buffer.byteLength(value);
  if (length > STRING_BYTES_MAX) writer.fail(`string of ${length} bytes`);
  writeLength(writer, field, length);
  const at = writer.reserve(length);
  writer.buffer.write(value, at, 'utf8');
}

function writeBytes(writer: Writer, field: FieldPlan, value: unknown): void {
  if (!(value instanceof Uint8Array)) return writer.fail('not bytes');
  writeLength(writer, field, value.length);
  const at = writer.reserve(value.length);
  writer.buffer.set(value, at);
}

function writeUuid(writer: Writer, value: unknown): void {
  const bytes = typeof value === 'string' && value.length === 22 ? Buffer.from(value, 'base64url') : undefined;
  if (bytes?.length !== 16) return writer.fail(`not a topic id: ${String(value)}`);
  const at = writer.reserve(16);
  writer.buffer.set(bytes, at);
}

function writeInt64(writer: Writer, value: unknown): void {
  const exact = typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof exact !== 'bigint' || BigInt.asIntN(64, exact) !== exact) return writer.fail(`not an int64: ${String(value)}`);
  const at = writer.reserve(8);
  writer.buffer.writeBigInt64BE(exact, at);
}

function writeArray(writer: Writer, field: FieldPlan, value: unknown): void {
  if (value instanceof ArrayGap) {
    writeLength(writer, field, value.count);
    value.position = writer.position;
    return;
  }
  if (!Array.isArray(value)) return writer.fail('not an array');
  writeLength(writer, field, value.length);
  for (const element of value) {
    writer.field = field.path;
    writeValue(writer, field.element!, element);
  }
}

function writeValue(writer: Writer, field: FieldPlan, given: unknown): void {
  // A struct that is left out is written as a struct of defaults, an array as an empty one.
  const value = given !== undefined ? given : field.kind === 'array' && field.defaultValue !== null ? [] : field.defaultValue;
  if (value === null) return writeNull(writer, field);
  switch (field.kind) {
    case 'bool':
      return writer.int8(value ? 1 : 0);
    case 'int8':
      return writer.int8(writer.integer(value, -0x80, 0x7f));
    case 'int16':
      return writer.int16(writer.integer(value, -0x8000, 0x7fff));
    case 'uint16':
      return writer.int16(writer.integer(value, 0, 0xffff));
    case 'int32':
      return writer.int32(writer.integer(value, -0x80000000, 0x7fffffff));
    case 'uint32':
      return writer.int32(writer.integer(value, 0, 0xffffffff));
    case 'int64':
      return writeInt64(writer, value);
    case 'float64': {
      if (typeof value !== 'number') return writer.fail('not a number');
      const at = writer.reserve(8);
      writer.buffer.writeDoubleBE(value, at);
      return;
    }
    case 'uuid':
      return writeUuid(writer, value);
    case 'string':
      return writeString(writer, field, value);
    case 'bytes':
    case 'records':
      return writeBytes(writer, field, value);
    case 'array':
      return writeArray(writer, field, value);
    case 'struct':
      if (field.nullable) writer.int8(1);
      return writeStruct(writer, field.struct!, (value ?? {}) as Record<string, unknown>);
  }
}

/** In a tag section a nullable struct is marked by a uvarint, elsewhere by an int8. */
function writeTaggedValue(writer: Writer, field: FieldPlan, value: unknown): void {
  if (field.kind !== 'struct' || !field.nullable) return writeValue(writer, field, value);
  writer.uvarint(value === null ? 0 : 1);
  if (value !== null) writeStruct(writer, field.struct!, value as Record<string, unknown>);
}

function writeTagSection(writer: Writer, plan: StructPlan, value: Record<string, unknown>): void {
  const set = plan.tagged.filter((field) => !isDefault(field, value[field.name]));
  writer.uvarint(set.length);
  for (const field of set) {
    writer.field = field.path;
    writer.uvarint(field.tag);
    // Nearly all tagged values are shorter than 128 bytes, so one byte is left for the size and longer ones are moved.
    const start = writer.reserve(1) + 1;
    writeTaggedValue(writer, field, value[field.name]);
    const length = writer.position - start;
    const sizeBytes = length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x200000 ? 3 : length < 0x10000000 ? 4 : 5;
    writer.reserve(sizeBytes - 1);
    writer.buffer.copyWithin(start - 1 + sizeBytes, start, start + length);
    writer.position = start - 1;
    writer.uvarint(length);
    writer.position += length;
  }
}

function writeStruct(writer: Writer, plan: StructPlan, value: Record<string, unknown>): void {
  for (const field of plan.fields) {
    writer.field = field.path;
    if (field.present) {
      if (field.tag === -1) writeValue(writer, field, value[field.name]);
    } else if (!field.ignorable && !isDefault(field, value[field.name])) {
      writer.fail('this version has no such field, and it may not be dropped');
    }
  }
  if (plan.flexible) writeTagSection(writer, plan, value);
}

/**
 * Encodes `value`, leaving `headroom` bytes in front for the caller (a frame's size and header).
 * @returns a buffer of its own, exactly as long as headroom and message
 * @throws EncodeError if the version cannot express the value
 */
export function encode(plan: MessagePlan, value: object, headroom = 0): Buffer {
  const writer = new Writer(plan, headroom);
  writeStruct(writer, plan.root, value as Record<string, unknown>);
  return writer.buffer.subarray(0, writer.position);
}

/**
 * Encodes elements for the {@link ArrayGap} that stands in the array at `path`: names from the root down, those above the last being structs or arrays of
 * structs.
 * @throws EncodeError if the version has no such array or cannot express an element
 */
export function encodeElements(plan: MessagePlan, path: readonly string[], elements: readonly unknown[]): Buffer {
  const writer = new Writer(plan, 0);
  let struct: StructPlan | null = plan.root;
  let field: FieldPlan | undefined;
  for (const name of path) {
    field = struct?.inline.find((candidate) => candidate.name === name);
    struct = field?.struct ?? field?.element?.struct ?? null;
  }
  if (field?.kind !== 'array') return writer.fail(`no array ${path.join('.')}`);
  for (const element of elements) {
    writer.field = field.path;
    writeValue(writer, field.element!, element);
  }
  return writer.buffer.subarray(0, writer.position);
}
