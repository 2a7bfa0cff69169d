/** `node platformatic.mjs PACKAGES BROKER [restart | member TOPIC GROUP [ASSIGNOR]]`: the checks of @platformatic/kafka. Its streams join a group; apart from the checks of groups records are read with Consumer.fetch. */

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { refused } from './checks.mjs';
import { runClient } from './run-client.mjs';

const [folder, address, mode, ...memberOf] = process.argv.slice(2);
const entry = createRequire(join(folder, 'package.json')).resolve('@platformatic/kafka');
const { Admin, ConfigResourceTypes, Consumer, IncrementalAlterConfigOperationTypes, Producer } = await import(pathToFileURL(entry).href);

const FETCH_BYTES_MAX = 10_000_000;
const TIME_MS_MAX = 60_000;
const COMMITTED_MS_MAX = 5000;
/** Bit of a batch's attributes: the broker's time. */
const LOG_APPEND_TIME = 8;

const options = { clientId: 'interop', bootstrapBrokers: [address], retries: 20, retryDelay: 200 };
const admin = new Admin({ ...options, retries: 3 });
const producer = new Producer({ ...options, autocreateTopics: true });
// It wants a group id even for fetch, and then does not use it.
const consumer = new Consumer({ ...options, groupId: 'unused', isolationLevel: 0 });

class Client {
  name = 'platformatic';
  codecs = ['gzip', 'snappy', 'lz4', 'zstd'];
  // Its varints are wrong beyond 32 bits (version 2.12.1): it writes -100000000000 as d19fb787e905, which should be ff9fb787e905.
  timestampsFarApart = false;
  hasSeek = false;
  hasStaticMembers = true;
  topics = 0;
  metadata = new Map();

  async topic(partitions, settings = {}) {
    const topic = `${this.name}-${mode ?? 'check'}-${this.topics++}`;
    const configs = Object.entries(settings).map(([name, value]) => ({ name, value }));
    await admin.createTopics({ topics: [topic], partitions, replicas: 1, configs });
    return topic;
  }

  async produce(topic, records, { acks = -1, codec } = {}) {
    const messages = records.map(({ timestamp, headers, ...rest }) => ({
      topic,
      ...rest,
      ...(timestamp === undefined ? {} : { timestamp: BigInt(timestamp) }),
      ...(headers === undefined ? {} : { headers: new Map(headers.map(([name, value]) => [Buffer.from(name), value])) }),
    }));
    const { offsets } = await producer.send({ messages, acks, ...(codec === undefined ? {} : { compression: codec }) });
    return (offsets ?? []).map(({ partition, offset }) => ({ partition, offset: Number(offset) }));
  }

  async read(topic, { partition = 0, offset = 0, count }) {
    let known = this.metadata.get(topic);
    if (known === undefined) {
      known = (await consumer.metadata({ topics: [topic], forceUpdate: true })).topics.get(topic);
      this.metadata.set(topic, known);
    }
    const records = [];
    const untilMs = Date.now() + TIME_MS_MAX;
    for (let next = offset; ;) {
      const place = {
        partition,
        currentLeaderEpoch: -1,
        lastFetchedEpoch: -1,
        fetchOffset: BigInt(next),
        partitionMaxBytes: FETCH_BYTES_MAX,
      };
      const topics = [{ topicId: known.id, partitions: [place] }];
      const { responses } = await consumer.fetch({
        node: known.partitions[partition].leader,
        topics,
        maxWaitTime: 100,
        minBytes: 1,
        maxBytes: FETCH_BYTES_MAX,
      });
      for (const batch of responses[0]?.partitions[0]?.records ?? [])
        for (const { offsetDelta, timestampDelta, key, value, headers } of batch.records) {
          const at = Number(batch.firstOffset) + offsetDelta;
          if (at < next) continue;
          const appended = (batch.attributes & LOG_APPEND_TIME) !== 0;
          const timestamp = Number(appended ? batch.maxTimestamp : batch.firstTimestamp + timestampDelta);
          // The records point into the answer.
          records.push({ offset: at, key, value, timestamp, headers: headers.map(([name, each]) => [name.toString(), each]) });
          next = at + 1;
        }
      if (records.length >= count) return records;
      assert.ok(Date.now() < untilMs, `${records.length} of ${count} records came in time`);
    }
  }

  async offsetAt(topic, partition, timestamp) {
    const [{ partitions }] = await admin.listOffsets({ topics: [{ name: topic, partitions: [{ partitionIndex: partition, timestamp }] }] });
    return Number(partitions[0].offset);
  }

  startOffset(topic, partition) {
    return this.offsetAt(topic, partition, -2n);
  }

  endOffset(topic, partition) {
    return this.offsetAt(topic, partition, -1n);
  }

  offsetOfTime(topic, ms) {
    return this.offsetAt(topic, 0, BigInt(ms));
  }

  async addPartitions(topic, count) {
    await admin.createPartitions({ topics: [{ name: topic, count, assignments: null }] });
    this.metadata.delete(topic);
    await producer.metadata({ topics: [topic], forceUpdate: true });
  }

  async partitionCount(topic) {
    return (await admin.metadata({ topics: [topic], forceUpdate: true })).topics.get(topic).partitionsCount;
  }

  async deleteRecords(topic, offset) {
    await admin.deleteRecords({ topics: [{ name: topic, partitions: [{ partition: 0, offset: BigInt(offset) }] }] });
  }

  async join(topic, groupId, { from, instance, clientId = 'interop', autocommit, assignor, onRecord }) {
    const times = { sessionTimeout: 6000, rebalanceTimeout: 6000, heartbeatInterval: 1000 };
    const named = instance === undefined ? {} : { groupInstanceId: instance };
    const assigned = assignor === undefined ? {} : { protocols: [{ name: assignor, version: 1 }] };
    const member = new Consumer({ ...options, ...times, ...named, ...assigned, clientId, groupId });
    // What a fetch from before a rebalance brings, it commits behind it, too (version 2.12.1): offsets of partitions that are another member's by then, who may have
    // committed more. The broker cannot tell: a commit names the generation, and that is the new one.
    const commit = member.commit.bind(member);
    member.commit = ({ offsets, ...rest }, callback) => {
      const owned = offsets.filter((of) =>
        member.assignments?.some(({ topic: name, partitions }) => name === of.topic && partitions.includes(of.partition)),
      );
      if (owned.length > 0) return commit({ offsets: owned, ...rest }, callback);
      return callback === undefined ? Promise.resolve() : process.nextTick(callback, null);
    };
    // It joins again by itself, and takes the name back.
    let isFenced = false;
    member.on('consumer:rejoin', () => (isFenced = true));
    const fallbackMode = from === 'beginning' ? 'earliest' : 'latest';
    const stream = await member.consume({
      topics: [topic],
      mode: 'committed',
      fallbackMode,
      autocommit: autocommit ? 500 : false,
      maxWaitTime: 500,
    });
    const next = new Map();
    stream.on('data', ({ partition, offset, value }) => {
      next.set(partition, Number(offset) + 1);
      onRecord({ partition, offset: Number(offset), value });
    });
    const isCommitted = async () => {
      const offsets = await this.committedOffsets(groupId, topic);
      return [...next].every(([partition, offset]) => (offsets.get(partition) ?? -1) >= offset);
    };
    return {
      isFenced: () => isFenced,
      pause: () => stream.pause(),
      resume: () => stream.resume(),
      commit: (offset) => member.commit({ offsets: [{ topic, partition: 0, offset: BigInt(offset), leaderEpoch: 0 }] }),
      leave: async () => {
        // close() waits for the commit that is under way, and drops what was queued meanwhile (version 2.12.1): what is to be committed has to be before.
        if (autocommit)
          for (const untilMs = Date.now() + COMMITTED_MS_MAX; Date.now() < untilMs && !(await isCommitted());) await sleep(50);
        await stream.close();
        await member.close(true);
      },
    };
  }

  async committed(groupId, topic) {
    return (await this.committedOffsets(groupId, topic)).get(0) ?? -1;
  }

  async committedOffsets(groupId, topic) {
    const [{ topics }] = await admin.listConsumerGroupOffsets({ groups: [groupId] });
    const partitions = topics.find(({ name }) => name === topic)?.partitions ?? [];
    return new Map(partitions.map(({ partitionIndex, committedOffset }) => [partitionIndex, Number(committedOffset)]));
  }

  async listGroups() {
    return [...(await admin.listGroups()).keys()];
  }

  async describe(groupId) {
    const { state, members } = (await admin.describeGroups({ groups: [groupId] })).get(groupId);
    return { state: state[0] + state.slice(1).toLowerCase(), members: [...members.values()].map(({ clientId }) => clientId) };
  }

  async deleteGroup(groupId) {
    await admin.deleteGroups({ groups: [groupId] });
  }

  async setOffset(groupId, topic, offset) {
    const topics = [{ name: topic, partitionOffsets: [{ partition: 0, offset: BigInt(offset) }] }];
    await admin.alterConsumerGroupOffsets({ groupId, topics });
  }
}

async function settingOf(topic, name) {
  const [{ configs }] = await admin.describeConfigs({ resources: [{ resourceType: ConfigResourceTypes.TOPIC, resourceName: topic }] });
  return configs.find((config) => config.name === name);
}

const alter = (topic, ...configs) =>
  admin.incrementalAlterConfigs({ resources: [{ resourceType: ConfigResourceTypes.TOPIC, resourceName: topic, configs }] });

/** Source of a setting that the topic has itself. */
const TOPIC_SOURCE = 1;

function addAdminChecks(checks, client) {
  const { DELETE, SET } = IncrementalAlterConfigOperationTypes;
  checks.add('metadata', 'the broker, the controller, the cluster id', async () => {
    const { id, brokers, controllerId } = await admin.metadata({ topics: [] });
    assert.deepEqual(
      [...brokers.values()].map(({ host, port }) => `${host}:${port}`),
      [address],
    );
    assert.ok(brokers.has(controllerId) && id.length > 0);
  });
  checks.add('create-topics', 'with partitions and settings; twice is TOPIC_ALREADY_EXISTS', async () => {
    const topic = await client.topic(5, { 'segment.bytes': '2000000' });
    assert.equal((await admin.metadata({ topics: [topic], forceUpdate: true })).topics.get(topic).partitionsCount, 5);
    assert.equal((await settingOf(topic, 'segment.bytes')).value, '2000000');
    await refused(() => admin.createTopics({ topics: [topic] }), /TOPIC_ALREADY_EXISTS/);
  });
  checks.add('create-topics', 'what cannot be is refused by name', async () => {
    await refused(() => admin.createTopics({ topics: ['bad name!'] }), /INVALID_TOPIC_EXCEPTION/);
    await refused(
      () => admin.createTopics({ topics: ['platformatic-replicas'], partitions: 1, replicas: 3 }),
      /INVALID_REPLICATION_FACTOR/,
    );
    await refused(
      () => admin.createTopics({ topics: ['platformatic-setting'], configs: [{ name: 'no.such.setting', value: '1' }] }),
      /INVALID_CONFIG/,
    );
  });
  checks.add('list-topics', 'listTopics, metadata: id, partitions, leader, replicas', async () => {
    const topic = await client.topic(3);
    assert.ok((await admin.listTopics()).includes(topic));
    const { id, partitions } = (await admin.metadata({ topics: [topic], forceUpdate: true })).topics.get(topic);
    assert.ok(/^[0-9a-f-]{36}$/.test(id) && partitions.length === 3, id);
    assert.ok(partitions.every(({ leader, replicas, isr }) => leader === replicas[0] && isr.length === 1));
  });
  checks.add('unknown-topic', 'asking for an unknown topic is refused by name, and does not make it', async () => {
    await refused(() => admin.metadata({ topics: ['platformatic-nowhere'], forceUpdate: true }), /Unknown topic platformatic-nowhere/);
    assert.ok(!(await admin.listTopics()).includes('platformatic-nowhere'));
  });
  checks.add('delete-topics', 'it is gone, a second time it is unknown, and a new one of that name is empty', async () => {
    const topic = await client.topic(1);
    await client.produce(topic, [{ value: Buffer.from('old'), partition: 0 }]);
    await admin.deleteTopics({ topics: [topic] });
    assert.ok(!(await admin.listTopics()).includes(topic));
    await refused(() => admin.deleteTopics({ topics: [topic] }), /UNKNOWN_TOPIC_OR_PARTITION/);
    await admin.createTopics({ topics: [topic], partitions: 1, replicas: 1 });
    assert.equal(await client.endOffset(topic, 0), 0);
  });
  checks.add('describe-configs', 'a setting of the topic, one of the default', async () => {
    const topic = await client.topic(1, { 'max.message.bytes': '12345' });
    const own = await settingOf(topic, 'max.message.bytes');
    assert.deepEqual([own.value, own.configSource], ['12345', TOPIC_SOURCE]);
    assert.notEqual((await settingOf(topic, 'segment.bytes')).configSource, TOPIC_SOURCE);
  });
  checks.add('alter-configs', 'set and delete; what is wrong is refused', async () => {
    const topic = await client.topic(1);
    await alter(topic, { name: 'max.message.bytes', configOperation: SET, value: '5000' });
    await refused(() => client.produce(topic, [{ value: Buffer.alloc(6000), partition: 0 }]), /MESSAGE_TOO_LARGE/);
    await alter(topic, { name: 'max.message.bytes', configOperation: DELETE });
    await client.produce(topic, [{ value: Buffer.alloc(6000), partition: 0 }]);
    await refused(() => alter(topic, { name: 'no.such.setting', configOperation: SET, value: '1' }), /INVALID_CONFIG/);
  });
  checks.add('list-offsets', 'earliest, latest, of a time, of the largest timestamp', async () => {
    const topic = await client.topic(1);
    const times = [0, 1000, 5000, 3000].map((ms) => 1_700_000_000_000 + ms);
    await client.produce(
      topic,
      times.map((timestamp) => ({ value: Buffer.from('v'), timestamp, partition: 0 })),
    );
    assert.deepEqual(await Promise.all([-2n, -1n, BigInt(times[1]), -3n].map((time) => client.offsetAt(topic, 0, time))), [0, 4, 1, 2]);
  });
  checks.add('log-dirs', 'the folder, its room, the bytes of a partition', async () => {
    const topic = await client.topic(1);
    await client.produce(topic, [{ value: Buffer.alloc(1000), partition: 0 }]);
    const described = await admin.describeLogDirs({ topics: [{ name: topic, partitions: [0] }] });
    assert.equal(described.length, 1);
    const [{ logDir, usableBytes, topics }] = described[0].results;
    assert.ok(logDir.length > 0 && usableBytes > 0n, `${logDir}, ${usableBytes}`);
    assert.deepEqual(
      topics.map(({ name }) => name),
      [topic],
    );
    assert.ok(topics[0].partitions[0].partitionSize > 1000n, String(topics[0].partitions[0].partitionSize));
  });
}

const UNSUPPORTED = /UNSUPPORTED_VERSION/;

function addNotServed(checks, client) {
  checks.add('idempotence', 'a producer gets an id and writes', async () => {
    const topic = await client.topic(1);
    const idempotent = new Producer({ ...options, retries: 0, idempotent: true });
    await idempotent.send({ messages: [{ topic, value: Buffer.from('v') }] }).finally(() => idempotent.close());
  });
  checks.notServed('transactions', UNSUPPORTED, async () => {
    const transactional = new Producer({ ...options, retries: 0, idempotent: true, transactionalId: 't' });
    await transactional.beginTransaction().finally(() => transactional.close());
  });
  checks.add('group-offsets', 'deleted where nobody is in the group', async () => {
    const topic = await client.topic(1);
    await client.setOffset('platformatic-offset-goes', topic, 0);
    await admin.deleteConsumerGroupOffsets({ groupId: 'platformatic-offset-goes', topics: [{ name: topic, partitionIndexes: [0] }] });
    assert.equal(await client.committed('platformatic-offset-goes', topic), -1);
  });
  checks.cannot('seek', 'has no seek of a stream: a new one begins at the offsets it is given');
}

await runClient(new Client(), mode, {
  memberOf,
  addOwnChecks: addAdminChecks,
  addNotServed,
  words: {
    fewer: /INVALID_PARTITIONS/,
    nowhere: /UNKNOWN_TOPIC_OR_PARTITION/,
    notEmpty: /NON_EMPTY_GROUP/,
    noGroup: /GROUP_ID_NOT_FOUND/,
  },
});
await Promise.all([admin.close(), producer.close(), consumer.close(true)]);
