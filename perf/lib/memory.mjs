// A virtual machine may have given memory that is free back to its host. Whoever uses it next pays for every page, several
// times the price of writing it: a page cache that grows into such memory measures the host. So each side starts with memory
// that was just used.
import { execFileSync } from 'node:child_process';
import { freemem } from 'node:os';
import { join } from 'node:path';
import { binDir } from '../../native-bench/build.mjs';

const TOUCHED_BYTES = 5 * 2 ** 30; // more than any side writes before it is throttled

export function touchMemory() {
  const bytes = Math.min(TOUCHED_BYTES, Math.floor(freemem() / 2));
  execFileSync(join(binDir, 'micro'), ['--file-bytes', String(bytes), 'touch'], { stdio: 'ignore' });
}
