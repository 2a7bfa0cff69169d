/** Text of the command line to values. What is no value is refused with the words for what would be one. */
import { InvalidArgumentError } from 'commander';

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const UNIT_BYTES: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '0': '\0', '\\': '\\' };

/** A whole number within bounds, both inclusive. */
export function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^-?[0-9]{1,16}$/.test(text) || value < min || value > max)
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
    return value;
  };
}

/** Whole numbers with commas between them, and all values of an option that is given several times. */
export function integers(min: number, max: number): (text: string, earlier?: readonly number[]) => number[] {
  return (text, earlier = []) => [...earlier, ...text.split(',').map(integer(min, max))];
}

/** A length of time in ms: `500ms`, `10s`, `5m`, `2h`, `7d`. */
export function duration(text: string): number {
  const match = /^([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)$/.exec(text);
  if (match === null) throw new InvalidArgumentError('It must be a number with a unit: 500ms, 10s, 5m, 2h, 7d.');
  return Number(match[1]) * (UNIT_MS[match[2] as string] as number);
}

/** A size in bytes: `1000`, `64k`, `10m`, `2g`. */
export function byteSize(text: string): number {
  const match = /^([0-9]{1,12})([kmg]?)$/i.exec(text);
  if (match === null) throw new InvalidArgumentError('It must be a number of bytes, with k, m or g behind it for more: 1000, 64k, 10m.');
  return Number(match[1]) * (UNIT_BYTES[(match[2] as string).toLowerCase()] as number);
}

/** A size of at least, and at most, so many bytes. */
export function byteSizeWithin(min: number, max: number): (text: string) => number {
  return (text) => {
    const bytes = byteSize(text);
    if (bytes < min || bytes > max) throw new InvalidArgumentError(`It must be from ${min} to ${max} bytes.`);
    return bytes;
  };
}

/** A point in time, ms since the epoch: a date with or without a time, milliseconds, or how long ago (`10m`). */
export function moment(text: string): number {
  if (/^[0-9]{10,16}$/.test(text)) return Number(text);
  if (/^[0-9.]+(ms|s|m|h|d)$/.test(text)) return Date.now() - duration(text);
  const ms = /^[0-9]{4}-/.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(ms))
    throw new InvalidArgumentError(
      'It must be a time (2026-01-31T12:00:00Z), milliseconds since 1970, or how long ago (30s, 10m, 2h, 7d).',
    );
  return ms;
}

/** `name=value`, collected over all times the option is given. */
export function assignments(text: string, earlier: ReadonlyMap<string, string> = new Map()): Map<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It must be name=value.');
  return new Map([...earlier, [text.slice(0, at), text.slice(at + 1)]]);
}

/** `name=value` with repeats kept, in order. */
export function pairs(text: string, earlier: readonly (readonly [string, string])[] = []): (readonly [string, string])[] {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It must be name=value.');
  return [...earlier, [text.slice(0, at), text.slice(at + 1)]];
}

/** All values of an option that is given several times. */
export function collect(text: string, earlier: readonly string[] = []): string[] {
  return [...earlier, text];
}

/** Text in which `\t`, `\n`, `\0`, `\\` and `\x1f` stand for what cannot be typed. */
export function unescaped(text: string): string {
  return text.replaceAll(/\\(?:x([0-9A-Fa-f]{2})|(.))/g, (whole, hex: string | undefined, letter: string | undefined) =>
    hex === undefined ? (ESCAPES[letter as string] ?? whole) : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

/** What separates a key from its value: at least one character. */
export function separator(text: string): string {
  const value = unescaped(text);
  if (value === '') throw new InvalidArgumentError('It must be at least one character.');
  return value;
}
