/**
 * kill -9 at random moments under idempotent producers that go on over every death: nothing lost, nothing twice, order kept; and producer ids are never given out
 * again. `npm run crash -- --random 50 --idempotent --seed S`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Prng } from '../../src/lib/prng.ts';
import { delay, eventually, spawnBroker, startBroker } from '../support/broker-process.ts';
import { askProducerId, IdempotentProducer } from '../support/idempotent-producer.ts';
import type { KafkaClient } from '../support/kafka-client.ts';

const rounds = Number(process.env['CRASH_RANDOM'] ?? 10);
const seed = Number(process.env['CRASH_SEED'] ?? 1);
const ROUNDS_PER_FOLDER = 10;
const EARLIEST = -2;
const SETTINGS = {
  'ringlog.journal.bytes': 64 << 20,
  'ringlog.checkpoint.interval.bytes': 4 << 20,
  'ringlog.checkpoint.interval.ms': 200,
  'log.retention.check.interval.ms': 100,
};
const TOPICS: readonly { name: string; configs: Record<string, string> }[] = [
  { name: 'fsync', configs: { 'ringlog.durability': 'fsync' } },
  { name: 'page-cache', configs: { 'ringlog.durability': 'page-cache' } },
  // What is known of producers has to outlive their records.
  { name: 'short-fsync', configs: { 'ringlog.durability': 'fsync', 'segment.bytes': '1048576', 'retention.bytes': '1048576' } },
  { name: 'short-page-cache', configs: { 'ringlog.durability': 'page-cache', 'segment.bytes': '1048576', 'retention.bytes': '1048576' } },
];
const root = mkdtempSync(join(tmpdir(), 'ringlog-crash-'));
const prng = new Prng(seed);

let producers: IdempotentProducer[] = [];
let ids = new Set<number>();
let passed = 0;
let acknowledged = 0;

afterAll(() => {
  rmSync(root, { recursive: true, force: true });
  console.log(`crash: ${passed} passed, ${rounds - passed} failed (${acknowledged} records acknowledged, seed ${seed})`);
});

async function newId(client: KafkaClient): Promise<number> {
  const { errorCode, id } = await askProducerId(client);
  expect([errorCode, ids.has(id)]).toEqual([0, false]);
  ids.add(id);
  return id;
}

async function verify(client: KafkaClient): Promise<void> {
  for (const producer of producers) {
    const start = (await client.listOffset(producer.topic, 0, EARLIEST)).offset;
    producer.verify(start, await client.readAll(producer.topic, 0, start));
  }
}

test.for(Array.from({ length: rounds }, (_, n) => n))('round %i', async (round) => {
  const dataDir = join(root, String(Math.floor(round / ROUNDS_PER_FOLDER)));
  const fresh = round % ROUNDS_PER_FOLDER === 0;
  // Dying on the way up, once or twice.
  while (prng.chance(fresh ? 0 : 0.4)) {
    const dying = spawnBroker({ dataDir, settings: SETTINGS });
    await delay(prng.below(600));
    await dying.kill();
  }
  const broker = await startBroker({ dataDir, settings: SETTINGS });
  const client = await broker.connect();
  if (fresh) {
    ids = new Set();
    producers = [];
    for (const { name, configs } of TOPICS) {
      await client.createTopic(name, 1, { ...configs, 'retention.ms': '-1' });
      producers.push(new IdempotentProducer(name, await newId(client), new Prng(prng.next())));
    }
  }
  for (let n = prng.below(5); n >= 0; n--) await newId(client);
  await verify(client);
  const connections = await Promise.all(producers.map(() => broker.connect()));
  const before = producers.reduce((sum, producer) => sum + producer.acknowledged, 0);
  const sum = (): number => producers.reduce((total, producer) => total + producer.acknowledged, 0) - before;
  const runs = producers.map((producer, n) => producer.run(connections[n] as KafkaClient));
  await delay(prng.below(1200));
  await eventually(() => sum() > 0, 'something is acknowledged');
  broker.child.kill('SIGKILL');
  await Promise.all(runs);
  client.close();
  const next = await startBroker({ dataDir, settings: SETTINGS });
  const reader = await next.connect();
  await verify(reader);
  await newId(reader);
  // What was not answered comes again: some of it is there.
  for (const producer of producers) {
    await producer.finish(reader);
    expect(producer.acknowledged).toBe(producer.next);
  }
  await verify(reader);
  acknowledged += sum();
  reader.close();
  await next.kill();
  passed++;
});
