/** Metrics and health of a real broker: what the pages say, and what becomes of the broker when something is wrong with them. */
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { delay, eventually, startBroker, startRefused, type BrokerProcess } from '../support/broker-process.ts';
import { batchOf } from '../support/kafka-client.ts';
import { scraped, type ScrapedMetric } from '../support/prometheus.ts';
import { strace } from '../support/system-tools.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const ANY_HTTP = { 'ringlog.http.port': 0 };

function urlOf(broker: BrokerProcess): string {
  const match = /^ {2}metrics {5}(http:\/\/\S+)\/metrics/m.exec(broker.stdout);
  if (match === null) throw new Error(`no metrics in the banner:\n${broker.stdout}\n${broker.stderr}`);
  return match[1] as string;
}

async function scrape(broker: BrokerProcess): Promise<Map<string, ScrapedMetric>> {
  const response = await fetch(`${urlOf(broker)}/metrics`);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4');
  return scraped(await response.text());
}

async function takenPort(): Promise<number> {
  const server = createServer();
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

describe('GET /metrics', () => {
  it('agrees with what was produced and fetched', async () => {
    const broker = await startBroker({ dataDir: join(temporaryFolder(), 'data'), settings: ANY_HTTP });
    const client = await broker.connect();
    await client.createTopic('synced', 2);
    await client.createTopic('cached', 1, { 'ringlog.durability': 'page-cache' });
    const batch = batchOf(['one', 'two', 'three']);
    for (let n = 0; n < 5; n++) await client.produce('synced', 1, batch);
    for (let n = 0; n < 2; n++) await client.produce('cached', 0, batch);
    expect((await client.produce('nowhere', 0, batch)).errorCode).not.toBe(0);
    expect(await client.readAll('synced', 1)).toHaveLength(15);

    let metrics = await scrape(broker);
    const value = (name: string, labels = {}): number | undefined => metrics.get(name)?.value(labels);
    await eventually(async () => {
      metrics = await scrape(broker);
      return value('kafka_server_brokertopicmetrics_failedproducerequests_total') === 1;
    }, 'the page shows the last second');
    for (const [shard, batches] of [
      ['sync-0', 5],
      ['buffered-0', 2],
    ] as const) {
      expect(value('kafka_server_brokertopicmetrics_messagesin_total', { shard })).toBe(batches * 3);
      expect(value('kafka_server_brokertopicmetrics_bytesin_total', { shard })).toBe(batches * batch.length);
      const groups = metrics.get('ringlog_group_batches')?.histograms.find(({ labels }) => labels['shard'] === shard);
      expect(groups?.sum).toBe(batches);
    }
    const flushes = metrics.get('kafka_log_logflushstats_logflushrateandtimems');
    expect(flushes?.histograms.find(({ labels }) => labels['shard'] === 'sync-0')?.count).toBeGreaterThanOrEqual(5);
    expect(value('kafka_server_brokertopicmetrics_bytesout_total')).toBe(5 * batch.length);
    expect(value('kafka_log_log_logendoffset', { topic: 'synced', partition: '1' })).toBe(15);
    expect(value('kafka_log_log_logendoffset', { topic: 'synced', partition: '0' })).toBe(0);
    expect(value('kafka_log_log_size', { topic: 'cached', partition: '0' })).toBe(2 * batch.length);
    expect(value('kafka_server_replicamanager_partitioncount')).toBe(3);
    expect(value('kafka_server_socket_server_metrics_connection_count')).toBe(1);
    const requests = metrics.get('kafka_network_requestmetrics_totaltimems')?.histograms ?? [];
    const produce = requests.find(({ labels }) => labels['request'] === 'Produce');
    expect(produce?.count).toBe(8);
    expect(produce?.sum).toBeGreaterThan(0);
    const stages = ['requestqueue', 'local', 'responsequeue'].map(
      (stage) =>
        metrics.get(`kafka_network_requestmetrics_${stage}timems`)?.histograms.find(({ labels }) => labels['request'] === 'Produce')?.sum ??
        NaN,
    );
    expect(stages.reduce((sum, ms) => sum + ms, 0)).toBeCloseTo(produce?.sum ?? NaN, 3);
    expect(value('ringlog_up')).toBe(1);
    expect(value('process_resident_memory_bytes')).toBeGreaterThan(1e7);
  });

  it('has series of as many partitions as the setting allows, and says how many are missing', async () => {
    const broker = await startBroker({
      dataDir: join(temporaryFolder(), 'data'),
      settings: { ...ANY_HTTP, 'ringlog.metrics.partitions.max': 3 },
    });
    const client = await broker.connect();
    await client.createTopic('many', 10);
    let metrics = await scrape(broker);
    await eventually(async () => {
      metrics = await scrape(broker);
      return metrics.get('kafka_log_log_size') !== undefined;
    }, 'the page shows the partitions');
    expect(metrics.get('kafka_log_log_size')?.samples).toHaveLength(3);
    expect(metrics.get('ringlog_metrics_series_left_out')?.value({})).toBe(7);
    expect(metrics.get('kafka_server_replicamanager_partitioncount')?.value({})).toBe(10);
  });
});

describe('GET /health', () => {
  it('is 200 while the broker runs', async () => {
    const broker = await startBroker({ dataDir: join(temporaryFolder(), 'data'), settings: { ...ANY_HTTP, 'node.id': 7 } });
    const response = await fetch(`${urlOf(broker)}/health`);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ status: 'running', nodeId: 7, shards: [{ name: 'sync-0', state: 'running' }] });
  });
});

describe('a broker whose disk fails', () => {
  it('is unwell: /health is 503 with the shard and the reason, and the metrics agree', async (context) => {
    // The shard's first syncs succeed, all later ones fail.
    const wrapper = strace(context, 'error=EIO:when=20+');
    const broker = await startBroker({ dataDir: join(temporaryFolder(), 'data'), settings: ANY_HTTP, wrapper });
    const url = urlOf(broker);
    expect((await fetch(`${url}/health`)).status).toBe(200);
    const client = await broker.connect();
    await client.createTopic('t');
    await eventually(async () => (await client.produce('t', 0, batchOf(['x']))).errorCode !== 0, 'appends are refused');
    await eventually(async () => (await fetch(`${url}/health`)).status === 503, 'the health page says so');
    expect(await (await fetch(`${url}/health`)).json()).toMatchObject({
      status: 'failed',
      reason: expect.stringMatching(/^shard sync-0: .*EIO/),
      shards: [{ name: 'sync-0', state: 'failed' }],
    });
    await eventually(async () => {
      const metrics = await scrape(broker);
      return metrics.get('ringlog_up')?.value({}) === 0 && metrics.get('ringlog_shard_failed')?.value({ shard: 'sync-0' }) === 1;
    }, 'the metrics say so');
    expect((await scrape(broker)).get('ringlog_batches_refused_total')?.value({ shard: 'sync-0' })).toBeGreaterThan(0);
  });
});

describe('the port of metrics and health', () => {
  it('when it was asked for and is taken, ends the start with one line that says what to do', async () => {
    const port = await takenPort();
    const refused = await startRefused({ dataDir: join(temporaryFolder(), 'data'), settings: { 'ringlog.http.port': port } });
    expect(refused.ended.code).toBe(1);
    expect(refused.stderr).toBe(
      `ringlog: 127.0.0.1:${port} is in use by another process. Stop it, choose another port (--http-port), or switch metrics and health off (--http-port -1).\n`,
    );
  });

  it('is none with −1', async () => {
    const broker = await startBroker({ dataDir: join(temporaryFolder(), 'data'), settings: { 'ringlog.http.port': -1 } });
    expect(broker.stdout).not.toContain('metrics');
  });

  it('is flooded and sent garbage, and the broker serves its clients meanwhile', async () => {
    const broker = await startBroker({ dataDir: join(temporaryFolder(), 'data'), settings: ANY_HTTP });
    const url = urlOf(broker);
    const client = await broker.connect();
    await client.createTopic('t');
    const production = { isDone: false };
    const flood = Array.from({ length: 100 }, async (_, n) => {
      while (!production.isDone)
        await fetch(`${url}/${n % 2 === 0 ? 'metrics' : 'health'}`, { method: n % 3 === 0 ? 'POST' : 'GET' }).catch(() => delay(1));
    });
    for (let n = 0; n < 50; n++) expect((await client.produce('t', 0, batchOf(['x']))).errorCode).toBe(0);
    production.isDone = true;
    await Promise.all(flood);
    // A connection that it ended meanwhile may be the one that is tried first.
    const isHealthy = (): Promise<boolean> =>
      fetch(`${url}/health`).then(
        ({ status }) => status === 200,
        () => false,
      );
    await eventually(isHealthy, 'it answers again');
    expect((await broker.stop()).code).toBe(0);
    expect(broker.stderr).toBe('');
  });
});
