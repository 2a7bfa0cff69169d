// Builds and runs the Go load (perf/peers/load), the one that drives each peer through its own client, and gives its report. A run in which anything
// failed is no measurement: it throws.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kloadArgs } from './kload.mjs';
import { isOnlySlow, loadFailure, reportOf, startLoad } from './load-program.mjs';

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
function startGoLoad(system, port, options) {
  return startLoad([buildGoLoad()], ['--system', system, '--address', `127.0.0.1:${port}`, ...kloadArgs(options)], 'go-load');
}

export function runGoLoad(system, port, options) {
  return reportOf(startGoLoad(system, port, options));
}

/** From end to end. A system that only does not keep up is a result: what had not come 30 s after the end counts with its age. */
export async function runGoEndToEnd(system, port, options) {
  const { ended, command } = startGoLoad(system, port, { ...options, mode: 'end-to-end' });
  const outcome = await ended;
  const { code, report } = outcome;
  if (code === 0 || isOnlySlow(outcome)) return report;
  throw loadFailure(command, outcome);
}
