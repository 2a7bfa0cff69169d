// kill -9 under load with much stored, then the time from start to the first acknowledged record, and whether all that
// was acknowledged is still there.
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { firstAcknowledged } from '../lib/client.mjs';
import { runKload, startKload } from '../lib/kload.mjs';
import { startRinglog } from '../lib/servers.mjs';
import { stopProcess } from '../lib/process.mjs';
import { spread } from '../lib/stats.mjs';

const LOAD = { topic: 'perf', partitions: 4, connections: 4, inFlight: 5, recordBytes: 1024, batchBytes: 65536 };
const KILL_AFTER_MS = 5000;

/** Brokers say in their log how much recovery rewrote; without that line the allowance cannot be computed. */
function rewrittenBytes(logPath) {
  const found = /"rewrittenBytes":(\d+)/.exec(readFileSync(logPath, 'utf8'));
  return found ? Number(found[1]) : null;
}

async function once(context, dir) {
  const options = { dir, settings: context.settings, ...(context.bin ? { bin: context.bin } : {}) };
  const topicConfig = ['ringlog.durability=fsync'];
  const first = await startRinglog(options);
  const filled = await runKload(first.port, { ...LOAD, topicConfig, bytes: context.bytes ?? '10g' });
  const load = startKload(first.port, { ...LOAD, seconds: 3600 });
  await sleep(KILL_AFTER_MS);
  await stopProcess(first.child, { signal: 'SIGKILL' });
  const { report } = await load.ended; // reports what was acknowledged before the connection broke
  const acknowledged = filled.records + report.records;
  const second = await startRinglog({ ...options, wait: false });
  try {
    const milliseconds = (await firstAcknowledged(second.port, 'perf', { child: second.child })) - second.startedAt;
    const read = await runKload(second.port, { topic: 'perf', consume: true, partitions: 4, connections: 4, verifyCrc: true });
    return { milliseconds, acknowledged, stored: read.records - 1, rewritten: rewrittenBytes(second.logPath) };
  } finally {
    await second.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

export default {
  name: 'recovery-10gb',
  summary: 'kill -9 under load with 10 GB stored: start to first acknowledged record, nothing acknowledged lost',
  steps: () => 1,
  async run(context) {
    const runs = [];
    for (let turn = 1; turn <= context.pairs; turn++) {
      context.progress.step(`recovery, turn ${turn} of ${context.pairs}`);
      runs.push(await once(context, join(context.workDir, `recovery-${turn}`)));
      context.progress.done();
    }
    const lost = runs.map((run) => Math.max(0, run.acknowledged - run.stored));
    const figures = [
      {
        name: 'start to first acknowledged record, ms',
        figure: spread(runs.map((run) => run.milliseconds)),
        target: '<= 2000 + rewriting',
        holds: null,
      },
      { name: 'acknowledged records lost', figure: spread(lost), target: '0', holds: lost.every((count) => count === 0) },
    ];
    const notes = runs.map(
      (run) => `acknowledged ${run.acknowledged}, stored ${run.stored}, rewritten ${run.rewritten ?? 'not said in the log'}`,
    );
    return [{ label: 'recovery after kill -9', unit: 'ms, records', figures, notes, runs }];
  },
};
