import { expect, test, vi } from 'vitest';
import { DiskError } from '../../../src/log/disk.ts';
import { OwedSyncs } from '../../../src/log/owed-syncs.ts';
import { Prng } from '../../../src/lib/prng.ts';
import { FakeDisk } from '../../sim/fake-disk.ts';
import { Survives } from '../../sim/history.ts';
import { DATA, Simulation } from '../../sim/simulation.ts';

function diskWithFolder(): FakeDisk {
  const disk = new FakeDisk(new Prng(5));
  disk.mkdir('/d');
  return disk;
}

function write(disk: FakeDisk, owed: OwedSyncs, path: string): void {
  const fd = disk.open(path, 'write');
  disk.write(fd, [Buffer.from(path)], 0);
  owed.addFile(fd, path);
}

test('whatever was owed is durable once it has settled, every name once', () => {
  const disk = diskWithFolder();
  const owed = new OwedSyncs(disk);
  const synced = vi.spyOn(disk, 'syncFolder');
  for (let n = 0; n < 5; n++) {
    write(disk, owed, `/d/${n}`);
    owed.addFolder('/');
    owed.addFolder('/d');
  }
  owed.settle();
  expect(synced.mock.calls.flat().toSorted()).toEqual(['/', '/d']);
  expect(disk.openPaths).toEqual([]);
  disk.losePower(0);
  for (let n = 0; n < 5; n++) expect(disk.snapshot().get(`/d/${n}`)?.toString()).toBe(`/d/${n}`);
});

test('thousands of files are never open all at once', () => {
  const disk = diskWithFolder();
  const owed = new OwedSyncs(disk);
  let most = 0;
  for (let n = 0; n < 1000; n++) {
    write(disk, owed, `/d/${n}`);
    most = Math.max(most, disk.openPaths.length);
  }
  expect(most).toBeLessThan(128);
  owed.settle();
  expect(disk.openPaths).toEqual([]);
});

test('a sync that fails names the files it was among, and leaves none open', () => {
  const disk = diskWithFolder();
  const owed = new OwedSyncs(disk);
  for (const name of ['a', 'b', 'c']) write(disk, owed, `/d/${name}`);
  disk.failSync = (path) => path === '/d/b';
  expect(() => owed.settle()).toThrow(new DiskError('EIO', 'fdatasync', 'one of 3 files from /d/a to /d/c'));
  write(disk, owed, '/d/b');
  expect(() => owed.settle()).toThrow(new DiskError('EIO', 'fdatasync', '/d/b'));
  expect(disk.openPaths).toEqual([]);
});

test('what is given up is closed and not synced', () => {
  const disk = diskWithFolder();
  disk.syncFolder('/');
  const owed = new OwedSyncs(disk);
  write(disk, owed, '/d/a');
  disk.syncFolder('/d');
  owed.close();
  expect(disk.openPaths).toEqual([]);
  disk.losePower(0);
  expect(disk.snapshot().get('/d/a')?.length).toBe(0);
});

/** A killed broker with acknowledged records in several topics, none of them in a checkpoint. */
function killed(): Simulation {
  const sim = new Simulation({ seed: 3 });
  sim.start();
  const topics = [1, 2, 3].map(() => sim.createTopic('fsync'));
  sim.workAll();
  for (const topic of topics) sim.produce(topic, 500);
  for (const topic of topics) sim.work(sim.slotOf(topic));
  expect(sim.acks).toBe(3);
  sim.disk.killProcess();
  sim.afterCrash();
  return sim;
}

test.for([
  ['a segment', /^fdatasync one of 3 files .*\.log: EIO$/, (path: string) => path.includes('topic-2') && path.endsWith('.log')],
  ['the folder of a partition', /^sync folder .*topic-2.*: EIO$/, (path: string) => path.endsWith('topic-2/0')],
  ['the folder of all topics', /^sync folder .*: EIO$/, (path: string) => path === `${DATA}/topics`],
] as const)('a start that cannot sync %s serves nothing, and the next one loses nothing', ([, says, fails]) => {
  const sim = killed();
  sim.disk.failSync = fails;
  expect(() => sim.start()).toThrow(says);
  sim.disk.killProcess();
  sim.disk.failSync = null;
  sim.start();
  sim.verifyRecovered(Survives.power);
  // Even if the power goes before anything else is written.
  sim.disk.losePower(0);
  sim.afterCrash();
  sim.start();
  sim.verifyRecovered(Survives.power);
});
