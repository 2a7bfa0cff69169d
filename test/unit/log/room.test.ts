/** Room on a full disk: from the pool, then from the reserve, in steps; and the reserve comes back. */
import { expect, test } from 'vitest';
import { DiskError } from '../../../src/log/disk.ts';
import { keepReserve, withRoom } from '../../../src/log/room.ts';
import { Prng } from '../../../src/lib/prng.ts';
import { FakeDisk } from '../../sim/fake-disk.ts';

const DATA = '/data';
const KIB = 1 << 10;

function fullDisk(reserveBytes: number): FakeDisk {
  const disk = new FakeDisk(new Prng(1));
  disk.mkdir(`${DATA}/pool`);
  if (reserveBytes > 0) keepReserve(disk, DATA, reserveBytes);
  disk.capacity = disk.usedBytes();
  return disk;
}

function write(disk: FakeDisk, name: string, bytes: number): void {
  const fd = disk.open(`${DATA}/${name}`, 'write');
  try {
    disk.write(fd, [Buffer.alloc(bytes, 1)], 0);
  } finally {
    disk.close(fd);
  }
}

function sizeOf(disk: FakeDisk, name: string): number {
  const fd = disk.peek(`${DATA}/${name}`);
  const bytes = disk.size(fd);
  disk.close(fd);
  return bytes;
}

test('the pool gives before the reserve does', () => {
  const disk = fullDisk(256 * KIB);
  disk.capacity = Infinity;
  write(disk, 'pool/100000-a.pool', 100_000);
  disk.capacity = disk.usedBytes();
  withRoom(disk, DATA, () => write(disk, 'checkpoint', 50_000));
  expect(disk.list(`${DATA}/pool`)).toEqual([]);
  expect(sizeOf(disk, 'reserve')).toBe(256 * KIB);
});

test('the reserve gives no more than is needed, in steps, and without it the error passes', () => {
  const disk = fullDisk(256 * KIB);
  withRoom(disk, DATA, () => write(disk, 'first', 10_000));
  expect(sizeOf(disk, 'reserve')).toBe(192 * KIB);
  withRoom(disk, DATA, () => write(disk, 'second', 170_000));
  expect(sizeOf(disk, 'reserve')).toBe(64 * KIB);
  expect(() => withRoom(disk, DATA, () => write(disk, 'third', 400_000))).toThrow(/ENOSPC/);
  expect(disk.exists(`${DATA}/reserve`)).toBe(false);
});

test('a sync that finds no room has failed: it is not tried again', () => {
  const disk = fullDisk(256 * KIB);
  let tries = 0;
  const run = (): void => {
    tries++;
    throw new DiskError('ENOSPC', 'fdatasync', 'file');
  };
  expect(() => withRoom(disk, DATA, run)).toThrow(/fdatasync/);
  expect([tries, sizeOf(disk, 'reserve')]).toEqual([1, 256 * KIB]);
});

test('the reserve grows back as far as there is room', () => {
  const disk = fullDisk(0);
  keepReserve(disk, DATA, 256 * KIB);
  expect(disk.exists(`${DATA}/reserve`)).toBe(false);
  disk.capacity += 150 * KIB;
  keepReserve(disk, DATA, 256 * KIB);
  expect(sizeOf(disk, 'reserve')).toBe(128 * KIB);
  disk.capacity = Infinity;
  keepReserve(disk, DATA, 256 * KIB);
  expect(sizeOf(disk, 'reserve')).toBe(256 * KIB);
});
