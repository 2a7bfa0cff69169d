// Load: how long a group commit takes, how many there are, and what processor time and what bytes on the disk they cost. fsync, 4 partitions.
import { withBroker } from './broker.mjs';
import { diskFormula } from './disk.mjs';
import { compareWith, fitFormula } from './formula.mjs';
import { loadSteps, runLoads } from './load-runs.mjs';

const axis = 'load';
const FITTED = {
  cycle: ['small, 4 × 1 in flight', 'small, 16 × 4 in flight', 'large, 4 × 5 in flight'],
  cpu: ['small, 1,000/s', 'small, 10,000/s', 'small, 16 × 8 in flight', 'large, 4 × 5 in flight'],
};
const PER_SECOND = 1e6; // µs
const kilobytes = (bytes) => bytes / 1000;
/** While one group is with the disk, the other half of the requests is with the clients or waits to be in the next. */
const groupSize = (inFlight) => Math.max(1, inFlight / 2);

const points = (runs, measured, fitted = []) =>
  runs.map((run) => ({ ...run, measured: measured(run), isFitted: fitted.includes(run.name) }));

const CYCLE = {
  axis,
  what: 'time from one group to the next, never without work',
  unit: 'µs',
  text: 's + p × n + q × KB of the group, n = half of the batches in flight',
  constants: {
    s: { unit: 'µs', means: 'a group: sync, wake-ups, beginning and end', times: () => 1 },
    p: { unit: 'µs', means: 'a batch', times: ({ inFlight }) => groupSize(inFlight) },
    q: { unit: 'µs', means: 'a KB', times: ({ inFlight, batchBytes }) => groupSize(inFlight) * kilobytes(batchBytes) },
  },
};

/** What is left of a second when batches and bytes have had their part, µs. */
const leftOver = ({ requests, megabytes }, { p, q }) => Math.max(0, PER_SECOND - p * requests - q * kilobytes(megabytes * 1e6));

/** Groups a second: one for every request, unless the shard is always in a group; then what batches and bytes leave of a second is for groups. */
export function groupRate(run, values) {
  if (run.kind === 'closed') return run.requests / groupSize(run.inFlight);
  return Math.max(1, Math.min(run.requests, leftOver(run, values) / values.s));
}

/** Times a second that the shard finds nothing to do and sleeps: of the groups those whose share of time it is idle. */
export function sleepRate(run, values) {
  const groups = groupRate(run, values);
  const idle = leftOver(run, values) - groups * values.s;
  return (groups * Math.max(0, idle)) / PER_SECOND;
}

const throughput = {
  axis,
  what: 'requests in a closed loop',
  unit: '1/s',
  text: 'n ÷ time from one group to the next',
  constants: {},
  predict({ inFlight, batchBytes }, { s, p, q }) {
    const n = groupSize(inFlight);
    return (PER_SECOND * n) / (s + n * (p + q * kilobytes(batchBytes)));
  },
};

const groups = {
  axis,
  what: 'groups in an open loop',
  unit: '1/s',
  text: 'requests/s, at most (1 s − p × requests/s − q × KB/s) ÷ s',
  constants: {},
  predict: groupRate,
};

/** @param {Record<string, number>} cycle constants of the time of a group */
const cpuFormula = (cycle) => ({
  axis,
  what: 'processor time of the broker',
  unit: 'cores',
  text: 'g × groups/s + w × sleeps/s + b × requests/s + c × MB/s, sleeps/s = groups/s × share of the time without a group',
  constants: {
    g: { unit: 'µs', means: 'a group', times: (run) => groupRate(run, cycle) / PER_SECOND },
    w: { unit: 'µs', means: 'a sleep: looking for work before it, waking after it', times: (run) => sleepRate(run, cycle) / PER_SECOND },
    b: { unit: 'µs', means: 'a request', times: ({ requests }) => requests / PER_SECOND },
    c: { unit: 'µs', means: 'a MB', times: ({ megabytes }) => megabytes / PER_SECOND },
  },
});

function formulasOf(runs) {
  const closed = runs.filter(({ kind }) => kind === 'closed');
  const open = runs.filter(({ kind }) => kind === 'open');
  const cycle = fitFormula(
    CYCLE,
    points(closed, (run) => PER_SECOND / run.groups, FITTED.cycle),
  );
  const values = Object.fromEntries(cycle.constants.map(({ name, value }) => [name, value]));
  const known = closed.filter(({ name }) => !FITTED.cycle.includes(name));
  return [
    cycle,
    compareWith(
      throughput,
      values,
      points(known, ({ requests }) => requests),
    ),
    compareWith(
      groups,
      values,
      points(open, (run) => run.groups),
    ),
    fitFormula(
      cpuFormula(values),
      points(runs, ({ cpu }) => cpu, FITTED.cpu),
    ),
    diskFormula(runs),
  ];
}

export default {
  name: axis,
  steps: () => loadSteps,
  run: (context) =>
    withBroker(context, axis, [], async (server, dir) => {
      const runs = await runLoads(context, server, dir);
      return { formulas: formulasOf(runs), runs };
    }),
};
