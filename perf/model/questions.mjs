// Processor time of small questions that come at a steady pace: heartbeats, versions.
import { processCpuSeconds } from '../lib/machine.mjs';
import { openLoop } from '../lib/open-loop.mjs';
import { fitFormula } from './formula.mjs';

const RATES = [
  { rate: 500, isFitted: true },
  { rate: 1000, isFitted: false },
  { rate: 2000, isFitted: true },
  { rate: 4000, isFitted: false },
  { rate: 8000, isFitted: false },
];
const SECONDS = { full: 3, quick: 1 };
const WARMUP_SECONDS = 1;

export const questionSteps = RATES.length;

/**
 * Has `askers` ask in turn at each of the rates, and fits what a question costs.
 * @param {object} context of the harness
 * @param {{ axis: string, what: string, one: string }} names
 * @param {{ pid: number }} server
 * @param {any[]} askers
 * @param {(asker: any) => Promise<number>} send resolves with a code, 0 if all is well
 */
export async function measureQuestions(context, names, server, askers, send) {
  const runs = [];
  for (const { rate, isFitted } of RATES) {
    context.progress.step(`${names.axis}: ${names.what}, ${rate}/s`);
    await openLoop(askers, rate, WARMUP_SECONDS, send);
    const before = processCpuSeconds(server.pid);
    const { latencies, refusals, seconds } = await openLoop(askers, rate, context.quick ? SECONDS.quick : SECONDS.full, send);
    const cpu = (processCpuSeconds(server.pid) - before) / seconds;
    if (refusals.length > 0) throw new Error(`${names.what}: ${refusals.length} were refused, the first with code ${refusals[0]}`);
    runs.push({ name: `${rate.toLocaleString('en-US')}/s`, isFitted, rate: latencies.length / seconds, cpu });
    context.progress.done();
  }
  const formula = {
    axis: names.axis,
    what: `processor time of ${names.what}`,
    unit: 'cores',
    text: 'i + h × questions/s',
    constants: {
      i: { unit: 'cores', means: 'awake for the first of them', times: () => 1 },
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
