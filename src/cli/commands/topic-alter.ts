/** `ringlog topic alter`. */
import type { Command } from 'commander';
import { connected, withConnection, type ConnectionOptions } from '../connection.ts';
import { UsageError } from '../exit.ts';
import { printJson, printLine, type Terminal } from '../terminal.ts';
import { assignments, collect, integer } from '../values.ts';

const EXAMPLES = `
Examples:
  ringlog topic alter orders --set retention.ms=3600000 --unset segment.bytes
  ringlog topic alter orders --partitions 8

Partitions can be added, never taken away; keys then go to other partitions than before.`;

interface Options extends ConnectionOptions {
  readonly set?: ReadonlyMap<string, string>;
  readonly unset?: readonly string[];
  readonly partitions?: number;
  readonly json?: boolean;
}

export function addTopicAlter(topic: Command, terminal: Terminal): void {
  withConnection(topic.command('alter <topic>'))
    .description('Change settings of a topic, or give it more partitions.')
    .option('-s, --set <name=value>', 'a setting; may be given several times', assignments)
    .option('-u, --unset <name>', 'a setting to put back to its default; may be given several times', collect)
    .option('-p, --partitions <count>', 'how many partitions it shall have', integer(1, 100_000))
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((name: string, options: Options) => alter(name, options, terminal));
}

async function alter(name: string, options: Options, terminal: Terminal): Promise<void> {
  const { set = new Map<string, string>(), unset = [], partitions } = options;
  if (set.size + unset.length === 0 && partitions === undefined)
    throw new UsageError('topic alter: nothing to change. Give --set name=value, --unset name or --partitions count.');
  await connected(options, async (client) => {
    if (set.size + unset.length > 0) await client.alterTopicSettings(name, set, unset);
    if (partitions !== undefined) await client.growTopic(name, partitions);
    if (options.json)
      printJson(terminal, { topic: name, set: Object.fromEntries(set), unset, ...(partitions === undefined ? {} : { partitions }) });
    else printLine(terminal, `Changed topic ${name}.`);
  });
}
