/** Settings of a running broker: from file, environment and flags, and changed by clients; in force at once, and after a restart, also after kill -9. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { describeConfigs } from '../../src/protocol/apis/32-describe-configs.ts';
import { incrementalAlterConfigs } from '../../src/protocol/apis/44-incremental-alter-configs.ts';
import { ErrorCode } from '../../src/protocol/errors.ts';
import { eventually, startBroker, startRefused, type BrokerProcess } from '../support/broker-process.ts';
import { batchOf, type KafkaClient } from '../support/kafka-client.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const BROKER = 4;
const EARLIEST = -2;

async function connect(broker: BrokerProcess): Promise<KafkaClient> {
  const client = await broker.connect();
  onTestFinished(() => client.close());
  return client;
}

/** Sets settings of broker `resourceName`, or of all brokers where that is empty. */
async function alter(client: KafkaClient, resourceName: string, settings: Record<string, string>): Promise<void> {
  const configs = Object.entries(settings).map(([name, value]) => ({ name, configOperation: 0, value }));
  const resources = [{ resourceType: BROKER, resourceName, configs }];
  const { responses } = await client.request(incrementalAlterConfigs, 1, { resources, validateOnly: false });
  expect(responses.map(({ errorCode, errorMessage }) => [errorCode, errorMessage])).toEqual([[0, null]]);
}

/** Value and Kafka's number of the source, the one in force first. */
async function sourcesOf(client: KafkaClient, name: string): Promise<[value: string | null, source: number][]> {
  const resources = [{ resourceType: BROKER, resourceName: '1', configurationKeys: [name] }];
  const { results } = await client.request(describeConfigs, 4, { resources, includeSynonyms: true, includeDocumentation: false });
  return results[0]!.configs[0]!.synonyms.map(({ value, source }) => [value, source]);
}

describe('the settings of a broker', () => {
  it('come from the file, below the environment, below the flags', async () => {
    const folder = temporaryFolder();
    const config = join(folder, 'ringlog.yaml');
    writeFileSync(config, 'num:\n  partitions: 2\nfetch.max.bytes: 2000000\nmax.connections: 300\n');
    const broker = await startBroker({
      dataDir: join(folder, 'data'),
      flags: ['--port', '0', '--set', 'max.connections=500'],
      env: { RINGLOG_CONFIG: config, RINGLOG_FETCH_MAX_BYTES: '3000000', RINGLOG_MAX_CONNECTIONS: '400' },
    });
    const client = await connect(broker);
    expect(await sourcesOf(client, 'num.partitions')).toEqual([
      ['2', 4],
      ['1', 5],
    ]);
    expect((await sourcesOf(client, 'fetch.max.bytes'))[0]).toEqual(['3000000', 4]);
    expect((await sourcesOf(client, 'max.connections'))[0]).toEqual(['500', 4]);
  });

  it('are refused with the place where they were set', async () => {
    const folder = temporaryFolder();
    const dataDir = join(folder, 'data');
    const config = join(folder, 'ringlog.json');
    writeFileSync(config, '{\n  "num.partition": 2\n}\n');
    const file = await startRefused({ dataDir, flags: ['--port', '0', '--config', config] });
    expect([file.ended.code, file.stderr]).toEqual([
      2,
      `ringlog: ${config}:2: Unknown broker setting "num.partition". Did you mean "num.partitions"?\n`,
    ]);
    const environment = await startRefused({ dataDir, env: { RINGLOG_NUM_PARTITIONS: 'many' } });
    expect([environment.ended.code, environment.stderr]).toEqual([
      2,
      'ringlog: RINGLOG_NUM_PARTITIONS: Invalid value "many" for num.partitions: it must be a whole number from 1 to 10000.\n',
    ]);
  });
});

describe('a setting that a client changes', () => {
  it('is in force when it is answered, and after kill -9', async () => {
    const dataDir = join(temporaryFolder(), 'data');
    const broker = await startBroker({ dataDir });
    const client = await connect(broker);
    await alter(client, '', { 'max.connections.per.ip': '1' });
    const refused = await broker.connect();
    await refused.whenClosed();
    await alter(client, '1', { 'max.connections.per.ip': '2' });
    (await connect(broker)).close();
    await broker.kill();
    const again = await startBroker({ dataDir });
    expect(await sourcesOf(await connect(again), 'max.connections.per.ip')).toEqual([
      ['2', 2],
      ['1', 3],
      ['2147483647', 5],
    ]);
  });

  it('about retention reaches shards that run, and topics that have no value of their own', async () => {
    const broker = await startBroker({
      dataDir: join(temporaryFolder(), 'data'),
      settings: { 'log.retention.check.interval.ms': 3_600_000 },
    });
    const client = await connect(broker);
    /** A topic whose first record is of long ago; the second one begins another segment. */
    const fill = async (name: string, durability: string): Promise<void> => {
      await client.createTopic(name, 1, { 'ringlog.durability': durability, 'segment.ms': '1' });
      for (const timestamp of [1_000_000, Date.now()]) expect((await client.produce(name, 0, batchOf(['x'], timestamp))).errorCode).toBe(0);
    };
    const untilDeleted = (name: string): Promise<void> =>
      eventually(async () => (await client.listOffset(name, 0, EARLIEST)).offset === 1, `${name}: what is too old is deleted`);
    await fill('sync', 'fsync');
    await fill('buffered', 'page-cache');
    await alter(client, '', { 'log.retention.ms': '3600000' });
    await untilDeleted('sync');
    await untilDeleted('buffered');
    // A topic that gets other settings is looked at out of turn; these wait for their turn, which would not come for an hour.
    await alter(client, '1', { 'log.retention.check.interval.ms': '50' });
    await fill('sync-later', 'fsync');
    await fill('buffered-later', 'page-cache');
    await untilDeleted('sync-later');
    await untilDeleted('buffered-later');
  });

  it('of the log takes effect at once', async () => {
    const broker = await startBroker({ dataDir: join(temporaryFolder(), 'data') });
    const client = await connect(broker);
    await alter(client, '1', { 'ringlog.log.level': 'debug' });
    (await connect(broker)).close();
    await broker.logged(({ level, msg }) => level === 'debug' && msg === 'connection closed');
  });
});

describe('the level of the log', () => {
  const LOGGER = 8;

  /** Sends what no client sends; resolves once the broker has hung up. */
  async function cutOff(broker: BrokerProcess): Promise<void> {
    const socket = createConnection({ host: '127.0.0.1', port: broker.port });
    socket.on('error', () => undefined);
    socket.resume();
    socket.write(Buffer.alloc(64, 0xff));
    await once(socket, 'close');
  }

  async function setLogger(client: KafkaClient, name: string, value: string): Promise<[number, string | null]> {
    const resources = [{ resourceType: LOGGER, resourceName: '1', configs: [{ name, configOperation: 0, value }] }];
    const { responses } = await client.request(incrementalAlterConfigs, 1, { resources, validateOnly: false });
    return [responses[0]!.errorCode, responses[0]!.errorMessage];
  }

  it('is changed while the broker runs, as a setting or as the resource BROKER_LOGGER: at once, for every line, and back', async () => {
    const broker = await startBroker({ dataDir: join(temporaryFolder(), 'data') });
    const client = await connect(broker);
    const isDebug = ({ level }: { level: string }): boolean => level === 'debug';
    const lines = (): { level: string; msg: string }[] =>
      broker.stderr
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as { level: string; msg: string });
    // A line may still be on its way when the connection is gone: one of a later level, which is seen, stands behind it.
    await cutOff(broker);
    await alter(client, '1', { 'ringlog.log.level': 'debug' });
    await cutOff(broker);
    await eventually(() => lines().some(isDebug), 'a debug line is written');
    const debugged = lines().filter(isDebug);
    expect(debugged.map(({ msg }) => msg)).toEqual(['connection closed']);

    await alter(client, '1', { 'ringlog.log.level': 'info' });
    await cutOff(broker);
    expect(await setLogger(client, 'root', 'DEBUG')).toEqual([0, null]);
    await cutOff(broker);
    await eventually(() => lines().filter(isDebug).length > 1, 'another debug line is written');
    expect(lines().filter(isDebug)).toHaveLength(2);
    expect(await setLogger(client, 'kafka.server.KafkaApis', 'DEBUG')).toEqual([
      ErrorCode.INVALID_CONFIG,
      'There is no logger "kafka.server.KafkaApis" here; the one there is is "root".',
    ]);
  });
});
