/**
 * Crash points: a scripted run of two lives, killed before its n-th disk operation, for every n. After each death the broker starts again (half of the time it
 * is killed once more on the way), everything is held against the history, and a second death and start must change nothing.
 *
 * `npm run crash` tries all; `npm run crash -- --sample 60 --seed S` a seeded sample.
 */
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Prng } from '../../src/lib/prng.ts';
import { delay, eventually, spawnBroker, startBroker, type BrokerProcess } from '../support/broker-process.ts';
import type { KafkaClient } from '../support/kafka-client.ts';
import { History, isDeath, type TopicHistory } from './history.ts';

const script = join(import.meta.dirname, 'child.mjs');
const SETTINGS = {
  'ringlog.group.bytes.max': 256 << 10,
  'ringlog.group.batches.max': 64,
  'ringlog.reference.bytes.min': 64 << 10,
  'ringlog.journal.bytes': 12 << 20,
  'ringlog.journal.file.bytes': 2 << 20,
  'ringlog.checkpoint.interval.bytes': 1 << 20,
  'ringlog.checkpoint.interval.ms': 100,
  'log.cleaner.backoff.ms': 20,
  'log.cleaner.min.cleanable.ratio': 0.01,
  'log.cleaner.delete.retention.ms': 50,
  'offsets.topic.num.partitions': 1,
  'offsets.topic.segment.bytes': 1 << 20,
  'offset.metadata.max.bytes': 32_000,
};
/** A start has at most this many operations on its way; recovery is killed at one of them. */
const START_OPERATIONS = 60;

const root = mkdtempSync(join(tmpdir(), 'ringlog-crash-'));
const noCleanup = (): void => undefined;

interface Life {
  readonly name: string;
  readonly history: History;
  readonly run: (client: KafkaClient, history: History) => Promise<void>;
  /** The folder it begins with; undefined: an empty one. */
  readonly template?: string;
}

const byName = (history: History, name: string): TopicHistory => history.topics.findLast((topic) => topic.name === name) as TopicHistory;

let serial = 0;
/** Some records of a size, in flight together. */
async function burst(client: KafkaClient, topic: TopicHistory, count: number, bytes = 0): Promise<void> {
  const codes = await Promise.all(Array.from({ length: count }, () => topic.produce(client, `${topic.name} ${serial++}`, bytes)));
  for (const code of codes) if (code !== 0) throw new Error(`${topic.name}: error ${code}`);
}

async function altered(client: KafkaClient, topic: TopicHistory, durability: TopicHistory['durability']): Promise<void> {
  const code = await topic.alter(client, durability);
  if (code !== 0) throw new Error(`${topic.name}: not changed to ${durability}, error ${code}`);
}

async function trimmed(client: KafkaClient, topic: TopicHistory, offset: number): Promise<void> {
  const code = await topic.deleteRecords(client, offset);
  if (code !== 0) throw new Error(`${topic.name}: records below ${offset} not deleted, error ${code}`);
}

/** Every mode, inline and by reference, rolls, a topic deleted and made again, changes of mode, checkpoints, records deleted and segments used again. */
async function firstLife(client: KafkaClient, history: History): Promise<void> {
  const forced = await history.create(client, 'forced', 'fsync');
  const cached = await history.create(client, 'cached', 'page-cache');
  const memory = await history.create(client, 'memory', 'memory');
  const mayfly = await history.create(client, 'mayfly', 'fsync');
  for (const topic of [forced, cached, memory, mayfly]) await burst(client, topic, 3);
  await Promise.all([burst(client, forced, 5, 300_000), burst(client, cached, 5, 300_000)]);
  await burst(client, mayfly, 6, 200_000);
  await altered(client, memory, 'fsync');
  await Promise.all([burst(client, memory, 4), altered(client, forced, 'page-cache')]);
  await burst(client, forced, 4, 1000);
  await history.delete(client, mayfly);
  const again = await history.create(client, 'mayfly', 'page-cache');
  // Long enough for a checkpoint by time, so that the next appends come behind one.
  await delay(150);
  await Promise.all([forced, cached, memory, again].map((topic) => burst(client, topic, 3, 20_000)));
  await altered(client, again, 'fsync');
  await burst(client, again, 4, 300_000);
  // Large enough for the pool.
  const segments = { segmentBytes: 2 << 20, retentionBytes: 2 << 20 };
  const short = [
    await history.create(client, 'short', 'fsync', segments),
    await history.create(client, 'short-cached', 'page-cache', segments),
  ];
  for (let n = 0; n < 3; n++) {
    await Promise.all(short.map((topic) => burst(client, topic, 7, 600_000)));
    // A checkpoint releases what left, and a job gives it away.
    await delay(150);
  }
  await Promise.all(short.map((topic) => trimmed(client, topic, 18)));
  await burst(client, forced, 3, 1000);
  await history.groups.commit(client, ['old-1', 'old-2'], 'forced');
  await history.compacted.create(client);
  await compactedLife(client, history, 'old-1');
}

const KEYS = ['a', 'b', 'c', 'd'];
const GROUPS = Array.from({ length: 12 }, (_, n) => `group-${n}`);

/** Commits and keyed records, enough of both for segments to be compacted, and groups that are deleted. */
async function compactedLife(client: KafkaClient, history: History, last: string): Promise<void> {
  const { compacted, groups } = history;
  for (let n = 0; n < 4; n++) {
    await Promise.all([groups.commit(client, GROUPS, 'forced', 30_000), compacted.put(client, KEYS, 120_000)]);
    if (n === 1) await groups.delete(client, last);
    // A pass, a checkpoint behind it, a job that gives its files away.
    await delay(100);
  }
  await groups.commit(client, GROUPS.slice(0, 3), 'forced');
}

async function secondLife(client: KafkaClient, history: History): Promise<void> {
  const [forced, cached, memory, mayfly] = [
    byName(history, 'forced'),
    byName(history, 'cached'),
    byName(history, 'memory'),
    byName(history, 'mayfly'),
  ];
  await Promise.all([forced, cached, memory, mayfly].map((topic) => burst(client, topic, 3)));
  await altered(client, forced, 'fsync');
  await burst(client, forced, 6, 300_000);
  await altered(client, memory, 'memory');
  await Promise.all([burst(client, memory, 4), history.delete(client, cached)]);
  await delay(150);
  await burst(client, mayfly, 5, 300_000);
  await altered(client, memory, 'page-cache');
  await Promise.all([forced, memory, mayfly].map((topic) => burst(client, topic, 2)));
  const short = [byName(history, 'short'), byName(history, 'short-cached')];
  await Promise.all([trimmed(client, forced, 5), ...short.map((topic) => burst(client, topic, 7, 600_000))]);
  await delay(150);
  await Promise.all(short.map((topic) => burst(client, topic, 5, 600_000)));
  await compactedLife(client, history, 'old-2');
}

/** How many logs have segments that compaction wrote. */
function compactedLogs(dataDir: string): number {
  const files = readdirSync(dataDir, { recursive: true, encoding: 'utf8' });
  return new Set(files.flatMap((path) => /(.*)\/\d{20}\.\d+\.log$/.exec(path)?.[1] ?? [])).size;
}

/** A life without a death; returns how many operations it had. */
async function dryRun(life: Life, dataDir: string): Promise<number> {
  const broker = await startBroker({ dataDir, script, settings: SETTINGS, cleanup: noCleanup });
  const client = await broker.connect();
  await life.run(client, life.history);
  client.close();
  // Only then its steps are among the points.
  await eventually(() => compactedLogs(dataDir) === 2, 'both logs with keys are compacted');
  await broker.stop();
  life.history.onCleanStop();
  const operations = Number(/stopped after (\d+) operations/.exec(broker.stdout)?.[1]);
  if (!(operations > 0)) throw new Error(`no count of operations:\n${broker.stdout}\n${broker.stderr}`);
  return operations;
}

async function crashed(life: Life, dataDir: string, point: number, cleanup: (run: () => void) => void): Promise<void> {
  const broker = spawnBroker({ dataDir, script, settings: SETTINGS, env: { CRASH_AT: String(point) }, cleanup });
  try {
    while (!broker.stdout.includes('  consume ') && !broker.isOver) await delay(5);
    if (!broker.isOver) {
      const client = await broker.connect();
      await life.run(client, life.history);
      client.close();
    }
  } catch (error) {
    if (!isDeath(error)) throw error;
  }
  // Alive still: the point lies in its stop, or behind it, for no two runs have the same number of operations.
  const ended = await broker.stop();
  if (ended.signal === null && ended.code === 0) life.history.onCleanStop();
  else if (ended.signal !== 'SIGKILL') throw new Error(`ended by itself: code ${ended.code}\n${broker.stderr}`);
}

/** A start and what it serves. */
async function restarted(
  dataDir: string,
  history: History,
  cleanup: (run: () => void) => void,
): Promise<{ broker: BrokerProcess; seen: string }> {
  const broker = await startBroker({ dataDir, script, settings: SETTINGS, cleanup });
  for (const line of broker.log)
    if (line['kind'] !== undefined && line['kind'] !== 'quarantine' && line['kind'] !== 'torn-tail')
      throw new Error(`recovery found damage where none is: ${line.msg}`);
  const client = await broker.connect();
  const seen = await history.verify(client);
  client.close();
  return { broker, seen };
}

const sample = Number(process.env['CRASH_SAMPLE'] ?? 0);
const seed = Number(process.env['CRASH_SEED'] ?? 1);

const template = join(root, 'template');
const first: Life = { name: 'first life', history: new History(), run: firstLife };
const firstOperations = await dryRun(first, template);
const second: Life = { name: 'second life', history: first.history.clone(), run: secondLife, template };
cpSync(template, join(root, 'dry'), { recursive: true });
const secondOperations = await dryRun({ ...second, history: second.history.clone() }, join(root, 'dry'));

const all = [
  ...Array.from({ length: firstOperations }, (_, n) => ({ life: { ...first, history: new History() }, point: n + 1 })),
  ...Array.from({ length: secondOperations }, (_, n) => ({ life: { ...second, history: second.history.clone() }, point: n + 1 })),
].map((each) => ({ ...each, of: each.life.name, key: `${each.life.name} ${each.point}` }));
const chosen = new Prng(seed);
const points =
  sample > 0
    ? all
        .map((each) => ({ each, dice: chosen.next() }))
        .sort((a, b) => a.dice - b.dice)
        .slice(0, sample)
        .map(({ each }) => each)
    : all;
console.log(`crash: ${firstOperations} + ${secondOperations} operations, ${points.length} points${sample > 0 ? `, seed ${seed}` : ''}`);

let passed = 0;
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
  console.log(`crash: ${passed} passed, ${points.length - passed} failed`);
});

test.concurrent.for(points)('$of, operation $point', async ({ life, point, key }, { onTestFinished }) => {
  const dataDir = join(root, key.replaceAll(' ', '-'));
  if (life.template !== undefined) cpSync(life.template, dataDir, { recursive: true });
  await crashed(life, dataDir, point, onTestFinished);
  // Dying on the way to the next life, once or twice.
  const prng = new Prng(point);
  while (prng.chance(0.5)) {
    const broker = spawnBroker({
      dataDir,
      script,
      settings: SETTINGS,
      env: { CRASH_AT: String(1 + prng.below(START_OPERATIONS)) },
      cleanup: onTestFinished,
    });
    while (!broker.stdout.includes('  consume ') && !broker.isOver) await delay(5);
    await broker.kill();
  }
  const once = await restarted(dataDir, life.history, onTestFinished);
  await once.broker.kill();
  const twice = await restarted(dataDir, life.history, onTestFinished);
  expect(twice.seen).toBe(once.seen);
  // It does not only read: it goes on.
  const client = await twice.broker.connect();
  for (const topic of life.history.topics) if (topic.state === 'there') await burst(client, topic, 2);
  if (life.history.topics.some(({ name, state }) => name === 'forced' && state === 'there'))
    await life.history.groups.commit(client, GROUPS, 'forced');
  client.close();
  expect((await twice.broker.stop()).code).toBe(0);
  rmSync(dataDir, { recursive: true, force: true });
  passed++;
});
