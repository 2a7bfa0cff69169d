/** Idempotent producers against a real broker: ids, duplicates, restarts, moves between durabilities, and what is refused for good. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Prng } from '../../src/lib/prng.ts';
import { initProducerId } from '../../src/protocol/apis/22-init-producer-id.ts';
import { ErrorCode, protocolError } from '../../src/protocol/errors.ts';
import { CONTROL_BIT, TRANSACTIONAL_BIT } from '../../src/protocol/record-batch.ts';
import { buildBatch, type BatchInput } from '../../src/protocol/record.ts';
import { eventually, startBroker } from '../support/broker-process.ts';
import { askProducerId, IdempotentProducer } from '../support/idempotent-producer.ts';
import { batchOf, type KafkaClient } from '../support/kafka-client.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const MODES = ['fsync', 'page-cache', 'memory'] as const;

const start = (dataDir = join(temporaryFolder(), 'data'), settings: Record<string, string | number> = {}) =>
  startBroker({ dataDir, settings });

function batch(producerId: number, baseSequence: number, more: Partial<BatchInput> = {}): Buffer {
  return buildBatch({ records: [{ value: `${baseSequence}` }], baseTimestamp: 1, producerId, producerEpoch: 0, baseSequence, ...more });
}

async function send(client: KafkaClient, topic: string, bytes: Buffer): Promise<number | string> {
  const { errorCode, baseOffset } = await client.produce(topic, 0, bytes);
  return errorCode === 0 ? baseOffset : protocolError(errorCode).name;
}

test('every producer gets an id of its own, in all versions, over clean stops and kills', async () => {
  const dataDir = join(temporaryFolder(), 'data');
  const ids = new Set<number>();
  for (const end of ['stop', 'kill', 'stop'] as const) {
    const broker = await start(dataDir);
    const client = await broker.connect();
    for (let version = 0; version <= 5; version++) {
      const answer = await client.request(initProducerId, version, { transactionalId: null, transactionTimeoutMs: 0 });
      expect([answer.errorCode, answer.producerEpoch, ids.has(Number(answer.producerId))]).toEqual([0, 0, false]);
      ids.add(Number(answer.producerId));
    }
    client.close();
    await broker[end]();
  }
});

test('transactional ids, transactional and control batches are refused at once with errors that clients take as final', async () => {
  const broker = await start();
  const client = await broker.connect();
  await client.createTopic('t');
  const { id } = await askProducerId(client);
  const asked = await askProducerId(client, 'my-transaction');
  expect([protocolError(asked.errorCode).name, asked.id]).toEqual(['UNSUPPORTED_VERSION', -1]);
  expect(protocolError((await askProducerId(client, '')).errorCode).name).toBe('INVALID_REQUEST');
  const refusals = [
    await send(client, 't', batch(id, 0, { attributes: TRANSACTIONAL_BIT })),
    await send(client, 't', batch(id, 0, { attributes: CONTROL_BIT })),
    await send(client, 't', batch(id, 0, { attributes: TRANSACTIONAL_BIT | CONTROL_BIT })),
    await send(client, 't', batch(-1, -1, { attributes: TRANSACTIONAL_BIT })),
  ];
  expect(refusals).toEqual(['INVALID_TXN_STATE', 'INVALID_RECORD', 'INVALID_RECORD', 'INVALID_RECORD']);
  for (const name of refusals) expect(protocolError(ErrorCode[name as 'INVALID_RECORD']).retriable).toBe(false);
  expect(await client.readAll('t', 0)).toEqual([]);
});

test.for(MODES)('%s: what comes twice is there once, also after a clean stop, and readers see each record once', async (mode) => {
  const dataDir = join(temporaryFolder(), 'data');
  let broker = await start(dataDir);
  let client = await broker.connect();
  await client.createTopic('t', 1, { 'ringlog.durability': mode });
  const { id } = await askProducerId(client);
  const sequences = [0, 0, 1, 2, 1, 0, 4, 3, 4, 4];
  const answers = await Promise.all(sequences.map((sequence) => send(client, 't', batch(id, sequence))));
  expect(answers).toEqual([0, 0, 1, 2, 1, 0, 'OUT_OF_ORDER_SEQUENCE_NUMBER', 3, 4, 4]);
  client.close();
  await broker.stop();
  broker = await start(dataDir);
  client = await broker.connect();
  expect([await send(client, 't', batch(id, 4)), await send(client, 't', batch(id, 0)), await send(client, 't', batch(id, 5))]).toEqual([
    4, 0, 5,
  ]);
  expect(await send(client, 't', batch(id, 9))).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER');
  await eventually(async () => (await client.listOffset('t', 0, -1)).offset === 6, 'all of it can be read');
  expect((await client.readAll('t', 0)).map(({ value }) => Number(value))).toEqual([0, 1, 2, 3, 4, 5]);
});

test('a topic that changes its durability under load goes on without a duplicate', async () => {
  const broker = await start();
  const client = await broker.connect();
  await client.createTopic('t');
  const { id } = await askProducerId(client);
  const producer = new IdempotentProducer('t', id, new Prng(1));
  const connection = await broker.connect();
  const running = producer.run(connection);
  for (const durability of ['page-cache', 'fsync', 'memory', 'fsync']) {
    const before = producer.acknowledged;
    expect(await client.alterTopic('t', { 'ringlog.durability': durability })).toBe(0);
    while (producer.acknowledged < before + 50) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  connection.close();
  await running;
  await producer.finish(client);
  producer.verify(0, await client.readAll('t', 0));
});

test('a partition that remembers as many producers as it may has new ones try again, and takes the known ones and plain batches', async () => {
  const broker = await start(undefined, { 'ringlog.partition.producers.max': 2 });
  const client = await broker.connect();
  await client.createTopic('t');
  for (const id of [1, 2]) await send(client, 't', batch(id, 0));
  expect(await send(client, 't', batch(3, 0))).toBe('REQUEST_TIMED_OUT');
  expect(await send(client, 't', batchOf(['plain']))).toBe(2);
  expect(await send(client, 't', batch(1, 1))).toBe(3);
});

test('a producer that was silent for producer.id.expiration.ms is forgotten', async () => {
  const settings = { 'producer.id.expiration.ms': 200, 'producer.id.expiration.check.interval.ms': 50 };
  const broker = await start(undefined, settings);
  const client = await broker.connect();
  await client.createTopic('t');
  expect(await send(client, 't', batch(1, 0))).toBe(0);
  await eventually(async () => (await send(client, 't', batch(1, 7))) === 1, 'it may go on with any sequence');
});
