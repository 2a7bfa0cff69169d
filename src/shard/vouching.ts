/**
 * A sync shard that has become quiet vouches for its last group. Each group says of those before it that they are durable; of the last one nobody does, and if its
 * header rots it looks like a torn tail: what was acknowledged would be cut without a word. So once nothing was journaled for a while, a header without entries
 * says it, at the place where the next group will begin.
 *
 * Crash before it is on disk, or while a group is written over it: there is none, or a torn one, which is the same. It is written only after the group's sync
 * returned, so whenever it is found it is true.
 */
import { DiskError, isSyncError, type Disk } from '../log/disk.ts';
import type { Checkpointer } from './checkpointer.ts';
import type { ShardHost } from './host.ts';

/** Quiet for so long. A shard without work looks this often (shard.thread.ts). */
export const VOUCH_AFTER_MS = 100;

/** See the file header. Costs one small sync for each quiet spell after a group, and nothing while groups follow each other faster. */
export class Vouching {
  private readonly shard: ShardHost;
  private readonly checkpointer: Pick<Checkpointer, 'durableSequence'>;
  private readonly disk: Disk;
  /** The last group for which this is done: vouched for, or there is no need to. */
  private settled = 0;
  /** The last group when the shard was without work before, and since when it is. */
  private quietAfter = 0;
  private quietSinceMs = 0;

  constructor(shard: ShardHost, checkpointer: Pick<Checkpointer, 'durableSequence'>, disk: Disk) {
    this.shard = shard;
    this.checkpointer = checkpointer;
    this.disk = disk;
  }

  /** Once per duty cycle without work. */
  poll(nowMs: number): void {
    const { journalWriter: writer, settings } = this.shard;
    const { sequence } = writer;
    // After a failed sync the last group may not be durable.
    if (sequence === this.settled || settings.class !== 'sync' || this.shard.failure !== null) return;
    if (sequence !== this.quietAfter || nowMs < this.quietSinceMs) {
      this.quietAfter = sequence;
      this.quietSinceMs = nowMs;
    }
    if (nowMs - this.quietSinceMs < VOUCH_AFTER_MS) return;
    this.settled = sequence;
    // A checkpoint that contains the group vouches for it better.
    if (this.checkpointer.durableSequence >= sequence) return;
    try {
      if (writer.vouch(nowMs)) this.disk.fdatasync(writer.journal.activeFd);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      // One that could not be written is missing, no more.
      if (isSyncError(error)) this.shard.fail(`${error.message}; the journal could not be made durable`);
    }
  }
}
