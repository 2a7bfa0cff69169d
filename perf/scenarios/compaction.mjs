// A pass of compaction over a log of which half of the records are replaced, against copying its files in the same
// steps, both in a process of their own; and what a paced producer of another topic sees while passes run one after
// the other on the same disk.
import { execFile, spawn } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { compare } from '../lib/compare.mjs';
import { runKload } from '../lib/kload.mjs';
import { atMost, ringlogSide } from '../lib/sides.mjs';
import { spread } from '../lib/stats.mjs';

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
    { name: 'compaction / copy', figure: spread(ratios), target: '<= 2', holds: spread(ratios).median <= 2 },
  ];
  const notes = [`${bytes} bytes, ${(runs[0]?.leftBytes ?? 0) / bytes} of them left`];
  return { label: 'compaction against copying', unit: 'ms', figures, notes, runs };
}

/** Passes one after the other until stopped. */
function keepCleaning(folder, bytes) {
  let child = null;
  let stopped = false;
  const next = () => {
    if (stopped) return;
    child = spawn(process.execPath, [TOOL, 'clean', folder, String(bytes)], { stdio: 'ignore' });
    child.once('exit', next);
  };
  next();
  return () => {
    stopped = true;
    child?.kill();
  };
}

function sidesOf(context, folder, bytes) {
  const load = { ...PACED, seconds: context.seconds ?? 35, warmup: 3 };
  const alone = ringlogSide(context, { durability: 'fsync', load, name: 'alone' });
  const beside = {
    ...alone,
    name: 'beside',
    async measure(server) {
      const stop = keepCleaning(folder, bytes);
      try {
        return await runKload(server.port, load);
      } finally {
        stop();
      }
    },
  };
  return [alone, beside];
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
      const beside = await compare(context, {
        label: 'producer beside compaction: fsync p99 at 5 k/s',
        sides: sidesOf(context, folder, bytes),
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
