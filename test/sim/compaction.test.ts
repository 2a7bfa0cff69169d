/** Compaction under crashes, by seed (SIM_SEED, SIM_SEEDS), and the bugs that its simulation must find. */
import { describe, expect, test } from 'vitest';
import type { Disk } from '../../src/log/disk.ts';
import type { KeptSegments } from '../../src/log/retire.ts';
import { RetiredSegments } from '../../src/main/retired-segments.ts';
import { runCompaction, runRottenCompaction, type CompactionBugs } from './compaction.ts';
import type { FakeDisk } from './fake-disk.ts';

const FIRST = Number(process.env['SIM_SEED'] ?? 1);
const SEEDS = Number(process.env['SIM_SEEDS'] ?? 120);

test('whatever dies when, every key has the value of its last record, and nobody reads foreign bytes', () => {
  let replacements = 0;
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    try {
      replacements += runCompaction(seed);
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
  expect(replacements).toBeGreaterThan(SEEDS * 2);
});

test('whichever journal group rots, no offset is given out again, and what can be read of a key stays', () => {
  let rotten = 0;
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    try {
      if (runRottenCompaction(seed)) rotten++;
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
  expect(rotten).toBeGreaterThan(SEEDS / 2);
});

/** A disk on which some operations do nothing. */
function without(disk: FakeDisk, ...operations: (keyof Disk)[]): Disk {
  return new Proxy<Disk>(disk, {
    get: (target, name) => {
      if (operations.includes(name as keyof Disk)) return () => undefined;
      const value = target[name as keyof Disk] as unknown;
      return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
    },
  });
}

describe('is found by the simulation:', () => {
  const BUGS: Record<string, CompactionBugs> = {
    'files of replaced segments that go before a checkpoint has the new ones': { releasesEarly: true },
    'files that go while they are read': { recyclesUnderReaders: true },
    'new files whose bytes are not synced': { jobDisk: (disk) => without(disk, 'fdatasync') },
    'new files whose names are not synced': { jobDisk: (disk) => without(disk, 'syncFolder') },
    'new files that nobody names and nobody removes': {
      leftoversOf: (state) => ({ ...(RetiredSegments.leftoversOf(state, true) as KeptSegments), cleanedEnd: 0 }),
    },
  };
  test.each(Object.entries(BUGS))('%s', (_name, bugs) => {
    const found = (seed: number): boolean => {
      try {
        runCompaction(seed, bugs);
        return false;
      } catch {
        return true;
      }
    };
    expect(Array.from({ length: SEEDS }, (_, i) => i + 1).some(found)).toBe(true);
  });
});
