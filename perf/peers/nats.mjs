// NATS JetStream without containers: the server from the Go module proxy, built here, started and stopped from here.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { stopProcess, waitForPort } from '../lib/process.mjs';
import { peersDir, runAsProgram, wantedVariant } from './shared.mjs';

const here = join(dirname(fileURLToPath(import.meta.url)), 'nats');

const VERSION = '2.15.3'; // the newest release when this was written

export const variants = [
  { name: 'default', promise: 'written to the page cache (NATS default, synced every two minutes)', syncInterval: undefined },
  { name: 'always', promise: 'synced to disk, each message by itself (sync_interval: always)', syncInterval: 'always' },
];

export const version = () => VERSION;

const binary = () => join(peersDir(), `nats-server-${VERSION}`, 'nats-server');

/** Builds the server unless it is there; gives its path. Throws, saying what is missing, if that cannot be done. */
export function fetch() {
  if (existsSync(binary())) return binary();
  const folder = dirname(binary());
  mkdirSync(folder, { recursive: true });
  const go = spawnSync('go', ['install', `github.com/nats-io/nats-server/v2@v${VERSION}`], {
    encoding: 'utf8',
    env: { ...process.env, GOBIN: folder },
  });
  if (go.error)
    throw new Error('NATS is built by go (1.26 or newer), which is not installed (https://go.dev/dl, or Debian: apt-get install golang).');
  if (go.status !== 0) throw new Error(`go could not install nats-server ${VERSION}:\n${go.stdout}${go.stderr}`.slice(0, 2000));
  return binary();
}

/** Starts a server and resolves once it accepts connections. */
export async function start({ port, dataDir, variant = 'default' }) {
  const { syncInterval } = wantedVariant('nats', variants, variant);
  const path = fetch();
  mkdirSync(dataDir, { recursive: true });
  const common = readFileSync(join(here, 'nats-server.conf'), 'utf8');
  const config = join(dataDir, 'nats-server.conf');
  const withSync = syncInterval ? common.replace('jetstream {', `jetstream {\n  sync_interval: ${syncInterval}`) : common;
  writeFileSync(config, withSync);
  const logPath = join(dataDir, 'nats.log');
  const log = openSync(logPath, 'a');
  const startedAt = performance.now();
  const child = spawn(path, ['-c', config, '-p', String(port), '-sd', join(dataDir, 'data')], { stdio: ['ignore', log, log] });
  await waitForPort(port, { child, timeoutMs: 60_000, logPath });
  return {
    name: `NATS JetStream ${VERSION}`,
    pid: /** @type {number} */ (child.pid),
    child,
    port,
    logPath,
    startedAt,
    stop: () => stopProcess(child, { timeoutMs: 60_000 }),
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  runAsProgram({
    file: 'nats',
    title: `NATS JetStream ${VERSION} as a peer, from the Go module proxy`,
    port: 4222,
    variants,
    fetch,
    start,
  });
