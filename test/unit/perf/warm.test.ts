import { expect, test } from 'vitest';
import { PARTS_QUICK, settle, warmUntilFlat } from '../../../perf/lib/warm.mjs';

/** Warms up a server whose parts take so much processor time each, for as many bytes. */
async function warm(
  costs: readonly number[],
  seconds = 30,
  partsMax?: number,
): Promise<{ seconds: number; isFlat: boolean; parts: number[] }> {
  let used = 0;
  const parts: number[] = [];
  const load = async (part: number): Promise<{ bytes: number }> => {
    used += costs[parts.length] as number;
    parts.push(part);
    return { bytes: 1e9 };
  };
  return { ...(await warmUntilFlat(1, seconds, load, { cpuSeconds: () => used, ...(partsMax !== undefined && { partsMax }) })), parts };
}

test('a peer is warm when what it does costs no less than before', async () => {
  expect(await warm([3.5, 2.5, 2.2, 2.15])).toEqual({ seconds: 60, isFlat: true, parts: [15, 15, 15, 15] });
  expect(await warm([2, 2])).toMatchObject({ seconds: 30, isFlat: true });
  expect(await warm([2, 3])).toMatchObject({ seconds: 30, isFlat: true });
});

test('one that never stops becoming cheaper is measured in the end, and it is said', async () => {
  expect(await warm([8, 7, 6, 5, 4, 3, 2, 1, 0.5])).toMatchObject({ seconds: 120, isFlat: false });
});

test('a quick look takes no longer than it was told', async () => {
  expect(await warm([8, 7, 6], 4, PARTS_QUICK)).toEqual({ seconds: 4, isFlat: false, parts: [2, 2] });
});

test('without a warm-up nothing is run', async () => {
  expect(await warm([], 0)).toEqual({ seconds: 0, isFlat: false, parts: [] });
});

test('a load settles when a part brings about what the one before did, and not while nothing comes', async () => {
  const rates = [0, 0, 5, 100, 140, 150, 160];
  let parts = 0;
  expect(await settle(async () => ({ mb_per_s: rates[parts++] as number }))).toBe(true);
  expect(parts).toBe(6);
  parts = 0;
  expect(await settle(async () => ({ mb_per_s: 2 ** parts++ }))).toBe(false);
  expect(parts).toBe(12);
});
