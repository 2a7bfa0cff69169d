#!/usr/bin/env node
/**
 * The command line's entry. It knows the commands and their flags; what a command does is loaded when it is called, so that `ringlog
 * --help` stays quick. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 ended by a second signal.
 */

import { Command, CommanderError } from 'commander';
import { VERSION } from './config/version.ts';

const EXIT_USAGE = 2;

const START_EXAMPLES = `
Examples:
  ringlog start                                        data in ./data, on 127.0.0.1:9092
  ringlog start --port 9192 --data-dir /var/lib/ringlog
  ringlog start --host 0.0.0.0 --set advertised.listeners=PLAINTEXT://broker.example:9092
  ringlog start --set ringlog.durability=page-cache --set num.partitions=4

It runs until Ctrl-C, SIGTERM or SIGHUP; data stays. Every setting is described in docs/CONFIG.md.`;

interface StartOptions {
  readonly port?: string;
  readonly host?: string;
  readonly dataDir?: string;
  readonly httpPort?: string;
  readonly set?: string[];
}

function program(): Command {
  const ringlog = new Command('ringlog');
  ringlog.description('A message queue with the memory of a log; speaks the Apache Kafka protocol.');
  ringlog.version(VERSION, '-V, --version');
  ringlog.exitOverride().configureHelp({ showGlobalOptions: true });
  ringlog
    .command('start')
    .description('Run a broker until it is stopped.')
    .option('-p, --port <port>', 'port to listen on; 0 takes any free one (default 9092)')
    .option('--host <host>', 'address to listen on (default 127.0.0.1)')
    .option('-d, --data-dir <folder>', 'where data lies (default ./data)')
    .option('--http-port <port>', 'port of GET /metrics and GET /health; -1 for none (default 8080)')
    .option('-s, --set <name=value>', 'any setting; may be given several times', (assignment, earlier: string[] | undefined) => [
      ...(earlier ?? []),
      assignment,
    ])
    .addHelpText('after', START_EXAMPLES)
    .exitOverride()
    .action(async ({ port, host, dataDir, httpPort, set }: StartOptions) => {
      const { start } = await import('./cli/start.ts');
      const flags = {
        ...(set === undefined ? {} : { set }),
        ...(port === undefined ? {} : { port }),
        ...(host === undefined ? {} : { host }),
        ...(dataDir === undefined ? {} : { dataDir }),
        ...(httpPort === undefined ? {} : { httpPort }),
      };
      process.exitCode = await start(flags, { stopsWithParent: process.env['npm_lifecycle_event'] !== undefined });
    });
  return ringlog;
}

try {
  await program().parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
}
