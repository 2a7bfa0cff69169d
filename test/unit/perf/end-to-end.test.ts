/** What the harness says of latency: no percentile of too few samples, and what is late is not called lost. */

import { describe, expect, it } from 'vitest';

interface Module {
  readonly enoughSeconds: (context: { seconds?: number; quick?: boolean }, rate: number) => number;
  readonly sampleNotes: (comparison: object, latencyOf: (run: { latency: { count: number } }) => { count: number }) => string[];
}
interface Kload {
  readonly kloadArgs: (options: Record<string, unknown>) => string[];
}

const perf = new URL('../../../perf/lib/', import.meta.url);
const { enoughSeconds, sampleNotes } = (await import(new URL('end-to-end.mjs', perf).href)) as Module;
const { kloadArgs } = (await import(new URL('kload.mjs', perf).href)) as Kload;

const notesOf = (...counts: number[]): string[] => {
  const runs = counts.map((count) => ({ side: 'a', latency: { count }, report: { never_received: 3 } }));
  return sampleNotes({ sides: [{ name: 'a' }], runs }, (run) => run.latency);
};

describe('how long a turn of the latency scenarios lasts', () => {
  it('is as long as 100,000 samples take', () => expect(enoughSeconds({}, 1_000)).toBe(101));
  it('is short for a quick look', () => expect(enoughSeconds({ quick: true }, 1_000)).toBe(5));
  it('is what was asked for', () => expect(enoughSeconds({ seconds: 3, quick: true }, 1_000)).toBe(3));
});

describe('the number of samples', () => {
  it('is said, with what was late', () =>
    expect(notesOf(100_000, 200_000)).toEqual([expect.stringMatching(/at least 100000 samples a turn; did not keep up: 6 /)]));
  it('is said to be too small for a p99.9', () => expect(notesOf(99_999, 200_000)[0]).toContain('too few for a p99.9'));
});

describe('arguments of kload', () => {
  it('are its options with dashes; arrays repeat, false and undefined are left out', () => {
    const args = kloadArgs({ endToEnd: true, rate: 5, topicConfig: ['a=1', 'b=2'], fanOut: false, bytes: undefined });
    expect(args).toEqual(['--end-to-end', '--rate', '5', '--topic-config', 'a=1', '--topic-config', 'b=2']);
  });
});
