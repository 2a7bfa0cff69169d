// Redis Streams without containers: the server from Debian's packages, started and stopped from here.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, openSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { stopProcess, waitForPort } from '../lib/process.mjs';
import { libraryPath, unpackDebian } from './debian.mjs';
import { runAsProgram, wantedVariant } from './shared.mjs';

const here = join(dirname(fileURLToPath(import.meta.url)), 'redis-streams');

export const variants = [
  { name: 'always', promise: 'synced to disk, as many as came together at once (appendfsync always)' },
  { name: 'everysec', promise: 'written to the page cache, synced within about a second (appendfsync everysec, Redis default)' },
];

const environment = (root) => ({ ...process.env, LD_LIBRARY_PATH: libraryPath(root) });

/** Downloads and unpacks the server unless it is there; gives its path. */
export const fetch = () => join(unpackDebian('redis-server'), 'usr', 'bin', 'redis-server');

export function version() {
  const { stdout } = spawnSync(fetch(), ['--version'], { encoding: 'utf8', env: environment(unpackDebian('redis-server')) });
  return /v=(\S+)/.exec(stdout ?? '')?.[1] ?? 'unknown';
}

/** Starts a server and resolves once it accepts connections. */
export async function start({ port, dataDir, variant = 'always' }) {
  wantedVariant('redis-streams', variants, variant);
  const path = fetch();
  mkdirSync(dataDir, { recursive: true });
  const logPath = join(dataDir, 'redis.log');
  const log = openSync(logPath, 'a');
  const startedAt = performance.now();
  const args = [join(here, 'redis.conf'), '--port', String(port), '--dir', dataDir, '--appendfsync', variant];
  const child = spawn(path, args, { stdio: ['ignore', log, log], env: environment(unpackDebian('redis-server')) });
  await waitForPort(port, { child, timeoutMs: 60_000, logPath });
  return {
    name: `Redis Streams ${version()}`,
    pid: /** @type {number} */ (child.pid),
    child,
    port,
    logPath,
    startedAt,
    stop: () => stopProcess(child, { timeoutMs: 60_000 }),
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  runAsProgram({ file: 'redis-streams', title: "Redis Streams as a peer, from Debian's packages", port: 6379, variants, fetch, start });
