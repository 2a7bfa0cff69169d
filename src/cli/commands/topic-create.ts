/** `ringlog topic create`. */
import type { Command } from 'commander';
import { connected, withConnection, type ConnectionOptions } from '../connection.ts';
import { BrokerRefusedError } from '../kafka/errors.ts';
import { plural, printJson, printLine, type Terminal } from '../terminal.ts';
import { assignments, integer } from '../values.ts';

const EXAMPLES = `
Examples:
  ringlog topic create orders
  ringlog topic create orders --partitions 4 --set retention.ms=86400000
  ringlog topic create clicks --set ringlog.durability=page-cache
  ringlog topic create orders --if-not-exists`;

interface Options extends ConnectionOptions {
  readonly partitions?: number;
  readonly replicationFactor?: number;
  readonly set?: ReadonlyMap<string, string>;
  readonly ifNotExists?: boolean;
  readonly json?: boolean;
}

export function addTopicCreate(topic: Command, terminal: Terminal): void {
  withConnection(topic.command('create <topic>'))
    .description('Make a topic.')
    .option('-p, --partitions <count>', "how many partitions (default: the broker's num.partitions)", integer(1, 100_000))
    .option('-r, --replication-factor <count>', "copies of each partition (default: the broker's)", integer(1, 1000))
    .option('-s, --set <name=value>', 'a setting of the topic; may be given several times', assignments)
    .option('--if-not-exists', 'do nothing when there is such a topic already')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((name: string, options: Options) => create(name, options, terminal));
}

async function create(name: string, options: Options, terminal: Terminal): Promise<void> {
  const { partitions = -1, replicationFactor = -1, set: settings = new Map<string, string>(), ifNotExists = false } = options;
  await connected(options, async (client) => {
    let created = true;
    let count: number;
    try {
      count = await client.createTopic({ name, partitions, replicationFactor, settings });
    } catch (error) {
      if (!ifNotExists || !(error instanceof BrokerRefusedError) || error.code !== 'TOPIC_ALREADY_EXISTS') throw error;
      created = false;
      count = (await client.topic(name)).partitions.length;
    }
    if (options.json) printJson(terminal, { topic: name, created, partitions: count });
    else printLine(terminal, created ? `Made topic ${name} with ${plural(count, 'partition')}.` : `Topic ${name} is there already.`);
  });
}
