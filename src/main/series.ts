/**
 * Numbers of many things of a kind (partitions, say), each a row of shared memory with labels. The rows are the same from one look to the next as long as the
 * things are; when they change, everything is laid out anew, in new memory, so that no reader ever takes the numbers of one thing for those of another. Main only.
 */
import type { SeriesMessage } from '../http/messages.ts';
import { MetricCells } from '../telemetry/metric-cells.ts';
import type { MetricDefinition } from '../telemetry/metric-table.ts';

/** How things of a kind are shown. */
export interface SeriesKind<Thing extends object> {
  readonly table: SeriesMessage['table'];
  readonly metrics: readonly MetricDefinition[];
  /** Texts of the labels. */
  readonly labels: (thing: Thing) => readonly string[];
  /** Writes the numbers, in the order of the metrics, from `at` on. */
  readonly write: (thing: Thing, values: Float64Array, at: number) => void;
}

/** See the file header. */
export class Series<Thing extends object> {
  private readonly kind: SeriesKind<Thing>;
  private readonly rowsMax: number;
  private things: Thing[] = [];
  private leftOut = -1;
  private cells: MetricCells<readonly MetricDefinition[]>;

  constructor(kind: SeriesKind<Thing>, rowsMax: number) {
    this.kind = kind;
    this.rowsMax = rowsMax;
    this.cells = new MetricCells(kind.metrics, 0);
  }

  /** Writes the numbers of all `things`, up to the limit. Returns what readers have to be told, if the rows are others than before. */
  show(things: Iterable<Thing>): SeriesMessage | null {
    let count = 0;
    let same = true;
    let leftOut = 0;
    const { rowCells, values } = this.cells;
    for (const thing of things) {
      if (count === this.rowsMax) {
        leftOut++;
        continue;
      }
      if (same && this.things[count] !== thing) {
        same = false;
        this.things.length = Math.min(this.things.length, count);
      }
      if (same) this.kind.write(thing, values, count * rowCells);
      else this.things.push(thing);
      count++;
    }
    if (same && count === this.things.length && leftOut === this.leftOut) return null;
    this.things.length = count;
    this.leftOut = leftOut;
    return this.layOut();
  }

  private layOut(): SeriesMessage {
    const { kind, things, leftOut } = this;
    this.cells = new MetricCells(kind.metrics, things.length);
    const { rowCells, values, memory } = this.cells;
    things.forEach((thing, index) => kind.write(thing, values, index * rowCells));
    return { kind: 'series', table: kind.table, rows: things.map((thing) => kind.labels(thing)), memory, leftOut };
  }
}
