/** Assertions state what must hold inside ringlog. They are always on and never judge bytes from a client, a peer or a disk: those are errors. */

/** Thrown when an invariant of the code itself is broken; always a bug. */
export class AssertionError extends Error {
  override name = 'AssertionError';
}

/** Throws {@link AssertionError} with `message` unless `condition` holds. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Marks a branch the types say cannot be reached. */
export function unreachable(value: never, message = 'unreachable'): never {
  throw new AssertionError(`${message}: ${String(value)}`);
}
