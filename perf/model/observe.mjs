// What a broker does in a second of a steady load, and what all of the load brought to the disk.
import { setTimeout as sleep } from 'node:timers/promises';
import { runKload } from '../lib/kload.mjs';
import { deviceBytesWritten, processCpuSeconds, syncFileSystem } from '../lib/machine.mjs';
import { shardCounts } from './shard-metrics.mjs';

async function reading(server) {
  const counts = await shardCounts(server);
  return { ...counts, cpuSeconds: processCpuSeconds(server.pid), seconds: performance.now() / 1000 };
}

/**
 * Runs all `loads` (options of kload) at once and looks at a part of that.
 * @param {{ settle: number, seconds: number, margin: number }} times s: before what is looked at, since load programs make their batches first and the broker has to
 *   find its pace; what is looked at; and how much longer the load lasts
 * @returns what the broker did a second: cpu (cores), requests, megabytes, groups; of a group: batches, bytes, groupUs; diskBytesPerByte of the whole load
 */
export async function observe(server, dir, loads, { settle, seconds, margin }) {
  syncFileSystem(dir);
  const diskBefore = deviceBytesWritten(dir);
  const running = Promise.all(loads.map((load) => runKload(server.port, { ...load, seconds: settle + seconds + margin })));
  // A load that fails meanwhile is heard of below.
  running.catch(() => {});
  await sleep(settle * 1000);
  const before = await reading(server);
  await sleep(seconds * 1000);
  const after = await reading(server);
  const reports = await running;
  syncFileSystem(dir);
  const accepted = reports.reduce((sum, report) => sum + report.acknowledged_bytes_total, 0);
  const passed = (name) => after[name] - before[name];
  const each = (name) => passed(name) / passed('seconds');
  if (passed('groups') === 0) throw new Error('the broker committed no group while it was looked at');
  return {
    cpu: each('cpuSeconds'),
    requests: each('batches'),
    megabytes: each('bytes') / 1e6,
    groups: each('groups'),
    batchesOfGroup: passed('batches') / passed('groups'),
    bytesOfGroup: passed('bytes') / passed('groups'),
    groupUs: (1000 * passed('groupMs')) / passed('groups'),
    diskBytesPerByte: (deviceBytesWritten(dir) - diskBefore) / accepted,
  };
}
