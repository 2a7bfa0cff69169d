/** Requests that are well-formed and mean harm: each is refused by the protocol's own errors, or answered within memory. */
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { fetch } from '../../src/protocol/apis/01-fetch.ts';
import { listOffsets } from '../../src/protocol/apis/02-list-offsets.ts';
import { metadata } from '../../src/protocol/apis/03-metadata.ts';
import { createTopics } from '../../src/protocol/apis/19-create-topics.ts';
import { describeConfigs } from '../../src/protocol/apis/32-describe-configs.ts';
import { crc32cAt } from '../../src/protocol/crc32c.ts';
import { ErrorCode } from '../../src/protocol/errors.ts';
import { PARTITIONS_MAX } from '../../src/protocol/view.ts';
import { buildBatch } from '../../src/protocol/record.ts';
import { ATTRIBUTES_POSITION, CRC_POSITION, RECORD_COUNT_POSITION } from '../../src/protocol/record-batch.ts';
import { batchOf, ConnectionLost, VERSIONS } from '../support/kafka-client.ts';
import { int16, int32, int8, rawFrame } from '../support/raw-bytes.ts';
import { Siege } from '../support/siege.ts';

const MIB = 1 << 20;
const RESOURCE_TOPIC = 2;

/** A batch changed at one place, its CRC right again. */
function altered(change: (batch: Buffer) => void): Buffer {
  const batch = Buffer.from(batchOf(['a', 'b', 'c']));
  change(batch);
  batch.writeUInt32BE(crc32cAt(batch, ATTRIBUTES_POSITION, batch.length - ATTRIBUTES_POSITION), CRC_POSITION);
  return batch;
}

describe('a batch', () => {
  it.each([
    ['of a wrong CRC', () => Buffer.from(batchOf(['a'])).fill(0xff, CRC_POSITION, CRC_POSITION + 4), ErrorCode.CORRUPT_MESSAGE],
    ['of a format that there is not', () => altered((batch) => batch.writeInt8(9, 16)), ErrorCode.CORRUPT_MESSAGE],
    ['of a length beyond its bytes', () => altered((batch) => batch.writeInt32BE(2 ** 31 - 1, 8)), ErrorCode.CORRUPT_MESSAGE],
    ['of a length below zero', () => altered((batch) => batch.writeInt32BE(-100, 8)), ErrorCode.CORRUPT_MESSAGE],
    ['of fewer bytes than a header', () => batchOf(['a']).subarray(0, 40), ErrorCode.CORRUPT_MESSAGE],
    ['of no bytes', () => Buffer.alloc(0), ErrorCode.INVALID_RECORD],
    ['of records below zero', () => altered((batch) => batch.writeInt32BE(-1, RECORD_COUNT_POSITION)), ErrorCode.CORRUPT_MESSAGE],
    [
      'of two thousand million records',
      () => altered((batch) => batch.writeInt32BE(2 ** 31 - 1, RECORD_COUNT_POSITION)),
      ErrorCode.INVALID_RECORD,
    ],
    ['that begins in the middle of its log', () => altered((batch) => batch.writeInt32BE(7, 4)), ErrorCode.INVALID_RECORD],
    ['that only a broker may write', () => altered((batch) => batch.writeInt16BE(0x20, ATTRIBUTES_POSITION)), ErrorCode.INVALID_RECORD],
    [
      'of a codec that there is not',
      () => altered((batch) => batch.writeInt16BE(7, ATTRIBUTES_POSITION)),
      ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
    ],
    ['larger than its topic takes', () => batchOf([Buffer.alloc(2 * MIB)]), ErrorCode.MESSAGE_TOO_LARGE],
  ])('%s is refused and not stored', async (_, batch, error) => {
    const siege = await Siege.begin();
    const client = await siege.broker.connect();
    await client.createTopic('t');
    expect((await client.produce('t', 0, batch())).errorCode).toBe(error);
    expect(await client.produce('t', 0, batchOf(['good']))).toMatchObject({ errorCode: 0, baseOffset: 0 });
    expect((await client.readAll('t', 0)).map(({ value }) => value)).toEqual(['good']);
    // Without an answer the connection is the answer.
    await client.produce('t', 0, batch(), { acks: 0 });
    await client.whenClosed();
    await siege.end();
  });

  it('of 100 MiB of zeros in 100 KiB is stored as it came, and nobody opens it', async () => {
    const siege = await Siege.begin();
    const client = await siege.broker.connect();
    await client.createTopic('bombs');
    const bomb = buildBatch({ records: [{ value: Buffer.alloc(100 * MIB) }], attributes: 1 }, (records) => gzipSync(records));
    expect(bomb.length).toBeLessThan(MIB / 4);
    for (let n = 0; n < 20; n++) expect(await client.produce('bombs', 0, bomb)).toMatchObject({ errorCode: 0, baseOffset: n });
    const { records } = await client.fetch('bombs', 0, 19);
    expect(records.subarray(ATTRIBUTES_POSITION).equals(bomb.subarray(ATTRIBUTES_POSITION))).toBe(true);
    client.close();
    await siege.end();
  });
});

describe('a produce', () => {
  it('with acks that mean nothing is refused', async () => {
    const siege = await Siege.begin();
    const client = await siege.broker.connect();
    await client.createTopic('t');
    for (const acks of [2, -2, 32_767, -32_768])
      expect((await client.produce('t', 0, batchOf(['x']), { acks })).errorCode).toBe(ErrorCode.INVALID_REQUIRED_ACKS);
    client.close();
    await siege.end();
  });

  it('to partitions that there are not is refused for each', async () => {
    const siege = await Siege.begin();
    const client = await siege.broker.connect();
    await client.createTopic('t');
    for (const partition of [1, -1, 2 ** 31 - 1, -(2 ** 31)])
      expect((await client.produce('t', partition, batchOf(['x']))).errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
    client.close();
    await siege.end();
  });

  it('to more partitions than a request may name closes the connection', async () => {
    const siege = await Siege.begin();
    const attacker = await siege.attacker();
    // One topic, and its partitions without records.
    const partitions = Array.from({ length: PARTITIONS_MAX + 1 }, (_, n) => Buffer.concat([int32(n), int32(-1)]));
    attacker.write(
      rawFrame(
        0,
        7,
        false,
        int16(-1),
        int16(-1),
        int32(1000),
        int32(1),
        int16(1),
        Buffer.from('t'),
        int32(partitions.length),
        Buffer.concat(partitions),
      ),
    );
    await attacker.waitClosed();
    await siege.complainsOnce('too many partitions');
    await siege.end();
  });
});

describe('a fetch', () => {
  it('of offsets and sizes that make no sense is answered with the error of each, or with nothing', async () => {
    const siege = await Siege.begin();
    const client = await siege.broker.connect();
    await client.createTopic('t');
    expect((await client.produce('t', 0, batchOf(['x']))).errorCode).toBe(0);
    for (const offset of [-1, -5, 2, 2 ** 52]) expect((await client.fetch('t', 0, offset)).errorCode).toBe(ErrorCode.OFFSET_OUT_OF_RANGE);
    for (const size of [0, -1, -(2 ** 31)])
      expect((await client.fetch('t', 0, 0, { maxBytes: size, partitionMaxBytes: size })).errorCode).toBe(0);
    for (const partition of [1, -1, 2 ** 31 - 1])
      expect((await client.fetch('t', partition, 0)).errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
    expect((await client.fetch('t', 0, 0, { maxWaitMs: -(2 ** 31), minBytes: 2 ** 31 - 1 })).errorCode).toBe(0);
    client.close();
    await siege.end();
  });

  it('of the same partition fifty thousand times, by four at once, is answered within memory', async () => {
    const siege = await Siege.begin({ slackBytes: 200 * MIB });
    const admin = await siege.broker.connect();
    await admin.createTopic('t');
    expect((await admin.produce('t', 0, batchOf([Buffer.alloc(100_000)]))).errorCode).toBe(0);
    const attackers = await Promise.all(Array.from({ length: 4 }, () => siege.broker.connect()));
    const partitions = Array.from({ length: 50_000 }, () => ({ partition: 0, fetchOffset: 0, partitionMaxBytes: MIB }));
    await Promise.all(
      attackers.map(async (client) => {
        for (let n = 0; n < 2; n++) {
          const request = {
            maxWaitMs: 0,
            minBytes: 1,
            maxBytes: 50 * MIB,
            topics: [{ topic: 't', partitions }],
            forgottenTopicsData: [],
            rackId: '',
          };
          const answer = await client.request(fetch, VERSIONS.fetch, request);
          expect(answer.errorCode).toBe(0);
        }
      }),
    );
    await siege.served();
    for (const client of [...attackers, admin]) client.close();
    await siege.end();
  });

  it('that waits, of a thousand connections that leave, leaves nothing behind', async () => {
    const siege = await Siege.begin();
    const admin = await siege.broker.connect();
    const id = await admin.createTopic('t');
    const wait = {
      maxWaitMs: 2 ** 31 - 1,
      minBytes: 1,
      maxBytes: MIB,
      topics: [{ topicId: id, partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: MIB }] }],
    };
    for (let round = 0; round < 5; round++) {
      const waiting = await Promise.all(Array.from({ length: 200 }, () => siege.broker.connect()));
      const answers = waiting.map((client) =>
        client.request(fetch, VERSIONS.fetchById, { ...wait, forgottenTopicsData: [], rackId: '' }).catch((error: unknown) => error),
      );
      await siege.served(2);
      for (const client of waiting) client.close();
      for (const answer of await Promise.all(answers)) expect(answer).toBeInstanceOf(ConnectionLost);
    }
    // Nobody waits any more, and whoever does is woken.
    const next = await siege.broker.connect();
    const woken = next.request(fetch, VERSIONS.fetchById, { ...wait, forgottenTopicsData: [], rackId: '' });
    await siege.served(2);
    expect((await admin.produce('t', 0, batchOf(['wake up']))).errorCode).toBe(0);
    expect((await woken).responses[0]?.partitions[0]?.records?.length).toBeGreaterThan(0);
    next.close();
    admin.close();
    await siege.end();
  });
});

describe('an administration request', () => {
  it('for topics that no broker could hold is refused for each, and none is made', async () => {
    const siege = await Siege.begin();
    const client = await siege.broker.connect();
    const topic = (name: string, numPartitions: number, replicationFactor = 1) => ({
      name,
      numPartitions,
      replicationFactor,
      assignments: [],
      configs: [],
    });
    const topics = [
      topic('many', 2 ** 31 - 1),
      topic('none', 0),
      topic('less', -2),
      topic('copies', 1, 32_767),
      topic('', 1),
      topic('..', 1),
      topic('../../etc/passwd', 1),
      topic('a/b', 1),
      topic('x'.repeat(32_767), 1),
      topic('\0', 1),
    ];
    const answer = await client.request(createTopics, VERSIONS.createTopics, { topics, timeoutMs: 1000, validateOnly: false });
    expect(answer.topics.map(({ errorCode }) => errorCode !== 0)).toEqual(topics.map(() => true));
    expect((await client.metadata(null)).topics.map(({ name }) => name)).toEqual(['bystander']);
    client.close();
    await siege.end();
  });

  it('about ten thousand things at once is answered for each, and others go on', async () => {
    const siege = await Siege.begin();
    const client = await siege.broker.connect();
    const names = Array.from({ length: 10_000 }, (_, n) => `nobody-${n}`);
    const asks = [
      client.request(metadata, VERSIONS.metadata, {
        topics: names.map((name) => ({ name })),
        allowAutoTopicCreation: false,
        includeTopicAuthorizedOperations: false,
      }),
      client.request(listOffsets, VERSIONS.listOffsets, {
        replicaId: -1,
        isolationLevel: 0,
        topics: names.map((name) => ({ name, partitions: [{ partitionIndex: 0, timestamp: -1 }] })),
      }),
      client.request(describeConfigs, 4, {
        resources: names.map((resourceName) => ({ resourceType: RESOURCE_TOPIC, resourceName, configurationKeys: null })),
        includeSynonyms: true,
        includeDocumentation: true,
      }),
    ] as const;
    const [topics, offsets, configs] = await Promise.all(asks);
    expect(topics.topics.map(({ errorCode }) => errorCode)).toEqual(names.map(() => ErrorCode.UNKNOWN_TOPIC_OR_PARTITION));
    expect(offsets.topics.map(({ partitions }) => partitions[0]?.errorCode)).toEqual(names.map(() => ErrorCode.UNKNOWN_TOPIC_OR_PARTITION));
    expect(configs.results.map(({ errorCode }) => errorCode)).toEqual(names.map(() => ErrorCode.UNKNOWN_TOPIC_OR_PARTITION));
    await siege.served();
    client.close();
    await siege.end();
  });

  it('that makes a hundred times of its bytes is taken in turns, within memory, also when nobody reads the answers', async () => {
    const siege = await Siege.begin();
    const admin = await siege.broker.connect();
    await admin.createTopic('t');
    // A few bytes name a topic, and its configuration has kilobytes.
    const resource = Buffer.concat([int8(RESOURCE_TOPIC), int16(1), Buffer.from('t'), int32(-1)]);
    const ask = rawFrame(32, 3, false, int32(2000), Buffer.concat(Array.from({ length: 2000 }, () => resource)), int8(1), int8(1));
    const attackers = await siege.crowd(20);
    for (const attacker of attackers) {
      attacker.socket.pause();
      for (let n = 0; n < 5; n++) attacker.write(ask);
    }
    await siege.served(50);
    admin.close();
    await siege.end();
  });

  it('with settings that are none changes nothing', async () => {
    const siege = await Siege.begin();
    const client = await siege.broker.connect();
    await client.createTopic('t');
    for (const [name, value] of [
      ['segment.bytes', '-1'],
      ['segment.bytes', '99999999999999999999'],
      ['retention.ms', 'NaN'],
      ['max.message.bytes', '1e9'],
      ['no.such.setting', '1'],
      ['__proto__', 'x'],
      ['constructor', 'x'],
      ['cleanup.policy', 'x'.repeat(30_000)],
    ] as const)
      expect(await client.alterTopic('t', { [name]: value }), `${name}=${value.slice(0, 30)}`).not.toBe(0);
    expect((await client.produce('t', 0, batchOf(['x']))).errorCode).toBe(0);
    client.close();
    await siege.end();
  });
});
