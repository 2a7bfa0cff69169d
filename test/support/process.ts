/** Runs `ringlog` from `dist/` as a process of its own, as a person would. */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

const bin = join(import.meta.dirname, '../../dist/bin.js');

export interface RunningProcess {
  readonly child: ChildProcess;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Resolves once standard output holds `text`; rejects when the process ends before. */
  until(text: string | RegExp): Promise<RegExpMatchArray>;
  /** Resolves with the exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
}

/** Starts a command; it is killed at the end of the test if it still runs. */
export function run(command: string, args: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): RunningProcess {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  onTestFinished(() => void child.kill('SIGKILL'));
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => void (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (stderr += text));
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals);
  const until = async (text: string | RegExp): Promise<RegExpMatchArray> => {
    const pattern = typeof text === 'string' ? new RegExp(text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)) : text;
    for (;;) {
      const match = pattern.exec(stdout);
      if (match !== null) return match;
      const more = await Promise.race([once(child.stdout, 'data').then(() => true), ended.then(() => false)]);
      if (!more && !pattern.test(stdout)) throw new Error(`ended before ${pattern}:\n${stdout}${stderr}`);
    }
  };
  return { child, stdout: () => stdout, stderr: () => stderr, until, ended };
}

/** `ringlog` with these arguments. */
export function ringlog(...args: string[]): RunningProcess {
  return run(process.execPath, [bin, ...args]);
}
