// Runs kload, or without a C compiler its stand-in (node-load/), and gives its report. A run with errors, lost connections or broken chains is no measurement: it
// throws.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { binDir, hasNative } from '../../native-bench/build.mjs';
import { track } from './process.mjs';

const nodeLoad = fileURLToPath(new URL('node-load/main.mjs', import.meta.url));

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

let program;
/** The command that begins a load; looked for once, since it takes a compiler's answer. */
function loadProgram() {
  program ??= hasNative() ? [join(binDir, 'kload')] : [process.execPath, nodeLoad];
  return program;
}

/** Starts kload or its stand-in: `ended` resolves to { code, report, errorText }. */
export function startKload(port, options) {
  const args = ['--bootstrap', `127.0.0.1:${port}`, ...kloadArgs(options)];
  const [command, ...first] = loadProgram();
  const child = track(spawn(command, [...first, ...args], { stdio: ['ignore', 'pipe', 'pipe'] }));
  let output = '';
  let errorText = '';
  child.stdout.on('data', (data) => (output += data));
  child.stderr.on('data', (data) => (errorText += data));
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, report: output.trim() ? JSON.parse(output) : null, errorText }));
  });
  return { child, ended, command: `${first.length === 0 ? 'kload' : 'node-load'} ${args.join(' ')}` };
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
