/**
 * How long requests take, by API and stage, in memory that the page of metrics is made from. Main only.
 *
 *   arrived ──queue──► started ──local──► done ──response──► written
 *
 * The clock is read once for each read of a socket and once for each turn, not per request; only an answer that a handler gives is timed by itself. So stages
 * that lie within one turn have no length.
 */
import { MetricCells } from '../telemetry/metric-cells.ts';
import { REQUEST_METRICS } from '../telemetry/metric-table.ts';

/** Behind the largest API key that is told apart. */
const API_KEYS = 128;

/** See the file header. */
export class RequestMetrics {
  /** Monotonic, as of the last read of a socket or turn. */
  nowMs = performance.now();
  /** Bytes read from sockets. */
  bytesIn = 0;
  /** Bytes given to sockets. */
  bytesOut = 0;
  /** Produce requests answered with an error for some partition. */
  produceFailures = 0;
  /** A row for each API key. */
  readonly cells = new MetricCells(REQUEST_METRICS, API_KEYS);
  private readonly total = this.cells.histogram('total');
  private readonly queue = this.cells.histogram('queue');
  private readonly local = this.cells.histogram('local');
  private readonly response = this.cells.histogram('response');

  /** The clock is read, for all that happens until it is read again. */
  tick(): void {
    this.nowMs = performance.now();
  }

  /** A request of `apiKey` was answered now. */
  onAnswered(apiKey: number, arrivedMs: number, startedMs: number, doneMs: number): void {
    if (apiKey < 0 || apiKey >= API_KEYS) return;
    const row = apiKey * this.cells.rowCells;
    const { nowMs } = this;
    this.total.observe(nowMs - arrivedMs, row);
    this.queue.observe(startedMs - arrivedMs, row);
    this.local.observe(doneMs - startedMs, row);
    this.response.observe(Math.max(0, nowMs - doneMs), row);
  }
}
