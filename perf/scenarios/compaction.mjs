// A pass of compaction over a log of which half of the records are replaced, against copying its files in the same
// steps, both in a process of their own; and what a paced producer sees while its broker compacts such a log of
// another topic.
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { connectClient } from '../lib/client.mjs';
import { compare } from '../lib/compare.mjs';
import { figureOf } from '../lib/crowd.mjs';
import { produceKeyed } from '../lib/keyed-batches.mjs';
import { runKload } from '../lib/kload.mjs';
import { atMost, ringlogSide } from '../lib/sides.mjs';
import { spread } from '../lib/stats.mjs';
import { secondsOf } from '../lib/quick.mjs';

const TOOL = join(dirname(fileURLToPath(import.meta.url)), '..', 'lib', 'keyed-log.mjs');
const BYTES = 5e9;
const PACED = { topic: 'perf', partitions: 4, connections: 4, inFlight: 1000, recordBytes: 1024, batchBytes: 1, rate: 5000 };

async function tool(what, folder, bytes) {
  const { stdout } = await promisify(execFile)(process.execPath, [TOOL, what, folder, String(bytes)]);
  return JSON.parse(stdout);
}

async function passAgainstCopy(context, folder, bytes) {
  const runs = [];
  for (let turn = 1; turn <= context.pairs; turn++) {
    context.progress.step(`compaction, turn ${turn} of ${context.pairs}`);
    const copy = await tool('copy', folder, bytes);
    const clean = await tool('clean', folder, bytes);
    runs.push({ copyMs: copy.milliseconds, cleanMs: clean.milliseconds, leftBytes: clean.bytes });
    context.progress.done();
  }
  const ratios = runs.map(({ copyMs, cleanMs }) => cleanMs / copyMs);
  const figures = [
    { name: 'copy, ms', figure: spread(runs.map(({ copyMs }) => copyMs)), target: '', holds: null },
    { name: 'compaction, ms', figure: spread(runs.map(({ cleanMs }) => cleanMs)), target: '', holds: null },
    figureOf('compaction / copy', spread(ratios), '<= 2', atMost(2)),
  ];
  const notes = [`${bytes} bytes, ${(runs[0]?.leftBytes ?? 0) / bytes} of them left`];
  return { label: 'compaction against copying', unit: 'ms', figures, notes, runs };
}

/** Bytes of the segments of all partitions. */
function logBytes(dir) {
  let bytes = 0;
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true }))
    if (entry.name.endsWith('.log') && entry.isFile()) bytes += statSync(join(entry.parentPath ?? entry.path, entry.name)).size;
  return bytes;
}

function sidesOf(context, bytes) {
  const load = { ...PACED, seconds: secondsOf(context, 35, 12), warmup: 3 };
  // Replaced files go with a checkpoint, which a small log is too little for.
  const settings = ['log.cleaner.backoff.ms=100', ...(bytes < BYTES ? ['ringlog.checkpoint.interval.ms=2000'] : [])];
  // Both brokers have the same log to begin with; one is told to compact it when the load begins.
  const side = (name, compacts) => {
    const plain = ringlogSide(context, { durability: 'fsync', load, name, settings });
    return {
      ...plain,
      start: async (dir) => ({ ...(await plain.start(dir)), dir }),
      async prepare(server) {
        await plain.prepare(server);
        const client = await connectClient(server.port);
        // The segment that is written is not compacted: of a smaller log it would be all.
        const segments = bytes < BYTES ? { 'segment.bytes': String(Math.round(bytes / 5)) } : {};
        const created = await client.createTopic('keyed', { 'ringlog.durability': 'page-cache', 'retention.ms': '-1', ...segments }, 1);
        client.close();
        if (created !== 0) throw new Error(`CreateTopics: error ${created}`);
        await produceKeyed(server.port, 'keyed', bytes);
      },
      async measure(server) {
        if (!compacts) return runKload(server.port, load);
        const before = logBytes(server.dir);
        const client = await connectClient(server.port);
        const code = await client.setTopicConfig('keyed', 'cleanup.policy', 'compact');
        client.close();
        if (code !== 0) throw new Error(`IncrementalAlterConfigs: error ${code}`);
        const report = await runKload(server.port, load);
        // What the load itself wrote belongs to the other topic.
        const freed = before + report.acknowledged_bytes_total - logBytes(server.dir);
        if (freed < bytes / 4) throw new Error(`compaction freed ${freed} bytes of ${bytes} while the load ran: too little was compacted`);
        return { ...report, freedBytes: freed };
      },
    };
  };
  return [side('alone', false), side('beside', true)];
}

export default {
  name: 'compaction',
  summary: 'a pass over 5 GB with half of the records replaced, against copying it; fsync p99 at 5,000 records/s meanwhile',
  steps: () => 3,
  async run(context) {
    const bytes = Math.round(BYTES * (context.scale ?? 1));
    const folder = join(context.workDir, 'keyed-log');
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    try {
      await tool('make', folder, bytes);
      const pass = await passAgainstCopy(context, folder, bytes);
      rmSync(folder, { recursive: true, force: true });
      const beside = await compare(context, {
        label: 'producer beside compaction: fsync p99 at 5 k/s',
        sides: sidesOf(context, bytes),
        figure: (run) => run.report.latency_us.p99,
        unit: 'µs',
        ratios: [{ of: 'beside', to: 'alone', target: '<= 2', holds: atMost(2) }],
      });
      return [pass, beside];
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
