/**
 * kill -9 at random moments under idempotent producers that go on over every death: nothing lost, nothing twice, order kept; and producer ids are never given out
 * again. `npm run crash -- --random 50 --idempotent --seed S`.
 */
import { expect } from 'vitest';
import { Prng } from '../../src/lib/prng.ts';
import { delay, eventually } from '../support/broker-process.ts';
import { askProducerId, IdempotentProducer } from '../support/idempotent-producer.ts';
import type { KafkaClient } from '../support/kafka-client.ts';
import { testRounds } from './rounds.ts';

const EARLIEST = -2;
const TOPICS: readonly { name: string; configs: Record<string, string> }[] = [
  { name: 'fsync', configs: { 'ringlog.durability': 'fsync' } },
  { name: 'page-cache', configs: { 'ringlog.durability': 'page-cache' } },
  // What is known of producers has to outlive their records.
  { name: 'short-fsync', configs: { 'ringlog.durability': 'fsync', 'segment.bytes': '1048576', 'retention.bytes': '1048576' } },
  { name: 'short-page-cache', configs: { 'ringlog.durability': 'page-cache', 'segment.bytes': '1048576', 'retention.bytes': '1048576' } },
];

let producers: IdempotentProducer[] = [];
let ids = new Set<number>();

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

testRounds(async ({ broker, fresh, prng, startNext }) => {
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
  const next = await startNext();
  const reader = await next.connect();
  await verify(reader);
  await newId(reader);
  // What was not answered comes again: some of it is there.
  for (const producer of producers) {
    await producer.finish(reader);
    expect(producer.acknowledged).toBe(producer.next);
  }
  await verify(reader);
  reader.close();
  await next.kill();
  return sum();
});
