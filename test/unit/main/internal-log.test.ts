/** Topics of main's own: born at first use, with settings of their own; readable for clients, and nothing more. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { OFFSETS_TOPIC, offsetsTopic } from '../../../src/cluster/internal-topics.ts';
import { resolveBrokerConfig } from '../../../src/config/broker-config.ts';
import { createPartitionsHandler } from '../../../src/main/handlers/37-create-partitions.ts';
import { createTopicsHandler } from '../../../src/main/handlers/19-create-topics.ts';
import { deleteRecordsHandler } from '../../../src/main/handlers/21-delete-records.ts';
import { deleteTopicsHandler } from '../../../src/main/handlers/20-delete-topics.ts';
import { describeTopicPartitionsHandler } from '../../../src/main/handlers/75-describe-topic-partitions.ts';
import { metadataHandler } from '../../../src/main/handlers/03-metadata.ts';
import { InternalTopicLog } from '../../../src/main/internal-log.ts';
import type { PartitionView } from '../../../src/main/partition-view.ts';
import type { Handler } from '../../../src/main/requests.ts';
import { createPartitions } from '../../../src/protocol/apis/37-create-partitions.ts';
import { createTopics } from '../../../src/protocol/apis/19-create-topics.ts';
import { deleteRecords } from '../../../src/protocol/apis/21-delete-records.ts';
import { deleteTopics } from '../../../src/protocol/apis/20-delete-topics.ts';
import { describeTopicPartitions } from '../../../src/protocol/apis/75-describe-topic-partitions.ts';
import { metadata } from '../../../src/protocol/apis/03-metadata.ts';
import { ErrorCode } from '../../../src/protocol/errors.ts';
import type { Api, ResponseOf } from '../../../src/protocol/schema.ts';
import { IngressBench } from '../../support/ingress-bench.ts';
import { LifecycleBench } from '../../support/lifecycle-bench.ts';
import { FakeRequest, settle } from '../../support/read-bench.ts';
import { batchOf, produceFrame } from '../../support/wire-client.ts';

let bench: LifecycleBench;
let log: InternalTopicLog;
let appended: { view: PartitionView; done: (errorCode: number, baseOffset: number) => void }[] = [];
let loaded: PartitionView[] = [];

beforeEach(async () => {
  bench = await LifecycleBench.create();
  appended = [];
  loaded = [];
  log = logOf(bench);
});
afterEach(() => bench.close());

function logOf({ router, lifecycle, problems }: LifecycleBench): InternalTopicLog {
  return new InternalTopicLog(offsetsTopic(resolveBrokerConfig({ set: ['offsets.topic.num.partitions=5'] })), {
    router,
    lifecycle,
    appends: { append: (view, _records, done) => void appended.push({ view: view as PartitionView, done }) },
    loads: {
      load: (view, _onRecord, done) => {
        loaded.push(view);
        setImmediate(done, ErrorCode.NONE);
      },
    },
    onProblem: (text) => problems.push(text),
  });
}

const record = [{ key: Buffer.from('k'), value: null }];
const append = (partition: number): Promise<readonly [number, number]> =>
  new Promise((resolve) => log.append(partition, record, (errorCode, baseOffset) => resolve([errorCode, baseOffset])));
const load = (partition: number): Promise<number> => new Promise((resolve) => log.load(partition, () => undefined, resolve));

describe('the topic of a coordinator', () => {
  test('is created at first use, once, with settings that a client could not rely on elsewhere', async () => {
    expect([log.exists, log.partitionCount, bench.catalog.topicCount]).toEqual([false, 5, 0]);
    expect(await Promise.all([load(0), load(4), log.ensure()])).toEqual([0, 0, 0]);
    expect([log.exists, log.partitionCount, bench.catalog.topicCount]).toEqual([true, 5, 1]);
    expect(loaded.map(({ partition }) => partition)).toEqual([0, 4]);
    const topic = bench.router.topicByName(OFFSETS_TOPIC)!;
    expect(topic.config).toMatchObject({ durability: 'fsync', segmentBytes: 100 << 20, retentionMs: Infinity, retentionBytes: Infinity });
    expect(topic.partitions.map((view) => view?.state)).toEqual(Array(5).fill('online'));
  });

  test('is made as the settings of the broker say', async () => {
    const set = [
      'offsets.topic.segment.bytes=2000000',
      'ringlog.offsets.topic.durability=page-cache',
      'offsets.topic.replication.factor=1',
    ];
    const definition = offsetsTopic(resolveBrokerConfig({ set }));
    expect(definition).toMatchObject({ partitions: 50, replicationFactor: 1 });
    expect(definition.configs).toMatchObject({ 'segment.bytes': '2000000', 'ringlog.durability': 'page-cache' });
    for (const [bytes, expected] of [
      [1000, 1_048_588],
      [5_000_000, 5_000_000],
    ])
      expect(offsetsTopic(resolveBrokerConfig({ set: [`message.max.bytes=${bytes}`] })).configs['max.message.bytes']).toBe(
        String(expected),
      );
    expect(() => resolveBrokerConfig({ set: ['offsets.topic.replication.factor=3'] })).toThrow('single broker');
  });

  test('keeps the number of partitions that it was created with', async () => {
    await bench.lifecycle.createInternalTopic({ name: OFFSETS_TOPIC, partitions: 3, replicationFactor: 1, configs: {} });
    expect([log.partitionCount, await log.ensure()]).toEqual([3, ErrorCode.NONE]);
    expect(await load(3)).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
    expect(await append(3)).toEqual([ErrorCode.COORDINATOR_NOT_AVAILABLE, -1]);
  });

  test('an append before it is there creates it, and its client is to come again', async () => {
    expect(await append(1)).toEqual([ErrorCode.COORDINATOR_NOT_AVAILABLE, -1]);
    expect(await log.ensure()).toBe(ErrorCode.NONE);
    const again = append(1);
    appended[0]!.done(0, 7);
    expect(await again).toEqual([0, 7]);
    expect(appended[0]!.view).toBe(bench.router.topicByName(OFFSETS_TOPIC)!.partitions[1]);
  });

  test('whose creation fails is told of, and tried again by whoever comes next', async () => {
    // A name that no client may take any more may be there from before.
    await bench.catalog.createTopic({ name: '__consumer.offsets', partitions: 1, replicationFactor: 1, configs: {} });
    expect(await Promise.all([log.ensure(), load(0)])).toEqual([ErrorCode.COORDINATOR_NOT_AVAILABLE, ErrorCode.COORDINATOR_NOT_AVAILABLE]);
    expect(bench.problems).toHaveLength(1);
    expect(bench.problems[0]).toContain('collides with existing topic');
    await bench.lifecycle.deleteTopic({ name: '__consumer.offsets' });
    expect(await load(0)).toBe(ErrorCode.NONE);
  });

  test('that the metadata store does not take is told of, and nothing is thrown', async () => {
    await bench.store.close();
    expect(await log.ensure()).toBe(ErrorCode.COORDINATOR_NOT_AVAILABLE);
    expect(bench.problems).toHaveLength(1);
  });

  test('waits for a creation that is under way', async () => {
    bench.shards.sync.held = true;
    const first = log.ensure();
    await settle();
    const other = logOf(bench).ensure();
    let isThere = false;
    void other.then(() => (isThere = true));
    await settle();
    expect(isThere).toBe(false);
    bench.shards.sync.release();
    expect([await first, await other]).toEqual([0, 0]);
    expect(bench.catalog.topicCount).toBe(1);
  });
});

async function ask<A extends Api>(api: A, handler: Handler, version: number, body: object): Promise<ResponseOf<A>> {
  const request = new FakeRequest(api, version, body);
  await handler(request);
  await request.answered();
  return request.decode(api);
}

describe('a client', () => {
  // The last two are not the broker's own, but would keep those from being made: names may not differ in . and _ only.
  const names = [OFFSETS_TOPIC, '__transaction_state', '__consumer.offsets', '_.share.group_state'];

  test('is told that the topic is internal', async () => {
    await log.ensure();
    const { router, lifecycle, config: broker } = bench;
    const seen = await ask(metadata, metadataHandler({ router, lifecycle, broker, clusterId: 'c' }), 12, { topics: null });
    expect(seen.topics).toMatchObject([{ name: OFFSETS_TOPIC, isInternal: true, errorCode: 0 }]);
    const described = await ask(describeTopicPartitions, describeTopicPartitionsHandler(router, 1), 0, {
      topics: [{ name: OFFSETS_TOPIC }],
      responsePartitionLimit: 10,
      cursor: null,
    });
    expect(described.topics).toMatchObject([{ name: OFFSETS_TOPIC, isInternal: true }]);
  });

  test.each(names)('cannot create %s, by asking for it or by asking what it is', async (name) => {
    const topics = [{ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }];
    for (const validateOnly of [true, false]) {
      const created = await ask(createTopics, createTopicsHandler({ lifecycle: bench.lifecycle, broker: bench.config }), 7, {
        topics,
        timeoutMs: 1000,
        validateOnly,
      });
      expect(created.topics[0]).toMatchObject({ errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION });
      expect(created.topics[0]!.errorMessage).toContain("broker's own");
    }
    const { router, lifecycle, config: broker } = bench;
    await ask(metadata, metadataHandler({ router, lifecycle, broker, clusterId: 'c' }), 12, {
      topics: [{ name }],
      allowAutoTopicCreation: true,
    });
    expect(bench.catalog.topicCount).toBe(0);
  });

  test('cannot delete it, by name or by id, give it partitions, or delete its records', async () => {
    await log.ensure();
    const { router, lifecycle } = bench;
    const topicId = router.topicByName(OFFSETS_TOPIC)!.id;
    const byName = { name: OFFSETS_TOPIC, topicId: 'AAAAAAAAAAAAAAAAAAAAAA' };
    const deleted = await ask(deleteTopics, deleteTopicsHandler(lifecycle), 6, {
      topics: [byName, { name: null, topicId }],
      timeoutMs: 1000,
    });
    expect(deleted.responses.map(({ errorCode }) => errorCode)).toEqual(Array(2).fill(ErrorCode.INVALID_TOPIC_EXCEPTION));
    const grown = await ask(createPartitions, createPartitionsHandler({ router, lifecycle, nodeId: 1 }), 3, {
      topics: [{ name: OFFSETS_TOPIC, count: 10, assignments: null }],
      timeoutMs: 1000,
      validateOnly: false,
    });
    expect(grown.results[0]!.errorCode).toBe(ErrorCode.INVALID_TOPIC_EXCEPTION);
    const emptied = await ask(deleteRecords, deleteRecordsHandler(bench), 2, {
      topics: [{ name: OFFSETS_TOPIC, partitions: [{ partitionIndex: 0, offset: -1n }] }],
      timeoutMs: 1000,
    });
    expect(emptied.topics[0]!.partitions).toEqual([{ partitionIndex: 0, lowWatermark: -1n, errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION }]);
    expect(log.partitionCount).toBe(5);
  });

  test('cannot write to it, and what else is in the request is taken', async () => {
    const ingress = await IngressBench.start();
    try {
      ingress.router.addTopic('orders', [ingress.shard.link]);
      ingress.router.addTopic(OFFSETS_TOPIC, [ingress.shard.link]).internal = true;
      ingress.runShard();
      const client = await ingress.connect();
      client.write(produceFrame(1, OFFSETS_TOPIC, [{ partition: 0, records: batchOf(100) }]));
      client.write(produceFrame(2, 'orders', [{ partition: 0, records: batchOf(100) }]));
      const codes = [await client.nextProduce(), await client.nextProduce()].map(
        ({ body }) => body.responses[0]!.partitionResponses[0]!.errorCode,
      );
      expect(codes).toEqual([ErrorCode.INVALID_TOPIC_EXCEPTION, ErrorCode.NONE]);
      expect(ingress.shard.total).toBe(1);
    } finally {
      ingress.stop();
    }
  });
});
