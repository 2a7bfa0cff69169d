/** `ringlog topic list`. */
import type { Command } from 'commander';
import { connected, withConnection, type ConnectionOptions } from '../connection.ts';
import { printJson, printLine, table } from '../terminal.ts';

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

export function addTopicList(topic: Command): void {
  withConnection(topic.command('list'))
    .description('Show the topics.')
    .option('-l, --long', 'with partitions, replicas and records')
    .option('--internal', 'internal topics, too (their names only)')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((options: Options) => list(options));
}

async function list(options: Options): Promise<void> {
  await connected(options, async (client) => {
    const names = await client.topicNames(options.internal);
    if (!options.long) {
      if (options.json) printJson(names.map((topic) => ({ topic })));
      else for (const name of names) printLine(name);
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
    if (options.json) printJson(rows);
    else
      printLine(
        table(
          ['TOPIC', 'PARTITIONS', 'REPLICAS', 'RECORDS'],
          rows.map(({ topic, partitions, replicas, records }) => [topic, partitions, replicas, records]),
        ),
      );
  });
}
