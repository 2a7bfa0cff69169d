// When a JVM is warm: not after a time, but when what it does costs no less than before.
import { processCpuSeconds } from './machine.mjs';

/** So often at most is the load repeated; the first two are `--peer-warmup` together, and a quick look leaves it at them. */
const PARTS_MAX = 8;
export const PARTS_QUICK = 2;
/** A part that costs less than this share of the one before says that more is being compiled. */
const FLAT = 0.95;

/**
 * Repeats a load until the server's processor time per byte has stopped falling, and says how long that took.
 * @param {number} pid of the server
 * @param {number} seconds of the first two parts together; 0: nothing at all
 * @param {(seconds: number) => Promise<{ bytes: number }>} load
 * @param {{ partsMax?: number, cpuSeconds?: (pid: number) => number }} options
 */
export async function warmUntilFlat(pid, seconds, load, { partsMax = PARTS_MAX, cpuSeconds = processCpuSeconds } = {}) {
  if (seconds === 0) return { seconds, isFlat: false };
  const part = seconds / 2;
  let before = Number.POSITIVE_INFINITY;
  for (let parts = 1; parts <= partsMax; parts++) {
    const begun = cpuSeconds(pid);
    const { bytes } = await load(part);
    const cost = (cpuSeconds(pid) - begun) / bytes;
    if (cost >= FLAT * before) return { seconds: parts * part, isFlat: true };
    before = cost;
  }
  return { seconds: partsMax * part, isFlat: false };
}

/** Parts of a settling load, in seconds, and how many there are at most. */
const SETTLE_SECONDS = 3;
const SETTLE_PARTS_MAX = 12;
const SETTLED = 0.9;

/**
 * Repeats a load until a part brings neither much more nor much less than the one before: what a server still does about topics that it has just made is over then.
 * False: the parts that there may be were over first.
 * @param {(seconds: number) => Promise<{ mb_per_s: number }>} load
 */
export async function settle(load) {
  let before = 0;
  for (let parts = 0; parts < SETTLE_PARTS_MAX; parts++) {
    const { mb_per_s: now } = await load(SETTLE_SECONDS);
    if (before > 0 && Math.min(now, before) >= SETTLED * Math.max(now, before)) return true;
    before = now;
  }
  return false;
}
