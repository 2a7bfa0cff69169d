import { describe, expect, it } from 'vitest';
import { checkFileSystem, judgeSync, mountOf } from '../../../src/cli/doctor/disk.ts';
import { checkClock, checkMemory, checkNode, checkOpenFiles, checkProcessors } from '../../../src/cli/doctor/machine.ts';

const MOUNTS = [
  '22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/root rw,discard',
  '23 22 0:5 / /dev rw - devtmpfs udev rw',
  '24 22 0:20 / /var/lib/my\\040data rw,noatime - xfs /dev/sdb1 rw',
  '25 22 0:21 / /mnt ro - nfs4 server:/x rw',
  '26 25 0:22 / /mnt rw - tmpfs none rw',
  '',
].join('\n');

const statuses = (type: string, ...options: string[]): string[] =>
  checkFileSystem({ point: '/d', type, options }).map(({ name, status }) => `${name} ${status}`);

describe('the mount of a folder', () => {
  it.each([
    ['/srv/x', '/', 'ext4'],
    ['/var/lib/my data/ringlog', '/var/lib/my data', 'xfs'],
    ['/var/lib/my dataset', '/', 'ext4'],
    ['/mnt', '/mnt', 'tmpfs'],
    ['/', '/', 'ext4'],
  ])('of %s is %s', (folder, point, type) => {
    expect(mountOf(folder, MOUNTS)).toMatchObject({ point, type });
  });

  it('has the options of the mount and of its file system', () => {
    expect(mountOf('/srv', MOUNTS)?.options).toEqual(['rw', 'relatime', 'rw', 'discard']);
    expect(mountOf('/srv', '')).toBeUndefined();
  });
});

describe('the doctor', () => {
  it('judges file systems by what they keep', () => {
    expect(statuses('ext4', 'rw')).toEqual(['file system ok']);
    expect(statuses('xfs', 'rw', 'discard')).toEqual(['file system ok', 'discard warn']);
    expect(statuses('ext4', 'ro')).toEqual(['file system fail']);
    expect(statuses('ext4', 'rw', 'nobarrier')).toEqual(['file system ok', 'barriers fail']);
    for (const type of ['tmpfs', 'nfs4', 'fuse.sshfs', 'overlay', '9p', 'vfat']) expect(statuses(type, 'rw')).toEqual(['file system warn']);
    expect(checkFileSystem(undefined).map(({ status }) => status)).toEqual(['warn']);
  });

  it.each([
    [[0.001, 0.001, 0.002], 'warn'],
    [[0.2, 0.3, 80], 'ok'],
    [[5, 30, 40], 'warn'],
    [[250, 300, 400], 'fail'],
  ] as const)('judges syncs by their median: %j is %s', (timesMs, status) => {
    expect(judgeSync(timesMs).status).toBe(status);
  });

  it('judges Node.js by its version', () => {
    expect(['18.20.0', '20.18.3', '20.19.0', '22.0.0', '26.1.0'].map((version) => checkNode(version).status)).toEqual([
      'fail',
      'fail',
      'ok',
      'ok',
      'ok',
    ]);
  });

  it('judges limits, memory, processors and clock', () => {
    expect([64, 1024, 20_000, Infinity].map((max) => checkOpenFiles(max).status)).toEqual(['fail', 'warn', 'ok', 'ok']);
    const config = { receiveMemoryBytes: 2 ** 28, fetchMemoryBytes: 2 ** 27 };
    expect([2 ** 29, 2 ** 30, 2 ** 32].map((bytes) => checkMemory(config, bytes).status)).toEqual(['fail', 'warn', 'ok']);
    expect([1, 2].map((count) => checkProcessors(count).status)).toEqual(['warn', 'ok']);
    const nowMs = Date.UTC(2026, 1, 1);
    expect([0, nowMs].map((ms) => checkClock(ms).status)).toEqual(['fail', 'ok']);
    expect([nowMs - 1, nowMs + 1000, nowMs + 3_600_000].map((ms) => checkClock(nowMs, ms).status)).toEqual(['ok', 'ok', 'warn']);
  });

  it('says what to do wherever something is wrong, and nothing where all is well', () => {
    for (const check of [checkNode('1.0.0'), checkOpenFiles(1), checkClock(0), checkProcessors(1)]) expect(check.advice).not.toBe('');
    for (const check of [checkNode('22.0.0'), checkOpenFiles(Infinity), checkProcessors(8)]) expect(check.advice).toBe('');
  });
});
