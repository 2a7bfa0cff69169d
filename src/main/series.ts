/**
 * Numbers of many things of a kind (partitions, say), each a row of shared memory with labels. The rows are the same from one look to the next as long as the
 * things are; when they change, everything is laid out anew, in new memory, so that no reader ever takes the numbers of one thing for those of another. Main only.
 */
import type { SeriesMessage } from '../http/messages.ts';
import { MetricCells } from '../telemetry/metric-cells.ts';
import type { MetricDefinition } from '../telemetry/metric-definition.ts';

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
  // Of the look under way: things seen, whether they are those of the last one so far, and things beyond the limit.
  private seen = 0;
  private isSame = true;
  private beyond = 0;

  constructor(kind: SeriesKind<Thing>, rowsMax: number) {
    this.kind = kind;
    this.rowsMax = rowsMax;
    this.cells = new MetricCells(kind.metrics, 0);
  }

  /** Writes the numbers of all `things`, up to the limit. Returns what readers have to be told, if the rows are others than before. */
  show(things: Iterable<Thing>): SeriesMessage | null {
    this.begin();
    for (const thing of things) this.add(thing);
    return this.end();
  }

  /** The same in pieces, for what takes more than one turn to look at: begins a look. */
  begin(): void {
    this.seen = 0;
    this.isSame = true;
    this.beyond = 0;
  }

  /** No more rows: what is added now is left out. */
  get isFull(): boolean {
    return this.seen >= this.rowsMax;
  }

  /** The next thing, in the order of the last look. */
  add(thing: Thing): void {
    if (this.isFull) return this.leaveOut(1);
    const { rowCells, values } = this.cells;
    if (this.isSame && this.things[this.seen] !== thing) {
      this.isSame = false;
      this.things.length = Math.min(this.things.length, this.seen);
    }
    if (this.isSame) this.kind.write(thing, values, this.seen * rowCells);
    else this.things.push(thing);
    this.seen++;
  }

  /** So many more things that nobody looked at. */
  leaveOut(count: number): void {
    this.beyond += count;
  }

  /** Ends the look; returns what {@link show} does. */
  end(): SeriesMessage | null {
    if (this.isSame && this.seen === this.things.length && this.beyond === this.leftOut) return null;
    this.things.length = this.seen;
    this.leftOut = this.beyond;
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
