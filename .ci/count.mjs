/**
 * `node .ci/count.mjs FOLDER LOG`: what a stage of CI ran, as "passed failed skipped". From the JSON reports that vitest left in FOLDER; if there are none, from the last
 * line "N passed, N failed" of LOG; if there is none either, nothing. Names on standard error what was skipped (nothing should be) and what failed, each with
 * the beginning of what it said: CI repeats that at its end.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const [folder, log] = process.argv.slice(2);
const reports = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')) : [];
const sum = { passed: 0, failed: 0, skipped: 0 };

/** Of a failure's message so many characters are repeated; all of it is in the log. */
const SAID_CHARACTERS = 1500;
/** Of a log without a report so many failures are repeated. */
const LINES_MAX = 20;

const nameFailure = (name, messages) =>
  process.stderr.write(`FAILED ${name}\n${messages.join('\n').slice(0, SAID_CHARACTERS).trim().replaceAll(/^/gm, '  ')}\n`);

for (const name of reports) {
  const report = JSON.parse(readFileSync(join(folder, name), 'utf8'));
  sum.passed += report.numPassedTests;
  sum.failed += report.numFailedTests;
  sum.skipped += report.numPendingTests + report.numTodoTests;
  for (const { name: file, status: ofFile, assertionResults, message } of report.testResults) {
    for (const { fullName, status, failureMessages = [] } of assertionResults)
      if (status === 'failed') nameFailure(fullName, failureMessages);
      else if (status !== 'passed') process.stderr.write(`SKIPPED ${fullName}\n`);
    if (ofFile !== 'failed' || assertionResults.length > 0) continue;
    // A file that could not even be loaded has no tests that could fail.
    sum.failed += 1;
    nameFailure(file ?? 'a test file', [message ?? 'it could not be loaded']);
  }
}

if (reports.length === 0 && existsSync(log)) {
  const text = readFileSync(log, 'utf8');
  const lines = text.matchAll(/^(?:\w+: )?(\d+) passed, (\d+) failed(?:, (\d+) skipped)?\s*$/gm);
  const last = [...lines].at(-1);
  if (last !== undefined) [sum.passed, sum.failed, sum.skipped] = [Number(last[1]), Number(last[2]), Number(last[3] ?? 0)];
  const failures = [...text.matchAll(/^(?:FAIL|FAILED|ring stress failed:) .*$/gm)].map(([line]) => line);
  for (const line of failures.slice(0, LINES_MAX)) process.stderr.write(`${line.slice(0, SAID_CHARACTERS)}\n`);
}

process.stdout.write(`${sum.passed} ${sum.failed} ${sum.skipped}\n`);
