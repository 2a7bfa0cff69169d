import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { IncomingRecord } from '../../../src/cli/kafka/types.ts';
import { formatter } from '../../../src/cli/records/format.ts';
import { linesOf } from '../../../src/cli/records/lines.ts';
import { NewestRecords } from '../../../src/cli/records/newest.ts';

const RECORD: IncomingRecord = {
  topic: 'orders',
  partition: 3,
  offset: 42,
  timestampMs: Date.UTC(2026, 0, 31, 12),
  key: Buffer.from('k'),
  value: Buffer.from('välue'),
  headers: [
    ['a', Buffer.from('1')],
    ['b', null],
  ],
};
const format = (pattern: string, record = RECORD): string => formatter(pattern, '\t')(record).toString();

describe('formats of records', () => {
  it('prints every part that a pattern can name', () => {
    expect(format('%t|%p|%o|%k|%s|%K|%S|%T|%D|%h|%%\\n')).toBe('orders|3|42|k|välue|1|6|1769860800000|2026-01-31T12:00:00.000Z|a=1,b=|%\n');
  });

  it('prints nulls as nothing, with a length of -1, and a missing time as a dash', () => {
    expect(format('%k,%s,%K,%S,%D', { ...RECORD, key: null, value: null, timestampMs: -1 })).toBe(',,-1,-1,-');
    expect(format('value', { ...RECORD, value: null })).toBe('\n');
  });

  it('takes no pattern from the records', () => {
    expect(format('%s', { ...RECORD, value: Buffer.from('%k \\n') })).toBe('%k \\n');
  });

  it('gives all bytes of keys and values as they are', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (key, value) => {
        const record = { ...RECORD, key: Buffer.from(key), value: Buffer.from(value) };
        expect(formatter('key-value', '::')(record)).toEqual(
          Buffer.concat([record.key, Buffer.from('::'), record.value, Buffer.from('\n')]),
        );
        const parsed = JSON.parse(format('json', record)) as { value: string | { base64: string } };
        const back = typeof parsed.value === 'string' ? Buffer.from(parsed.value) : Buffer.from(parsed.value.base64, 'base64');
        expect(back).toEqual(record.value);
      }),
    );
  });

  it.each([
    ['plain', /It must be value, key-value, json, or a pattern/],
    ['%q', /"%q" stands for nothing; there is %t/],
    ['100%', /"%" stands for nothing/],
  ])('refuses %s', (pattern, words) => {
    expect(() => format(pattern)).toThrow(words);
  });
});

describe('lines of a stream', () => {
  const split = async (chunks: readonly Uint8Array[], bytesMax = Infinity): Promise<Buffer[]> => {
    const found: Buffer[] = [];
    // eslint-disable-next-line typescript/require-await
    async function* input(): AsyncGenerator<Buffer> {
      for (const chunk of chunks) yield Buffer.from(chunk);
    }
    for await (const lines of linesOf(input(), bytesMax, (bytes) => new Error(`${bytes} bytes`))) found.push(...lines);
    return found;
  };

  it('are the same, wherever the stream is cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 5 })), fc.array(fc.nat(20)), async (lines, cuts) => {
        const clean = lines.map((line) => Buffer.from(line.filter((byte) => byte !== 0x0a)));
        const whole = Buffer.concat(clean.flatMap((line) => [line, Buffer.from('\n')]));
        const places = [...new Set([0, ...cuts.map((cut) => Math.min(cut, whole.length)), whole.length])].toSorted((a, b) => a - b);
        const chunks = places.slice(1).map((end, n) => whole.subarray(places[n], end));
        expect(await split(chunks)).toEqual(clean);
      }),
    );
  });

  it('count what follows the last newline, if anything does', async () => {
    expect(await split([Buffer.from('a\nb')])).toEqual([Buffer.from('a'), Buffer.from('b')]);
    expect(await split([Buffer.from('a\n')])).toEqual([Buffer.from('a')]);
    expect(await split([])).toEqual([]);
  });

  it('are refused when they grow without end', async () => {
    await expect(split([Buffer.alloc(10), Buffer.alloc(10)], 15)).rejects.toThrow('20 bytes');
  });
});

describe('the newest records', () => {
  const recordOf = (partition: number, offset: number, timestampMs: number): IncomingRecord => ({
    ...RECORD,
    partition,
    offset,
    timestampMs,
  });

  it('are found in an answer of very many', () => {
    const newest = new NewestRecords(100_000);
    newest.take(Array.from({ length: 200_000 }, (_, n) => recordOf(n % 2, n >> 1, n)));
    const found = newest.sorted();
    expect([found.length, found[0]?.timestampMs, found.at(-1)?.timestampMs]).toEqual([100_000, 100_000, 199_999]);
  });

  it('are those with the latest times, in order, whatever comes first', () => {
    const arbitrary = fc.array(fc.array(fc.record({ partition: fc.nat(3), timestampMs: fc.nat(5) }), { maxLength: 30 }));
    fc.assert(
      fc.property(arbitrary, fc.integer({ min: 1, max: 10 }), (answers, count) => {
        let offset = 0;
        const records = answers.map((answer) => answer.map(({ partition, timestampMs }) => recordOf(partition, offset++, timestampMs)));
        const newest = new NewestRecords(count);
        for (const each of records) {
          newest.take(each);
          expect(newest.kept).toBeLessThan(2 * count);
        }
        const all = records.flat().toSorted((a, b) => a.timestampMs - b.timestampMs || a.partition - b.partition || a.offset - b.offset);
        expect(newest.sorted()).toEqual(all.slice(-count));
      }),
    );
  });
});
