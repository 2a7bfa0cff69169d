/** Log-append time over a restart with a clock that was set back meanwhile. */
import { expect, test } from 'vitest';
import type { Durability } from '../../../src/log/partition-state.ts';
import type { SimTopic } from '../../sim/history.ts';
import { Simulation } from '../../sim/simulation.ts';

const HOUR_MS = 3_600_000;

class AppendTimes {
  readonly sim = new Simulation({ seed: 0 });
  readonly topic: SimTopic;

  constructor(durability: Durability) {
    this.sim.start();
    this.topic = this.sim.createTopic(durability);
    this.topic.appendTime = true;
    this.sim.configure(this.topic, this.topic.segmentBytes);
    this.sim.workAll();
  }

  /** Appends a batch; returns the time it was given. */
  append(): number {
    const { sim, topic } = this;
    const { acks } = sim;
    sim.produce(topic, 100);
    sim.workAll();
    expect(sim.acks).toBe(acks + 1);
    return topic.lastAppendTime;
  }

  restart(): void {
    this.sim.afterCrash();
    this.sim.start();
  }
}

test.for(['fsync', 'page-cache'] as const)('of a topic of mode %s does not go back over a clean stop', (durability) => {
  const times = new AppendTimes(durability);
  const before = times.append();
  times.sim.stop();
  times.sim.nowMs -= HOUR_MS;
  times.restart();
  expect([times.append(), times.append()]).toEqual([before, before]);
  times.sim.nowMs += 2 * HOUR_MS;
  expect(times.append()).toBeGreaterThan(before);
});

test('does not go back over a loss of power: the journal has it, and after the next start the checkpoint', () => {
  const times = new AppendTimes('fsync');
  const before = times.append();
  for (let life = 0; life < 2; life++) {
    times.sim.disk.losePower(0);
    times.sim.nowMs -= HOUR_MS;
    times.restart();
  }
  expect(times.append()).toBe(before);
});

test('does not go back when the partition moves to another shard', () => {
  const times = new AppendTimes('page-cache');
  const before = times.append();
  times.sim.nowMs -= HOUR_MS;
  times.sim.changeDurability(times.topic, 'fsync');
  for (let i = 0; i < 20 && times.topic.shard !== 'sync-0'; i++) times.sim.workAll();
  for (let i = 0; i < 20 && !times.topic.online; i++) times.sim.workAll();
  expect([times.topic.shard, times.append()]).toEqual(['sync-0', before]);
});

test('is the clock’s where the times before were of producers, however far ahead they are', () => {
  const times = new AppendTimes('fsync');
  const { sim, topic } = times;
  topic.appendTime = false;
  sim.configure(topic, topic.segmentBytes);
  sim.nowMs += HOUR_MS;
  sim.produce(topic, 100);
  sim.workAll();
  sim.stop();
  sim.nowMs -= HOUR_MS;
  topic.appendTime = true;
  times.restart();
  const { nowMs } = sim;
  expect(times.append()).toBeLessThan(nowMs + 1000);
});
