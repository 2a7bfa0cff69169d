/** AlterConfigs, the older way: what is given is all there is. And what both ways refuse. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { alterConfigsHandler } from '../../../src/main/handlers/33-alter-configs.ts';
import { incrementalAlterConfigsHandler } from '../../../src/main/handlers/44-incremental-alter-configs.ts';
import { alterConfigs } from '../../../src/protocol/apis/33-alter-configs.ts';
import { incrementalAlterConfigs } from '../../../src/protocol/apis/44-incremental-alter-configs.ts';
import { ErrorCode } from '../../../src/protocol/errors.ts';
import type { ResponseOf } from '../../../src/protocol/schema.ts';
import { LifecycleBench } from '../../support/lifecycle-bench.ts';
import { FakeRequest } from '../../support/read-bench.ts';

let bench: LifecycleBench;

beforeEach(async () => {
  bench = await LifecycleBench.create();
  await bench.lifecycle.createTopic({ name: 'orders', partitions: 2, replicationFactor: 1, configs: { 'max.message.bytes': '5000' } });
});
afterEach(() => bench.close());

type Asked = readonly [type: number, name: string, configs?: Record<string, string | null> | readonly (readonly [string, string])[]];

function pairs(configs: Asked[2] = {}): { name: string; value: string | null }[] {
  const list: readonly (readonly [string, string | null])[] = Array.isArray(configs) ? configs : Object.entries(configs);
  return list.map(([name, value]) => ({ name, value }));
}

async function ask(
  asked: readonly Asked[],
  { validateOnly = false, version = 2 } = {},
): Promise<ResponseOf<typeof alterConfigs>['responses']> {
  const resources = asked.map(([resourceType, resourceName, configs]) => ({ resourceType, resourceName, configs: pairs(configs) }));
  const request = new FakeRequest(alterConfigs, version, { resources, validateOnly });
  await alterConfigsHandler(bench)(request);
  return request.decode(alterConfigs).responses;
}

const configs = (): Readonly<Record<string, string>> => bench.catalog.topicByName('orders')!.configs;

test.each([0, 1, 2])('what is given replaces all there was, in force at once (version %i)', async (version) => {
  const answer = await ask([[2, 'orders', { 'index.interval.bytes': '100', 'segment.bytes': '2000000' }]], { version });
  expect(answer).toEqual([{ errorCode: 0, errorMessage: null, resourceType: 2, resourceName: 'orders' }]);
  expect(configs()).toEqual({ 'index.interval.bytes': '100', 'segment.bytes': '2000000' });
  const topic = bench.router.topicByName('orders')!;
  expect(topic.config).toMatchObject({ maxMessageBytes: 1048588, segmentBytes: 2000000 });
  expect(topic.partitions.map((view) => view?.indexIntervalBytes)).toEqual([100, 100]);
  expect([...bench.shards.sync.open.values()].map(({ config }) => config.segmentBytes)).toEqual([2000000, 2000000]);
});

test('nothing given sets everything back', async () => {
  expect((await ask([[2, 'orders']]))[0]!.errorCode).toBe(0);
  expect(configs()).toEqual({});
});

test('it may move the partitions', async () => {
  expect((await ask([[2, 'orders', { 'ringlog.durability': 'memory' }]]))[0]!.errorCode).toBe(0);
  expect(bench.router.topicByName('orders')!.partitions.map((view) => view?.link.class)).toEqual(['buffered', 'buffered']);
});

test('validate only changes nothing', async () => {
  const answers = await ask(
    [
      [2, 'orders', { 'segment.bytes': '2000000' }],
      [2, 'nowhere', {}],
    ],
    { validateOnly: true },
  );
  expect(answers.map(({ errorCode }) => errorCode)).toEqual([0, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]);
  expect(configs()).toEqual({ 'max.message.bytes': '5000' });
});

test('one that is refused does not stop the others', async () => {
  const answers = await ask([
    [2, 'nowhere', { 'segment.bytes': '2000000' }],
    [2, 'orders', { 'segment.bytes': '2000000' }],
  ]);
  expect(answers.map(({ errorCode }) => errorCode)).toEqual([ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, 0]);
});

describe('is refused, and changes nothing', () => {
  test.each([
    ['a name nobody knows', { 'no.such': '1' }, ErrorCode.INVALID_CONFIG],
    ['a value that is not legal', { 'max.message.bytes': 'x' }, ErrorCode.INVALID_CONFIG],
    ['a compression the broker would have to do', { 'compression.type': 'gzip' }, ErrorCode.INVALID_CONFIG],
    ['no value', { 'max.message.bytes': null }, ErrorCode.INVALID_REQUEST],
  ])('with %s', async (_what, wanted, errorCode) => {
    expect((await ask([[2, 'orders', { 'segment.bytes': '2000000', ...wanted }]]))[0]!.errorCode).toBe(errorCode);
    expect(configs()).toEqual({ 'max.message.bytes': '5000' });
  });

  test('with a setting given twice', async () => {
    const twice = [
      ['segment.bytes', '2000000'],
      ['segment.bytes', '3000000'],
    ] as const;
    expect((await ask([[2, 'orders', twice]]))[0]!.errorCode).toBe(ErrorCode.INVALID_REQUEST);
    expect(configs()).toEqual({ 'max.message.bytes': '5000' });
  });

  test('for a topic named twice, which is answered once', async () => {
    const answers = await ask([
      [2, 'orders', {}],
      [2, 'orders', {}],
    ]);
    expect(answers).toMatchObject([{ errorCode: ErrorCode.INVALID_REQUEST, resourceName: 'orders' }]);
    expect(configs()).toEqual({ 'max.message.bytes': '5000' });
  });

  const refused: readonly [number, string, number, RegExp][] = [
    [2, '', ErrorCode.INVALID_REQUEST, /all topics at once/],
    [2, 'not a name', ErrorCode.INVALID_TOPIC_EXCEPTION, /may hold only letters/],
    [2, 'nowhere', ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, /does not host/],
    [4, '2', ErrorCode.INVALID_REQUEST, /expected 1, but received 2/],
    [4, 'x', ErrorCode.INVALID_REQUEST, /must be an integer/],
    [8, '', ErrorCode.INVALID_REQUEST, /must be an integer/],
    [16, 'm', ErrorCode.INVALID_REQUEST, /client metrics/],
    [32, 'g', ErrorCode.INVALID_REQUEST, /groups/],
    [0, 'x', ErrorCode.INVALID_REQUEST, /Unknown resource type 0/],
    [77, 'x', ErrorCode.INVALID_REQUEST, /Unknown resource type 77/],
  ];
  test.each(refused)('for a resource of type %i named "%s", either way', async (resourceType, resourceName, errorCode, errorMessage) => {
    const expected = [{ resourceType, resourceName, errorCode, errorMessage: expect.stringMatching(errorMessage) }];
    expect(await ask([[resourceType, resourceName, {}]])).toEqual(expected);
    const resources = [{ resourceType, resourceName, configs: [] }];
    const request = new FakeRequest(incrementalAlterConfigs, 1, { resources, validateOnly: false });
    await incrementalAlterConfigsHandler(bench)(request);
    expect(request.decode(incrementalAlterConfigs).responses).toEqual(expected);
  });
});

test('no resources, no answers', async () => {
  expect(await ask([])).toEqual([]);
});
