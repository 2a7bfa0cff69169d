import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TimerWheel } from '../../../src/lib/timer-wheel.ts';

test('fires no earlier than asked and at most one tick late, whatever the pace', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({ at: fc.integer({ min: 0, max: 20_000 }), delay: fc.integer({ min: -5, max: 30_000 }), cancelled: fc.boolean() }),
        { maxLength: 40 },
      ),
      fc.integer({ min: 1, max: 70 }),
      (timers, pace) => {
        const wheel = new TimerWheel(100, 10, 64);
        const fired = new Map<number, number>();
        const sorted = timers.map((timer, i) => ({ ...timer, i })).sort((a, b) => a.at - b.at);
        const handles = new Map<number, ReturnType<TimerWheel['schedule']>>();
        let next = 0;
        for (let now = 100; now <= 51_000; now += pace) {
          while (next < sorted.length && sorted[next]!.at + 100 <= now) {
            const { i, delay } = sorted[next++]!;
            const begun = now;
            handles.set(
              i,
              wheel.schedule(begun, delay, (firedAt) => {
                expect(fired.has(i)).toBe(false);
                fired.set(i, firedAt);
                expect(firedAt - begun).toBeGreaterThanOrEqual(Math.max(0, delay));
                expect(firedAt - begun).toBeLessThan(Math.max(0, delay) + 20 + pace);
              }),
            );
            if (timers[i]!.cancelled) wheel.cancel(handles.get(i)!);
          }
          wheel.advance(now);
        }
        timers.forEach(({ cancelled }, i) => expect(fired.has(i)).toBe(!cancelled));
        expect(wheel.size).toBe(0);
      },
    ),
    { numRuns: 50 },
  );
});

test('callbacks may schedule and cancel, also in the slot being fired', () => {
  const wheel = new TimerWheel(0, 10, 8);
  const order: string[] = [];
  const victim = wheel.schedule(0, 50, () => order.push('victim'));
  wheel.schedule(0, 50, () => {
    order.push('first');
    wheel.cancel(victim);
    wheel.schedule(50, 0, () => order.push('again'));
  });
  wheel.advance(50);
  expect(order).toEqual(['first']);
  wheel.advance(60);
  expect(order).toEqual(['first', 'again']);
  expect(wheel.size).toBe(0);
});

test('a wheel that was idle for long is not walked tick by tick', () => {
  const wheel = new TimerWheel(0, 10, 8);
  let fired = 0;
  wheel.schedule(1e12, 20, () => fired++);
  wheel.advance(1e12 + 10);
  expect(fired).toBe(0);
  wheel.advance(1e12 + 20);
  expect(fired).toBe(1);
  // And one that was not advanced for long (a stopped process) fires everything in one turn.
  wheel.schedule(1e12 + 20, 5000, () => fired++);
  wheel.advance(2e12);
  expect(fired).toBe(2);
});
