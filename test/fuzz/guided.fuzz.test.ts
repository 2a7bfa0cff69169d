/** The guided fuzzer: that coverage guides it, and a short round over every target. Longer ones: npm run fuzz -- --help. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { TARGETS } from './registry.ts';

interface Result {
  readonly name: string;
  readonly runs: number;
  readonly ways: number;
  readonly corpus: number;
  readonly finding: { readonly input: string; readonly error: string } | null;
}

/** Inputs of the short round, for each target; each costs microseconds, one of recovery milliseconds. */
const RUNS = 20_000;
const RUNS_OF_RECOVERY = 2000;
const PLANTED_RUNS = 300_000;
const SEED = Number(process.env['RINGLOG_SEED'] ?? 1);

const script = join(import.meta.dirname, 'run.mjs');

beforeAll(async () => void (await promisify(execFile)(process.execPath, [script, '--list'])));

async function fuzz(...args: string[]): Promise<Result[]> {
  const command = [script, '--built', '--json', ...args];
  const { stdout } = await promisify(execFile)(process.execPath, command, { maxBuffer: 1 << 26 }).catch(
    (error: { stdout: string; stderr: string }) => {
      if (error.stdout === '') throw new Error(error.stderr);
      return error;
    },
  );
  return (JSON.parse(stdout) as { results: Result[] }).results;
}

describe('coverage guides it', () => {
  it('to a bug behind six bytes that are looked at one by one, which as many inputs without it do not find', async () => {
    const seed = ['--seed', '1', '--runs', String(PLANTED_RUNS)];
    const [guided] = await fuzz('planted', ...seed);
    expect(guided?.finding?.error).toContain('the planted bug');
    // It came there step by step: an input was kept for each byte that was right.
    expect(guided?.corpus).toBeGreaterThanOrEqual(6);
    const [blind] = await fuzz('planted', '--blind', ...seed);
    expect(blind).toMatchObject({ runs: PLANTED_RUNS, finding: null });
    expect(blind?.ways).toBeLessThan(guided?.ways ?? 0);
  });

  it('to more ways through a decoder than its seeds take', async () => {
    const [guided] = await fuzz('fetchView', '--seed', '1', '--runs', '20000');
    const [seeds] = await fuzz('fetchView', '--seed', '1', '--runs', '1');
    expect(guided?.ways).toBeGreaterThan((seeds?.ways ?? Infinity) * 1.1);
  });
});

describe('no input ends in anything but an answer', () => {
  it.each([...TARGETS.keys()])('of %s', { timeout: 240_000 }, async (name) => {
    const runs = name === 'recovery' ? RUNS_OF_RECOVERY : RUNS;
    const [result] = await fuzz(name, '--seed', String(SEED), '--runs', String(runs));
    expect(result?.finding, `seed ${SEED}`).toBeNull();
    expect(result?.runs).toBe(runs);
    expect(result?.corpus).toBeGreaterThan(0);
  });
});
