/**
 * `node test/interop/side-by-side.mjs`: all suites in two runs at the same time, each with a broker of its own, since most of a suite is waiting. Prints both as they
 * go, at the end `N passed, N failed`; flags are passed on. The results of both lie where one run's would: see run.mjs.
 */

import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { HALVES } from './lib/halves.mjs';
import { cacheFolder } from './lib/places.mjs';

const SUMS = /^interop: (\d+) passed, (\d+) failed(?:, (\d+) skipped)?/;

/** Runs suites; resolves with what they came to. */
async function run(suites, results) {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'run.mjs'), ...suites, '--results', results, ...process.argv.slice(2)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let sums = null;
  for await (const line of createInterface({ input: child.stdout })) {
    process.stdout.write(`${line}\n`);
    sums = SUMS.exec(line) ?? sums;
  }
  const code = child.exitCode ?? (await new Promise((resolve) => child.once('close', resolve)));
  const [passed, failed, skipped] = sums === null ? [0, 0, 0] : sums.slice(1).map((text) => Number(text ?? 0));
  // One that ends badly without a failed check, or without any check, failed all the same.
  return { passed, skipped, failed: failed === 0 && (code !== 0 || passed === 0) ? 1 : failed };
}

const files = HALVES.map((_, half) => join(cacheFolder, `results-${half}.json`));
const sums = await Promise.all(HALVES.map((suites, half) => run(suites, files[half])));
const runs = files.map((file) => JSON.parse(readFileSync(file, 'utf8')));
const all = (name) => runs.flatMap((each) => each[name]);
const total = (name) => sums.reduce((sum, each) => sum + each[name], 0);
const counts = { passed: total('passed'), failed: total('failed'), skipped: total('skipped') };
writeFileSync(
  join(cacheFolder, 'results.json'),
  `${JSON.stringify({ broker: runs[0].broker, clients: all('clients'), counts, skips: all('skips'), cannots: all('cannots'), results: all('results') }, null, 1)}\n`,
);
const skipped = counts.skipped === 0 ? '' : `, ${counts.skipped} skipped`;
process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed${skipped}\n`);
process.exitCode = counts.failed === 0 ? 0 : 1;
