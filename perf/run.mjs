// npm run perf -- SCENARIO [options]: measures, prints, keeps the raw results and makes a page of them.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildNative, hasNative } from '../native-bench/build.mjs';
import { checkTaken, jobsOf, keyOf, peersWithout } from './lib/jobs.mjs';
import { htmlReport } from './lib/html-report.mjs';
import { takeLock } from './lib/lock.mjs';
import { describeMachine } from './lib/machine.mjs';
import { helpText, loadScenarios, outDir, parseCommand } from './lib/options.mjs';
import { Progress } from './lib/progress.mjs';
import { peers } from './lib/peers.mjs';
import { printMachine, printResult } from './lib/report.mjs';
import { appendResult, readResults } from './lib/results.mjs';

const typed = `npm run perf -- ${process.argv.slice(2).join(' ')}`;
const resultsPath = join(outDir, 'results.jsonl');

/** A folder for this run's data, gone with the process. */
function workFolder(dir) {
  const workDir = join(dir, `perf-${process.pid}`);
  mkdirSync(workDir, { recursive: true });
  process.on('exit', () => rmSync(workDir, { recursive: true, force: true }));
  return workDir;
}

/** What is measured is what the commit says: `dist` is built if it is not of these sources. */
function prepareBroker() {
  execFileSync(process.execPath, [fileURLToPath(new URL('../.ci/setup.mjs', import.meta.url))], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}

/** What a result depends on besides the commit: the options, another program that is measured in place of `dist`, the machine, the disk and the load generator. */
function identityOf(command, machine) {
  const { bin } = command.context;
  return {
    ...command.identity,
    ...(bin ? { bin: createHash('sha256').update(readFileSync(bin)).digest('hex').slice(0, 16) } : {}),
    disk: statSync(command.dir).dev,
    cpu: machine.cpu,
    kernel: machine.kernel,
    node: machine.node,
    load: hasNative() ? 'kload' : 'node-load',
  };
}

/** The load generator in C, or a word about what stands in. */
function prepareNative() {
  if (hasNative()) return buildNative();
  console.log(
    'NOTE: no C compiler here. The Node load generator stands in for kload: its figures are not to be compared with those of kload, and there is no native floor.\n',
  );
}

/** Peers are got before anything is measured: a download in a turn would be somebody's load. */
function preparePeers(names) {
  for (const name of names) {
    try {
      peers[name].fetch();
      console.log(`peer: ${name} ${peers[name].version()}`);
    } catch {
      // Said where it is missing, with the reason.
    }
  }
}

async function runJob(job, command, shared) {
  const { machine, progress } = shared;
  const context = { ...command.context, workDir: shared.workDir, progress, durability: job.durability };
  const startedAt = performance.now();
  const results = await job.scenario.run(context);
  progress.clear();
  const without = peersWithout(job, context.peers);
  const line = {
    scenario: job.name,
    key: keyOf(job, shared.identity, machine.commit),
    command: typed,
    ...(shared.identity.bin ? { bin: shared.identity.bin } : {}), // not of the commit
    machine,
    durationSeconds: Number(((performance.now() - startedAt) / 1000).toFixed(1)),
    results:
      without.length > 0 ? [...results, { label: job.name, notes: [`this scenario has no side for ${without.join(', ')}`] }] : results,
  };
  for (const result of line.results) printResult(result);
  appendResult(resultsPath, line);
  return line;
}

/** Those of the jobs that results are there of already, if they may be used, apart from those to be done. A result without a peer that was asked for is not done. */
function splitDone(jobs, isResumed, identity, commit) {
  if (!isResumed) return { done: [], open: jobs };
  if (commit.endsWith('+changes'))
    throw new Error('--resume: there are uncommitted changes, so no earlier result is known to be of this code');
  const whole = readResults(resultsPath).filter(({ results }) => results.every(({ missing = [] }) => missing.length === 0));
  const before = new Map(whole.map((line) => [line.key, line]));
  const isDone = (job) => before.has(keyOf(job, identity, commit));
  const done = jobs.filter(isDone).map((job) => before.get(keyOf(job, identity, commit)));
  return { done, open: jobs.filter((job) => !isDone(job)) };
}

async function measure(command, scenarios) {
  const jobs = jobsOf(scenarios, command.words, command.context.durability);
  checkTaken(scenarios, command.words, command.identity);
  takeLock();
  prepareBroker();
  prepareNative();
  preparePeers(command.context.peers);
  const workDir = workFolder(command.dir);
  const machine = describeMachine(workDir);
  printMachine(machine);
  const identity = identityOf(command, machine);
  const { done, open } = splitDone(jobs, command.resume, identity, machine.commit);
  if (done.length > 0) console.log(`there already: ${done.map(({ scenario }) => scenario).join(', ')}\n`);
  const { pairs } = command.context;
  const stepsOf = ({ scenario, durability }) => scenario.steps({ ...command.context, durability }) * (scenario.pairs ?? pairs);
  const progress = new Progress(open.reduce((sum, job) => sum + stepsOf(job), 0));
  const shared = { machine, identity, workDir, progress };
  const startedAt = performance.now();
  const lines = [...done];
  for (const job of open) {
    lines.push(await runJob(job, command, shared));
    writeFileSync(command.html, htmlReport(lines)); // after each, so that a long run can be looked at
  }
  if (command.json) writeFileSync(command.json, `${JSON.stringify(lines, null, 1)}\n`);
  console.log(
    `took ${((performance.now() - startedAt) / 60_000).toFixed(1)} min\nraw results: ${resultsPath}\npage with charts: ${command.html}`,
  );
  const missing = lines.flatMap((line) => line.results.flatMap((result) => result.missing ?? []));
  for (const { name, reason } of missing) console.error(`NOT measured: ${name}: ${reason.split('\n')[0]}`);
  if (missing.length > 0) process.exitCode = 1;
}

/** Options that would change what the others measure. */
const UNUSED_BY_FUNCTIONS = ['profile', 'set', 'bin', 'durability', 'phase', 'points', 'bytes', 'seconds'];

/** What is measured without turns: functions by themselves, and what a request allocates. */
async function measureFunctions(word, { words, context, json, identity }) {
  if (words.length > 1) throw new Error(`'${word}' goes alone: '${words.slice(1).join(' ')}' needs a call of its own`);
  const given = UNUSED_BY_FUNCTIONS.find((option) => identity[option] !== undefined && identity[option].length !== 0);
  if (given !== undefined) throw new Error(`--${given}: '${word}' does not take it`);
  prepareBroker();
  if (word === 'alloc') prepareNative();
  const options = { quick: context.quick, json, only: context.only };
  // Loaded here only: they need the broker's modules, which a call for help must not.
  const line =
    word === 'micro'
      ? microLine(await (await import('./micro/index.mjs')).runMicro(options))
      : await (await import('./alloc/index.mjs')).runAlloc(options);
  line.command = typed;
  appendResult(resultsPath, line);
}

/** Formulas of what the broker's cost grows with, and what they predict beside what is measured. */
async function measureModel({ words, context, dir, axes }) {
  if (words.length > 1) throw new Error(`'model' goes alone: '${words.slice(1).join(' ')}' needs a call of its own`);
  takeLock();
  prepareBroker();
  prepareNative();
  const { runModel } = await import('./model/index.mjs');
  appendResult(resultsPath, { ...(await runModel({ ...context, workDir: workFolder(dir) }, axes)), command: typed });
}

/** What limits the broker under the load of scenarios, by itself. */
async function lookAt(command, scenarios) {
  const { look, lookable } = await import('./look/index.mjs');
  const words = command.words.slice(1);
  const known = lookable(scenarios);
  if (words.length === 0) throw new Error(`look: at which scenario? ${known.join(', ')}`);
  const unknown = words.find((word) => !known.includes(word));
  if (unknown !== undefined) throw new Error(`look: there is no look at '${unknown}', only at ${known.join(', ')}`);
  takeLock();
  prepareBroker();
  prepareNative();
  preparePeers(command.context.peers);
  const workDir = workFolder(command.dir);
  const machine = describeMachine(workDir);
  printMachine(machine);
  const jobs = jobsOf(scenarios, words, command.context.durability);
  const context = { ...command.context, workDir, progress: new Progress(2 * jobs.length) };
  for (const job of jobs) {
    const startedAt = performance.now();
    const result = await look(job, context, outDir);
    const durationSeconds = Number(((performance.now() - startedAt) / 1000).toFixed(1));
    appendResult(resultsPath, { scenario: `look ${job.name}`, command: typed, machine, durationSeconds, results: [result] });
  }
}

/** Its cases as figures of one result; what stands for min and max are the quartile below and the 99th percentile. */
function microLine(cases) {
  const figures = cases.map(({ group, name, ns, samples }) => ({
    name: `${group}: ${name}`,
    figure: { median: ns.p50, min: ns.p25, max: ns.p99, count: samples },
    target: null,
    holds: null,
  }));
  return {
    scenario: 'micro',
    machine: cases[0].machine,
    results: [{ label: 'single functions: median (25 %–99 %)', unit: 'ns', figures }],
  };
}

function report(command) {
  const files = command.words.slice(1);
  const lines = (files.length > 0 ? files.map((file) => resolve(file)) : [resultsPath]).flatMap(readResults);
  if (lines.length === 0) throw new Error(`no results in ${files.length > 0 ? files.join(', ') : resultsPath}`);
  writeFileSync(command.html, htmlReport(lines));
  console.log(command.html);
}

async function main() {
  const scenarios = await loadScenarios();
  const command = parseCommand(process.argv.slice(2));
  if (command.help || command.words.length === 0) return console.log(helpText(scenarios));
  mkdirSync(outDir, { recursive: true });
  const [word] = command.words;
  if (word === 'report') return report(command);
  if (word === 'micro' || word === 'alloc') return measureFunctions(word, command);
  if (word === 'model') return measureModel(command);
  if (word === 'look') return lookAt(command, scenarios);
  return measure(command, scenarios);
}

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130)); // children and folders go with it
main().catch((error) => {
  process.stderr.write(`\nperf: ${error.message}\n`);
  process.exit(1);
});
