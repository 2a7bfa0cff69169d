/** `ringlog topic describe`. */
import type { Command } from 'commander';
import { connected, withConnection, type ConnectionOptions } from '../connection.ts';
import type { KafkaClient } from '../kafka/client.ts';
import { bytesText, printJson, printLine, table, type Terminal } from '../terminal.ts';

const EXAMPLES = `
Examples:
  ringlog topic describe orders              partitions, offsets, what was set for it
  ringlog topic describe orders --all        every setting, also those by default
  ringlog topic describe orders --json`;

interface Options extends ConnectionOptions {
  readonly all?: boolean;
  readonly json?: boolean;
}

export function addTopicDescribe(topic: Command, terminal: Terminal): void {
  withConnection(topic.command('describe <topic...>'))
    .description('Show the partitions and settings of topics.')
    .option('-a, --all', 'every setting, also those by default')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((names: string[], options: Options) => describe(names, options, terminal));
}

async function describe(names: readonly string[], options: Options, terminal: Terminal): Promise<void> {
  await connected(options, async (client) => {
    const described = [];
    for (const name of names) described.push(await describeTopic(client, name, options.all ?? false));
    if (options.json) printJson(terminal, described);
    else printLine(terminal, described.map(asText).join('\n\n'));
  });
}

async function describeTopic(client: KafkaClient, name: string, withDefaults: boolean) {
  const topic = await client.topic(name);
  const all = topic.partitions.map(({ partition }) => partition);
  const [starts, ends, sizes, settings] = await Promise.all([
    client.offsets(name, all, 'earliest'),
    client.offsets(name, all, 'latest'),
    client.topicBytes(topic),
    client.topicSettings(name),
  ]);
  const partitions = topic.partitions.map(({ partition, leader, replicas, isr }) => ({
    partition,
    leader,
    replicas,
    isr,
    startOffset: starts.get(partition) ?? -1,
    endOffset: ends.get(partition) ?? -1,
    bytes: sizes.get(partition) ?? null,
  }));
  const shown = settings.filter(({ own }) => own || withDefaults);
  return { topic: name, id: topic.id, partitions, settings: Object.fromEntries(shown.map(({ name: key, value }) => [key, value])) };
}

function asText({ topic, id, partitions, settings }: Awaited<ReturnType<typeof describeTopic>>): string {
  const rows = partitions.map(({ partition, leader, replicas, isr, startOffset, endOffset, bytes }) => [
    partition,
    leader,
    replicas.join(','),
    isr.join(','),
    startOffset,
    endOffset,
    endOffset - startOffset,
    bytes === null ? '-' : bytesText(bytes),
  ]);
  const set = Object.entries(settings).map(([name, value]) => `  ${name}=${value ?? ''}`);
  return [
    `${topic} (id ${id})`,
    table(['PARTITION', 'LEADER', 'REPLICAS', 'IN SYNC', 'START', 'END', 'RECORDS', 'SIZE'], rows),
    ...(set.length === 0 ? ['All settings at their default.'] : ['Settings:', ...set]),
  ].join('\n');
}
