/**
 * What the batches of the group in work changed in producer tables (producer-table.ts), so that it can be undone. One log serves all tables of a shard: it has
 * an entry for each batch of a group, however many partitions there are, and no batch allocates. Pure.
 *
 * An entry is 9 numbers (f64):
 *
 *   0 the entry before it of the same table, NO_ENTRY: none
 *   1 … 4 the first four numbers of the producer's row as they were: producerId · epoch · lastMs · noted (0: the producer was not there)
 *   5 … 8 what was in the place that the batch took
 */

const ROW = 1;
const ROW_COLUMNS = 4;
const PLACE = ROW + ROW_COLUMNS;
const PLACE_COLUMNS = 4;
const COLUMNS = PLACE + PLACE_COLUMNS;
const ENTRIES_AT_FIRST = 64;

/** In the place of an entry. */
export const NO_ENTRY = -1;

/** See the file header. Always: while no table has entries there are none. */
export class ProducerUndo {
  private numbers = new Float64Array(ENTRIES_AT_FIRST * COLUMNS);
  /** Numbers in use. */
  private length = 0;
  /** Tables with entries. */
  private tables = 0;

  /** Keeps the row at `at` and its place at `place`, which a batch is about to change. `before`: the table's entry before. Returns the new entry. */
  add(before: number, rows: Float64Array, at: number, place: number): number {
    const entry = this.length;
    if (entry === this.numbers.length) this.grow();
    const { numbers } = this;
    numbers[entry] = before;
    for (let column = 0; column < ROW_COLUMNS; column++) numbers[entry + ROW + column] = rows[at + column] as number;
    for (let column = 0; column < PLACE_COLUMNS; column++) numbers[entry + PLACE + column] = rows[place + column] as number;
    this.length = entry + COLUMNS;
    if (before === NO_ENTRY) this.tables++;
    return entry;
  }

  /** The entry before it of the same table, or NO_ENTRY. */
  before(entry: number): number {
    return this.numbers[entry] as number;
  }

  producerId(entry: number): number {
    return this.numbers[entry + ROW] as number;
  }

  /** Puts back what was kept; entries of one table newest first. */
  restore(entry: number, rows: Float64Array, at: number, place: number): void {
    for (let column = 0; column < ROW_COLUMNS; column++) rows[at + column] = this.numbers[entry + ROW + column] as number;
    for (let column = 0; column < PLACE_COLUMNS; column++) rows[place + column] = this.numbers[entry + PLACE + column] as number;
  }

  /** A table needs its entries no more. */
  close(): void {
    if (--this.tables === 0) this.length = 0;
  }

  private grow(): void {
    const larger = new Float64Array(this.numbers.length * 2);
    larger.set(this.numbers);
    this.numbers = larger;
  }
}
