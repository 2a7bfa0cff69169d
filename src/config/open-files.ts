/** How many files this process may have open. Node raises its soft limit to the hard one at start. */
import { readFileSync } from 'node:fs';

/** RLIMIT_NOFILE, or Infinity where there is none or the system does not tell (only Linux does without a subprocess). */
export function openFilesMax(read: (path: string) => string = (path) => readFileSync(path, 'utf8')): number {
  let limits: string;
  try {
    limits = read('/proc/self/limits');
  } catch {
    return Infinity;
  }
  const found = /^Max open files\s+(\d+)\s/m.exec(limits);
  return found === null ? Infinity : Number(found[1]);
}
