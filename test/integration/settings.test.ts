/** Settings of a running broker: from file, environment and flags, and changed by clients; in force at once, and after a restart, also after kill -9. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { describeConfigs } from '../../src/protocol/apis/32-describe-configs.ts';
import { incrementalAlterConfigs } from '../../src/protocol/apis/44-incremental-alter-configs.ts';
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
