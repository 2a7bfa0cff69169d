/**
 * kill -9 at random moments under load, again and again on one data folder: in `fsync` and `page-cache` nothing acknowledged is lost, and the broker always
 * starts again. Some deaths come while it starts. `npm run crash -- --random 50 --seed S`.
 */
import { expect } from 'vitest';
import { Prng } from '../../src/lib/prng.ts';
import { delay, eventually } from '../support/broker-process.ts';
import type { KafkaClient } from '../support/kafka-client.ts';
import { History, isDeath, type TopicHistory } from './history.ts';
import { testRounds } from './rounds.ts';

const IN_FLIGHT = 8;

let history = new History();
let acknowledged = 0;
let serial = 0;

/** Sends until the broker dies. */
async function load(client: KafkaClient, topic: TopicHistory, sizes: Prng): Promise<void> {
  const inFlight = new Set<Promise<void>>();
  while (!client.closed) {
    const sent = topic.produce(client, `${topic.name} ${serial++}`, sizes.chance(0.02) ? 400_000 : sizes.below(2000)).then(
      (code) => {
        if (code !== 0) throw new Error(`${topic.name}: error ${code}`);
        acknowledged++;
      },
      (error: unknown) => {
        if (!isDeath(error)) throw error;
      },
    );
    const settled = sent.then(() => void inFlight.delete(settled));
    inFlight.add(settled);
    if (inFlight.size >= IN_FLIGHT) await Promise.race(inFlight);
  }
  await Promise.all(inFlight);
}

testRounds(async ({ broker, fresh, prng, startNext }) => {
  if (fresh) history = new History();
  const client = await broker.connect();
  if (fresh) {
    for (const name of ['a', 'b']) {
      await history.create(client, `fsync-${name}`, 'fsync');
      await history.create(client, `page-cache-${name}`, 'page-cache');
    }
    for (const durability of ['fsync', 'page-cache'] as const)
      await history.create(client, `short-${durability}`, durability, { segmentBytes: 2 << 20, retentionBytes: 3 << 20 });
  }
  await history.verify(client);
  const writers = await Promise.all(history.topics.map(() => broker.connect()));
  const before = acknowledged;
  const loads = writers.map((writer, n) => load(writer, history.topics[n] as TopicHistory, new Prng(prng.next())));
  await delay(prng.below(1200));
  await eventually(() => acknowledged > before, 'something is acknowledged');
  broker.child.kill('SIGKILL');
  await Promise.all(loads);
  client.close();
  const next = await startNext();
  for (const line of next.log) expect(['torn-tail', undefined]).toContain(line['kind']);
  const reader = await next.connect();
  await history.verify(reader);
  reader.close();
  await next.kill();
  return acknowledged - before;
});
