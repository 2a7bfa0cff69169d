/** `ringlog group reset`. */
import type { Command } from 'commander';
import { UserError } from '../../lib/user-error.ts';
import { connected, withConnection, type ConnectionOptions } from '../connection.ts';
import { UsageError } from '../exit.ts';
import type { KafkaClient } from '../kafka/client.ts';
import { printJson, printLine, table, type Terminal } from '../terminal.ts';
import { collect, integer, integers, moment } from '../values.ts';

const EXAMPLES = `
Examples:
  ringlog group reset billing --topic orders --to-beginning             shows what it would do
  ringlog group reset billing --topic orders --to-beginning --execute   does it
  ringlog group reset billing --topic orders --to-time 2h --execute
  ringlog group reset billing --topic orders --partition 3 --to-offset 4200 --execute
  ringlog group reset billing --shift-by -100 --execute                 every topic it committed for

Its consumers have to be stopped.`;

interface Options extends ConnectionOptions {
  readonly topic?: readonly string[];
  readonly partition?: readonly number[];
  readonly toBeginning?: boolean;
  readonly toEnd?: boolean;
  readonly toOffset?: number;
  readonly toTime?: number;
  readonly shiftBy?: number;
  readonly execute?: boolean;
  readonly json?: boolean;
}

interface Move {
  readonly topic: string;
  readonly partition: number;
  readonly from: number | null;
  readonly to: number;
}

export function addGroupReset(group: Command, terminal: Terminal): void {
  const anywhere = integer(-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  withConnection(group.command('reset <group>'))
    .description('Move what a group has committed.')
    .option('-t, --topic <topic>', 'topic; may be given several times (default: those it committed for)', collect)
    .option('-p, --partition <number>', 'only these partitions; several with commas between them', integers(0, 1_000_000))
    .option('--to-beginning', 'to the oldest record')
    .option('--to-end', 'behind the newest record')
    .option('--to-offset <offset>', 'to an offset', integer(0, Number.MAX_SAFE_INTEGER))
    .option('--to-time <time>', 'to the first record from a time on: a date, ms since 1970, or how long ago (10m)', moment)
    .option('--shift-by <count>', 'so many records on, or back', anywhere)
    .option('--execute', 'do it; without this it is only shown')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((id: string, options: Options) => reset(id, options, terminal));
}

async function reset(id: string, options: Options, terminal: Terminal): Promise<void> {
  const { toBeginning, toEnd, toOffset, toTime, shiftBy, execute = false } = options;
  const wishes = [toBeginning, toEnd, toOffset, toTime, shiftBy].filter((wish) => wish !== undefined);
  if (wishes.length !== 1)
    throw new UsageError('group reset: give one of --to-beginning, --to-end, --to-offset, --to-time and --shift-by.');
  await connected(options, async (client) => {
    const { commitOffsets } = await import('../kafka/groups.ts');
    const moves = await plan(client, id, options);
    if (moves.length === 0) throw new UserError(`Group ${id} committed nothing that fits. Name topics with --topic.`);
    if (execute)
      await commitOffsets(
        client,
        id,
        moves.map(({ topic, partition, to }) => ({ topic, partition, offset: to })),
      );
    if (options.json) printJson(terminal, { group: id, executed: execute, offsets: moves });
    else {
      printLine(
        terminal,
        table(
          ['TOPIC', 'PARTITION', 'FROM', 'TO'],
          moves.map(({ topic, partition, from, to }) => [topic, partition, from ?? '-', to]),
        ),
      );
      printLine(terminal, execute ? `Moved group ${id}.` : 'Nothing was changed. Give --execute to do it.');
    }
  });
}

async function plan(
  client: KafkaClient,
  id: string,
  { topic: named, partition: only, toBeginning, toEnd, toOffset, toTime, shiftBy }: Options,
): Promise<Move[]> {
  const { committedOffsets } = await import('../kafka/groups.ts');
  const committed = await committedOffsets(client, id);
  const moves: Move[] = [];
  for (const topic of named ?? [...new Set(committed.map((place) => place.topic))]) {
    const mine = new Map(committed.filter((place) => place.topic === topic).map(({ partition, offset }) => [partition, offset]));
    const all = named === undefined ? [...mine.keys()] : (await client.topic(topic)).partitions.map(({ partition }) => partition);
    const partitions = all.filter((partition) => only?.includes(partition) ?? true);
    const starts = await client.offsets(topic, partitions, 'earliest');
    const ends = await client.offsets(topic, partitions, 'latest');
    const times = toTime === undefined ? ends : await client.offsets(topic, partitions, toTime);
    for (const partition of partitions) {
      const start = starts.get(partition) ?? 0;
      const end = ends.get(partition) ?? 0;
      const from = mine.get(partition) ?? null;
      const wish = toBeginning
        ? start
        : toEnd
          ? end
          : (toOffset ?? (shiftBy === undefined ? (times.get(partition) ?? end) : (from ?? start) + shiftBy));
      moves.push({ topic, partition, from, to: Math.min(end, Math.max(start, wish)) });
    }
  }
  return moves;
}
