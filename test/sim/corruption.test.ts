/** Bit rot by seed; see corruption.ts. */
import { expect, test } from 'vitest';
import { runRotSeed, type Rot } from './corruption.ts';

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
