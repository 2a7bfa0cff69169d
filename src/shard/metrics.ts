/** What a shard counts about itself, in memory that the page of metrics is made from. Plain additions; the shard itself knows no clock, its thread does. */
import type { Journal } from '../log/journal.ts';
import { MetricCells } from '../telemetry/metric-cells.ts';
import { SHARD_METRICS } from '../telemetry/metric-table.ts';

/** What is copied now and then. */
interface ShardLevels {
  readonly failure: string | null;
  readonly checkpointer: { readonly completed: number; readonly lastTookMs: number; readonly bytesSince: number };
}

/** See the file header. */
export class ShardMetrics {
  private readonly cells: MetricCells<typeof SHARD_METRICS>;
  private readonly values: Float64Array;
  private readonly at: Readonly<Record<'bytes' | 'records' | 'refused' | 'stalls', number>>;
  private readonly groupBatches;
  private readonly groupBytes;
  private readonly groupTime;
  private readonly flushTime;
  private stalled = false;

  constructor(memory?: SharedArrayBuffer) {
    const cells = new MetricCells(SHARD_METRICS, memory);
    this.cells = cells;
    this.values = cells.values;
    this.at = { bytes: cells.cell('bytes'), records: cells.cell('records'), refused: cells.cell('refused'), stalls: cells.cell('stalls') };
    this.groupBatches = cells.histogram('groupBatches');
    this.groupBytes = cells.histogram('groupBytes');
    this.groupTime = cells.histogram('groupTime');
    this.flushTime = cells.histogram('flushTime');
  }

  /** A group was committed, or refused as a whole. */
  onGroup(batches: number, bytes: number): void {
    this.stalled = false;
    this.groupBatches.observe(batches);
    this.groupBytes.observe(bytes);
  }

  /** Batches of one partition are final. */
  onCommitted(records: number, bytes: number): void {
    this.values[this.at.records]! += records;
    this.values[this.at.bytes]! += bytes;
  }

  onRefused(): void {
    this.values[this.at.refused]!++;
  }

  /** The journal is full. Counted once until a group follows. */
  onStall(): void {
    if (!this.stalled) this.values[this.at.stalls]!++;
    this.stalled = true;
  }

  /** A duty cycle with a group in it took this long. */
  onGroupTime(ms: number): void {
    this.groupTime.observe(ms);
  }

  /** So did the disk within one. */
  onFlushTime(ms: number): void {
    this.flushTime.observe(ms);
  }

  /** Copies what is a level and no event. */
  show({ failure, checkpointer }: ShardLevels, journal: Journal): void {
    const { cells, values } = this;
    values[cells.cell('journalWritten')] = journal.bytesWritten;
    values[cells.cell('journalBytes')] = journal.totalBytes;
    values[cells.cell('journalFree')] = journal.freeBytes;
    values[cells.cell('checkpoints')] = checkpointer.completed;
    values[cells.cell('checkpointTime')] = checkpointer.lastTookMs;
    values[cells.cell('checkpointDue')] = checkpointer.bytesSince;
    values[cells.cell('failed')] = failure === null ? 0 : 1;
  }
}
