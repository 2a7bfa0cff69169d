/** `GET /metrics`: reads the cells that others count in and gives them to the Prometheus client to write. Costs nothing but this thread's time. */
import { AggregatorRegistry } from 'prom-client';
import { cellsOf, rowCellsOf } from '../telemetry/metric-cells.ts';
import { GROUP_METRICS, MEMBER_METRICS } from '../telemetry/group-metrics.ts';
import type { MetricDefinition } from '../telemetry/metric-definition.ts';
import {
  MAIN_METRICS,
  PARTITION_METRICS,
  PROCESS_METRICS,
  REQUEST_METRICS,
  RING_METRICS,
  SHARD_METRICS,
} from '../telemetry/metric-table.ts';
import type { SeriesMessage } from './messages.ts';
import type { PageSource } from './source.ts';

type Labels = Readonly<Record<string, string>>;

/** A metric as prom-client hands it from one process to another. */
interface Sampled {
  readonly name: string;
  readonly help: string;
  readonly type: MetricDefinition['type'];
  readonly aggregator: 'sum';
  readonly values: { readonly labels: Readonly<Record<string, string | number>>; readonly value: number; readonly metricName?: string }[];
}

/** Numbers that nobody counts in shared memory, by key of PROCESS_METRICS. */
export type ProcessNumbers = Readonly<Record<(typeof PROCESS_METRICS)[number]['key'], number>>;

/** What the page is made from. */
export interface MetricsFacts {
  readonly source: PageSource;
  readonly main: SharedArrayBuffer;
  readonly apiNames: Readonly<Record<number, string>>;
  readonly process: ProcessNumbers;
}

/** The media type of the page. */
export const METRICS_TYPE = AggregatorRegistry.PROMETHEUS_CONTENT_TYPE;

/** The whole page. */
export async function metricsPage({ source, main, apiNames, process }: MetricsFacts): Promise<string> {
  const page = new Page();
  for (const definition of PROCESS_METRICS) page.add(definition, {}, [process[definition.key]], 0);
  page.addRow(MAIN_METRICS, {}, new Float64Array(main), 0);
  if (source.requests !== null) addRequests(page, new Float64Array(source.requests), apiNames);
  for (const { name, metrics, ring } of source.shards.values()) {
    page.addRow(SHARD_METRICS, { shard: name }, new Float64Array(metrics), 0);
    page.addRow(RING_METRICS, { shard: name }, new Float64Array(ring), 0);
  }
  addSeries(page, source, 'partitions', PARTITION_METRICS, ['topic', 'partition']);
  addSeries(page, source, 'groups', GROUP_METRICS, ['group', 'topic', 'partition']);
  addSeries(page, source, 'members', MEMBER_METRICS, ['group']);
  return AggregatorRegistry.aggregate([page.metrics]).metrics();
}

/** An API that nobody asked for has no series. */
function addRequests(page: Page, cells: Float64Array, apiNames: Readonly<Record<number, string>>): void {
  const rowCells = rowCellsOf(REQUEST_METRICS);
  for (const [key, request] of Object.entries(apiNames)) {
    const row = Number(key) * rowCells;
    if (cells.subarray(row, row + rowCells).some((value) => value > 0)) page.addRow(REQUEST_METRICS, { request }, cells, row);
  }
}

function addSeries(
  page: Page,
  source: PageSource,
  table: SeriesMessage['table'],
  list: readonly MetricDefinition[],
  names: readonly string[],
): void {
  const series = source.series.get(table);
  if (series === undefined) return;
  const cells = new Float64Array(series.memory);
  const rowCells = rowCellsOf(list);
  series.rows.forEach((row, index) => {
    const labels = Object.fromEntries(names.map((name, place) => [name, row[place] as string]));
    page.addRow(list, labels, cells, index * rowCells);
  });
}

class Page {
  private readonly byName = new Map<string, Sampled>();

  get metrics(): Sampled[] {
    return [...this.byName.values()];
  }

  addRow(list: readonly MetricDefinition[], labels: Labels, cells: Float64Array, row: number): void {
    let at = row;
    for (const definition of list) {
      this.add(definition, labels, cells, at);
      at += cellsOf(definition);
    }
  }

  add(definition: MetricDefinition, labels: Labels, cells: ArrayLike<number>, at: number): void {
    const { name, help, type, bounds } = definition;
    let sampled = this.byName.get(name);
    if (sampled === undefined) {
      sampled = { name, help, type, aggregator: 'sum', values: [] };
      this.byName.set(name, sampled);
    }
    if (bounds === undefined) {
      sampled.values.push({ labels, value: cells[at] as number });
      return;
    }
    let count = 0;
    for (let bucket = 0; bucket <= bounds.length; bucket++) {
      count += cells[at + bucket] as number;
      sampled.values.push({ labels: { le: bounds[bucket] ?? '+Inf', ...labels }, value: count, metricName: `${name}_bucket` });
    }
    sampled.values.push({ labels, value: cells[at + bounds.length + 1] as number, metricName: `${name}_sum` });
    sampled.values.push({ labels, value: count, metricName: `${name}_count` });
  }
}
