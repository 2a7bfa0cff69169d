/**
 * Named counters in one block of shared memory. One thread writes a block; any thread may read it and sees values that are each whole
 * (64-bit aligned) and at most a little old. Adding is one addition in an array: no allocation, no lock.
 *
 *   offset 8 × i   f64   counter i, in the order of the names given
 */

import { assert } from '../lib/assert.ts';

export class Counters<Name extends string> {
  readonly names: readonly Name[];
  /** To be handed to other threads, which construct their view with the same names. */
  readonly memory: SharedArrayBuffer;
  readonly #values: Float64Array;
  readonly #index: ReadonlyMap<Name, number>;

  constructor(names: readonly Name[], memory = new SharedArrayBuffer(names.length * Float64Array.BYTES_PER_ELEMENT)) {
    assert(new Set(names).size === names.length, 'a counter is named twice');
    assert(memory.byteLength === names.length * Float64Array.BYTES_PER_ELEMENT, 'the memory of counters has another size than their names');
    this.names = names;
    this.memory = memory;
    this.#values = new Float64Array(memory);
    this.#index = new Map(names.map((name, index) => [name, index]));
  }

  /** The number to give to `add`. Look it up once, not per event. */
  indexOf(name: Name): number {
    const index = this.#index.get(name);
    assert(index !== undefined, `no counter ${name}`);
    return index;
  }

  /** Adds to counter `index`. `amount` ≥ 0: counters never go back. */
  add(index: number, amount: number): void {
    this.#values[index]! += amount;
  }

  value(name: Name): number {
    return this.#values[this.indexOf(name)]!;
  }

  snapshot(): Record<Name, number> {
    return Object.fromEntries(this.names.map((name, index) => [name, this.#values[index]!])) as Record<Name, number>;
  }
}
