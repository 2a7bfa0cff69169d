/** `ringlog consume`. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { UserError } from '../../lib/user-error.ts';
import { connected, withConnection, type ConnectionOptions } from '../connection.ts';
import { UsageError } from '../exit.ts';
import type { KafkaClient } from '../kafka/client.ts';
import type { IncomingRecord, Topic } from '../kafka/types.ts';
import { formatter, FORMAT_HELP, type Formatter } from '../records/format.ts';
import { plural, printNotice, writeOut, type Terminal } from '../terminal.ts';
import { integer, integers, moment, separator } from '../values.ts';

const EXAMPLES = `
Examples:
  ringlog consume demo                                  all records, from the beginning to the end
  ringlog consume demo --follow                         the same, and then what comes, until Ctrl-C
  ringlog consume demo --from end --follow              only what comes from now on
  ringlog consume demo --last 10                        the newest ten
  ringlog consume demo --since 10m                      of the last ten minutes; or --since 2026-01-31T12:00:00Z
  ringlog consume demo --partition 0 --from 4200 -n 5   five records from an offset on
  ringlog consume demo --group billing                  what the group has not had yet; commits it
  ringlog consume demo --format json | jq .value
  ringlog consume demo --format '%D %k: %s\\n'

Without --group nothing is committed and nobody else's reading is touched. A record of a --group is committed after it was printed.`;

/** A --last beyond this would be kept in memory. */
const LAST_MAX = 100_000;
/** How often a group is told what was printed, ms. */
const COMMIT_MS = 1000;

interface Options extends ConnectionOptions {
  readonly from?: 'beginning' | 'end' | number;
  readonly since?: number;
  readonly last?: number;
  readonly follow?: boolean;
  readonly count?: number;
  readonly partition?: readonly number[];
  readonly group?: string;
  readonly format: string;
  readonly keySeparator: string;
  readonly json?: boolean;
}

export function addConsume(ringlog: Command, terminal: Terminal): void {
  withConnection(ringlog.command('consume <topic>'))
    .description('Print records.')
    .option('-o, --from <where>', 'beginning, end, or an offset (default: beginning)', parseFrom)
    .option('-s, --since <time>', 'records from a time on: a date, ms since 1970, or how long ago (10m)', moment)
    .option('-l, --last <count>', 'the newest records of the topic', integer(1, LAST_MAX))
    .option('-f, --follow', 'go on with what comes, until Ctrl-C')
    .option('-n, --count <count>', 'end after so many records', integer(1, Number.MAX_SAFE_INTEGER))
    .option('-p, --partition <number>', 'only these partitions; several with commas between them', integers(0, 1_000_000))
    .option('-g, --group <id>', 'read as a member of this consumer group')
    .option('--format <format>', 'value, key-value, json, or a pattern (see below)', 'value')
    .addOption(new Option('-K, --key-separator <text>', 'between key and value').argParser(separator).default('\t', 'a tab'))
    .option('--json', 'the same as --format json')
    .addHelpText('after', FORMAT_HELP)
    .addHelpText('after', EXAMPLES)
    .action((topic: string, options: Options) => consume(topic, options, terminal));
}

function parseFrom(text: string): Options['from'] {
  if (text === 'beginning' || text === 'end') return text;
  if (/^[0-9]{1,15}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be beginning, end, or an offset. For the newest records use --last, for a time --since.');
}

async function consume(name: string, options: Options, terminal: Terminal): Promise<void> {
  checkTogether(options);
  const format = asFormatter(options);
  const signal = terminal.interruption();
  await connected(options, async (client) => {
    const topic = await client.topic(name);
    const output = new Output(terminal, format, options.count ?? Infinity);
    if (options.group === undefined) await readAll(client, topic, options, output, signal);
    else await readInGroup(client, topic, options.group, options, output, signal);
  });
}

function checkTogether({ from, since, last, group, partition }: Options): void {
  const given = Object.entries({ '--from': from, '--since': since, '--last': last }).filter(([, value]) => value !== undefined);
  if (given.length > 1)
    throw new UsageError(`${given.map(([option]) => option).join(' and ')} do not go together: give one place to begin.`);
  if (group === undefined) return;
  if (since !== undefined || last !== undefined || typeof from === 'number')
    throw new UsageError(
      '--group begins where the group has come to; --from beginning or --from end say where it begins the first time. "ringlog group reset" moves it.',
    );
  if (partition !== undefined)
    throw new UsageError('--group and --partition do not go together: the group says who reads which partition.');
}

function asFormatter({ format, json, keySeparator }: Options): Formatter {
  try {
    return formatter(json ? 'json' : format, keySeparator);
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    throw new UsageError(`Invalid --format "${format}". ${error.message}`, { cause: error });
  }
}

/** Prints records up to a number of them. */
class Output {
  readonly #terminal: Terminal;
  readonly #format: Formatter;
  #left: number;

  /** Something a person should know that is no record. */
  readonly notice = (text: string): void => printNotice(this.#terminal, text);

  constructor(terminal: Terminal, format: Formatter, left: number) {
    this.#terminal = terminal;
    this.#format = format;
    this.#left = left;
  }

  /** False once it has had enough. */
  async take(records: readonly IncomingRecord[]): Promise<boolean> {
    const taken = records.slice(0, Math.min(this.#left, records.length));
    this.#left -= taken.length;
    if (taken.length > 0) await writeOut(this.#terminal, Buffer.concat(taken.map(this.#format)));
    return this.#left > 0;
  }
}

async function readAll(client: KafkaClient, topic: Topic, options: Options, output: Output, signal: AbortSignal): Promise<void> {
  const [{ readRecords }, { NewestRecords }] = await Promise.all([import('../records/reader.ts'), import('../records/newest.ts')]);
  const partitions = chosenPartitions(topic, options.partition);
  const ends = await client.offsets(topic.name, partitions, 'latest');
  const starts = await client.offsets(topic.name, partitions, 'earliest');
  const from = await placesToBegin(client, topic.name, options, starts, ends);
  const onNotice = output.notice;
  // From the end there is nothing to read but what is to come.
  const follow = options.follow ?? options.from === 'end';
  if (options.last !== undefined) {
    const newest = new NewestRecords(options.last);
    for await (const records of readRecords(client, { topic, from, to: ends, signal, onNotice })) newest.take(records);
    if (!(await output.take(newest.sorted())) || !follow) return;
    for await (const records of readRecords(client, { topic, from: ends, to: undefined, signal, onNotice }))
      if (!(await output.take(records))) return;
    return;
  }
  for await (const records of readRecords(client, { topic, from, to: follow ? undefined : ends, signal, onNotice }))
    if (!(await output.take(records))) return;
}

function chosenPartitions({ name, partitions }: Topic, wanted: readonly number[] | undefined): number[] {
  const missing = wanted?.find((partition) => partition >= partitions.length);
  if (missing !== undefined)
    throw new UserError(
      `Topic ${name} has no partition ${missing}: it has ${plural(partitions.length, 'partition')}, counted from 0 (--partition).`,
    );
  return wanted === undefined ? partitions.map(({ partition }) => partition) : [...new Set(wanted)];
}

async function placesToBegin(
  client: KafkaClient,
  topic: string,
  { from, since, last }: Options,
  starts: ReadonlyMap<number, number>,
  ends: ReadonlyMap<number, number>,
): Promise<ReadonlyMap<number, number>> {
  if (since !== undefined) return client.offsets(topic, [...ends.keys()], since);
  if (last !== undefined)
    return new Map([...ends].map(([partition, end]) => [partition, Math.max(starts.get(partition) ?? 0, end - last)]));
  if (from === 'end') return ends;
  if (typeof from === 'number' && [...ends.values()].every((end) => from > end))
    throw new UserError(`${topic} has no offset ${from}: it ends at ${Math.max(...ends.values())} (--from).`);
  if (typeof from === 'number') return new Map([...ends.keys()].map((partition) => [partition, from]));
  return starts;
}

async function readInGroup(
  client: KafkaClient,
  topic: Topic,
  groupId: string,
  { from, follow }: Options,
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  const { Membership } = await import('../kafka/groups.ts');
  const ends = await client.offsets(topic.name, chosenPartitions(topic, undefined), 'latest');
  const otherwise = from === 'end' ? 'latest' : 'earliest';
  const member = new Membership(client, { groupId, topic: topic.name, otherwise, to: follow ? undefined : ends, signal });
  let failure: unknown;
  // By the clock, not by records: what was printed last has to be committed, too, when nothing follows it.
  const timer = setInterval(() => void member.commit().catch((error: unknown) => (failure ??= error)), COMMIT_MS);
  try {
    for await (const record of member.records()) {
      const more = await output.take([record]);
      member.onDone(record);
      if (failure !== undefined) throw failure;
      if (!more) break;
    }
    await member.commit();
  } finally {
    clearInterval(timer);
    await member.close();
  }
}
