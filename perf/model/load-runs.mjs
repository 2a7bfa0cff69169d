// The loads that the formulas of `load` and `disk` are fitted at and checked at: one batch a request, over 4 partitions.
import { setTimeout as sleep } from 'node:timers/promises';
import { runKload } from '../lib/kload.mjs';
import { touchMemory } from '../lib/memory.mjs';
import { observe } from './observe.mjs';

const PARTITIONS = 4;
/** Bytes that a batch may have, records that are then in it, and what they and its header take. */
const SIZES = {
  small: { limit: 1, records: 1, batchBytes: 1094 },
  middle: { limit: 16_384, records: 15, batchBytes: 15_556 },
  large: { limit: 65_536, records: 63, batchBytes: 65_140 },
};
const TOPIC = { topic: 'model', partitions: PARTITIONS, recordBytes: 1024, topicConfig: ['ringlog.durability=fsync'] };
/** Of an open loop: enough on their way that none waits for a place. */
const PACED = { connections: 8, inFlight: 1000 };

const countText = (count) => count.toLocaleString('en-US');

/** A closed loop of large batches has two of a partition in a group as soon as more are in flight than there are partitions. */
function closed(size, connections, inFlight) {
  return {
    name: `${size}, ${connections} × ${inFlight} in flight`,
    kind: 'closed',
    size,
    inFlight: connections * inFlight,
    isReferenced: size === 'large' && connections * inFlight > PARTITIONS,
    loads: [{ ...TOPIC, batchBytes: SIZES[size].limit, connections, inFlight }],
  };
}
const paced = (size, requests) => ({ ...TOPIC, ...PACED, batchBytes: SIZES[size].limit, rate: requests * SIZES[size].records });
const open = (size, requests) => ({
  name: `${size}, ${countText(requests)}/s`,
  kind: 'open',
  size,
  isReferenced: size === 'large',
  loads: [paced(size, requests)],
});
/** Small batches make a partition's part of many groups so little that large ones beside them go to the journal as well. */
const mixed = (small, large) => ({
  name: `mixed, ${countText(small)}/s small and ${countText(large)}/s large`,
  kind: 'open',
  size: 'mixed',
  isReferenced: false,
  loads: [paced('small', small), paced('large', large)],
});

const RUNS = [
  closed('small', 1, 1),
  closed('small', 4, 1),
  closed('small', 16, 1),
  closed('small', 16, 4),
  closed('small', 16, 8),
  closed('small', 16, 16),
  open('small', 200),
  open('small', 1000),
  open('small', 3000),
  open('small', 10_000),
  open('small', 30_000),
  open('small', 80_000),
  closed('middle', 4, 1),
  open('middle', 2000),
  open('large', 1600),
  open('large', 3200),
  mixed(10_000, 800),
  closed('large', 4, 1),
  closed('large', 4, 2),
  closed('large', 4, 5),
  closed('large', 8, 5),
];
const TIMES = { full: { settle: 1.5, seconds: 2.5, margin: 1 }, quick: { settle: 0.6, seconds: 0.5, margin: 0.4 } };
const WARMUP = { full: { small: 5, large: 2 }, quick: { small: 2, large: 1 } };
/** What a checkpoint of the warm-up still owes goes to the disk before anything is counted. */
const REST_MS = 3000;

export const loadSteps = RUNS.length + 1;

/** The journal has its files and the code is compiled before anything is measured. */
async function warmUp(server, { small, large }) {
  await runKload(server.port, { ...TOPIC, batchBytes: SIZES.small.limit, connections: 16, inFlight: 8, seconds: small });
  await runKload(server.port, { ...TOPIC, batchBytes: SIZES.large.limit, connections: 4, inFlight: 5, seconds: large });
  await sleep(REST_MS);
}

/** All of them, one after the other, each with what was seen of it (observe.mjs). */
export async function runLoads(context, server, dir) {
  const length = context.quick ? 'quick' : 'full';
  context.progress.step('load: warming up');
  await warmUp(server, WARMUP[length]);
  context.progress.done();
  const runs = [];
  for (const run of RUNS) {
    context.progress.step(`load: ${run.name}`);
    // As fast as it goes with large batches, the page cache grows by gigabytes.
    if (run.size === 'large' && run.kind === 'closed' && !context.quick) touchMemory();
    const seen = await observe(server, dir, run.loads, TIMES[length]);
    runs.push({ ...run, partitions: PARTITIONS, batchBytes: SIZES[run.size]?.batchBytes, ...seen });
    context.progress.done();
  }
  return runs;
}
