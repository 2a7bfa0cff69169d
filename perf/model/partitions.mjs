// Partitions: memory of those that are there and of those that are written to, start-up, descriptors. Each has one record in it.
import { readFileSync } from 'node:fs';
import { connectClient } from '../lib/client.mjs';
import { descriptorsOf } from '../lib/crowd.mjs';
import { recordIntoEach } from '../lib/each-partition.mjs';
import { median } from '../lib/stats.mjs';
import { startBroker, withFolder } from './broker.mjs';
import { compareWith, fitFormula } from './formula.mjs';
import { memoryFormula, restingMemory, restMs } from './memory.mjs';

const axis = 'partitions';
const TOPIC = 'model';
const COUNTS = [
  { count: 100, isFitted: true },
  { count: 500, isFitted: false },
  { count: 2000, isFitted: true },
  { count: 5000, isFitted: false },
];
const STARTS = { full: 3, quick: 1 };

/** Of the files that a process may open, the part that segments of all shards have; ringlog.open.segments.max is more. */
const SEGMENTS_PART = 3 / 8;
/** ringlog.shards.sync and ringlog.shards.buffered, by default. */
const SHARDS = 2;

/** Segments that a shard keeps open at most. */
function openSegmentsMax(pid) {
  const found = /^Max open files\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'));
  return found ? Math.floor((Number(found[1]) * SEGMENTS_PART) / SHARDS) : Infinity;
}

/** Segments that are open when one after the other was written to: as soon as there are too many, half of them are closed. */
export function openSegments(partitions, most) {
  return partitions <= most ? partitions : most / 2 + ((partitions - most) % (most / 2));
}

async function touchAll(server, count) {
  const client = await connectClient(server.port);
  await recordIntoEach(client, TOPIC, count);
  client.close();
}

async function fill(server, count) {
  const client = await connectClient(server.port);
  const error = await client.createTopic(TOPIC, { 'ringlog.durability': 'fsync' }, count);
  if (error !== 0) throw new Error(`CreateTopics: error ${error}`);
  client.close();
  await touchAll(server, count);
}

function measureCount(context, count) {
  return withFolder(context, axis, async (dir) => {
    const first = await startBroker(context, dir);
    await fill(first, count);
    await first.stop();
    const startMs = [];
    const starts = context.quick ? STARTS.quick : STARTS.full;
    for (;;) {
      const server = await startBroker(context, dir);
      try {
        startMs.push(performance.now() - server.startedAt);
        if (startMs.length < starts) continue;
        const idleMb = await restingMemory(server, restMs(context));
        await touchAll(server, count);
        const usedMb = await restingMemory(server, restMs(context));
        const segmentsMax = openSegmentsMax(server.pid);
        return { count, startMs: median(startMs), idleMb, usedMb, descriptors: descriptorsOf(server.pid), segmentsMax };
      } finally {
        await server.stop();
      }
    }
  });
}

const startFormula = {
  axis,
  what: 'start after a clean stop',
  unit: 'ms',
  text: 't0 + t1 × partitions',
  constants: {
    t0: { unit: 'ms', means: 'of the process', times: () => 1 },
    t1: { unit: 'µs', means: 'a partition', times: ({ count }) => count / 1000 },
  },
};

const descriptorsFormula = {
  axis,
  what: 'descriptors with all written to',
  unit: '',
  text: 'd0 + open segments: one a partition, up to L = 3/16 of the files that a process may open; beyond it between L/2 and L',
  constants: { d0: { unit: '', means: 'without any' } },
  predict: ({ count, segmentsMax }, { d0 }) => d0 + openSegments(count, segmentsMax),
};

function formulasOf(runs) {
  const points = (measured) =>
    runs.map((run) => ({ ...run, name: `${run.count.toLocaleString('en-US')} partitions`, measured: run[measured] }));
  const things = { of: 'partitions', letter: 'count' };
  return [
    fitFormula(memoryFormula(axis, 'memory with all at rest since the start', { ...things, one: 'a partition' }), points('idleMb')),
    fitFormula(memoryFormula(axis, 'memory with all written to', { ...things, one: 'a partition and its open segment' }), points('usedMb')),
    fitFormula(startFormula, points('startMs')),
    compareWith(
      descriptorsFormula,
      { d0: runs[0].descriptors - runs[0].count },
      points('descriptors').map((point, index) => ({ ...point, isFitted: index === 0 })),
    ),
  ];
}

export default {
  name: axis,
  steps: () => COUNTS.length,
  async run(context) {
    const runs = [];
    for (const { count: full, isFitted } of COUNTS) {
      const count = Math.ceil(full * context.scale);
      context.progress.step(`${axis}: ${count}`);
      runs.push({ isFitted, ...(await measureCount(context, count)) });
      context.progress.done();
    }
    return { formulas: formulasOf(runs), runs };
  },
};
