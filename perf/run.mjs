// npm run perf -- SCENARIO [options]: measures, prints, and keeps the raw results.
import { appendFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { buildNative } from '../native-bench/build.mjs';
import { takeLock } from './lib/lock.mjs';
import { describeMachine } from './lib/machine.mjs';
import { Progress } from './lib/progress.mjs';
import { printComparison, printFigures, printMachine } from './lib/report.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const outDir = join(here, 'out');

const OPTIONS = {
  pairs: { type: 'string', default: '3' },
  phase: { type: 'string' },
  only: { type: 'string' },
  peer: { type: 'string' },
  'peer-warmup': { type: 'string', default: '30' },
  bytes: { type: 'string' },
  seconds: { type: 'string' },
  scale: { type: 'string', default: '1' },
  dir: { type: 'string', default: join(outDir, 'work') },
  bin: { type: 'string' },
  set: { type: 'string', multiple: true, default: [] },
  settle: { type: 'string', default: '0.5' },
  'recycle-wait': { type: 'string', default: '5' },
  json: { type: 'string' },
  help: { type: 'boolean', default: false },
};

async function loadScenarios() {
  const names = readdirSync(join(here, 'scenarios')).filter((name) => name.endsWith('.mjs'));
  const modules = await Promise.all(names.map((name) => import(pathToFileURL(join(here, 'scenarios', name)).href)));
  return new Map(modules.map((module) => [module.default.name, module.default]));
}

function help(scenarios) {
  const list = [...scenarios.values()].map(({ name, summary }) => `  ${name.padEnd(22)} ${summary}`).join('\n');
  return `perf: measures ringlog against the native floor (and peers), taking turns

usage: npm run perf -- SCENARIO ... [options]      several scenarios, or 'all'

scenarios
${list}

options
  --pairs N           turns of each side, default 3
  --phase LIST        bulk scenarios: fresh,steady,sustained (default: all)
  --only LIST         only sides whose names begin so, e.g. --only floor
  --peer kafka        Apache Kafka beside us (fetched from Maven Central at first use)
  --peer-warmup S     load before the peer is measured, default 30
  --bytes SIZE        bulk, catch-up, recovery: bytes instead of the default, e.g. 256m
  --seconds S         measured seconds of the other scenarios
  --scale F           scenarios with many connections or partitions: a part of their size, e.g. 0.01 to try them
  --dir D             where brokers keep their data: the disk that is measured (default perf/out/work)
  --bin FILE          broker to start, default dist/bin.js
  --set K=V           broker config, may be repeated
  --settle S          rest before measuring, default 0.5
  --recycle-wait S    steady: after deleting the filled topic, default 5
  --json FILE         raw results of this call, also appended to perf/out/results.jsonl

examples
  npm run perf -- bulk-fsync --phase fresh
  npm run perf -- bulk-page-cache --pairs 5 --json bulk.json
  npm run perf -- small-fsync --only floor --pairs 1 --seconds 3
  npm run perf -- small-fsync --peer kafka --dir /var/tmp/perf`;
}

function parseSize(text) {
  const match = /^(\d+(?:\.\d+)?)([kmg]?)$/i.exec(text);
  if (!match) throw new Error(`--bytes: '${text}' is not a size (examples: 64m, 2g)`);
  return Math.floor(Number(match[1]) * { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 }[match[2].toLowerCase()]);
}

function positive(text, what) {
  const value = Number(text);
  if (!(value >= 0)) throw new Error(`--${what}: '${text}' is not a number`);
  return value;
}

function buildContext(values) {
  if (values.peer && values.peer !== 'kafka') throw new Error(`--peer: '${values.peer}' is not known, only kafka so far`);
  const workDir = resolve(values.dir, `perf-${process.pid}`);
  mkdirSync(workDir, { recursive: true });
  process.on('exit', () => rmSync(workDir, { recursive: true, force: true }));
  return {
    workDir,
    pairs: Math.max(1, positive(values.pairs, 'pairs')),
    phases: values.phase?.split(','),
    only: values.only?.split(','),
    peer: values.peer,
    peerWarmup: positive(values['peer-warmup'], 'peer-warmup'),
    bytes: values.bytes ? parseSize(values.bytes) : undefined,
    seconds: values.seconds ? positive(values.seconds, 'seconds') : undefined,
    scale: positive(values.scale, 'scale'),
    settings: values.set,
    settleMs: 1000 * positive(values.settle, 'settle'),
    recycleMs: 1000 * positive(values['recycle-wait'], 'recycle-wait'),
    ...(values.bin ? { bin: resolve(values.bin) } : {}),
  };
}

async function main() {
  const scenarios = await loadScenarios();
  const { values, positionals } = parseArgs({ args: process.argv.slice(2), options: OPTIONS, allowPositionals: true });
  if (values.help || positionals.length === 0) return console.log(help(scenarios));
  const names = positionals[0] === 'all' ? [...scenarios.keys()] : positionals;
  const chosen = names.map((name) => scenarios.get(name) ?? fail(`no scenario '${name}': ${[...scenarios.keys()].join(', ')}`));
  takeLock();
  buildNative();
  const context = buildContext(values);
  const machine = describeMachine(context.workDir);
  printMachine(machine);
  const all = [];
  for (const scenario of chosen) {
    context.progress = new Progress(scenario.steps(context) * context.pairs);
    const results = await scenario.run(context);
    context.progress.end();
    for (const result of results) (result.figures ? printFigures : printComparison)(result);
    const line = { scenario: scenario.name, command: `npm run perf -- ${process.argv.slice(2).join(' ')}`, machine, results };
    appendFileSync(join(outDir, 'results.jsonl'), `${JSON.stringify(line)}\n`);
    all.push(line);
  }
  if (values.json) writeFileSync(values.json, `${JSON.stringify(all, null, 1)}\n`);
}

function fail(message) {
  throw new Error(message);
}

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130)); // children and folders go with it
main().catch((error) => {
  process.stderr.write(`\nperf: ${error.message}\n`);
  process.exit(1);
});
