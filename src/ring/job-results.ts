/**
 * How the keeper tells a shard that a job is done. Not through the submission ring: a shard that waits for a checkpoint to free journal space
 * does not consume appends, and the news would stand behind them.
 *
 *   words 0, 1 sync             number of the last finished job, its status
 *   words 2, 3 checkpoint       the same
 *   words 4, 5 prepareJournal   the same
 */

export type JobSlot = 'sync' | 'checkpoint' | 'prepareJournal';

const WORD: Readonly<Record<JobSlot, number>> = { sync: 0, checkpoint: 2, prepareJournal: 4 };

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
    const at = WORD[slot];
    Atomics.store(this.words, at + 1, status);
    Atomics.store(this.words, at, job);
  }

  /** Status of job number `job`, or −1 while it is under way. */
  statusOf(slot: JobSlot, job: number): number {
    const at = WORD[slot];
    return Atomics.load(this.words, at) === job ? Atomics.load(this.words, at + 1) : -1;
  }
}
