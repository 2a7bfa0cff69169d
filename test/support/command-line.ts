/** Runs `ringlog` of `dist/` to its end, with something on standard input: what a person types, and what comes back. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll } from 'vitest';
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

/** Runs a command and resolves with how it ended. */
export async function cli(args: readonly string[], input: string | Buffer = ''): Promise<Outcome> {
  const child = spawn(process.execPath, [BIN, ...args], { stdio: 'pipe', timeout: HANG_MS });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => void stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => void stderr.push(chunk));
  child.stdin.on('error', () => undefined); // a command that reads nothing may be gone before it is written
  child.stdin.end(input);
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  const bytes = Buffer.concat(stdout);
  return { code: code ?? (signal as NodeJS.Signals), stdout: bytes.toString(), bytes, stderr: Buffer.concat(stderr).toString() };
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

/** A broker for all tests of a file, and commands that talk to it. Call it in `beforeAll`. */
export async function brokerWithCli(dataDir: string) {
  const broker = await startBroker({ dataDir, cleanup: (kill) => afterAll(kill) });
  return commandsFor(`127.0.0.1:${broker.port}`);
}
