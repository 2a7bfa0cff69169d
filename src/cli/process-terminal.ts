/** The terminal that this process has: its own streams, its environment, and signals. */
import { EXIT_INTERRUPTED, EXIT_OK, isBrokenPipe } from './exit.ts';
import type { Terminal } from './terminal.ts';

/** @param environment of the process: only its entry looks at it */
export function processTerminal(environment: NodeJS.ProcessEnv): Terminal {
  return {
    get stdin() {
      return process.stdin;
    },
    stdout: process.stdout,
    stderr: process.stderr,
    environment,
    exitCode: EXIT_OK,
    interruption,
  };
}

/** A second signal ends the process at once. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(EXIT_INTERRUPTED);
      controller.abort();
    });
  return controller.signal;
}

/** Whoever read our output has had enough: the process ends as if all were done. */
export function endQuietlyOnBrokenPipe(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', endQuietly);
}

/**
 * For what has more to do than to print: that nobody reads its output any more, or that the file it goes to is on a full disk, is no reason to end, least of all
 * without having stopped in order.
 */
export function goOnWithoutOutput(): void {
  for (const stream of [process.stdout, process.stderr]) stream.off('error', endQuietly).on('error', () => undefined);
}

function endQuietly(error: Error): void {
  if (!isBrokenPipe(error)) throw error;
  process.exit(EXIT_OK);
}
