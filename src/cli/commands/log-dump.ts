/** `ringlog log dump`. */
import type { Command } from 'commander';
import { withDataDir, type FolderOptions } from '../offline/option.ts';
import type { Terminal } from '../terminal.ts';
import { integer } from '../values.ts';

const EXAMPLES = `
Examples:
  ringlog log dump --data-dir /var/lib/ringlog --topic orders
  ringlog log dump --topic orders --partition 3 --from 4200 --count 10
  ringlog log dump --topic orders --records            the records, too
  ringlog log dump --topic orders --records --json     one JSON object a line

It needs the broker stopped, and changes nothing. A batch that cannot be read is told of where it lies.`;

interface Options extends FolderOptions {
  readonly topic: string;
  readonly partition: number;
  readonly from?: number;
  readonly count: number;
  readonly records?: boolean;
  readonly json?: boolean;
}

export function addLogDump(log: Command, terminal: Terminal): void {
  withDataDir(log.command('dump'))
    .description('Print the batches of a partition as they lie on disk.')
    .requiredOption('-t, --topic <topic>', 'topic')
    .option('-p, --partition <number>', 'partition', integer(0, 1_000_000), 0)
    .option('-o, --from <offset>', 'from the batch with this offset on', integer(0, Number.MAX_SAFE_INTEGER))
    .option('-n, --count <count>', 'so many batches', integer(1, Number.MAX_SAFE_INTEGER), Infinity)
    .option('-r, --records', 'the records of each batch')
    .option('--json', 'print JSON, an object a line')
    .addHelpText('after', EXAMPLES)
    .action(async (options: Options) => {
      const [{ withFolder }, { dumpPartition }] = await Promise.all([import('../offline/folder.ts'), import('../offline/dump.ts')]);
      await withFolder(options.dataDir, (folder) => dumpPartition(folder, options, terminal));
    });
}
