import { describe, expect, it } from 'vitest';
import { healthPage } from '../../../src/http/health-page.ts';
import { metricsPage } from '../../../src/http/metrics-page.ts';
import { PageSource } from '../../../src/http/source.ts';
import { MetricCells } from '../../../src/telemetry/metric-cells.ts';
import { GROUP_METRICS } from '../../../src/telemetry/group-metrics.ts';
import { MAIN_METRICS, PARTITION_METRICS, REQUEST_METRICS, RING_METRICS, SHARD_METRICS } from '../../../src/telemetry/metric-table.ts';
import { scraped } from '../../support/prometheus.ts';

const FACTS = { version: '1.2.3', nodeId: 7, uptimeSeconds: 12.4, disk: { totalBytes: 100, usableBytes: 40 } };
const PROCESS = { rss: 1, cpu: 2, uptime: 3, diskFree: 4, diskTotal: 5, up: 1, seriesLeftOut: 0 };

function shardOf(source: PageSource, name: string, failure: string | null = null): MetricCells<typeof SHARD_METRICS> {
  const cells = new MetricCells(SHARD_METRICS);
  source.onMessage({ kind: 'shard', name, metrics: cells.memory, ring: new MetricCells(RING_METRICS).memory, failure });
  return cells;
}

function running(): PageSource {
  const source = new PageSource();
  source.onMessage({ kind: 'state', state: 'running', reason: null });
  return source;
}

const bodyOf = (source: PageSource): unknown => JSON.parse(healthPage(source, FACTS).body);

describe('the health page', () => {
  it('is 200 while the broker runs and every shard takes appends', () => {
    const source = running();
    shardOf(source, 'sync-0');
    expect(healthPage(source, FACTS).status).toBe(200);
    expect(bodyOf(source)).toEqual({
      status: 'running',
      version: '1.2.3',
      nodeId: 7,
      uptimeSeconds: 12,
      shards: [{ name: 'sync-0', state: 'running' }],
      disk: { totalBytes: 100, usableBytes: 40 },
    });
  });

  it.each(['starting', 'stopping', 'failed'] as const)('is 503 while the broker is %s', (state) => {
    const source = new PageSource();
    source.onMessage({ kind: 'state', state, reason: state === 'failed' ? 'shard sync-0 died' : null });
    expect(healthPage(source, FACTS).status).toBe(503);
    expect(bodyOf(source)).toMatchObject({ status: state, ...(state === 'failed' ? { reason: 'shard sync-0 died' } : {}) });
  });

  it('is 503 before main has said anything', () => {
    expect(healthPage(new PageSource(), FACTS).status).toBe(503);
  });

  it('is 503 when one shard has failed, and says which and why', () => {
    const source = running();
    shardOf(source, 'sync-0', 'EIO');
    shardOf(source, 'buffered-0');
    expect(healthPage(source, FACTS).status).toBe(503);
    expect(bodyOf(source)).toMatchObject({
      status: 'failed',
      reason: 'shard sync-0: EIO',
      shards: [
        { name: 'sync-0', state: 'failed', reason: 'EIO' },
        { name: 'buffered-0', state: 'running' },
      ],
    });
  });
});

describe('the metrics page', () => {
  const page = async (source: PageSource, main = new MetricCells(MAIN_METRICS)): Promise<ReturnType<typeof scraped>> =>
    scraped(await metricsPage({ source, main: main.memory, apiNames: { 0: 'Produce', 1: 'Fetch' }, process: PROCESS }));

  it('shows what was counted, with type and help', async () => {
    const main = new MetricCells(MAIN_METRICS);
    main.values[main.cell('requestBytes')] = 123_456_789_012;
    const metric = (await page(running(), main)).get('kafka_server_socket_server_metrics_incoming_byte_total');
    expect(metric?.type).toBe('counter');
    expect(metric?.help).toMatch(/^Bytes read/);
    expect(metric?.value({})).toBe(123_456_789_012);
  });

  it('keeps shards apart by label', async () => {
    const source = running();
    for (const [name, bytes] of [
      ['sync-0', 5],
      ['buffered-0', 7],
    ] as const) {
      const cells = shardOf(source, name);
      cells.values[cells.cell('bytes')] = bytes;
    }
    const metric = (await page(source)).get('kafka_server_brokertopicmetrics_bytesin_total');
    expect(metric?.value({ shard: 'sync-0' })).toBe(5);
    expect(metric?.value({ shard: 'buffered-0' })).toBe(7);
  });

  it('makes cumulative buckets of a histogram, with sum and count, and leaves out APIs nobody asked for', async () => {
    const source = running();
    const requests = new MetricCells(REQUEST_METRICS, 128);
    const total = requests.histogram('total');
    for (const ms of [0.05, 0.2, 0.2, 7, 99_999]) total.observe(ms, requests.rowCells);
    source.onMessage({ kind: 'requests', memory: requests.memory });
    const metric = (await page(source)).get('kafka_network_requestmetrics_totaltimems');
    expect(metric?.histograms.map(({ labels }) => labels)).toEqual([{ request: 'Fetch' }]);
    const fetch = metric?.histograms[0];
    expect(fetch?.count).toBe(5);
    expect(fetch?.sum).toBeCloseTo(100_006.45);
    expect(fetch?.buckets).toMatchObject({ '0.1': 1, '0.25': 3, '5': 3, '10': 4, '5000': 4, '+Inf': 5 });
  });

  it('shows series of partitions and groups with their labels, whatever characters those have', async () => {
    const source = running();
    const partitions = new MetricCells(PARTITION_METRICS, 2);
    partitions.values.set([0, 10, 100, 5, 11, 200]);
    const rows = [
      ['t', '0'],
      ['t', '1'],
    ];
    source.onMessage({ kind: 'series', table: 'partitions', rows, memory: partitions.memory, leftOut: 3 });
    const groups = new MetricCells(GROUP_METRICS, 1);
    groups.values.set([42, 1.5]);
    source.onMessage({
      kind: 'series',
      table: 'groups',
      rows: [['a "quoted" \\ group\nof two lines', 't', '0']],
      memory: groups.memory,
      leftOut: 0,
    });
    const metrics = await page(source);
    expect(metrics.get('kafka_log_log_logendoffset')?.value({ topic: 't', partition: '0' })).toBe(10);
    expect(metrics.get('kafka_log_log_logstartoffset')?.value({ topic: 't', partition: '1' })).toBe(5);
    expect(metrics.get('kafka_log_log_size')?.value({ topic: 't', partition: '1' })).toBe(200);
    const lag = metrics.get('kafka_consumergroup_lag');
    expect(lag?.samples).toHaveLength(1);
    expect(lag?.samples[0]?.value).toBe(42);
    expect(lag?.samples[0]?.labels).toEqual({ group: 'a "quoted" \\ group\nof two lines', topic: 't', partition: '0' });
  });
});
