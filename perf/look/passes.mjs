// The passes of a look, each with the load of the scenario: one that nothing disturbs and that only reads what the kernel counts, then one beside strace on the same
// broker, then one of a broker that profiles itself. What is slowed by looking never stands in a figure of the first.
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { deviceBytesWritten, syncFileSystem } from '../lib/machine.mjs';
import { touchMemory } from '../lib/memory.mjs';
import { emptyTree, foldProfile, longestPauseUs } from './profile.mjs';
import { Sources } from './sources.mjs';
import { countCalls, whyNoStrace } from './strace.mjs';
import { Names, ratesByKind, ThreadWatch } from './threads.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const probe = join(root, 'perf', 'look', 'probe.cjs');

/** The counting begins before the measured part of a load and ends before its end. */
const ATTACH_EARLY_MS = 500;
const DETACH_EARLY_MS = 100;
const COUNTED_MS_MIN = 500;

const clockUs = () => Number(process.hrtime.bigint() / 1000n);

/** Runs `work(side, server, dir)` with a fresh broker that has the probe in it. */
async function withBroker(context, scenario, nodeArgs, work) {
  const dir = join(context.workDir, 'look');
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  const node = { args: [...nodeArgs(dir), '--require', probe], env: { LOOK_PROBE_DIR: dir } };
  const side = scenario.look({ ...context, node });
  const server = await side.start(dir);
  try {
    await side.prepare?.(server);
    syncFileSystem(dir);
    touchMemory();
    return await work(side, server, dir);
  } finally {
    await server.stop();
    rmSync(dir, { recursive: true, force: true });
    syncFileSystem(context.workDir);
  }
}

/** What one unit of work is in the report of a load program, and how much of it there was a second. */
export function workOf(report) {
  if (report.mode === 'consume') return { unit: 'MB read', perSecond: report.mb_per_s };
  return { unit: 'batch accepted', perSecond: report.batches / report.seconds };
}

/** Runs the load; when its measured part was is known by its end and by its length. */
async function measured(side, server) {
  const began = { ms: performance.now(), us: clockUs() };
  const report = await side.measure(server);
  const toMs = performance.now() - 1000 * (side.tailSeconds ?? 0);
  const fromMs = Math.max(began.ms, toMs - 1000 * report.seconds);
  const inUs = (ms) => began.us + 1000 * (ms - began.ms);
  return { report, fromMs, toMs, fromUs: inUs(fromMs), toUs: inUs(toMs), leadMs: fromMs - began.ms };
}

/** The load with strace at all threads of the broker, or why not. */
async function callsPass(context, scenario, server, dir, names, leadMs) {
  const reason = whyNoStrace();
  if (reason) return { leftOut: reason };
  const side = scenario.look(context);
  const endMs = performance.now() + leadMs + 1000 * context.seconds - DETACH_EARLY_MS;
  const load = side.measure(server);
  load.catch(() => {}); // reported where it is awaited
  try {
    await sleep(Math.max(0, leadMs - ATTACH_EARLY_MS));
    const counted = await countCalls(server.pid, names, dir, () => sleep(Math.max(COUNTED_MS_MIN, endMs - performance.now())));
    return { ...counted, report: await load };
  } catch (error) {
    await load;
    if (!error.message.startsWith('strace:')) throw error;
    return { leftOut: error.message };
  }
}

/** Throws if no thread says that it is a shard: its work would stand in the tables as that of others. */
function namesOf(dir) {
  const names = new Names(readFileSync(join(dir, 'threads.jsonl'), 'utf8'));
  if (![...names.byThreadId.values()].some((name) => name.startsWith('shard-')))
    throw new Error('look: no thread of the broker says that it is a shard: perf/look/probe.cjs');
  return names;
}

/** What the kernel counts of the broker's threads and of the disk under a load that nothing disturbs; then the system calls. */
export function countPasses(context, scenario, { callSeconds }) {
  return withBroker(
    context,
    scenario,
    () => [],
    async (side, server, dir) => {
      const device = deviceBytesWritten(dir);
      const watch = new ThreadWatch(server.pid);
      const run = await measured(side, server);
      const { before, after } = watch.stop(run);
      syncFileSystem(dir); // what was accepted but not flushed yet belongs to the bill
      const { report } = run;
      const accepted = (report.mode === 'consume' ? report.producer : report)?.acknowledged_bytes_total ?? 0;
      const names = namesOf(dir);
      return {
        report,
        threads: ratesByKind(before, after, names),
        deviceBytesPerByte: accepted > 0 && device !== null ? (deviceBytesWritten(dir) - device) / accepted : null,
        calls: await callsPass({ ...context, seconds: callSeconds }, scenario, server, dir, names, run.leadMs),
      };
    },
  );
}

/** A tree of functions for each kind of thread, over the measured part of a load. */
export async function profilePass(context, scenario) {
  let found;
  const run = await withBroker(
    context,
    scenario,
    (dir) => ['--cpu-prof', `--cpu-prof-dir=${dir}`],
    async (side, server, dir) => {
      const result = await measured(side, server);
      await server.stop(); // each thread leaves its profile at its end
      found = readProfiles(dir);
      return result;
    },
  );
  const sources = new Sources(root);
  const placeOf = (frame) => sources.placeOf(frame);
  const kinds = new Map();
  for (const { name, profile } of found.profiles) {
    const kind = kinds.get(name) ?? { name, threads: 0, tree: emptyTree(), longestGcUs: 0 };
    foldProfile(kind.tree, profile, run, placeOf);
    kind.threads++;
    kind.longestGcUs = Math.max(kind.longestGcUs, longestPauseUs(profile, run));
    kinds.set(name, kind);
  }
  return { report: run.report, kinds: [...kinds.values()].filter(({ tree }) => tree.total > 0), without: found.without };
}

/** Files are called CPU.DATE.TIME.PROCESS.THREAD.NUMBER.cpuprofile. A thread that is ended before it has written a large one leaves none: `without` names those. */
function readProfiles(dir) {
  const names = namesOf(dir);
  const files = readdirSync(dir).filter((file) => file.endsWith('.cpuprofile'));
  if (files.length === 0) throw new Error('look: the broker left no profile: did it stop cleanly?');
  const profiles = files.map((file) => ({
    name: names.byThreadId.get(Number(file.split('.')[4])) ?? 'others',
    profile: JSON.parse(readFileSync(join(dir, file), 'utf8')),
  }));
  const left = new Set(profiles.map(({ name }) => name));
  return { profiles, without: [...new Set(names.byThreadId.values())].filter((name) => !left.has(name)) };
}
