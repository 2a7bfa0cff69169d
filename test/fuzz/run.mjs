/** npm run fuzz: guided by coverage, one target after the other, for as long as wanted. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { builtCounters, instrument, OUT } from './instrument.mjs';

const HELP = `fuzz: feeds every decoder with changed inputs, and keeps those that take its code a new way

usage: npm run fuzz -- [TARGET ...] [options]      all targets unless some are named

options
  --seconds N      for each target, default 30
  --runs N         inputs for each target, instead of a time: the same seed then does the same
  --seed N         default: by chance, and printed
  --input FILE     tries one input and nothing else
  --corpus DIR     keeps what was interesting for the next time (a folder for each target)
  --blind          the same without looking at coverage, for comparison
  --built          does not compile: what was compiled last is used
  --list           names of the targets
  --json           the results as JSON`;

const OPTIONS = {
  seconds: { type: 'string' },
  runs: { type: 'string' },
  seed: { type: 'string' },
  input: { type: 'string' },
  corpus: { type: 'string' },
  blind: { type: 'boolean', default: false },
  built: { type: 'boolean', default: false },
  list: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
};

/** An input that takes longer than this is a finding: it is thousands of times what any needs, also on a busy machine. */
const HANG_MS = 60_000;
const LOOK_MS = 1000;
const INPUT_BYTES_MAX = 1 << 20;

/** Runs one target in a worker; ends it when one input takes too long. */
function fuzz(options) {
  const shared = new SharedArrayBuffer(8 + INPUT_BYTES_MAX);
  const words = new Int32Array(shared, 0, 2);
  const worker = new Worker(new URL('./fuzz.worker.mjs', import.meta.url), { workerData: { ...options, out: OUT, shared } });
  return new Promise((resolve, reject) => {
    let tries = -1;
    let since = performance.now();
    const watch = setInterval(() => {
      const now = Atomics.load(words, 0);
      if (now !== tries) {
        tries = now;
        since = performance.now();
      } else if (tries > 0 && performance.now() - since > HANG_MS) {
        const input = Buffer.from(Buffer.from(shared, 8, words[1])).toString('hex');
        void worker.terminate();
        finish(() => resolve({ runs: tries, ways: 0, corpus: 0, finding: { input, error: `it takes more than ${HANG_MS / 1000} s` } }));
      }
    }, LOOK_MS);
    const finish = (how) => {
      clearInterval(watch);
      how();
    };
    worker.once('message', (result) => finish(() => resolve(result)));
    worker.once('error', (error) => finish(() => reject(error)));
    worker.once('exit', (code) => finish(() => reject(new Error(`the worker ended with ${code}`))));
  });
}

function number(text, name) {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new Error(`--${name}: '${text}' is not a number`);
  return value;
}

function keep(name, finding) {
  const folder = join(OUT, 'findings');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${name}-${Date.now()}`);
  writeFileSync(file, Buffer.from(finding.input, 'hex'));
  return file;
}

async function main() {
  const { values, positionals } = parseArgs({ args: process.argv.slice(2), options: OPTIONS, allowPositionals: true });
  if (values.help) return console.log(HELP);
  const counters = values.built ? builtCounters() : instrument();
  globalThis.ringlogFuzzCounters = new Uint8Array(counters);
  const { TARGETS } = await import(pathToFileURL(join(OUT, 'test/fuzz/registry.js')).href);
  if (values.list) return console.log([...TARGETS.keys()].join('\n'));
  const names = positionals.length === 0 ? [...TARGETS.keys()] : positionals;
  for (const name of names)
    if (name !== 'planted' && !TARGETS.has(name)) throw new Error(`no target '${name}': ${[...TARGETS.keys()].join(', ')}`);
  const seed = number(values.seed, 'seed') ?? Math.floor(Math.random() * 2 ** 31);
  const runs = number(values.runs, 'runs');
  const seconds = number(values.seconds, 'seconds') ?? (runs === undefined ? 30 : undefined);
  const { readFileSync } = await import('node:fs');
  const input = values.input === undefined ? undefined : readFileSync(values.input).toString('hex');
  const say = values.json ? () => undefined : (text) => console.log(text);
  say(`${counters} counters, seed ${seed}`);
  const results = [];
  for (const name of names) {
    const corpusDir = values.corpus === undefined ? undefined : join(values.corpus, name);
    const result = await fuzz({ name, counters, seed, blind: values.blind, seconds, runs, corpusDir, input });
    results.push({ name, ...result });
    const { finding } = result;
    say(`${finding === null ? 'ok    ' : 'FAILED'} ${name}: ${result.runs} inputs, ${result.ways} ways, ${result.corpus} kept`);
    if (finding !== null)
      say(`${finding.error}\ninput ${finding.input.slice(0, 2000)}\nagain: npm run fuzz -- ${name} --input ${keep(name, finding)}`);
  }
  const failed = results.filter(({ finding }) => finding !== null).length;
  if (values.json) console.log(JSON.stringify({ seed, counters, results }));
  else say(`${results.length - failed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}

main().catch((error) => {
  process.stderr.write(`fuzz: ${error.message}\n`);
  process.exit(1);
});
