/** DeleteRecords: what is answered, and when. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { deleteRecordsHandler } from '../../../src/main/handlers/21-delete-records.ts';
import type { PartitionView } from '../../../src/main/partition-view.ts';
import type { MutableTopic } from '../../../src/main/router.ts';
import { deleteRecords } from '../../../src/protocol/apis/21-delete-records.ts';
import { ErrorCode } from '../../../src/protocol/errors.ts';
import type { ResponseOf } from '../../../src/protocol/schema.ts';
import { LifecycleBench } from '../../support/lifecycle-bench.ts';
import { FakeRequest, settle } from '../../support/read-bench.ts';

let bench: LifecycleBench;
let topic: MutableTopic;

beforeEach(async () => {
  bench = await LifecycleBench.create();
  await bench.lifecycle.createTopic({ name: 'orders', partitions: 2, replicationFactor: 1, configs: {} });
  topic = bench.router.topicByName('orders') as MutableTopic;
  for (const view of topic.partitions) {
    view?.onRolled(0, 0, -1);
    view?.onReadable(0, 9, 0, 500, 1);
  }
});
afterEach(() => bench.close());

type Asked = readonly { readonly name: string; readonly partitions: readonly (readonly [number, number])[] }[];

function begin(asked: Asked, version = 2): FakeRequest {
  const topics = asked.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(([partitionIndex, offset]) => ({ partitionIndex, offset: BigInt(offset) })),
  }));
  const request = new FakeRequest(deleteRecords, version, { topics, timeoutMs: 1000 });
  void deleteRecordsHandler(bench)(request);
  return request;
}

async function ask(asked: Asked, version = 2): Promise<ResponseOf<typeof deleteRecords>['topics']> {
  const request = begin(asked, version);
  await request.answered();
  return request.decode(deleteRecords).topics;
}

const one = async (offset: number, partition = 0, name = 'orders'): Promise<unknown> =>
  (await ask([{ name, partitions: [[partition, offset]] }]))[0]?.partitions[0];

const fails = (errorCode: number, partitionIndex = 0): object => ({ partitionIndex, lowWatermark: -1n, errorCode });
const starts = (lowWatermark: bigint, partitionIndex = 0): object => ({ partitionIndex, lowWatermark, errorCode: 0 });

test.each([0, 1, 2])('moves the log start, and says where it is (version %i)', async (version) => {
  const answer = await ask(
    [
      {
        name: 'orders',
        partitions: [
          [0, 4],
          [1, -1],
        ],
      },
    ],
    version,
  );
  expect(answer).toEqual([{ name: 'orders', partitions: [starts(4n), starts(10n, 1)] }]);
  expect(topic.partitions.map((view) => view?.logStartOffset)).toEqual([4, 10]);
});

test('minus one stands for the watermark; what lies below the log start changes nothing', async () => {
  expect(await one(-1)).toEqual(starts(10n));
  expect(await one(3)).toEqual(starts(10n));
  expect(await one(10)).toEqual(starts(10n));
});

test('is answered when the shard has answered, not before', async () => {
  bench.shards.sync.held = true;
  const request = begin([{ name: 'orders', partitions: [[0, 4]] }]);
  await settle();
  expect(request.answer).toBeNull();
  bench.shards.sync.release();
  await request.answered();
});

describe('is refused', () => {
  test.each([11, -2])('for offset %i of a log of ten records', async (offset) => {
    expect(await one(offset)).toEqual(fails(ErrorCode.OFFSET_OUT_OF_RANGE));
    expect(bench.shards.sync.received.some(({ kind }) => kind === 'setLogStart')).toBe(false);
  });

  test('where there is no such topic or partition', async () => {
    expect(await one(0, 7)).toEqual(fails(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, 7));
    expect(await one(0, 0, 'nowhere')).toEqual(fails(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION));
  });

  test('where the policy does not delete', async () => {
    topic.config = { ...topic.config, cleanupDelete: false };
    expect(await one(4)).toEqual(fails(ErrorCode.POLICY_VIOLATION));
  });

  test('where the shard cannot record it, and by a partition that is offline', async () => {
    bench.shards.sync.failure = 'a sync failed';
    expect(await one(4)).toEqual(fails(ErrorCode.KAFKA_STORAGE_ERROR));
    expect(topic.partitions[0]?.logStartOffset).toBe(0);
    topic.partitions[0]?.becomeState('offline');
    expect(await one(4)).toEqual(fails(ErrorCode.KAFKA_STORAGE_ERROR));
  });
});

test('of what is named twice the last counts, and is answered once', async () => {
  const twice = await ask([
    {
      name: 'orders',
      partitions: [
        [0, 2],
        [0, 3],
      ],
    },
    { name: 'orders', partitions: [[1, 5]] },
  ]);
  expect(twice).toEqual([{ name: 'orders', partitions: [starts(3n), starts(5n, 1)] }]);
});

test('waits for a partition that is between two shards, and asks the one that has it then', async () => {
  const view = topic.partitions[0] as PartitionView;
  bench.shards.sync.held = true;
  const altered = bench.lifecycle.alterTopicConfigs('orders', [{ name: 'ringlog.durability', operation: 'set', value: 'page-cache' }]);
  await settle();
  expect(view.state).toBe('moving');
  const request = begin([{ name: 'orders', partitions: [[0, 4]] }]);
  await settle();
  bench.shards.sync.release();
  await altered;
  await request.answered();
  expect(request.decode(deleteRecords).topics[0]?.partitions).toEqual([starts(4n)]);
  expect(bench.shards.buffered.received.filter(({ kind }) => kind === 'setLogStart').length).toBe(1);
});

test('a topic that is deleted while its partition moves is unknown', async () => {
  topic.partitions[0]?.becomeState('moving');
  const request = begin([{ name: 'orders', partitions: [[0, 4]] }]);
  await settle();
  await bench.lifecycle.deleteTopic({ name: 'orders' });
  await request.answered();
  expect(request.decode(deleteRecords).topics[0]?.partitions).toEqual([fails(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)]);
});
