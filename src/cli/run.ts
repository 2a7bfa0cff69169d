/** Runs one command from its words to its exit code. */
import { failed } from './exit.ts';
import { program } from './program.ts';
import type { Terminal } from './terminal.ts';

/**
 * Resolves with the exit code. What a person did wrong is printed; anything else is a bug, and thrown.
 * @param words what stands behind `ringlog` on the command line
 */
export async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  try {
    await program(terminal).parseAsync(words, { from: 'user' });
    return terminal.exitCode;
  } catch (error) {
    return failed(error, terminal);
  }
}
