/**
 * What is checked of every JavaScript client in the same way. The client is given as an object:
 *
 *   name                                                            that of the client; names of topics begin with it
 *   codecs                                                          names of those it has
 *   timestampsFarApart                                              whether one batch may have timestamps that lie years apart
 *   produce(topic, records, { acks, codec, keyed })                 records: { key, value, headers: [[name, value]], partition, timestamp }; resolves with { partition, offset } of each, as far as told
 *   read(topic, { partition, offset, count })                       resolves with at least `count` records: { offset, key, value, headers, timestamp }
 *   topic(partitions, settings)                                     a fresh one; resolves with its name
 *   addPartitions(topic, count), partitionCount(topic)              the count is that of all partitions
 *   endOffsets(topic), startOffsets(topic), offsetsOfTime(topic, ms)  of partition 0, as numbers
 */

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { assertSame, refused, texts } from './checks.mjs';

const COUNT = 1000;
const BEGIN_MS = 1_700_000_000_000;
const BINARY_SIZES = [0, 1, 100, 1000, 10_000, 200_000];
const BINARY_BYTES = 32_000_000;

const valuesOf = (records) => records.map(({ value }) => value);
const inChunks = (list, size) => Array.from({ length: Math.ceil(list.length / size) }, (_, n) => list.slice(n * size, (n + 1) * size));

/** A topic with the numbers 0 … COUNT-1 in batches of 50; number n has timestamp BEGIN_MS + 10 n. */
async function numbered(client) {
  const topic = await client.topic(1);
  const records = Array.from({ length: COUNT }, (_, n) => ({ value: Buffer.from(String(n)), timestamp: BEGIN_MS + 10 * n, partition: 0 }));
  for (const chunk of inChunks(records, 50)) await client.produce(topic, chunk);
  return topic;
}

/** @param words what the client says of: { fewer, nowhere } partitions of a topic that has more, or that is not there */
export function addTopicChecks(checks, client, words) {
  checks.add('auto-create', 'a produce makes the topic, and loses nothing', async () => {
    const topic = `${client.name}-auto`;
    await client.produce(
      topic,
      texts(10).map((value) => ({ value })),
    );
    assertSame(valuesOf(await client.read(topic, { count: 10 })), texts(10));
  });
  checks.add('create-partitions', 'more, which take records; not fewer; not of a topic that is not there', async () => {
    const topic = await client.topic(2);
    await client.addPartitions(topic, 5);
    assert.equal(await client.partitionCount(topic), 5);
    await client.produce(topic, [{ value: Buffer.from('new'), partition: 4 }]);
    assertSame(valuesOf(await client.read(topic, { partition: 4, count: 1 })), [Buffer.from('new')]);
    await refused(() => client.addPartitions(topic, 3), words.fewer);
    await refused(() => client.addPartitions(`${client.name}-nowhere`, 3), words.nowhere);
  });
  checks.add('append-time', "message.timestamp.type=LogAppendTime: the broker's time", async () => {
    const topic = await client.topic(1, { 'message.timestamp.type': 'LogAppendTime' });
    const beforeMs = Date.now();
    await client.produce(topic, [{ value: Buffer.from('v'), timestamp: 1_600_000_000_000, partition: 0 }]);
    const [{ timestamp }] = await client.read(topic, { count: 1 });
    assert.ok(timestamp >= beforeMs - 1000 && timestamp <= Date.now() + 1000, String(timestamp));
  });
}

export function addProducerChecks(checks, client) {
  checks.add('produce-consume', '100,000 messages come back in order, offsets without a gap', async () => {
    const topic = await client.topic(1);
    const sent = texts(100_000);
    for (const chunk of inChunks(sent, 5000))
      await client.produce(
        topic,
        chunk.map((value) => ({ value, partition: 0 })),
      );
    const got = await client.read(topic, { count: sent.length });
    assertSame(valuesOf(got), sent);
    assert.ok(got.every(({ offset }, n) => offset === n));
  });
  checks.add('delivery-reports', 'the offset of each batch is told, and it is read there', async () => {
    const topic = await client.topic(3);
    for (const partition of [0, 1, 2])
      for (let n = 0; n < 5; n++) {
        const [told] = await client.produce(topic, [
          { value: Buffer.from(`${partition} ${n} a`), partition },
          { value: Buffer.from('b'), partition },
        ]);
        assert.deepEqual(told, { partition, offset: 2 * n });
      }
    for (const partition of [0, 1, 2]) {
      const got = await client.read(topic, { partition, count: 10 });
      assert.equal(got[4].value.toString(), `${partition} 2 a`);
    }
  });
  checks.add('partitions', 'keys go always to the same one, all of them are used', async () => {
    const topic = await client.topic(4);
    for (let round = 0; round < 2; round++)
      await client.produce(
        topic,
        Array.from({ length: 50 }, (_, n) => ({ key: Buffer.from(`key ${n}`), value: Buffer.from('v') })),
        { keyed: true },
      );
    const places = new Map();
    for (const partition of [0, 1, 2, 3]) {
      const end = await client.endOffset(topic, partition);
      assert.ok(end > 0, `partition ${partition} is not used`);
      for (const { key } of await client.read(topic, { partition, count: end })) {
        assert.ok(!places.has(key.toString()) || places.get(key.toString()) === partition, `${key} went to two partitions`);
        places.set(key.toString(), partition);
      }
    }
    assert.equal(places.size, 50);
  });
  checks.add('keys', 'text, bytes, empty and no keys', async () => {
    const topic = await client.topic(1);
    const keys = [Buffer.from('text'), Buffer.from([0, 0xff, 0x80]), Buffer.alloc(0), null];
    await client.produce(
      topic,
      keys.map((key) => ({ key, value: Buffer.from('v'), partition: 0 })),
    );
    assert.deepEqual(
      (await client.read(topic, { count: 4 })).map(({ key }) => key?.toString('hex') ?? null),
      ['74657874', '00ff80', '', null],
    );
  });
  checks.add('headers', 'in order, empty values, bytes', async () => {
    const topic = await client.topic(1);
    const headers = [
      ['a', Buffer.from('1')],
      ['b', Buffer.from([0, 0xff])],
      ['empty', Buffer.alloc(0)],
    ];
    await client.produce(topic, [
      { value: Buffer.from('v'), headers, partition: 0 },
      { value: Buffer.from('none'), partition: 0 },
    ]);
    const [first, second] = await client.read(topic, { count: 2 });
    assert.deepEqual(
      first.headers.map(([name, value]) => [name, value.toString('hex')]),
      [
        ['a', '31'],
        ['b', '00ff'],
        ['empty', ''],
      ],
    );
    assert.deepEqual(second.headers, []);
  });
  checks.add('null-values', 'null and empty values stay apart', async () => {
    const topic = await client.topic(1);
    await client.produce(topic, [
      { key: Buffer.from('k'), value: null, partition: 0 },
      { key: Buffer.from('k'), value: Buffer.alloc(0), partition: 0 },
    ]);
    assert.deepEqual(
      (await client.read(topic, { count: 2 })).map(({ value }) => value?.length ?? null),
      [null, 0],
    );
  });
  checks.add('binary', `random values of 0 to 200 KB, ${BINARY_BYTES / 1e6} MB in all, over 3 partitions: equal sha256`, async () => {
    const topic = await client.topic(3);
    const sent = [0, 1, 2].map(() => ({ sum: createHash('sha256'), count: 0 }));
    for (let total = 0, n = 0; total < BINARY_BYTES; n++) {
      const records = BINARY_SIZES.map((size) => ({ value: randomBytes(size), partition: n % 3 }));
      for (const { value } of records) {
        sent[n % 3].sum.update(value);
        sent[n % 3].count++;
        total += value.length;
      }
      await client.produce(topic, records);
    }
    for (const [partition, { sum, count }] of sent.entries()) {
      const got = createHash('sha256');
      for (const { value } of await client.read(topic, { partition, count })) got.update(value);
      assert.equal(got.digest('hex'), sum.digest('hex'));
    }
  });
  for (const codec of client.codecs)
    checks.add(codec, '20,000 messages and one of random bytes, sent compressed, come back', async () => {
      const topic = await client.topic(1);
      const sent = [...texts(20_000), randomBytes(100_000)];
      for (const chunk of inChunks(sent, 5000))
        await client.produce(
          topic,
          chunk.map((value) => ({ value, partition: 0 })),
          { codec },
        );
      assertSame(valuesOf(await client.read(topic, { count: sent.length })), sent);
    });
  for (const [feature, acks] of [
    ['acks-0', 0],
    ['acks-1', 1],
    ['acks-all', -1],
  ])
    checks.add(feature, '5,000 messages come back', async () => {
      const topic = await client.topic(1);
      const sent = texts(5000);
      for (const chunk of inChunks(sent, 500))
        await client.produce(
          topic,
          chunk.map((value) => ({ value, partition: 0 })),
          { acks },
        );
      assertSame(valuesOf(await client.read(topic, { count: sent.length })), sent);
    });
  checks.add(
    'big-messages',
    'nearly as large as max.message.bytes; larger ones are refused by name, and the next goes through',
    async () => {
      const topic = await client.topic(1, { 'max.message.bytes': '8000000' });
      const sent = [randomBytes(7_900_000), Buffer.from('x'), randomBytes(5_000_000)];
      for (const value of sent) await client.produce(topic, [{ value, partition: 0 }]);
      assertSame(valuesOf(await client.read(topic, { count: 3 })), sent);
      await refused(
        () => client.produce(topic, [{ value: randomBytes(8_500_000), partition: 0 }]),
        /MESSAGE_TOO_LARGE|larger than the max message size/,
      );
      await client.produce(topic, [{ value: sent[1], partition: 0 }]);
      assertSame(valuesOf(await client.read(topic, { offset: 3, count: 1 })), [sent[1]]);
    },
  );
  checks.add('timestamps', 'those of the producer come back, in any order, also from 1970', async () => {
    const topic = await client.topic(1);
    const wanted = [BEGIN_MS, 1_600_000_000_000, 1, 1_750_000_000_000];
    const records = wanted.map((timestamp) => ({ value: Buffer.from('v'), timestamp, partition: 0 }));
    for (const batch of client.timestampsFarApart ? [records] : records.map((record) => [record])) await client.produce(topic, batch);
    assert.deepEqual(
      (await client.read(topic, { count: 4 })).map(({ timestamp }) => timestamp),
      wanted,
    );
  });
}

export function addReadChecks(checks, client) {
  checks.add('from-offset', 'an offset in the middle of a batch, and the end itself', async () => {
    const topic = await numbered(client);
    for (const offset of [0, 1, 537, COUNT - 1]) {
      const got = await client.read(topic, { offset, count: COUNT - offset });
      assert.deepEqual(
        got.map(({ value }) => Number(value)),
        Array.from({ length: COUNT - offset }, (_, n) => offset + n),
      );
    }
    assert.deepEqual(await client.read(topic, { offset: COUNT, count: 0 }), []);
  });
  checks.add('from-offset', 'out of range: an error by name', async () => {
    const topic = await numbered(client);
    await refused(() => client.read(topic, { offset: COUNT + 5, count: 1 }), /OFFSET_OUT_OF_RANGE|not within the range of offsets/);
  });
  checks.add('from-tail', 'the last 7: end offset minus 7', async () => {
    const topic = await numbered(client);
    const end = await client.endOffset(topic, 0);
    assert.deepEqual(
      (await client.read(topic, { offset: end - 7, count: 7 })).map(({ value }) => Number(value)),
      [993, 994, 995, 996, 997, 998, 999],
    );
  });
  checks.add('from-timestamp', 'offsets for times: first at or after, before all', async () => {
    const topic = await numbered(client);
    for (const [ms, wanted] of [
      [0, 0],
      [BEGIN_MS, 0],
      [BEGIN_MS + 1, 1],
      [BEGIN_MS + 5000, 500],
      [BEGIN_MS + 10 * (COUNT - 1), COUNT - 1],
    ])
      assert.equal(await client.offsetOfTime(topic, ms), wanted, `offset of ${ms}`);
  });
  checks.add('watermarks', 'beginning and end', async () => {
    const topic = await numbered(client);
    assert.deepEqual([await client.startOffset(topic, 0), await client.endOffset(topic, 0)], [0, COUNT]);
    await client.deleteRecords(topic, 400);
    assert.deepEqual([await client.startOffset(topic, 0), await client.endOffset(topic, 0)], [400, COUNT]);
  });
  checks.add('delete-records', 'below an offset; beyond the end is refused by name', async () => {
    const topic = await numbered(client);
    await client.deleteRecords(topic, 4);
    assert.equal((await client.read(topic, { offset: 4, count: COUNT - 4 })).length, COUNT - 4);
    await refused(() => client.read(topic, { offset: 0, count: 1 }), /OFFSET_OUT_OF_RANGE|not within the range of offsets/);
    await refused(
      () => client.deleteRecords(topic, COUNT + 1),
      /OFFSET_OUT_OF_RANGE|not within the range of offsets|greater than the last offset|out of range/i,
    );
  });
}
