/** Settings of the broker that clients change while it runs: who may change what, in force and on record, and what DescribeConfigs says of it. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { StoredBrokerSettings } from '../../../src/cluster/broker-settings.ts';
import { resolveBrokerConfig } from '../../../src/config/broker-config.ts';
import { DynamicConfig } from '../../../src/main/dynamic-config.ts';
import { describeConfigsHandler } from '../../../src/main/handlers/32-describe-configs.ts';
import { alterConfigsHandler } from '../../../src/main/handlers/33-alter-configs.ts';
import { incrementalAlterConfigsHandler } from '../../../src/main/handlers/44-incremental-alter-configs.ts';
import { describeConfigs } from '../../../src/protocol/apis/32-describe-configs.ts';
import { alterConfigs } from '../../../src/protocol/apis/33-alter-configs.ts';
import { incrementalAlterConfigs } from '../../../src/protocol/apis/44-incremental-alter-configs.ts';
import { ErrorCode } from '../../../src/protocol/errors.ts';
import { LifecycleBench } from '../../support/lifecycle-bench.ts';
import { FakeRequest } from '../../support/read-bench.ts';

const BROKER = 4;
const LOGGER = 8;
const TOPIC = 2;
const SET = 0;
const DELETE = 1;
const APPEND = 2;

let bench: LifecycleBench;

beforeEach(async () => {
  bench = await LifecycleBench.create();
  bench.dynamic.apply = () => bench.lifecycle.applyDefaults();
});
afterEach(() => bench.close());

type Change = readonly [name: string, value: string | null, operation?: number];

async function alter(resourceName: string, changes: readonly Change[], { resourceType = BROKER, validateOnly = false } = {}) {
  const configs = changes.map(([name, value, configOperation = SET]) => ({ name, configOperation, value }));
  const request = new FakeRequest(incrementalAlterConfigs, 1, { resources: [{ resourceType, resourceName, configs }], validateOnly });
  await incrementalAlterConfigsHandler(bench)(request);
  const { errorCode, errorMessage } = request.decode(incrementalAlterConfigs).responses[0]!;
  return [errorCode, errorMessage];
}

async function replace(resourceName: string, settings: Record<string, string>, resourceType = BROKER) {
  const configs = Object.entries(settings).map(([name, value]) => ({ name, value }));
  const request = new FakeRequest(alterConfigs, 2, { resources: [{ resourceType, resourceName, configs }], validateOnly: false });
  await alterConfigsHandler(bench)(request);
  const { errorCode, errorMessage } = request.decode(alterConfigs).responses[0]!;
  return [errorCode, errorMessage];
}

async function described(resourceType: number, resourceName: string) {
  const resources = [{ resourceType, resourceName, configurationKeys: null }];
  const request = new FakeRequest(describeConfigs, 4, { resources, includeSynonyms: true, includeDocumentation: false });
  await describeConfigsHandler(bench)(request);
  return new Map(request.decode(describeConfigs).results[0]!.configs.map((entry) => [entry.name, entry]));
}

const OK = [0, null];
const stored = () => StoredBrokerSettings.load(bench.store, 1);

test('a change of this broker is in force, on record, and wins over that of all brokers', async () => {
  expect(await alter('', [['max.connections', '50']])).toEqual(OK);
  expect(bench.config.connectionsMax).toBe(50);
  expect(await alter('1', [['max.connections', ' 60 ']])).toEqual(OK);
  expect(bench.config.connectionsMax).toBe(60);
  expect((await stored()).texts).toEqual({ cluster: { 'max.connections': '50' }, broker: { 'max.connections': '60' } });
  const again = new DynamicConfig({ start: resolveBrokerConfig(), stored: await stored(), logger: bench.logger });
  expect(again.current.connectionsMax).toBe(60);
  expect(await alter('1', [['max.connections', null, DELETE]])).toEqual(OK);
  expect(bench.config.connectionsMax).toBe(50);
  expect(await alter('', [['max.connections', null, DELETE]])).toEqual(OK);
  expect(bench.config.connectionsMax).toBe(10_000);
});

test('AlterConfigs: what is given is all that is changed afterwards', async () => {
  expect(await replace('1', { 'max.connections': '50', 'ringlog.log.level': 'error' })).toEqual(OK);
  expect(bench.logger.level).toBe('error');
  expect(await replace('1', { 'max.connections.per.ip': '7' })).toEqual(OK);
  expect(bench.config).toMatchObject({ connectionsMax: 10_000, connectionsPerAddressMax: 7 });
  expect(bench.logger.level).toBe('info');
});

test('defaults of topics are in force at once for topics that have none of their own, moves between shards included', async () => {
  const topic = async (name: string, configs: Record<string, string>) => {
    await bench.lifecycle.createTopic({ name, partitions: 1, replicationFactor: 1, configs });
    return bench.router.topicByName(name)!;
  };
  const plain = await topic('plain', {});
  const own = await topic('own', { 'retention.ms': '5', 'ringlog.durability': 'fsync' });
  const changes = [
    ['log.retention.ms', '60000'],
    ['ringlog.durability', 'page-cache'],
  ] as const;
  expect(await alter('', changes)).toEqual(OK);
  expect([plain.config.retentionMs, own.config.retentionMs]).toEqual([60_000, 5]);
  expect([...bench.shards.buffered.open.values()].map(({ config }) => config.retentionMs)).toEqual([60_000]);
  expect([...bench.shards.sync.open.values()].map(({ config }) => config.retentionMs)).toEqual([5]);
  const later = await topic('later', {});
  expect(later.config).toMatchObject({ retentionMs: 60_000, durability: 'page-cache' });
  const { name, value, configSource, synonyms } = (await described(TOPIC, 'plain')).get('retention.ms')!;
  expect([name, value, configSource]).toEqual(['retention.ms', '60000', 3]);
  expect(synonyms).toEqual([
    { name: 'log.retention.ms', value: '60000', source: 3 },
    { name: 'log.retention.ms', value: '604800000', source: 5 },
  ]);
});

test('DescribeConfigs shows every source, the one in force first, and of all brokers only what was set there', async () => {
  bench.close();
  bench = await LifecycleBench.create();
  await alter('', [['log.retention.ms', '1']]);
  await alter('1', [['log.retention.ms', '2']]);
  const broker = await described(BROKER, '1');
  expect(broker.get('log.retention.ms')).toMatchObject({ value: '2', configSource: 2, readOnly: false });
  expect(broker.get('log.retention.ms')!.synonyms.map(({ value, source }) => [value, source])).toEqual([
    ['2', 2],
    ['1', 3],
    ['604800000', 5],
  ]);
  expect(broker.get('node.id')).toMatchObject({ configSource: 5, readOnly: true });
  const cluster = await described(BROKER, '');
  expect([...cluster.keys()]).toEqual(['log.retention.ms']);
  expect(cluster.get('log.retention.ms')).toMatchObject({ value: '1', configSource: 3 });
});

describe('is refused, and changes nothing:', () => {
  const refused: readonly [Change, RegExp][] = [
    [['node.id', '2'], /^node\.id cannot be changed while the broker runs: set it in its configuration and restart it\.$/],
    [['max.connection', '2'], /^Unknown broker setting "max\.connection"\. Did you mean "max\.connections"\?$/],
    [['retention.ms', '2'], /that is a topic setting; the broker setting is "log\.retention\.ms"/],
    [['log.retention.hours', '2'], /^log\.retention\.hours is read at start only: while the broker runs set log\.retention\.ms\.$/],
    [['max.connections', '0'], /^Invalid value "0" for max\.connections: it must be a whole number from 1 to 1000000\.$/],
    [['max.connections', '2', APPEND], /^append is for lists, and max\.connections is none\.$/],
    [
      ['message.max.bytes', '104857601'],
      /^message\.max\.bytes \(104857601 by a change at run time\) must be at most socket\.request\.max\.bytes/,
    ],
  ];
  test.each(refused)('%j', async (change, message) => {
    const before = { ...bench.config };
    for (const scope of ['', '1'])
      expect(await alter(scope, [['max.connections.per.ip', '3'], change])).toEqual([
        ErrorCode.INVALID_REQUEST,
        expect.stringMatching(message),
      ]);
    expect(bench.config).toEqual(before);
    expect((await stored()).texts).toEqual({ cluster: {}, broker: {} });
  });

  test('what is only to be validated', async () => {
    expect(await alter('1', [['max.connections', '5']], { validateOnly: true })).toEqual(OK);
    expect(bench.config.connectionsMax).toBe(10_000);
    expect((await stored()).texts.broker).toEqual({});
  });

  test('another broker', async () => {
    expect(await alter('2', [['max.connections', '5']])).toEqual([ErrorCode.INVALID_REQUEST, expect.stringMatching(/expected 1/)]);
  });
});

test('a change that somebody else made at the same time is not overwritten', async () => {
  const other = await stored();
  expect(await alter('1', [['max.connections', '5']])).toEqual(OK);
  await expect(other.replace('broker', { 'max.connections': '6' })).rejects.toThrow(/changed by somebody else/);
  expect(other.texts.broker).toEqual({ 'max.connections': '5' });
});

test('a stored setting that this version does not know has no effect, is told of, and stands in nobody’s way', async () => {
  await bench.store.put('broker-settings/1', { 'of.another.version': '1', 'max.connections': '0', 'max.connections.per.ip': '4' });
  bench.dynamic = new DynamicConfig({ start: resolveBrokerConfig(), stored: await stored(), logger: bench.logger });
  expect(bench.dynamic.current).toMatchObject({ connectionsMax: 10_000, connectionsPerAddressMax: 4 });
  expect(bench.problems.join('\n')).toMatch(/Unknown broker setting \\"of\.another\.version/);
  expect(await alter('1', [['ringlog.log.level', 'warn']])).toEqual(OK);
  expect((await stored()).texts.broker).toMatchObject({ 'of.another.version': '1', 'ringlog.log.level': 'warn' });
});

describe('the logger', () => {
  test('takes Kafka’s levels until the broker ends', async () => {
    expect(await alter('1', [['root', 'DEBUG']], { resourceType: LOGGER })).toEqual(OK);
    expect(bench.logger.level).toBe('debug');
    expect((await described(LOGGER, '1')).get('root')).toMatchObject({ value: 'DEBUG', configSource: 6, readOnly: false });
    expect((await stored()).texts).toEqual({ cluster: {}, broker: {} });
    expect(await alter('1', [['root', 'WARN']], { resourceType: LOGGER, validateOnly: true })).toEqual(OK);
    expect(bench.logger.level).toBe('debug');
  });

  test.each([
    [['kafka.server', 'DEBUG'], ErrorCode.INVALID_CONFIG, /no logger "kafka\.server"/],
    [['root', 'loud'], ErrorCode.INVALID_CONFIG, /must be one of FATAL, ERROR/],
    [['root', null, DELETE], ErrorCode.INVALID_REQUEST, /no level to fall back to/],
    [['root', 'DEBUG', APPEND], ErrorCode.INVALID_REQUEST, /append is for lists/],
  ] as const)('refuses %j', async (change, code, message) => {
    expect(await alter('1', [change], { resourceType: LOGGER })).toEqual([code, expect.stringMatching(message)]);
    expect(bench.logger.level).toBe('info');
  });

  test('is not changed by AlterConfigs', async () => {
    expect(await replace('1', { root: 'DEBUG' }, LOGGER)).toEqual([
      ErrorCode.INVALID_REQUEST,
      expect.stringMatching(/IncrementalAlterConfigs/),
    ]);
  });
});
