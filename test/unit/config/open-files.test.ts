import { expect, test } from 'vitest';
import { connectionsWithin, openFilesMax, segmentsWithin } from '../../../src/config/open-files.ts';

const LIMITS = `Limit                     Soft Limit           Hard Limit           Units
Max cpu time              unlimited            unlimited            seconds
Max open files            4096                 524288               files
`;

test('the soft limit counts: it is what the kernel enforces', () => {
  expect(openFilesMax(() => LIMITS)).toBe(4096);
});

test('no limit, or a system that does not tell, is no limit', () => {
  expect(openFilesMax(() => LIMITS.replace('4096     ', 'unlimited'))).toBe(Infinity);
  expect(
    openFilesMax(() => {
      throw new Error('ENOENT');
    }),
  ).toBe(Infinity);
});

test('half of it is left to files by connections', () => {
  expect(connectionsWithin(10_000, 1024)).toBe(512);
  expect(connectionsWithin(100, 1024)).toBe(100);
  expect(connectionsWithin(10_000, 1_048_576)).toBe(10_000);
  expect(connectionsWithin(10_000, Infinity)).toBe(10_000);
  expect(connectionsWithin(10_000, 1)).toBe(1);
});

test('three eighths of it are shared by the shards for segments', () => {
  expect(segmentsWithin(16_384, 20_000, 2)).toBe(3750);
  expect(segmentsWithin(16_384, 1_048_576, 2)).toBe(16_384);
  expect(segmentsWithin(16_384, Infinity, 2)).toBe(16_384);
  expect(segmentsWithin(16_384, 10, 2)).toBe(16);
  for (const filesMax of [256, 1024, 4096])
    expect(connectionsWithin(1e6, filesMax) + 2 * segmentsWithin(1e6, filesMax, 2)).toBeLessThanOrEqual((filesMax * 7) / 8);
});
