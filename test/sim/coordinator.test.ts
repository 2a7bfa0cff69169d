/** Groups in simulated time, by seed (SIM_SEED, SIM_SEEDS): storms settle, and whatever happens before, everybody ends up at work with what it was assigned. */
import { expect, test } from 'vitest';
import { World } from './coordinator-world.ts';

const first = Number(process.env['SIM_SEED'] ?? 1);
const count = Math.ceil(Number(process.env['SIM_SEEDS'] ?? 150) / 5);

function eachSeed(run: (seed: number) => void): void {
  for (let seed = first; seed < first + count; seed++) {
    try {
      run(seed);
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
}

test(`${count} seeds from ${first}: after deaths, lost answers, disk errors and restarts a group settles and has lost no commit`, () => {
  let restarts = 0;
  let acknowledged = 0;
  eachSeed((seed) => {
    const world = new World({
      seed,
      members: 2 + (seed % 9),
      startMsMax: 4000,
      workMsMax: 2000,
      rebalanceTimeoutMs: 12_000,
      sessionTimeoutMs: 10_000,
      faults: true,
    });
    world.run(60_000, true);
    // Two sessions, so that the dead are gone, and a few rebalances.
    world.run(60_000);
    expect(world.unsettled()).toBeNull();
    restarts += world.restarts;
    acknowledged += world.acknowledgedCount;
  });
  expect(restarts).toBeGreaterThan(count);
  expect(acknowledged).toBeGreaterThan(count * 5);
});

test(`${count} seeds from ${first}: a storm of members that come one by one and take longer to rejoin than their session lasts settles`, () => {
  let generations = 0;
  eachSeed((seed) => {
    const world = new World({
      seed,
      members: 20 + (seed % 30),
      startMsMax: 60_000,
      workMsMax: 20_000,
      rebalanceTimeoutMs: 30_000,
      sessionTimeoutMs: 10_000,
      faults: false,
    });
    world.run(60_000, true);
    // The last rebalance waits for the slowest.
    world.run(60_000);
    expect(world.unsettled()).toBeNull();
    const settled = world.generations;
    world.run(60_000);
    expect([world.unsettled(), world.generations]).toEqual([null, settled]);
    // Members that come while a rebalance waits for the slow ones share it: there are far fewer generations than members.
    expect(settled).toBeLessThanOrEqual(10);
    generations += settled;
  });
  expect(generations).toBeGreaterThan(count * 2);
});
