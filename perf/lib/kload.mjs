// Runs kload and gives its report. A run with errors, lost connections or broken chains is no measurement: it throws.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { binDir } from '../../native-bench/build.mjs';
import { track } from './process.mjs';

/** @param {Record<string, unknown>} options kload's, in camel case; arrays repeat, false and undefined are left out */
export function kloadArgs(options) {
  const args = [];
  for (const [name, value] of Object.entries(options)) {
    const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one === true) args.push(flag);
      else if (one !== false && one !== undefined) args.push(flag, String(one));
    }
  }
  return args;
}

/** Starts kload: `ended` resolves to { code, report, errorText }. */
export function startKload(port, options) {
  const args = ['--bootstrap', `127.0.0.1:${port}`, ...kloadArgs(options)];
  const child = track(spawn(join(binDir, 'kload'), args, { stdio: ['ignore', 'pipe', 'pipe'] }));
  let output = '';
  let errorText = '';
  child.stdout.on('data', (data) => (output += data));
  child.stderr.on('data', (data) => (errorText += data));
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, report: output.trim() ? JSON.parse(output) : null, errorText }));
  });
  return { child, ended, command: `kload ${args.join(' ')}` };
}

export async function runKload(port, options) {
  const { ended, command } = startKload(port, options);
  const outcome = await ended;
  if (outcome.code === 0) return outcome.report;
  throw kloadFailure(command, outcome);
}

/** What a failed run says: the command, its own words, and what it counted. */
export function kloadFailure(command, { code, report, errorText }) {
  const facts = report && {
    errors: report.errors,
    unanswered: report.unanswered,
    connections_lost: report.connections_lost,
    chain_errors: report.chain_errors,
    crc_errors: report.crc_errors,
    never_received: report.never_received,
  };
  return new Error(`${command}\nfailed with ${code}: ${errorText.trim()} ${facts ? JSON.stringify(facts) : ''}`);
}
