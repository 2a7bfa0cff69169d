// Builds and runs the Go load (perf/peers/load), the one that drives each peer through its own client, and gives its report. A run in which anything
// failed is no measurement: it throws.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kloadArgs } from './kload.mjs';
import { track } from './process.mjs';

const perf = join(dirname(fileURLToPath(import.meta.url)), '..');
const sources = join(perf, 'peers', 'load');
const binary = join(perf, 'out', 'bin', 'go-load');

function isFresh() {
  try {
    const built = statSync(binary).mtimeMs;
    return readdirSync(sources).every((name) => statSync(join(sources, name)).mtimeMs < built);
  } catch {
    return false;
  }
}

/** Builds it unless it is newer than its sources. Throws, saying what is missing, if that cannot be done. */
export function buildGoLoad() {
  if (isFresh()) return binary;
  mkdirSync(dirname(binary), { recursive: true });
  const go = spawnSync('go', ['build', '-o', binary, '.'], { cwd: sources, encoding: 'utf8' });
  if (go.error)
    throw new Error(
      'The load for peers is built by go (1.26 or newer), which is not installed (https://go.dev/dl, or Debian: apt-get install golang).',
    );
  if (go.status !== 0) throw new Error(`go could not build perf/peers/load:\n${go.stdout}${go.stderr}`.slice(0, 2000));
  return binary;
}

/**
 * Starts it: `ended` resolves to { code, report, errorText }.
 * @param {'kafka' | 'nats' | 'rabbitmq-streams' | 'redis-streams'} system kafka: ringlog and Apache Kafka
 * @param {Record<string, unknown>} options its own, in camel case, as for kload
 */
export function startGoLoad(system, port, options) {
  const args = ['--system', system, '--address', `127.0.0.1:${port}`, ...kloadArgs(options)];
  const child = track(spawn(buildGoLoad(), args, { stdio: ['ignore', 'pipe', 'pipe'] }));
  let output = '';
  let errorText = '';
  child.stdout.on('data', (data) => (output += data));
  child.stderr.on('data', (data) => (errorText += data));
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, report: output.trim() ? JSON.parse(output) : null, errorText }));
  });
  return { child, ended, command: `go-load ${args.join(' ')}` };
}

export async function runGoLoad(system, port, options) {
  const { ended, command } = startGoLoad(system, port, options);
  const { code, report, errorText } = await ended;
  if (code === 0) return report;
  const facts = report && {
    errors: report.errors,
    unanswered: report.unanswered,
    connections_lost: report.connections_lost,
    chain_errors: report.chain_errors,
    missing: report.missing,
  };
  throw new Error(`${command}\nfailed with ${code}: ${errorText.trim()} ${facts ? JSON.stringify(facts) : ''}`);
}
