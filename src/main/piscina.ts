/**
 * The library of the job pools. Main only. It is loaded when the first job comes, or soon after the start, whichever is earlier: a broker that is out of descriptors
 * by then could not read its files. By `require`, which tries again after a failure; an import that failed once fails for ever.
 */
import { createRequire } from 'node:module';
import type * as piscina from 'piscina';

export function loadPiscina(): typeof piscina {
  return createRequire(import.meta.url)('piscina') as typeof piscina;
}
