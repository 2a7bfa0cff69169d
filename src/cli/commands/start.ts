/** `ringlog start`: its flags. What it does is in ../start.ts, which loads the whole broker. */
import type { Command } from 'commander';
import type { Terminal } from '../terminal.ts';
import { collect, integer } from '../values.ts';

const EXAMPLES = `
Examples:
  ringlog start                                        data in ./data, on 127.0.0.1:9092
  ringlog start --port 9192 --data-dir /var/lib/ringlog
  ringlog start --host 0.0.0.0 --set advertised.listeners=PLAINTEXT://broker.example:9092
  ringlog start --set ringlog.durability=page-cache --set num.partitions=4
  ringlog start --config ringlog.yaml                  settings by name, e.g. num.partitions: 4
  RINGLOG_NUM_PARTITIONS=4 ringlog start               the same from the environment

Flags win over the environment, the environment over the file. It runs until Ctrl-C, SIGTERM or SIGHUP; data stays. Every setting is described in
docs/CONFIG.md.`;

interface StartOptions {
  readonly port?: string;
  readonly host?: string;
  readonly dataDir?: string;
  readonly httpPort?: string;
  readonly config?: string;
  readonly set?: string[];
  readonly parent?: number;
}

/** The largest number that any system gives to a process. */
const PID_MAX = 2 ** 32 - 1;

export function addStart(ringlog: Command, terminal: Terminal): void {
  ringlog
    .command('start')
    .description('Run a broker until it is stopped.')
    .option('-p, --port <port>', 'port to listen on; 0 takes any free one (default 9092)')
    .option('--host <host>', 'address to listen on (default 127.0.0.1)')
    .option('-d, --data-dir <folder>', 'where data lies (default ./data)')
    .option('--http-port <port>', 'port of GET /metrics and GET /health; -1 for none (default 8080)')
    .option('-c, --config <file>', 'settings from a YAML or JSON file (default: the one that RINGLOG_CONFIG names, if any)')
    .option('-s, --set <name=value>', 'any setting; may be given several times', collect)
    .option('--parent <pid>', 'stop when this process, which has to be the one that starts the broker, is gone', integer(1, PID_MAX))
    .addHelpText('after', EXAMPLES)
    .action(async ({ port, host, dataDir, httpPort, config, set, parent }: StartOptions) => {
      // What takes its time on another processor begins before the rest is loaded.
      const { EarlyShards } = await import('../../main/early-shards.ts');
      const early = new EarlyShards();
      const { start } = await import('../start.ts');
      const flags = {
        ...(config === undefined ? {} : { config }),
        ...(set === undefined ? {} : { set }),
        ...(port === undefined ? {} : { port }),
        ...(host === undefined ? {} : { host }),
        ...(dataDir === undefined ? {} : { dataDir }),
        ...(httpPort === undefined ? {} : { httpPort }),
      };
      const { environment } = terminal;
      // npm does not pass SIGTERM on, and its shell may outlive it.
      const underNpm = environment['npm_lifecycle_event'] !== undefined;
      terminal.exitCode = await start(flags, { environment, early, stopsWith: parent ?? (underNpm ? 'npm' : 'nobody') });
    });
}
