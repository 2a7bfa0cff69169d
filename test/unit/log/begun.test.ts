/** Every shard that has begun has to be there at the next start: what a lost one held was acknowledged, and its partitions must not start over at offset 0. */
import { expect, test } from 'vitest';
import { BEGUN } from '../../../src/log/begun.ts';
import { currentGeneration, RecoveryError } from '../../../src/log/generation.ts';
import { generationFolder } from '../../../src/log/layout.ts';
import { Survives } from '../../sim/history.ts';
import { DATA, Simulation, SimulatedCrash } from '../../sim/simulation.ts';

const folderOf = ({ disk }: Simulation): string => generationFolder(DATA, currentGeneration(disk, DATA) as string);

/** Two shards that begin with the generation and one that begins later, each with records that are acknowledged and secured. */
function threeShards(): Simulation {
  const sim = new Simulation({ seed: 0, syncShards: () => 2 });
  sim.start();
  const topics = [sim.createTopic('fsync'), sim.createTopic('fsync'), sim.createTopic('page-cache')];
  for (let i = 0; i < 3; i++) {
    sim.workAll();
    for (const topic of topics) sim.produce(topic, 100);
  }
  sim.workAll();
  expect([sim.acks, sim.shards.map(({ name }) => name)]).toEqual([9, ['sync-0', 'sync-1', 'buffered-0']]);
  return sim;
}

const LOSSES: readonly [what: string, lose: (sim: Simulation, folder: string) => void][] = [
  ['is gone', ({ disk }, folder) => disk.removeTree(folder)],
  ['is empty', ({ disk }, folder) => disk.list(folder).forEach((name) => disk.unlink(`${folder}/${name}`))],
];
const ENDINGS: readonly [how: string, end: (sim: Simulation) => void][] = [
  ['was killed', (sim) => sim.stopAbruptly()],
  ['has stopped', (sim) => sim.stop()],
];

for (const [what, lose] of LOSSES)
  for (const [how, end] of ENDINGS)
    test.for(['sync-0', 'sync-1', 'buffered-0'])(
      `the folder of %s ${what} after the broker ${how}: no start, and nothing changes`,
      (shard) => {
        const sim = threeShards();
        const { disk } = sim;
        // Also one that began late has begun with the generation the next time.
        for (let life = 0; life < 2; life++) {
          end(sim);
          sim.afterCrash();
          const whole = disk.snapshot();
          const folder = `${folderOf(sim)}/${shard}`;
          lose(sim, folder);
          const before = disk.snapshot();
          expect(() => sim.start()).toThrow(RecoveryError);
          disk.killProcess();
          expect(() => sim.start()).toThrow(
            new RegExp(`${folder}: missing or without a checkpoint .* restore the data folder from a backup`),
          );
          expect(disk.isLike(before)).toBe(true);
          disk.killProcess();
          for (const changed of disk.mkdir(folder)) disk.syncFolder(changed);
          disk.restore(whole);
          expect(sim.start().notes).toEqual([]);
          sim.verifyRecovered(Survives.process);
        }
      },
    );

test('a generation without the names of its shards is believed, as before there were any', () => {
  const sim = threeShards();
  sim.stop();
  sim.afterCrash();
  sim.disk.removeTree(`${folderOf(sim)}/${BEGUN}`);
  expect(sim.start().notes).toEqual([]);
  sim.verifyRecovered(Survives.power);
});

test('what else lies among the names is no shard', () => {
  const sim = threeShards();
  sim.stop();
  sim.afterCrash();
  sim.disk.close(sim.disk.open(`${folderOf(sim)}/${BEGUN}/.nfs0001`, 'write'));
  expect(sim.start().notes).toEqual([]);
});

/** How much of what was not synced survives the loss of power, one after the other. */
const KEPT = [0, 1, 0.5];

/** Lets the power fail at each step of what `run` does after `prepare`; the start behind it must be one. Returns how many steps there were. */
function everyStep(prepare: () => Simulation, run: (sim: Simulation) => void): number {
  for (let step = 1; ; step++) {
    const sim = prepare();
    sim.disk.crashAt = sim.disk.operations + step;
    let isOver = false;
    try {
      run(sim);
      isOver = true;
    } catch (error) {
      if (!(error instanceof SimulatedCrash)) throw error;
    }
    sim.disk.losePower(KEPT[step % KEPT.length] as number);
    sim.afterCrash();
    sim.start();
    sim.verifyRecovered(Survives.power);
    if (isOver) return step - 1;
  }
}

test('whatever step of a start the power fails at, the next one finds every shard that it expects', () => {
  const killed = (): Simulation => {
    const sim = threeShards();
    sim.stopAbruptly();
    sim.afterCrash();
    return sim;
  };
  expect(everyStep(killed, (sim) => void sim.start())).toBeGreaterThan(30);
});

test('whatever step the power fails at while a shard begins in the middle of a generation, the same', () => {
  const started = (): Simulation => {
    const sim = new Simulation({ seed: 0 });
    sim.start();
    return sim;
  };
  const steps = everyStep(started, (sim) => {
    const topic = sim.createTopic('page-cache');
    sim.workAll();
    sim.produce(topic, 100);
    sim.workAll();
  });
  expect(steps).toBeGreaterThan(20);
});
