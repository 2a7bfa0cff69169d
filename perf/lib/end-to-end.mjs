// What the latency scenarios share: how long a turn lasts, and when there are samples enough to speak of a p99.9.
import { kloadFailure, startKload } from './kload.mjs';
import { spread } from './stats.mjs';

/** A p99.9 of fewer samples rests on fewer than a hundred of them, and is not given. */
export const SAMPLES_MIN = 100_000;
const SECONDS_MIN = 11; // 100,000 samples at 10,000 a second, and one second more for the first and last record

/**
 * kload --end-to-end. A side that is slower than the rate answers less than was due, which is a result: what it had not answered and
 * delivered 30 s after the end counts with its age. Anything else that fails, such as a record acknowledged and not delivered, throws.
 */
export async function runEndToEnd(port, options) {
  const { ended, command } = startKload(port, { ...options, endToEnd: true });
  const outcome = await ended;
  const { code, report } = outcome;
  if (code === 0 || isOnlySlow(report)) return report;
  throw kloadFailure(command, outcome);
}

function isOnlySlow(report) {
  if (!report || report.error_count || report.connections_lost || report.chain_errors || report.crc_errors) return false;
  const onTheWay = report.rate; // the end cuts into what is going on: answered in the last moment, and not delivered yet
  return report.unanswered > 0 && report.never_received <= (report.unanswered + onTheWay) * report.consumers;
}

/** Seconds of a turn: as asked for; or short, if a quick look is wanted; else until there are samples enough. */
export function enoughSeconds(context, rate) {
  if (context.seconds) return context.seconds;
  if (context.quick) return SECONDS_MIN;
  return Math.max(SECONDS_MIN, Math.ceil(SAMPLES_MIN / rate) + 1);
}

/**
 * The p99.9 out of a comparison that has been run. Where no turn has samples enough, but all turns of a side together have, the turns'
 * medians still are of few samples each: a note says so. Where even all together have not, no figure is given.
 * @param {any} comparison what compare() gave
 * @param {{ label: string, ratios: { of: string, to: string, target?: string, holds?: (ratio: number) => boolean }[] }} wanted
 */
export function pooledTail(comparison, { label, ratios }) {
  const runsOf = (name) => comparison.runs.filter((run) => run.side === name);
  const samplesOf = (name) => runsOf(name).reduce((sum, run) => sum + run.report.end_to_end_us.count, 0);
  const enough = (name) => samplesOf(name) >= SAMPLES_MIN;
  const valuesOf = (name) => runsOf(name).map((run) => (enough(name) ? run.report.end_to_end_us['p99.9'] : NaN));
  const notes = comparison.sides.map(({ name }) => {
    const late = runsOf(name).reduce((sum, run) => sum + run.report.never_received, 0);
    const counts = runsOf(name).map((run) => run.report.end_to_end_us.count);
    const slow = late ? `; did not keep up: ${late} records were not delivered 30 s after the end, and count with that age` : '';
    if (!enough(name)) return `${name}: ${samplesOf(name)} samples are too few for a p99.9, which wants ${SAMPLES_MIN}${slow}`;
    return `${name}: ${samplesOf(name)} samples over all turns, at least ${Math.min(...counts)} in each${slow}`;
  });
  return {
    label,
    unit: comparison.unit,
    notes,
    sides: comparison.sides.map((side) => ({ ...side, figure: spread(valuesOf(side.name)) })),
    ratios: ratios.flatMap(({ of, to, target, holds }) => {
      const below = valuesOf(to);
      const ratio = spread(valuesOf(of).map((value, turn) => value / below[turn]));
      if (!ratio) return [];
      return [{ of, to, ratio, target, holds: ratio.count < 3 ? null : (holds?.(ratio.median) ?? null) }];
    }),
    runs: [], // those of the comparison that this is out of
  };
}
