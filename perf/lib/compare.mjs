// The heart of the harness: the sides take turns, A B A B …, and the figure is the median of the ratios within a turn. A slow minute of the machine then hits
// both sides of a ratio.
import { mkdirSync, rmSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { deviceBytesWritten, processBytesWritten, processCpuSeconds, syncFileSystem } from './machine.mjs';
import { touchMemory, watchMemory } from './memory.mjs';
import { tailOf } from './process.mjs';
import { PAIRS_TO_JUDGE, spread } from './stats.mjs';

const JVM_WARMUP_TO_JUDGE = 30; // seconds; what is less warm shows a figure, but no verdict
const TOUCHED_QUICK = 2 ** 30; // bytes of memory: loads are short
const BACKGROUND_BYTES_MAX = 5e6; // per second, while nothing of ours runs

/**
 * @typedef {object} Side
 * @property {string} name
 * @property {string} promise what an acknowledgement means here
 * @property {boolean} [isPeer] somebody else's program, or driven by one that may not be there: that it cannot start is reported, and the others are measured
 * @property {boolean} [isKept] started once and warmed once, asleep (SIGSTOP) while others have their turns: what a JVM has compiled is not thrown away
 * @property {(dir: string) => Promise<any>} start
 * @property {(server: any) => Promise<{ seconds: number, isFlat: boolean } | void>} [warm] once after its start, not measured; of a peer how long it took, and whether it
 *   has stopped becoming cheaper
 * @property {(server: any) => Promise<void>} [prepare] before each turn, not measured: create, fill, delete
 * @property {(server: any) => Promise<any>} measure gives the report of a load program, or anything with the figure in it
 * @property {(server: any) => Promise<void>} [clean] after each turn of a side that is kept
 * @property {number} [memoryBytes] of memory that are used once before each turn, where the usual is less than the page cache will take
 * @property {boolean} [isOverAtStart] what is measured happened while it started: `measure` takes no time, and what the server's processor did meanwhile says nothing
 * @property {number} [tailSeconds] what `measure` still takes when the part that its report is of is over
 */

/** What a counter has grown by; null where the system has no such counter. */
const growthOf = (before, after) => (before === null || after === null ? null : after - before);

/** Bytes a second that somebody else writes to the disk while we rest: a measurement beside it is not worth much. Null: not known here. */
async function backgroundWrites(context, dir) {
  const before = deviceBytesWritten(dir);
  await sleep(context.settleMs);
  const written = growthOf(before, deviceBytesWritten(dir));
  return written === null || context.settleMs === 0 ? null : (written * 1000) / context.settleMs;
}

/** What a load made the disk write, per byte that was acknowledged. */
function perByte(bytes, accepted) {
  return accepted && bytes !== null ? bytes / accepted : null;
}

/** All that the server acknowledged: what is paced and looked at, and what goes on beside it. */
function acceptedBytes({ acknowledged_bytes_total: own, flood, stream }) {
  return own + (flood?.acknowledged_bytes_total ?? 0) + (stream?.acknowledged_bytes_total ?? 0);
}

/** One turn of a side that runs: prepare, measure, account for what went to the disk. */
async function measureOnce(context, side, turn, server, dir) {
  await side.prepare?.(server);
  syncFileSystem(dir);
  touchMemory(context.quick ? TOUCHED_QUICK : side.memoryBytes);
  const background = await backgroundWrites(context, dir);
  const before = { device: deviceBytesWritten(dir), process: processBytesWritten(server.pid), cpu: processCpuSeconds(server.pid) };
  const memory = watchMemory(server.pid);
  const beganMs = performance.now();
  const report = await side.measure(server);
  const seconds = (performance.now() - beganMs) / 1000;
  const cpu = processCpuSeconds(server.pid) - before.cpu;
  const { peak, series } = memory.stop();
  syncFileSystem(dir); // what was accepted but not flushed yet belongs to the bill
  const device = growthOf(before.device, deviceBytesWritten(dir));
  const written = processBytesWritten(server.pid) - before.process;
  const accepted = report.mode === 'produce' ? acceptedBytes(report) : 0;
  return {
    side: side.name,
    turn,
    server: server.name,
    report,
    serverCpuSeconds: side.isOverAtStart ? null : cpu,
    serverCores: side.isOverAtStart ? null : cpu / seconds, // of the whole load: its warm-up and what it still waits for at the end are in both
    memory: peak,
    memorySeries: series,
    loadAverage: loadavg()[0],
    backgroundBytesPerSecond: background,
    deviceBytes: device,
    processBytes: written,
    deviceBytesPerByte: perByte(device, accepted),
    processBytesPerByte: perByte(written, accepted),
  };
}

/** The servers of one comparison: who is started when, who sleeps, and that nobody is left. */
class Servers {
  #context;
  #kept = new Map();
  /** How long each server that is kept took to become warm. @type {Map<string, { seconds: number, isFlat: boolean } | void>} */
  warmed = new Map();
  constructor(context) {
    this.#context = context;
  }

  #folder(name) {
    const dir = join(this.#context.workDir, name);
    rmSync(dir, { recursive: true, force: true });
    mkdirSync(dir, { recursive: true });
    return dir;
  }

  /** Runs `work(server, dir)` with the side's server: a fresh one, or the one that is kept. */
  async with(side, turn, work) {
    if (!side.isKept) return this.#fresh(side, turn, work);
    try {
      const isNew = !this.#kept.has(side.name);
      const held = this.#kept.get(side.name) ?? (await this.#keep(side));
      process.kill(held.server.pid, 'SIGCONT');
      // The first turn after a warm-up is not like those that follow: nobody has slept, nothing was deleted.
      if (isNew && this.#context.peerWarmup > 0 && !this.#context.quick) {
        await work(held.server, held.dir);
        await this.#rest(side, held);
        process.kill(held.server.pid, 'SIGCONT');
      }
      const result = await work(held.server, held.dir);
      await this.#rest(side, held);
      return result;
    } catch (error) {
      await this.#drop(side.name); // awake, it would be measured with all who come after it
      throw error;
    }
  }

  /** Cleans up after a turn, and puts the server to sleep. */
  async #rest(side, { server, dir }) {
    await side.clean?.(server);
    syncFileSystem(dir);
    process.kill(server.pid, 'SIGSTOP');
  }

  async #fresh(side, turn, work) {
    const dir = this.#folder(`${side.name}-${turn}`);
    const server = await side.start(dir);
    try {
      await side.warm?.(server);
      return await work(server, dir);
    } finally {
      await server.stop();
      this.#remove(dir);
    }
  }

  async #keep(side) {
    const dir = this.#folder(side.name);
    const held = { dir, server: await side.start(dir) };
    this.#kept.set(side.name, held);
    try {
      this.warmed.set(side.name, await side.warm?.(held.server));
    } catch (error) {
      // Its log goes with its folder.
      throw new Error(`${error.message}\n${tailOf(held.server.logPath)}`, { cause: error });
    }
    return held;
  }

  #remove(dir) {
    rmSync(dir, { recursive: true, force: true });
    syncFileSystem(this.#context.workDir); // freeing blocks costs the disk too: now, not in the next side's time
  }

  async #drop(name) {
    const held = this.#kept.get(name);
    if (held === undefined) return;
    this.#kept.delete(name);
    try {
      process.kill(held.server.pid, 'SIGCONT');
    } catch {
      // It has ended by itself, and whoever was measuring it has said so.
    }
    await held.server.stop();
    this.#remove(held.dir);
  }

  async end() {
    for (const name of [...this.#kept.keys()]) await this.#drop(name);
  }
}

/** The sides that `--only` leaves, perhaps none: the next comparison may have one. */
function chosen(context, sides) {
  return sides.filter((side) => !context.only || context.only.some((name) => side.name.startsWith(name)));
}

/** All turns of all sides; a peer that cannot start, or fails, is in `missing` with the reason, and has no further turns. */
async function takeTurns(context, label, sides) {
  const runs = [];
  const missing = [];
  const servers = new Servers(context);
  try {
    for (let turn = 1; turn <= context.pairs; turn++) {
      // Another one begins each time: nobody is always behind the same neighbour.
      const first = (turn - 1) % Math.max(1, sides.length);
      for (const side of [...sides.slice(first), ...sides.slice(0, first)]) {
        context.progress.step(`${label}: ${side.name}, turn ${turn} of ${context.pairs}`);
        if (!missing.some(({ name }) => name === side.name)) {
          try {
            runs.push(await servers.with(side, turn, (server, dir) => measureOnce(context, side, turn, server, dir)));
          } catch (error) {
            if (!side.isPeer) throw error;
            missing.push({ name: side.name, reason: error.message });
          }
        }
        context.progress.done();
      }
    }
  } finally {
    await servers.end();
  }
  return { runs, missing, warmed: servers.warmed };
}

function sideSummary(side, runs, figure) {
  const own = runs.filter((run) => run.side === side.name);
  const of = (value) => spread(own.map((run) => value(run) ?? NaN));
  return {
    name: side.name,
    promise: side.promise,
    version: own[0]?.server ?? null,
    figure: of(figure),
    clientCpu: of((run) => (run.report.client_cpu_user_s + run.report.client_cpu_system_s) / run.report.seconds),
    serverCpu: of((run) => run.serverCores),
    rssMb: of((run) => run.memory.rss),
    ownMemoryMb: of((run) => run.memory.anonymous + run.memory.shared),
    deviceBytesPerByte: of((run) => run.deviceBytesPerByte),
  };
}

/**
 * Ratios of the turns that both sides had, each of them in `values`.
 * @param {any[]} runs
 * @param {(run: any) => number | undefined} figure
 */
function ratioOf(runs, figure, { of, to }) {
  const value = (side, turn) => runs.filter((run) => run.side === side && run.turn === turn).map(figure)[0] ?? NaN;
  const turns = [...new Set(runs.map((run) => run.turn))];
  const values = turns.map((turn) => value(of, turn) / value(to, turn)).filter(Number.isFinite);
  const all = spread(values);
  return all && { ...all, values };
}

/**
 * Runs all sides `pairs` times in turns.
 * @param {{ label: string, sides: Side[], figure: (run: any) => number, unit: string,
 *   ratios: { of: string, to: string, what?: string, figure?: (run: any) => number | undefined, target?: string, holds?: (ratio: number, runs: any[]) => boolean }[] }} comparison
 *   a ratio may be of another figure than the comparison's, which it then names in `what`
 */
export async function compare(context, comparison) {
  const sides = chosen(context, comparison.sides);
  const { runs, missing, warmed } = await takeTurns(context, comparison.label, sides);
  const ratios = comparison.ratios.flatMap(({ of, to, what, figure, target, holds }) => {
    const ratio = ratioOf(runs, figure ?? comparison.figure, { of, to });
    if (!ratio) return [];
    const isCold = to.startsWith('kafka') && context.peerWarmup < JVM_WARMUP_TO_JUDGE;
    // A part of the load is another load.
    const isOther = context.quick || context.scale !== 1;
    const verdict = ratio.count < PAIRS_TO_JUDGE || isCold || isOther || !holds ? null : holds(ratio.median, runs);
    const turnsHeld = holds ? ratio.values.filter((value) => holds(value, runs)).length : undefined;
    const { values: _, ...spreadOfRatio } = ratio;
    return [{ of, to, what, ratio: spreadOfRatio, target, holds: verdict, turnsHeld }];
  });
  const disturbed = Math.max(0, ...runs.map((run) => run.backgroundBytesPerSecond ?? 0));
  const notes = sides.length > 0 ? [] : [`--only leaves no side of ${comparison.sides.map(({ name }) => name).join(', ')}`];
  notes.push(...missing.map(({ name, reason }) => `${name} was NOT measured: ${reason}`));
  for (const [name, warm] of warmed)
    if (warm && warm.seconds > 0)
      notes.push(
        `${name}: warmed up for ${warm.seconds} s${warm.isFlat ? '' : ', and was still becoming cheaper'}${context.quick ? '' : ', and a turn that does not count'}`,
      );
  if (runs.some((run) => run.report.tool === 'node-load'))
    notes.push('the load is of the Node stand-in: not to be compared with figures of kload, and there is no native floor');
  if (runs.some((run) => run.deviceBytes === null))
    notes.push('this system does not say what is written to this disk, nor whether it is quiet');
  const loads = runs.map((run) => run.loadAverage);
  if (loads.length > 0) notes.push(`load average as a turn ended: ${Math.min(...loads).toFixed(1)} to ${Math.max(...loads).toFixed(1)}`);
  if (disturbed > BACKGROUND_BYTES_MAX)
    notes.push(`others wrote up to ${(disturbed / 1e6).toFixed(0)} MB/s to this disk meanwhile: not a quiet machine`);
  return {
    label: comparison.label,
    unit: comparison.unit,
    notes,
    missing,
    sides: sides.map((side) => sideSummary(side, runs, comparison.figure)),
    ratios,
    runs,
  };
}
