/**
 * kill -9 at random moments under load, again and again on one data folder: in `fsync` and `page-cache` nothing acknowledged is lost, and the broker always
 * starts again. Some deaths come while it starts. `npm run crash -- --random 50 --seed S`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Prng } from '../../src/lib/prng.ts';
import { delay, eventually, spawnBroker, startBroker } from '../support/broker-process.ts';
import type { KafkaClient } from '../support/kafka-client.ts';
import { History, isDeath, type TopicHistory } from './history.ts';

const rounds = Number(process.env['CRASH_RANDOM'] ?? 10);
const seed = Number(process.env['CRASH_SEED'] ?? 1);
/** Rounds on one folder; then a new one, so that reading it all back stays quick. */
const ROUNDS_PER_FOLDER = 10;
const IN_FLIGHT = 8;
const SETTINGS = {
  'ringlog.journal.bytes': 64 << 20,
  'ringlog.checkpoint.interval.bytes': 4 << 20,
  'ringlog.checkpoint.interval.ms': 200,
  'log.retention.check.interval.ms': 100,
};
const root = mkdtempSync(join(tmpdir(), 'ringlog-crash-'));
const prng = new Prng(seed);

let history = new History();
let passed = 0;
let acknowledged = 0;
let serial = 0;

afterAll(() => {
  rmSync(root, { recursive: true, force: true });
  console.log(`crash: ${passed} passed, ${rounds - passed} failed (${acknowledged} records acknowledged, seed ${seed})`);
});

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

test.for(Array.from({ length: rounds }, (_, n) => n))('round %i', async (round) => {
  const dataDir = join(root, String(Math.floor(round / ROUNDS_PER_FOLDER)));
  const fresh = round % ROUNDS_PER_FOLDER === 0;
  if (fresh) history = new History();
  // Dying on the way up, once or twice.
  while (prng.chance(fresh ? 0 : 0.4)) {
    const dying = spawnBroker({ dataDir, settings: SETTINGS });
    await delay(prng.below(600));
    await dying.kill();
  }
  const broker = await startBroker({ dataDir, settings: SETTINGS });
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
  const next = await startBroker({ dataDir, settings: SETTINGS });
  for (const line of next.log) expect(['torn-tail', undefined]).toContain(line['kind']);
  const reader = await next.connect();
  await history.verify(reader);
  reader.close();
  await next.kill();
  passed++;
});
