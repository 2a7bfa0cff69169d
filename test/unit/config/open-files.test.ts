import { expect, test } from 'vitest';
import { connectionsWithin, openFilesMax } from '../../../src/config/open-files.ts';

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
