#!/usr/bin/env node
/** The command line's entry. */

import { endQuietlyOnBrokenPipe, processTerminal } from './cli/process-terminal.ts';
import { run } from './cli/run.ts';

endQuietlyOnBrokenPipe();
process.exitCode = await run(process.argv.slice(2), processTerminal(process.env));
