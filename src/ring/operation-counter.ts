/** A count shared by all threads of a process; crash tests use it to stop at the n-th disk operation, whichever thread does it. */

/** Allocates the shared word. */
export function createOperationCounter(): SharedArrayBuffer {
  return new SharedArrayBuffer(4);
}

/** Any number of threads count on the same word. */
export class OperationCounter {
  private readonly words: Int32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.words = new Int32Array(buffer);
  }

  /** Number of this operation, from 1. */
  next(): number {
    return Atomics.add(this.words, 0, 1) + 1;
  }
}
