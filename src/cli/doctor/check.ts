/** What a look at one thing found: plain data. */

/** `warn`: it runs, and something will hurt. `fail`: it does not run, or loses what it promises. */
export type Status = 'ok' | 'warn' | 'fail';

export interface Check {
  /** What was looked at, in a word or two. */
  readonly name: string;
  readonly status: Status;
  /** What was found, with numbers and units. */
  readonly found: string;
  /** What to do; empty when all is well. */
  readonly advice: string;
}

export function ok(name: string, found: string): Check {
  return { name, status: 'ok', found, advice: '' };
}

export function warn(name: string, found: string, advice: string): Check {
  return { name, status: 'warn', found, advice };
}

export function fail(name: string, found: string, advice: string): Check {
  return { name, status: 'fail', found, advice };
}
