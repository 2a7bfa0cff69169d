/** CreatePartitions: what is answered, what is open, and what clients see meanwhile. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createPartitionsHandler } from '../../../src/main/handlers/37-create-partitions.ts';
import { createPartitions } from '../../../src/protocol/apis/37-create-partitions.ts';
import { ErrorCode } from '../../../src/protocol/errors.ts';
import type { ResponseOf } from '../../../src/protocol/schema.ts';
import { LifecycleBench } from '../../support/lifecycle-bench.ts';
import { FakeRequest, settle } from '../../support/read-bench.ts';

let bench: LifecycleBench;

beforeEach(async () => {
  bench = await LifecycleBench.create();
  await bench.lifecycle.createTopic({ name: 'orders', partitions: 2, replicationFactor: 1, configs: { 'max.message.bytes': '5000' } });
});
afterEach(() => bench.close());

type Asked = readonly [name: string, count: number, assignments?: readonly (readonly number[])[]];

function begin(asked: readonly Asked[], { validateOnly = false, version = 3 } = {}): FakeRequest {
  const topics = asked.map(([name, count, assignments]) => ({
    name,
    count,
    assignments: assignments === undefined ? null : assignments.map((brokerIds) => ({ brokerIds })),
  }));
  const request = new FakeRequest(createPartitions, version, { topics, timeoutMs: 1000, validateOnly });
  const { router, lifecycle } = bench;
  void createPartitionsHandler({ router, lifecycle, nodeId: bench.config.nodeId })(request);
  return request;
}

async function ask(asked: readonly Asked[], options = {}): Promise<ResponseOf<typeof createPartitions>['results']> {
  const request = begin(asked, options);
  await request.answered();
  return request.decode(createPartitions).results;
}

const count = (): number => bench.router.topicByName('orders')!.partitions.length;
const stored = (): number => bench.catalog.topicByName('orders')!.partitionCount;

test.each([0, 1, 2, 3])('the topic grows, and its new partitions are open with its settings (version %i)', async (version) => {
  expect(await ask([['orders', 5]], { version })).toEqual([{ name: 'orders', errorCode: 0, errorMessage: null }]);
  expect([count(), stored()]).toEqual([5, 5]);
  expect(bench.router.topicByName('orders')!.partitions.map((view) => [view?.partition, view?.state])).toEqual(
    [0, 1, 2, 3, 4].map((partition) => [partition, 'online']),
  );
  expect([...bench.shards.sync.open.values()].map(({ config }) => config.maxMessageBytes)).toEqual(Array(5).fill(5000));
});

test('nobody sees a new partition before all are open', async () => {
  bench.shards.sync.held = true;
  const request = begin([['orders', 4]]);
  await settle();
  expect([count(), stored()]).toEqual([2, 4]);
  expect(request.answer).toBeNull();
  bench.shards.sync.release();
  await request.answered();
  expect(count()).toBe(4);
});

test('the new partitions outlive a restart, also one that comes before they are open', async () => {
  bench.shards.sync.held = true;
  const request = begin([['orders', 4]]);
  await settle();
  expect(request.answer).toBeNull();
  const before = bench;
  before.close();
  bench = await LifecycleBench.create(before.store);
  expect(bench.router.topicByName('orders')!.partitions.map((view) => view?.state)).toEqual(Array(4).fill('online'));
});

test('a partition that no shard takes is offline, and is tried again', async () => {
  bench.shards.sync.failure = 'the disk is full';
  expect((await ask([['orders', 3]]))[0]!.errorCode).toBe(0);
  expect(bench.router.topicByName('orders')!.partitions[2]!.state).toBe('offline');
  bench.shards.sync.failure = null;
  for (const run of bench.due.splice(0)) run();
  await settle();
  expect(bench.router.topicByName('orders')!.partitions[2]!.state).toBe('online');
});

test('validate only changes nothing, and says what would be', async () => {
  const answers = await ask(
    [
      ['orders', 3],
      ['nowhere', 3],
    ],
    { validateOnly: true },
  );
  expect(answers.map(({ errorCode }) => errorCode)).toEqual([0, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]);
  expect([count(), stored()]).toEqual([2, 2]);
});

describe('is refused', () => {
  test.each([
    [2, 'Topic already has 2 partition(s).'],
    [1, 'The topic orders currently has 2 partition(s); 1 would not be an increase.'],
    [0, 'The topic orders currently has 2 partition(s); 0 would not be an increase.'],
    [-1, 'The topic orders currently has 2 partition(s); -1 would not be an increase.'],
  ])('for a count of %i', async (wanted, errorMessage) => {
    expect(await ask([['orders', wanted, [[1]]]])).toEqual([{ name: 'orders', errorCode: ErrorCode.INVALID_PARTITIONS, errorMessage }]);
    expect(count()).toBe(2);
  });

  test.each([
    [[[1]], 'Attempted to add 2 additional partition(s), but 1 assignment(s) were specified.'],
    [[], 'Attempted to add 2 additional partition(s), but 0 assignment(s) were specified.'],
    [[[1], [1], [1]], 'Attempted to add 2 additional partition(s), but 3 assignment(s) were specified.'],
    [[[1], []], 'The manual partition assignment includes an empty replica list.'],
    [[[1], [2]], 'The manual partition assignment includes broker 2, but no such broker is registered.'],
    [[[1], [1, 1]], 'The manual partition assignment includes the broker 1 more than once.'],
  ])('with the assignments %j', async (assignments, errorMessage) => {
    const answer = await ask([['orders', 4, assignments]]);
    expect(answer).toEqual([{ name: 'orders', errorCode: ErrorCode.INVALID_REPLICA_ASSIGNMENT, errorMessage }]);
    expect([count(), stored()]).toEqual([2, 2]);
  });

  test('for a topic named twice, and only for that one', async () => {
    await bench.lifecycle.createTopic({ name: 'clicks', partitions: 1, replicationFactor: 1, configs: {} });
    const answers = await ask([
      ['orders', 4],
      ['orders', 5],
      ['clicks', 2],
    ]);
    expect(answers).toEqual([
      { name: 'orders', errorCode: ErrorCode.INVALID_REQUEST, errorMessage: 'Duplicate topic name.' },
      { name: 'clicks', errorCode: 0, errorMessage: null },
    ]);
    expect(count()).toBe(2);
  });

  test('where there is no such topic', async () => {
    const answers = await ask([
      ['nowhere', 3],
      ['', 3],
      ['not a name', 3],
    ]);
    expect(answers.map(({ errorCode }) => errorCode)).toEqual(Array(3).fill(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION));
  });

  test('for more partitions than one request may make, or one broker may have', async () => {
    expect((await ask([['orders', 10_003]]))[0]!.errorCode).toBe(ErrorCode.POLICY_VIOLATION);
    const result = await bench.lifecycle.createPartitions('orders', 100_001, { validateOnly: true });
    expect(result).toMatchObject({ ok: false, error: 'INVALID_PARTITIONS' });
    expect(await bench.lifecycle.createPartitions('orders', 100_000, { validateOnly: true })).toMatchObject({ ok: true });
  });
});

test('assignments to this broker are what would have been chosen', async () => {
  expect((await ask([['orders', 4, [[1], [1]]]]))[0]!.errorCode).toBe(0);
  expect(count()).toBe(4);
});

test('no topics, no answers', async () => {
  expect(await ask([])).toEqual([]);
});

test('of two at once each sees what the other did', async () => {
  const [first, second] = [begin([['orders', 4]]), begin([['orders', 3]])];
  await Promise.all([first.answered(), second.answered()]);
  const codes = [first, second].map((request) => request.decode(createPartitions).results[0]!.errorCode);
  expect(codes).toEqual([0, ErrorCode.INVALID_PARTITIONS]);
  expect([count(), stored()]).toEqual([4, 4]);
});

test('a topic that is deleted and made again has only the partitions it is made with', async () => {
  await ask([['orders', 4]]);
  await bench.lifecycle.deleteTopic({ name: 'orders' });
  await bench.lifecycle.createTopic({ name: 'orders', partitions: 1, replicationFactor: 1, configs: {} });
  expect(count()).toBe(1);
});
