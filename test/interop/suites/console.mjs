/** The command line tools of Apache Kafka's distribution. */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { explain, must, run as runCommand, start } from '../lib/command.mjs';
import { kafkaTool, QUICK_START } from '../lib/kafka-tool.mjs';
import { storedBatches } from '../lib/stored-batches.mjs';
import { checkGroupTools } from './group-tools.mjs';
import { checkTools } from './tools.mjs';

export { kafkaTools as tools } from '../lib/tools.mjs';

const LINES = 1000;
const lines = (count, from = 1) => Array.from({ length: count }, (_, index) => `line ${from + index}\n`).join('');
const TROUBLE = /ERROR|Exception/;

/** The tools against one broker. */
class Console {
  constructor({ report, broker, folder }) {
    this.report = report;
    this.broker = broker;
    this.folder = folder;
  }

  check(feature, name, body) {
    return this.report.check('console', feature, name, body);
  }

  tool(name, ...args) {
    const [command, all] = kafkaTool(name, '--bootstrap-server', this.broker.address, ...args);
    return (options) => runCommand(command, all, { ...options, env: QUICK_START });
  }

  async must(name, ...args) {
    const [command, all] = kafkaTool(name, '--bootstrap-server', this.broker.address, ...args);
    return (await must(command, all, { env: QUICK_START })).stdout.toString();
  }

  async produce(topic, stdin, ...args) {
    const ended = await this.tool('ConsoleProducer', '--topic', topic, ...args)({ stdin });
    assert.ok(ended.code === 0 && !TROUBLE.test(ended.stderr), explain(ended));
  }

  consume(topic, count, ...args) {
    return this.must('ConsoleConsumer', '--topic', topic, '--partition', '0', '--max-messages', String(count), ...args);
  }
}

async function checkTopics(console) {
  await console.check('create-topics', 'kafka-topics --create --partitions 3 --config', async () => {
    assert.match(
      await console.must('TopicCommand', '--create', '--topic', 'console-made', '--partitions', '3', '--config', 'segment.bytes=2000000'),
      /Created topic/,
    );
  });
  await console.check('list-topics', 'kafka-topics --list, --describe', async () => {
    assert.match(await console.must('TopicCommand', '--list'), /^console-made$/m);
    const described = await console.must('TopicCommand', '--describe', '--topic', 'console-made');
    assert.match(described, /PartitionCount: 3\tReplicationFactor: 1\tConfigs: (retention\.ms=-1,)?segment\.bytes=2000000/);
    assert.equal(described.match(/Partition: \d\tLeader: 1\tReplicas: 1\tIsr: 1/g).length, 3);
  });
  await console.check('alter-configs', 'kafka-configs --alter --add-config, --delete-config', async () => {
    const about = ['--entity-type', 'topics', '--entity-name', 'console-made'];
    await console.must('ConfigCommand', ...about, '--alter', '--add-config', 'max.message.bytes=5000');
    assert.match(await console.must('ConfigCommand', ...about, '--describe'), /max\.message\.bytes=5000/);
    await console.must('ConfigCommand', ...about, '--alter', '--delete-config', 'max.message.bytes');
  });
  await console.check('alter-configs', 'kafka-configs: ringlog.durability, as the README has it', async () => {
    const about = ['--entity-type', 'topics', '--entity-name', 'console-made'];
    await console.must('ConfigCommand', ...about, '--alter', '--add-config', 'ringlog.durability=page-cache');
    assert.match(await console.must('TopicCommand', '--describe', '--topic', 'console-made'), /Configs:.*ringlog\.durability=page-cache/);
  });
  await console.check('describe-configs', 'kafka-configs --describe --all', async () => {
    const all = await console.must('ConfigCommand', '--entity-type', 'topics', '--entity-name', 'console-made', '--describe', '--all');
    assert.match(all, /max\.message\.bytes=1048588/);
    assert.match(all, /segment\.bytes=2000000/);
  });
  await console.check('delete-topics', 'kafka-topics --delete', async () => {
    await console.must('TopicCommand', '--delete', '--topic', 'console-made');
    assert.doesNotMatch(await console.must('TopicCommand', '--list'), /console-made/);
  });
  await console.check('unknown-topic', 'kafka-topics --describe of an unknown topic says so', async () => {
    const ended = await console.tool('TopicCommand', '--describe', '--topic', 'console-nowhere')();
    assert.match(`${ended.stdout}${ended.stderr}`, /Topic 'console-nowhere' does not exist/);
  });
}

/** Ways of sending: all into one topic, read once, for each tool takes seconds to start. */
async function checkWays(console) {
  const topic = 'console-ways';
  const ways = [
    ['acks-0', '--command-property', 'acks=0'],
    ['acks-1', '--command-property', 'acks=1'],
    ['acks-all', '--command-property', 'acks=all'],
    ...['gzip', 'snappy', 'lz4', 'zstd'].map((codec) => [codec, '--compression-codec', codec]),
  ];
  await console.produce(topic, lines(1));
  const sent = [];
  for (const [feature, ...options] of ways)
    await console.check(feature, options.slice(-1)[0], async () => {
      await console.produce(topic, lines(LINES), ...options);
      sent.push(feature);
      const last = (await storedBatches({ port: console.broker.port, topic })).at(-1);
      assert.equal(last.codec, feature.startsWith('acks') ? 'none' : feature);
    });
  await console.check('produce-consume', `what was sent by ${ways.map(([feature]) => feature).join(', ')} comes back`, async () => {
    const all = lines(1) + lines(LINES).repeat(sent.length);
    assert.equal(await console.consume(topic, 1 + LINES * sent.length, '--from-beginning', '--timeout-ms', '20000'), all);
  });
}

async function checkRecords(console) {
  await console.check('auto-create', 'a produce makes the topic', () => console.produce('console-lines', lines(LINES)));
  await console.check('produce-consume', `${LINES} lines come back in order`, async () => {
    assert.equal(await console.consume('console-lines', LINES, '--offset', 'earliest'), lines(LINES));
  });
  await console.check('from-beginning', '--partition 0 --from-beginning', async () => {
    assert.equal(await console.consume('console-lines', 3, '--from-beginning'), lines(3));
  });
  await console.check('from-offset', '--partition 0 --offset 990', async () => {
    assert.equal(await console.consume('console-lines', 10, '--offset', '990'), lines(10, 991));
  });
  await console.check('keys', 'keys, headers, null values in one line each', async () => {
    const reader = ['parse.key=true', 'key.separator=|', 'parse.headers=true', 'headers.delimiter=;', 'null.marker=NULL'];
    await console.produce(
      'console-parts',
      'a:1,b:2;key|value\nc:3;NULL|NULL\n',
      ...reader.flatMap((property) => ['--reader-property', property]),
    );
    const formatter = ['print.key=true', 'print.headers=true', 'print.offset=true', 'print.partition=true', 'key.separator=|'];
    const got = await console.consume(
      'console-parts',
      2,
      '--from-beginning',
      ...formatter.flatMap((property) => ['--formatter-property', property]),
    );
    assert.equal(got, 'Partition:0|Offset:0|a:1,b:2|key|value\nPartition:0|Offset:1|c:3|null|null\n');
  });
  for (const feature of ['headers', 'null-values']) await console.check(feature, 'together with keys, see there', () => undefined);
  await checkWays(console);
  await console.check('from-end', '--offset latest sees only what comes later', async () => {
    const [command, args] = kafkaTool(
      'ConsoleConsumer',
      '--bootstrap-server',
      console.broker.address,
      '--topic',
      'console-lines',
      '--partition',
      '0',
      '--offset',
      'latest',
      '--max-messages',
      '1',
    );
    const { child, ended } = start(command, args, { env: QUICK_START });
    let number = LINES;
    // Nothing says when it has begun, so send until it has seen one.
    while (child.exitCode === null && child.signalCode === null) {
      await console.produce('console-lines', lines(1, ++number));
      await sleep(200);
    }
    const seen = Number((await ended).stdout.toString().slice('line '.length));
    assert.ok(seen > LINES && seen <= number, String(seen));
  });
  await console.check('watermarks', 'kafka-get-offsets: end, beginning', async () => {
    assert.equal((await console.must('GetOffsetShell', '--topic', 'console-parts')).trim(), 'console-parts:0:2');
    assert.equal((await console.must('GetOffsetShell', '--topic', 'console-parts', '--time', '-2')).trim(), 'console-parts:0:0');
  });
  await console.check('list-offsets', 'kafka-get-offsets of a time and of the largest timestamp', async () => {
    assert.equal((await console.must('GetOffsetShell', '--topic', 'console-parts', '--time', '0')).trim(), 'console-parts:0:0');
    assert.equal((await console.must('GetOffsetShell', '--topic', 'console-parts', '--time', 'max-timestamp')).trim().split(':').length, 3);
  });
}

async function checkDeletion(console) {
  const topic = 'console-shrinks';
  const earliest = async () => (await console.must('GetOffsetShell', '--topic', topic, '--time', '-2')).trim();
  const deleteBelow = (offset) => {
    const file = join(console.folder, 'delete-records.json');
    writeFileSync(file, JSON.stringify({ version: 1, partitions: [{ topic, partition: 0, offset }] }));
    return console.must('DeleteRecordsCommand', '--offset-json-file', file);
  };
  await console.check('delete-records', 'kafka-delete-records: below an offset, up to the end, beyond it', async () => {
    await console.produce(topic, lines(100));
    assert.match(await deleteBelow(40), /low_watermark: 40/);
    assert.equal(await earliest(), `${topic}:0:40`);
    assert.equal(await console.consume(topic, 60, '--offset', 'earliest'), lines(60, 41));
    assert.match(await deleteBelow(-1), /low_watermark: 100/);
    assert.match(await deleteBelow(101), /OffsetOutOfRangeException|out of range|not within the range/i);
    await console.produce(topic, lines(5, 101));
    assert.equal(await console.consume(topic, 5, '--offset', 'earliest'), lines(5, 101));
  });
  await console.check(
    'alter-configs',
    'kafka-configs --add-config retention.ms: the log goes, and stays gone when it is changed back',
    async () => {
      const about = ['--entity-type', 'topics', '--entity-name', topic, '--alter'];
      await console.must('ConfigCommand', ...about, '--add-config', 'retention.ms=1,retention.bytes=1000000');
      assert.match(await console.must('ConfigCommand', ...about.slice(0, 4), '--describe'), /retention\.ms=1\b/);
      for (let tries = 0; (await earliest()) !== `${topic}:0:105`; tries++) assert.ok(tries < 60, await earliest());
      await console.must('ConfigCommand', ...about, '--delete-config', 'retention.ms,retention.bytes');
      await console.produce(topic, lines(3));
      assert.equal(await console.consume(topic, 3, '--offset', 'earliest'), lines(3));
    },
  );
}

export async function run(context) {
  const console = new Console(context);
  await checkTopics(console);
  await checkRecords(console);
  await checkDeletion(console);
  await checkTools(console);
  await checkGroupTools(console);
  await console.check('idempotence', 'kafka-console-producer as it is, and each line is there once', async () => {
    const topic = 'console-idempotent';
    await console.produce(topic, lines(1000), '--command-property', 'enable.idempotence=true');
    assert.equal(await console.consume(topic, 1000, '--offset', 'earliest'), lines(1000));
  });
  const { report } = context;
  const cannot = (why, ...features) => features.forEach((feature) => report.cannot('console', feature, why));
  cannot(
    'has no option for it',
    'partitions',
    'binary',
    'delivery-reports',
    'timestamps',
    'append-time',
    'from-tail',
    'from-timestamp',
    'seek',
    'transactions',
  );
  cannot('ends with its work', 'restart');
  cannot('sends lines', 'big-messages');
}
