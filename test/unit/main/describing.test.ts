/** What clients and tools ask of a broker, its topics and its disk: clusters, partitions, epochs, log folders, resources with settings. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { resolveBrokerConfig } from '../../../src/config/broker-config.ts';
import { offsetForLeaderEpochHandler } from '../../../src/main/handlers/23-offset-for-leader-epoch.ts';
import { describeConfigsHandler } from '../../../src/main/handlers/32-describe-configs.ts';
import { describeLogDirsHandler, type FolderSpace } from '../../../src/main/handlers/35-describe-log-dirs.ts';
import { handleListPartitionReassignments } from '../../../src/main/handlers/46-list-partition-reassignments.ts';
import { describeClusterHandler } from '../../../src/main/handlers/60-describe-cluster.ts';
import { listConfigResourcesHandler } from '../../../src/main/handlers/74-list-config-resources.ts';
import { describeTopicPartitionsHandler } from '../../../src/main/handlers/75-describe-topic-partitions.ts';
import { offsetForLeaderEpoch } from '../../../src/protocol/apis/23-offset-for-leader-epoch.ts';
import { describeConfigs } from '../../../src/protocol/apis/32-describe-configs.ts';
import { describeLogDirs } from '../../../src/protocol/apis/35-describe-log-dirs.ts';
import { listPartitionReassignments } from '../../../src/protocol/apis/46-list-partition-reassignments.ts';
import { describeCluster } from '../../../src/protocol/apis/60-describe-cluster.ts';
import { listConfigResources } from '../../../src/protocol/apis/74-list-config-resources.ts';
import { describeTopicPartitions } from '../../../src/protocol/apis/75-describe-topic-partitions.ts';
import { ErrorCode } from '../../../src/protocol/errors.ts';
import { MalformedError } from '../../../src/protocol/protocol-errors.ts';
import type { Handler } from '../../../src/main/requests.ts';
import type { PartitionView } from '../../../src/main/partition-view.ts';
import type { Api, RequestInput, ResponseOf } from '../../../src/protocol/schema.ts';
import { LifecycleBench } from '../../support/lifecycle-bench.ts';
import { FakeRequest } from '../../support/read-bench.ts';

let bench: LifecycleBench;

async function create(name: string, partitions: number): Promise<void> {
  const result = await bench.lifecycle.createTopic({ name, partitions, replicationFactor: 1, configs: {} });
  expect(result.ok).toBe(true);
}

beforeEach(async () => {
  bench = await LifecycleBench.create();
  for (const [name, partitions] of [
    ['b', 1],
    ['c', 2],
    ['a', 3],
  ] as const)
    await create(name, partitions);
});
afterEach(() => bench.close());

async function ask<A extends Api>(api: A, handler: Handler, version: number, body: RequestInput<A>): Promise<ResponseOf<A>> {
  const request = new FakeRequest(api, version, body);
  await handler(request);
  return request.decode(api);
}

function viewOf(name: string, partition = 0): PartitionView {
  return bench.router.topicByName(name)!.partitions[partition]!;
}

/** Makes a segment of `bytes` bytes with `records` records readable. */
function fill(view: PartitionView, records: number, bytes: number): void {
  if (view.segments.length === 0) view.onRolled(0, 0, -1);
  view.onReadable(view.highWatermark, records - 1, view.active!.endPosition, bytes, 1);
}

const EVERY: readonly (readonly [Api, () => Handler])[] = [
  [offsetForLeaderEpoch, () => offsetForLeaderEpochHandler(bench.router)],
  [describeLogDirs, () => describeLogDirsHandler({ router: bench.router, dataDir: '/data', space: async () => null })],
  [listPartitionReassignments, () => handleListPartitionReassignments],
  [describeCluster, () => describeClusterHandler({ broker: bench.config, clusterId: 'cluster' })],
  [listConfigResources, () => listConfigResourcesHandler(bench.router, bench.config)],
  [describeTopicPartitions, () => describeTopicPartitionsHandler(bench.router, 1)],
];

test.each(EVERY.map(([api, handler]) => [api.name, api, handler] as const))(
  'a %s that is cut short is malformed',
  async (_name, api, handler) => {
    const request = new FakeRequest(api, Number(/-(\d+)$/.exec(api.request.versions)?.[1] ?? 0), {});
    const cut = Object.assign(request, { bodyEnd: request.bodyEnd - 1 });
    await expect(Promise.resolve().then(() => handler()(cut))).rejects.toThrow(MalformedError);
  },
);

describe('DescribeCluster', () => {
  const describeIt = (version: number, body: object) =>
    ask(describeCluster, describeClusterHandler({ broker: bench.config, clusterId: 'cluster' }), version, {
      includeClusterAuthorizedOperations: false,
      ...body,
    });

  test.each([0, 1, 2])('names this broker, which is all there is (version %i)', async (version) => {
    expect(await describeIt(version, { includeClusterAuthorizedOperations: true })).toEqual({
      throttleTimeMs: 0,
      errorCode: 0,
      errorMessage: null,
      endpointType: 1,
      clusterId: 'cluster',
      controllerId: 1,
      brokers: [{ brokerId: 1, host: '127.0.0.1', port: 9092, rack: null, isFenced: false }],
      clusterAuthorizedOperations: 8096,
    });
    expect((await describeIt(version, {})).clusterAuthorizedOperations).toBe(-2147483648);
  });

  test('gives the advertised address', async () => {
    const broker = resolveBrokerConfig({ set: ['advertised.listeners=PLAINTEXT://broker.example:19092', 'node.id=7'] });
    const handler = describeClusterHandler({ broker, clusterId: 'cluster' });
    const answer = await ask(describeCluster, handler, 2, { includeClusterAuthorizedOperations: false, includeFencedBrokers: true });
    expect(answer).toMatchObject({ controllerId: 7, brokers: [{ brokerId: 7, host: 'broker.example', port: 19092 }] });
  });

  test('has no controllers to describe, and no other kinds', async () => {
    expect(await describeIt(1, { endpointType: 2 })).toMatchObject({
      errorCode: ErrorCode.MISMATCHED_ENDPOINT_TYPE,
      brokers: [],
      controllerId: -1,
    });
    expect(await describeIt(1, { endpointType: 3 })).toMatchObject({ errorCode: ErrorCode.UNSUPPORTED_ENDPOINT_TYPE, clusterId: '' });
  });
});

describe('DescribeTopicPartitions', () => {
  type Cursor = { topicName: string; partitionIndex: number } | null;

  async function page(names: readonly string[], limit = 2000, cursor: Cursor = null): Promise<ResponseOf<typeof describeTopicPartitions>> {
    return ask(describeTopicPartitions, describeTopicPartitionsHandler(bench.router, 1), 0, {
      topics: names.map((name) => ({ name })),
      responsePartitionLimit: limit,
      cursor,
    });
  }

  /** What is answered, as `topic error partitions`, and the cursor. */
  function short({ topics, nextCursor }: ResponseOf<typeof describeTopicPartitions>): [string[], string | null] {
    return [
      topics.map(
        ({ name, errorCode, partitions }) => `${name} ${errorCode} ${partitions.map(({ partitionIndex }) => partitionIndex).join()}`,
      ),
      nextCursor === null ? null : `${nextCursor.topicName} ${nextCursor.partitionIndex}`,
    ];
  }

  test('describes a topic with all there is to say', async () => {
    const { topics, nextCursor } = await page(['b']);
    expect(nextCursor).toBeNull();
    expect(topics).toEqual([
      {
        errorCode: 0,
        name: 'b',
        topicId: bench.router.topicByName('b')!.id,
        isInternal: false,
        partitions: [
          {
            errorCode: 0,
            partitionIndex: 0,
            leaderId: 1,
            leaderEpoch: bench.catalog.leaderEpoch,
            replicaNodes: [1],
            isrNodes: [1],
            eligibleLeaderReplicas: [],
            lastKnownElr: [],
            offlineReplicas: [],
          },
        ],
        topicAuthorizedOperations: 3576,
      },
    ]);
    viewOf('b').becomeState('offline');
    expect((await page(['b'])).topics[0]!.partitions[0]).toMatchObject({
      errorCode: ErrorCode.LEADER_NOT_AVAILABLE,
      leaderId: -1,
      isrNodes: [],
    });
  });

  test('an empty list stands for all topics, in the order of their names, as topics come and go', async () => {
    expect(short(await page([]))).toEqual([['a 0 0,1,2', 'b 0 0', 'c 0 0,1'], null]);
    await create('ab', 1);
    await bench.lifecycle.deleteTopic({ name: 'c' });
    expect(short(await page([]))).toEqual([['a 0 0,1,2', 'ab 0 0', 'b 0 0'], null]);
  });

  test('topics that are named come in that order too, each once, and unknown ones say so', async () => {
    expect(short(await page(['c', 'a', 'c', 'nope', 'not a name', '']))).toEqual([
      [' 17 ', 'a 0 0,1,2', 'c 0 0,1', 'nope 3 ', 'not a name 17 '],
      null,
    ]);
  });

  test.each([
    [0, ['a 0 0'], 'a 1'],
    [-1, ['a 0 0'], 'a 1'],
    [1, ['a 0 0'], 'a 1'],
    [2, ['a 0 0,1'], 'a 2'],
    [3, ['a 0 0,1,2'], 'c 0'],
    [4, ['a 0 0,1,2', 'c 0 0'], 'c 1'],
    [5, ['a 0 0,1,2', 'c 0 0,1'], null],
  ])('a limit of %i ends the answer, and the cursor says where', async (limit, answered, cursor) => {
    expect(short(await page(['a', 'c'], limit))).toEqual([answered, cursor]);
  });

  test.each([
    ['a', 1, ['a 0 1,2', 'c 0 0,1']],
    ['a', 3, ['a 0 ', 'c 0 0,1']],
    ['a', 99, ['a 0 ', 'c 0 0,1']],
    ['c', 1, ['c 0 1']],
    ['a', -1, ['a 42 ', 'c 42 ']],
    ['b', 0, ['a 42 ', 'c 42 ']],
    ['zzz', 0, ['a 42 ', 'c 42 ']],
    ['', 0, ['a 42 ', 'c 42 ']],
  ])('of named topics, a cursor at %s %i', async (topicName, partitionIndex, answered) => {
    expect(short(await page(['a', 'c'], 2000, { topicName, partitionIndex }))).toEqual([answered, null]);
  });

  test.each([
    ['a', 1, ['a 0 1,2', 'b 0 0', 'c 0 0,1']],
    ['aa', 7, ['b 0 0', 'c 0 0,1']],
    ['zzz', 0, []],
  ])('of all topics, a cursor at %s %i: its topic may be gone', async (topicName, partitionIndex, answered) => {
    expect(short(await page([], 2000, { topicName, partitionIndex }))).toEqual([answered, null]);
  });

  test('a topic nobody knows takes no room', async () => {
    expect(short(await page(['A1', 'A2', 'c'], 1))).toEqual([['A1 3 ', 'A2 3 ', 'c 0 0'], 'c 1']);
    expect(short(await page(['a', 'b1'], 3))).toEqual([['a 0 0,1,2'], 'b1 0']);
  });

  test('page by page everything comes once, with any limit', async () => {
    await create('d', 7);
    for (let limit = 1; limit <= 14; limit++) {
      const seen: string[] = [];
      let cursor: Cursor = null;
      do {
        const { topics, nextCursor } = await page([], limit, cursor);
        for (const { name, partitions } of topics) for (const { partitionIndex } of partitions) seen.push(`${name}${partitionIndex}`);
        cursor = nextCursor;
      } while (cursor !== null);
      expect(seen).toEqual(['a0', 'a1', 'a2', 'b0', 'c0', 'c1', 'd0', 'd1', 'd2', 'd3', 'd4', 'd5', 'd6']);
    }
  });

  test('no answer has more than 2000 partitions', async () => {
    await create('many', 2500);
    const { topics, nextCursor } = await page(['many'], 2_147_483_647);
    expect([topics[0]!.partitions.length, nextCursor]).toEqual([2000, { topicName: 'many', partitionIndex: 2000 }]);
  });
});

describe('OffsetForLeaderEpoch', () => {
  const EPOCHS = [
    { epoch: 2, startOffset: 5 },
    { epoch: 4, startOffset: 20 },
  ];

  beforeEach(() => {
    const view = viewOf('a');
    view.leaderEpoch = 6;
    const state = {
      moveNumber: 0,
      logStartOffset: 0,
      endOffset: 30,
      segments: [],
      epochs: EPOCHS,
      damaged: [],
      producers: new Uint8Array(0),
    };
    view.loadState({ ...state, topicId: view.topic.id, partition: 0 });
  });

  async function end(leaderEpoch: number, options: { current?: number; partition?: number; topic?: string; version?: number } = {}) {
    const { current = -1, partition = 0, topic = 'a', version = 4 } = options;
    const topics = [{ topic, partitions: [{ partition, currentLeaderEpoch: current, leaderEpoch }] }];
    const replica = version >= 3 ? { replicaId: -1 } : {};
    const answer = await ask(offsetForLeaderEpoch, offsetForLeaderEpochHandler(bench.router), version, { ...replica, topics });
    const found = answer.topics[0]!.partitions[0]!;
    return [found.errorCode, found.leaderEpoch, Number(found.endOffset)];
  }

  test.each([
    [-1, -1, -1],
    [-2, -2, 5],
    [0, 0, 5],
    [1, 1, 5],
    [2, 2, 20],
    [3, 2, 20],
    [4, 4, 30],
    [5, 4, 30],
    [6, 6, 30],
    [7, -1, -1],
  ])('of epoch %i: the last epoch up to it is %i and ends at %i', async (asked, epoch, offset) => {
    for (const version of [2, 3, 4]) expect(await end(asked, { version })).toEqual([0, epoch, offset]);
  });

  test('the epoch of an empty log ends where it begins', async () => {
    expect(await end(bench.catalog.leaderEpoch, { topic: 'b' })).toEqual([0, bench.catalog.leaderEpoch, 0]);
  });

  test('a client that knows another leader epoch than there is, is told', async () => {
    expect(await end(2, { current: 6 })).toEqual([0, 2, 20]);
    expect(await end(2, { current: 5 })).toEqual([ErrorCode.FENCED_LEADER_EPOCH, -1, -1]);
    expect(await end(2, { current: -2 })).toEqual([ErrorCode.FENCED_LEADER_EPOCH, -1, -1]);
    expect(await end(2, { current: 7 })).toEqual([ErrorCode.UNKNOWN_LEADER_EPOCH, -1, -1]);
  });

  test('unknown topics and partitions say so, offline ones too', async () => {
    expect(await end(2, { topic: 'nope' })).toEqual([ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1, -1]);
    expect(await end(2, { partition: 9 })).toEqual([ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1, -1]);
    expect(await end(2, { partition: -1 })).toEqual([ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1, -1]);
    viewOf('a').becomeState('offline');
    expect(await end(2)).toEqual([ErrorCode.KAFKA_STORAGE_ERROR, -1, -1]);
  });

  test('everything is answered as it stands in the request, what is there twice, twice', async () => {
    const partition = (number: number) => ({ partition: number, currentLeaderEpoch: -1, leaderEpoch: 2 });
    const topics = [
      { topic: 'a', partitions: [partition(0), partition(0)] },
      { topic: 'nope', partitions: [] },
      { topic: 'a', partitions: [partition(9)] },
    ];
    const answer = await ask(offsetForLeaderEpoch, offsetForLeaderEpochHandler(bench.router), 4, { replicaId: 5, topics });
    expect(answer.topics.map(({ topic, partitions }) => [topic, ...partitions.map(({ errorCode }) => errorCode)])).toEqual([
      ['a', 0, 0],
      ['nope'],
      ['a', ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
    ]);
  });
});

describe('DescribeLogDirs', () => {
  const SPACE: FolderSpace = { totalBytes: 1000, usableBytes: 600 };
  type Topics = RequestInput<typeof describeLogDirs>['topics'];

  const folder = (topics: Topics, version = 4, space: FolderSpace | null = SPACE) =>
    ask(describeLogDirs, describeLogDirsHandler({ router: bench.router, dataDir: '/data', space: async () => space }), version, { topics });

  const sizes = (answer: ResponseOf<typeof describeLogDirs>): Record<string, Record<number, number>> =>
    Object.fromEntries(
      answer.results[0]!.topics.map(({ name, partitions }) => [
        name,
        Object.fromEntries(partitions.map(({ partitionIndex, partitionSize }) => [partitionIndex, Number(partitionSize)])),
      ]),
    );

  test.each([1, 2, 3, 4])('null stands for all topics, with their bytes (version %i)', async (version) => {
    fill(viewOf('a', 1), 2, 500);
    fill(viewOf('a', 1), 2, 200);
    const answer = await folder(null, version);
    expect(sizes(answer)).toEqual({ a: { 0: 0, 1: 700, 2: 0 }, b: { 0: 0 }, c: { 0: 0, 1: 0 } });
    const { errorCode, logDir, totalBytes, usableBytes } = answer.results[0]!;
    expect([answer.errorCode, answer.results.length, errorCode, logDir]).toEqual([0, 1, 0, '/data']);
    expect([Number(totalBytes), Number(usableBytes)]).toEqual(version < 4 ? [-1, -1] : [1000, 600]);
    expect(answer.results[0]!.topics[0]!.partitions[0]).toMatchObject({ offsetLag: 0n, isFutureKey: false });
  });

  test('what is deleted counts no more', async () => {
    const view = viewOf('b');
    fill(view, 2, 500);
    view.onRolled(2, 0, 500);
    fill(view, 2, 300);
    view.onLogStartSet(2, [0]);
    expect(sizes(await folder([{ topic: 'b', partitions: [0] }]))).toEqual({ b: { 0: 300 } });
  });

  test('an empty list asks for the folder alone', async () => {
    const answer = await folder([]);
    expect(sizes(answer)).toEqual({});
    expect(answer.results[0]).toMatchObject({ logDir: '/data', totalBytes: 1000n });
  });

  test('unknown topics and partitions are left out, and what is named twice is there once', async () => {
    const answer = await folder([
      { topic: 'nope', partitions: [0] },
      { topic: 'a', partitions: [9, -1, 2, 2] },
      { topic: 'b', partitions: [] },
      { topic: 'c', partitions: [5] },
      { topic: 'a', partitions: [0] },
    ]);
    expect(sizes(answer)).toEqual({ a: { 0: 0, 2: 0 } });
  });

  test('a disk that does not tell its room is described all the same', async () => {
    expect((await folder(null, 4, null)).results[0]).toMatchObject({ errorCode: 0, totalBytes: -1n, usableBytes: -1n });
  });

  test('thousands of topics are described in steps', async () => {
    for (let i = 0; i < 300; i++) await create(`t${i}`, 5);
    let turns = 0;
    let next = setImmediate(function count() {
      turns++;
      next = setImmediate(count);
    });
    const answer = await folder(null);
    clearImmediate(next);
    expect(Object.keys(sizes(answer)).length).toBe(303);
    expect(turns).toBeGreaterThan(1);
  });
});

describe('DescribeConfigs', () => {
  const configsOf = async (resourceType: number, resourceName: string, configurationKeys: string[] | null = null) => {
    const { results } = await ask(describeConfigs, describeConfigsHandler(bench), 4, {
      resources: [{ resourceType, resourceName, configurationKeys }],
      includeSynonyms: true,
      includeDocumentation: true,
    });
    return results[0]!;
  };

  test('of the broker’s logger: its level', async () => {
    expect((await configsOf(8, '1')).configs).toEqual([
      {
        name: 'root',
        value: 'INFO',
        readOnly: false,
        isDefault: false,
        configSource: 6,
        isSensitive: false,
        synonyms: [],
        configType: 0,
        documentation: 'ringlog.log.level',
      },
    ]);
  });

  test('of groups and client metrics: the defaults, for none was set', async () => {
    const group = await configsOf(32, 'g');
    expect([group.errorCode, group.configs.length]).toEqual([0, 17]);
    expect(group.configs.find(({ name }) => name === 'consumer.session.timeout.ms')).toMatchObject({
      value: '45000',
      configSource: 5,
      configType: 3,
    });
    const metrics = await configsOf(16, 'm');
    expect(metrics.configs.map(({ name, value, configType }) => [name, value, configType])).toEqual([
      ['interval.ms', '300000', 3],
      ['match', '', 7],
      ['metrics', '', 7],
    ]);
    expect((await configsOf(16, 'm', ['match', 'nope'])).configs.map(({ name }) => name)).toEqual(['match']);
  });

  test('of the defaults of all brokers: none is set', async () => {
    expect(await configsOf(4, '')).toMatchObject({ errorCode: 0, configs: [] });
  });

  test.each([
    [4, '2', /expected 1, but received 2/],
    [4, 'x', /must be an integer/],
    [8, '', /must be an integer/],
    [8, '2', /expected 1, but received 2/],
    [16, '', /must not be empty/],
    [32, '', /must not be empty/],
    [0, 'x', /Unknown resource type 0/],
    [77, 'x', /Unknown resource type 77/],
  ])('of a resource of type %i named "%s": refused', async (resourceType, resourceName, message) => {
    const answer = await configsOf(resourceType, resourceName);
    expect(answer).toMatchObject({ errorCode: ErrorCode.INVALID_REQUEST, resourceType, resourceName, configs: [] });
    expect(answer.errorMessage).toMatch(message);
  });
});

describe('ListConfigResources', () => {
  const list = async (version: number, resourceTypes?: number[]) => {
    const body = resourceTypes === undefined ? {} : { resourceTypes };
    const answer = await ask(listConfigResources, listConfigResourcesHandler(bench.router, bench.config), version, body);
    return [answer.errorCode, answer.configResources.map(({ resourceType, resourceName }) => `${resourceType} ${resourceName}`).sort()];
  };

  test('lists what has settings, of the kinds asked for', async () => {
    const topics = ['2 a', '2 b', '2 c'];
    expect(await list(1, [])).toEqual([0, [...topics, '4 1', '8 1']]);
    expect(await list(1, [2])).toEqual([0, topics]);
    expect(await list(1, [4, 16])).toEqual([0, ['4 1']]);
    expect(await list(1, [8])).toEqual([0, ['8 1']]);
    expect(await list(1, [32])).toEqual([0, []]);
    expect(await list(1, [2, 77])).toEqual([ErrorCode.UNSUPPORTED_VERSION, []]);
  });

  test('version 0 asks for client metrics, of which there are none', async () => {
    expect(await list(0)).toEqual([0, []]);
  });
});

test.each([null, [], [{ name: 'a', partitionIndexes: [0, 9] }]])(
  'ListPartitionReassignments: none, whatever is asked (%j)',
  async (topics) => {
    const answer = await ask(listPartitionReassignments, handleListPartitionReassignments, 0, { timeoutMs: 1000, topics });
    expect(answer).toEqual({ throttleTimeMs: 0, errorCode: 0, errorMessage: null, topics: [] });
  },
);
