// Bytes that a broker under load allocates per batch and per fetch, on main and on its shards, against budget.json: npm run perf -- alloc, or
// node perf/alloc/index.mjs [--quick] [--json FILE] [--sites]. With --sites it says instead where the bytes of a small produce request come from.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { pathToFileURL } from 'node:url';
import { buildNative, hasNative } from '../../native-bench/build.mjs';
import { runKload } from '../lib/kload.mjs';
import { takeLock } from '../lib/lock.mjs';
import { describeMachine } from '../lib/machine.mjs';
import { printResult } from '../lib/report.mjs';
import { spread } from '../lib/stats.mjs';
import { judge } from './budget.mjs';
import { Meter } from './meter.mjs';
import { topSites } from './sites.mjs';

const budgets = JSON.parse(readFileSync(new URL('./budget.json', import.meta.url), 'utf8'));
const SITES = 10;
/** Long enough that what comes once (a checkpoint after the load before) does not pass for what comes every second. */
const IDLE_MS = 5000;
const FSYNC = ['ringlog.durability=fsync'];
const PAGE_CACHE = ['ringlog.durability=page-cache'];

const SMALL = { topic: 'small', connections: 16, inFlight: 8, partitions: 4, recordBytes: 1024, batchBytes: 1 };
const BULK = { topic: 'bulk', connections: 4, inFlight: 5, partitions: 4, recordBytes: 1024, batchBytes: 65_536 };
const CATCH_UP = { topic: 'bulk', consume: true, connections: 4, partitions: 4, fetchMaxBytes: '1m' };
/** Slow enough that each batch wakes the consumers by itself. */
const PACED = { topic: 'tail', connections: 4, inFlight: 100, partitions: 4, recordBytes: 1024, batchBytes: 1, rate: 1000 };
const TAILING = { topic: 'tail', consume: true, offset: 'latest', connections: 4, partitions: 4 };
/** Nothing comes: every fetch waits to its end. */
const LONG_POLL = { topic: 'quiet', consume: true, offset: 'latest', connections: 16, partitions: 4, fetchWaitMs: 5 };

/** All topics first: a shard that starts while something is measured would be measured as well. */
async function createTopics(port) {
  for (const topic of ['small', 'tail', 'quiet']) await runKload(port, { topic, create: true, partitions: 4, topicConfig: FSYNC });
  await runKload(port, { topic: 'bulk', create: true, partitions: 4, topicConfig: PAGE_CACHE });
}

const bytesOf = ({ heap, external }) => heap + Math.max(0, external);

/** Bytes per item of `span`, less what `rest` allocated per second anyway. */
function rowOf(name, span, items, rest) {
  if (!(items > 0)) throw new Error(`alloc: ${name} had no items`);
  const per = (thread) => Math.max(0, bytesOf(span[thread]) - (bytesOf(rest[thread]) / rest.seconds) * span.seconds) / items;
  return { name, main: per('main'), shards: per('shards'), items, external: { main: span.main.external, shards: span.shards.external } };
}

/** Every kind of load once, warmed up. */
async function measureAll(meter, seconds) {
  const load = (options) => runKload(meter.port, options);
  const idle = await meter.during(() => sleep(IDLE_MS));
  const small = await meter.during(() => load({ ...SMALL, seconds }));
  const bulk = await meter.during(() => load({ ...BULK, bytes: '256m' }));
  const catchUp = await meter.during(() => load({ ...CATCH_UP, bytes: '256m' }));
  const paced = await meter.during(() => load({ ...PACED, seconds: seconds + 1 }));
  const tailing = await meter.during(async () => {
    const [read] = await Promise.all([load({ ...TAILING, seconds }), load({ ...PACED, seconds: seconds + 1 })]);
    return read;
  });
  const longPoll = await meter.during(() => load({ ...LONG_POLL, seconds }));
  const none = { seconds: 1, main: { heap: 0, external: 0 }, shards: { heap: 0, external: 0 } };
  return [
    rowOf('idle, a second', idle, idle.seconds, none),
    rowOf('produce, one record of 1 KiB', small, small.result.batches, idle),
    rowOf('produce, batch of 64 KiB', bulk, bulk.result.batches, idle),
    rowOf('fetch, catching up by 1 MiB', catchUp, catchUp.result.requests, idle),
    rowOf('fetch, tailing', tailing, tailing.result.requests, paced),
    rowOf('fetch, waiting in vain', longPoll, longPoll.result.requests, idle),
  ];
}

/** Code is compiled, pools have their size. */
async function warmUp(port, quick) {
  await createTopics(port);
  await runKload(port, { ...SMALL, seconds: quick ? 2 : 4 });
  await runKload(port, { ...BULK, bytes: '512m' });
  await runKload(port, CATCH_UP);
  await Promise.all([runKload(port, { ...TAILING, seconds: 2 }), runKload(port, { ...PACED, seconds: 3 })]);
  await runKload(port, { ...LONG_POLL, seconds: 2 });
}

async function withMeter(work, built) {
  const dir = mkdtempSync(join(tmpdir(), 'ringlog-alloc-'));
  try {
    const meter = await Meter.start(dir, built);
    try {
      return await work(meter);
    } finally {
      await meter.stop();
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/**
 * Measures, prints, and sets the exit code to 1 if a budget is exceeded.
 * @param {{ quick?: boolean, json?: string }} options json: a file for the result
 */
export async function runAlloc({ quick = false, json } = {}) {
  takeLock();
  const machine = describeMachine(tmpdir());
  const turns = await withMeter(async (meter) => {
    await warmUp(meter.port, quick);
    await meter.expectShards(2); // one that syncs, one that does not
    const all = [];
    for (let turn = 0; turn < (quick ? 1 : 3); turn++) all.push(await measureAll(meter, quick ? 1 : 2));
    return all;
  });
  const spreadOf = (n, thread) => spread(turns.map((rows) => rows[n][thread]));
  const medians = turns[0].map(({ name }, n) => ({ name, main: spreadOf(n, 'main').median, shards: spreadOf(n, 'shards').median }));
  const verdicts = judge(medians, budgets);
  // Bytes are nearly the same each time: a budget is judged of any number of turns.
  const figures = verdicts.map(({ name, thread, limit, holds }, n) => ({
    name: `${name} · ${thread}`,
    figure: spreadOf(n >> 1, thread),
    target: `<= ${limit}`,
    holds,
  }));
  const result = { label: `allocation, heap and outside of it, commit ${machine.commit}`, unit: 'bytes each', figures, turns };
  printResult(result);
  if (verdicts.some(({ holds }) => !holds)) process.exitCode = 1;
  const line = { scenario: 'alloc', quick, machine, results: [result] };
  if (json) writeFileSync(json, `${JSON.stringify(line)}\n`);
  return line;
}

async function printSites() {
  takeLock();
  const { result, profiles } = await withMeter(async (meter) => {
    await createTopics(meter.port);
    await runKload(meter.port, { ...SMALL, seconds: 3 });
    return meter.profilesOf(() => runKload(meter.port, { ...SMALL, seconds: 3 }));
  }, 'build');
  for (const [thread, profile] of profiles) {
    const sites = topSites(profile, Infinity);
    const per = (bytes) => (bytes / result.batches).toFixed(1);
    console.log(`${thread}: ${per(sites.reduce((sum, { bytes }) => sum + bytes, 0))} bytes per request, sampled`);
    for (const { site, bytes, caller } of sites.slice(0, SITES)) console.log(`${per(bytes).padStart(9)}  ${site}  from ${caller}`);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({ options: { quick: { type: 'boolean' }, json: { type: 'string' }, sites: { type: 'boolean' } } });
  if (hasNative()) buildNative();
  await (values.sites ? printSites() : runAlloc(values));
}
