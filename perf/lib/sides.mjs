// The sides of the scenarios: ringlog, a floor, Apache Kafka, each told what the workload promises.
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasNative } from '../../native-bench/build.mjs';
import { runKload, startKload } from './kload.mjs';
import { startFloor, startPeer, startRinglog } from './servers.mjs';
import { circleBytes } from './quick.mjs';
import { PARTS_QUICK, warmUntilFlat } from './warm.mjs';

export const GIB = 2 ** 30;
export const TOPIC = 'perf';
/** What sides warm up on. Of ringlog it stays: deleted, its files would be used again by what is measured. */
export const WARM_TOPIC = 'warm-up';

/** The first seconds of a new broker of ours, and of a client that is compiled while it runs, are their compiler's. */
export const warmSeconds = (context) => (context.quick ? 2 : 5);

const promises = {
  memory: 'offsets assigned, not written yet (survives a clean stop)',
  'page-cache': 'write() has returned (survives death of the process)',
  fsync: 'a group fdatasync covers it (survives loss of power)',
};

/** What every side is measured with unless it says otherwise. */
const measureProduce = (load) => (server) => runKload(server.port, { topic: TOPIC, ...load });

/** What the command line and the scenario say that a broker of ours is started with. */
export function ringlogOptions(context, settings = []) {
  const profile = context.profile ? [`ringlog.profile=${context.profile}`] : [];
  return {
    settings: [...profile, ...settings, ...context.settings],
    ...(context.bin ? { bin: context.bin } : {}),
    ...(context.node ? { node: context.node } : {}),
  };
}

/**
 * @param {{ durability: string, load: object, topicConfig?: string[], recycle?: number, isWarm?: boolean, settings?: string[], name?: string }} workload
 *   recycle: fill this many bytes and delete the topic first, so that its segments come back from the pool; isWarm: some seconds of the same load on another
 *   topic first, for loads that have no warm-up of their own; settings: of the broker
 */
export function ringlogSide(context, { durability, load, topicConfig = [], recycle = 0, isWarm = false, settings = [], name = 'ringlog' }) {
  const topic = { topicConfig: [`ringlog.durability=${durability}`, ...topicConfig] };
  return {
    name,
    promise: promises[durability],
    start: (dir) => startRinglog({ dir, ...ringlogOptions(context, settings) }),
    async warm(server) {
      if (!isWarm) return;
      await runKload(server.port, { ...load, ...topic, topic: WARM_TOPIC, bytes: undefined, warmup: 0, seconds: warmSeconds(context) });
    },
    async prepare(server) {
      if (recycle) {
        await runKload(server.port, { topic: TOPIC, ...load, ...topic, seconds: undefined, rate: undefined, warmup: 0, bytes: recycle });
        await runKload(server.port, { topic: TOPIC, delete: true });
        await sleep(context.recycleMs); // until a durable checkpoint no longer names the old segments
      }
      await runKload(server.port, { topic: TOPIC, create: true, partitions: load.partitions, ...topic });
    },
    measure: measureProduce(load),
  };
}

/**
 * The least that a C server must do for the same promise. None without a C compiler, which the harness says.
 * @param {{ sync: boolean, load: object, prewritten?: number, singleFile?: boolean, wrap?: boolean, name?: string }} workload
 *   prewritten: bytes per file, 0 for growing files
 */
export function floorSides({ sync, load, prewritten = 0, singleFile = false, wrap = false, name }) {
  if (!hasNative()) return [];
  const floor = ['--partitions', String(load.partitions ?? 4), '--sync', sync ? 'group' : 'none'];
  if (prewritten) floor.push('--files', 'prewritten', '--bytes-per-file', String(Math.ceil(prewritten)));
  if (singleFile) floor.push('--single-file');
  if (wrap) floor.push('--wrap');
  return [
    {
      name: name ?? (singleFile ? 'floor-one-file' : 'floor'),
      promise: `${promises[sync ? 'fsync' : 'page-cache']}; C, ${prewritten ? 'pre-written' : 'growing'} ${singleFile ? 'file' : 'files'}, nothing to recover`,
      start: (dir) => startFloor({ dir, floor }),
      measure: measureProduce(load),
    },
  ];
}

/** The best a C server can do with small requests: all partitions in one pre-written file of `bytes`, in which it goes round, one fdatasync a group. */
export function circleFloorSides(context, { durability, load, bytes, name = 'floor' }) {
  const prewritten = circleBytes(context, bytes);
  return floorSides({ sync: durability === 'fsync', load, prewritten, singleFile: true, wrap: true, name });
}

/** Kafka in its default, and told to flush every message: its way of acknowledging what is on disk. */
const KAFKA_VARIANTS = [
  { name: 'kafka', promise: 'appended to the page cache (Kafka default)', topicConfig: [] },
  { name: 'kafka-flush', promise: 'flushed to disk (flush.messages=1)', topicConfig: ['flush.messages=1'] },
];

/** Segments that retention gives up go at once, and not a minute later in somebody else's time; for whole topics the node's own setting says so. */
const GONE_AT_ONCE = 'file.delete.delay.ms=100';
const GONE_POLL_MS = 200;
const GONE_MS_MAX = 120_000;

/** Deletes a topic of Kafka's and waits until its files are gone. */
async function removeTopic(server, topic) {
  await runKload(server.port, { topic, delete: true });
  const logs = join(dirname(server.logPath), 'logs');
  const isLeft = () => existsSync(logs) && readdirSync(logs).some((name) => name.startsWith(`${topic}-`) || name.endsWith('-delete'));
  for (let waited = 0; isLeft(); waited += GONE_POLL_MS) {
    if (waited >= GONE_MS_MAX) throw new Error(`the files of the deleted topic '${topic}' are still there after ${GONE_MS_MAX / 1000} s`);
    await sleep(GONE_POLL_MS);
  }
}

const SETTLE_ATTEMPTS_MAX = 60;
const SETTLE_PAUSE_MS = 500;

/**
 * Creates a topic of Kafka's, and waits until every partition takes records: the node answers that it leads them a while after it says that the topic is there, and with
 * ten thousand that takes long. A record or more of each partition is in the topic then.
 */
async function createSettled(server, topic, partitions, topicConfig) {
  await runKload(server.port, { topic, create: true, partitions, topicConfig });
  const look = {
    topic,
    partitions,
    connections: Math.min(4, partitions),
    inFlight: 5,
    batchBytes: 1,
    recordBytes: 8,
    bytes: 200 * partitions,
    maxErrors: 1e9,
  };
  for (let attempt = 1; ; attempt++) {
    const { code, errorText } = await startKload(server.port, look).ended;
    if (code === 0) return;
    if (attempt === SETTLE_ATTEMPTS_MAX) throw new Error(`the partitions of '${topic}' do not take records: ${errorText}`);
    await sleep(SETTLE_PAUSE_MS);
  }
}

/**
 * Apache Kafka as a side: with `fsync` wanted both of its variants, else only its default. One node for all turns, asleep while others are measured: its code stays
 * compiled. Before its first turn come 30 s or more of the same load, until the processor time per byte falls no more, and one whole turn that does not count.
 * @param {{ durability: string, load: object, topicConfig?: string[], settings?: string[],
 *   warm?: { fill?: (server: any, topic: string) => Promise<unknown>, run: (server: any, topic: string, seconds: number) => Promise<{ bytes: number }> } }} workload
 *   topicConfig: besides the variant's own; settings: of the node; warm: instead of the load, fill once before
 */
export function kafkaSides(context, { durability, load, topicConfig = [], settings = [], warm }) {
  if (!context.peers.includes('kafka')) return [];
  const variants = durability === 'fsync' ? KAFKA_VARIANTS : KAFKA_VARIANTS.slice(0, 1);
  const runLoad = (server, topic, seconds) =>
    runKload(server.port, { ...load, bytes: undefined, rate: undefined, warmup: 0, topic, seconds });
  return variants.map((variant) => {
    const config = [...variant.topicConfig, ...topicConfig, GONE_AT_ONCE];
    return {
      name: variant.name,
      promise: variant.promise,
      isPeer: true,
      isKept: true,
      start: (dir) => startPeer('kafka', { dir, settings }),
      async warm(server) {
        if (context.peerWarmup === 0) return undefined;
        await createSettled(server, WARM_TOPIC, load.partitions, config);
        await warm?.fill?.(server, WARM_TOPIC);
        const run = warm?.run ?? runLoad;
        const part = (seconds) => run(server, WARM_TOPIC, seconds);
        const warmed = await warmUntilFlat(server.pid, context.peerWarmup, part, context.quick ? { partsMax: PARTS_QUICK } : {});
        await removeTopic(server, WARM_TOPIC);
        return warmed;
      },
      prepare: (server) => createSettled(server, TOPIC, load.partitions, config),
      measure: measureProduce(load),
      clean: (server) => removeTopic(server, TOPIC),
    };
  });
}

export const megabytes = (run) => run.report.mb_per_s;
export const latency = (percentile) => (run) => run.report.latency_us[percentile];
export const atLeast = (least) => (ratio) => ratio >= least;
export const atMost = (most) => (ratio) => ratio <= most;
