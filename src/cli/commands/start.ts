/** `ringlog start`: its flags. What it does is in ../start.ts, which loads the whole broker. */
import type { Command } from 'commander';
import { collect } from '../values.ts';

const EXAMPLES = `
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
  readonly set?: string[];
}

/** @param stopsWithParent whether the broker has to end when its parent process does */
export function addStart(ringlog: Command, stopsWithParent: boolean): void {
  ringlog
    .command('start')
    .description('Run a broker until it is stopped.')
    .option('-p, --port <port>', 'port to listen on; 0 takes any free one (default 9092)')
    .option('--host <host>', 'address to listen on (default 127.0.0.1)')
    .option('-d, --data-dir <folder>', 'where data lies (default ./data)')
    .option('-s, --set <name=value>', 'any setting; may be given several times', collect)
    .addHelpText('after', EXAMPLES)
    .action(async ({ port, host, dataDir, set }: StartOptions) => {
      const { start } = await import('../start.ts');
      const flags = {
        ...(set === undefined ? {} : { set }),
        ...(port === undefined ? {} : { port }),
        ...(host === undefined ? {} : { host }),
        ...(dataDir === undefined ? {} : { dataDir }),
      };
      process.exitCode = await start(flags, { stopsWithParent });
    });
}
