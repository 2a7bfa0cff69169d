/** What some tests need of the machine, and a loud word where it is missing. */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, statfsSync, writeSync } from 'node:fs';
import type { TestContext } from 'vitest';

/** Ends the test as skipped, and says so where everybody sees it. In CI nothing is skipped: there it is a failure. */
export function skipLoudly(context: TestContext, why: string): never {
  if ((process.env['CI'] ?? '') !== '') throw new Error(`${why} (in CI everything has to run)`);
  process.stderr.write(`\n*** SKIPPED: ${context.task.name}: ${why}\n\n`);
  return context.skip(why);
}

/** Mounts a file system of `bytes` at `folder`, unmounted at the end of the test. Skips where that is not allowed, not even by a sudo that asks nothing. */
export function mountSmall(context: TestContext, folder: string, bytes: number): void {
  const asRoot = (...command: string[]) => {
    const [program, ...args] = process.getuid?.() === 0 ? command : ['sudo', '-n', ...command];
    return spawnSync(program as string, args, { encoding: 'utf8' });
  };
  const { status, stderr, error } = asRoot('mount', '-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder);
  if (status !== 0) skipLoudly(context, `cannot mount a small file system: ${error?.message ?? stderr.trim()}`);
  context.onTestFinished(() => void asRoot('umount', '-l', folder));
}

/** Writes a file until its file system has no more than `leave` bytes free. */
export function fillDisk(path: string, leave = 0): void {
  const file = openSync(path, 'a');
  const piece = Buffer.alloc(64 * 1024, 0x11);
  try {
    for (;;) {
      const { bavail, bsize } = statfsSync(path);
      const bytes = Math.min(piece.length, bavail * bsize - leave);
      if (bytes <= 0) return;
      writeSync(file, piece, 0, bytes);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  } finally {
    closeSync(file);
  }
}

/** Runs kcat, a client on librdkafka, and gives what it printed. Skips where it is not installed. */
export function kcat(context: TestContext, args: readonly string[], input = ''): string {
  const { status, stdout, stderr, error } = spawnSync('kcat', args, { encoding: 'utf8', input });
  if (error !== undefined && 'code' in error && error.code === 'ENOENT')
    skipLoudly(context, 'kcat is not installed (Debian: apt-get install kcat)');
  if (status !== 0) throw error ?? new Error(`kcat ${args.join(' ')} ended with ${status}: ${stderr}`);
  return stdout;
}

/** The command that runs another one under strace with this injection; the other one keeps the process id. Skips where strace cannot. */
export function strace(context: TestContext, injection: string): string[] {
  const command = ['strace', '-D', '-f', '-qq', '-o', '/dev/null', '-e', 'trace=fdatasync', '-e', `inject=fdatasync:${injection}`];
  const { status, stderr, error } = spawnSync(command[0] as string, [...command.slice(1), 'true'], { encoding: 'utf8' });
  if (status !== 0) skipLoudly(context, `strace cannot inject here: ${error?.message ?? stderr.trim()}`);
  return command;
}

/** Ends the strace that watches process `pid`, now or when the test is over: it would wait for its own delays, also for a process that is dead. */
export function tracerOf(context: TestContext, pid: number): () => void {
  const tracer = Number(/^TracerPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  if (!(tracer > 0)) throw new Error(`nobody traces process ${pid}`);
  const end = (): void => {
    try {
      process.kill(tracer, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  };
  context.onTestFinished(end);
  return end;
}
