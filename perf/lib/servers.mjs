// What can be measured: ringlog, the floor, a peer. Each starts fresh in its own folder and gives
// { name, pid, port, stop() }.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { binDir } from '../../native-bench/build.mjs';
import { startKafka } from '../peers/kafka.mjs';
import { stopProcess, track, waitForPort } from './process.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

const PORT_MIN = 12_000;
const PORT_MAX = 32_000;
const PORT_ATTEMPTS_MAX = 100;

/**
 * A port that nobody has, below those that the kernel gives to outgoing connections: while a server is away from one of these, for a restart, a client that tries
 * again may be given that very port for its own end, and is connected to itself.
 */
export async function freePort() {
  for (let attempt = 0; attempt < PORT_ATTEMPTS_MAX; attempt++) {
    const port = PORT_MIN + Math.floor(Math.random() * (PORT_MAX - PORT_MIN));
    if (await isFree(port)) return port;
  }
  throw new Error(`none of ${PORT_ATTEMPTS_MAX} ports between ${PORT_MIN} and ${PORT_MAX} is free`);
}

/** @param {number} port */
function isFree(port) {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (/** @type {NodeJS.ErrnoException} */ error) => (error.code === 'EADDRINUSE' ? resolve(false) : reject(error)));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

function spawnLogged(command, args, dir, env = {}) {
  mkdirSync(dir, { recursive: true });
  const logPath = join(dir, 'server.log');
  const log = openSync(logPath, 'a');
  return { child: track(spawn(command, args, { stdio: ['ignore', log, log], env: { ...process.env, ...env } })), logPath };
}

function handle(name, child, port, logPath, startedAt) {
  return { name, pid: child.pid, child, port, logPath, startedAt, stop: (options) => stopProcess(child, options) };
}

/** What `work` gives; if it fails, the server is stopped: one that nobody knows of would be measured with all who come after it. */
export async function orStopped(server, work) {
  try {
    return await work;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/**
 * @param {{ dir: string, port?: number, settings?: string[], bin?: string, wait?: boolean, node?: { args: string[], env: Record<string, string> } }} options
 *   settings: "key=value"; node: options of Node itself, and variables for what they load
 */
export async function startRinglog({ dir, port, settings = [], bin = join(root, 'dist', 'bin.js'), wait = true, node }) {
  if (!existsSync(bin)) throw new Error(`${bin} is not there: npm run build first`);
  const usedPort = port ?? (await freePort());
  const args = [...(node?.args ?? []), bin, 'start', '--port', String(usedPort), '--data-dir', join(dir, 'data')];
  for (const setting of settings) args.push('--set', setting);
  const startedAt = performance.now();
  const { child, logPath } = spawnLogged(process.execPath, args, dir, node?.env);
  if (wait) await waitForPort(usedPort, { child, logPath, pollMs: 5, timeoutMs: 120_000 });
  return handle('ringlog', child, usedPort, logPath, startedAt);
}

/** @param {{ dir: string, floor?: string[] }} options floor: its own command line options */
export async function startFloor({ dir, floor = [] }) {
  const port = await freePort();
  const startedAt = performance.now();
  mkdirSync(dir, { recursive: true });
  const { child, logPath } = spawnLogged(join(binDir, 'floor'), ['--dir', dir, '--port', String(port), ...floor], dir);
  await waitForPort(port, { child, logPath, timeoutMs: 600_000 }); // pre-writing comes first
  return handle('floor', child, port, logPath, startedAt);
}

/** @param {{ dir: string, settings?: string[], wait?: boolean }} options */
export async function startPeer(peer, { dir, settings = [], wait = true }) {
  if (peer !== 'kafka') throw new Error(`no peer '${peer}' that speaks Kafka's protocol: kafka`);
  return startKafka({ port: await freePort(), dataDir: dir, settings, wait });
}
