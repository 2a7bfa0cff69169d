import { describe, expect, it } from 'vitest';
import { connectionsWithin, openFilesMax } from '../../../src/config/open-files.ts';

const limits = (value: string): string =>
  `Limit  Soft Limit  Hard Limit  Units\nMax processes   94846   94846   processes\nMax open files            ${value}               files\n`;

describe('the limit of open files', () => {
  it('is the soft one, which is what the process has', () => {
    expect(openFilesMax(() => limits('4096                 524288'))).toBe(4096);
  });

  it('is unknown where there is none, where the system does not say, or says something else', () => {
    expect(openFilesMax(() => limits('unlimited            unlimited'))).toBeUndefined();
    expect(openFilesMax(() => 'something else')).toBeUndefined();
    const missing = (): never => {
      throw new Error('ENOENT');
    };
    expect(openFilesMax(missing)).toBeUndefined();
  });

  it('leaves half of the descriptors to files', () => {
    expect(connectionsWithin(10_000, 1024)).toBe(512);
    expect(connectionsWithin(100, 1024)).toBe(100);
    expect(connectionsWithin(10_000, 1_048_576)).toBe(10_000);
    expect(connectionsWithin(10_000, undefined)).toBe(10_000);
    expect(connectionsWithin(10_000, 1)).toBe(1);
  });
});
