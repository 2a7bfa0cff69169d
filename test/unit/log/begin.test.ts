/** A start on a disk that makes it hard: it is full (what an earlier start left behind makes room before anything else does), or a file cannot be read. */
import { expect, test } from 'vitest';
import { DiskError } from '../../../src/log/disk.ts';
import { currentGeneration } from '../../../src/log/generation.ts';
import { generationFolder, reservePath } from '../../../src/log/layout.ts';
import { Survives } from '../../sim/history.ts';
import { DATA, Simulation } from '../../sim/simulation.ts';

/** A topic with five acknowledged records. */
function withRecords(settings: { readonly referenceBytesMin?: number } = {}): Simulation {
  const sim = new Simulation({ seed: 0, ...settings });
  sim.start();
  const topic = sim.createTopic('fsync');
  sim.workAll();
  for (let i = 0; i < 5; i++) {
    sim.produce(topic, 1000);
    sim.work(sim.slotOf(topic));
  }
  expect(sim.acks).toBe(5);
  return sim;
}

/** Records that only the journal has on disk: the start has to write them, and the disk is full. */
function fullDisk(leftBy: (generation: string) => string): { readonly sim: Simulation; readonly left: string } {
  const sim = withRecords({ referenceBytesMin: 100_000 });
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

/** A topic of which some records were acknowledged, and the newest journal file. */
function written(): { readonly sim: Simulation; readonly journal: string } {
  const sim = withRecords();
  const journal = sim.disk.paths().findLast((path) => path.includes('/sync-0/') && path.endsWith('.jrn')) as string;
  return { sim, journal };
}

test('a journal file that is named and cannot be read refuses the start, and nothing changes', () => {
  const { sim, journal } = written();
  const { disk } = sim;
  sim.stopAbruptly();
  sim.afterCrash();
  const before = disk.snapshot();
  disk.unreadable = (path) => path === journal;
  expect(() => sim.start()).toThrow(DiskError);
  expect(disk.isLike(before)).toBe(true);
  disk.killProcess();
  disk.unreadable = null;
  sim.start();
  sim.verifyRecovered(Survives.power);
});

test('a journal file that is named and not there refuses the start, too', () => {
  const { sim, journal } = written();
  const { disk } = sim;
  sim.stopAbruptly();
  sim.afterCrash();
  const [folder, name] = [journal.slice(0, journal.lastIndexOf('/')), journal.slice(journal.lastIndexOf('/') + 1)];
  disk.unlink(journal);
  const list = disk.list.bind(disk);
  disk.list = (path) => (path === folder ? [...list(path), name] : list(path));
  const current = currentGeneration(disk, DATA);
  expect(() => sim.start()).toThrow(/ENOENT/);
  expect(currentGeneration(disk, DATA)).toBe(current);
});

test('files of an earlier generation that the disk does not give up keep no broker from starting, then or later', () => {
  const { sim, journal } = written();
  const { disk } = sim;
  const old = generationFolder(DATA, currentGeneration(disk, DATA) as string);
  sim.stop();
  sim.afterCrash();
  // After a clean stop nobody reads it.
  disk.unreadable = (path) => path === journal;
  for (let start = 0; start < 3; start++) {
    const { notes } = sim.start();
    expect(notes).toMatchObject([{ kind: 'left-behind', text: expect.stringContaining(old) as string }]);
    sim.verifyRecovered(Survives.power);
    sim.stop();
    sim.afterCrash();
  }
  expect(disk.paths()).toContain(journal);
  // It goes once the disk is sound.
  disk.unreadable = null;
  expect(sim.start().notes).toEqual([]);
  expect(disk.paths().filter((path) => path.startsWith(old))).toEqual([]);
});

test('the same of a checkpoint in a generation that has no journal file any more', () => {
  const { sim } = written();
  const { disk } = sim;
  const old = generationFolder(DATA, currentGeneration(disk, DATA) as string);
  sim.stop();
  sim.afterCrash();
  const before = sim.start().notes;
  expect(before).toEqual([]);
  sim.stop();
  sim.afterCrash();
  const left = `${old}/sync-0/00000000000000000000.ckpt`;
  disk.mkdir(`${old}/sync-0`);
  disk.close(disk.open(left, 'write'));
  disk.unreadable = (path) => path === left;
  expect(sim.start().notes).toMatchObject([{ kind: 'left-behind' }]);
  sim.verifyRecovered(Survives.power);
});

test('journal files that were handed on keep their new names, whatever the disk refuses afterwards', () => {
  const { sim } = written();
  const { disk } = sim;
  sim.stop();
  sim.afterCrash();
  const removeTree = disk.removeTree.bind(disk);
  let refusals = 0;
  disk.removeTree = (path) => {
    // The one before, full as it is.
    if (path.includes('/generations/') && disk.paths().some((file) => file.startsWith(`${path}/`)) && refusals++ === 0)
      throw new DiskError('ENOSPC', 'remove', path);
    removeTree(path);
  };
  sim.start();
  expect(refusals).toBeGreaterThan(0);
  const topic = sim.createTopic('fsync');
  sim.workAll();
  sim.produce(topic, 1000);
  sim.workAll();
  expect(sim.acks).toBe(6);
  disk.losePower(0);
  sim.afterCrash();
  sim.start();
  sim.verifyRecovered(Survives.power);
});
