import { expect, test } from 'vitest';
import { openFilesMax } from '../../../src/config/open-files.ts';

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
