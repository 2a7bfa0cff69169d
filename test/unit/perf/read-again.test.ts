import { expect, test, vi } from 'vitest';
import { readAgain } from '../../../perf/lib/read-again.mjs';

const pass = (seconds: number) => ({
  seconds,
  requests: 1,
  batches: 2,
  records: 3,
  bytes: 4_000_000,
  client_cpu_user_s: 0.1,
  client_cpu_system_s: 0.2,
});

test('passes are summed, and the rate is of the time that they took', async () => {
  vi.useFakeTimers();
  const read = async () => {
    vi.advanceTimersByTime(400);
    return pass(0.2);
  };
  expect(await readAgain(read, 1)).toMatchObject({ passes: 3, bytes: 12_000_000, mb_per_s: expect.closeTo(20) as number });
  vi.useRealTimers();
});

test('the rate of each second of reading is there, whatever a pass takes', async () => {
  let left = 5;
  vi.useFakeTimers();
  const read = async () => {
    vi.advanceTimersByTime(200);
    return pass(left-- > 2 ? 0.4 : 0.8);
  };
  const { interval_mb: rates } = await readAgain(read, 1);
  expect(rates).toEqual([10, 6]);
  vi.useRealTimers();
});

test('it reads once however little time there is', async () => {
  expect(await readAgain(async () => pass(2), 0)).toMatchObject({ passes: 1, seconds: 2, mb_per_s: 2, interval_mb: [2, 2] });
});
