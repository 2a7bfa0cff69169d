// What the latency scenarios share: how long a turn lasts, and when there are samples enough to speak of a p99.9.
import { startKload } from './kload.mjs';
import { isOnlySlow, loadFailure } from './load-program.mjs';

/** A p99.9 of fewer samples rests on fewer than a hundred of them, and is not given. */
export const SAMPLES_MIN = 100_000;
const SECONDS_QUICK = 5;
const SECONDS_MIN = 11; // 100,000 samples at 10,000 a second, and one second more for the first and last record

/**
 * kload --end-to-end. A side that is slower than the rate answers less than was due, which is a result: what it had not answered and
 * delivered when the wait after the end was over (30 s, 3 with --quick) counts with its age. Anything else that fails, such as a record acknowledged and not delivered, throws.
 */
export async function runEndToEnd(port, options) {
  const { ended, command } = startKload(port, { ...options, endToEnd: true });
  const outcome = await ended;
  const { code, report } = outcome;
  if (code === 0 || (isOnlySlow(outcome) && isLateOnly(report))) return report;
  throw loadFailure(command, outcome);
}

/** Whether what never came can be what was not acknowledged. */
function isLateOnly({ rate, unanswered, never_received, consumers }) {
  const onTheWay = rate; // the end cuts into what is going on: answered in the last moment, and not delivered yet
  return never_received <= (unanswered + onTheWay) * consumers;
}

/** Seconds of a turn: as asked for; or short, if a quick look is wanted; else until there are samples enough. */
export function enoughSeconds(context, rate) {
  if (context.seconds) return context.seconds;
  if (context.quick) return SECONDS_QUICK;
  return Math.max(SECONDS_MIN, Math.ceil(SAMPLES_MIN / rate) + 1);
}

/**
 * How many samples each side has, and what it did not deliver in time. No p99.9 is given of a turn with fewer than SAMPLES_MIN.
 * @param {any} comparison what compare() gave
 * @param {(run: any) => { count: number }} latencyOf
 */
export function sampleNotes(comparison, latencyOf) {
  return comparison.sides.map(({ name }) => {
    const runs = comparison.runs.filter((run) => run.side === name);
    const late = runs.reduce((sum, run) => sum + (run.report.never_received ?? 0), 0);
    const least = Math.min(...runs.map((run) => latencyOf(run).count));
    const slow = late
      ? `; did not keep up: ${late} records were not delivered when the wait after the end was over, and count with that age`
      : '';
    if (runs.length === 0) return `${name}: no samples`;
    return `${name}: at least ${least} samples a turn${least < SAMPLES_MIN ? `, too few for a p99.9, which wants ${SAMPLES_MIN}` : ''}${slow}`;
  });
}
