#!/usr/bin/env node
/** The command line's entry. */

import { endQuietlyOnBrokenPipe, failed } from './cli/exit.ts';
import { program } from './cli/program.ts';

endQuietlyOnBrokenPipe();
try {
  await program({ stopsWithParent: process.env['npm_lifecycle_event'] !== undefined }).parseAsync();
} catch (error) {
  process.exitCode = failed(error);
}
