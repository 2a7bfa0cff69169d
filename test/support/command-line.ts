/** Runs `ringlog` of `dist/` to its end, with something on standard input: what a person types, and what comes back. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBroker } from './broker-process.ts';
import { HANG_MS } from './limits.ts';

const BIN = join(import.meta.dirname, '../../dist/bin.js');

export interface Outcome {
  /** Exit code, or the signal that ended it. */
  readonly code: number | NodeJS.Signals;
  readonly stdout: string;
  readonly bytes: Buffer;
  readonly stderr: string;
}

/** Starts a command whose standard input stays open. */
export function startCli(args: readonly string[]) {
  const child = spawn(process.execPath, [BIN, ...args], { stdio: 'pipe', timeout: HANG_MS });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => void stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => void stderr.push(chunk));
  child.stdin.on('error', () => undefined); // a command that reads nothing may be gone before it is written
  const ended = once(child, 'close').then(([code, signal]: (number | NodeJS.Signals | null)[]): Outcome => {
    const bytes = Buffer.concat(stdout);
    return { code: code ?? (signal as NodeJS.Signals), stdout: bytes.toString(), bytes, stderr: Buffer.concat(stderr).toString() };
  });
  return { child, ended };
}

/** Runs a command and resolves with how it ended. */
export async function cli(args: readonly string[], input: string | Buffer = ''): Promise<Outcome> {
  const { child, ended } = startCli(args);
  child.stdin.end(input);
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
  return { bootstrap, ok, json, run };
}

/** A broker for all tests of a file, and commands that talk to it. Call it in `beforeAll`, and return `stop` from there. */
export async function brokerWithCli() {
  const dataDir = mkdtempSync(join(tmpdir(), 'ringlog-test-'));
  const ends: (() => void)[] = [() => rmSync(dataDir, { recursive: true, force: true })];
  const broker = await startBroker({ dataDir, cleanup: (kill) => ends.unshift(kill) });
  const stop = async (): Promise<void> => {
    await broker.kill();
    for (const end of ends) end();
  };
  return { ...commandsFor(`127.0.0.1:${broker.port}`), stop };
}
