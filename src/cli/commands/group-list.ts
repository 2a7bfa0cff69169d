/** `ringlog group list`. */
import type { Command } from 'commander';
import { connected, withConnection, type ConnectionOptions } from '../connection.ts';
import { printJson, printLine, table, type Terminal } from '../terminal.ts';

const EXAMPLES = `
Examples:
  ringlog group list
  ringlog group list --json | jq -r '.[].id'`;

interface Options extends ConnectionOptions {
  readonly json?: boolean;
}

export function addGroupList(group: Command, terminal: Terminal): void {
  withConnection(group.command('list'))
    .description('Show the consumer groups.')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((options: Options) => list(options, terminal));
}

async function list(options: Options, terminal: Terminal): Promise<void> {
  const { listGroups } = await import('../kafka/groups.ts');
  const groups = await connected(options, listGroups);
  if (options.json) printJson(terminal, groups);
  else
    printLine(
      terminal,
      table(
        ['GROUP', 'STATE', 'PROTOCOL'],
        groups.map(({ id, state, protocolType }) => [id, state, protocolType]),
      ),
    );
}
