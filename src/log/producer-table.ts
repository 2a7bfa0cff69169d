/**
 * What a partition remembers of its idempotent producers: the epoch of each and its last five batches, so that a batch that comes twice is known and
 * one that leaves a gap is refused. Pure; the same table serves a shard and the replay of its journal.
 *
 * A row is 26 numbers (f64, so that a snapshot is a copy):
 *
 *   0 producerId · 1 epoch · 2 lastMs (when its last batch was appended) · 3 noted (batches since sequences began anew; the n-th of them, from 0, lies in
 *   place n mod 5) · 4 firstOffset (of its first batch here, whatever the epoch) · 5 busy (1 while {@link ProducerTable.forgetIdle} must leave it alone, else 0)
 *   6 … 25 five places of: firstSequence · lastSequence · baseOffset · timestamp (largest of the batch, or its append time)
 *
 * Batches are noted as they are staged. {@link ProducerTable.commit} keeps them, {@link ProducerTable.rollback} makes the table what it was before
 * (producer-undo.ts).
 */
import { ErrorCode } from '../protocol/errors.ts';
import { NO_ENTRY, ProducerUndo } from './producer-undo.ts';

/** A producer has at most this many batches in flight, so this many may come again (Kafka's number). */
export const REMEMBERED_BATCHES = 5;

const ID = 0;
const EPOCH = 1;
const LAST_MS = 2;
const NOTED = 3;
const FIRST_OFFSET = 4;
const BUSY = 5;
const PLACES = 6;
const PLACE_COLUMNS = 4;
const LAST_SEQUENCE = 1;
const BASE_OFFSET = 2;
const TIMESTAMP = 3;
/** As above, but no export: the engine takes it for a constant. */
const PLACE_COUNT = REMEMBERED_BATCHES;
const COLUMNS = PLACES + PLACE_COUNT * PLACE_COLUMNS;
const LAST_PLACE = COLUMNS - PLACE_COLUMNS;
const INT32_MAX = 0x7fff_ffff;

/** Bytes of one producer in memory and in a snapshot. */
export const PRODUCER_ROW_BYTES = COLUMNS * 8;

/** The snapshot of an empty table. */
export const NO_PRODUCERS: Uint8Array = new Uint8Array(0);

/** The sequence of the record `count` records behind the one with `sequence`; sequences begin again at 0 behind the largest int32. */
export function sequenceAfter(sequence: number, count: number): number {
  return sequence > INT32_MAX - count ? count - (INT32_MAX - sequence) - 1 : sequence + count;
}

/** A batch as a table remembers it. */
export interface RememberedBatch {
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly baseOffset: number;
  readonly timestamp: number;
}

/** One producer, as data. */
export interface RememberedProducer {
  readonly id: number;
  readonly epoch: number;
  readonly lastMs: number;
  readonly firstOffset: number;
  /** Oldest first. */
  readonly batches: readonly RememberedBatch[];
}

/** See the file header. Always: rows 0 … count − 1 are in use and `index` holds exactly their ids. */
export class ProducerTable {
  count = 0;
  /** Of the batch that {@link judge} found again. */
  duplicateOffset = -1;
  duplicateTimestamp = -1;
  private rows: Float64Array;
  private readonly index = new Map<number, number>();
  private readonly undo: ProducerUndo;
  /** Newest entry of this table there; NO_ENTRY: nothing was noted since the last commit. */
  private undoNewest = NO_ENTRY;
  private cachedId = -1;
  private cachedAt = -1;

  /**
   * @param snapshot what {@link toBytes} gave; checkpoints of versions that knew no producers have none
   * @param undo shared by the tables of a shard
   */
  constructor(snapshot: Uint8Array | undefined = NO_PRODUCERS, undo: ProducerUndo = new ProducerUndo()) {
    this.undo = undo;
    this.count = Math.floor(snapshot.length / PRODUCER_ROW_BYTES);
    this.rows = this.count === 0 ? NO_ROWS : new Float64Array(this.count * COLUMNS);
    new Uint8Array(this.rows.buffer).set(snapshot.subarray(0, this.count * PRODUCER_ROW_BYTES));
    for (let row = 0; row < this.count; row++) this.index.set(this.rows[row * COLUMNS + ID] as number, row);
  }

  /** A copy of all rows. Between groups only. */
  toBytes(): Uint8Array {
    return this.count === 0 ? NO_PRODUCERS : new Uint8Array(this.rows.slice(0, this.count * COLUMNS).buffer);
  }

  /** Another table with the same rows, for the same shard. Between groups only. */
  copy(): ProducerTable {
    return new ProducerTable(this.toBytes(), this.undo);
  }

  has(id: number): boolean {
    return this.find(id) >= 0;
  }

  /**
   * Judges a client's batch as Kafka does. NONE: it may be appended; whoever is not known may begin with any sequence. DUPLICATE_SEQUENCE_NUMBER: it is one of
   * the remembered batches, whose place is in `duplicateOffset` and `duplicateTimestamp`. INVALID_PRODUCER_EPOCH: a newer epoch was here.
   * OUT_OF_ORDER_SEQUENCE_NUMBER: it does not follow the last batch, or does not begin a new epoch with 0.
   */
  judge(id: number, epoch: number, firstSequence: number, lastSequence: number): ErrorCode {
    const at = this.find(id);
    if (at < 0) return ErrorCode.NONE;
    const { rows } = this;
    const known = rows[at + EPOCH] as number;
    if (epoch !== known) {
      if (epoch < known) return ErrorCode.INVALID_PRODUCER_EPOCH;
      return firstSequence === 0 ? ErrorCode.NONE : ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER;
    }
    const noted = rows[at + NOTED] as number;
    if (isNext(firstSequence, rows[placeOf(at, noted - 1) + LAST_SEQUENCE] as number)) return ErrorCode.NONE;
    for (let n = noted - 1; n >= 0 && n >= noted - REMEMBERED_BATCHES; n--) {
      const place = placeOf(at, n);
      if (rows[place] !== firstSequence || rows[place + LAST_SEQUENCE] !== lastSequence) continue;
      this.duplicateOffset = rows[place + BASE_OFFSET] as number;
      this.duplicateTimestamp = rows[place + TIMESTAMP] as number;
      return ErrorCode.DUPLICATE_SEQUENCE_NUMBER;
    }
    return ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER;
  }

  /** Notes a batch that was given its offsets. Not judged: a log that is replayed or copied has the right of it. */
  note(id: number, epoch: number, firstSequence: number, lastSequence: number, baseOffset: number, timestamp: number, nowMs: number): void {
    let at = this.find(id);
    if (at < 0) at = this.add(id, baseOffset);
    const { rows } = this;
    const noted = rows[at + NOTED] as number;
    const newest = placeOf(at, noted - 1);
    const goesOn = noted > 0 && rows[at + EPOCH] === epoch && isNext(firstSequence, rows[newest + LAST_SEQUENCE] as number);
    // The places are a ring; sequences that begin anew begin in its first one.
    const place = goesOn && newest !== at + LAST_PLACE ? newest + PLACE_COLUMNS : at + PLACES;
    this.undoNewest = this.undo.add(this.undoNewest, rows, at, place);
    rows[at + EPOCH] = epoch;
    rows[at + LAST_MS] = nowMs;
    rows[at + NOTED] = goesOn ? noted + 1 : 1;
    rows[place] = firstSequence;
    rows[place + LAST_SEQUENCE] = lastSequence;
    rows[place + BASE_OFFSET] = baseOffset;
    rows[place + TIMESTAMP] = timestamp;
  }

  /** What was noted since the last call stays. */
  commit(): void {
    if (this.undoNewest === NO_ENTRY) return;
    this.undoNewest = NO_ENTRY;
    this.undo.close();
  }

  /** What was noted since the last {@link commit} never happened. */
  rollback(): void {
    const { undo } = this;
    for (let entry = this.undoNewest; entry !== NO_ENTRY; entry = undo.before(entry)) {
      const at = this.find(undo.producerId(entry));
      // The batch to undo is the last one that was noted of this producer.
      undo.restore(entry, this.rows, at, placeOf(at, (this.rows[at + NOTED] as number) - 1));
      if (this.rows[at + NOTED] === 0) this.remove(at);
    }
    this.commit();
  }

  /** Forgets who appended nothing since `sinceMs`, but nobody of the group in work. Returns how many. */
  forgetIdle(sinceMs: number): number {
    const before = this.count;
    this.markBusy(1);
    for (let at = (before - 1) * COLUMNS; at >= 0; at -= COLUMNS)
      if ((this.rows[at + LAST_MS] as number) < sinceMs && this.rows[at + BUSY] === 0) this.remove(at);
    this.markBusy(0);
    return before - this.count;
  }

  /** Forgets those who appended nothing for longest, until `countMax` are left. Returns how many. Between groups only. */
  forgetOldest(countMax: number): number {
    const excess = this.count - countMax;
    if (excess <= 0) return 0;
    const ids = this.all().sort((a, b) => a.lastMs - b.lastMs);
    for (const { id } of ids.slice(0, excess)) this.remove(this.find(id));
    return excess;
  }

  /**
   * Forgets every batch that reaches beyond `endOffset`, because the log ends there now. Returns the producers of whom more is in the log than is left here;
   * {@link restore} is for them. Between groups only.
   */
  cut(endOffset: number): RememberedProducer[] {
    const incomplete: RememberedProducer[] = [];
    for (const producer of this.all()) {
      const kept = producer.batches.filter((batch) => lastOffsetOf(batch) < endOffset);
      if (kept.length === producer.batches.length) continue;
      const at = this.find(producer.id);
      const hadMore = (this.rows[at + NOTED] as number) > REMEMBERED_BATCHES;
      this.remove(at);
      if (producer.firstOffset >= endOffset) continue;
      const left = { ...producer, batches: kept };
      if (kept.length > 0) this.restore(left);
      if (hadMore || kept.length === 0) incomplete.push(left);
    }
    return incomplete;
  }

  /** Takes in a producer as data, in place of what was known of it. Between groups only. */
  restore({ id, epoch, lastMs, firstOffset, batches }: RememberedProducer, epochs?: readonly number[]): void {
    const before = this.find(id);
    if (before >= 0) this.remove(before);
    batches.forEach(({ firstSequence, lastSequence, baseOffset, timestamp }, n) =>
      this.note(id, epochs?.[n] ?? epoch, firstSequence, lastSequence, baseOffset, timestamp, lastMs),
    );
    this.commit();
    const at = this.find(id);
    if (at >= 0) this.rows[at + FIRST_OFFSET] = firstOffset;
  }

  /** Everything, as data. */
  all(): RememberedProducer[] {
    return Array.from({ length: this.count }, (_, row) => this.producerAt(row * COLUMNS));
  }

  private producerAt(at: number): RememberedProducer {
    const { rows } = this;
    const value = (column: number): number => rows[at + column] as number;
    const noted = value(NOTED);
    const batches: RememberedBatch[] = [];
    for (let n = Math.max(0, noted - REMEMBERED_BATCHES); n < noted; n++) {
      const place = placeOf(0, n);
      batches.push({
        firstSequence: value(place),
        lastSequence: value(place + LAST_SEQUENCE),
        baseOffset: value(place + BASE_OFFSET),
        timestamp: value(place + TIMESTAMP),
      });
    }
    return { id: value(ID), epoch: value(EPOCH), lastMs: value(LAST_MS), firstOffset: value(FIRST_OFFSET), batches };
  }

  /** Place of the producer's row, or −1. The one asked for last is asked for again, most of the time. */
  private find(id: number): number {
    if (id === this.cachedId) return this.cachedAt;
    // Ids begin at 0, and an int32 is found without being boxed.
    const row = id === (id | 0) ? this.index.get(id | 0) : this.index.get(id);
    if (row === undefined) return -1;
    this.cachedId = id;
    return (this.cachedAt = row * COLUMNS);
  }

  private add(id: number, firstOffset: number): number {
    const at = this.count * COLUMNS;
    if (at + COLUMNS > this.rows.length) this.rows = grown(this.rows);
    this.rows.fill(0, at, at + COLUMNS);
    this.rows[at + ID] = id;
    this.rows[at + EPOCH] = -1;
    this.rows[at + FIRST_OFFSET] = firstOffset;
    this.index.set(id, this.count++);
    return at;
  }

  /** The last row takes the place of the one that goes. */
  private remove(at: number): void {
    this.cachedId = -1;
    this.index.delete(this.rows[at + ID] as number);
    const last = --this.count * COLUMNS;
    if (at === last) return;
    this.rows.copyWithin(at, last, last + COLUMNS);
    this.index.set(this.rows[at + ID] as number, at / COLUMNS);
  }

  /** Marks, or no longer, who has batches of the group in work. Not done as batches are noted: it is hardly ever asked. */
  private markBusy(mark: 0 | 1): void {
    for (let entry = this.undoNewest; entry !== NO_ENTRY; entry = this.undo.before(entry))
      this.rows[this.find(this.undo.producerId(entry)) + BUSY] = mark;
  }
}

const NO_ROWS = new Float64Array(0);

function grown(rows: Float64Array): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(Math.max(COLUMNS, rows.length * 2));
  larger.set(rows);
  return larger;
}

/** Where the n-th batch (from 0) of the row at `at` lies; of a row without batches a place whose numbers are all 0 or old, which nothing relies on. */
function placeOf(at: number, n: number): number {
  if (n < 0) return at + PLACES;
  // Of an int32 the remainder is a multiplication, of other numbers a call into the C library.
  return at + PLACES + (n <= INT32_MAX ? (n | 0) % PLACE_COUNT : n % PLACE_COUNT) * PLACE_COLUMNS;
}

function isNext(firstSequence: number, lastSequence: number): boolean {
  return firstSequence === (lastSequence === INT32_MAX ? 0 : lastSequence + 1);
}

function lastOffsetOf({ firstSequence, lastSequence, baseOffset }: RememberedBatch): number {
  const delta = lastSequence - firstSequence;
  return baseOffset + (delta < 0 ? delta + INT32_MAX + 1 : delta);
}
