// kill -9 under load with much stored, then the time from start to the first acknowledged record, and whether all that was acknowledged is still there.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { firstAcknowledged } from '../lib/client.mjs';
import { lostRecords } from '../lib/lost-records.mjs';
import { compare } from '../lib/compare.mjs';
import { runKload, startKload } from '../lib/kload.mjs';
import { orStopped, startPeer, startRinglog } from '../lib/servers.mjs';
import { stopProcess } from '../lib/process.mjs';
import { GIB, ringlogOptions } from '../lib/sides.mjs';

const LOAD = { topic: 'perf', partitions: 4, connections: 4, inFlight: 5, recordBytes: 1024, batchBytes: 65_536 };
const KILL_AFTER_MS = 5000;
/** Kafka's own default. The peer's config has an hour, for sleeping between turns; a killed node would be refused for that long as still registered. */
const KAFKA_SESSION = 'broker.session.timeout.ms=9000';

/** Brokers of ours say in their log how much recovery rewrote; without that line the allowance cannot be computed. */
function rewrittenBytes(logPath) {
  const found = /"rewrittenBytes":(\d+)/.exec(readFileSync(logPath, 'utf8'));
  return found ? Number(found[1]) : null;
}

/** A side whose server has been filled, killed under load, and started again; that start is timed. */
function side(context, { name, promise, isPeer = false, topicConfig, start }) {
  return {
    name,
    promise,
    isPeer,
    async start(dir) {
      const first = await start(dir, true);
      const bytes = context.bytes ?? (context.quick ? GIB / 2 : 10 * GIB);
      const filled = await orStopped(first, runKload(first.port, { ...LOAD, topicConfig, bytes }));
      const load = startKload(first.port, { ...LOAD, seconds: 3600 });
      await sleep(KILL_AFTER_MS);
      await stopProcess(first.child, { signal: 'SIGKILL' });
      const { report } = await load.ended; // reports what was acknowledged before the connection broke
      const second = await start(dir, false);
      const milliseconds = (await orStopped(second, firstAcknowledged(second.port, 'perf', { server: second }))) - second.startedAt;
      return { ...second, milliseconds, acknowledged: filled.records + report.records, filled, killed: report };
    },
    async measure(server) {
      const read = await runKload(server.port, { topic: 'perf', consume: true, partitions: 4, connections: 4, verifyCrc: true });
      return {
        ...read,
        milliseconds: server.milliseconds,
        acknowledged: server.acknowledged,
        lost: lostRecords(server.filled, server.killed, read),
        rewritten: rewrittenBytes(server.logPath),
      };
    },
  };
}

function sidesOf(context) {
  const ours = side(context, {
    name: 'ringlog',
    promise: 'a group fdatasync covers it (survives loss of power)',
    topicConfig: ['ringlog.durability=fsync'],
    start: (dir, wait) => startRinglog({ dir, ...ringlogOptions(context), wait }),
  });
  if (!context.peers.includes('kafka')) return [ours];
  const kafka = side(context, {
    name: 'kafka',
    promise: 'appended to the page cache (Kafka default)',
    isPeer: true,
    topicConfig: [],
    start: (dir, wait) => startPeer('kafka', { dir, wait, settings: [KAFKA_SESSION] }),
  });
  return [ours, kafka];
}

export default {
  name: 'recovery',
  summary: 'kill -9 under load with 10 GB stored: start to first acknowledged record, nothing acknowledged lost',
  peers: ['kafka'],
  takes: ['bytes'],
  steps: (context) => sidesOf(context).length,
  async run(context) {
    const result = await compare(context, {
      label: 'start after kill -9 to first acknowledged record',
      sides: sidesOf(context),
      figure: (run) => run.report.milliseconds,
      unit: 'ms',
      ratios: [{ of: 'ringlog', to: 'kafka' }],
    });
    for (const { side: name, report } of result.runs) {
      const { acknowledged, lost, rewritten } = report;
      result.notes.push(
        `${name}: acknowledged ${acknowledged}, lost ${lost}${lost > 0 ? ' (NOT reached: 0)' : ''}; rewritten ${rewritten ?? 'not said in the log'}`,
      );
      // Faster or slower is a figure, this is not.
      if (lost > 0 && name === 'ringlog') process.exitCode = 1;
    }
    return [result];
  },
};
