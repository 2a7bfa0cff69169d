/** One suite for both disks: what the engine relies on holds for the real one and for the simulator's. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { DiskError, isSyncError, readFileIfPresent, replaceFileDurably, type Disk } from '../../../src/log/disk.ts';
import { NodeDisk, trySync } from '../../../src/log/node-disk.ts';
import { Prng } from '../../../src/lib/prng.ts';
import { FakeDisk } from '../../sim/fake-disk.ts';

const made: string[] = [];
afterEach(() => {
  for (const folder of made.splice(0)) fs.rmSync(folder, { recursive: true, force: true });
});

function realDisk(): { disk: Disk; root: string } {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'ringlog-disk-'));
  made.push(root);
  return { disk: new NodeDisk(), root };
}

function fakeDisk(): { disk: Disk; root: string } {
  const disk = new FakeDisk(new Prng(1));
  disk.mkdir('/root');
  return { disk, root: '/root' };
}

/** A disk that syncs several at once through `sync`, which is given handles as a crew's thread is. */
function diskWith(sync: (handle: number) => number): { disk: Disk; root: string } {
  const { root } = realDisk();
  return { disk: new NodeDisk((handles) => handles.reduce((errno, handle) => sync(handle) || errno, 0)), root };
}

function code(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof DiskError) return error.code;
    throw error;
  }
  return 'none';
}

describe.each([
  ['NodeDisk', realDisk],
  ['FakeDisk', fakeDisk],
])('%s', (_name, make) => {
  test('writes pieces one behind the other and reads them back', () => {
    const { disk, root } = make();
    const fd = disk.open(`${root}/a`, 'write');
    disk.write(fd, [Buffer.from('abc'), Buffer.from('defg')], 10);
    const target = Buffer.alloc(20, '.');
    expect(disk.read(fd, target, 1, 9, 10)).toBe(7);
    expect(target.toString()).toBe('.abcdefg............');
    expect(disk.size(fd)).toBe(17);
    disk.close(fd);
  });

  test('more pieces than one system call takes', () => {
    const { disk, root } = make();
    const fd = disk.open(`${root}/many`, 'write');
    const pieces = Array.from({ length: 2500 }, (_, i) => Buffer.from([i & 0xff, i >> 8]));
    disk.write(fd, pieces, 3);
    const all = Buffer.alloc(5000);
    expect(disk.read(fd, all, 0, 5000, 3)).toBe(5000);
    expect(all.equals(Buffer.concat(pieces))).toBe(true);
    disk.close(fd);
  });

  test('a missing file is ENOENT to read, created to write, and no error to remove', () => {
    const { disk, root } = make();
    expect(code(() => disk.open(`${root}/none`, 'read'))).toBe('ENOENT');
    expect(code(() => disk.open(`${root}/no/where`, 'write'))).toBe('ENOENT');
    disk.close(disk.open(`${root}/new`, 'write'));
    expect(disk.exists(`${root}/new`)).toBe(true);
    disk.unlink(`${root}/new`);
    disk.unlink(`${root}/new`);
    expect(disk.exists(`${root}/new`)).toBe(false);
  });

  test('under a file there is nothing', () => {
    const { disk, root } = make();
    disk.close(disk.open(`${root}/file`, 'write'));
    expect(disk.exists(`${root}/file/below`)).toBe(false);
  });

  test('opening to write never empties a file', () => {
    const { disk, root } = make();
    const fd = disk.open(`${root}/a`, 'write');
    disk.write(fd, [Buffer.from('kept')], 0);
    disk.close(fd);
    disk.close(disk.open(`${root}/a`, 'write'));
    expect(readFileIfPresent(disk, `${root}/a`)?.toString()).toBe('kept');
  });

  test('mkdir names the folders whose entries changed, outermost first', () => {
    const { disk, root } = make();
    expect(disk.mkdir(`${root}/a/b/c`)).toEqual([root, `${root}/a`, `${root}/a/b`]);
    expect(disk.mkdir(`${root}/a/b/c`)).toEqual([]);
    expect(disk.list(`${root}/a`)).toEqual(['b']);
    expect(disk.list(`${root}/nothing`)).toEqual([]);
    disk.removeTree(`${root}/a`);
    expect(disk.exists(`${root}/a`)).toBe(false);
  });

  test('a rename replaces its target; an open descriptor stays with its file', () => {
    const { disk, root } = make();
    const old = disk.open(`${root}/target`, 'write');
    disk.write(old, [Buffer.from('old')], 0);
    const fresh = disk.open(`${root}/fresh`, 'write');
    disk.write(fresh, [Buffer.from('new')], 0);
    disk.rename(`${root}/fresh`, `${root}/target`);
    expect(readFileIfPresent(disk, `${root}/target`)?.toString()).toBe('new');
    const bytes = Buffer.alloc(3);
    disk.read(old, bytes, 0, 3, 0);
    expect(bytes.toString()).toBe('old');
    disk.close(old);
    disk.close(fresh);
  });

  test('truncation cuts and extends with zeros', () => {
    const { disk, root } = make();
    const fd = disk.open(`${root}/a`, 'write');
    disk.write(fd, [Buffer.from('abcdef')], 0);
    disk.truncate(fd, 2);
    disk.truncate(fd, 4);
    const bytes = Buffer.alloc(4, '?');
    expect(disk.read(fd, bytes, 0, 4, 0)).toBe(4);
    expect([...bytes]).toEqual([97, 98, 0, 0]);
    disk.close(fd);
  });

  test('several folders are synced, or none of nothing', () => {
    const { disk, root } = make();
    for (const name of ['a', 'b', 'c']) disk.mkdir(`${root}/${name}`);
    disk.syncFolders([]);
    disk.syncFolders([`${root}/a`]);
    disk.syncFolders([`${root}/a`, `${root}/b`, `${root}/c`]);
    expect(code(() => disk.syncFolders([`${root}/a`, `${root}/gone`]))).toBe('ENOENT');
  });

  test('a durable replacement leaves no temporary file', () => {
    const { disk, root } = make();
    replaceFileDurably(disk, root, 'state', Buffer.from('one'));
    replaceFileDurably(disk, root, 'state', Buffer.from('two'));
    expect(readFileIfPresent(disk, `${root}/state`)?.toString()).toBe('two');
    expect(disk.list(root)).toEqual(['state']);
  });
});

test('what cannot be looked at does not count as missing', () => {
  const { disk, root } = realDisk();
  fs.symlinkSync('loop', `${root}/loop`);
  expect(disk.list(root)).toEqual(['loop']);
  expect(code(() => disk.exists(`${root}/loop`))).toBe('ELOOP');
  expect(code(() => readFileIfPresent(disk, `${root}/loop`))).toBe('ELOOP');
});

test('folders are told from files when several are synced at once, and each is closed again', () => {
  const handles: number[] = [];
  const { disk, root } = diskWith((handle) => {
    handles.push(handle);
    return trySync(handle);
  });
  const folders = Array.from({ length: 300 }, (_, n) => `${root}/${n}`);
  for (const folder of folders) disk.mkdir(folder);
  const before = fs.readdirSync('/proc/self/fd').length;
  disk.syncFolders(folders);
  expect(handles).toHaveLength(300);
  expect(handles.every((handle) => handle < 0)).toBe(true);
  handles.length = 0;
  const fds = [1, 2].map((n) => disk.open(`${root}/file${n}`, 'write'));
  disk.fdatasyncMany(fds);
  expect(handles).toEqual(fds);
  for (const fd of fds) disk.close(fd);
  expect(fs.readdirSync('/proc/self/fd')).toHaveLength(before);
  expect(trySync(fds[0] as number)).toBeLessThan(0);
});

test('a failure among several folders is a failed sync and names where, one that is not there is not', () => {
  const { disk, root } = diskWith(() => -5);
  for (const name of ['a', 'b']) disk.mkdir(`${root}/${name}`);
  const both = [`${root}/a`, `${root}/b`];
  const failed = new DiskError('EIO', 'sync folder', `one of 2 folders from ${root}/a to ${root}/b`);
  expect(() => disk.syncFolders(both)).toThrow(failed);
  expect(isSyncError(failed)).toBe(true);
  expect(() => disk.syncFolders([`${root}/a`, `${root}/gone`])).toThrow(new DiskError('ENOENT', 'open', `${root}/gone`));
});

test('the fake disk loses what was not synced, and keeps what was', () => {
  const disk = new FakeDisk(new Prng(3));
  disk.mkdir('/d');
  disk.syncFolder('/');
  const fd = disk.open('/d/a', 'write');
  disk.write(fd, [Buffer.alloc(1024, 1)], 0);
  disk.fdatasync(fd);
  disk.syncFolder('/d');
  disk.write(fd, [Buffer.alloc(1024, 2)], 0);
  disk.close(disk.open('/d/unsynced-name', 'write'));
  disk.losePower(0);
  expect(readFileIfPresent(disk, '/d/a')?.equals(Buffer.alloc(1024, 1))).toBe(true);
  expect(disk.exists('/d/unsynced-name')).toBe(false);
});

test('after a failed sync the bytes read back, are told once to each open descriptor, and are not stored by the next sync', () => {
  const disk = new FakeDisk(new Prng(3));
  disk.mkdir('/d');
  disk.syncFolder('/');
  const fd = disk.open('/d/a', 'write');
  const other = disk.open('/d/a', 'read');
  disk.fdatasync(fd);
  disk.syncFolder('/d');
  disk.write(fd, [Buffer.from('lost')], 0);
  disk.failSync = () => true;
  expect(code(() => disk.fdatasync(fd))).toBe('EIO');
  disk.failSync = null;
  expect(code(() => disk.fdatasync(other))).toBe('EIO');
  expect(code(() => disk.fdatasync(fd))).toBe('none');
  expect(readFileIfPresent(disk, '/d/a')?.toString()).toBe('lost');
  disk.losePower(1);
  // Its length may have been stored, its bytes were not.
  expect(readFileIfPresent(disk, '/d/a')?.includes('lost')).toBe(false);
});
