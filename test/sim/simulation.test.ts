/** The engine under every fault the fake disk knows, by seed. `npm run sim -- --seed N` repeats one; SIM_SEEDS sets how many run here. */
import { expect, test } from 'vitest';
import { runSeed } from './scenario.ts';

const first = Number(process.env['SIM_SEED'] ?? 1);
const count = Number(process.env['SIM_SEEDS'] ?? 150);

test(
  `${count} seeds from ${first}: nothing acknowledged is lost, nothing is invented, offsets are never given out twice`,
  { timeout: 3_600_000 },
  () => {
    let acks = 0;
    let starts = 0;
    let retirements = 0;
    let recycled = 0;
    let duplicates = 0;
    let confirmed = 0;
    for (let seed = first; seed < first + count; seed++) {
      try {
        const summary = runSeed({ seed });
        acks += summary.acks;
        starts += summary.starts;
        retirements += summary.retirements;
        recycled += summary.recycled;
        duplicates += summary.duplicates;
        confirmed += summary.confirmed;
      } catch (error) {
        throw new Error(`seed ${seed}: ${(error as Error).message} (repeat with: npm run sim -- --seed ${seed} --seeds 1)`, {
          cause: error,
        });
      }
    }
    // A run that acknowledges nothing proves nothing.
    expect(acks).toBeGreaterThan(count * 20);
    expect(starts).toBeGreaterThan(count * 3);
    if (count >= 16) expect([duplicates > count / 2, confirmed > count / 2]).toEqual([true, true]);
    if (count >= 50) expect([retirements > count / 2, recycled > count / 5]).toEqual([true, true]);
  },
);
