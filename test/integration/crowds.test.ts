/** Many clients that behave badly, and one that does not: back-pressure reaches exactly those who cause it. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fetch } from '../../src/protocol/apis/01-fetch.ts';
import { produce } from '../../src/protocol/apis/00-produce.ts';
import { encodeRequestFrame } from '../../src/protocol/frame.ts';
import { eventually, startBroker } from '../support/broker-process.ts';
import { batchesOf, batchOf, KafkaClient, VERSIONS } from '../support/kafka-client.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const MIB = 1 << 20;

describe('a crowd', () => {
  it('of 1,000 that stop in the middle of a 1 MiB produce keeps the 1,001st from nothing', async () => {
    const broker = await startBroker({ dataDir: join(temporaryFolder(), 'data') });
    const client = await broker.connect();
    await client.createTopic('t', 1, { 'max.message.bytes': String(2 * MIB) });
    const frame = encodeRequestFrame(produce, VERSIONS.produce, 1, 'stuck', {
      acks: -1,
      timeoutMs: 30_000,
      topicData: [{ name: 't', partitionData: [{ index: 0, records: batchOf([Buffer.alloc(MIB)]) }] }],
    });
    const half = frame.subarray(0, frame.length / 2);
    const stuck: KafkaClient[] = [];
    for (let n = 0; n < 1000; n += 50)
      stuck.push(...(await Promise.all(Array.from({ length: 50 }, () => KafkaClient.connect(broker.port)))));
    for (const { socket } of stuck) socket.write(half);

    // The next one: records of any size, reads, and topics.
    const next = await broker.connect();
    for (let n = 0; n < 20; n++) expect(await next.produce('t', 0, batchOf([`small ${n}`]))).toMatchObject({ errorCode: 0, baseOffset: n });
    expect(await next.readAll('t', 0)).toHaveLength(20);
    await next.createTopic('u');
    expect((await next.produce('u', 0, batchOf([Buffer.alloc(MIB - 1000)]))).errorCode).toBe(0);
    // Those who hold memory and send nothing lose it; those who go on are served.
    const survivors = stuck.filter(({ closed }) => !closed);
    for (const { socket } of survivors) socket.destroy();
    expect(broker.isOver).toBe(false);
    next.close();
    client.close();
    expect((await broker.stop()).code).toBe(0);
  });

  it('of 16 that ask for much and read nothing keeps nobody else from reading and writing', async () => {
    const settings = { 'ringlog.fetch.memory.bytes': 16 * MIB };
    const broker = await startBroker({ dataDir: join(temporaryFolder(), 'data'), settings });
    const client = await broker.connect();
    await client.createTopic('big', 1, { 'max.message.bytes': String(4 * MIB) });
    await client.createTopic('small');
    for (let n = 0; n < 8; n++) expect((await client.produce('big', 0, batchOf([Buffer.alloc(3 * MIB, n)]))).errorCode).toBe(0);
    const request = encodeRequestFrame(fetch, VERSIONS.fetch, 1_000_000, 'slow', {
      maxWaitMs: 0,
      minBytes: 1,
      maxBytes: 50 * MIB,
      topics: [{ topic: 'big', partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 50 * MIB }] }],
      forgottenTopicsData: [],
      rackId: '',
    });
    const slow = await Promise.all(Array.from({ length: 16 }, () => broker.connect()));
    for (const { socket } of slow) {
      socket.pause();
      for (let n = 0; n < 8; n++) socket.write(request);
    }
    const next = await broker.connect();
    for (let n = 0; n < 50; n++) {
      expect(await next.produce('small', 0, batchOf([`${n}`]))).toMatchObject({ errorCode: 0, baseOffset: n });
      // An answer without records is allowed while memory is short, standing still is not.
      let got = 0;
      await eventually(async () => (got = (await next.fetch('small', 0, n, { maxWaitMs: 100 })).records.length) > 0, 'the record is read');
      expect(got).toBeGreaterThan(0);
    }
    await eventually(
      async () => batchesOf((await next.fetch('big', 0, 3, { maxWaitMs: 100 })).records).length > 0,
      'the big batch is read too',
    );
    // And the slow ones get all they asked for once they read.
    for (const reader of slow) reader.socket.resume();
    await Promise.all(slow.map((reader) => reader.metadata(['small'])));
    for (const { socket } of slow) socket.destroy();
    next.close();
    client.close();
    expect((await broker.stop()).code).toBe(0);
  });

  it('that sends more than memory holds is served in order, each connection and each partition', async () => {
    const settings = { 'ringlog.receive.memory.bytes': 4 * MIB };
    const broker = await startBroker({ dataDir: join(temporaryFolder(), 'data'), settings });
    const client = await broker.connect();
    await client.createTopic('t', 4, { 'ringlog.durability': 'page-cache' });
    const writers = await Promise.all(Array.from({ length: 16 }, () => broker.connect()));
    const filling = Buffer.alloc(100_000, 7);
    const answered: number[][] = writers.map(() => []);
    await Promise.all(
      writers.flatMap((writer, w) =>
        Array.from({ length: 40 }, async (_, n) => {
          // Sizes of every area of the receive memory, so that they overtake each other if they can.
          const padding = filling.subarray(0, [10, 5000, 30_000, 100_000][(n + w) % 4]);
          const answer = await writer.produce('t', w % 4, batchOf([`${w}:${n}`, padding]));
          expect(answer.errorCode).toBe(0);
          answered[w]?.push(n);
        }),
      ),
    );
    for (const order of answered) expect(order).toEqual([...Array(40).keys()]);
    for (let partition = 0; partition < 4; partition++) {
      const records = (await client.readAll('t', partition)).filter(({ offset }) => offset % 2 === 0);
      for (let w = partition; w < 16; w += 4) {
        const mine = records.filter(({ value }) => value.startsWith(`${w}:`)).map(({ value }) => value);
        expect(mine).toEqual(Array.from({ length: 40 }, (_, n) => `${w}:${n}`));
      }
    }
    for (const writer of writers) writer.close();
    client.close();
    expect((await broker.stop()).code).toBe(0);
  });
});
