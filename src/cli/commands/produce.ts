/** `ringlog produce`. */
import { readFile, stat } from 'node:fs/promises';
import { addAbortSignal } from 'node:stream';
import { Option, type Command } from 'commander';
import { UserError } from '../../lib/user-error.ts';
import { connected, withConnection, type ConnectionOptions } from '../connection.ts';
import { EXIT_INTERRUPTED, EXIT_OK, UsageError } from '../exit.ts';
import type { KafkaClient } from '../kafka/client.ts';
import { BrokerRefusedError } from '../kafka/errors.ts';
import type { Acks, Compression, OutgoingRecord } from '../kafka/types.ts';
import { linesOf } from '../records/lines.ts';
import { recordBytes, RecordSender } from '../records/sender.ts';
import { bar, bytesText, countText, plural, printJson, Progress, type Terminal } from '../terminal.ts';
import { collect, integer, pairs, separator } from '../values.ts';

const EXAMPLES = `
Examples:
  echo hello | ringlog produce demo                      one record a line
  ringlog produce orders --key-separator : < orders.txt  key:value on every line
  ringlog produce orders --key alice --header source=shop --header trace=42
  ringlog produce images --file a.png --file b.png       a record for each whole file
  seq 1000 | ringlog produce demo --rate 100             a hundred records a second
  ringlog produce demo --acks all --compression lz4 < big.txt

Without --partition, records with the same key go to the same partition, as with other Kafka clients.`;

/** Kafka's default of max.message.bytes, for a topic that is made by the first record. */
const MESSAGE_BYTES_DEFAULT = 1_048_588;
const BATCH_BYTES_MAX = 512 * 1024;
/** What a batch has around its records. */
const BATCH_OVERHEAD_BYTES = 100;
const FILE_BYTES_MAX = 1024 ** 3;
const ACKS: Readonly<Record<string, Acks>> = { '0': 0, '1': 1, all: -1 };

interface Options extends ConnectionOptions {
  readonly keySeparator?: string;
  readonly key?: string;
  readonly header?: readonly (readonly [string, string])[];
  readonly file?: readonly string[];
  readonly partition?: number;
  readonly rate?: number;
  readonly acks: string;
  readonly compression: Compression;
  readonly emptyIsNull?: boolean;
  readonly json?: boolean;
}

export function addProduce(ringlog: Command, terminal: Terminal): void {
  withConnection(ringlog.command('produce <topic>'))
    .description('Send records: lines of standard input, or whole files.')
    .option('-K, --key-separator <text>', 'each line is a key, this, and a value; \\t stands for a tab', separator)
    .option('-k, --key <text>', 'key of every record')
    .option('-H, --header <name=value>', 'header of every record; may be given several times', pairs)
    .option('-f, --file <path>', 'send this whole file as one record; may be given several times', collect)
    .option('-p, --partition <number>', 'partition to send to', integer(0, 1_000_000))
    .option('-r, --rate <count>', 'records a second, at most', integer(1, 10_000_000))
    .addOption(
      new Option('-a, --acks <who>', 'who has to have a record: nobody, the leader, all in-sync replicas')
        .choices(Object.keys(ACKS))
        .default('all'),
    )
    .addOption(
      new Option('-z, --compression <codec>', 'how to compress').choices(['none', 'gzip', 'snappy', 'lz4', 'zstd']).default('none'),
    )
    .option('-Z, --empty-is-null', 'an empty value is a null (a tombstone, in a compacted topic), an empty key none')
    .option('--json', 'print what was sent as JSON')
    .addHelpText('after', EXAMPLES)
    .action((topic: string, options: Options) => produce(topic, options, terminal));
}

async function produce(topic: string, options: Options, terminal: Terminal): Promise<void> {
  if (options.key !== undefined && options.keySeparator !== undefined)
    throw new UsageError('--key and --key-separator do not go together: the key comes either from the command line or from each line.');
  const signal = terminal.interruption();
  await connected(options, async (client) => {
    const messageBytesMax = await checkTopic(client, topic, options.partition);
    const batchBytesMax = Math.min(BATCH_BYTES_MAX, messageBytesMax - BATCH_OVERHEAD_BYTES);
    const sender = new RecordSender(client, { topic, acks: ACKS[options.acks] ?? -1, compression: options.compression, batchBytesMax });
    const startedMs = performance.now();
    const files = options.file?.length ?? 0;
    const progress = new Progress(terminal, () => {
      const rate = (sender.acknowledged / (performance.now() - startedMs)) * 1000;
      const far = files > 0 ? `${bar(sender.acknowledged, files)}  ` : '';
      return `${far}${plural(sender.acknowledged, 'record')}, ${bytesText(sender.bytes)}, ${countText(rate)} records/s`;
    });
    try {
      let number = 0;
      for await (const record of records(options, signal, terminal)) {
        number++;
        const bytes = recordBytes(record) + BATCH_OVERHEAD_BYTES;
        if (bytes > messageBytesMax && options.compression === 'none') throw tooLarge(number, bytes, messageBytesMax, options);
        if (options.rate !== undefined) await pace(startedMs, number, options.rate, signal);
        await sender.add(record);
      }
      await sender.flush();
    } catch (error) {
      // What came before it goes, as far as it can.
      await sender.flush().catch(() => undefined);
      if (error instanceof UserError && sender.acknowledged > 0)
        error.message += ` (${plural(sender.acknowledged, 'record')} sent before.)`;
      throw error;
    } finally {
      progress.stop();
    }
    report(topic, sender, performance.now() - startedMs, options.json ?? false, terminal);
  });
  terminal.exitCode = signal.aborted ? EXIT_INTERRUPTED : EXIT_OK;
}

/** Returns the largest batch that the topic takes, bytes. The topic need not be there yet: many brokers make it with the first record. */
async function checkTopic(client: KafkaClient, topic: string, partition: number | undefined): Promise<number> {
  try {
    const found = (partition ?? 0) > 0 ? await client.topic(topic) : await client.topicIfThere(topic);
    if (found === undefined) return MESSAGE_BYTES_DEFAULT;
    const { partitions } = found;
    if (partition !== undefined && partition >= partitions.length)
      throw new UserError(
        `Topic ${topic} has no partition ${partition}: it has ${plural(partitions.length, 'partition')}, counted from 0 (--partition).`,
      );
    const setting = (await client.topicSettings(topic)).find(({ name }) => name === 'max.message.bytes');
    return Number(setting?.value ?? MESSAGE_BYTES_DEFAULT) || MESSAGE_BYTES_DEFAULT;
  } catch (error) {
    const isSecret = error instanceof BrokerRefusedError && error.code.endsWith('AUTHORIZATION_FAILED');
    if (!isSecret) throw error;
    return MESSAGE_BYTES_DEFAULT;
  }
}

async function* records(options: Options, signal: AbortSignal, terminal: Terminal): AsyncGenerator<OutgoingRecord> {
  const headers = (options.header ?? []).map(([name, value]) => [name, Buffer.from(value)] as const);
  const { partition, emptyIsNull = false } = options;
  const key = options.key === undefined ? null : Buffer.from(options.key);
  const nullable = (bytes: Buffer): Buffer | null => (emptyIsNull && bytes.length === 0 ? null : bytes);
  if (options.file !== undefined) {
    for (const path of options.file) {
      if (signal.aborted) return;
      yield { key, value: nullable(await wholeFile(path)), headers, partition };
    }
    return;
  }
  const between = options.keySeparator === undefined ? undefined : Buffer.from(options.keySeparator);
  const tooLong = (bytes: number): Error =>
    new UserError(`A line of standard input has more than ${bytesText(bytes)}. Send a large record as a file (--file).`);
  let number = 0;
  try {
    for await (const lines of linesOf(addAbortSignal(signal, terminal.stdin), FILE_BYTES_MAX, tooLong))
      for (const line of lines) {
        number++;
        if (between === undefined) {
          yield { key, value: nullable(line), headers, partition };
          continue;
        }
        const at = line.indexOf(between);
        if (at < 0)
          throw new UserError(
            `Line ${number} has no "${options.keySeparator}" between a key and a value (--key-separator): ${shown(line)}`,
          );
        yield { key: nullable(line.subarray(0, at)), value: nullable(line.subarray(at + between.length)), headers, partition };
      }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function wholeFile(path: string): Promise<Buffer> {
  try {
    const { size } = await stat(path);
    if (size > FILE_BYTES_MAX) throw new UserError(`${path} has ${bytesText(size)}; a record has ${bytesText(FILE_BYTES_MAX)} at most.`);
    return await readFile(path);
  } catch (error) {
    if (error instanceof UserError) throw error;
    const { code = String(error) } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a folder' : code;
    throw new UserError(`Cannot read ${path} (--file): ${why}.`, { cause: error });
  }
}

function tooLarge(number: number, bytes: number, bytesMax: number, { file }: Options): UserError {
  const what = file === undefined ? `Line ${number}` : (file[number - 1] ?? `Record ${number}`);
  return new UserError(
    `${what} makes a batch of about ${countText(bytes)} bytes; the topic takes ${countText(bytesMax)} (its max.message.bytes; "ringlog topic alter" changes it).`,
  );
}

/** Waits until record `number` is due. */
async function pace(startedMs: number, number: number, rate: number, signal: AbortSignal): Promise<void> {
  const waitMs = startedMs + ((number - 1) / rate) * 1000 - performance.now();
  // Timers are no finer than a millisecond: several records then go together.
  if (waitMs < 1) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, waitMs);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done);
  });
}

function report(topic: string, sender: RecordSender, tookMs: number, json: boolean, terminal: Terminal): void {
  if (json) {
    const partitions = [...new Set(sender.batches.map(({ partition }) => partition))].toSorted((a, b) => a - b);
    const first = partitions.map((partition) => ({
      partition,
      firstOffset: sender.batches.find((batch) => batch.partition === partition)?.offset,
    }));
    printJson(terminal, { topic, records: sender.acknowledged, bytes: sender.bytes, ms: Math.round(tookMs), partitions: first });
  } else if (terminal.stderr.isTTY) terminal.stderr.write(`Sent ${plural(sender.acknowledged, 'record')} to ${topic}.\n`);
}

function shown(line: Buffer): string {
  const text = line.toString('utf8').replaceAll(/\p{Cc}/gu, '.');
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
