/** What main's own event loop and garbage collector do, for the page of metrics. Main only. */
import { monitorEventLoopDelay, performance, PerformanceObserver } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { MetricCells } from '../telemetry/metric-cells.ts';
import type { MAIN_METRICS } from '../telemetry/metric-table.ts';

/** The loop's delay is looked at this often. */
const RESOLUTION_MS = 20;
const NS = 1e9;
const MS = 1000;

/** See the file header. */
export class ProcessWatch {
  private readonly cells: MetricCells<typeof MAIN_METRICS>;
  private readonly delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  private readonly observer: PerformanceObserver;

  constructor(cells: MetricCells<typeof MAIN_METRICS>) {
    this.cells = cells;
    const gc = cells.histogram('gc');
    this.observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) gc.observe(entry.duration / MS);
    });
    this.observer.observe({ entryTypes: ['gc'] });
    this.delay.enable();
  }

  /** Shows how it was since the last call. */
  show(): void {
    const { cells, delay } = this;
    const { values } = cells;
    // The watch itself sleeps for its resolution: only what is above that is delay.
    const seconds = (ns: number): number => (ns > 0 ? Math.max(0, ns / NS - RESOLUTION_MS / MS) : 0);
    values[cells.cell('eventLoopLagMean')] = delay.mean > 0 ? seconds(delay.mean) : 0;
    values[cells.cell('eventLoopLagP99')] = seconds(delay.percentile(99));
    values[cells.cell('eventLoopLagMax')] = seconds(delay.max);
    delay.reset();
    values[cells.cell('eventLoopActive')] = performance.eventLoopUtilization().active / MS;
    const heap = getHeapStatistics();
    values[cells.cell('heapUsed')] = heap.used_heap_size;
    values[cells.cell('heapTotal')] = heap.total_heap_size;
  }

  stop(): void {
    this.delay.disable();
    this.observer.disconnect();
  }
}
