/** `ringlog topic list`. */
import type { Command } from 'commander';
import { connected, withConnection, type ConnectionOptions } from '../connection.ts';
import { printJson, printLine, table, type Terminal } from '../terminal.ts';

const EXAMPLES = `
Examples:
  ringlog topic list
  ringlog topic list --long                  with partitions and records
  ringlog topic list --json | jq -r '.[].topic'`;

interface Options extends ConnectionOptions {
  readonly long?: boolean;
  readonly internal?: boolean;
  readonly json?: boolean;
}

export function addTopicList(topic: Command, terminal: Terminal): void {
  withConnection(topic.command('list'))
    .description('Show the topics.')
    .option('-l, --long', 'with partitions, replicas and records')
    .option('--internal', 'internal topics, too (their names only)')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((options: Options) => list(options, terminal));
}

async function list(options: Options, terminal: Terminal): Promise<void> {
  await connected(options, async (client) => {
    const names = await client.topicNames(options.internal);
    if (!options.long) {
      if (options.json)
        printJson(
          terminal,
          names.map((topic) => ({ topic })),
        );
      else for (const name of names) printLine(terminal, name);
      return;
    }
    const isPublic = new Set(await client.topicNames());
    const rows = [];
    for (const topic of await client.topics(names.filter((name) => isPublic.has(name)))) {
      const all = topic.partitions.map(({ partition }) => partition);
      const [starts, ends] = await Promise.all([client.offsets(topic.name, all, 'earliest'), client.offsets(topic.name, all, 'latest')]);
      const records = all.reduce((sum, partition) => sum + (ends.get(partition) ?? 0) - (starts.get(partition) ?? 0), 0);
      rows.push({ topic: topic.name, partitions: all.length, replicas: topic.partitions[0]?.replicas.length ?? 0, records });
    }
    if (options.json) printJson(terminal, rows);
    else
      printLine(
        terminal,
        table(
          ['TOPIC', 'PARTITIONS', 'REPLICAS', 'RECORDS'],
          rows.map(({ topic, partitions, replicas, records }) => [topic, partitions, replicas, records]),
        ),
      );
  });
}
