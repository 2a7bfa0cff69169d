/**
 * The acceptance: text of Debian packages, one partition a file, produced through kcat and through Kafka's console producer, read back through kcat and the console
 * consumer after a restart of the broker: equal sha256, equal number of lines. kcat chooses the partition; the console producer cannot, so there a file has a topic of
 * one partition.
 */

import assert from 'node:assert/strict';
import { mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { explain, must, run as runCommand, sha256OfFile } from '../lib/command.mjs';
import { hasDebianText, writeDebianText } from '../lib/debian-text.mjs';
import { kafkaTool } from '../lib/kafka-tool.mjs';
import { kafkaTools, kcat, MissingTool } from '../lib/tools.mjs';

const FILES = 4;
/** Who reads what whom produced. A console tool takes many minutes for 5 GB, so then it reads the other's. */
const WAYS_BIG = [
  ['kcat', 'kcat'],
  ['kcat', 'console'],
  ['console', 'kcat'],
];
const WAYS = [...WAYS_BIG, ['console', 'console']];
/** No client here is slower than this, whatever else the machine does. */
const BYTES_PER_SECOND_MIN = 500_000;

export function tools() {
  kcat();
  kafkaTools();
  if (!hasDebianText()) throw new MissingTool('no Debian packages here to take text from');
  return {};
}

const timeoutMs = ({ bytes }) => 120_000 + (bytes / BYTES_PER_SECOND_MIN) * 1000;
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(0)} MB`;

/** Where the text of file `index` went, by who produced it. */
const PLACES = {
  kcat: (index) => ['text-kcat', index],
  console: (index) => [`text-console-${index}`, 0],
};

/** Larger batches than its 16 KB: it is to be done in minutes. */
const SETTINGS = ['batch.size=250000', '--command-property', 'linger.ms=20'];

const PRODUCERS = {
  kcat: async (address, [topic, partition], file) => {
    await must('kcat', ['-b', address, '-P', '-t', topic, '-p', String(partition), '-X', 'linger.ms=20', '-l', file.path], {
      timeoutMs: timeoutMs(file),
    });
  },
  console: async (address, [topic], file) => {
    const tool = kafkaTool('ConsoleProducer', '--bootstrap-server', address, '--topic', topic, '--command-property', ...SETTINGS);
    const ended = await runCommand(...tool, { stdin: { file: file.path }, timeoutMs: timeoutMs(file) });
    assert.ok(ended.code === 0 && !/ERROR|Exception/.test(ended.stderr), explain(ended));
  },
};

const READERS = {
  kcat: (address, [topic, partition]) => [
    'kcat',
    ['-b', address, '-C', '-q', '-e', '-t', topic, '-p', String(partition), '-o', 'beginning'],
  ],
  console: (address, [topic, partition], { lines }) =>
    kafkaTool(
      ...['ConsoleConsumer', '--bootstrap-server', address, '--topic', topic, '--partition', String(partition)],
      ...['--offset', 'earliest', '--max-messages', String(lines), '--timeout-ms', '60000'],
    ),
};

/** Into a file, not a pipe: the console consumer writes line by line. */
async function readBack(reader, address, place, file) {
  const got = `${file.path}-back`;
  try {
    const ended = await runCommand(...READERS[reader](address, place, file), { stdoutFile: got, timeoutMs: timeoutMs(file) });
    assert.equal(ended.code, 0, explain(ended));
    assert.equal(statSync(got).size, file.bytes, `${statSync(got).size} bytes came back of ${file.bytes}`);
    assert.equal(await sha256OfFile(got), file.sha256);
  } finally {
    rmSync(got, { force: true });
  }
}

async function isOffered(address, files, via) {
  for (let index = 0; index < files.length; index++)
    for (const producer of via) {
      const [topic, partition] = PLACES[producer](index);
      const { stdout } = await must('kcat', ['-b', address, '-Q', '-t', `${topic}:${partition}:-1`]);
      assert.equal(stdout.toString().trim(), `${topic} [${partition}] offset ${files[index].lines}`);
    }
}

export async function run({ report, broker, folder, textBytes, isBig, via }) {
  const textFolder = join(folder, 'text');
  mkdirSync(textFolder, { recursive: true });
  const { files, sources, rounds } = writeDebianText({ folder: textFolder, bytesTotal: textBytes, count: FILES });
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const lines = files.reduce((sum, file) => sum + file.lines, 0);
  const what = `${megabytes(total)}, ${lines} lines`;
  process.stdout.write(
    `text: ${what}, of ${sources} files, ${FILES} partitions${rounds > 1 ? `, the packages ${rounds.toFixed(1)} times over` : ''}\n`,
  );

  const create = kafkaTool(
    'TopicCommand',
    '--bootstrap-server',
    broker.address,
    '--create',
    '--topic',
    'text-kcat',
    '--partitions',
    String(FILES),
  );
  await must(...create);
  for (const producer of via)
    await report.check(producer, 'text', `${what}: produced`, async () => {
      for (const [index, file] of files.entries()) await PRODUCERS[producer](broker.address, PLACES[producer](index), file);
    });
  if (broker.restart !== undefined) await broker.restart();
  await report.check('broker', 'text', 'as many offsets as lines in each partition', () => isOffered(broker.address, files, via));
  for (const [reader, producer] of (isBig ? WAYS_BIG : WAYS).filter((way) => way.every((client) => via.includes(client))))
    await report.check(reader, 'text', `${what}: what ${producer} produced comes back with equal sha256`, async () => {
      for (const [index, file] of files.entries()) await readBack(reader, broker.address, PLACES[producer](index), file);
    });
  for (const client of ['python', 'java', 'franz-go', 'rust', 'kafkajs', 'platformatic'])
    report.cannot(client, 'text', 'was tried with random binary values instead');
}
