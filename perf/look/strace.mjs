// System calls of a running process, counted by kind of thread: one strace for each kind. It stops the thread twice at each call, so the broker is slower meanwhile
// and its groups are larger: done in a pass of its own, after what is timed.
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { track } from '../lib/process.mjs';

const ATTACH_MS_MAX = 5000;

/** Why there is no counting here, or null. */
export function whyNoStrace() {
  const { error } = spawnSync('strace', ['-V'], { stdio: 'ignore' });
  return error ? 'there is no strace here (a package of that name: apt install strace, dnf install strace)' : null;
}

/**
 * @param {string} text the table of `strace -c`
 * @returns {Map<string, { calls: number, errors: number }>} by call
 */
export function parseCounts(text) {
  const counts = new Map();
  for (const line of text.split('\n')) {
    // % time, seconds, usecs/call, calls, errors (may be empty), syscall
    const match = /^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)(?:\s+(\d+))?\s+([a-z]\w*)\s*$/.exec(line);
    if (match && match[3] !== 'total') counts.set(match[3], { calls: Number(match[1]), errors: Number(match[2] ?? 0) });
  }
  return counts;
}

/** Follows `ids` until `stop`, which resolves to the counts and the seconds they are of. */
function follow(name, ids, file) {
  const child = track(
    spawn('strace', ['-c', '-o', file, ...ids.flatMap((id) => ['-p', String(id)])], { stdio: ['ignore', 'ignore', 'pipe'] }),
  );
  let said = '';
  child.stderr.on('data', (data) => (said += data));
  const ended = new Promise((resolve) => child.once('close', resolve));
  const attached = () => (said.match(/ attached/g) ?? []).length >= ids.length || child.exitCode !== null;
  return {
    name,
    attached,
    async stop() {
      child.kill('SIGINT');
      await ended;
      if (!/ attached/.test(said)) throw new Error(`strace: ${said.trim()}`);
      return parseCounts(readFileSync(file, 'utf8'));
    },
  };
}

/**
 * Counts the calls of all threads of `pid` while `work` is done.
 * @param {import('./threads.mjs').Names} names
 * @returns {Promise<{ seconds: number, kinds: Map<string, Map<string, { calls: number, errors: number }>> }>}
 */
export async function countCalls(pid, names, dir, work) {
  const ids = readdirSync(`/proc/${pid}/task`).map(Number);
  const followers = [...grouped(ids, (id) => names.of(id))].map(([name, of], n) => follow(name, of, join(dir, `calls-${n}`)));
  for (const until = performance.now() + ATTACH_MS_MAX; followers.some((one) => !one.attached()) && performance.now() < until;)
    await sleep(5);
  const beganMs = performance.now();
  await work();
  const seconds = (performance.now() - beganMs) / 1000;
  const counted = await Promise.all(followers.map(async (one) => [one.name, await one.stop()]));
  return { seconds, kinds: new Map(counted) };
}

function grouped(values, keyOf) {
  const groups = new Map();
  for (const value of values) groups.set(keyOf(value), [...(groups.get(keyOf(value)) ?? []), value]);
  return groups;
}
