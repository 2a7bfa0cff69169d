/** What the harness says of latency: no percentile of too few samples, and what is late is not called lost. */

import { describe, expect, it } from 'vitest';

interface Spread {
  readonly median: number;
}
interface Tail {
  readonly sides: readonly { readonly name: string; readonly figure: Spread | null }[];
  readonly ratios: readonly { readonly ratio: Spread; readonly holds: boolean | null }[];
  readonly notes: readonly string[];
}
interface Module {
  readonly enoughSeconds: (context: { seconds?: number; quick?: boolean }, rate: number) => number;
  readonly pooledTail: (comparison: object, wanted: object) => Tail;
}
interface Kload {
  readonly kloadArgs: (options: Record<string, unknown>) => string[];
}

const perf = new URL('../../../perf/lib/', import.meta.url);
const { enoughSeconds, pooledTail } = (await import(new URL('end-to-end.mjs', perf).href)) as Module;
const { kloadArgs } = (await import(new URL('kload.mjs', perf).href)) as Kload;

const run = (side: string, count: number, tail: number): object => ({
  side,
  report: { end_to_end_us: { count, 'p99.9': tail }, never_received: 0 },
});
const wanted = { label: 'p99.9', ratios: [{ of: 'a', to: 'b', target: '<= 0.5', holds: (ratio: number) => ratio <= 0.5 }] };
const tailOf = (count: number, turns: number): Tail => {
  const runs = Array.from({ length: turns }, () => [run('a', count, 40), run('b', count, 100)]).flat();
  return pooledTail({ unit: 'µs', sides: [{ name: 'a' }, { name: 'b' }], runs }, wanted);
};

describe('how long a turn of the latency scenarios lasts', () => {
  it('is as long as 100,000 samples take', () => expect(enoughSeconds({}, 1_000)).toBe(101));
  it('is short for a quick look', () => expect(enoughSeconds({ quick: true }, 1_000)).toBe(11));
  it('is what was asked for', () => expect(enoughSeconds({ seconds: 3, quick: true }, 1_000)).toBe(3));
});

describe('the p99.9', () => {
  it('is given where all turns together have 100,000 samples', () => {
    const { sides, ratios } = tailOf(34_000, 3);
    expect(sides.map(({ figure }) => figure?.median)).toEqual([40, 100]);
    expect(ratios).toMatchObject([{ ratio: { median: 0.4 }, holds: true }]);
  });

  it('is not given of fewer, and a note says so', () => {
    const { sides, ratios, notes } = tailOf(33_000, 3);
    expect(sides.map(({ figure }) => figure)).toEqual([null, null]);
    expect(ratios).toEqual([]);
    expect(notes[0]).toContain('too few');
  });

  it('is not judged on fewer than three turns', () => expect(tailOf(100_000, 2).ratios).toMatchObject([{ holds: null }]));
});

describe('arguments of kload', () => {
  it('are its options with dashes; arrays repeat, false and undefined are left out', () => {
    const args = kloadArgs({ endToEnd: true, rate: 5, topicConfig: ['a=1', 'b=2'], fanOut: false, bytes: undefined });
    expect(args).toEqual(['--end-to-end', '--rate', '5', '--topic-config', 'a=1', '--topic-config', 'b=2']);
  });
});
