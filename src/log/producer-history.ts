/**
 * The producers of one partition while its shard's journal is replayed. What the journal tells is only collected: which appends survive is known once their
 * bytes were looked at, and only then does it become a table. Pure.
 */
import type { AppendEntry } from './journal-layout.ts';
import { ProducerTable, sequenceAfter } from './producer-table.ts';

type Event =
  | { readonly kind: 'append'; readonly endOffset: number; readonly entry: AppendEntry; readonly atMs: number }
  /** A truncation: what the shard knew once the log ended there. */
  | { readonly kind: 'truncated'; readonly endOffset: number; readonly producers: Uint8Array | undefined }
  /** A cut that no shard recorded. */
  | { readonly kind: 'cut'; readonly endOffset: number };

/** See the file header. */
export class ProducerHistory {
  private readonly snapshot: Uint8Array | undefined;
  private events: Event[] = [];

  constructor(snapshot: Uint8Array | undefined) {
    this.snapshot = snapshot;
  }

  /** A batch was appended at `atMs`. */
  append(entry: AppendEntry, atMs: number): void {
    if (entry.producerId >= 0) this.events.push({ kind: 'append', endOffset: entry.baseOffset + entry.lastOffsetDelta + 1, entry, atMs });
  }

  /** The log was truncated, and `producers` is the snapshot of what was known then. */
  truncate(endOffset: number, producers: Uint8Array | undefined): void {
    this.drop(endOffset);
    this.events.push({ kind: 'truncated', endOffset, producers });
  }

  /** Recovery finds that the log ends at `endOffset`. */
  cut(endOffset: number): void {
    this.drop(endOffset);
    this.events.push({ kind: 'cut', endOffset });
  }

  /** The snapshot of what is known at the end. */
  fold(): Uint8Array {
    let table = new ProducerTable(this.snapshot);
    for (const event of this.events) {
      if (event.kind === 'truncated') table = new ProducerTable(event.producers);
      else if (event.kind === 'cut') table.cut(event.endOffset);
      else {
        const { producerId, producerEpoch, baseSequence, lastOffsetDelta, baseOffset, maxTimestamp } = event.entry;
        const lastSequence = sequenceAfter(baseSequence, lastOffsetDelta);
        table.note(producerId, producerEpoch, baseSequence, lastSequence, baseOffset, maxTimestamp, event.atMs);
        table.commit();
      }
    }
    return table.toBytes();
  }

  /** What happened beyond the new end has not happened: truncations beyond it took away only what goes now anyway. */
  private drop(endOffset: number): void {
    this.events = this.events.filter((event) => event.endOffset <= endOffset);
  }
}
