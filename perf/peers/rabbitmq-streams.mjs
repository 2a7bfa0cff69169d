// RabbitMQ streams without containers: RabbitMQ and Erlang from Debian's packages, a node with a name, folders and an epmd of its own; no service, and
// nothing of it is left running.
import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, openSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { stopProcess, waitForPort } from '../lib/process.mjs';
import { libraryPath, unpackDebian } from './debian.mjs';
import { runAsProgram, wantedVariant } from './shared.mjs';

const here = join(dirname(fileURLToPath(import.meta.url)), 'rabbitmq-streams');

export const variants = [{ name: 'default', promise: 'written to the page cache (streams are never synced by RabbitMQ)' }];

function home() {
  const folder = join(unpackDebian('rabbitmq-server'), 'usr', 'lib', 'rabbitmq', 'lib');
  return join(folder, readdirSync(folder).find((name) => name.startsWith('rabbitmq_server-')) ?? 'rabbitmq_server-none');
}

/** Downloads and unpacks server and Erlang unless they are there; gives the path of the server's script. */
export const fetch = () => join(home(), 'sbin', 'rabbitmq-server');

export const version = () => /rabbitmq_server-(.*)$/.exec(home())?.[1] ?? 'unknown';

/** A folder with an `erl` for the unpacked Erlang: Debian's own looks under /usr/lib/erlang. */
function erlangBin(dataDir) {
  const erlang = join(unpackDebian('rabbitmq-server'), 'usr', 'lib', 'erlang');
  const erts = readdirSync(erlang).find((name) => name.startsWith('erts-'));
  if (!erts) throw new Error(`${erlang} has no erts: remove ${unpackDebian('rabbitmq-server')} to have it unpacked again`);
  const emulator = join(erlang, erts, 'bin');
  const bin = join(dataDir, 'bin');
  mkdirSync(bin, { recursive: true });
  const script = `#!/bin/sh\nexport ROOTDIR='${erlang}' BINDIR='${emulator}' EMU=beam PROGNAME=erl\nexec '${emulator}/erlexec' "$@"\n`;
  writeFileSync(join(bin, 'erl'), script, { mode: 0o755 });
  return { bin, epmd: join(emulator, 'epmd') };
}

/** Starts a node and resolves once its streams accept connections. `port + 1` to `port + 2` are taken by Erlang's distribution. */
export async function start({ port, dataDir, variant = 'default' }) {
  wantedVariant('rabbitmq-streams', variants, variant);
  const script = fetch();
  mkdirSync(dataDir, { recursive: true });
  const { bin, epmd } = erlangBin(dataDir);
  const config = join(dataDir, 'rabbitmq.conf');
  writeFileSync(
    config,
    `${readFileSync(join(here, 'rabbitmq.conf'), 'utf8')}\nstream.listeners.tcp.1 = 127.0.0.1:${port}\nstream.advertised_port = ${port}\n`,
  );
  copyFileSync(join(here, 'enabled_plugins'), join(dataDir, 'enabled_plugins'));
  const root = unpackDebian('rabbitmq-server');
  const environment = {
    ...process.env,
    HOME: dataDir, // for the cookie of Erlang's distribution
    PATH: `${bin}:${process.env.PATH}`,
    LD_LIBRARY_PATH: libraryPath(root),
    ERL_EPMD_PORT: String(port + 2),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: `ringlog-peer-${port}@localhost`,
    RABBITMQ_DIST_PORT: String(port + 1),
    RABBITMQ_CONFIG_FILE: config,
    RABBITMQ_CONF_ENV_FILE: join(dataDir, 'none'),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(dataDir, 'advanced.config'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(dataDir, 'enabled_plugins'),
    RABBITMQ_MNESIA_BASE: join(dataDir, 'data'),
    RABBITMQ_LOG_BASE: join(dataDir, 'log'),
    RABBITMQ_PID_FILE: join(dataDir, 'pid'),
    // The server's script then becomes the server rather than its parent, so that its process is the one that is measured and ended.
    RUNNING_UNDER_SYSTEMD: 'true',
  };
  const logPath = join(dataDir, 'rabbitmq.log');
  const log = openSync(logPath, 'a');
  const startedAt = performance.now();
  // Erlang would start its port mapper as a daemon that outlives the node; there already is one now.
  const mapper = spawn(epmd, ['-port', String(port + 2), '-address', '127.0.0.1'], { stdio: ['ignore', log, log] });
  await waitForPort(port + 2, { child: mapper, timeoutMs: 10_000, logPath });
  const child = spawn(script, [], { stdio: ['ignore', log, log], env: environment });
  const stop = async () => {
    const ended = await stopProcess(child, { timeoutMs: 60_000 });
    await stopProcess(mapper);
    return ended;
  };
  try {
    await waitForPort(port, { child, timeoutMs: 120_000, logPath });
  } catch (error) {
    await stop();
    throw error;
  }
  return { name: `RabbitMQ streams ${version()}`, pid: /** @type {number} */ (child.pid), child, port, logPath, startedAt, stop };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  runAsProgram({
    file: 'rabbitmq-streams',
    title: "RabbitMQ streams as a peer, from Debian's packages",
    port: 5552,
    variants,
    fetch,
    start,
  });
