// What the kernel counts of each thread of a process: processor time, the wait for a processor, task switches. Summed by the kind of thread, as probe.cjs names it.
import { readdirSync, readFileSync } from 'node:fs';

const TICK_SECONDS = 0.01; // USER_HZ, which Linux gives as 100 everywhere

/**
 * @param {string} stat of /proc/PID/task/TID/stat; the thread's name may hold anything, brackets too
 * @returns {{ comm: string, userSeconds: number, systemSeconds: number }}
 */
export function parseStat(stat) {
  const close = stat.lastIndexOf(')');
  const fields = stat.slice(close + 2).split(' ');
  return {
    comm: stat.slice(stat.indexOf('(') + 1, close),
    userSeconds: Number(fields[11]) * TICK_SECONDS,
    systemSeconds: Number(fields[12]) * TICK_SECONDS,
  };
}

/** @param {string} status of /proc/PID/task/TID/status */
export function parseSwitches(status) {
  const of = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
  return { voluntary: of('voluntary_ctxt_switches'), involuntary: of('nonvoluntary_ctxt_switches') };
}

/** Seconds that a thread was ready to run and had no processor; 0 where the kernel does not count them. */
function queuedSeconds(folder) {
  try {
    return Number(readFileSync(`${folder}/schedstat`, 'utf8').split(' ')[1]) / 1e9;
  } catch {
    return 0;
  }
}

/** All threads of a process now, by number. */
function readThreads(pid) {
  const threads = new Map();
  for (const id of readdirSync(`/proc/${pid}/task`)) {
    const folder = `/proc/${pid}/task/${id}`;
    try {
      threads.set(Number(id), {
        ...parseStat(readFileSync(`${folder}/stat`, 'utf8')),
        ...parseSwitches(readFileSync(`${folder}/status`, 'utf8')),
        queuedSeconds: queuedSeconds(folder),
      });
    } catch {
      // It ended between the list and the look.
    }
  }
  return threads;
}

/** The kind of each thread by its number: what the probe wrote, else one of V8's own or one of libuv's pool. */
export class Names {
  #byId = new Map();
  #v8;
  /** @param {string} text lines of probe.cjs */
  constructor(text) {
    const lines = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    for (const { kernelId, name } of lines) this.#byId.set(kernelId, name);
    this.#v8 = new Set(lines.flatMap(({ v8 }) => v8));
    this.byThreadId = new Map(lines.map(({ threadId, name }) => [threadId, name]));
  }

  of(id) {
    return this.#byId.get(id) ?? (this.#v8.has(id) ? 'V8 helpers' : 'libuv pool');
  }
}

const FIELDS = ['userSeconds', 'systemSeconds', 'queuedSeconds', 'voluntary', 'involuntary'];

/** What grew between two looks, a second, by kind of thread; the busiest first. A thread that was not there before has begun at nothing. */
export function ratesByKind(before, after, names) {
  const seconds = (after.atMs - before.atMs) / 1000;
  const kinds = new Map();
  for (const [id, now] of after.threads) {
    const name = names.of(id);
    const sum = kinds.get(name) ?? { name, threads: 0, ...Object.fromEntries(FIELDS.map((field) => [field, 0])) };
    const then = before.threads.get(id);
    sum.threads++;
    for (const field of FIELDS) sum[field] += (now[field] - (then?.[field] ?? 0)) / seconds;
    kinds.set(name, sum);
  }
  return [...kinds.values()].sort((a, b) => b.userSeconds + b.systemSeconds - a.userSeconds - a.systemSeconds);
}

const LOOK_MS = 100;
const LOOKS_MAX = 6000;

/** Looks at a process ten times a second: which part of it was the measured one is known when the load has ended. */
export class ThreadWatch {
  #pid;
  #looks = [];
  #timer;
  constructor(pid) {
    this.#pid = pid;
    this.#look();
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  #look() {
    if (this.#looks.length < LOOKS_MAX) this.#looks.push({ atMs: performance.now(), threads: readThreads(this.#pid) });
  }

  /** The looks nearest to the begin and the end of a time. */
  stop({ fromMs, toMs }) {
    clearInterval(this.#timer);
    this.#look();
    const nearest = (ms) => this.#looks.reduce((best, one) => (Math.abs(one.atMs - ms) < Math.abs(best.atMs - ms) ? one : best));
    return { before: nearest(fromMs), after: nearest(toMs) };
  }
}
