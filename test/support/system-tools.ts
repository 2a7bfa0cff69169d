/** What some tests need of the machine, and a loud word where it is missing. */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, statfsSync, writeSync } from 'node:fs';
import type { TestContext } from 'vitest';

/** Ends the test as skipped, and says so where everybody sees it. */
export function skipLoudly(context: TestContext, why: string): never {
  process.stderr.write(`\n*** SKIPPED: ${context.task.name}: ${why}\n\n`);
  return context.skip(why);
}

/** Mounts a file system of `bytes` at `folder`, unmounted at the end of the test. Skips where that is not allowed. */
export function mountSmall(context: TestContext, folder: string, bytes: number): void {
  const { status, stderr, error } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder], { encoding: 'utf8' });
  if (status !== 0) skipLoudly(context, `cannot mount a small file system: ${error?.message ?? stderr.trim()}`);
  context.onTestFinished(() => void spawnSync('umount', ['-l', folder]));
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

/** The command that runs another one under strace with this injection; the other one keeps the process id. Skips where strace cannot. */
export function strace(context: TestContext, injection: string): string[] {
  const command = ['strace', '-D', '-f', '-qq', '-o', '/dev/null', '-e', 'trace=fdatasync', '-e', `inject=fdatasync:${injection}`];
  const { status, stderr, error } = spawnSync(command[0] as string, [...command.slice(1), 'true'], { encoding: 'utf8' });
  if (status !== 0) skipLoudly(context, `strace cannot inject here: ${error?.message ?? stderr.trim()}`);
  return command;
}
