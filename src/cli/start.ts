/**
 * `ringlog start`: runs a broker in the foreground until a signal, the end of its parent, or its own failure.
 *
 * The first SIGINT, SIGTERM or SIGHUP stops the broker cleanly; another one ends the process at once. Under npm the broker also stops when
 * its parent is gone, because npm does not pass SIGTERM on and would leave it behind; and so it does for whoever asks for it (`--parent`).
 */

import { Broker } from '../broker.ts';
import type { BrokerConfig, Durability } from '../config/broker-config.ts';
import { ConfigError } from '../config/errors.ts';
import { VERSION } from '../config/version.ts';
import { UserError } from '../lib/user-error.ts';
import type { EarlyShards } from '../main/early-shards.ts';
import { watchParent, watchParents } from './parent.ts';
import { goOnWithoutOutput } from './process-terminal.ts';
import { settingsOf, type StartFlags } from './settings.ts';
import type { Terminal } from './terminal.ts';

/** What this command needs of a broker. */
interface RunningBroker {
  /** `host:port` as bound. */
  readonly address: string;
  /** Where metrics and health are, `http://host:port`; null: nowhere. */
  readonly httpAddress: string | null;
  readonly config: BrokerConfig;
  /** Resolves once the broker is down: with undefined after `stop`, with the reason when it failed. */
  readonly closed: Promise<Error | undefined>;
  stop(): Promise<void>;
}

interface StartSurroundings {
  /** Of the process; without it no variable counts. */
  readonly environment?: Terminal['environment'];
  /** Threads that were started already. */
  readonly early?: EarlyShards;
  /** Whose end is the broker's, too: that of its parent, given by its process id, or of npm, which starts it by way of a shell. */
  readonly stopsWith: number | 'npm' | 'nobody';
}

const EXIT_OK = 0;
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;

const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** A terminal sends Ctrl-C to npm and to us, and npm sends it on to us: the same key press, not a second one. */
const SAME_SIGNAL_MS = 300;
const STOP_WANTED = 'stop wanted';

const DURABILITY_MEANS: Readonly<Record<Durability, string>> = {
  memory: 'acknowledged once ordered; survives a clean stop',
  'page-cache': 'acknowledged once written; survives the death of the process',
  fsync: 'acknowledged once synced to disk; survives loss of power',
};

/** Runs until the broker is down; returns the exit code. */
export async function start(flags: StartFlags, { stopsWith, early, environment = {} }: StartSurroundings): Promise<number> {
  goOnWithoutOutput();
  const wish = stopWish(stopsWith);
  let broker: RunningBroker;
  try {
    broker = await Broker.run(await settingsOf(flags, environment), early === undefined ? {} : { early });
  } catch (error) {
    return startFailed(error);
  }
  process.stdout.write(banner(broker));
  const ended = await Promise.race([broker.closed, wish.then((): typeof STOP_WANTED => STOP_WANTED)]);
  // A broker that failed meanwhile says so by `closed`.
  if (ended === STOP_WANTED) void broker.stop().catch(() => undefined);
  const failure = ended === STOP_WANTED ? await broker.closed : ended;
  if (failure === undefined) {
    process.stdout.write('ringlog stopped\n');
    return EXIT_OK;
  }
  process.stderr.write(`ringlog failed: ${failure instanceof UserError ? failure.message : (failure.stack ?? failure.message)}\n`);
  return EXIT_FAILED;
}

/** Resolves when somebody wants the broker to stop: a signal, or the end of the parent. */
function stopWish(stopsWith: StartSurroundings['stopsWith']): Promise<void> {
  return new Promise((resolve) => {
    let firstMs: number | undefined;
    const onSignal = (): void => {
      const nowMs = performance.now();
      if (firstMs !== undefined && nowMs - firstMs > SAME_SIGNAL_MS) process.exit(EXIT_INTERRUPTED);
      firstMs ??= nowMs;
      resolve();
    };
    for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
    if (stopsWith === 'npm') watchParents(resolve);
    else if (stopsWith !== 'nobody') watchParent(stopsWith, resolve);
  });
}

function startFailed(error: unknown): number {
  if (error instanceof UserError) {
    process.stderr.write(`ringlog: ${error.message}\n`);
    return error instanceof ConfigError ? EXIT_USAGE : EXIT_FAILED;
  }
  const listening = listenError(error);
  if (listening === undefined) throw error;
  process.stderr.write(`ringlog: ${listening}\n`);
  return EXIT_FAILED;
}

/** What it means that the address cannot be listened on, in one line; undefined for any other error. */
function listenError(error: unknown): string | undefined {
  const { code, syscall, address, port, hostname } = error as NodeJS.ErrnoException & {
    address?: string;
    port?: number;
    hostname?: string;
  };
  if (syscall === 'getaddrinfo')
    return `"${hostname}" is no address, and no name that leads to one (${code}). Choose another one (--host).`;
  if (syscall !== 'listen' && syscall !== 'bind') return undefined;
  const place = `${address ?? ''}:${port ?? ''}`;
  if (code === 'EADDRINUSE') return `${place} is in use by another process. Stop it, or choose another port (--port).`;
  if (code === 'EADDRNOTAVAIL') return `${place} is not an address of this machine. Choose another one (--host).`;
  if (code === 'EACCES') return `This user may not listen on ${place}. Choose a port from 1024 on (--port).`;
  return `Cannot listen on ${place}: ${code}.`;
}

function banner({ address, httpAddress, config }: RunningBroker): string {
  const [host, port] = splitAddress(address);
  const reachable = host === '0.0.0.0' || host === '::' ? `127.0.0.1:${port}` : address;
  const advertised = config.advertised === undefined ? '' : `, advertised as ${config.advertised.host}:${config.advertised.port}`;
  return [
    `ringlog ${VERSION} is up`,
    `  address     ${address}${advertised}`,
    `  data        ${config.dataDir}`,
    `  durability  ${config.durability} (${DURABILITY_MEANS[config.durability]})`,
    ...(httpAddress === null ? [] : [`  metrics     ${httpAddress}/metrics (and ${httpAddress}/health)`]),
    `  produce     echo hello | kcat -P -b ${reachable} -t demo`,
    `  consume     kcat -C -b ${reachable} -t demo -o beginning -e`,
    '',
  ].join('\n');
}

function splitAddress(address: string): [host: string, port: string] {
  const colon = address.lastIndexOf(':');
  return [address.slice(0, colon).replace(/^\[|\]$/g, ''), address.slice(colon + 1)];
}
