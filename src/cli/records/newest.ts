/** The newest of many records, by their time; of the same time by partition and offset. */
import type { IncomingRecord } from '../kafka/types.ts';

/** Takes records, and gives the newest `count` of them. Keeps fewer than twice as many. */
export class NewestRecords {
  readonly #count: number;
  #kept: IncomingRecord[] = [];

  constructor(count: number) {
    this.#count = count;
  }

  /** Records that are kept now: `kept` < 2 × `count`. */
  get kept(): number {
    return this.#kept.length;
  }

  /** One by one: an answer can hold more records than a call has room for arguments. */
  take(records: readonly IncomingRecord[]): void {
    for (const record of records) {
      this.#kept.push(record);
      if (this.#kept.length >= 2 * this.#count) this.#kept = this.sorted();
    }
  }

  /** What there is by now, the newest last. */
  sorted(): IncomingRecord[] {
    return this.#kept
      .toSorted((a, b) => a.timestampMs - b.timestampMs || a.partition - b.partition || a.offset - b.offset)
      .slice(-this.#count);
  }
}
