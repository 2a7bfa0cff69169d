// What a broker that rests takes of memory.
import { setTimeout as sleep } from 'node:timers/promises';
import { processMemory } from '../lib/machine.mjs';

const SAMPLE_MS = 100;

/**
 * The least anonymous and shared memory within `ms`, MB: garbage that waits for its collection comes and goes, what is held stays.
 * @param {{ pid: number }} server
 * @param {number} ms
 */
export async function restingMemory(server, ms) {
  const own = () => {
    const { anonymous, shared } = processMemory(server.pid);
    return anonymous + shared;
  };
  let least = own();
  for (const until = performance.now() + ms; performance.now() < until; await sleep(SAMPLE_MS)) least = Math.min(least, own());
  return least;
}

export const restMs = (context) => (context.quick ? 1500 : 5000);

/** A formula of memory by one kind of thing that is held. */
export function memoryFormula(axis, what, { of, one, letter }) {
  return {
    axis,
    what,
    unit: 'MB',
    text: `m0 + m1 × ${of}`,
    constants: {
      m0: { unit: 'MB', means: 'without any', times: () => 1 },
      m1: { unit: 'KB', means: one, times: (point) => point[letter] / 1000 },
    },
  };
}
