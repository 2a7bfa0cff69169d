/**
 * Writes of one partition of `__consumer_offsets`: whatever waits goes to the log as one batch, the next batch gathers while that one is being secured. So a
 * thousand commits cost as many disk syncs as one, and no commit waits for a timer. Main only.
 *
 *   add → [record record │ record …] ── flush: up to a batch ──► log.append ──► secured: replay each, settle the writes that are complete
 *                                                                          └──► failed: settle every write that has a record in it
 *
 * Always: one append at a time; records reach the log in the order of {@link GroupWriter.add}; a write that failed puts nothing more into the log.
 */
import type { Write } from '../coordinator/effects.ts';
import { encodeCoordinatorRecord, type CoordinatorRecord, type EncodedRecord } from '../coordinator/group-records.ts';
import { ErrorCode } from '../protocol/errors.ts';

/** Bytes of keys and values that make a batch; one larger record has a batch of its own. */
const BATCH_BYTES = 256 * 1024;
const BATCH_RECORDS_MAX = 4000;

/** Where records go. */
export interface GroupLogAppends {
  append(partition: number, records: readonly EncodedRecord[], done: (errorCode: number, baseOffset: number) => void): void;
}

/** Told of what happens to the records. */
export interface GroupWriterOwner {
  /** A record is secured. */
  onSecured(record: CoordinatorRecord): void;
  /** All of a write's records are secured (0), or one of them could not be appended. */
  onSettled(write: Write, errorCode: number): void;
  /** That is all there is to tell of a batch. */
  onBatchEnd(): void;
}

/** A write and how much of it is in batches. */
interface Queued {
  readonly write: Write;
  next: number;
}

/** See the file header. */
export class GroupWriter {
  private readonly partition: number;
  private readonly log: GroupLogAppends;
  private readonly owner: GroupWriterOwner;
  private queue: Queued[] = [];
  /** Records that wait, those on their way among them. */
  waitingRecords = 0;
  private isBusy = false;

  constructor(partition: number, log: GroupLogAppends, owner: GroupWriterOwner) {
    this.partition = partition;
    this.log = log;
    this.owner = owner;
  }

  /** The write goes with the next batch; see {@link flush}. */
  add(write: Write): void {
    this.queue.push({ write, next: 0 });
    this.waitingRecords += write.records.length;
  }

  /** Appends what waits, unless a batch is on its way: then that follows by itself. */
  flush(): void {
    if (this.isBusy || this.queue.length === 0) return;
    const encoded: EncodedRecord[] = [];
    let bytes = 0;
    let taken = 0;
    for (const queued of this.queue) {
      const { records } = queued.write;
      while (queued.next < records.length && encoded.length < BATCH_RECORDS_MAX) {
        const record = encodeCoordinatorRecord(records[queued.next] as CoordinatorRecord);
        const more = record.key.length + (record.value?.length ?? 0);
        if (encoded.length > 0 && bytes + more > BATCH_BYTES) break;
        bytes += more;
        encoded.push(record);
        queued.next++;
      }
      // The batch is full before its first record: what becomes of the batch is not its business.
      if (queued.next === 0) break;
      taken++;
      if (queued.next < records.length) break;
    }
    this.isBusy = true;
    const batch = this.queue.slice(0, taken);
    const first = (batch[0] as Queued).next - firstCount(batch, encoded.length);
    this.log.append(this.partition, encoded, (errorCode) => this.onAppended(batch, first, errorCode));
  }

  /** @param first index of the batch's first record in its first write */
  private onAppended(batch: readonly Queued[], first: number, errorCode: number): void {
    this.isBusy = false;
    let from = first;
    let complete = 0;
    for (const queued of batch) {
      const { write, next } = queued;
      if (errorCode === ErrorCode.NONE)
        for (let index = from; index < next; index++) this.owner.onSecured(write.records[index] as CoordinatorRecord);
      this.waitingRecords -= next - from;
      from = 0;
      if (errorCode !== ErrorCode.NONE) this.waitingRecords -= write.records.length - next;
      else if (next < write.records.length) break;
      complete++;
      this.owner.onSettled(write, errorCode);
    }
    this.queue.splice(0, complete);
    this.owner.onBatchEnd();
    this.flush();
  }
}

/** How many records of a batch of `count` belong to its first write. */
function firstCount(batch: readonly Queued[], count: number): number {
  let others = 0;
  for (let index = 1; index < batch.length; index++) others += (batch[index] as Queued).next;
  return count - others;
}
