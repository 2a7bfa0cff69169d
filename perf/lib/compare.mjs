// The heart of the harness: the sides take turns, A B A B …, each fresh, and the figure is the median of the ratios
// within a turn. A slow minute of the machine then hits both sides of a ratio.
import { mkdirSync, rmSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { deviceBytesWritten, processBytesWritten, processCpuSeconds, processMemory, syncFileSystem } from './machine.mjs';
import { touchMemory } from './memory.mjs';
import { spread } from './stats.mjs';

const PAIRS_TO_JUDGE = 3; // fewer show a figure, but no verdict
const BACKGROUND_BYTES_MAX = 5e6; // per second, while nothing of ours runs

/**
 * @typedef {object} Side
 * @property {string} name
 * @property {string} promise what an acknowledgement means here
 * @property {(dir: string) => Promise<any>} start
 * @property {(server: any) => Promise<void>} [prepare] not measured: fill, delete, warm up
 * @property {(server: any) => Promise<any>} measure gives kload's report, or anything with the figure in it
 */

/** Bytes a second that somebody else writes to the disk while we rest: a measurement beside it is not worth much. */
async function backgroundWrites(context, dir) {
  const before = deviceBytesWritten(dir);
  await sleep(context.settleMs);
  return context.settleMs > 0 ? ((deviceBytesWritten(dir) - before) * 1000) / context.settleMs : 0;
}

/** One side, once: start, prepare, measure, stop, account for what went to the disk, leave nothing behind. */
async function runOnce(context, side, turn) {
  const dir = join(context.workDir, `${side.name}-${turn}`);
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  const server = await side.start(dir);
  try {
    await side.prepare?.(server);
    syncFileSystem(dir);
    touchMemory();
    const background = await backgroundWrites(context, dir);
    const before = { device: deviceBytesWritten(dir), process: processBytesWritten(server.pid), cpu: processCpuSeconds(server.pid) };
    const report = await side.measure(server);
    const cpu = processCpuSeconds(server.pid) - before.cpu;
    const memory = processMemory(server.pid);
    syncFileSystem(dir); // what was accepted but not flushed yet belongs to the bill
    const device = deviceBytesWritten(dir) - before.device;
    const written = processBytesWritten(server.pid) - before.process;
    const accepted = report.mode === 'produce' ? report.acknowledged_bytes_total + (report.flood?.acknowledged_bytes_total ?? 0) : 0;
    return {
      side: side.name,
      turn,
      report,
      serverCpuSeconds: cpu,
      memory,
      loadAverage: loadavg()[0],
      backgroundBytesPerSecond: background,
      deviceBytes: device,
      processBytes: written,
      deviceBytesPerByte: accepted ? device / accepted : null,
      processBytesPerByte: accepted ? written / accepted : null,
    };
  } finally {
    await server.stop();
    rmSync(dir, { recursive: true, force: true });
    syncFileSystem(context.workDir); // freeing blocks costs the disk too: now, not in the next side's time
  }
}

/**
 * Runs all sides `pairs` times in turns.
 * @param {{ label: string, sides: Side[], figure: (run: any) => number, unit: string, ratios: { of: string, to: string, target?: string, holds?: (ratio: number, runs: any[]) => boolean }[] }} comparison
 */
export async function compare(context, comparison) {
  const wanted = comparison.sides.filter((side) => !context.only || context.only.some((name) => side.name.startsWith(name)));
  if (wanted.length === 0) throw new Error(`--only leaves no side of ${comparison.sides.map((side) => side.name).join(', ')}`);
  const runs = [];
  for (let turn = 1; turn <= context.pairs; turn++) {
    for (const side of wanted) {
      context.progress.step(`${comparison.label}: ${side.name}, turn ${turn} of ${context.pairs}`);
      runs.push(await runOnce(context, side, turn));
      context.progress.done();
    }
  }
  const figuresOf = (name) => runs.filter((run) => run.side === name).map(comparison.figure);
  const sides = wanted.map((side) => {
    const own = runs.filter((run) => run.side === side.name);
    return {
      name: side.name,
      promise: side.promise,
      figure: spread(figuresOf(side.name)),
      clientCpu: spread(own.map((run) => (run.report.client_cpu_user_s + run.report.client_cpu_system_s) / run.report.seconds)),
      serverCpu: spread(own.map((run) => run.serverCpuSeconds / run.report.seconds)),
      rssMb: spread(own.map((run) => run.memory.rss)),
      deviceBytesPerByte: spread(own.map((run) => run.deviceBytesPerByte ?? NaN)),
    };
  });
  const ratios = comparison.ratios.flatMap(({ of, to, target, holds }) => {
    const above = figuresOf(of);
    const below = figuresOf(to);
    const ratio = spread(above.map((value, turn) => value / below[turn]));
    if (!ratio) return [];
    return [{ of, to, ratio, target, holds: ratio.count < PAIRS_TO_JUDGE ? null : (holds?.(ratio.median, runs) ?? null) }];
  });
  const disturbed = Math.max(...runs.map((run) => run.backgroundBytesPerSecond));
  const notes =
    disturbed > BACKGROUND_BYTES_MAX
      ? [`others wrote up to ${(disturbed / 1e6).toFixed(0)} MB/s to this disk meanwhile: not a quiet machine`]
      : [];
  return { notes, label: comparison.label, unit: comparison.unit, sides, ratios, runs };
}
