/**
 * Turns a table and a version into a plan: what is inline, what is tagged, what is compact, which defaults hold.
 * Decoder and encoder walk plans and never look at attribute strings.
 */

import { assert } from '../lib/assert.ts';
import { ZERO_UUID, type Field, type Kind, type Message } from './schema.ts';

/** A field in one version. */
export interface FieldPlan {
  readonly name: string;
  /** Dotted path from the root of the message, for error messages. */
  readonly path: string;
  readonly kind: Kind;
  /** False: not on the wire in this version, decoded as its default. */
  readonly present: boolean;
  /** -1: inline. */
  readonly tag: number;
  readonly nullable: boolean;
  /** Lengths and counts are uvarints of n + 1 instead of int16 or int32. */
  readonly compact: boolean;
  readonly ignorable: boolean;
  /** For kinds that are values; structs and arrays make theirs anew, see {@link defaultOf}. */
  readonly defaultValue: unknown;
  /** For `array`. */
  readonly element: FieldPlan | null;
  /** For `struct`. */
  readonly struct: StructPlan | null;
  /** Fewest bytes that a value can take on the wire, 0 if not inline. */
  readonly bytesMin: number;
}

/** A struct in one version. Holds every field of every version, so that decoded objects have one shape. */
export interface StructPlan {
  readonly flexible: boolean;
  /** All fields, in wire order. */
  readonly fields: readonly FieldPlan[];
  /** Present and without tag, in wire order. */
  readonly inline: readonly FieldPlan[];
  /** Present and tagged, by ascending tag. */
  readonly tagged: readonly FieldPlan[];
  readonly bytesMin: number;
}

/** A message in one version. */
export interface MessagePlan {
  readonly name: string;
  readonly version: number;
  readonly root: StructPlan;
}

/** First and last version, both included. */
export interface VersionRange {
  readonly min: number;
  readonly max: number;
}

const RANGE = /^(\d+)(?:(\+)|-(\d+))?$/;
const NEVER: VersionRange = { min: 1, max: 0 };
const ALWAYS: VersionRange = { min: 0, max: 32767 };

/** Parses `3`, `0-12` or `3+`; '' means no version at all. */
export function parseRange(text: string): VersionRange {
  if (text === '') return NEVER;
  const match = RANGE.exec(text);
  assert(match !== null, `not a version range: ${text}`);
  const min = Number(match[1]);
  return { min, max: match[2] === '+' ? ALWAYS.max : match[3] === undefined ? min : Number(match[3]) };
}

/** Whether `version` lies in `range`. */
export function includes(range: VersionRange, version: number): boolean {
  return version >= range.min && version <= range.max;
}

/** The attribute string of a field, taken apart. */
export interface Attributes {
  readonly versions: VersionRange;
  readonly nullable: VersionRange;
  readonly tag: number;
  readonly defaultText: string | undefined;
  readonly ignorable: boolean;
  readonly noncompact: boolean;
  readonly mapkey: boolean;
}

/** Parses an attribute string; see `schema.ts` for the grammar. Throws AssertionError for anything else. */
export function parseAttributes(text: string): Attributes {
  const found = { versions: ALWAYS, nullable: NEVER, tag: -1, defaultText: undefined as string | undefined };
  const flags = { ignorable: false, noncompact: false, mapkey: false };
  const words = text === '' ? [] : text.split(' ');
  for (const [index, word] of words.entries()) {
    const equals = word.indexOf('=');
    const key = equals === -1 ? word : word.slice(0, equals);
    const value = equals === -1 ? '' : word.slice(equals + 1);
    if (index === 0 && RANGE.test(word)) found.versions = parseRange(word);
    else if (key === 'nullable') found.nullable = equals === -1 ? ALWAYS : parseRange(value);
    else if (key === 'tag' && /^\d+$/.test(value)) found.tag = Number(value);
    else if (key === 'default' && equals !== -1) found.defaultText = value;
    else if (word === 'ignorable' || word === 'noncompact' || word === 'mapkey') flags[word] = true;
    else assert(false, `unknown attribute "${word}" in "${text}"`);
  }
  return { ...found, ...flags };
}

const EMPTY_BYTES = Buffer.alloc(0);

function parseDefault(kind: Kind, text: string | undefined): unknown {
  if (text === 'null') return null;
  switch (kind) {
    case 'bool':
      return text === 'true';
    case 'int64':
      return BigInt(text ?? 0);
    case 'string':
      return text ?? '';
    case 'uuid':
      return text ?? ZERO_UUID;
    case 'bytes':
    case 'records':
      assert(text === undefined, 'bytes have no default but null');
      return EMPTY_BYTES;
    case 'struct':
    case 'array':
      assert(text === undefined, 'structs and arrays have no default but null');
      return undefined;
    default: {
      const value = Number(text ?? 0);
      assert(!Number.isNaN(value), `not a number: ${text}`);
      return value;
    }
  }
}

const FIXED_BYTES: Partial<Record<Kind, number>> = {
  bool: 1,
  int8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  float64: 8,
  uuid: 16,
};

function bytesMinOf(kind: Kind, compact: boolean, nullable: boolean, struct: StructPlan | null): number {
  if (kind === 'struct') return nullable ? 1 : (struct?.bytesMin ?? 0);
  return FIXED_BYTES[kind] ?? (compact ? 1 : kind === 'string' ? 2 : 4);
}

/** What the plan of a nested field needs to know of its surroundings. */
interface Context {
  readonly version: number;
  readonly flexible: boolean;
  readonly parentPath: string;
}

function planField(name: string, field: Field, context: Context): FieldPlan {
  const attributes = parseAttributes(field.attributes);
  const path = context.parentPath === '' || name === '' ? context.parentPath + name : `${context.parentPath}.${name}`;
  const present = includes(attributes.versions, context.version);
  const nullable = includes(attributes.nullable, context.version);
  const compact = context.flexible && !attributes.noncompact;
  const defaultValue = parseDefault(field.kind, attributes.defaultText);
  assert(attributes.tag === -1 || !present || context.flexible, `${path}: a tag in a version that is not flexible`);
  const inner = { ...context, parentPath: path };
  const struct = field.fields === undefined ? null : planStruct(field.fields, inner);
  const element = field.element === undefined ? null : planField('', field.element, inner);
  const bytesMin = present && attributes.tag === -1 ? bytesMinOf(field.kind, compact, nullable, struct) : 0;
  const { tag, ignorable } = attributes;
  return { name, path, kind: field.kind, present, tag, nullable, compact, ignorable, defaultValue, element, struct, bytesMin };
}

function planStruct(table: Readonly<Record<string, Field>>, context: Context): StructPlan {
  const fields = Object.entries(table).map(([name, field]) => planField(name, field, context));
  const inline = fields.filter((field) => field.present && field.tag === -1);
  const tagged = fields.filter((field) => field.present && field.tag !== -1).sort((a, b) => a.tag - b.tag);
  const bytesMin = inline.reduce((sum, field) => sum + field.bytesMin, context.flexible ? 1 : 0);
  return { flexible: context.flexible, fields, inline, tagged, bytesMin };
}

/** Plans of a message by version. Derived from an immutable table, so sharing them hides no state. */
const plans = new WeakMap<Message, (MessagePlan | undefined)[]>();

/**
 * The plan of `message` in `version`, made at its first use.
 * @returns undefined if that version of the message is unknown
 */
export function planOf(message: Message, version: number): MessagePlan | undefined {
  let known = plans.get(message);
  if (known === undefined) plans.set(message, (known = []));
  const plan = known[version];
  if (plan !== undefined || !includes(parseRange(message.versions), version)) return plan;
  const flexible = includes(parseRange(message.flexible), version);
  return (known[version] = { name: message.name, version, root: planStruct(message.fields, { version, flexible, parentPath: '' }) });
}

/** The value to assume for a field that is not on the wire. Arrays and structs are made anew: callers may change them. */
export function defaultOf(field: FieldPlan): unknown {
  if (field.defaultValue !== undefined) return field.defaultValue;
  if (field.kind === 'array') return [];
  const value: Record<string, unknown> = {};
  for (const inner of field.struct?.fields ?? []) value[inner.name] = defaultOf(inner);
  return value;
}

/** Whether `value` equals the default of `field`; undefined counts as the default. */
export function isDefault(field: FieldPlan, value: unknown): boolean {
  if (value === undefined || value === field.defaultValue) return true;
  if (value === null || field.defaultValue === null) return false;
  switch (field.kind) {
    case 'int64':
      // oxlint-disable-next-line eqeqeq -- a default may be a number where the value is a bigint, and 1 == 1n
      return (typeof value === 'number' || typeof value === 'bigint') && value == field.defaultValue;
    case 'bytes':
    case 'records':
      return (value as Uint8Array).length === 0;
    case 'array':
      return (value as readonly unknown[]).length === 0;
    case 'struct': {
      const object = value as Record<string, unknown>;
      return field.struct?.fields.every((inner) => isDefault(inner, object[inner.name])) ?? true;
    }
    default:
      return false;
  }
}
