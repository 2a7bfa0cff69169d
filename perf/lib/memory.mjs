// Memory, as the machine has it and as a server takes it.
import { execFileSync } from 'node:child_process';
import { freemem } from 'node:os';
import { join } from 'node:path';
import { binDir, hasNative } from '../../native-bench/build.mjs';
import { processMemory } from './machine.mjs';

/** More than most sides write before they are throttled. */
const TOUCHED_BYTES = 5 * 2 ** 30;
/** What the page cache holds of a load of minutes with retention: retention and what is open of four partitions, what waits to be used again, and the floor's files. */
export const LONG_LOAD_BYTES = 11 * 2 ** 30;
const SAMPLE_MS = 500;
const SERIES_MAX = 4000;

/**
 * A virtual machine may have given memory that is free back to its host. Whoever uses it next pays for every page, several times the price of writing it: a page
 * cache that grows into such memory measures the host. So each side starts with memory that was just used: `wanted` bytes of it, but no more than half of what is free.
 */
export function touchMemory(wanted = TOUCHED_BYTES) {
  if (!hasNative()) return;
  const bytes = Math.min(wanted, Math.floor(freemem() / 2));
  execFileSync(join(binDir, 'micro'), ['--file-bytes', String(bytes), 'touch'], { stdio: 'ignore' });
}

/** Looks at a process twice a second until `stop`, which gives the largest of each kind and the series of [seconds, MB of RSS, MB of its own]. */
export function watchMemory(pid) {
  const startedAt = performance.now();
  const series = [];
  const peak = { rss: 0, anonymous: 0, file: 0, shared: 0 };
  const look = () => {
    try {
      const now = processMemory(pid);
      for (const kind of Object.keys(peak)) peak[kind] = Math.max(peak[kind], now[kind]);
      const seconds = (performance.now() - startedAt) / 1000;
      if (series.length < SERIES_MAX) series.push([seconds, now.rss, now.anonymous + now.shared].map((value) => Number(value.toFixed(1))));
    } catch {
      // It has ended: whoever measures it says so.
    }
  };
  look();
  const timer = setInterval(look, SAMPLE_MS);
  return {
    stop() {
      clearInterval(timer);
      look();
      return { peak, series };
    },
  };
}
