/** Planting a bug, and the hunt for a seed that catches it. */
import { expect, vi } from 'vitest';
import { Violation } from './history.ts';
import { runSeed } from './scenario.ts';
import type { SimOptions } from './simulation.ts';

/** A planted bug that this many seeds do not catch is not seen. */
const SEEDS_MAX = 600;

export interface Planted {
  readonly bug: string;
  readonly plant: () => Partial<SimOptions> | void;
  /** What the checker says of it. */
  readonly says: RegExp;
}

/** The private parts that bugs are planted in. */
type Inside = Record<string, (...args: any[]) => any> & Record<string, any>;
export const insideOf = (owner: { prototype: object }): Inside => owner.prototype as Inside;

/** Puts `bug` in the place of a method; it is given the method that was there. */
export function replace(
  owner: { prototype: object },
  method: string,
  bug: (this: any, original: (...args: any[]) => any, ...args: any[]) => unknown,
): void {
  const original = insideOf(owner)[method] as (...args: any[]) => any;
  vi.spyOn(insideOf(owner), method).mockImplementation(function (this: unknown, ...args: any[]) {
    return bug.call(this, original.bind(this), ...args);
  });
}

/** Some seed must catch the bug and say so, and the same seed must pass without it. */
export function expectCaught({ plant, says }: Planted): void {
  const options = plant() ?? {};
  let caught: Error | null = null;
  let seed = 0;
  while (caught === null && seed < SEEDS_MAX) {
    try {
      runSeed({ ...options, seed: ++seed });
    } catch (error) {
      caught = error as Error;
    }
  }
  vi.restoreAllMocks();
  expect(caught, `no seed up to ${SEEDS_MAX} caught it`).not.toBeNull();
  expect((caught as Error).message).toMatch(says);
  expect(caught).toBeInstanceOf(Violation);
  // Without the bug the same seed passes.
  runSeed({ seed });
  console.log(`seed ${seed}: ${(caught as Error).message}`);
}
