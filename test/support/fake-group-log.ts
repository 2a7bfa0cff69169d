/** A log of groups in memory: appends are secured when the test says so, loads end when it says so. */
import type { EncodedRecord } from '../../src/coordinator/group-records.ts';
import type { GroupLog } from '../../src/main/group-coordinator.ts';

export interface HeldAppend {
  readonly partition: number;
  readonly records: readonly EncodedRecord[];
  readonly done: (errorCode: number, baseOffset: number) => void;
}

/** See the file header. */
export class FakeGroupLog implements GroupLog {
  exists = true;
  partitionCount = 4;
  /** What {@link ensure} says. */
  ensured = 0;
  /** Records by partition. */
  readonly stored: { key: Uint8Array | null; value: Uint8Array | null }[][] = [];
  readonly appends: HeldAppend[] = [];
  readonly loads: { partition: number; finish: (errorCode?: number) => void }[] = [];
  holdAppends = false;
  holdLoads = false;
  /** Sizes of the batches that were appended. */
  readonly batches: number[] = [];

  async ensure(): Promise<number> {
    if (this.ensured === 0) this.exists = true;
    return this.ensured;
  }

  append(partition: number, records: readonly EncodedRecord[], done: (errorCode: number, baseOffset: number) => void): void {
    this.appends.push({ partition, records, done });
    this.batches.push(records.length);
    if (!this.holdAppends) setImmediate(() => this.secure());
  }

  /** The first append is secured, or fails. */
  secure(errorCode = 0): void {
    const append = this.appends.shift();
    if (append === undefined) throw new Error('nothing was appended');
    const log = (this.stored[append.partition] ??= []);
    if (errorCode === 0) log.push(...append.records);
    append.done(errorCode, errorCode === 0 ? log.length - append.records.length : -1);
  }

  load(
    partition: number,
    onRecord: (key: Uint8Array | null, value: Uint8Array | null, offset: number) => void,
    done: (errorCode: number) => void,
  ): void {
    const finish = (errorCode = 0): void => {
      for (const [offset, { key, value }] of (this.stored[partition] ?? []).entries()) onRecord(key, value, offset);
      done(errorCode);
    };
    if (this.holdLoads) this.loads.push({ partition, finish });
    else setImmediate(finish);
  }
}

/** Lets everything that is due happen. */
export async function turns(count = 20): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => void setImmediate(resolve));
}
