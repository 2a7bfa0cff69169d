/** `ringlog bench`. */
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { Option, type Command } from 'commander';
import type { Flow, Load, Percentiles } from '../bench/phases.ts';
import { connected, withConnection, type ConnectionOptions } from '../connection.ts';
import { EXIT_INTERRUPTED, EXIT_OK } from '../exit.ts';
import type { KafkaClient } from '../kafka/client.ts';
import type { Acks, Compression } from '../kafka/types.ts';
import type { Source } from '../records/reader.ts';
import { bar, bytesText, countText, printJson, printLine, printNotice, Progress, table, type Terminal } from '../terminal.ts';
import { byteSizeWithin, duration, integer } from '../values.ts';

const EXAMPLES = `
Examples:
  ringlog bench                                      its own broker, in a temporary folder
  ringlog bench --data-dir /mnt/fast                 the same on another disk
  ringlog bench --durability page-cache --size 100
  ringlog bench --bootstrap broker.example:9092      a broker that runs already; its topic is deleted afterwards
  ringlog bench --json

Three parts: batches as fast as they go; single records at a steady rate, with their way to a reader; reading everything. The load comes from one Node.js
process, on the same machine when the broker is its own: a quick look and a comparison of settings, not what a broker can do at most.`;

const ACKS: Readonly<Record<string, Acks>> = { '1': 1, all: -1 };
const MS = 1000;
/** The time of its sending stands in a record: STAMP_BYTES of phases.ts, which is loaded late. */
const RECORD_BYTES_MIN = 8;
/** The largest request that a broker takes by default (socket.request.max.bytes); beyond it only the memory of this process would be measured. */
const REQUEST_BYTES_MAX = 100 << 20;

interface Options extends Omit<ConnectionOptions, 'bootstrap'> {
  readonly bootstrap?: string;
  readonly dataDir?: string;
  readonly durability?: string;
  readonly duration: number;
  readonly size: number;
  readonly batch: number;
  readonly inFlight: number;
  readonly rate: number;
  readonly partitions: number;
  readonly acks: string;
  readonly compression: Compression;
  readonly json?: boolean;
}

export function addBench(ringlog: Command, terminal: Terminal): void {
  withConnection(ringlog.command('bench'), true)
    .description('Measure throughput and latency, with a broker of its own or one that runs.')
    .option('-d, --data-dir <folder>', "where the own broker's temporary folder is made (default: the system's)")
    .addOption(new Option('--durability <mode>', 'ringlog.durability of the topic').choices(['memory', 'page-cache', 'fsync']))
    .addOption(new Option('-t, --duration <time>', 'length of each of the first two parts').argParser(duration).default(5 * MS, '5s'))
    .addOption(
      new Option('-s, --size <bytes>', 'size of a record')
        .argParser(byteSizeWithin(RECORD_BYTES_MIN, REQUEST_BYTES_MAX))
        .default(1024, '1k'),
    )
    .addOption(new Option('--batch <bytes>', 'size of a batch').argParser(byteSizeWithin(1, REQUEST_BYTES_MAX)).default(64 * 1024, '64k'))
    .option('--in-flight <count>', 'batches on their way at any time', integer(1, 100), 4)
    .option('-r, --rate <count>', 'records a second of the steady part', integer(1, 10_000), 200)
    .option('-p, --partitions <count>', 'partitions of the topic', integer(1, 1000), 4)
    .addOption(new Option('-a, --acks <who>', 'who has to have a record').choices(Object.keys(ACKS)).default('all'))
    .addOption(
      new Option('-z, --compression <codec>', 'how to compress').choices(['none', 'gzip', 'snappy', 'lz4', 'zstd']).default('none'),
    )
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((options: Options) => run(options, terminal));
}

async function run(options: Options, terminal: Terminal): Promise<void> {
  const signal = terminal.interruption();
  if (options.bootstrap !== undefined) await connectAndMeasure({ ...options, bootstrap: options.bootstrap }, signal, terminal);
  else {
    const [{ startOwnBroker }, disk] = await Promise.all([import('../bench/own-broker.ts'), import('../doctor/disk.ts')]);
    const parent = options.dataDir ?? tmpdir();
    const type = disk.mountOf(parent, disk.readMountinfo())?.type;
    if (type === 'tmpfs')
      printNotice(terminal, `${parent} is memory, not a disk: a sync costs nothing there. Choose a folder on a disk (--data-dir).`);
    const broker = await startOwnBroker(parent, terminal.environment);
    try {
      await connectAndMeasure({ ...options, bootstrap: broker.bootstrap }, signal, terminal);
    } finally {
      await broker.stop();
    }
  }
  terminal.exitCode = signal.aborted ? EXIT_INTERRUPTED : EXIT_OK;
}

async function connectAndMeasure(options: Options & { bootstrap: string }, signal: AbortSignal, terminal: Terminal): Promise<void> {
  await connected(options, (client) => connected(options, (reader) => measure(client, reader, options, signal, terminal)));
}

/** Measures with a topic of its own, which is gone afterwards whatever comes of it. */
export async function measure(
  client: Pick<KafkaClient, 'createTopic' | 'deleteTopic' | 'send'>,
  reader: Source,
  options: Omit<Options, 'bootstrap' | 'timeout'>,
  signal: AbortSignal,
  terminal: Terminal,
): Promise<void> {
  const { produceBatches, readAll, steadyRecords } = await import('../bench/phases.ts');
  const topic = `ringlog-bench-${randomBytes(4).toString('hex')}`;
  const settings = new Map(options.durability === undefined ? [] : [['ringlog.durability', options.durability]]);
  const load: Load = { topic, recordBytes: options.size, acks: ACKS[options.acks] ?? -1, compression: options.compression, signal };
  await client.createTopic({ name: topic, partitions: options.partitions, replicationFactor: -1, settings });
  try {
    const { batch: batchBytes, inFlight, duration: ms, rate } = options;
    // Code that has not run yet is slow, on both sides: what comes first is not measured.
    await produceBatches(client, load, { batchBytes, inFlight, ms: Math.min(MS, ms / 4), onProgress: () => undefined });
    const produce = await watched(terminal, 'batches', (onProgress) =>
      produceBatches(client, load, { batchBytes, inFlight, ms, onProgress }),
    );
    const steady = await watched(terminal, 'steady', (onProgress) => steadyRecords(client, reader, load, { rate, ms, onProgress }));
    const consume = await watched(terminal, 'reading', (onProgress) => readAll(reader, load, onProgress));
    if (signal.aborted) return;
    if (options.json) printJson(terminal, { recordBytes: options.size, produce, steady, consume });
    else report(terminal, options, produce, steady, consume);
  } finally {
    await client.deleteTopic(topic);
  }
}

async function watched<T>(terminal: Terminal, name: string, work: (onProgress: (part: number) => void) => Promise<T>): Promise<T> {
  let part = 0;
  const progress = new Progress(terminal, () => `${name.padEnd(8)} ${bar(part, 1)}`);
  try {
    return await work((now) => (part = now));
  } finally {
    progress.stop();
  }
}

function report(
  terminal: Terminal,
  { size, batch, inFlight, rate, acks, durability }: Pick<Options, 'size' | 'batch' | 'inFlight' | 'rate' | 'acks' | 'durability'>,
  produce: Flow & { ackMs: Percentiles },
  steady: Flow & { ackMs: Percentiles; endToEndMs: Percentiles },
  consume: Flow,
): void {
  const speed = ({ records, bytes, seconds }: Flow): string[] => [countText(records / seconds), `${bytesText(bytes / seconds)}/s`];
  const times = ({ p50, p99, p999, max }: Percentiles): string[] => [p50, p99, p999, max].map((ms) => ms.toFixed(ms < 10 ? 2 : 1));
  const none = ['', '', '', ''];
  printLine(
    terminal,
    `records of ${bytesText(size)}, acks ${acks}${durability === undefined ? '' : `, durability ${durability}`}; times in ms`,
  );
  printLine(
    terminal,
    table(
      ['', 'RECORDS/S', 'BYTES', 'P50', 'P99', 'P99.9', 'MAX'],
      [
        [`batches of ${bytesText(batch)}, ${inFlight} in flight: acknowledged`, ...speed(produce), ...times(produce.ackMs)],
        [`single records, ${rate} a second: acknowledged`, ...speed(steady), ...times(steady.ackMs)],
        ['  the same, at a reader', '', '', ...times(steady.endToEndMs)],
        ['reading everything', ...speed(consume), ...none],
      ],
    ),
  );
}
