/** A shard after a failed sync: it refuses, it sleeps, it stops at once, and not as after a clean life. */
import { expect, test } from 'vitest';
import { Worked } from '../../../src/shard/shard.ts';
import { Simulation, type ShardSlot } from '../../sim/simulation.ts';

function started(): { sim: Simulation; slot: ShardSlot } {
  const sim = new Simulation({ seed: 0, referenceBytesMin: 1 });
  sim.start();
  return { sim, slot: sim.shards[0] as ShardSlot };
}

test('what waited to be journaled when a sync failed does not keep the shard from sleeping', () => {
  const { sim, slot } = started();
  const topic = sim.createTopic('fsync');
  sim.work(slot);
  // The first append brings a roll and a bind entry, and needs the name of its file on disk before the journal is written.
  sim.disk.failSync = (path) => path.includes('/topics');
  sim.produce(topic, 100);
  sim.work(slot);
  expect(slot.shard.failure).toMatch(/EIO/);
  expect(sim.refusals).toBe(1);
  expect(sim.work(slot)).toBe(Worked.nothing);
});

test('a failed shard stops at once, also in the middle of a checkpoint, and not cleanly', () => {
  const { sim, slot } = started();
  const topic = sim.createTopic('fsync');
  sim.workAll();
  for (let i = 0; i < 20; i++) {
    sim.produce(topic, 2000);
    sim.work(slot);
  }
  expect(slot.shard.checkpointer.busy).toBe(true);
  sim.disk.failSync = () => true;
  sim.produce(topic, 100);
  sim.work(slot);
  expect(slot.shard.failure).not.toBeNull();
  sim.stop();
  expect(slot.stopped).toBe(false);
});
