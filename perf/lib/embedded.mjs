// A program that embeds brokers, for the scenario `embedding`: starts and stops as many as it is told, one after the other, and tells its parent how long that took
// and what is left. Run by fork.
import { existsSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { firstAcknowledged } from './client.mjs';
import { Broker } from '../../dist/index.js';

const cycles = Number(process.argv[2]);

async function held() {
  await sleep(100);
  globalThis.gc?.();
  const count = (folder) => (existsSync(folder) ? readdirSync(folder).length : 0);
  return { descriptors: count('/proc/self/fd'), threads: count('/proc/self/task'), rss: process.memoryUsage().rss / 1e6 };
}

async function cycle() {
  const startedAt = performance.now();
  const broker = await Broker.start({ temporary: true });
  const port = Number(broker.address.split(':')[1]);
  const acknowledgedAt = await firstAcknowledged(port, 'perf', { configs: { 'ringlog.durability': 'fsync' } });
  const stopAt = performance.now();
  await broker.stop();
  return { acknowledged: acknowledgedAt - startedAt, stopped: performance.now() - stopAt };
}

const { acknowledged: first } = await cycle();
const result = { first, acknowledged: [], stopped: [], before: null, after: null };
for (let n = 0; n < cycles; n++) {
  // What a process loads and keeps once comes in its first cycles.
  if (n === Math.floor(cycles / 2)) result.before = await held();
  const { acknowledged, stopped } = await cycle();
  result.acknowledged.push(acknowledged);
  result.stopped.push(stopped);
}
result.after = await held();
process.send(result, () => process.disconnect());
