/** What the keeper does in the background leaves the disk to the shard between two pieces. */
import { expect, test } from 'vitest';
import { runKeeperWork, syncAtOnce } from '../../../src/log/keeper.ts';
import { JobStatus, type KeeperWork } from '../../../src/log/messages.ts';
import { Prng } from '../../../src/lib/prng.ts';
import { FakeDisk } from '../../sim/fake-disk.ts';

const MIB = 1 << 20;
const PATHS = ['/data/a', '/data/b', '/data/c'];

/** Runs `work` and gives what happened to the disk meanwhile: bytes of each write, syncs, pauses. */
function eventsOf(work: KeeperWork): string[] {
  const disk = new FakeDisk(new Prng(1));
  disk.mkdir('/data');
  for (const path of PATHS) disk.close(disk.open(path, 'write'));
  const events: string[] = [];
  const watched = Object.create(disk) as FakeDisk;
  watched.write = (fd, pieces, position) => {
    events.push(`write ${pieces.reduce((sum, piece) => sum + piece.length, 0)}`);
    disk.write(fd, pieces, position);
  };
  watched.fdatasync = (fd) => {
    events.push('sync');
    disk.fdatasync(fd);
  };
  expect(runKeeperWork(watched, work, (ms) => events.push(`pause ${ms}`))).toBe(JobStatus.ok);
  return events;
}

test('a step ahead of a checkpoint pauses between two files', () => {
  const events = eventsOf({ kind: 'sync', paths: PATHS, folders: [], pauseMs: 2 });
  expect(events).toEqual(['sync', 'pause 2', 'sync', 'pause 2', 'sync']);
});

test('a checkpoint syncs its files without a pause', () => {
  expect(eventsOf({ kind: 'sync', paths: PATHS, folders: [], pauseMs: 0 })).toEqual(['sync', 'sync', 'sync']);
});

test('no more than a MiB of a journal file is synced at once, and a pause follows', () => {
  const events = eventsOf({ kind: 'prepareJournal', path: '/data/journal', bytes: 3 * MIB });
  let unsynced = 0;
  for (const [i, event] of events.entries()) {
    if (event.startsWith('write')) unsynced += Number(event.split(' ')[1]);
    if (event !== 'sync') continue;
    expect(unsynced).toBeLessThanOrEqual(MIB);
    unsynced = 0;
    if (i < events.length - 1) expect(events[i + 1]).toMatch(/^pause/);
  }
  expect(events.filter((event) => event === 'sync')).toHaveLength(3);
  expect(unsynced).toBe(0);
});

test('a folder that cannot be looked at is not one that is gone: nothing is claimed of its names', () => {
  const disk = new FakeDisk(new Prng(1));
  disk.mkdir('/data');
  const work: KeeperWork = { kind: 'sync', paths: [], folders: ['/data', '/gone'], pauseMs: 0 };
  expect(runKeeperWork(disk, work)).toBe(JobStatus.ok);
  syncAtOnce(disk, [], work.folders);
  disk.unreadable = (path) => path === '/data';
  expect(runKeeperWork(disk, work)).toBe(JobStatus.notDone);
  expect(() => syncAtOnce(disk, [], work.folders)).toThrow('EIO');
});
