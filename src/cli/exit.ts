/** How a command ends: its exit code, and what it says when it fails. */
import { CommanderError } from 'commander';
import { ConfigError } from '../config/errors.ts';
import { UserError } from '../lib/user-error.ts';
import { printNotice, type Terminal } from './terminal.ts';

export const EXIT_OK = 0;
/** What was asked for could not be done, or something is wrong. */
export const EXIT_FAILED = 1;
/** The command was called wrongly; nothing was done. */
export const EXIT_USAGE = 2;
/** Ended by a signal before its work was done. */
export const EXIT_INTERRUPTED = 130;

/** A command was called wrongly: a bad value, or options that do not go together. `message` names option and value, and says what would be right. */
export class UsageError extends UserError {
  override name = 'UsageError';
}

/** The exit code for what a command threw. Prints a mistake that a person can put right in one line; anything else is a bug, and is thrown again. */
export function failed(error: unknown, terminal: Terminal): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_OK : EXIT_USAGE; // it has printed its words itself
  if (isBrokenPipe(error)) return EXIT_OK;
  if (!(error instanceof UserError)) throw error;
  printNotice(terminal, error.message);
  return error instanceof UsageError || error instanceof ConfigError ? EXIT_USAGE : EXIT_FAILED;
}

/** Whether whoever read our output has had enough (`| head`): no failure, and nothing to say. */
export function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === 'EPIPE';
}
