/** `ringlog group delete`. */
import type { Command } from 'commander';
import { connected, withConnection, type ConnectionOptions } from '../connection.ts';
import { UsageError } from '../exit.ts';
import { printJson, printLine, type Terminal } from '../terminal.ts';

const EXAMPLES = `
Examples:
  ringlog group delete billing
  ringlog group delete billing --topic orders    only what it committed for one topic

Its consumers have to be stopped. The records stay; a new group of that name begins anew.`;

interface Options extends ConnectionOptions {
  readonly topic?: string;
  readonly json?: boolean;
}

export function addGroupDelete(group: Command, terminal: Terminal): void {
  withConnection(group.command('delete <group...>'))
    .description('Delete groups with all they committed.')
    .option('-t, --topic <topic>', 'forget only what they committed for this topic')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((ids: string[], options: Options) => remove(ids, options, terminal));
}

async function remove(ids: readonly string[], options: Options, terminal: Terminal): Promise<void> {
  const { topic } = options;
  if (topic === '') throw new UsageError('Invalid --topic "": it must be the name of a topic.');
  await connected(options, async (client) => {
    const { deleteGroup, deleteOffsets } = await import('../kafka/groups.ts');
    for (const id of ids) {
      if (topic === undefined) await deleteGroup(client, id);
      else
        await deleteOffsets(
          client,
          id,
          topic,
          (await client.topic(topic)).partitions.map(({ partition }) => partition),
        );
      if (!options.json)
        printLine(terminal, topic === undefined ? `Deleted group ${id}.` : `Group ${id} forgot what it committed for ${topic}.`);
    }
    if (options.json)
      printJson(
        terminal,
        ids.map((id) => ({ group: id, deleted: topic === undefined, ...(topic === undefined ? {} : { topic }) })),
      );
  });
}
