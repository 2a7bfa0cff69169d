/**
 * `ringlog` of `dist/`, with something on standard input: what a person types, and what comes back. Most commands run right here, with streams of the test: the
 * program that `dist/bin.js` runs, without a process for each. What only a process has (signals, its exit code, a pipe that breaks) is in cli-process.test.ts.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { onTestFinished } from 'vitest';
import type * as Cli from '../../src/cli/run.ts';
import type { Terminal } from '../../src/cli/terminal.ts';
import { startBroker } from './broker-process.ts';

const ENTRY = pathToFileURL(join(import.meta.dirname, '../../build/cli/run.js')).href;

export interface Outcome {
  /** Exit code. */
  readonly code: number;
  readonly stdout: string;
  readonly bytes: Buffer;
  readonly stderr: string;
}

/** Keeps what is written to it. */
class Kept extends Writable {
  readonly #chunks: Buffer[] = [];

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#chunks.push(chunk);
    done();
    this.emit('kept');
  }

  bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}

/** A command that runs, as its terminal sees it. */
export interface RunningCommand {
  readonly stdin: PassThrough;
  /** What it printed so far. */
  readonly stdout: () => string;
  /** The first Ctrl-C. */
  readonly interrupt: () => void;
  /** Resolves once standard output holds `text`; rejects when the command ends before. */
  until(text: string): Promise<void>;
  readonly isOver: () => boolean;
  readonly ended: Promise<Outcome>;
}

/** Starts a command whose standard input stays open; it is interrupted at the end of the test if it still runs. */
export function startCli(words: readonly string[]): RunningCommand {
  const command = launch(words);
  onTestFinished(() => command.interrupt());
  return command;
}

function launch(words: readonly string[]): RunningCommand {
  const stdin = new PassThrough();
  const stdout = new Kept();
  const stderr = new Kept();
  const interruption = new AbortController();
  const terminal: Terminal = { stdin, stdout, stderr, environment: {}, exitCode: 0, interruption: () => interruption.signal };
  let over = false;
  const outcome = async (): Promise<Outcome> => {
    try {
      const { run } = (await import(ENTRY)) as typeof Cli;
      const code = await run(words, terminal);
      const bytes = stdout.bytes();
      return { code, stdout: bytes.toString(), bytes, stderr: stderr.bytes().toString() };
    } finally {
      over = true;
      stdout.emit('kept');
    }
  };
  const ended = outcome();
  ended.catch(() => undefined); // thrown where it is awaited
  const until = async (text: string): Promise<void> => {
    while (!stdout.bytes().includes(text)) {
      if (over) throw new Error(`ringlog ${words.join(' ')} ended before ${JSON.stringify(text)}: ${JSON.stringify(await ended)}`);
      await new Promise((resolve) => stdout.once('kept', resolve));
    }
  };
  return {
    stdin,
    stdout: () => stdout.bytes().toString(),
    interrupt: () => interruption.abort(),
    until,
    isOver: () => over,
    ended,
  };
}

/** Runs a command and resolves with how it ended. */
export async function cli(words: readonly string[], input: string | Buffer = ''): Promise<Outcome> {
  const { stdin, ended } = launch(words);
  stdin.end(input);
  return ended;
}

/** Commands that talk to the broker at `bootstrap`. */
export function commandsFor(bootstrap: string) {
  /** A command that has to end well; resolves with what it printed. */
  const ok = async (args: readonly string[], input: string | Buffer = ''): Promise<string> => {
    const outcome = await cli([...args, '-b', bootstrap], input);
    if (outcome.code !== 0) throw new Error(`ringlog ${args.join(' ')} ended with ${outcome.code}:\n${outcome.stdout}${outcome.stderr}`);
    return outcome.stdout;
  };
  const json = async <T>(args: readonly string[], input: string | Buffer = ''): Promise<T> =>
    JSON.parse(await ok([...args, '--json'], input)) as T;
  const run = (args: readonly string[], input: string | Buffer = ''): Promise<Outcome> => cli([...args, '-b', bootstrap], input);
  const start = (args: readonly string[]): RunningCommand => startCli([...args, '-b', bootstrap]);
  return { bootstrap, ok, json, run, start };
}

/** A broker for all tests of a file, and commands that talk to it. Call it in `beforeAll`, and return `stop` from there. */
export async function brokerWithCli(settings: Readonly<Record<string, string | number>> = {}) {
  const dataDir = mkdtempSync(join(tmpdir(), 'ringlog-test-'));
  const ends: (() => void)[] = [() => rmSync(dataDir, { recursive: true, force: true })];
  const broker = await startBroker({ dataDir, settings, cleanup: (kill) => ends.unshift(kill) });
  const stop = async (): Promise<void> => {
    await broker.kill();
    for (const end of ends) end();
  };
  return { ...commandsFor(`127.0.0.1:${broker.port}`), stop };
}
