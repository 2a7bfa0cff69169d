import fs from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { metadataHandler } from '../../../src/main/handlers/03-metadata.ts';
import { createTopicsHandler } from '../../../src/main/handlers/19-create-topics.ts';
import { deleteTopicsHandler } from '../../../src/main/handlers/20-delete-topics.ts';
import { describeConfigsHandler } from '../../../src/main/handlers/32-describe-configs.ts';
import { incrementalAlterConfigsHandler } from '../../../src/main/handlers/44-incremental-alter-configs.ts';
import { advertisedAddress } from '../../../src/main/handlers/topology.ts';
import type { Handler } from '../../../src/main/requests.ts';
import { createTopics } from '../../../src/protocol/apis/19-create-topics.ts';
import { deleteTopics } from '../../../src/protocol/apis/20-delete-topics.ts';
import { describeConfigs } from '../../../src/protocol/apis/32-describe-configs.ts';
import { incrementalAlterConfigs } from '../../../src/protocol/apis/44-incremental-alter-configs.ts';
import { metadata } from '../../../src/protocol/apis/03-metadata.ts';
import { ErrorCode } from '../../../src/protocol/errors.ts';
import type { Api, ResponseOf } from '../../../src/protocol/schema.ts';
import { LifecycleBench } from '../../support/lifecycle-bench.ts';
import { FakeConnection, FakeRequest, settle } from '../../support/read-bench.ts';

let bench: LifecycleBench;
afterEach(() => bench.close());

async function ask<A extends Api>(api: A, handler: Handler, version: number, body: object): Promise<ResponseOf<A>> {
  const request = new FakeRequest(api, version, body);
  await handler(request);
  return request.decode(api);
}

const parts = () => ({
  router: bench.router,
  lifecycle: bench.lifecycle,
  broker: bench.config,
  clusterId: 'cluster',
  catalog: bench.catalog,
});
/** Another life of the broker, with what the metadata store has. */
async function restart(): Promise<void> {
  const { store } = bench;
  bench.close();
  bench = await LifecycleBench.create(store);
}

const plain = { numPartitions: -1, replicationFactor: -1, assignments: [], configs: [] };
const createAsk = (topics: object[], validateOnly = false) => ({
  topics: topics.map((topic) => ({ ...plain, ...topic })),
  timeoutMs: 1000,
  validateOnly,
});
const create = (topics: object[], version = 7, validateOnly = false) =>
  ask(createTopics, createTopicsHandler(parts()), version, createAsk(topics, validateOnly));
const describe_ = (topics: { name?: string | null; topicId?: string }[] | null, version = 12, allow = true) =>
  ask(metadata, metadataHandler(parts()), version, { topics, allowAutoTopicCreation: allow, includeTopicAuthorizedOperations: false });

describe('topics', () => {
  test('a created topic is durable, open and visible when it is answered', async () => {
    bench = await LifecycleBench.create();
    const answer = await create([{ name: 'orders', numPartitions: 3 }]);
    expect(answer.topics[0]).toMatchObject({ name: 'orders', errorCode: 0, errorMessage: null, numPartitions: 3, replicationFactor: 1 });
    expect(answer.topics[0]!.configs!.find(({ name }) => name === 'ringlog.durability')!.value).toBe('fsync');
    const topic = bench.router.topicByName('orders')!;
    expect(topic.id).toBe(answer.topics[0]!.topicId);
    expect(topic.partitions.map((view) => view?.state)).toEqual(['online', 'online', 'online']);
    expect(bench.shards.sync.open.size).toBe(3);
    expect(bench.shards.buffered.received).toEqual([]);
    expect(bench.shards.sync.received).toHaveLength(3);
    for (const message of bench.shards.sync.received)
      expect(message).toMatchObject({ kind: 'open', recovered: false, config: { durability: 'fsync' } });
  });

  test('is not visible before its partitions are open', async () => {
    bench = await LifecycleBench.create();
    bench.shards.sync.held = true;
    const creating = create([{ name: 'orders' }]);
    await settle();
    expect(bench.catalog.topicByName('orders')).toBeDefined();
    expect(bench.router.topicByName('orders')).toBeUndefined();
    bench.shards.sync.release();
    await creating;
    expect(bench.router.topicByName('orders')).toBeDefined();
  });

  test('durability chooses the class of shards; versions 2 to 7', async () => {
    bench = await LifecycleBench.create();
    for (const version of [2, 3, 4, 5, 6, 7]) {
      const answer = await create(
        [{ name: `clicks-${version}`, numPartitions: 1, configs: [{ name: 'ringlog.durability', value: 'page-cache' }] }],
        version,
      );
      expect(answer.topics[0]).toMatchObject({ errorCode: 0 });
    }
    expect(bench.shards.buffered.open.size).toBe(6);
  });

  test('each refused topic has its own error', async () => {
    bench = await LifecycleBench.create();
    await create([{ name: 'taken' }]);
    const bad = [
      [{ name: 'taken' }, ErrorCode.TOPIC_ALREADY_EXISTS],
      [{ name: 'a/b' }, ErrorCode.INVALID_TOPIC_EXCEPTION],
      [{ name: 'zero', numPartitions: 0 }, ErrorCode.INVALID_PARTITIONS],
      [{ name: 'many', replicationFactor: 3 }, ErrorCode.INVALID_REPLICATION_FACTOR],
      [{ name: 'config', configs: [{ name: 'nonsense', value: '1' }] }, ErrorCode.INVALID_CONFIG],
      [{ name: 'null', configs: [{ name: 'segment.bytes', value: null }] }, ErrorCode.INVALID_CONFIG],
      [{ name: 'both', numPartitions: 2, assignments: [{ partitionIndex: 0, brokerIds: [1] }] }, ErrorCode.INVALID_REQUEST],
      [{ name: 'elsewhere', assignments: [{ partitionIndex: 0, brokerIds: [9] }] }, ErrorCode.INVALID_REPLICA_ASSIGNMENT],
      [{ name: 'hole', assignments: [{ partitionIndex: 1, brokerIds: [1] }] }, ErrorCode.INVALID_REPLICA_ASSIGNMENT],
    ] as const;
    const answer = await create([...bad.map(([topic]) => topic), { name: 'good' }, { name: 'twice' }, { name: 'twice' }]);
    for (const [topic, code] of bad)
      expect(answer.topics.find(({ name }) => name === topic.name)).toMatchObject({ errorCode: code, numPartitions: -1 });
    expect(answer.topics.filter(({ name }) => name === 'twice')).toMatchObject([{ errorCode: ErrorCode.INVALID_REQUEST }]);
    expect(answer.topics.find(({ name }) => name === 'good')).toMatchObject({ errorCode: 0, numPartitions: 2 });
    const assigned = await create([
      { name: 'assigned', assignments: [1, 0].map((partitionIndex) => ({ partitionIndex, brokerIds: [1] })) },
    ]);
    expect(assigned.topics[0]).toMatchObject({ errorCode: 0, numPartitions: 2 });
  });

  test('more partitions than one request may make are refused as a whole', async () => {
    bench = await LifecycleBench.create();
    const refused = {
      errorCode: ErrorCode.POLICY_VIOLATION,
      errorMessage: expect.stringContaining('10000 partitions') as string,
      numPartitions: -1,
    };
    expect(
      (
        await create(
          [
            { name: 'a', numPartitions: 9999 },
            { name: 'b', numPartitions: 2 },
          ],
          7,
          true,
        )
      ).topics,
    ).toMatchObject([refused, refused]);
    expect((await create([{ name: 'a', numPartitions: 9999 }, { name: 'b' }], 7, true)).topics).toMatchObject([
      { errorCode: 0 },
      { errorCode: 0 },
    ]);
    const many = Array.from({ length: 10_001 }, (_, n) => ({ name: `t${n}`, numPartitions: -7 }));
    expect((await create(many, 4)).topics[10_000]).toMatchObject({ name: 't10000', errorCode: ErrorCode.POLICY_VIOLATION });
    expect([...bench.catalog.topics()]).toEqual([]);
  });

  test('validateOnly changes nothing', async () => {
    bench = await LifecycleBench.create();
    expect((await create([{ name: 'orders', numPartitions: 4 }], 7, true)).topics[0]).toMatchObject({ errorCode: 0, numPartitions: 4 });
    expect(bench.catalog.topicByName('orders')).toBeUndefined();
    expect(bench.shards.sync.received).toEqual([]);
  });

  test('a shard that refuses makes the partition offline, told by metadata', async () => {
    bench = await LifecycleBench.create();
    bench.shards.sync.failure = 'the disk failed';
    await create([{ name: 'orders', numPartitions: 1 }]);
    const answer = await describe_([{ name: 'orders' }]);
    expect(answer.topics[0]!.partitions[0]).toMatchObject({
      errorCode: ErrorCode.LEADER_NOT_AVAILABLE,
      leaderId: -1,
      offlineReplicas: [1],
    });
    expect(bench.problems[0]).toMatch(/orders-0 is offline, and is tried again: the disk failed/);
  });

  test('a partition that its shard refused is opened by itself once the shard takes it, and told of once', async () => {
    bench = await LifecycleBench.create();
    bench.shards.sync.failure = 'the disk is full';
    await create([{ name: 'orders', numPartitions: 2 }]);
    const views = bench.router.topicByName('orders')!.partitions;
    for (let tries = 0; tries < 3; tries++) {
      expect([views.map((view) => view!.state), bench.due.length]).toEqual([['offline', 'offline'], 1]);
      bench.due.pop()!();
      await settle();
    }
    expect(bench.problems).toHaveLength(2);
    bench.shards.sync.failure = null;
    bench.due.pop()!();
    await settle();
    expect(views.map((view) => view!.state)).toEqual(['online', 'online']);
    expect([bench.shards.sync.open.size, bench.due.length]).toEqual([2, 0]);
  });

  test('a partition that was refused and is deleted meanwhile is not opened', async () => {
    bench = await LifecycleBench.create();
    bench.shards.sync.failure = 'the disk is full';
    await create([{ name: 'orders', numPartitions: 1 }]);
    bench.shards.sync.failure = null;
    await bench.lifecycle.deleteTopic({ name: 'orders' });
    bench.due.pop()!();
    await settle(20);
    expect([bench.shards.sync.open.size, bench.due.length]).toEqual([0, 0]);
    expect([...bench.catalog.tombstones()]).toHaveLength(0);
    expect(bench.deleted).toEqual(['orders']);
  });

  test('deletion: invisible at once, then closed, files removed, tombstone removed', async () => {
    bench = await LifecycleBench.create();
    await create([{ name: 'orders', numPartitions: 2 }]);
    const topic = bench.router.topicByName('orders')!;
    const folder = `${bench.dataDir}/topics/${topic.id}/0`;
    fs.mkdirSync(folder, { recursive: true });
    fs.writeFileSync(`${folder}/00000000000000000000.log`, 'bytes');
    bench.shards.sync.held = true;
    const answer = await ask(deleteTopics, deleteTopicsHandler(bench.lifecycle), 6, {
      topics: [{ name: 'orders', topicId: Buffer.alloc(16).toString('base64url') }],
      timeoutMs: 1,
    });
    expect(answer.responses).toMatchObject([{ name: 'orders', topicId: topic.id, errorCode: 0 }]);
    expect(bench.router.topicByName('orders')).toBeUndefined();
    expect(topic.deleted).toBe(true);
    await settle();
    expect(fs.existsSync(folder)).toBe(true);
    expect([...bench.catalog.tombstones()]).toHaveLength(1);
    bench.shards.sync.release();
    await settle(20);
    expect(fs.existsSync(`${bench.dataDir}/topics/${topic.id}`)).toBe(false);
    expect([...bench.catalog.tombstones()]).toHaveLength(0);
    expect(bench.shards.sync.open.size).toBe(0);
    expect(bench.router.view(topic.partitions[0]!.handle)).toBeUndefined();
  });

  test('a recreated topic has nothing to do with its predecessor', async () => {
    bench = await LifecycleBench.create();
    await create([{ name: 'orders', numPartitions: 1 }]);
    const first = bench.router.topicByName('orders')!;
    await bench.lifecycle.deleteTopic({ topicId: first.id });
    await create([{ name: 'orders', numPartitions: 1 }]);
    const second = bench.router.topicByName('orders')!;
    expect(second.id).not.toBe(first.id);
    expect(second.partitions[0]!.handle).not.toBe(first.partitions[0]!.handle);
    expect(bench.router.topicById(first.id)).toBeUndefined();
    const bytes = Buffer.concat([Buffer.from('xorders'), Buffer.from(second.id, 'base64url')]);
    expect(bench.router.topicByNameBytes(bytes, 1, 6)).toBe(second);
    expect(bench.router.topicByIdBytes(bytes, 7)).toBe(second);
  });

  test('a deletion that the disk stops is finished at the next start', async () => {
    bench = await LifecycleBench.create();
    await create([{ name: 'orders', numPartitions: 1 }]);
    bench.jobFailure = new Error('EIO');
    await bench.lifecycle.deleteTopic({ name: 'orders' });
    await settle(10);
    expect(bench.problems[0]).toMatch(/could not be removed/);
    await restart();
    expect([...bench.catalog.tombstones()]).toHaveLength(1);
    bench.lifecycle.finishDeletions();
    await settle(10);
    expect([...bench.catalog.tombstones()]).toHaveLength(0);
  });

  test('a deletion whose traces elsewhere could not be removed is told again at the next start, before anybody can make the topic anew', async () => {
    bench = await LifecycleBench.create();
    await create([{ name: 'orders', numPartitions: 1 }]);
    bench.forgotten = Promise.resolve(false);
    await bench.lifecycle.deleteTopic({ name: 'orders' });
    await settle(20);
    expect([...bench.catalog.tombstones()]).toHaveLength(1);
    await restart();
    bench.lifecycle.forgetDeleted();
    expect(bench.deleted).toEqual(['orders']);
    bench.lifecycle.finishDeletions();
    await settle(10);
    expect([...bench.catalog.tombstones()]).toHaveLength(0);
  });

  test('a start deletes nothing elsewhere of a topic whose name another has: what was committed since counts', async () => {
    bench = await LifecycleBench.create();
    await create([{ name: 'back' }]);
    bench.jobFailure = new Error('EIO');
    await bench.lifecycle.deleteTopic({ name: 'back' });
    await create([{ name: 'back' }]);
    await settle(20);
    expect([...bench.catalog.tombstones()]).toHaveLength(1);
    await restart();
    bench.lifecycle.forgetDeleted();
    bench.lifecycle.finishDeletions();
    await settle(10);
    expect(bench.deleted).toEqual([]);
    expect([...bench.catalog.tombstones()]).toHaveLength(0);
  });

  describe('a name is not given again while groups have offsets of a deleted topic of that name', () => {
    const ASKED_MS = 1000;
    const WAIT_MS = 5000;
    const FIRST_RETRY_MS = 2000;
    const refused = { errorCode: ErrorCode.KAFKA_STORAGE_ERROR, errorMessage: expect.stringContaining('"orders"') as string };

    /** Deletes a topic while the attempts of groups to forget it end with what `forgotten` says. */
    async function deleted(forgotten: Promise<boolean>): Promise<void> {
      bench = await LifecycleBench.create();
      await create([{ name: 'orders' }]);
      bench.forgotten = forgotten;
      await bench.lifecycle.deleteTopic({ name: 'orders' });
      await settle(10);
    }
    const createOrders = async () => (await create([{ name: 'orders' }])).topics[0];

    test('whoever asks for it has that tried at once, but once a second at most', async () => {
      await deleted(Promise.resolve(false));
      for (let n = 0; n < 20; n++) expect(await createOrders()).toMatchObject(refused);
      expect((await bench.lifecycle.autoCreateTopic('orders')).ok).toBe(false);
      expect(bench.catalog.topicByName('orders')).toBeUndefined();
      expect((await create([{ name: 'other' }])).topics[0]).toMatchObject({ errorCode: 0 });
      expect(bench.deleted).toHaveLength(1);
      for (let n = 2; n < 10; n++) {
        bench.pass(ASKED_MS);
        await Promise.all([createOrders(), createOrders()]);
        expect(bench.deleted).toHaveLength(n);
      }
      // However many have asked: one attempt that comes by itself, and one pause.
      expect(bench.due.filter((run) => bench.delays.get(run) !== WAIT_MS)).toHaveLength(2);
      expect(bench.problems).toHaveLength(1);
      bench.pass(ASKED_MS);
      bench.forgotten = Promise.resolve(true);
      expect(await createOrders()).toMatchObject({ errorCode: 0 });
      bench.pass(FIRST_RETRY_MS);
      expect(bench.deleted).toHaveLength(10);
    });

    test('it is tried again by itself, until it is done', async () => {
      await deleted(Promise.resolve(false));
      for (const [n, delayMs] of [2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000].entries()) {
        bench.pass(ASKED_MS);
        bench.pass(delayMs);
        expect(bench.deleted).toHaveLength(n + 2);
        await settle(10);
      }
      expect([...bench.catalog.tombstones()]).toHaveLength(1);
      bench.forgotten = Promise.resolve(true);
      bench.pass(60_000);
      await settle(10);
      expect([...bench.catalog.tombstones()]).toHaveLength(0);
      expect(await createOrders()).toMatchObject({ errorCode: 0 });
    });

    test('all who want the name wait a little for the same attempt, and nobody for a second time', async () => {
      let finish = (_isDone: boolean): void => undefined;
      await deleted(new Promise<boolean>((resolve) => (finish = resolve)));
      const waiting = [createOrders(), createOrders(), createOrders()];
      await settle(10);
      expect(bench.due).toHaveLength(1);
      bench.pass(WAIT_MS);
      for (const answer of await Promise.all(waiting)) expect(answer).toMatchObject(refused);
      expect(await createOrders()).toMatchObject(refused);
      finish(true);
      await settle(10);
      expect(await createOrders()).toMatchObject({ errorCode: 0 });
      expect(bench.deleted).toEqual(['orders']);
    });

    test('a creation that waits for the deletion of a topic of the same name waits for that, too', async () => {
      bench = await LifecycleBench.create();
      await create([{ name: 'orders' }]);
      let finish = (_isDone: boolean): void => undefined;
      bench.forgotten = new Promise<boolean>((resolve) => (finish = resolve));
      const deleting = bench.lifecycle.deleteTopic({ name: 'orders' });
      const creating = createOrders();
      await deleting;
      await settle(10);
      expect(bench.catalog.topicByName('orders')).toBeUndefined();
      finish(true);
      expect(await creating).toMatchObject({ errorCode: 0 });
    });
  });

  test('errors of deletion, one by one', async () => {
    bench = await LifecycleBench.create();
    await create([{ name: 'both' }, { name: 'dup' }]);
    const zero = Buffer.alloc(16).toString('base64url');
    const id = bench.router.topicByName('both')!.id;
    const topics = [
      { name: 'nothing', topicId: zero },
      { name: null, topicId: Buffer.alloc(16, 7).toString('base64url') },
      { name: 'both', topicId: id },
      { name: null, topicId: zero },
      { name: 'dup', topicId: zero },
      { name: 'dup', topicId: zero },
    ];
    const answer = await ask(deleteTopics, deleteTopicsHandler(bench.lifecycle), 6, { topics, timeoutMs: 1 });
    expect(answer.responses.map(({ errorCode }) => errorCode)).toEqual([
      ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
      ErrorCode.UNKNOWN_TOPIC_ID,
      ErrorCode.INVALID_REQUEST,
      ErrorCode.INVALID_REQUEST,
      ErrorCode.INVALID_REQUEST,
    ]);
    const old = await ask(deleteTopics, deleteTopicsHandler(bench.lifecycle), 1, { topicNames: ['both', 'nothing'], timeoutMs: 1 });
    expect(old.responses.map(({ errorCode }) => errorCode)).toEqual([0, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]);
  });

  test('a request that names a hundred thousand unknown topics leaves turns to everybody else', async () => {
    bench = await LifecycleBench.create();
    let turns = 0;
    const counting = setInterval(() => turns++, 0);
    const topicNames = Array.from({ length: 100_000 }, (_, n) => `unknown-${n}`);
    const { responses } = await ask(deleteTopics, deleteTopicsHandler(bench.lifecycle), 5, { topicNames, timeoutMs: 1 });
    clearInterval(counting);
    expect(responses.map(({ name }) => name)).toEqual(topicNames);
    expect(turns).toBeGreaterThan(50);
  });

  test('at start every partition of the catalog is opened with its recovered state', async () => {
    const first = await LifecycleBench.create();
    await first.lifecycle.createTopic({ name: 'orders', partitions: 2, replicationFactor: 1, configs: {} });
    const { topicId } = first.catalog.topicByName('orders')!;
    const segments = [{ baseOffset: 0, endOffset: 10, endPosition: 900, maxTimestamp: 5, capacity: 0 }];
    const state = {
      topicId,
      partition: 1,
      moveNumber: 4,
      logStartOffset: 2,
      endOffset: 10,
      segments,
      epochs: [{ epoch: 1, startOffset: 0 }],
      damaged: [{ from: 3, to: 4 }],
      producers: new Uint8Array(0),
    };
    first.close();
    bench = await LifecycleBench.create(first.store, new Map([[`${topicId}/1`, state]]));
    const [a, b] = bench.router.topicByName('orders')!.partitions;
    expect(a).toMatchObject({ state: 'online', highWatermark: 0 });
    expect(b).toMatchObject({ state: 'online', highWatermark: 10, logStartOffset: 2, moveNumber: 4 });
    expect(b!.damage.has(3)).toBe(true);
    expect(b!.epochOf(5)).toBe(1);
    for (const message of bench.shards.sync.received) expect(message).toMatchObject({ recovered: true });
  });
});

describe('settings', () => {
  const alter = (name: string, configs: { name: string; configOperation: number; value: string | null }[], validateOnly = false) =>
    ask(incrementalAlterConfigs, incrementalAlterConfigsHandler(bench), 1, {
      resources: [{ resourceType: 2, resourceName: name, configs }],
      validateOnly,
    });
  const set = (name: string, value: string) => ({ name, configOperation: 0, value });

  test('a change within the class is told to the shard', async () => {
    bench = await LifecycleBench.create();
    await create([{ name: 'orders', numPartitions: 2 }]);
    expect((await alter('orders', [set('max.message.bytes', '5000')])).responses[0]).toMatchObject({ errorCode: 0, errorMessage: null });
    expect([...bench.shards.sync.open.values()].map(({ config }) => config.maxMessageBytes)).toEqual([5000, 5000]);
    expect(bench.router.topicByName('orders')!.config.maxMessageBytes).toBe(5000);
    await alter('orders', [{ name: 'max.message.bytes', configOperation: 1, value: null }]);
    expect(bench.router.topicByName('orders')!.config.maxMessageBytes).toBe(1048588);
  });

  test('a change of durability moves the partitions: readers go on, appends wait, move numbers grow', async () => {
    bench = await LifecycleBench.create();
    await create([{ name: 'orders', numPartitions: 2 }]);
    const view = bench.router.topicByName('orders')!.partitions[0]!;
    bench.shards.buffered.held = true;
    const altering = alter('orders', [set('ringlog.durability', 'page-cache')]);
    await settle();
    expect(view.state).toBe('moving');
    let online = false;
    view.onceOnline(() => (online = true));
    expect(online).toBe(false);
    bench.shards.buffered.release();
    expect((await altering).responses[0]).toMatchObject({ errorCode: 0 });
    expect([online, view.state, view.link.class, view.moveNumber]).toEqual([true, 'online', 'buffered', 1]);
    expect(bench.shards.sync.open.size).toBe(0);
    expect(bench.shards.buffered.open.get(view.handle)!.state.moveNumber).toBe(1);
    await alter('orders', [set('ringlog.durability', 'memory')]);
    expect(bench.shards.buffered.open.get(view.handle)!.config.durability).toBe('memory');
    await alter('orders', [{ name: 'ringlog.durability', configOperation: 1, value: null }]);
    expect([view.link.class, view.moveNumber, bench.shards.buffered.open.size]).toEqual(['sync', 2, 0]);
  });

  test('a shard that cannot hand a partition on keeps it, and the change is a storage error', async () => {
    bench = await LifecycleBench.create();
    await create([{ name: 'orders', numPartitions: 1 }]);
    bench.shards.sync.failure = 'the disk failed';
    expect((await alter('orders', [set('ringlog.durability', 'page-cache')])).responses[0]).toMatchObject({
      errorCode: ErrorCode.KAFKA_STORAGE_ERROR,
    });
    const view = bench.router.topicByName('orders')!.partitions[0]!;
    expect([view.state, view.link.class]).toEqual(['online', 'sync']);
  });

  test('a change of durability that a shard refused is not answered as done when it is asked for again, and is done once it can be', async () => {
    bench = await LifecycleBench.create();
    await create([{ name: 'orders', numPartitions: 1, configs: [{ name: 'ringlog.durability', value: 'page-cache' }] }]);
    const view = bench.router.topicByName('orders')!.partitions[0]!;
    bench.shards.buffered.failure = 'the disk is full';
    for (let tries = 0; tries < 2; tries++) {
      const answer = await alter('orders', [set('ringlog.durability', 'fsync')]);
      expect(answer.responses[0]).toMatchObject({ errorCode: ErrorCode.KAFKA_STORAGE_ERROR });
      expect([view.state, view.link.class]).toEqual(['online', 'buffered']);
    }
    bench.shards.buffered.failure = null;
    expect((await alter('orders', [set('ringlog.durability', 'fsync')])).responses[0]).toMatchObject({ errorCode: 0 });
    expect([view.state, view.link.class, view.moveNumber]).toEqual(['online', 'sync', 1]);
  });

  test('a change of durability whose new shard refuses is an error, and the partition comes back by itself', async () => {
    bench = await LifecycleBench.create();
    await create([{ name: 'orders', numPartitions: 1 }]);
    const view = bench.router.topicByName('orders')!.partitions[0]!;
    bench.shards.buffered.failure = 'the disk is full';
    expect((await alter('orders', [set('ringlog.durability', 'page-cache')])).responses[0]!.errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR);
    expect([view.state, view.link.class, bench.shards.sync.open.size]).toEqual(['offline', 'buffered', 0]);
    // And back, while nobody has it: under a higher number, for the first shard's journal knows it too.
    expect((await alter('orders', [set('ringlog.durability', 'fsync')])).responses[0]!.errorCode).toBe(0);
    expect([view.state, view.link.class, view.moveNumber]).toEqual(['online', 'sync', 2]);
    expect(bench.shards.sync.open.get(view.handle)!.state.moveNumber).toBe(2);
    bench.due.pop()!();
    await settle();
    expect([view.state, bench.shards.buffered.open.size, bench.due.length]).toEqual(['online', 0, 0]);
  });

  test('a deletion waits for a move', async () => {
    bench = await LifecycleBench.create();
    await create([{ name: 'orders', numPartitions: 1 }]);
    bench.shards.buffered.held = true;
    const altering = alter('orders', [set('ringlog.durability', 'page-cache')]);
    const deleting = bench.lifecycle.deleteTopic({ name: 'orders' });
    await settle();
    expect(bench.router.topicByName('orders')).toBeDefined();
    bench.shards.buffered.release();
    expect((await altering).responses[0]!.errorCode).toBe(0);
    expect((await deleting).ok).toBe(true);
    await settle(20);
    expect([bench.shards.sync.open.size, bench.shards.buffered.open.size]).toEqual([0, 0]);
    expect([...bench.catalog.tombstones()]).toHaveLength(0);
  });

  test('errors of a change', async () => {
    bench = await LifecycleBench.create();
    await create([{ name: 'orders' }]);
    expect((await alter('nothing', [set('max.message.bytes', '1')])).responses[0]!.errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
    expect((await alter('orders', [set('max.message.bytes', 'many')])).responses[0]!.errorCode).toBe(ErrorCode.INVALID_CONFIG);
    expect((await alter('orders', [set('nonsense', '1')])).responses[0]!.errorCode).toBe(ErrorCode.INVALID_CONFIG);
    expect((await alter('orders', [{ name: 'max.message.bytes', configOperation: 9, value: '1' }])).responses[0]!.errorCode).toBe(
      ErrorCode.INVALID_REQUEST,
    );
    for (const configOperation of [0, 2, 3]) {
      const withoutValue = { name: 'cleanup.policy', configOperation, value: null };
      expect((await alter('orders', [withoutValue])).responses[0]!.errorCode).toBe(ErrorCode.INVALID_REQUEST);
    }
    expect((await alter('a/b', [])).responses[0]!.errorCode).toBe(ErrorCode.INVALID_TOPIC_EXCEPTION);
    expect((await alter('', [])).responses[0]!.errorCode).toBe(ErrorCode.INVALID_REQUEST);
    expect((await alter('orders', [set('max.message.bytes', '7')], true)).responses[0]!.errorCode).toBe(0);
    expect(bench.router.topicByName('orders')!.config.maxMessageBytes).toBe(1048588);
    const resources = [16, 32, 99].map((resourceType) => ({ resourceType, resourceName: '1', configs: [] }));
    const others = await ask(incrementalAlterConfigs, incrementalAlterConfigsHandler(bench), 0, {
      resources,
      validateOnly: false,
    });
    expect(others.responses.map(({ errorCode }) => errorCode)).toEqual(Array(3).fill(ErrorCode.INVALID_REQUEST));
  });

  test('DescribeConfigs answers a resource that is named often once, and describes no more than fits an answer', async () => {
    bench = await LifecycleBench.create();
    const resource = (resourceName: string) => ({ resourceType: 2, resourceName, configurationKeys: null });
    const describeAll = (resources: object[]) =>
      ask(describeConfigs, describeConfigsHandler(bench), 4, { resources, includeSynonyms: true, includeDocumentation: true });
    await create([{ name: 'orders' }]);
    expect((await describeAll(Array.from({ length: 1000 }, () => resource('orders')))).results).toHaveLength(1);
    await create(
      Array.from({ length: 3000 }, (_, n) => ({ name: `t${n}`, numPartitions: 1 })),
      2,
    );
    const { results } = await describeAll(Array.from({ length: 3000 }, (_, n) => resource(`t${n}`)));
    expect(results.map(({ resourceName }) => resourceName)).toEqual(Array.from({ length: 3000 }, (_, n) => `t${n}`));
    const described = results.findIndex(({ errorCode }) => errorCode !== 0);
    expect(described).toBeGreaterThan(2000);
    expect(results[described]).toMatchObject({
      errorCode: ErrorCode.INVALID_REQUEST,
      errorMessage: expect.stringContaining('fewer resources') as string,
      configs: [],
    });
    expect(results.slice(described).every(({ errorCode }) => errorCode === ErrorCode.INVALID_REQUEST)).toBe(true);
  });

  test('DescribeConfigs of topics and broker', async () => {
    bench = await LifecycleBench.create();
    await create([{ name: 'orders', configs: [{ name: 'max.message.bytes', value: '5000' }] }]);
    const about = (resourceType: number, resourceName: string, configurationKeys: string[] | null = null) => ({
      resourceType,
      resourceName,
      configurationKeys,
    });
    const resources = [
      about(2, 'orders', ['max.message.bytes', 'segment.bytes']),
      about(2, 'nothing'),
      about(2, 'a/b'),
      about(4, '1'),
      about(4, '2'),
      about(4, ''),
      about(77, '1'),
    ];
    for (const version of [1, 2, 3, 4]) {
      const { results } = await ask(describeConfigs, describeConfigsHandler(bench), version, {
        resources,
        includeSynonyms: true,
        ...(version >= 3 ? { includeDocumentation: true } : {}),
      });
      expect(results.map(({ errorCode }) => errorCode)).toEqual([
        0,
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.INVALID_TOPIC_EXCEPTION,
        0,
        ErrorCode.INVALID_REQUEST,
        0,
        ErrorCode.INVALID_REQUEST,
      ]);
      expect(results[0]!.configs.map(({ name, value, configSource }) => [name, value, configSource])).toEqual(
        expect.arrayContaining([['max.message.bytes', '5000', 1]]),
      );
      expect(results[0]!.configs).toHaveLength(2);
      expect(results[0]!.configs.find(({ name }) => name === 'max.message.bytes')!.synonyms.length).toBeGreaterThan(1);
      expect(results[3]!.configs.length).toBeGreaterThan(10);
    }
  });
});

describe('metadata', () => {
  test('creates what is asked for and missing, and answers it as there', async () => {
    bench = await LifecycleBench.create();
    const answer = await describe_([{ name: 'orders' }, { name: 'orders' }, { name: 'a/b' }, { name: 'a/b' }]);
    expect(answer.topics.map(({ errorCode }) => errorCode)).toEqual([0, ErrorCode.INVALID_TOPIC_EXCEPTION]);
    expect(
      answer.topics[0]!.partitions.map(({ partitionIndex, leaderId, replicaNodes, isrNodes }) => [
        partitionIndex,
        leaderId,
        replicaNodes,
        isrNodes,
      ]),
    ).toEqual([
      [0, 1, [1], [1]],
      [1, 1, [1], [1]],
    ]);
    expect([...bench.catalog.topics()]).toHaveLength(1);
    expect((await describe_([{ name: 'other' }], 12, false)).topics[0]!.errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
  });

  test('does not create an internal topic for a client that merely asks for it', async () => {
    bench = await LifecycleBench.create();
    const { topics } = await describe_([{ name: '__consumer_offsets' }]);
    expect(topics).toMatchObject([{ name: '__consumer_offsets', errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION }]);
    expect([...bench.catalog.topics()]).toEqual([]);
  });

  test('a topic asked for by name and by id is answered for each', async () => {
    bench = await LifecycleBench.create();
    await create([{ name: 'orders' }]);
    const topicId = bench.router.topicByName('orders')!.id;
    const { topics } = await describe_([{ name: null, topicId }, { name: 'orders' }, { name: null, topicId }]);
    expect(topics.map(({ name, errorCode }) => [name, errorCode])).toEqual([
      ['orders', 0],
      ['orders', 0],
    ]);
  });

  test('a client that goes away while a long answer is made gets none', async () => {
    bench = await LifecycleBench.create();
    const topics = Array.from({ length: 10_000 }, (_, n) => ({ name: `t${n}` }));
    const request = new FakeRequest(metadata, 12, { topics, allowAutoTopicCreation: false, includeTopicAuthorizedOperations: false });
    const answering = metadataHandler(parts())(request);
    request.connection.open = false;
    await answering;
    expect(request.answer).toHaveLength(0);
  });

  test('all versions, all topics, none, by id', async () => {
    bench = await LifecycleBench.create();
    await create([{ name: 'orders' }, { name: 'clicks' }]);
    const { id } = bench.router.topicByName('orders')!;
    for (let version = 0; version <= 13; version++) {
      const body = (topics: object[] | null) => ({
        topics,
        ...(version >= 4 ? { allowAutoTopicCreation: true } : {}),
        ...(version >= 8 ? { includeTopicAuthorizedOperations: true } : {}),
      });
      const all = await ask(metadata, metadataHandler(parts()), version, body(version === 0 ? [] : null));
      expect(new Set(all.topics.map(({ name }) => name))).toEqual(new Set(['clicks', 'orders']));
      expect(all.brokers).toMatchObject([{ nodeId: 1, host: '127.0.0.1', port: 9092 }]);
      if (version >= 8) expect(all.topics[0]!.topicAuthorizedOperations).toBe(3576);
      if (version >= 1) expect((await ask(metadata, metadataHandler(parts()), version, body([]))).topics).toEqual([]);
      expect((await ask(metadata, metadataHandler(parts()), version, body([{ name: 'orders' }]))).topics).toMatchObject([
        { name: 'orders', errorCode: 0 },
      ]);
      if (version >= 12) {
        const unknown = Buffer.alloc(16, 9).toString('base64url');
        const found = await ask(
          metadata,
          metadataHandler(parts()),
          version,
          body([
            { topicId: id, name: null },
            { topicId: unknown, name: null },
          ]),
        );
        expect(found.topics).toMatchObject([
          { name: 'orders', topicId: id, errorCode: 0 },
          { name: null, topicId: unknown, errorCode: ErrorCode.UNKNOWN_TOPIC_ID },
        ]);
      } else if (version >= 10) {
        const refused = await ask(metadata, metadataHandler(parts()), version, body([{ topicId: id, name: null }]));
        expect(refused.topics[0]!.errorCode).toBe(ErrorCode.INVALID_REQUEST);
      }
    }
  });

  test('the advertised address is that of the connection, or the configured one', async () => {
    bench = await LifecycleBench.create();
    const connection = new FakeConnection();
    const from = (localAddress: string) => advertisedAddress(bench.config, Object.assign(Object.create(connection), { localAddress }));
    expect(from('10.0.0.7')).toEqual({ host: '10.0.0.7', port: 9092 });
    expect(from('::ffff:10.0.0.7')).toEqual({ host: '10.0.0.7', port: 9092 });
    expect(from('fe80::1')).toEqual({ host: 'fe80::1', port: 9092 });
    expect(advertisedAddress({ ...bench.config, advertised: { host: 'kafka.example', port: 7 } }, connection)).toEqual({
      host: 'kafka.example',
      port: 7,
    });
  });
});

describe('a pass of compaction', () => {
  const planOf = (topicId: string) => ({
    topicId,
    partition: 0,
    segments: [],
    damaged: [],
    dirtyFrom: 0,
    revision: 7,
    segmentBytes: 1 << 20,
    nowMs: 0,
    deleteRetentionMs: 0,
  });

  async function begin(): Promise<{ handle: number; plan: ReturnType<typeof planOf> }> {
    bench = await LifecycleBench.create();
    await bench.lifecycle.createTopic({ name: 't', partitions: 1, replicationFactor: 1, configs: { 'cleanup.policy': 'compact' } });
    const topic = bench.router.topicByName('t')!;
    return { handle: topic.partitions[0]!.handle, plan: planOf(topic.id) };
  }
  const cleaned = () => bench.shards.sync.received.filter(({ kind }) => kind === 'cleaned');

  test('begins once what an earlier life left behind is gone, and its outcome goes to the shard', async () => {
    const { handle, plan } = await begin();
    bench.lifecycle.onControl({ kind: 'clean', handle, plan });
    await settle();
    expect(bench.jobsRun).toEqual([]);
    bench.lifecycle.finishDeletions();
    await settle();
    expect(bench.jobsRun).toMatchObject([{ kind: 'clean', keyBytesMax: 128 << 20 }]);
    expect(cleaned()).toEqual([{ kind: 'cleaned', handle, plan, outcome: { cleanedEnd: 0, segments: [] } }]);
  });

  test('that fails is told to the shard, which would wait for ever', async () => {
    const { handle, plan } = await begin();
    bench.lifecycle.finishDeletions();
    bench.jobFailure = new Error('no room');
    bench.lifecycle.onControl({ kind: 'clean', handle, plan });
    await settle();
    expect(cleaned()).toEqual([{ kind: 'cleaned', handle, plan, outcome: null }]);
    expect(bench.problems).toHaveLength(1);
  });

  test('that was in vain leaves no file', async () => {
    const { handle, plan } = await begin();
    const discarded = [{ baseOffset: 5, endOffset: 9, endPosition: 100, maxTimestamp: 1, capacity: 0, revision: 7 }];
    const rest = { handle, topicId: plan.topicId, partition: 0, segments: [], replaced: [], discarded };
    bench.lifecycle.onControl({ kind: 'replaced', ...rest, error: 'not known' });
    bench.lifecycle.onControl({ kind: 'replaced', ...rest, error: null });
    await settle();
    expect(bench.jobsRun).toMatchObject([{ kind: 'removeFiles', paths: [expect.stringMatching(/0{19}5\.7\.log$/) as string] }]);
  });
});
