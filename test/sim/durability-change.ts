/**
 * A live topic changes its durability, and the power (or the process) is gone at one step of it: at the n-th thing that the disk is asked for since the change
 * began. Nothing that the old mode or, once the change is answered, the new one has promised may be missing.
 */
import { SimulatedCrash } from './fake-disk.ts';
import { check, Survives, type SimTopic } from './history.ts';
import { Simulation, type SimOptions } from './simulation.ts';
import type { Durability } from '../../src/log/partition-state.ts';

/** One change and its end. */
export interface Change {
  readonly from: Durability;
  readonly to: Durability;
  /** Operation of the disk at which it ends; beyond the last one: just after the first appends in the new mode. */
  readonly step: number;
  readonly ending: 'power' | 'kill';
}

/** Runs one change; false once `step` lies beyond the end of it. Throws a Violation if a promise breaks. */
export function runChange(options: SimOptions, { from, to, step, ending }: Change): boolean {
  const sim = new Simulation(options);
  const { prng, disk } = sim;
  sim.start();
  const topic = sim.createTopic(from);
  const others = prng.chance(0.5) ? [sim.createTopic('fsync'), sim.createTopic('page-cache')] : [];
  const all = [topic, ...others];
  settle(sim, all);
  // Some of it is covered by a checkpoint, some is not, segments have been rolled, and the keeper may be at work.
  for (let i = 0; i < 12; i++) {
    for (const each of all) sim.produce(each, prng.pick([100, 2500, 6000]));
    for (const slot of sim.shards) {
      sim.work(slot);
      if (i < 5 || prng.chance(0.3)) sim.runJob(slot);
    }
  }
  const before = sim.acks;
  check(before >= 6, 'the scenario acknowledged too little to prove anything');
  disk.crashAt = disk.operations + step;
  let crashed = false;
  try {
    sim.changeDurability(topic, to);
    // What others do in the meantime goes into the same groups.
    for (const other of others) sim.produce(other, 100);
    settle(sim, all);
    for (let i = 0; i < 3; i++) {
      for (const each of all) sim.produce(each, prng.pick([100, 2500]));
      for (const slot of sim.shards) sim.work(slot);
    }
    check(sim.acks > before, 'nothing is acknowledged after the change');
  } catch (error) {
    if (!(error instanceof SimulatedCrash)) throw error;
    crashed = true;
  }
  restart(sim, ending);
  // The life after it is as good as any.
  settle(sim, all);
  for (const each of all) sim.produce(each, 200);
  for (const slot of sim.shards) sim.work(slot);
  restart(sim, 'power');
  return crashed;
}

/** Lets the shards work until every topic is online and its settings are in force. */
function settle(sim: Simulation, topics: readonly SimTopic[]): void {
  const isSettled = (topic: SimTopic): boolean => topic.online && topic.configuring === 0;
  for (let i = 0; i < 100 && !topics.every(isSettled); i++) {
    sim.nowMs += 10;
    for (const slot of sim.shards) {
      sim.work(slot);
      if (sim.prng.chance(0.3)) sim.runJob(slot);
    }
  }
  check(topics.every(isSettled), 'the change does not come to an end');
}

function restart(sim: Simulation, ending: Change['ending']): void {
  const { prng, disk } = sim;
  if (ending === 'power') disk.losePower(prng.pick([0, 0, 0.5, 1]));
  else sim.stopAbruptly();
  sim.afterCrash();
  sim.start();
  sim.verifyRecovered(ending === 'power' ? Survives.power : Survives.process);
}
