/** A start on a full disk: what an earlier start left behind makes room before anything else does. */
import { expect, test } from 'vitest';
import { currentGeneration } from '../../../src/log/generation.ts';
import { generationFolder, reservePath } from '../../../src/log/layout.ts';
import { Survives } from '../../sim/history.ts';
import { DATA, Simulation } from '../../sim/simulation.ts';

/** A topic whose records only the journal has on disk: the start has to write them, and the disk is full. */
function fullDisk(leftBy: (generation: string) => string): { readonly sim: Simulation; readonly left: string } {
  const sim = new Simulation({ seed: 0, referenceBytesMin: 100_000 });
  sim.start();
  const topic = sim.createTopic('fsync');
  sim.workAll();
  for (let i = 0; i < 5; i++) {
    sim.produce(topic, 1000);
    sim.work(sim.slotOf(topic));
  }
  expect(sim.acks).toBe(5);
  const { disk } = sim;
  disk.losePower(0);
  sim.afterCrash();
  const left = leftBy(currentGeneration(disk, DATA) as string);
  disk.mkdir(left.slice(0, left.lastIndexOf('/')));
  const fd = disk.open(left, 'write');
  disk.write(fd, [Buffer.alloc(100_000)], 0);
  disk.close(fd);
  disk.unlink(reservePath(DATA));
  disk.capacity = disk.usedBytes();
  return { sim, left };
}

const LEFT: readonly [what: string, path: (generation: string) => string][] = [
  ['a segment that was not recycled yet', () => `${DATA}/pool/100000-a.pool.unsettled`],
  ['a start that did not come far', () => `${generationFolder(DATA, '00000000000000ff')}/sync-0/0.ckpt.tmp`],
  ['a journal file that was being made', (generation) => `${generationFolder(DATA, generation)}/sync-0/journal-000009.jrn.tmp`],
];

test.for(LEFT)('on a full disk the room of %s is there for recovery', ([, leftBy]) => {
  const { sim, left } = fullDisk(leftBy);
  sim.start();
  sim.verifyRecovered(Survives.power);
  expect(sim.disk.exists(left)).toBe(false);
});
