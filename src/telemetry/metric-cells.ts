/**
 * The numbers of a list of metrics in shared memory: one thread writes, any thread may read and sees values that are each whole (aligned 64 bits) and at most
 * a little old. Counting is one addition in an array: no allocation, no lock.
 *
 *   row 0                                      row 1 …
 *   ┌─────────┬─────────┬─────────────────────────────┬──────
 *   │ counter │ gauge   │ histogram                   │
 *   │ f64     │ f64     │ f64 × (bounds + 1), f64 sum │
 *   └─────────┴─────────┴─────────────────────────────┴──────
 *
 * A histogram's counts are not cumulative; the one behind the last bound is of what is larger.
 */
import { assert } from '../lib/assert.ts';
import type { MetricDefinition } from './metric-definition.ts';

type Key<List extends readonly MetricDefinition[]> = List[number]['key'];

/** Cells of one metric. */
export function cellsOf(definition: MetricDefinition): number {
  return definition.type === 'histogram' ? (definition.bounds ?? []).length + 2 : 1;
}

/** Cells of one row. */
export function rowCellsOf(list: readonly MetricDefinition[]): number {
  return list.reduce((sum, definition) => sum + cellsOf(definition), 0);
}

/** See the file header. */
export class MetricCells<List extends readonly MetricDefinition[]> {
  readonly values: Float64Array;
  /** To be handed to other threads, which construct their view with the same list. */
  readonly memory: SharedArrayBuffer;
  readonly rowCells: number;
  private readonly list: List;

  constructor(list: List, memory: SharedArrayBuffer | number = 1) {
    this.list = list;
    this.rowCells = rowCellsOf(list);
    const rowBytes = this.rowCells * Float64Array.BYTES_PER_ELEMENT;
    this.memory = typeof memory === 'number' ? new SharedArrayBuffer(memory * rowBytes) : memory;
    assert(this.memory.byteLength % rowBytes === 0, 'memory of metrics is whole rows');
    this.values = new Float64Array(this.memory);
  }

  /** First cell of a metric in row 0. Look it up once, not per event. */
  cell(key: Key<List>): number {
    let at = 0;
    for (const definition of this.list) {
      if (definition.key === key) return at;
      at += cellsOf(definition);
    }
    throw new Error(`no metric ${key}`);
  }

  /** A histogram of row 0, to observe in. */
  histogram(key: Key<List>): Histogram {
    const definition = this.list.find((one) => one.key === key);
    assert(definition?.bounds !== undefined, `${key} is no histogram`);
    return new Histogram(this.values, this.cell(key), definition.bounds);
  }
}

/** One histogram within {@link MetricCells}. */
export class Histogram {
  private readonly values: Float64Array;
  private readonly at: number;
  private readonly bounds: Float64Array;

  constructor(values: Float64Array, at: number, bounds: readonly number[]) {
    this.values = values;
    this.at = at;
    this.bounds = Float64Array.from(bounds);
  }

  /** `row`: first cell of the row, where there are several. */
  observe(value: number, row = 0): void {
    const { bounds, values } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket++;
    const at = row + this.at;
    values[at + bucket]!++;
    values[at + bounds.length + 1]! += value;
  }
}
