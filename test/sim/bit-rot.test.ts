/** Bit rot by seed; see bit-rot.ts. */
import { afterEach, expect, test, vi } from 'vitest';
import { JournalWriter } from '../../src/shard/journal-writer.ts';
import { Vouching } from '../../src/shard/vouching.ts';
import { runRotSeed, type Rot } from './bit-rot.ts';
import { Violation } from './history.ts';

const first = Number(process.env['SIM_SEED'] ?? 1);

/** Seeds for each kind; a fifth of what the others of this folder run at most. */
const SEEDS = Math.max(60, Math.floor(Number(process.env['SIM_SEEDS'] ?? 0) / 5));

/** Least part of the runs in which recovery must have found something to report. */
test.each<[Rot, number]>([
  ['journal', 0.09],
  ['last group', 1],
  ['checkpoint', 0],
  ['segment', 0],
])('a flipped bit in a %s: refused or repaired, nothing behind it cut, no offset given out again', (rot, reportedPart) => {
  let reported = 0;
  for (let seed = first; seed < first + SEEDS; seed++) {
    try {
      if (runRotSeed(seed, rot)) reported++;
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
  expect(reported).toBeGreaterThanOrEqual(SEEDS * reportedPart);
});

/** Some seed must catch what is planted. */
function expectCaught(rot: Rot): void {
  let caught = 0;
  for (let seed = 1; seed <= 60 && caught === 0; seed++) {
    try {
      runRotSeed(seed, rot);
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      caught++;
    }
  }
  vi.restoreAllMocks();
  expect(caught).toBe(1);
}

afterEach(() => void vi.restoreAllMocks());

test('planted: corruption is taken for a torn tail, because nothing vouches for what was durable', () => {
  vi.spyOn(JournalWriter.prototype, 'becomeSynced').mockImplementation(function (this: JournalWriter) {
    this.syncedThrough = 0;
  });
  vi.spyOn(Vouching.prototype, 'poll').mockImplementation(() => undefined);
  expectCaught('journal');
});

test('planted: corruption of the last group is taken for a torn tail, because a quiet shard does not vouch for it', () => {
  vi.spyOn(Vouching.prototype, 'poll').mockImplementation(() => undefined);
  expectCaught('last group');
});
