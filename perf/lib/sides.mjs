// The sides of the produce scenarios: ringlog, a floor, a peer, each told what the workload promises.
import { setTimeout as sleep } from 'node:timers/promises';
import { runKload } from './kload.mjs';
import { startFloor, startPeer, startRinglog } from './servers.mjs';

const GIB = 2 ** 30;
export const TOPIC = 'perf';

const promises = {
  memory: 'offsets assigned, not written yet (survives a clean stop)',
  'page-cache': 'write() has returned (survives death of the process)',
  fsync: 'a group fdatasync covers it (survives loss of power)',
};

/** What every side is measured with unless it says otherwise. */
const measureProduce = (load) => (server) => runKload(server.port, { topic: TOPIC, ...load });

/**
 * @param {{ durability: string, load: object, topicConfig?: string[], recycle?: number, settings?: string[], name?: string }} workload
 *   recycle: fill this many bytes and delete the topic first, so that its segments come back from the pool; settings: of the broker
 */
export function ringlogSide(context, { durability, load, topicConfig = [], recycle = 0, settings = [], name = 'ringlog' }) {
  const topic = { topicConfig: [`ringlog.durability=${durability}`, ...topicConfig] };
  return {
    name,
    promise: promises[durability],
    start: (dir) => startRinglog({ dir, settings: [...settings, ...context.settings], ...(context.bin ? { bin: context.bin } : {}) }),
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
 * @param {{ sync: boolean, load: object, prewritten?: number, singleFile?: boolean, wrap?: boolean, name?: string }} workload
 *   prewritten: bytes per file, 0 for growing files
 */
export function floorSide({ sync, load, prewritten = 0, singleFile = false, wrap = false, name }) {
  const floor = ['--partitions', String(load.partitions ?? 4), '--sync', sync ? 'group' : 'none'];
  if (prewritten) floor.push('--files', 'prewritten', '--bytes-per-file', String(Math.ceil(prewritten)));
  if (singleFile) floor.push('--single-file');
  if (wrap) floor.push('--wrap');
  return {
    name: name ?? (singleFile ? 'floor-one-file' : 'floor'),
    promise: `${promises[sync ? 'fsync' : 'page-cache']}; C, ${prewritten ? 'pre-written' : 'growing'} ${singleFile ? 'file' : 'files'}, nothing to recover`,
    start: (dir) => startFloor({ dir, floor }),
    measure: measureProduce(load),
  };
}

/** A Kafka-protocol peer, in its default and, for fsync, with flush.messages=1. */
export function kafkaSides(context, { durability, load }) {
  if (context.peer !== 'kafka') return [];
  const side = (name, promise, topicConfig) => ({
    name,
    promise,
    start: (dir) => startPeer('kafka', { dir }),
    async prepare(server) {
      // The JVM compiles what it runs: at least 30 s of the same load, on another topic.
      const rest = { bytes: undefined, rate: undefined, warmup: 0, seconds: context.peerWarmup };
      await runKload(server.port, { ...load, ...rest, topic: 'warm-up', topicConfig });
      await runKload(server.port, { topic: 'warm-up', delete: true });
      await runKload(server.port, { topic: TOPIC, create: true, partitions: load.partitions, topicConfig });
    },
    measure: measureProduce(load),
  });
  const sides = [side('kafka', 'appended to the page cache (Kafka default)', [])];
  if (durability === 'fsync') sides.push(side('kafka-flush', 'flushed to disk (flush.messages=1)', ['flush.messages=1']));
  return sides;
}

export const megabytes = (run) => run.report.mb_per_s;
export const atLeast = (least) => (ratio) => ratio >= least;
export const atMost = (most) => (ratio) => ratio <= most;
export { GIB };
