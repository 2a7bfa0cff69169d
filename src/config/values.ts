/** Text to typed value and back, by the definition of a setting. The text forms are Kafka's. */

import { shown, type ConfigDefinition } from './definition.ts';

/** BOOLEAN → boolean; INT and DOUBLE → number; LONG → bigint; LIST → string[]; STRING → string. */
export type ParsedValue = boolean | number | bigint | string | readonly string[];

export type ParseResult = { readonly ok: true; readonly value: ParsedValue } | { readonly ok: false; readonly reason: string };

const INT_MIN = -(2n ** 31n);
const INT_MAX = 2n ** 31n - 1n;
const LONG_MIN = -(2n ** 63n);
const LONG_MAX = 2n ** 63n - 1n;

/**
 * Parses `text` as a value of `definition` and checks bounds, legal words and whether the setting is there yet.
 * The reason of a refusal is one sentence that names setting, value and what would be right.
 */
export function parseValue(definition: ConfigDefinition, text: string): ParseResult {
  const parsed = parseByType(definition, text.trim());
  if (typeof parsed === 'object' && 'expected' in parsed) {
    return { ok: false, reason: `Invalid value "${shown(text)}" for ${definition.name}: it must be ${parsed.expected}.` };
  }
  const { state } = definition;
  if (state.kind === 'notYet' && !isAccepted(definition, parsed, state.alsoAccepted ?? [])) {
    return {
      ok: false,
      reason: `${definition.name}=${shown(text)} is refused: ${state.why}. Leave it at ${definition.default || 'its default'}.`,
    };
  }
  return { ok: true, value: parsed };
}

/** A LONG as a number: exact below 2^53, `Infinity` from there on ("no limit"). */
export function longToNumber(value: bigint): number {
  return value >= 2n ** 53n ? Infinity : Number(value);
}

function isAccepted(definition: ConfigDefinition, parsed: ParsedValue, alsoAccepted: readonly string[]): boolean {
  return [definition.default, ...alsoAccepted].some((text) => sameValue(parseByType(definition, text), parsed));
}

function sameValue(a: unknown, b: unknown): boolean {
  return Array.isArray(a) && Array.isArray(b) ? a.join() === b.join() : a === b;
}

type Expected = { readonly expected: string };

function parseByType(definition: ConfigDefinition, text: string): ParsedValue | Expected {
  switch (definition.type) {
    case 'BOOLEAN':
      return parseBoolean(text);
    case 'INT':
    case 'LONG':
      return parseInteger(definition, text);
    case 'DOUBLE':
      return parseDouble(definition, text);
    case 'STRING':
      return parseWord(definition, text);
    case 'LIST':
      return parseList(definition, text);
  }
}

function parseBoolean(text: string): boolean | Expected {
  const word = text.toLowerCase();
  if (word === 'true') return true;
  if (word === 'false') return false;
  return { expected: 'true or false' };
}

function parseInteger(definition: ConfigDefinition, text: string): number | bigint | Expected {
  const isInt = definition.type === 'INT';
  const min = definition.min === undefined ? (isInt ? INT_MIN : LONG_MIN) : BigInt(definition.min);
  const max = definition.max === undefined ? (isInt ? INT_MAX : LONG_MAX) : BigInt(definition.max);
  if (/^[+-]?[0-9]{1,20}$/.test(text)) {
    const value = BigInt(text.startsWith('+') ? text.slice(1) : text);
    if (value >= min && value <= max) return isInt ? Number(value) : value;
  }
  return { expected: `a whole number${unitText(definition)} from ${min} to ${max}` };
}

function parseDouble(definition: ConfigDefinition, text: string): number | Expected {
  const min = definition.min ?? -Number.MAX_VALUE;
  const max = definition.max ?? Number.MAX_VALUE;
  if (/^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$/.test(text)) {
    const value = Number(text);
    if (value >= min && value <= max) return value;
  }
  return { expected: `a number from ${min} to ${max}` };
}

function parseWord(definition: ConfigDefinition, text: string): string | Expected {
  const legal = definition.validValues;
  if (legal === undefined || legal.includes(text)) return text;
  return { expected: `one of ${legal.join(', ')}` };
}

function parseList(definition: ConfigDefinition, text: string): readonly string[] | Expected {
  const items = text === '' ? [] : text.split(',').map((item) => item.trim());
  const legal = definition.validValues;
  const expected = legal === undefined ? 'a comma-separated list' : `a comma-separated list of ${legal.join(', ')}`;
  if (items.includes('') || new Set(items).size !== items.length) return { expected: `${expected}, without empty or repeated items` };
  if (legal !== undefined && (items.length === 0 || items.some((item) => !legal.includes(item)))) return { expected };
  return items;
}

function unitText(definition: ConfigDefinition): string {
  const words: Partial<Record<string, string>> = {
    bytes: ' of bytes',
    ms: ' of milliseconds',
    us: ' of microseconds',
    messages: ' of messages',
  };
  return (definition.unit && words[definition.unit]) ?? '';
}
