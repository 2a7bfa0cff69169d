// Nanoseconds of hot paths without a broker, against build/: npm run perf -- micro, or node perf/micro/index.mjs [--quick] [--json FILE] [--only WORD,…]
// mitata measures. A case is { name, run, per?, bytes?, samplesMax? }, or has `prepare` that gives { run, before?, end? }: threads and files exist only while
// they are measured. `run` hands its result to do_not_optimize; `before` runs ahead of each sample and is not measured; `per`: operations of one run.
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { pathToFileURL } from 'node:url';
import { measure } from 'mitata';
import { describeMachine } from '../lib/machine.mjs';
import { takeLock } from '../lib/lock.mjs';
import { batchCases, crcCases } from './batches.mjs';
import { codecCases } from './codec.mjs';
import { ringCases } from './ring.mjs';
import { shardCases } from './shard.mjs';

const GROUPS = { codec: codecCases, crc: crcCases, batch: batchCases, ring: ringCases, shard: shardCases };
const CASE_MS = 800;
const CASE_MS_QUICK = 120;

/** mitata's form of something that is run ahead of every sample: a parameter that is computed. It counts the parameters of `bench`. */
const withBefore = (before, run) =>
  function* () {
    yield { 0: before, bench: (_prepared) => run() };
  };

async function measureCase(one, ms) {
  const { run, before, end } = one.prepare ? await one.prepare() : one;
  try {
    // Its own `gc` would allocate 1 GiB before each case.
    const options = { min_cpu_time: ms * 1e6, gc: false, max_samples: one.samplesMax ?? 1e9 };
    return await measure(before ? withBefore(before, run) : run, options);
  } finally {
    await end?.();
  }
}

const column = (text) => String(text).padStart(9);
const digits = (ns) => column(ns < 100 ? ns.toFixed(1) : ns.toFixed(0));

/**
 * Measures all cases whose group or name contains one of `only`, prints a table, and gives one object a case.
 * @param {{ quick?: boolean, json?: string, only?: string[] }} options json: a file for JSON lines
 */
export async function runMicro({ quick = false, json, only } = {}) {
  takeLock();
  const machine = describeMachine(tmpdir());
  const lines = [];
  console.log(`ns per operation · ${machine.cpu}, Node ${machine.node}, commit ${machine.commit}`);
  console.log(`  ${'samples:'.padEnd(60)}${column('median')}${column('25 %')}${column('99 %')}`);
  for (const [group, casesOf] of Object.entries(GROUPS)) {
    const cases = casesOf().filter(({ name }) => !only || only.some((word) => group === word || name.includes(word)));
    for (const one of cases) {
      const stats = await measureCase(one, quick ? CASE_MS_QUICK : CASE_MS);
      const per = one.per ?? 1;
      const ns = { p50: stats.p50 / per, p25: stats.p25 / per, p99: stats.p99 / per, mean: stats.avg / per };
      const rate = one.bytes ? `${(one.bytes / ns.p50).toFixed(2).padStart(8)} GB/s` : '';
      console.log(`  ${one.name.padEnd(60)}${digits(ns.p50)}${digits(ns.p25)}${digits(ns.p99)}${rate}`);
      lines.push({ scenario: 'micro', group, name: one.name, ns, samples: stats.samples.length, quick, machine });
    }
  }
  if (lines.length === 0) throw new Error(`no case is called ${only.join(' or ')}: groups are ${Object.keys(GROUPS).join(', ')}`);
  if (json) writeFileSync(json, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  return lines;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({ options: { quick: { type: 'boolean' }, json: { type: 'string' }, only: { type: 'string' } } });
  await runMicro({ ...values, only: values.only?.split(',') });
}
