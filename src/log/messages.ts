/** What main and a shard say to each other beside the rings (see ring/control.ts), and the work a shard asks the keeper for. */
import type { DamagedRange, PartitionConfig, PartitionState, SegmentState } from './partition-state.ts';

/** main → shard. Each is answered by the shard message of the same name in the past tense, in ring order. */
export type ToShard =
  /** Takes over a partition. `recovered`: its state is covered by the shard's first checkpoint, so no journal entry is owed. */
  | {
      readonly kind: 'open';
      readonly handle: number;
      readonly state: PartitionState;
      readonly config: PartitionConfig;
      readonly leaderEpoch: number;
      readonly recovered: boolean;
    }
  /** All recovered partitions were opened: from here on checkpoints are written, which name them all. Answered by `began`. */
  | { readonly kind: 'begin' }
  | { readonly kind: 'close'; readonly handle: number }
  | { readonly kind: 'configure'; readonly handle: number; readonly config: PartitionConfig }
  /** Secures everything the partition has, records that it left, and hands its state back. */
  | { readonly kind: 'moveOut'; readonly handle: number; readonly moveNumber: number }
  /** Cuts the log so that `endOffset` is the next offset. */
  | { readonly kind: 'truncate'; readonly handle: number; readonly endOffset: number }
  /** Deletes the records below `offset`; durable, in a shard of either class, when it is answered. */
  | { readonly kind: 'setLogStart'; readonly handle: number; readonly offset: number }
  /** Settings that may change while a shard runs. Not answered. */
  | ({ readonly kind: 'settings' } & ChangeableSettings)
  /** The outcome of a pass of compaction that the shard has planned; null: it came to nothing. Answered by `replaced`. */
  | { readonly kind: 'cleaned'; readonly handle: number; readonly plan: CleaningPlan; readonly outcome: CleaningOutcome | null }
  /** Lets a checkpoint under way end, writes a clean final one, then `stopped`. After a failed sync, `stopped` at once. */
  | { readonly kind: 'stop' };

/** See `ShardSettings` for what they mean. */
export interface ChangeableSettings {
  readonly retentionCheckIntervalMs: number;
  readonly producerExpirationMs: number;
}

/** shard → main. */
export type FromShard =
  | { readonly kind: 'opened'; readonly handle: number; readonly error: string | null }
  | { readonly kind: 'began' }
  | { readonly kind: 'closed'; readonly handle: number; readonly state: PartitionState | null }
  | { readonly kind: 'configured'; readonly handle: number }
  | { readonly kind: 'movedOut'; readonly handle: number; readonly state: PartitionState | null; readonly error: string | null }
  /** A new active segment begins at `baseOffset`; the one before ended at `previousEndPosition` (−1: there was none). */
  | {
      readonly kind: 'rolled';
      readonly handle: number;
      readonly baseOffset: number;
      readonly capacity: number;
      readonly previousEndPosition: number;
    }
  /** The log now ends (or starts) elsewhere: main replaces its view by this state, without touching what it knows of untouched segments. */
  | { readonly kind: 'truncated'; readonly handle: number; readonly state: PartitionState | null; readonly error: string | null }
  | ({ readonly kind: 'logStartSet' } & LogStartChange)
  /** The shard has deleted records by itself (retention). */
  | ({ readonly kind: 'logStartMoved' } & LogStartChange)
  /** A partition is due for compaction; what comes of it goes back as `cleaned`. */
  | { readonly kind: 'clean'; readonly handle: number; readonly plan: CleaningPlan }
  /** Compacted segments took the place of others. */
  | ({ readonly kind: 'replaced' } & Replacement)
  /** Nothing durable names these segments any more: their files may have another owner once nobody reads them. */
  | { readonly kind: 'released'; readonly segments: readonly RetiredSegment[] }
  /** Work for the keeper; its outcome goes into the shard's job results (ring/job-results.ts) under the work's kind. */
  | { readonly kind: 'job'; readonly job: number; readonly work: KeeperWork }
  /** Groups have several files to sync: threads that help would be worth their memory. Said once. */
  | { readonly kind: 'syncHelpWanted' }
  /** A sync failed: nothing more is acknowledged by this shard until the broker starts again. */
  | { readonly kind: 'failed'; readonly reason: string }
  /** The disk refuses: appends are answered with an error for now, and are taken again once it does not. Said at once, then once a minute while it lasts. */
  | { readonly kind: 'refusing'; readonly reason: string }
  /** A sync of segments failed: these offsets may not be on disk although they read back, and must not be served. Said before, or some time after, `failed`. */
  | { readonly kind: 'unsecured'; readonly ranges: readonly UnsecuredRange[] }
  /** The last word. `error`: why the next start has to recover, or null. */
  | { readonly kind: 'stopped'; readonly error: string | null };

/** Records below an offset are deleted. */
export interface LogStartChange {
  readonly handle: number;
  readonly logStartOffset: number;
  /** Base offsets of segments that no longer belong to the log. */
  readonly retired: readonly number[];
  readonly error: string | null;
}

/** What became of the new segments of a pass. */
export interface Replacement {
  readonly handle: number;
  readonly topicId: string;
  readonly partition: number;
  /** Those that are part of the log now. */
  readonly segments: readonly SegmentState[];
  /** Those that they have replaced. */
  readonly replaced: readonly SegmentState[];
  /** Those that nobody wants: their files can go. */
  readonly discarded: readonly SegmentState[];
  /** Set where it is not known whether the log has the new segments: nothing of either may go. */
  readonly error: string | null;
}

/** A segment that left its log. Its file is still there. */
export interface RetiredSegment {
  readonly topicId: string;
  readonly partition: number;
  readonly baseOffset: number;
  readonly revision?: number;
}

/** Offsets of a partition whose bytes a failed sync was to bring to disk. */
export interface UnsecuredRange {
  readonly handle: number;
  /** The first one; all above it are meant too. */
  readonly from: number;
}

/**
 * How a piece of keeper work ended. `failed`: a sync failed. `notDone`: it could not be done now (no room, no descriptor), and claims nothing; it may be asked
 * for again.
 */
export const JobStatus = { ok: 0, failed: 1, notDone: 2 } as const;

/** Slow disk work of no particular thread; run by the job pool, or step by step by the simulator. */
export type KeeperWork =
  /**
   * First half of a checkpoint: syncs files and folders, the files through descriptors of its own. A sync error is told once per descriptor, and one
   * opened after the shard heard of it hears nothing: so the second half waits for the shard's word that it heard of none. Alone it is a step ahead of a
   * checkpoint: then `pauseMs` between two files leaves the disk to the shard.
   */
  | { readonly kind: 'sync'; readonly paths: readonly string[]; readonly folders: readonly string[]; readonly pauseMs: number }
  /** Second half: writes `folder/name` (temporary file, sync, rename, sync folder). */
  | {
      readonly kind: 'checkpoint';
      readonly folder: string;
      readonly name: string;
      readonly bytes: Uint8Array;
      /** Older checkpoint files to remove afterwards. */
      readonly remove: readonly string[];
      /** Where pool and reserve lie, which make room for it on a full disk. */
      readonly dataFolder: string;
      /** The reserve has this length again afterwards, if there is room. */
      readonly reserveBytes: number;
    }
  /** Writes a journal file full of zeros and makes it and its name durable. */
  | { readonly kind: 'prepareJournal'; readonly path: string; readonly bytes: number };

/** A pass of compaction over the older part of a log. */
export interface CleaningPlan {
  readonly topicId: string;
  readonly partition: number;
  /** From the first of the log on, adjacent; nobody appends to them, and what they hold is on disk. */
  readonly segments: readonly SegmentState[];
  readonly damaged: readonly DamagedRange[];
  /** What lies below has been compacted already. */
  readonly dirtyFrom: number;
  /** Part of the names of new files: no file of the partition has it yet. */
  readonly revision: number;
  /** Largest new segment, bytes. */
  readonly segmentBytes: number;
  /** Time of the plan, ms since the epoch. */
  readonly nowMs: number;
  readonly deleteRetentionMs: number;
}

/** What came of a pass. */
export interface CleaningOutcome {
  /** Everything below is compacted now. */
  readonly cleanedEnd: number;
  /** New segments, on disk with their names, ascending. Each takes the place of those that begin within its offsets. */
  readonly segments: readonly SegmentState[];
}
