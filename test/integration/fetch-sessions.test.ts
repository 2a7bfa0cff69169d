/** Incremental fetch sessions and topic ids through the wire, on the built broker. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fetch } from '../../src/protocol/apis/01-fetch.ts';
import { metadata } from '../../src/protocol/apis/03-metadata.ts';
import { ErrorCode } from '../../src/protocol/errors.ts';
import type { ResponseOf } from '../../src/protocol/schema.ts';
import { startBroker, type BrokerProcess } from '../support/broker-process.ts';
import { batchOf, type KafkaClient } from '../support/kafka-client.ts';

let folder: string;
let broker: BrokerProcess;
let client: KafkaClient;
/** Reads only: a waiting fetch holds up what follows it on its connection. */
let consumer: KafkaClient;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ringlog-test-'));
  const settings = { 'max.incremental.fetch.session.cache.slots': 4 };
  broker = await startBroker({ dataDir: join(folder, 'data'), settings, cleanup: () => undefined });
  client = await broker.connect();
  consumer = await broker.connect();
});

afterAll(async () => {
  client.close();
  consumer.close();
  const ended = await broker.stop();
  rmSync(folder, { recursive: true, force: true });
  expect(ended.code).toBe(0);
  expect(broker.log.filter(({ level }) => level !== 'info' && level !== 'debug')).toEqual([]);
});

type Answer = ResponseOf<typeof fetch>;

interface Ask {
  readonly version: number;
  readonly sessionId?: number;
  readonly sessionEpoch?: number;
  readonly topics?: readonly { readonly name: string; readonly offsets: Readonly<Record<number, number>> }[];
  readonly forget?: readonly { readonly name: string; readonly partitions: readonly number[] }[];
  readonly maxWaitMs?: number;
}

/** `name` of topics and forgotten topics is the id from version 13 on. */
async function ask(from: KafkaClient, options: Ask): Promise<Answer> {
  const { version, sessionId = 0, sessionEpoch = 0, topics = [], forget = [], maxWaitMs = 0 } = options;
  const named = (name: string) => (version >= 13 ? { topicId: name } : { topic: name });
  return from.request(fetch, version, {
    maxWaitMs,
    minBytes: 1,
    maxBytes: 1 << 20,
    isolationLevel: 0,
    sessionId,
    sessionEpoch,
    topics: topics.map(({ name, offsets }) => ({
      ...named(name),
      partitions: Object.entries(offsets).map(([partition, fetchOffset]) => ({
        partition: Number(partition),
        fetchOffset,
        partitionMaxBytes: 1 << 20,
      })),
    })),
    forgottenTopicsData: forget.map(({ name, partitions }) => ({ ...named(name), partitions: [...partitions] })),
    rackId: '',
  });
}

async function idOf(topic: string): Promise<string> {
  const { topics } = await client.request(metadata, 12, { topics: [{ name: topic }] });
  return topics[0]!.topicId;
}

function told(answer: Answer): [number, number][] {
  return answer.responses.flatMap(({ partitions }) =>
    partitions.map(({ partitionIndex, errorCode }): [number, number] => [partitionIndex, errorCode]),
  );
}

it.each([7, 11, 12, 13, 17, 18])('the second fetch of an idle session lists no partition (version %i)', async (version) => {
  const topic = `idle-${version}`;
  await client.createTopic(topic, 3);
  await client.produce(topic, 0, batchOf(['a']));
  const name = version >= 13 ? await idOf(topic) : topic;
  const first = await ask(consumer, { version, topics: [{ name, offsets: { 0: 1, 1: 0, 2: 0 } }] });
  const { sessionId } = first;
  expect(sessionId).toBeGreaterThan(0);
  expect(told(first)).toHaveLength(3);
  expect(await ask(consumer, { version, sessionId, sessionEpoch: 1 })).toMatchObject({ errorCode: 0, sessionId, responses: [] });
  const waiting = ask(consumer, { version, sessionId, sessionEpoch: 2, maxWaitMs: 30_000 });
  await client.produce(topic, 1, batchOf(['b']));
  const woken = await waiting;
  expect(told(woken)).toEqual([[1, 0]]);
  expect(woken.responses[0]!.partitions[0]!.records!.length).toBeGreaterThan(0);
  expect(woken.responses[0]![version >= 13 ? 'topicId' : 'topic']).toBe(name);
  const next = await ask(consumer, {
    version,
    sessionId,
    sessionEpoch: 3,
    topics: [{ name, offsets: { 1: 1 } }],
    forget: [{ name, partitions: [0] }],
  });
  expect(told(next)).toEqual([]);
  for (const partition of [0, 2]) await client.produce(topic, partition, batchOf(['c']));
  expect(told(await ask(consumer, { version, sessionId, sessionEpoch: 4 }))).toEqual([[2, 0]]);
  // Ends it.
  expect(await ask(consumer, { version, sessionId, sessionEpoch: -1 })).toMatchObject({ errorCode: 0, sessionId: 0 });
  expect((await ask(consumer, { version, sessionId, sessionEpoch: 5 })).errorCode).toBe(ErrorCode.FETCH_SESSION_ID_NOT_FOUND);
});

it('a deleted topic is told to the session that waits for it, and with each fetch after that', async () => {
  await client.createTopic('doomed', 1);
  const name = await idOf('doomed');
  const { sessionId } = await ask(consumer, { version: 13, topics: [{ name, offsets: { 0: 0 } }] });
  const waiting = ask(consumer, { version: 13, sessionId, sessionEpoch: 1, maxWaitMs: 30_000 });
  await client.deleteTopic('doomed');
  expect(told(await waiting)).toEqual([[0, ErrorCode.UNKNOWN_TOPIC_ID]]);
  expect(told(await ask(consumer, { version: 13, sessionId, sessionEpoch: 2, maxWaitMs: 30_000 }))).toEqual([
    [0, ErrorCode.UNKNOWN_TOPIC_ID],
  ]);
  await ask(consumer, { version: 13, sessionId, sessionEpoch: -1 });
});

it('a session goes with its slot only: connections that end give theirs to who comes next', async () => {
  await client.createTopic('slots', 1);
  const topics = [{ name: 'slots', offsets: { 0: 0 } }];
  const open = async (from: KafkaClient) => (await ask(from, { version: 12, topics })).sessionId;
  const others = await Promise.all(Array.from({ length: 4 }, () => broker.connect()));
  for (const other of others) expect(await open(other)).toBeGreaterThan(0);
  expect(await open(consumer)).toBe(0);
  for (let n = 0; n < 20; n++) {
    others.shift()!.close();
    const next = await broker.connect();
    others.push(next);
    // The broker may hear of the new connection first.
    let sessionId = 0;
    while (sessionId === 0) sessionId = await open(next);
  }
  for (const other of others) other.close();
});
