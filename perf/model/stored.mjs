// Stored bytes: start-up after a clean stop and after kill -9, and memory at rest. Segments of the default size, filled without syncs. What counts is what is in the
// active segment of each partition: a full one has its index in a file.
import { setTimeout as sleep } from 'node:timers/promises';
import { firstAcknowledged } from '../lib/client.mjs';
import { runKload, startKload } from '../lib/kload.mjs';
import { stopProcess } from '../lib/process.mjs';
import { median } from '../lib/stats.mjs';
import { startBroker, withFolder } from './broker.mjs';
import { fitFormula } from './formula.mjs';
import { restingMemory, restMs } from './memory.mjs';

const axis = 'stored bytes';
const GIGABYTES = [
  { gigabytes: 1, isFitted: true },
  { gigabytes: 2, isFitted: false },
  { gigabytes: 4, isFitted: true },
  { gigabytes: 8, isFitted: false },
];
const LOAD = { topic: 'model', partitions: 4, connections: 4, inFlight: 5, recordBytes: 1024, batchBytes: 65_536 };
const FILLING = { ...LOAD, topicConfig: ['ringlog.durability=page-cache'] };
/** A topic of its own with fsync is what is written to when the process is killed, at the same pace at all sizes. */
const KILLED = { ...LOAD, topic: 'killed', topicConfig: ['ringlog.durability=fsync'], rate: 10_000, inFlight: 100, seconds: 60 };
const KILL_AFTER_MS = 1500;
/** segment.bytes by default. */
const SEGMENT_GIGABYTES = 2 ** 30 / 1e9;
const TIMES = { full: 3, quick: 1 };

/** Of so many gigabytes, spread evenly, those that are in active segments. */
export function activeGigabytes(gigabytes, partitions) {
  return ((gigabytes / partitions) % SEGMENT_GIGABYTES) * partitions;
}

/** To the first acknowledged record, so that recovery is a part of it. */
async function startedMs(server) {
  return (await firstAcknowledged(server.port, FILLING.topic, { server })) - server.startedAt;
}

async function afterCleanStops(context, dir, times) {
  const startMs = [];
  for (;;) {
    const server = await startBroker(context, dir);
    startMs.push(await startedMs(server));
    if (startMs.length === times) return { server, cleanMs: median(startMs) };
    await server.stop();
  }
}

/** Kills the broker under load again and again; resolves with one that runs. */
async function afterKills(context, dir, running, times) {
  const startMs = [];
  let server = running;
  while (startMs.length < times) {
    const load = startKload(server.port, KILLED);
    await sleep(KILL_AFTER_MS);
    await stopProcess(server.child, { signal: 'SIGKILL' });
    await load.ended;
    server = await startBroker(context, dir);
    startMs.push(await startedMs(server));
  }
  return { server, killedMs: median(startMs) };
}

async function measureSize(context, dir, bytes) {
  const times = context.quick ? TIMES.quick : TIMES.full;
  const filled = await startBroker(context, dir);
  await runKload(filled.port, { ...FILLING, bytes });
  await filled.stop();
  const { server: clean, cleanMs } = await afterCleanStops(context, dir, times);
  const memoryMb = await restingMemory(clean, restMs(context));
  const { server: killed, killedMs } = await afterKills(context, dir, clean, times);
  await killed.stop();
  return { cleanMs, memoryMb, killedMs };
}

const formula = (what, unit, [first, more], means) => ({
  axis,
  what,
  unit,
  text: `${first} + ${more} × GB in active segments`,
  constants: {
    [first]: { unit, means, times: () => 1 },
    [more]: { unit, means: 'a GB in active segments', times: ({ active }) => active },
  },
});

/** Of what is stored only sparse indexes stay in memory, which is less than what garbage comes and goes with. */
const MEMORY = {
  axis,
  what: 'memory after a start',
  unit: 'MB',
  text: 'v0, whatever is stored',
  constants: { v0: { unit: 'MB', means: 'with what reading the active segments has left to be collected', times: () => 1 } },
};

function formulasOf(runs) {
  const points = (measured) => runs.map((run) => ({ ...run, measured: run[measured] }));
  return [
    fitFormula(
      formula('start after a clean stop, to the first acknowledged record', 'ms', ['u0', 'u1'], 'of the process'),
      points('cleanMs'),
    ),
    fitFormula(
      formula('the same after kill -9 at 10 MB/s', 'ms', ['k0', 'k1'], 'of the process, and of what no checkpoint covers'),
      points('killedMs'),
    ),
    fitFormula(MEMORY, points('memoryMb')),
  ];
}

export default {
  name: 'stored',
  steps: () => GIGABYTES.length,
  run: (context) =>
    withFolder(context, 'stored', async (dir) => {
      const runs = [];
      let stored = 0;
      for (const { gigabytes: full, isFitted } of GIGABYTES) {
        const gigabytes = full * context.scale;
        const name = `${gigabytes} GB stored`;
        context.progress.step(name);
        const active = activeGigabytes(gigabytes, LOAD.partitions);
        runs.push({
          name: `${name}, ${active.toFixed(1)} of it active`,
          isFitted,
          gigabytes,
          active,
          ...(await measureSize(context, dir, (gigabytes - stored) * 1e9)),
        });
        stored = gigabytes;
        context.progress.done();
      }
      return { formulas: formulasOf(runs), runs };
    }),
};
