/**
 * Real brokers for tests: the built `dist/`, each in a process of its own with a data folder of its own, on any free port. Whatever a test leaves
 * running is killed when the test is over.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { KafkaClient } from './kafka-client.ts';
import { HANG_MS } from './limits.ts';

const ROOT = join(import.meta.dirname, '../..');
/** Batches of tests carry times of long ago: they must not go for their age while a test runs. */
const KEEP_OLD = { 'log.retention.ms': -1 };
/** Many brokers at once cannot all have the default port. */
const NO_HTTP = { 'ringlog.http.port': -1 };

export interface BrokerOptions {
  readonly dataDir: string;
  /** Settings by name. */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** Flags in front of the settings, e.g. a port. */
  readonly flags?: readonly string[];
  /** A command that runs the broker, e.g. strace with its options. */
  readonly wrapper?: readonly string[];
  /** Script instead of `dist/bin.js`. */
  readonly script?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Registers what to do at the end; tests that run at the same time give that of their own context. */
  readonly cleanup?: (run: () => void) => void;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** One line of the broker's log. */
export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** A broker process. */
export class BrokerProcess {
  readonly child: ChildProcess;
  readonly dataDir: string;
  stdout = '';
  stderr = '';
  readonly ended: Promise<Ended>;
  private over: Ended | null = null;

  constructor(child: ChildProcess, dataDir: string) {
    this.child = child;
    this.dataDir = dataDir;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => void (this.stdout += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => void (this.stderr += text));
    this.ended = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        this.over = { code, signal };
        resolve(this.over);
      });
    });
  }

  get isOver(): boolean {
    return this.over !== null;
  }

  /** Port from the banner. */
  get port(): number {
    const match = /^ {2}address {5}\S+?:(\d+)/m.exec(this.stdout);
    if (match === null) throw new Error(`no address in the banner:\n${this.stdout}\n${this.stderr}`);
    return Number(match[1]);
  }

  /** What it logged. */
  get log(): LogLine[] {
    return this.stderr
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as LogLine);
  }

  connect(): Promise<KafkaClient> {
    return KafkaClient.connect(this.port);
  }

  /** Sends a signal to the broker itself, also when a wrapper runs it, and waits for the end. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ended> {
    this.child.kill(signal);
    return this.whenEnded();
  }

  /** kill -9. */
  async kill(): Promise<Ended> {
    this.child.kill('SIGKILL');
    return this.whenEnded();
  }

  async whenEnded(): Promise<Ended> {
    return within(this.ended, HANG_MS, () => `the broker did not end:\n${this.stdout}\n${this.stderr}`);
  }

  /** Waits until a line of the log satisfies `wanted`. */
  async logged(wanted: (line: LogLine) => boolean): Promise<LogLine> {
    for (const beganMs = performance.now(); ; await delay(20)) {
      const found = this.log.find(wanted);
      if (found !== undefined) return found;
      if (this.isOver || performance.now() - beganMs > HANG_MS) throw new Error(`not logged:\n${this.stderr}`);
    }
  }
}

/** Starts a process without waiting for anything. */
export function spawnBroker(options: BrokerOptions): BrokerProcess {
  const script = options.script ?? join(ROOT, 'dist/bin.js');
  if (!existsSync(join(ROOT, 'dist/bin.js'))) throw new Error('dist/ is missing: run npm run build first');
  const settings = Object.entries({ ...KEEP_OLD, ...NO_HTTP, ...options.settings }).flatMap(([name, value]) => [
    '--set',
    `${name}=${value}`,
  ]);
  const command = [
    ...(options.wrapper ?? []),
    process.execPath,
    script,
    'start',
    '--data-dir',
    options.dataDir,
    ...(options.flags ?? ['--port', '0']),
    ...settings,
  ];
  const child = spawn(command[0] as string, command.slice(1), {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, npm_lifecycle_event: undefined, ...options.env },
  });
  const cleanup = options.cleanup ?? onTestFinished;
  cleanup(() => void child.kill('SIGKILL'));
  return new BrokerProcess(child, options.dataDir);
}

/** Starts a broker and waits until it accepts connections. */
export async function startBroker(options: BrokerOptions): Promise<BrokerProcess> {
  const broker = spawnBroker(options);
  for (const beganMs = performance.now(); !broker.stdout.includes('\n  consume '); await delay(5))
    if (broker.isOver || performance.now() - beganMs > HANG_MS)
      throw new Error(`the broker did not start:\n${broker.stdout}\n${broker.stderr}`);
  return broker;
}

/** Starts a broker that is expected to refuse; resolves with its end. */
export async function startRefused(options: BrokerOptions): Promise<{ ended: Ended; stdout: string; stderr: string }> {
  const broker = spawnBroker(options);
  const ended = await broker.whenEnded();
  return { ended, stdout: broker.stdout, stderr: broker.stderr };
}

export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until `condition` holds; for things that happen soon and tell nobody. */
export async function eventually(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const beganMs = performance.now(); !(await condition()); await delay(20))
    if (performance.now() - beganMs > HANG_MS) throw new Error(`never happened: ${what}`);
}

async function within<T>(promise: Promise<T>, limitMs: number, what: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_, reject) => (timer = setTimeout(() => reject(new Error(what())), limitMs)));
  try {
    return await Promise.race([promise, tooLong]);
  } finally {
    clearTimeout(timer);
  }
}
