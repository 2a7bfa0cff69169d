import { expect, test } from 'vitest';
import { IdleStrategy } from '../../../src/ring/idle.ts';

/** A ring in which work appears `gapMs` after the last was taken; time passes by looking and sleeping. */
function world(spinUs: number) {
  let now = 0;
  let due = 0;
  const counts = { looks: 0, sleeps: 0 };
  const ring = {
    available: () => {
      counts.looks++;
      now += 0.001;
      return now >= due ? 1 : 0;
    },
    sleep: (timeoutMs: number) => {
      counts.sleeps++;
      now = Math.min(Math.max(now, due), now + timeoutMs);
    },
  };
  const idle = new IdleStrategy(ring, spinUs, () => now);
  const wait = (gapMs: number): { looked: boolean; slept: boolean } => {
    due = now + gapMs;
    counts.looks = counts.sleeps = 0;
    idle.wait(100);
    return { looked: counts.looks > 0, slept: counts.sleeps > 0 };
  };
  return { wait };
}

test('work that comes soon is found without sleeping', () => {
  const { wait } = world(400);
  for (let n = 0; n < 20; n++) expect(wait(0.1)).toEqual({ looked: true, slept: false });
});

test('who waits long stops looking, and begins again once work comes soon again', () => {
  const { wait } = world(400);
  for (let n = 0; n < 20; n++) wait(5);
  expect(wait(5)).toEqual({ looked: false, slept: true });
  for (let n = 0; n < 20; n++) wait(0.1);
  expect(wait(0.1)).toEqual({ looked: true, slept: false });
});

test('one long pause among short waits does not change the way', () => {
  const { wait } = world(400);
  for (let n = 0; n < 20; n++) wait(0.1);
  expect(wait(50)).toEqual({ looked: true, slept: true });
  expect(wait(0.1)).toEqual({ looked: true, slept: false });
});

test('without a spin time it only sleeps', () => {
  const { wait } = world(0);
  expect(wait(0.1)).toEqual({ looked: false, slept: true });
});
