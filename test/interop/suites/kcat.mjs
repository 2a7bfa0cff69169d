/** kcat as Debian ships it: an old librdkafka, with the version traps of its time. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { explain, must, run as runCommand, start } from '../lib/command.mjs';
import { checkCompacted } from '../lib/compacted-topic.mjs';
import { checkGroupOfThree } from '../lib/group-of-three.mjs';
import { storedBatches } from '../lib/stored-batches.mjs';

export { kcat as tools } from '../lib/tools.mjs';

const LINES = 1000;
const FEW = 50;

const lines = (count, from = 1) => Array.from({ length: count }, (_, index) => `line ${from + index}`);
const text = (list) => list.map((line) => `${line}\n`).join('');

/** kcat against one broker. */
class Kcat {
  constructor({ report, broker, folder }) {
    this.report = report;
    this.broker = broker;
    this.folder = folder;
  }

  check(feature, name, body) {
    return this.report.check('kcat', feature, name, body);
  }

  args(...args) {
    return ['-b', this.broker.address, ...args];
  }

  produce(topic, stdin, ...args) {
    return must('kcat', this.args('-P', '-t', topic, ...args), { stdin });
  }

  async consume(topic, ...args) {
    const { stdout } = await must('kcat', this.args('-C', '-q', '-e', '-t', topic, ...args));
    return stdout;
  }

  async consumeText(topic, ...args) {
    return (await this.consume(topic, ...args)).toString();
  }
}

async function checkMetadata(kcat) {
  await kcat.check('auto-create', 'a produce makes the topic, and loses nothing', async () => {
    await kcat.produce('kcat-auto', text(lines(10)));
    assert.equal(await kcat.consumeText('kcat-auto', '-o', 'beginning'), text(lines(10)));
  });
  await kcat.check('metadata', '-L names the broker, the topic and its partition', async () => {
    const { stdout } = await must('kcat', kcat.args('-L', '-J'));
    const { brokers, topics, controllerid } = JSON.parse(stdout.toString());
    assert.deepEqual(
      brokers.map(({ name }) => name),
      [kcat.broker.address],
    );
    assert.equal(controllerid, brokers[0].id);
    const { partitions } = topics.find(({ topic }) => topic === 'kcat-auto');
    assert.deepEqual(
      partitions.map(({ partition, leader }) => [partition, leader]),
      [[0, brokers[0].id]],
    );
  });
  await kcat.check('unknown-topic', 'consuming an unknown topic fails by name, and does not make it', async () => {
    const ended = await runCommand('kcat', kcat.args('-C', '-e', '-t', 'kcat-nowhere'));
    assert.notEqual(ended.code, 0, explain(ended));
    assert.match(ended.stderr, /Unknown topic or partition/);
    const { stdout } = await must('kcat', kcat.args('-L', '-J'));
    assert.ok(!JSON.parse(stdout.toString()).topics.some(({ topic }) => topic === 'kcat-nowhere'));
  });
}

async function checkRecords(kcat) {
  const sent = text(lines(LINES));
  await kcat.check('produce-consume', `${LINES} lines come back in order`, async () => {
    await kcat.produce('kcat-order', sent);
    assert.equal(await kcat.consumeText('kcat-order', '-o', 'beginning'), sent);
    assert.equal(await kcat.consumeText('kcat-order', '-o', 'beginning', '-f', '%o\n', '-c', '3'), '0\n1\n2\n');
  });
  await kcat.check('keys', 'keys and values come back, an empty key is no null key', async () => {
    await kcat.produce('kcat-keys', 'one|1\n|empty key\nno key\ntwo|2\n', '-K', '|');
    const got = await kcat.consumeText('kcat-keys', '-o', 'beginning', '-f', '%K,%k,%s\n');
    assert.equal(got, '3,one,1\n0,,empty key\n-1,,no key\n3,two,2\n');
  });
  await kcat.check('headers', 'headers come back in order, also twice the same name, also empty', async () => {
    await kcat.produce('kcat-headers', 'value\n', '-H', 'a=1', '-H', 'b=zwei', '-H', 'a=3', '-H', 'empty=');
    assert.equal(await kcat.consumeText('kcat-headers', '-o', 'beginning', '-f', '%h;%s\n'), 'a=1,b=zwei,a=3,empty=;value\n');
  });
  await kcat.check('null-values', 'a null value is no empty value', async () => {
    await kcat.produce('kcat-null', 'key|\n', '-K', '|', '-Z');
    await kcat.produce('kcat-null', 'key|\n', '-K', '|');
    assert.equal(await kcat.consumeText('kcat-null', '-o', 'beginning', '-f', '%k,%S\n'), 'key,-1\nkey,0\n');
  });
  await kcat.check('timestamps', 'a record carries the time it was sent', async () => {
    const beforeMs = Date.now();
    await kcat.produce('kcat-time', 'now\n');
    const ms = Number(await kcat.consumeText('kcat-time', '-o', 'beginning', '-f', '%T'));
    assert.ok(ms >= beforeMs - 1 && ms <= Date.now(), `${ms} is not after ${beforeMs}`);
  });
  kcat.report.cannot('kcat', 'delivery-reports', 'prints none');
  kcat.report.cannot('kcat', 'append-time', 'cannot make the topic for it');
}

async function checkAcks(kcat) {
  for (const [acks, feature] of [
    ['0', 'acks-0'],
    ['1', 'acks-1'],
    ['-1', 'acks-all'],
  ])
    await kcat.check(feature, `acks=${acks}: ${LINES} lines come back`, async () => {
      const topic = `kcat-${feature}`;
      await kcat.produce(topic, 'first\n');
      await kcat.produce(topic, text(lines(LINES)), '-X', `acks=${acks}`);
      // Nothing says when a batch without acknowledgement has arrived.
      let got = '';
      for (let attempt = 0; attempt < 100 && got.length < text(lines(LINES)).length; attempt++) {
        got = await kcat.consumeText(topic, '-o', '1');
        if (acks !== '0') break;
        await sleep(100);
      }
      assert.equal(got, text(lines(LINES)));
    });
}

async function checkBig(kcat) {
  const file = (bytes) => {
    const path = join(kcat.folder, `kcat-${bytes}`);
    writeFileSync(path, randomBytes(bytes));
    return path;
  };
  await kcat.check('binary', 'files of random bytes, each one message, come back equal', async () => {
    const files = [1, 1000, 65_536].map(file);
    await must('kcat', kcat.args('-P', '-t', 'kcat-binary', ...files));
    await assertSame(kcat, 'kcat-binary', files);
  });
  await kcat.check('big-messages', 'just under 1 MB comes back, several in a row', async () => {
    const files = [999_000, 998_000, 997_000].map(file);
    await must('kcat', kcat.args('-P', '-t', 'kcat-big', ...files));
    await assertSame(kcat, 'kcat-big', files);
  });
  await kcat.check('big-messages', 'above max.message.bytes it is refused by name', async () => {
    await kcat.produce('kcat-too-big', 'first\n');
    const ended = await runCommand('kcat', kcat.args('-P', '-t', 'kcat-too-big', '-X', 'message.max.bytes=3000000', file(2_000_000)));
    assert.match(ended.stderr, /Message size too large/, explain(ended));
  });
}

async function assertSame(kcat, topic, files) {
  const sent = await must('cat', files);
  const got = await kcat.consume(topic, '-o', 'beginning', '-D', '');
  assert.ok(sent.stdout.equals(got), `${got.length} bytes came back of ${sent.stdout.length}, or others`);
}

async function checkCodecs(kcat) {
  const sent = text(lines(20_000));
  const send = async (codec) => {
    await kcat.produce(`kcat-${codec}`, sent, '-z', codec, '-X', 'linger.ms=50');
    const stored = await storedBatches({ port: kcat.broker.port, topic: `kcat-${codec}` });
    // A batch of a few lines would not get smaller, and stays as it is.
    return [...new Set(stored.filter(({ records }) => records > FEW).map((batch) => batch.codec))].join();
  };
  // lz4 only since FindCoordinator 0 is served: this librdkafka asks for it, and without it sends uncompressed and does not say so.
  for (const codec of ['gzip', 'snappy', 'lz4', 'zstd'])
    await kcat.check(codec, 'sent compressed, stored compressed, comes back', async () => {
      assert.equal(await send(codec), codec);
      assert.equal(await kcat.consumeText(`kcat-${codec}`, '-o', 'beginning'), sent);
    });
}

async function checkOffsets(kcat) {
  const topic = 'kcat-offsets';
  let betweenMs = 0;
  await kcat.check('from-beginning', '-o beginning', async () => {
    await kcat.produce(topic, text(lines(50)));
    await sleep(20);
    betweenMs = Date.now();
    await sleep(20);
    await kcat.produce(topic, text(lines(50, 51)));
    assert.equal(await kcat.consumeText(topic, '-o', 'beginning'), text(lines(100)));
  });
  await kcat.check('from-offset', '-o 42', async () => assert.equal(await kcat.consumeText(topic, '-o', '42'), text(lines(58, 43))));
  await kcat.check('from-offset', 'an offset out of range follows auto.offset.reset', async () => {
    assert.equal(await kcat.consumeText(topic, '-o', '5000', '-X', 'topic.auto.offset.reset=earliest'), text(lines(100)));
  });
  await kcat.check('from-tail', '-o -7', async () => assert.equal(await kcat.consumeText(topic, '-o', '-7'), text(lines(7, 94))));
  await kcat.check('from-timestamp', '-o s@TIME', async () => {
    assert.equal(await kcat.consumeText(topic, '-o', `s@${betweenMs}`), text(lines(50, 51)));
  });
  await kcat.check('from-timestamp', '-o s@TIME -o e@TIME', async () => {
    assert.equal(await kcat.consumeText(topic, '-o', 's@0', '-o', `e@${betweenMs}`), text(lines(50)));
  });
  await kcat.check('watermarks', '-Q: beginning, end, offset of a time, none after the last', async () => {
    const ask = async (time) => (await must('kcat', kcat.args('-Q', '-t', `${topic}:0:${time}`))).stdout.toString().trim();
    assert.equal(await ask(-2), `${topic} [0] offset 0`);
    assert.equal(await ask(-1), `${topic} [0] offset 100`);
    assert.equal(await ask(betweenMs), `${topic} [0] offset 50`);
    assert.equal(await ask(Date.now() + 60_000), `${topic} [0] offset -1`);
  });
  await kcat.check('from-end', '-o end sees only what comes later, at once', async () => {
    const { child, ended } = start('kcat', kcat.args('-C', '-q', '-u', '-c', '2', '-t', topic, '-o', 'end'));
    // No line says that it has begun; what comes before that is not its to see, so send until it has its two.
    let sent = 100;
    while (child.exitCode === null && child.signalCode === null) {
      await sleep(500);
      await kcat.produce(topic, text(lines(1, ++sent)));
    }
    const { stdout, code } = await ended;
    assert.equal(code, 0);
    const numbers = stdout
      .toString()
      .trim()
      .split('\n')
      .map((line) => Number(line.slice('line '.length)));
    assert.ok(numbers.length === 2 && numbers[0] > 100 && numbers[1] === numbers[0] + 1, numbers.join(' '));
  });
  kcat.report.cannot('kcat', 'seek', 'reads from one place on');
}

async function checkPartitions(kcat) {
  await kcat.check('partitions', '-p: a partition that is not there is refused by name', async () => {
    const ended = await runCommand('kcat', kcat.args('-P', '-t', 'kcat-order', '-p', '7'), { stdin: 'x\n' });
    assert.match(ended.stderr, /Unknown partition/, explain(ended));
  });
}

async function checkRestart(kcat) {
  const { broker } = kcat;
  if (broker.restart === undefined) return;
  await kcat.check('restart', 'everything is there after a restart, and offsets go on', async () => {
    await broker.restart();
    assert.equal(await kcat.consumeText('kcat-order', '-o', 'beginning'), text(lines(LINES)));
    await kcat.produce('kcat-order', 'after\n');
    assert.equal(await kcat.consumeText('kcat-order', '-o', '-1', '-f', '%o %s\n'), `${LINES} after\n`);
  });
}

async function checkIdempotence(kcat) {
  await kcat.check('idempotence', '-X enable.idempotence=true: each line is there once', async () => {
    await kcat.produce('kcat-idempotent', text(lines(LINES)), '-X', 'enable.idempotence=true');
    assert.equal(await kcat.consumeText('kcat-idempotent', '-o', 'beginning'), text(lines(LINES)));
  });
}

async function checkGroups(kcat) {
  const topic = 'kcat-group';
  const asGroup = async (group, ...args) => (await must('kcat', kcat.args('-q', '-e', ...args, '-G', group, topic))).stdout.toString();
  const session = ['-X', 'session.timeout.ms=6000', '-X', 'heartbeat.interval.ms=1000'];
  await kcat.check('group-commits', '-G: from the beginning, and the next one where that one stopped', async () => {
    await kcat.produce(topic, text(lines(LINES)));
    const earliest = ['-X', 'auto.offset.reset=earliest', ...session];
    assert.equal(await asGroup('kcat-resumes', ...earliest), text(lines(LINES)));
    await kcat.produce(topic, text(lines(FEW, LINES + 1)));
    assert.equal(await asGroup('kcat-resumes', ...earliest), text(lines(FEW, LINES + 1)));
    assert.equal(await asGroup('kcat-resumes', ...earliest), '');
    assert.equal(await asGroup('kcat-another', ...earliest), text(lines(LINES + FEW)));
  });
  await kcat.check('static-members', '-X group.instance.id: the next one with this name takes over where that one stopped', async () => {
    const settings = ['-X', 'auto.offset.reset=earliest', '-X', 'group.instance.id=one', ...session];
    assert.equal(await asGroup('kcat-static', ...settings), text(lines(LINES + FEW)));
    assert.equal(await asGroup('kcat-static', ...settings), '');
  });
  const strategies = { groups: 'range,roundrobin', cooperative: 'cooperative-sticky' };
  const args = (strategy) => (name, group) => [
    ...kcat.args('-q', '-u', '-f', '%p %o\\n', '-X', 'auto.offset.reset=earliest', ...session),
    ...['-X', `partition.assignment.strategy=${strategy}`, '-X', 'auto.commit.interval.ms=500', '-G', group, name],
  ];
  await checkGroupOfThree(kcat.report, 'kcat', kcat.broker, { command: 'kcat', args: args(strategies.groups), byTerm: true });
  await checkCompacted(kcat.report, 'kcat', kcat.broker, { command: 'kcat', args: args(strategies.groups), byTerm: true });
  await checkGroupOfThree(kcat.report, 'kcat', kcat.broker, {
    command: 'kcat',
    args: args(strategies.cooperative),
    byTerm: true,
    feature: 'cooperative',
  });
  kcat.report.cannot('kcat', 'group-pause', 'has no option for it');
}

async function checkNotServed(kcat) {
  await kcat.report.notServed('kcat', 'transactions', 'the client says so', /This broker does not serve transactions/, async () => {
    const ended = await runCommand('kcat', kcat.args('-P', '-t', 'kcat-order', '-X', 'transactional.id=t'), {
      stdin: 'x\n',
      timeoutMs: 5000,
    });
    // It ends with 0 when the broker's refusal came before it had read a line.
    return ended.code === 0 && !ended.stderr.includes('FATAL CLIENT ERROR') ? undefined : explain(ended);
  });
}

export async function run(context) {
  const kcat = new Kcat(context);
  await checkMetadata(kcat);
  await checkRecords(kcat);
  await checkAcks(kcat);
  await checkBig(kcat);
  await checkCodecs(kcat);
  await checkOffsets(kcat);
  await checkPartitions(kcat);
  await checkIdempotence(kcat);
  await checkGroups(kcat);
  await checkRestart(kcat);
  await checkNotServed(kcat);
  for (const feature of [
    'create-topics',
    'delete-topics',
    'describe-configs',
    'alter-configs',
    'list-offsets',
    'delete-records',
    'list-topics',
    'list-groups',
    'delete-groups',
    'group-offsets',
    'create-partitions',
    'log-dirs',
    'api-versions',
  ])
    context.report.cannot('kcat', feature, 'has no admin client');
}
