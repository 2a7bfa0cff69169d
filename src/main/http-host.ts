/**
 * Main's end of the HTTP thread: starts it, tells it what changes, and starts it again when it dies: the broker goes on meanwhile. What was told is kept and
 * told again. Main only.
 */
import { MessageChannel, Worker } from 'node:worker_threads';
import type { BrokerConfig } from '../config/broker-config.ts';
import { VERSION } from '../config/version.ts';
import type { FromHttp, HttpWorkerData, ToHttp } from '../http/messages.ts';
import { UserError } from '../lib/user-error.ts';
import { SERVED_APIS } from '../protocol/api-versions.ts';
import { Mailbox } from '../ring/mailbox.ts';
import type { Logger } from '../telemetry/logger.ts';
import { MetricCells } from '../telemetry/metric-cells.ts';
import { MAIN_METRICS } from '../telemetry/metric-table.ts';

const RESTART_MS_MIN = 1000;
const RESTART_MS_MAX = 60_000;
/** A thread that lived this long has done nothing to be waited for. */
const SETTLED_MS = 60_000;

/** The settings it needs. */
export type HttpConfig = Pick<BrokerConfig, 'httpHost' | 'httpPort' | 'nodeId' | 'dataDir'>;

/** See the file header. */
export class HttpHost {
  /** What main shows of itself. */
  readonly main = new MetricCells(MAIN_METRICS);
  private readonly config: HttpConfig;
  private readonly logger: Logger;
  private readonly entry: URL;
  /** Whether the port was asked for: then a broker that cannot have it does not start. */
  private readonly portGiven: boolean;
  private worker: Worker | null = null;
  private mailbox: Mailbox<ToHttp, FromHttp> | null = null;
  /** The last message of each kind and name. */
  private readonly told = new Map<string, ToHttp>();
  private listening: Promise<number | null> = Promise.resolve(null);
  private boundPort: number | null = null;
  private restartMs = RESTART_MS_MIN;
  private timer: NodeJS.Timeout | null = null;
  private stopped = false;

  constructor(config: HttpConfig, portGiven: boolean, logger: Logger, entry = new URL('../http/http.thread.js', import.meta.url)) {
    this.config = config;
    this.portGiven = portGiven;
    this.logger = logger;
    this.entry = entry;
  }

  /** Where the pages are, or null while there are none. */
  get port(): number | null {
    return this.boundPort;
  }

  /** Whether {@link whenListening} may throw. */
  get mayRefuse(): boolean {
    return this.portGiven && this.config.httpPort >= 0;
  }

  /** Starts the thread, unless `ringlog.http.port` is −1; {@link whenListening} tells what came of it. */
  start(): void {
    if (this.config.httpPort < 0) return;
    this.listening = this.run(this.config.httpPort).catch((error: unknown) => {
      if (this.portGiven) throw error;
      this.logger.warn({ err: error }, 'no metrics and no health page: their thread could not be started');
      return null;
    });
    // Whoever waits for it hears it too.
    this.listening.catch(() => undefined);
  }

  /** Resolves once the pages are there, or are not going to be. Throws UserError when a port that was asked for cannot be had. */
  async whenListening(): Promise<void> {
    await this.listening;
  }

  /** Tells the thread, this one and any that takes its place. */
  tell(message: ToHttp): void {
    this.told.set(keyOf(message), message);
    this.mailbox?.post(message);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
    await this.end();
  }

  private async end(): Promise<void> {
    const { worker } = this;
    this.worker = null;
    this.boundPort = null;
    this.mailbox?.close();
    this.mailbox = null;
    await worker?.terminate();
  }

  /** One life of the thread. Resolves with its port, or null when it has none. */
  private async run(port: number): Promise<number | null> {
    const { httpHost: host, nodeId, dataDir } = this.config;
    const { port1, port2 } = new MessageChannel();
    const apiNames = Object.fromEntries(SERVED_APIS.map(({ key, name }) => [key, name]));
    const workerData: HttpWorkerData = {
      ...{ host, port, version: VERSION, nodeId, dataDir, apiNames },
      main: this.main.memory,
      control: port2,
    };
    const worker = new Worker(this.entry, { workerData, transferList: [port2], name: 'http' });
    const bornMs = performance.now();
    this.worker = worker;
    const outcome = new Promise<FromHttp | null>((resolve) => {
      this.mailbox = new Mailbox<ToHttp, FromHttp>(port1, resolve);
      // What keeps main up are its own sockets.
      this.mailbox.unref();
      const died = (reason: string): void => {
        resolve(null);
        if (this.worker === worker) this.onDeath(reason, performance.now() - bornMs);
      };
      worker.once('error', (error) => died(error instanceof Error ? (error.stack ?? error.message) : String(error)));
      worker.once('exit', (code) => died(`exited with code ${code}`));
    });
    for (const message of this.told.values()) this.mailbox?.post(message);
    const answer = await outcome;
    if (answer?.kind !== 'refused') {
      this.boundPort = answer?.port ?? null;
      return this.boundPort;
    }
    await this.end();
    const problem = listenProblem(host, port, answer.code);
    if (this.portGiven) throw new UserError(problem);
    this.logger.warn({ host, port, code: answer.code }, `no metrics and no health page: ${problem}`);
    return null;
  }

  private onDeath(reason: string, livedMs: number): void {
    const port = this.boundPort ?? this.config.httpPort;
    void this.end();
    if (this.stopped) return;
    if (livedMs > SETTLED_MS) this.restartMs = RESTART_MS_MIN;
    this.logger.error(
      { reason, restartMs: this.restartMs },
      'the thread of metrics and health died: it is started again, the broker goes on',
    );
    this.timer = setTimeout(() => {
      // The same port as before, also where any would have done: somebody knows it by now.
      this.run(port).catch((error: unknown) => this.logger.error({ err: error }, 'there are no metrics and no health page any more'));
    }, this.restartMs);
    this.timer.unref();
    this.restartMs = Math.min(this.restartMs * 2, RESTART_MS_MAX);
  }
}

function keyOf(message: ToHttp): string {
  if (message.kind === 'shard') return `shard ${message.name}`;
  return message.kind === 'series' ? `series ${message.table}` : message.kind;
}

function listenProblem(host: string, port: number, code: string): string {
  const place = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const otherwise = 'or switch metrics and health off (--http-port -1)';
  if (code === 'EADDRINUSE') return `${place} is in use by another process. Stop it, choose another port (--http-port), ${otherwise}.`;
  if (code === 'EACCES') return `This user may not listen on ${place}. Choose a port from 1024 on (--http-port), ${otherwise}.`;
  return `Cannot listen on ${place} (${code}). Choose another address (ringlog.http.host), ${otherwise}.`;
}
