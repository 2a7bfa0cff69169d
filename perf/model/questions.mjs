// Processor time of small questions that come at a steady pace: heartbeats, versions.
import { processCpuSeconds } from '../lib/machine.mjs';
import { openLoop } from '../lib/open-loop.mjs';
import { median } from '../lib/stats.mjs';
import { fitFormula } from './formula.mjs';

const RATES = [
  { rate: 1000, isFitted: true },
  { rate: 2000, isFitted: false },
  { rate: 4000, isFitted: true },
  { rate: 8000, isFitted: false },
];
/** Windows of so many seconds, of which the middle one counts: a collection of garbage belongs to no question. */
const WINDOWS = { full: { count: 3, seconds: 2 }, quick: { count: 1, seconds: 1 } };
/** At the highest rate, so that what answers is compiled. */
const WARMUP_SECONDS = { full: 4, quick: 1 };

export const questionSteps = RATES.length;

async function cpuOf(server, load, what) {
  const before = processCpuSeconds(server.pid);
  const { latencies, refusals, seconds } = await load();
  const cpu = (processCpuSeconds(server.pid) - before) / seconds;
  if (refusals.length > 0) throw new Error(`${what}: ${refusals.length} were refused, the first with code ${refusals[0]}`);
  return { cpu, rate: latencies.length / seconds };
}

/**
 * Has `askers` ask in turn at each of the rates, and fits what a question costs.
 * @param {object} context of the harness
 * @param {{ axis: string, what: string, one: string }} names
 * @param {{ pid: number }} server
 * @param {any[]} askers
 * @param {(asker: any) => Promise<number>} send resolves with a code, 0 if all is well
 */
export async function measureQuestions(context, names, server, askers, send) {
  const length = context.quick ? 'quick' : 'full';
  await openLoop(askers, RATES.at(-1).rate, WARMUP_SECONDS[length], send);
  const runs = [];
  for (const { rate, isFitted } of RATES) {
    context.progress.step(`${names.axis}: ${names.what}, ${rate}/s`);
    const windows = [];
    while (windows.length < WINDOWS[length].count)
      windows.push(await cpuOf(server, () => openLoop(askers, rate, WINDOWS[length].seconds, send), names.what));
    runs.push({
      name: `${rate.toLocaleString('en-US')}/s`,
      isFitted,
      rate: median(windows.map((one) => one.rate)),
      cpu: median(windows.map((one) => one.cpu)),
    });
    context.progress.done();
  }
  const formula = {
    axis: names.axis,
    what: `processor time of ${names.what}`,
    unit: 'cores',
    text: 'i + h × questions/s',
    constants: {
      i: { unit: 'cores', means: 'awake at all', times: () => 1 },
      h: { unit: 'µs', means: names.one, times: ({ rate }) => rate / 1e6 },
    },
  };
  return {
    formula: fitFormula(
      formula,
      runs.map((run) => ({ ...run, measured: run.cpu })),
    ),
    runs,
  };
}
