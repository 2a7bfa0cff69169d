/**
 * `node kafkajs.mjs PACKAGES BROKER [restart | member TOPIC GROUP]`: the checks of kafkajs. Its consumer always joins a group, so apart from the checks of groups
 * records are read with the Fetch of its broker class, which the consumer is built on: its own encoding, decoding and decompression.
 */

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { refused, texts } from './checks.mjs';
import { runClient } from './run-client.mjs';

const [folder, address, mode, ...memberOf] = process.argv.slice(2);
const require = createRequire(join(folder, 'package.json'));
const { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, logLevel } = require('kafkajs');
const lz4 = require('lz4-napi');

CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy');
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: ({ buffer }) => lz4.compressFrame(buffer),
  decompress: (buffer) => lz4.decompressFrame(buffer),
});
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async ({ buffer }) => zstdCompressSync(buffer),
  decompress: async (buffer) => zstdDecompressSync(buffer),
});
const CODECS = { gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy, lz4: CompressionTypes.LZ4, zstd: CompressionTypes.ZSTD };
const FETCH_BYTES_MAX = 10_000_000;
const TIME_MS_MAX = 60_000;

const kafka = new Kafka({
  clientId: 'interop',
  brokers: [address],
  logLevel: logLevel.NOTHING,
  retry: { retries: 15, maxRetryTime: 2000 },
});
const admin = kafka.admin();
const producer = kafka.producer({ allowAutoTopicCreation: true });
// What consumer() makes itself a cluster with.
const createCluster = kafka[Object.getOwnPropertySymbols(kafka).find(({ description }) => description === 'private:Kafka:createCluster')];
const cluster = createCluster({ metadataMaxAge: 300_000, allowAutoTopicCreation: false, isolationLevel: 0 });

class Client {
  name = 'kafkajs';
  codecs = Object.keys(CODECS);
  timestampsFarApart = true;
  hasSeek = true;
  hasStaticMembers = false;
  topics = 0;

  async topic(partitions, settings = {}) {
    const topic = `${this.name}-${mode ?? 'check'}-${this.topics++}`;
    const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
    await admin.createTopics({ topics: [{ topic, numPartitions: partitions, configEntries }], waitForLeaders: true });
    return topic;
  }

  async produce(topic, records, { acks = -1, codec } = {}) {
    const messages = records.map(({ timestamp, headers, ...rest }) => ({
      ...rest,
      ...(timestamp === undefined ? {} : { timestamp: String(timestamp) }),
      ...(headers === undefined ? {} : { headers: Object.fromEntries(headers) }),
    }));
    const told = await producer.send({ topic, acks, messages, ...(codec === undefined ? {} : { compression: CODECS[codec] }) });
    return (told ?? []).map(({ partition, baseOffset }) => ({ partition, offset: Number(baseOffset) }));
  }

  async read(topic, { partition = 0, offset = 0, count }) {
    await cluster.addTargetTopic(topic);
    const records = [];
    const untilMs = Date.now() + TIME_MS_MAX;
    for (let next = offset; ;) {
      const broker = await cluster.findBroker({ nodeId: Object.keys(cluster.findLeaderForPartitions(topic, [partition]))[0] });
      const topics = [{ topic, partitions: [{ partition, fetchOffset: String(next), maxBytes: FETCH_BYTES_MAX }] }];
      const { responses } = await broker.fetch({ maxWaitTime: 100, minBytes: 1, maxBytes: FETCH_BYTES_MAX, isolationLevel: 0, topics });
      for (const { offset: at, key, value, headers, timestamp } of responses[0].partitions[0].messages) {
        if (Number(at) < next) continue;
        records.push({ offset: Number(at), key, value, timestamp: Number(timestamp), headers: Object.entries(headers) });
        next = Number(at) + 1;
      }
      if (records.length >= count) return records;
      assert.ok(Date.now() < untilMs, `${records.length} of ${count} records came in time`);
    }
  }

  async offsets(topic, partition) {
    return (await admin.fetchTopicOffsets(topic)).find((each) => each.partition === partition);
  }

  async startOffset(topic, partition) {
    return Number((await this.offsets(topic, partition)).low);
  }

  async endOffset(topic, partition) {
    return Number((await this.offsets(topic, partition)).high);
  }

  async offsetOfTime(topic, ms) {
    return Number((await admin.fetchTopicOffsetsByTimestamp(topic, ms))[0].offset);
  }

  async addPartitions(topic, count) {
    await admin.createPartitions({ topicPartitions: [{ topic, count }] });
    await cluster.refreshMetadata();
  }

  async partitionCount(topic) {
    return (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions.length;
  }

  async deleteRecords(topic, offset) {
    // It looks for the leader only among the topics that it has heard of.
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(offset) }] });
  }

  async join(topic, groupId, { from, clientId = 'interop', autocommit, onRecord }) {
    const own = new Kafka({ clientId, brokers: [address], logLevel: logLevel.NOTHING });
    const consumer = own.consumer({ groupId, sessionTimeout: 6000, heartbeatInterval: 1000, maxWaitTimeInMs: 500 });
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: from === 'beginning' });
    const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve));
    await consumer.run({
      autoCommit: autocommit,
      autoCommitInterval: 500,
      eachMessage: async ({ partition, message: { offset, value } }) => onRecord({ partition, offset: Number(offset), value }),
    });
    await joined;
    return {
      pause: () => consumer.pause([{ topic }]),
      resume: () => consumer.resume([{ topic }]),
      seek: (offset) => consumer.seek({ topic, partition: 0, offset: String(offset) }),
      commit: (offset) => consumer.commitOffsets([{ topic, partition: 0, offset: String(offset) }]),
      leave: () => consumer.disconnect(),
    };
  }

  async committed(groupId, topic) {
    return Number((await admin.fetchOffsets({ groupId, topics: [topic] }))[0].partitions[0].offset);
  }

  async listGroups() {
    return (await admin.listGroups()).groups.map(({ groupId }) => groupId);
  }

  async describe(groupId) {
    const [{ state, members }] = (await admin.describeGroups([groupId])).groups;
    return { state, members: members.map(({ clientId }) => clientId) };
  }

  async deleteGroup(groupId) {
    await admin.deleteGroups([groupId]);
  }

  async setOffset(groupId, topic, offset) {
    await admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: String(offset) }] });
  }
}

async function settingOf(topic, name) {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name: topic }],
  });
  return resources[0].configEntries.find(({ configName }) => configName === name);
}

function addAdminChecks(checks, client) {
  checks.add('metadata', 'describeCluster: the broker, the controller, the cluster id', async () => {
    const { brokers, controller, clusterId } = await admin.describeCluster();
    assert.deepEqual(
      brokers.map(({ host, port }) => `${host}:${port}`),
      [address],
    );
    assert.equal(controller, brokers[0].nodeId);
    assert.ok(clusterId.length > 0);
  });
  checks.add('create-topics', 'with partitions and settings; a second time nothing is made; validateOnly makes nothing', async () => {
    const configEntries = [{ name: 'segment.bytes', value: '2000000' }];
    assert.equal(await admin.createTopics({ topics: [{ topic: 'kafkajs-made', numPartitions: 5, configEntries }] }), true);
    assert.equal(await admin.createTopics({ topics: [{ topic: 'kafkajs-made' }] }), false);
    await admin.createTopics({ validateOnly: true, topics: [{ topic: 'kafkajs-not-made' }], waitForLeaders: false });
    assert.ok(!(await admin.listTopics()).includes('kafkajs-not-made'));
    assert.equal((await settingOf('kafkajs-made', 'segment.bytes')).configValue, '2000000');
  });
  checks.add('create-topics', 'what cannot be is refused by name', async () => {
    const make = (topic) => () => admin.createTopics({ topics: [topic] });
    await refused(make({ topic: 'bad name!' }), /attempted to perform an operation on an invalid topic/);
    await refused(make({ topic: 'kafkajs-replicas', replicationFactor: 3 }), /Replication-factor is invalid/);
    await refused(make({ topic: 'kafkajs-setting', configEntries: [{ name: 'no.such.setting', value: '1' }] }), /Configuration is invalid/);
  });
  checks.add('list-topics', 'listTopics, fetchTopicMetadata: partitions and leader', async () => {
    const topic = await client.topic(3);
    assert.ok((await admin.listTopics()).includes(topic));
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    assert.deepEqual(topics[0].partitions.map(({ partitionId }) => partitionId).sort(), [0, 1, 2]);
    assert.ok(topics[0].partitions.every(({ leader, replicas, isr }) => leader === replicas[0] && isr.length === 1));
  });
  checks.add('unknown-topic', 'asking for an unknown topic is refused by name, and does not make it', async () => {
    await refused(() => admin.fetchTopicOffsets('kafkajs-nowhere'), /does not host this topic-partition/);
    assert.ok(!(await admin.listTopics()).includes('kafkajs-nowhere'));
  });
  checks.add('delete-topics', 'it is gone, and a new one of that name is empty', async () => {
    const topic = await client.topic(1);
    await client.produce(topic, [{ value: Buffer.from('old'), partition: 0 }]);
    await admin.deleteTopics({ topics: [topic] });
    assert.ok(!(await admin.listTopics()).includes(topic));
    await admin.createTopics({ topics: [{ topic }], waitForLeaders: true });
    assert.equal(await client.endOffset(topic, 0), 0);
  });
  checks.add('describe-configs', 'a setting of the topic, one of the default', async () => {
    const topic = await client.topic(1, { 'max.message.bytes': '12345' });
    const own = await settingOf(topic, 'max.message.bytes');
    assert.deepEqual([own.configValue, own.isDefault], ['12345', false]);
    assert.equal((await settingOf(topic, 'segment.bytes')).isDefault, true);
  });
  checks.add('alter-configs', 'set by AlterConfigs, which takes back what it does not name', async () => {
    const topic = await client.topic(1, { 'segment.bytes': '3000000' });
    const alter = (configEntries) =>
      admin.alterConfigs({ validateOnly: false, resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries }] });
    await alter([{ name: 'max.message.bytes', value: '5000' }]);
    await refused(() => client.produce(topic, [{ value: Buffer.alloc(6000), partition: 0 }]), /larger than the max message size/);
    assert.equal((await settingOf(topic, 'segment.bytes')).isDefault, true);
    await alter([]);
    await client.produce(topic, [{ value: Buffer.alloc(6000), partition: 0 }]);
    await refused(() => alter([{ name: 'no.such.setting', value: '1' }]), /Configuration is invalid/);
  });
  checks.add('list-offsets', 'fetchTopicOffsets', async () => {
    const topic = await client.topic(1);
    await client.produce(
      topic,
      texts(4).map((value) => ({ value, partition: 0 })),
    );
    assert.deepEqual(await admin.fetchTopicOffsets(topic), [{ partition: 0, offset: '4', high: '4', low: '0' }]);
  });
}

function addNotServed(checks, client) {
  checks.cannot('log-dirs', 'has no call for it');
  checks.add('idempotence', 'a producer gets an id and writes', async () => {
    const topic = await client.topic(1);
    const idempotent = kafka.producer({ idempotent: true, retry: { retries: 1 } });
    try {
      await idempotent.connect();
      await idempotent.send({ topic, messages: [{ value: 'v' }] });
    } finally {
      await idempotent.disconnect();
    }
  });
  // It drops what the broker says.
  checks.notServed('transactions', /Failed to find group coordinator/, async () => {
    const transactional = kafka.producer({ idempotent: true, maxInFlightRequests: 1, transactionalId: 't', retry: { retries: 1 } });
    try {
      await transactional.connect();
      await (await transactional.transaction()).abort();
    } finally {
      await transactional.disconnect();
    }
  });
  checks.cannot('static-members', 'has no `group.instance.id`');
  checks.cannot('cooperative', 'has no cooperative assignor');
}

await Promise.all([admin.connect(), producer.connect(), cluster.connect()]);
await runClient(new Client(), mode, {
  memberOf,
  addOwnChecks: addAdminChecks,
  addNotServed,
  // Of errors it has Kafka's words.
  words: {
    fewer: /Number of partitions is invalid/,
    nowhere: /does not host this topic-partition/,
    notEmpty: /group is not empty/,
    noGroup: /group id was not found/,
  },
});
await Promise.all([admin.disconnect(), producer.disconnect(), cluster.disconnect()]);
