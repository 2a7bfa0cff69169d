/** What the parts of a shard's duty cycle share; `shard.ts` provides it. */
import type { FromShard, UnsecuredRange } from '../log/messages.ts';
import type { PartitionState } from '../log/partition-state.ts';
import type { JournalWriter } from './journal-writer.ts';
import type { ShardPartition } from './partition.ts';
import type { SegmentWriter } from './segment-writer.ts';
import type { ShardSettings } from './settings.ts';

/** See the file header. */
export interface ShardHost {
  /** Replaced when a client changes one of them. */
  settings: ShardSettings;
  /** Indexed by handle. */
  readonly partitions: (ShardPartition | undefined)[];
  /** Partitions that left this shard in this generation, by `topicId/partition`: checkpoints go on naming them (see log/checkpoint.ts). */
  readonly movedOut: Map<string, PartitionState>;
  readonly segments: SegmentWriter;
  readonly journalWriter: JournalWriter;
  /** Why nothing is acknowledged any more, or null. */
  readonly failure: string | null;
  /** Set for the length of a cycle that can journal nothing: why appends and changes are refused. */
  readonly refusal: string | null;
  stopped: boolean;
  /** Queues a message to main; it goes out after the group in work is secured. */
  reply(message: FromShard): void;
  /**
   * A sync failed: nothing written since is acknowledged, now or later; what is below the watermark stays readable (by main), but for what that sync may have
   * left out in segments.
   */
  fail(reason: string, unsecured?: readonly UnsecuredRange[]): void;
  /** Asks main for threads that help to sync, unless it did; returns whether it asked. */
  askForSyncHelp(): boolean;
  /** Bytes were written that a checkpoint would make unnecessary to redo. */
  noteWritten(bytes: number): void;
}
