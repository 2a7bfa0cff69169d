/** How a stop ends when clients or the disk make it hard. */
import { expect, test } from 'vitest';
import type { SimTopic } from './history.ts';
import { Simulation } from './simulation.ts';

/** Less than a shard takes in a cycle: under load the next checkpoint is due as soon as one is done. */
const CHECKPOINT_BYTES = 1024;

/** A broker with a topic of each class of shard, online. */
function started(): { sim: Simulation; topics: SimTopic[] } {
  const sim = new Simulation({ seed: 1, checkpointIntervalBytes: CHECKPOINT_BYTES });
  sim.start();
  const topics = [sim.createTopic('fsync'), sim.createTopic('page-cache')];
  for (let n = 0; n < 100 && topics.some(({ online }) => !online); n++) sim.workAll();
  return { sim, topics };
}

test('a stop under load is clean, and waits for the checkpoint under way but for no other', () => {
  const { sim, topics } = started();
  const load = (): void => {
    for (const topic of topics) sim.produce(topic, 3000);
  };
  const isBusy = (): boolean[] => sim.shards.map(({ shard }) => shard.checkpointer.busy);
  for (let n = 0; n < 10 && isBusy().includes(false); n++) {
    load();
    for (const slot of sim.shards) sim.work(slot);
  }
  expect(isBusy()).toEqual([true, true]);
  const jobs: string[] = [];
  sim.trace = (line) => {
    const job = /^(\S+) -> .*"kind":"job".*"kind":"(\w+)"/.exec(line);
    if (job !== null) jobs.push(`${job[1]} ${job[2]}`);
  };
  sim.stop(load);
  expect(sim.shards.map(({ stopped }) => stopped)).toEqual([true, true]);
  // The second half of what was under way.
  expect(jobs.sort()).toEqual(['buffered-0 checkpoint', 'sync-0 checkpoint']);
});

test('after a failed sync a stop does not wait for what cannot come any more, and is not clean', () => {
  const { sim, topics } = started();
  for (const topic of topics) for (let n = 0; n < 8; n++) sim.produce(topic, 3000);
  sim.disk.failSync = () => true;
  sim.workAll();
  sim.stop();
  expect(sim.shards.map(({ shard }) => shard.failure !== null)).toEqual([true, true]);
  expect(sim.shards.map(({ stopped }) => stopped)).toEqual([false, false]);
});
