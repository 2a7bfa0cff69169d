/**
 * How the keeper tells a shard that a job is done. Not through the submission ring: a shard that waits for a checkpoint to free journal space
 * does not consume appends, and the news would stand behind them.
 *
 *   word 0 checkpoint: number of the last finished job    word 1 its status
 *   word 2 prepareJournal: number of the last finished    word 3 its status
 */

/** A checkpoint has two halves, one after the other. */
export type JobSlot = 'sync' | 'checkpoint' | 'prepareJournal';

/** Allocates the shared words of one shard. */
export function createJobResults(): SharedArrayBuffer {
  return new SharedArrayBuffer(64);
}

/** Either end: main completes, the shard asks. At most one job per slot is under way. */
export class JobResults {
  private readonly words: Int32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.words = new Int32Array(buffer);
  }

  /** Publishes the outcome of job number `job`. */
  complete(slot: JobSlot, job: number, status: number): void {
    const at = slot === 'prepareJournal' ? 2 : 0;
    Atomics.store(this.words, at + 1, status);
    Atomics.store(this.words, at, job);
  }

  /** Status of job number `job`, or −1 while it is under way. */
  statusOf(slot: JobSlot, job: number): number {
    const at = slot === 'prepareJournal' ? 2 : 0;
    return Atomics.load(this.words, at) === job ? Atomics.load(this.words, at + 1) : -1;
  }
}
