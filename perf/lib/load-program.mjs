// A load program as a process: started, its one line of JSON taken, and what it failed of said.
import { spawn } from 'node:child_process';
import { track } from './process.mjs';

/**
 * Starts `program` with `args`: `ended` resolves to { code, report, errorText }.
 * @param {string[]} program the command and what comes before its options
 * @param {string[]} args
 * @param {string} name what a reader would type for it
 */
export function startLoad([command, ...first], args, name) {
  const child = track(spawn(command, [...first, ...args], { stdio: ['ignore', 'pipe', 'pipe'] }));
  let output = '';
  let errorText = '';
  child.stdout.on('data', (data) => (output += data));
  child.stderr.on('data', (data) => (errorText += data));
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, report: output.trim() ? JSON.parse(output) : null, errorText }));
  });
  return { child, ended, command: `${name} ${args.join(' ')}` };
}

/** The report of a load that was started; a run in which anything failed is no measurement: it throws. */
export async function reportOf({ ended, command }) {
  const outcome = await ended;
  if (outcome.code === 0) return outcome.report;
  throw loadFailure(command, outcome);
}

/** What a failed run says: the command, its own words, and what it counted. */
export function loadFailure(command, { code, report, errorText }) {
  const facts = report && {
    errors: report.errors,
    unanswered: report.unanswered,
    connections_lost: report.connections_lost,
    chain_errors: report.chain_errors,
    crc_errors: report.crc_errors,
    never_received: report.never_received,
    missing: report.missing,
  };
  return new Error(`${command}\nfailed with ${code}: ${errorText.trim()} ${facts ? JSON.stringify(facts) : ''}`);
}

/**
 * Whether a run failed for nothing but answers that it did not get: a side that is slower than the rate, which is a result. What is wrong with the bytes, the
 * order or a connection is none.
 */
export function isOnlySlow({ report }) {
  const wrong = report && (report.error_count || report.connections_lost || report.chain_errors || report.crc_errors);
  return report !== null && !wrong && report.unanswered > 0;
}
