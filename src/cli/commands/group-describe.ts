/** `ringlog group describe`. */
import type { Command } from 'commander';
import { connected, withConnection, type ConnectionOptions } from '../connection.ts';
import type { KafkaClient } from '../kafka/client.ts';
import { BrokerRefusedError } from '../kafka/errors.ts';
import { countText, plural, printJson, printLine, table, type Terminal } from '../terminal.ts';

const EXAMPLES = `
Examples:
  ringlog group describe billing             what it committed, how far it lags, who reads what
  ringlog group describe billing --json | jq .lag`;

interface Options extends ConnectionOptions {
  readonly json?: boolean;
}

export function addGroupDescribe(group: Command, terminal: Terminal): void {
  withConnection(group.command('describe <group...>'))
    .description('Show the offsets, lag and members of groups.')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((ids: string[], options: Options) => describe(ids, options, terminal));
}

async function describe(ids: readonly string[], options: Options, terminal: Terminal): Promise<void> {
  await connected(options, async (client) => {
    const described = [];
    for (const id of ids) described.push(await withLag(client, id));
    if (options.json) printJson(terminal, described);
    else printLine(terminal, described.map(asText).join('\n\n'));
  });
}

async function withLag(client: KafkaClient, id: string) {
  const { committedOffsets, describeGroup } = await import('../kafka/groups.ts');
  const group = await describeGroup(client, id);
  const committed = await committedOffsets(client, id);
  const owners = new Map<string, string>();
  for (const { memberId, assigned } of group.members)
    for (const { topic, partitions } of assigned) for (const partition of partitions) owners.set(`${topic}/${partition}`, memberId);
  // What a member reads and nobody has committed yet lags, too.
  const places = new Map<string, { topic: string; partition: number; offset: number | null }>(
    committed.map(({ topic, partition, offset }) => [`${topic}/${partition}`, { topic, partition, offset }]),
  );
  for (const { topic, partitions } of group.members.flatMap(({ assigned }) => assigned))
    for (const partition of partitions)
      if (!places.has(`${topic}/${partition}`)) places.set(`${topic}/${partition}`, { topic, partition, offset: null });
  const offsets = [];
  for (const topic of [...new Set([...places.values()].map((place) => place.topic))].toSorted()) {
    const mine = [...places.values()].filter((place) => place.topic === topic).toSorted((a, b) => a.partition - b.partition);
    const partitions = mine.map(({ partition }) => partition);
    const [starts, ends] = await Promise.all([edges(client, topic, partitions, 'earliest'), edges(client, topic, partitions, 'latest')]);
    for (const { partition, offset } of mine) {
      const end = ends?.get(partition) ?? null;
      const from = offset ?? starts?.get(partition) ?? 0;
      const lag = end === null ? null : Math.max(0, end - from);
      offsets.push({ topic, partition, offset, end, lag, member: owners.get(`${topic}/${partition}`) ?? null });
    }
  }
  return { ...group, lag: offsets.reduce((sum, { lag }) => sum + (lag ?? 0), 0), offsets };
}

/** Null when there is no such topic any more: a group remembers what it committed for longer than that. */
async function edges(client: KafkaClient, topic: string, partitions: readonly number[], wish: 'earliest' | 'latest') {
  try {
    return await client.offsets(topic, partitions, wish);
  } catch (error) {
    if (error instanceof BrokerRefusedError && error.code === 'UNKNOWN_TOPIC_OR_PARTITION') return null;
    throw error;
  }
}

function asText({ id, state, assignor, members, lag, offsets }: Awaited<ReturnType<typeof withLag>>): string {
  const head = `${id}: ${state}, ${plural(members.length, 'member')}, lag ${countText(lag)}${assignor === '' ? '' : `, assignor ${assignor}`}`;
  const places = offsets.map((place) => [
    place.topic,
    place.partition,
    place.offset ?? '-',
    place.end ?? '-',
    place.lag ?? '-',
    place.member ?? '-',
  ]);
  const people = members.map(({ memberId, instanceId, clientId, host, assigned }) => [
    memberId,
    instanceId ?? '-',
    clientId,
    host,
    assigned.map(({ topic, partitions }) => `${topic}:${partitions.join(',')}`).join(' ') || '-',
  ]);
  return [
    head,
    ...(places.length === 0 ? ['No committed offsets.'] : [table(['TOPIC', 'PARTITION', 'OFFSET', 'END', 'LAG', 'MEMBER'], places)]),
    ...(people.length === 0 ? [] : [table(['MEMBER', 'INSTANCE', 'CLIENT', 'HOST', 'READS'], people)]),
  ].join('\n');
}
