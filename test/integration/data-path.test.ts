/** What a client gets for its requests: one broker for all tests, a topic of its own for each. */
import { join } from 'node:path';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ErrorCode } from '../../src/protocol/errors.ts';
import { buildBatch } from '../../src/protocol/record.ts';
import { produce } from '../../src/protocol/apis/00-produce.ts';
import { crc32cAt } from '../../src/protocol/crc32c.ts';
import { delay, eventually, startBroker, type BrokerProcess } from '../support/broker-process.ts';
import { batchesOf, batchOf, recordsOf, VERSIONS, type KafkaClient, type ProduceAnswer } from '../support/kafka-client.ts';

let folder: string;
let broker: BrokerProcess;
let client: KafkaClient;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ringlog-test-'));
  const settings = { 'ringlog.checkpoint.interval.ms': 300, 'ringlog.checkpoint.interval.bytes': 1 << 20 };
  broker = await startBroker({ dataDir: join(folder, 'data'), settings, cleanup: () => undefined });
  client = await broker.connect();
});

afterAll(async () => {
  client.close();
  const ended = await broker.stop();
  rmSync(folder, { recursive: true, force: true });
  expect(ended.code).toBe(0);
  // Some tests here send what is no request; nothing else gives reason to complain.
  const complaints = broker.log.filter(({ level, msg }) => level !== 'info' && level !== 'debug' && !CLOSED.test(msg));
  expect(complaints).toEqual([]);
});

const CLOSED = /^connection closed: (the client sent what is no request of the Kafka protocol|this looks like HTTP)/;
const MODES = ['memory', 'page-cache', 'fsync'] as const;

describe('produce', () => {
  it.each(MODES)('gives out dense offsets in the order of arrival, many requests in flight (%s)', async (mode) => {
    const topic = `dense-${mode}`;
    await client.createTopic(topic, 1, { 'ringlog.durability': mode });
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, n) => client.produce(topic, 0, batchOf([`${n} a`, `${n} b`, `${n} c`]))),
    );
    expect(answers.map(({ errorCode }) => errorCode)).toEqual(answers.map(() => 0));
    expect(answers.map(({ baseOffset }) => baseOffset)).toEqual(answers.map((_, n) => 3 * n));
    // What is acknowledged from memory becomes readable a moment later, when it is written.
    if (mode === 'memory') await eventually(async () => (await client.listOffset(topic, 0, -1)).offset === 600, 'all of it can be read');
    const records = await client.readAll(topic, 0);
    expect(records.map(({ offset }) => offset)).toEqual(records.map((_, n) => n));
    expect(records.map(({ value }) => value)).toEqual(answers.flatMap((_, n) => [`${n} a`, `${n} b`, `${n} c`]));
  });

  it.each([-1, 1])('with acks=%i answers once the batch can be read', async (acks) => {
    const topic = `acks${acks}`;
    await client.createTopic(topic);
    for (let n = 0; n < 5; n++) {
      expect(await client.produce(topic, 0, batchOf([`${n}`]), { acks })).toMatchObject({ errorCode: 0, baseOffset: n });
      expect(await client.readAll(topic, 0, n)).toMatchObject([{ value: `${n}` }]);
    }
  });

  it('with acks=0 answers nothing, keeps order, and lets the next request of the connection be answered', async () => {
    await client.createTopic('acks0');
    for (let n = 0; n < 20; n++) await client.produce('acks0', 0, batchOf([`${n}`]), { acks: 0 });
    // Requests of one connection run in order: this answer comes behind the twenty that are not given.
    expect(await client.produce('acks0', 0, batchOf(['last']))).toMatchObject({ errorCode: 0, baseOffset: 20 });
    expect((await client.readAll('acks0', 0)).map(({ value }) => value)).toEqual([...Array(20).keys(), 'last'].map(String));
  });

  it('with acks=0 tells of an error by closing the connection', async () => {
    const other = await broker.connect();
    await other.produce('nowhere', 0, batchOf(['x']), { acks: 0 });
    await other.whenClosed();
    expect((await client.metadata(['acks0'])).topics[0]?.errorCode).toBe(0);
  });

  it('refuses acks that mean nothing', async () => {
    await client.createTopic('acks2');
    expect((await client.produce('acks2', 0, batchOf(['x']), { acks: 2 })).errorCode).toBe(ErrorCode.INVALID_REQUIRED_ACKS);
  });

  it('answers for each partition by itself', async () => {
    await client.createTopic('mixed', 2);
    const good = batchOf(['good']);
    const bad = Buffer.from(good);
    bad[bad.length - 1] = (bad.at(-1) as number) ^ 1;
    const answer = await client.request(produce, VERSIONS.produce, {
      acks: -1,
      timeoutMs: 1000,
      topicData: [
        {
          name: 'mixed',
          partitionData: [
            { index: 0, records: good },
            { index: 1, records: bad },
            { index: 2, records: good },
          ],
        },
        { name: 'unknown-topic', partitionData: [{ index: 0, records: good }] },
      ],
    });
    const codes = answer.responses.map(({ name, partitionResponses }) => [
      name,
      partitionResponses.map(({ index, errorCode }) => [index, errorCode]),
    ]);
    expect(codes).toEqual([
      [
        'mixed',
        [
          [0, 0],
          [1, ErrorCode.CORRUPT_MESSAGE],
          [2, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
        ],
      ],
      ['unknown-topic', [[0, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]]],
    ]);
    expect((await client.readAll('mixed', 1)).length).toBe(0);
  });

  it('takes what max.message.bytes allows, and not a byte more, also after it was changed', async () => {
    const small = batchOf([Buffer.alloc(1000)]);
    await client.createTopic('limited', 1, { 'max.message.bytes': String(small.length) });
    expect((await client.produce('limited', 0, small)).errorCode).toBe(0);
    const larger = batchOf([Buffer.alloc(1001)]);
    expect(larger.length).toBe(small.length + 1);
    expect((await client.produce('limited', 0, larger)).errorCode).toBe(ErrorCode.MESSAGE_TOO_LARGE);
    expect(await client.alterTopic('limited', { 'max.message.bytes': String(larger.length) })).toBe(0);
    expect(await client.produce('limited', 0, larger)).toMatchObject({ errorCode: 0, baseOffset: 1 });
  });

  it('stamps log append time into the batch and the answer, never backwards', async () => {
    await client.createTopic('stamped', 1, { 'message.timestamp.type': 'LogAppendTime' });
    const beganMs = Date.now();
    const answers: ProduceAnswer[] = [];
    for (let n = 0; n < 10; n++) answers.push(await client.produce('stamped', 0, batchOf([`${n}`, `${n}'`], 1000)));
    const endedMs = Date.now();
    const records = await client.readAll('stamped', 0);
    answers.forEach((answer, n) => {
      expect(answer.logAppendTimeMs).toBeGreaterThanOrEqual(beganMs);
      expect(answer.logAppendTimeMs).toBeLessThanOrEqual(endedMs);
      expect(answer.logAppendTimeMs).toBeGreaterThanOrEqual(answers[n - 1]?.logAppendTimeMs ?? 0);
      expect(records.slice(2 * n, 2 * n + 2).map(({ timestamp }) => timestamp)).toEqual([answer.logAppendTimeMs, answer.logAppendTimeMs]);
    });
  });

  it('keeps the timestamps of the producer otherwise', async () => {
    await client.createTopic('own-time');
    expect((await client.produce('own-time', 0, batchOf(['x'], 1234))).logAppendTimeMs).toBe(-1);
    expect(await client.readAll('own-time', 0)).toMatchObject([{ timestamp: 1234 }]);
  });
});

describe('a bad batch', () => {
  const good = (): Buffer => batchOf(['one', 'two']);
  const sealed = (change: (batch: Buffer) => void): Buffer => {
    const batch = good();
    change(batch);
    batch.writeUInt32BE(crc32cAt(batch, 21, batch.length - 21), 17);
    return batch;
  };
  const cases: [string, () => Buffer | null, number][] = [
    [
      'a flipped bit in a record',
      () => {
        const batch = good();
        batch[batch.length - 3] = (batch.at(-3) as number) ^ 4;
        return batch;
      },
      ErrorCode.CORRUPT_MESSAGE,
    ],
    [
      'a wrong CRC',
      () => {
        const batch = good();
        batch.writeUInt32BE(12345, 17);
        return batch;
      },
      ErrorCode.CORRUPT_MESSAGE,
    ],
    [
      'a length beyond its bytes',
      () => {
        const batch = good();
        batch.writeInt32BE(batch.length - 12 + 1, 8);
        return batch;
      },
      ErrorCode.CORRUPT_MESSAGE,
    ],
    [
      'a negative length',
      () => {
        const batch = good();
        batch.writeInt32BE(-1, 8);
        return batch;
      },
      ErrorCode.CORRUPT_MESSAGE,
    ],
    ['two batches in one', () => Buffer.concat([good(), good()]), ErrorCode.INVALID_RECORD],
    ['more records than offsets', () => sealed((batch) => batch.writeInt32BE(3, 57)), ErrorCode.INVALID_RECORD],
    ['fewer records than offsets', () => sealed((batch) => batch.writeInt32BE(5, 23)), ErrorCode.INVALID_RECORD],
    ['a negative count', () => sealed((batch) => batch.writeInt32BE(-2, 57)), ErrorCode.CORRUPT_MESSAGE],
    [
      'no records',
      () =>
        sealed((batch) => {
          batch.writeInt32BE(0, 57);
          batch.writeInt32BE(-1, 23);
        }),
      ErrorCode.CORRUPT_MESSAGE,
    ],
    ['magic 1', () => sealed((batch) => batch.writeInt8(1, 16)), ErrorCode.INVALID_RECORD],
    ['magic 3', () => sealed((batch) => batch.writeInt8(3, 16)), ErrorCode.CORRUPT_MESSAGE],
    ['a control batch', () => buildBatch({ records: [{ value: 'x' }], attributes: 0x20 }), ErrorCode.INVALID_RECORD],
    [
      'a transactional batch without a transaction',
      () => buildBatch({ records: [{ value: 'x' }], attributes: 0x10 }),
      ErrorCode.INVALID_RECORD,
    ],
    [
      'log append time claimed by the producer',
      () => buildBatch({ records: [{ value: 'x' }], attributes: 0x08 }),
      ErrorCode.INVALID_TIMESTAMP,
    ],
    ['an unknown compression', () => buildBatch({ records: [{ value: 'x' }], attributes: 0x05 }), ErrorCode.UNSUPPORTED_COMPRESSION_TYPE],
    ['nothing', () => null, ErrorCode.INVALID_RECORD],
    ['less than a header', () => good().subarray(0, 40), ErrorCode.CORRUPT_MESSAGE],
  ];

  beforeAll(async () => {
    await client.createTopic('bad');
  });

  it.each(cases)('%s gets its error and leaves no trace', async (_what, batch, expected) => {
    const before = (await client.fetch('bad', 0, 0)).highWatermark;
    const [first, refused, second] = await Promise.all([
      client.produce('bad', 0, good()),
      client.produce('bad', 0, batch()),
      client.produce('bad', 0, good()),
    ]);
    expect(refused?.errorCode).toBe(expected);
    expect([first, second]).toMatchObject([
      { errorCode: 0, baseOffset: before },
      { errorCode: 0, baseOffset: before + 2 },
    ]);
    expect((await client.readAll('bad', 0, before)).map(({ value }) => value)).toEqual(['one', 'two', 'one', 'two']);
  });
});

describe('fetch', () => {
  it('waits for data up to MaxWait, and answers as soon as there is some', async () => {
    await client.createTopic('poll');
    const reader = await broker.connect();
    let answered = false;
    const pending = reader.fetch('poll', 0, 0, { maxWaitMs: 30_000, minBytes: 1 }).finally(() => (answered = true));
    await delay(100);
    expect(answered).toBe(false);
    await client.produce('poll', 0, batchOf(['now']));
    expect(batchesOf((await pending).records).flatMap(recordsOf)).toMatchObject([{ value: 'now' }]);
    const beganMs = performance.now();
    expect((await reader.fetch('poll', 0, 1, { maxWaitMs: 200 })).records).toHaveLength(0);
    expect(performance.now() - beganMs).toBeGreaterThan(150);
    reader.close();
  });

  it('waits for MinBytes', async () => {
    await client.createTopic('enough');
    const reader = await broker.connect();
    const batch = batchOf([Buffer.alloc(1000)]);
    let answered = false;
    const pending = reader.fetch('enough', 0, 0, { maxWaitMs: 30_000, minBytes: 3 * batch.length }).finally(() => (answered = true));
    for (let n = 0; n < 2; n++) await client.produce('enough', 0, batch);
    await delay(100);
    expect(answered).toBe(false);
    await client.produce('enough', 0, batch);
    expect(batchesOf((await pending).records)).toHaveLength(3);
    reader.close();
  });

  it('answers a waiting fetch at once when another request comes behind it', async () => {
    await client.createTopic('hurried');
    const reader = await broker.connect();
    const waiting = reader.fetch('hurried', 0, 0, { maxWaitMs: 30_000 });
    const behind = reader.metadata(['hurried']);
    expect((await waiting).records).toHaveLength(0);
    expect((await behind).topics[0]?.errorCode).toBe(0);
    reader.close();
  });

  it('never gives less than the first batch, and no more than was asked for beside it', async () => {
    await client.createTopic('sized', 1, { 'max.message.bytes': '4000000' });
    const large = batchOf([Buffer.alloc(2_000_000, 1)]);
    const small = batchOf([Buffer.alloc(1000, 2)]);
    await client.produce('sized', 0, large);
    for (let n = 0; n < 50; n++) await client.produce('sized', 0, small);
    for (const limits of [{ partitionMaxBytes: 1 }, { maxBytes: 1 }, { partitionMaxBytes: 0 }]) {
      const { records } = await client.fetch('sized', 0, 0, limits);
      expect(batchesOf(records).map(({ length }) => length)).toEqual([large.length]);
    }
    for (const limits of [{ partitionMaxBytes: 10_500 }, { maxBytes: 10_500 }]) {
      const { records } = await client.fetch('sized', 0, 1, limits);
      expect(records.length).toBeLessThanOrEqual(10_500);
      expect(batchesOf(records).length).toBe(Math.floor(10_500 / small.length));
    }
  });

  it('begins with the batch that holds the offset', async () => {
    await client.createTopic('inside');
    for (let n = 0; n < 3; n++) await client.produce('inside', 0, batchOf(['a', 'b', 'c', 'd']));
    const { records } = await client.fetch('inside', 0, 6);
    expect(batchesOf(records).map((batch) => recordsOf(batch)[0]?.offset)).toEqual([4, 8]);
  });

  it('tells offsets outside the log from offsets at its end', async () => {
    await client.createTopic('ends');
    await client.produce('ends', 0, batchOf(['a', 'b']));
    expect(await client.fetch('ends', 0, 2)).toMatchObject({ errorCode: 0, highWatermark: 2 });
    expect((await client.fetch('ends', 0, 3)).errorCode).toBe(ErrorCode.OFFSET_OUT_OF_RANGE);
    expect((await client.fetch('ends', 0, -1)).errorCode).toBe(ErrorCode.OFFSET_OUT_OF_RANGE);
    expect((await client.fetch('ends', 1, 0)).errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
    expect(await client.listOffset('ends', 0, -1)).toEqual({ errorCode: 0, offset: 2 });
    expect(await client.listOffset('ends', 0, -2)).toEqual({ errorCode: 0, offset: 0 });
  });

  it('finds offsets by time', async () => {
    await client.createTopic('timed');
    for (let n = 0; n < 10; n++) await client.produce('timed', 0, batchOf([`${n}`], 1_000_000 + n * 1000));
    for (let n = 0; n < 10; n++) expect((await client.listOffset('timed', 0, 1_000_000 + n * 1000 - 500)).offset).toBe(n);
    expect((await client.listOffset('timed', 0, 2_000_000)).offset).toBe(-1);
  });

  it('reads a log of many segments from any offset', async () => {
    await client.createTopic('rolled', 1, { 'segment.bytes': '1048576' });
    const value = (n: number): string => `${n}`.padStart(100_000, '.');
    await Promise.all(Array.from({ length: 45 }, (_, n) => client.produce('rolled', 0, batchOf([value(n)]))));
    const id = (await client.metadata(['rolled'])).topics[0]?.topicId as string;
    const segments = readdirSync(join(folder, 'data/topics', id, '0')).filter((name) => name.endsWith('.log'));
    expect(segments.length).toBeGreaterThanOrEqual(5);
    for (const name of segments) expect(statSync(join(folder, 'data/topics', id, '0', name)).size).toBeLessThanOrEqual(1 << 20);
    for (const from of [0, 9, 10, 11, 30, 44]) {
      expect((await client.readAll('rolled', 0, from)).map((record) => Number(record.value.replaceAll('.', '')))).toEqual(
        [...Array(45).keys()].slice(from),
      );
    }
  });
});

describe('topics', () => {
  it('are made by whoever asks for their metadata and wants them, and not otherwise', async () => {
    expect((await client.metadata(['made'], false)).topics[0]?.errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
    await eventually(async () => (await client.metadata(['made'], true)).topics[0]?.errorCode === 0, 'the topic is made');
    expect(await client.produce('made', 0, batchOf(['x']))).toMatchObject({ errorCode: 0, baseOffset: 0 });
    expect((await client.metadata(['not/a name'], true)).topics[0]?.errorCode).toBe(ErrorCode.INVALID_TOPIC_EXCEPTION);
  });

  it('that are deleted are gone at once; a successor of the same name starts empty, and late writes to the old id are refused', async () => {
    for (const mode of MODES) {
      const name = `phoenix-${mode}`;
      const oldId = await client.createTopic(name, 1, { 'ringlog.durability': mode });
      for (let n = 0; n < 20; n++) expect((await client.produce(name, 0, batchOf([`old ${n}`]))).errorCode).toBe(0);
      expect(await client.deleteTopic(name)).toBe(0);
      expect((await client.produce(name, 0, batchOf(['late']))).errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
      expect((await client.fetch(name, 0, 0)).errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
      const newId = await client.createTopic(name, 1, { 'ringlog.durability': mode });
      expect(newId).not.toBe(oldId);
      expect(await client.fetch(name, 0, 0)).toMatchObject({ errorCode: 0, highWatermark: 0, records: Buffer.alloc(0) });
      expect((await client.produce(oldId, 0, batchOf(['late']), { version: 13 })).errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_ID);
      expect((await client.fetch(oldId, 0, 0, {}, VERSIONS.fetchById)).errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_ID);
      expect(await client.produce(newId, 0, batchOf(['new']), { version: 13 })).toMatchObject({ errorCode: 0, baseOffset: 0 });
      await eventually(async () => (await client.fetch(name, 0, 0)).highWatermark === 1, 'it can be read');
      expect((await client.readAll(name, 0)).map(({ value }) => value)).toEqual(['new']);
      const path = join(folder, 'data/topics', oldId);
      await eventually(() => !readdirSync(join(folder, 'data/topics')).includes(oldId), `${path} is removed`);
    }
  });

  it('deleted and made again under load never show what an earlier one of the name was given', async () => {
    const name = 'churned';
    const writer = await broker.connect();
    const reader = await broker.connect();
    let life = 0;
    const load = { over: false };
    const accepted = new Map<number, string[]>();
    const writing = (async () => {
      while (!load.over) {
        const value = `${life}`;
        const answer = await writer.produce(name, 0, batchOf([value, Buffer.alloc(20_000)]));
        if (answer.errorCode === 0) accepted.set(life, [...(accepted.get(life) ?? []), value]);
      }
    })();
    const reading = (async () => {
      while (!load.over) {
        const lifeBefore = life;
        const answer = await reader.fetch(name, 0, 0);
        for (const batch of batchesOf(answer.records)) expect(Number(recordsOf(batch)[0]?.value)).toBeGreaterThanOrEqual(lifeBefore);
      }
    })();
    for (let n = 0; n < 12; n++) {
      life++;
      await client.createTopic(name, 1, { 'ringlog.durability': MODES[n % 3] as string });
      await eventually(async () => (await client.fetch(name, 0, 0)).highWatermark > 6, 'the topic is written to');
      expect(await client.deleteTopic(name)).toBe(0);
    }
    load.over = true;
    await Promise.all([writing, reading]);
    expect(accepted.size).toBe(12);
    writer.close();
    reader.close();
  });

  it('take flush.messages=1 as fsync, and refuse what contradicts it', async () => {
    await client.createTopic('flushed', 1, { 'ringlog.durability': 'page-cache' });
    await client.produce('flushed', 0, batchOf(['a']));
    expect(await client.alterTopic('flushed', { 'flush.messages': '1' })).not.toBe(0);
    await client.createTopic('flushed-too', 1, { 'flush.messages': '1' });
    expect((await client.produce('flushed-too', 0, batchOf(['b']))).errorCode).toBe(0);
    expect(await client.alterTopic('flushed-too', { 'ringlog.durability': 'memory' })).not.toBe(0);
    await expect(client.createTopic('flushed-not', 1, { 'flush.messages': '1', 'ringlog.durability': 'memory' })).rejects.toThrow(
      'was not created',
    );
  });
});

describe('a change of durability', () => {
  it('under load, through every mode and back, neither loses nor repeats nor reorders anything', async () => {
    const name = 'moving';
    await client.createTopic(name, 3, { 'ringlog.durability': 'fsync' });
    const writers = await Promise.all([0, 1, 2].map(() => broker.connect()));
    const acknowledged: string[][] = [[], [], []];
    const load = { over: false };
    const writing = writers.map(async (writer, partition) => {
      let n = 0;
      const inFlight = new Set<Promise<void>>();
      while (!load.over) {
        const value = `${partition}:${n++}`;
        const sent = writer
          .produce(name, partition, batchOf([value]))
          .then((answer) => acknowledged[partition]?.push(answer.errorCode === 0 ? value : `error ${answer.errorCode}`));
        const settled = sent.then(() => void inFlight.delete(settled));
        inFlight.add(settled);
        if (inFlight.size >= 8) await Promise.race(inFlight);
      }
      await Promise.all(inFlight);
    });
    for (const mode of ['page-cache', 'memory', 'fsync', 'memory', 'page-cache', 'fsync']) {
      const seen = acknowledged.map(({ length }) => length);
      await eventually(() => acknowledged.every(({ length }, n) => length > (seen[n] as number) + 10), 'the load goes on');
      expect(await client.alterTopic(name, { 'ringlog.durability': mode })).toBe(0);
    }
    load.over = true;
    await Promise.all(writing);
    for (const partition of [0, 1, 2]) {
      const records = await client.readAll(name, partition);
      expect(records.map(({ offset }) => offset)).toEqual(records.map((_, n) => n));
      expect(records.map(({ value }) => value)).toEqual(acknowledged[partition]);
    }
    for (const writer of writers) writer.close();
  });
});

describe('garbage on a socket', () => {
  const frame = (...bytes: number[]): Buffer => Buffer.from(bytes);
  it.each([
    ['text', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
    ['a negative size', frame(0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4)],
    ['a size beyond the limit', frame(0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 9, 0, 0, 0, 1)],
    ['a size too small for a header', frame(0, 0, 0, 3, 1, 2, 3)],
    ['an API that is not', frame(0, 0, 0, 10, 0x03, 0xe7, 0, 0, 0, 0, 0, 1, 0xff, 0xff)],
    ['a produce request that is cut short inside', frame(0, 0, 0, 14, 0, 0, 0, 9, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0)],
    ['noise', Buffer.from(Array.from({ length: 5000 }, (_, n) => (n * 7919 + 13) & 0xff))],
  ])('(%s) closes that connection and no other', async (_what, bytes) => {
    const other = await broker.connect();
    other.socket.write(bytes);
    await other.whenClosed();
    expect((await client.metadata(['poll'])).topics[0]?.errorCode).toBe(0);
  });
});
