import { InvalidArgumentError } from 'commander';
import { describe, expect, it } from 'vitest';
import {
  assignments,
  byteSize,
  byteSizeWithin,
  duration,
  integer,
  integers,
  moment,
  pairs,
  separator,
  unescaped,
} from '../../../src/cli/values.ts';

const refuses = (parse: () => unknown, words: RegExp): void => {
  expect(parse).toThrow(InvalidArgumentError);
  expect(parse).toThrow(words);
};

describe('values of the command line', () => {
  it('takes whole numbers within bounds only', () => {
    const parse = integer(1, 10);
    expect([parse('1'), parse('10')]).toEqual([1, 10]);
    for (const text of ['0', '11', '1.5', '', ' 1', '1e1', '0x1', 'one', '99999999999999999999'])
      refuses(() => parse(text), /from 1 to 10\.$/);
    expect(integers(0, 9)('1,2', [0])).toEqual([0, 1, 2]);
    refuses(() => integers(0, 9)('1,,2'), /from 0 to 9/);
  });

  it.each([
    ['500ms', 500],
    ['10s', 10_000],
    ['1.5m', 90_000],
    ['2h', 7_200_000],
    ['7d', 604_800_000],
  ])('takes %s for a length of time', (text, ms) => {
    expect(duration(text)).toBe(ms);
  });

  it('refuses a length of time without a unit', () => {
    for (const text of ['10', 's', '10 s', '-1s', '10w']) refuses(() => duration(text), /a number with a unit/);
  });

  it('takes sizes', () => {
    expect([byteSize('1000'), byteSize('64k'), byteSize('10M'), byteSize('2g')]).toEqual([1000, 65_536, 10_485_760, 2_147_483_648]);
    for (const text of ['', 'k', '1.5k', '1kb', '-1']) refuses(() => byteSize(text), /a number of bytes/);
  });

  it('takes sizes from a smallest one to a largest one, where there are such', () => {
    const parse = byteSizeWithin(8, 1024);
    expect([parse('8'), parse('1k')]).toEqual([8, 1024]);
    for (const text of ['0', '7', '0k', '1025', '10g']) refuses(() => parse(text), /^It must be from 8 to 1024 bytes\.$/);
    refuses(() => parse('-1'), /a number of bytes/);
  });

  it('takes points in time as a date, as milliseconds, and as how long ago', () => {
    expect(moment('2026-01-31T12:00:00Z')).toBe(Date.UTC(2026, 0, 31, 12));
    expect(moment('1769860800000')).toBe(1_769_860_800_000);
    const before = Date.now();
    const ago = moment('10m');
    expect(ago).toBeGreaterThanOrEqual(before - 600_000);
    expect(ago).toBeLessThanOrEqual(Date.now() - 600_000);
    for (const text of ['', 'yesterday', '12:00', '31.1.2026', '2026-13-45']) refuses(() => moment(text), /It must be a time/);
  });

  it('collects assignments: the last of a name wins, unless all are wanted', () => {
    expect([...assignments('b=2', assignments('a=x=y'))]).toEqual([
      ['a', 'x=y'],
      ['b', '2'],
    ]);
    expect([...assignments('a=2', assignments('a=1'))]).toEqual([['a', '2']]);
    expect(pairs('a=2', pairs('a=1'))).toEqual([
      ['a', '1'],
      ['a', '2'],
    ]);
    refuses(() => assignments('=1'), /name=value/);
    refuses(() => pairs('a'), /name=value/);
  });

  it('understands what cannot be typed, and leaves other backslashes alone', () => {
    expect(unescaped(String.raw`a\tb\n\0\\t\x1f\q`)).toBe('a\tb\n\0\\t\u001F\\q');
    expect(separator(String.raw`\t`)).toBe('\t');
    refuses(() => separator(''), /at least one character/);
  });
});
