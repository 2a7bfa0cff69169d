/**
 * `node .ci/count.mjs FOLDER LOG`: what a stage of CI ran, as "passed failed skipped". From the JSON reports that vitest left in FOLDER; if there are none, from the last
 * line "N passed, N failed" of LOG; if there is none either, nothing. Names what was skipped on standard error: nothing should be.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const [folder, log] = process.argv.slice(2);
const reports = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')) : [];
const sum = { passed: 0, failed: 0, skipped: 0 };

for (const name of reports) {
  const report = JSON.parse(readFileSync(join(folder, name), 'utf8'));
  sum.passed += report.numPassedTests;
  sum.failed += report.numFailedTests;
  sum.skipped += report.numPendingTests + report.numTodoTests;
  for (const { fullName, status } of report.testResults.flatMap(({ assertionResults }) => assertionResults))
    if (status !== 'passed' && status !== 'failed') process.stderr.write(`SKIPPED ${fullName}\n`);
  // A file that could not even be loaded has no tests that could fail.
  sum.failed += report.testResults.filter(({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0).length;
}

if (reports.length === 0 && existsSync(log)) {
  const lines = readFileSync(log, 'utf8').matchAll(/^(?:\w+: )?(\d+) passed, (\d+) failed(?:, (\d+) skipped)?\s*$/gm);
  const last = [...lines].at(-1);
  if (last !== undefined) [sum.passed, sum.failed, sum.skipped] = [Number(last[1]), Number(last[2]), Number(last[3] ?? 0)];
}

process.stdout.write(`${sum.passed} ${sum.failed} ${sum.skipped}\n`);
