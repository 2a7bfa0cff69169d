/** Bit rot by seed; see bit-rot.ts. */
import { expect, test, vi } from 'vitest';
import { JournalWriter } from '../../src/shard/journal-writer.ts';
import { runRotSeed, type Rot } from './bit-rot.ts';
import { Violation } from './history.ts';

const first = Number(process.env['SIM_SEED'] ?? 1);

test.each<[Rot, boolean]>([
  ['journal', true],
  ['checkpoint', false],
  ['segment', false],
])('a flipped bit in a %s: refused or repaired, nothing behind it cut, no offset given out again', (rot, mustReport) => {
  let reported = 0;
  for (let seed = first; seed < first + 60; seed++) {
    try {
      if (runRotSeed(seed, rot)) reported++;
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
  if (mustReport) expect(reported).toBeGreaterThan(5);
});

test('planted: corruption is taken for a torn tail, because nothing vouches for what was durable', () => {
  const planted = vi.spyOn(JournalWriter.prototype, 'becomeSynced').mockImplementation(function (this: JournalWriter) {
    this.syncedThrough = 0;
  });
  let caught = 0;
  for (let seed = 1; seed <= 60 && caught === 0; seed++) {
    try {
      runRotSeed(seed, 'journal');
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      caught++;
    }
  }
  planted.mockRestore();
  expect(caught).toBe(1);
});
