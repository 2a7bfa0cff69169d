/** `ringlog topic delete`. */
import type { Command } from 'commander';
import { connected, withConnection, type ConnectionOptions } from '../connection.ts';
import { BrokerRefusedError } from '../kafka/errors.ts';
import { printJson, printLine, type Terminal } from '../terminal.ts';

const EXAMPLES = `
Examples:
  ringlog topic delete orders
  ringlog topic delete orders clicks --if-exists

The records go with the topic, at once and for good.`;

interface Options extends ConnectionOptions {
  readonly ifExists?: boolean;
  readonly json?: boolean;
}

export function addTopicDelete(topic: Command, terminal: Terminal): void {
  withConnection(topic.command('delete <topic...>'))
    .description('Delete topics with all their records.')
    .option('--if-exists', 'do nothing about one that is not there')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((names: string[], options: Options) => remove(names, options, terminal));
}

async function remove(names: readonly string[], options: Options, terminal: Terminal): Promise<void> {
  await connected(options, async (client) => {
    const done = [];
    for (const topic of names) {
      let deleted = true;
      try {
        await client.deleteTopic(topic);
      } catch (error) {
        if (!options.ifExists || !(error instanceof BrokerRefusedError) || error.code !== 'UNKNOWN_TOPIC_OR_PARTITION') throw error;
        deleted = false;
      }
      done.push({ topic, deleted });
      if (!options.json) printLine(terminal, deleted ? `Deleted topic ${topic}.` : `There is no topic ${topic}.`);
    }
    if (options.json) printJson(terminal, done);
  });
}
