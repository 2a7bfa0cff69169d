/** A partition as its shard sees it. Everything here is owned by the shard's thread. */
import type { LogState, PartitionConfig, PartitionState, SegmentState } from '../log/partition-state.ts';
import { ProducerTable } from '../log/producer-table.ts';
import type { ProducerUndo } from '../log/producer-undo.ts';

/** In the place of a timestamp: not looked up yet. Less than any timestamp, so that the first look finds out. */
export const UNKNOWN_AGE = -Infinity;

/** The file of a segment that still takes bytes or still has bytes the disk may not have. */
export interface OpenSegment {
  readonly fd: number;
  readonly path: string;
  readonly folder: string;
  /** Bytes were written since the last sync that covered them: the descriptor must not be closed. */
  dirty: boolean;
  /** About how many. */
  dirtyBytes: number;
  /** A checkpoint under way syncs it: clean by name, not yet by deed. */
  lent: boolean;
  /** The file's name is durable: the journal may refer to bytes that are only here. */
  nameSynced: boolean;
  /** It was written to since somebody last looked for files to close. */
  used: boolean;
}

/**
 * Always: `state.endOffset` is what is committed; `stagedEnd` ≥ it includes the group in work and equals it between groups.
 * `state.segments` is empty or its last element is the active segment, whose file is `active` (opened at first use).
 */
export class ShardPartition {
  readonly handle: number;
  /** What is committed of its log; {@link snapshot} has the producers too. `lastAppendTime` is ahead by what is staged: it only ever grows. */
  readonly state: LogState & { lastAppendTime: number };
  /** Includes what is staged. */
  producers: ProducerTable;
  config: PartitionConfig;
  leaderEpoch: number;
  active: OpenSegment | null = null;

  /** The bytes of every offset below are in their segments on disk, not only in the page cache or the journal. */
  syncedEnd: number;
  /** What `syncedEnd` becomes when the checkpoint under way has synced everything; −1: nothing. */
  lentEnd = -1;

  /** The group in work: first and last batch index (−1: none), bytes and end. */
  firstInGroup = -1;
  lastInGroup = -1;
  stagedBytes = 0;
  stagedEnd: number;
  stagedPosition = 0;
  stagedMaxTimestamp = -1;
  /** The group's bytes of this partition go into the segment only. */
  byReference = false;
  /** Its last group had enough bytes for that: a recycled segment would pay off. */
  bulk = false;

  /** An acknowledged write could not be completed (`memory` topics): no more appends, its offsets are never given out again. */
  stopped = false;
  /**
   * Bytes of journal at which it first said beside an append which partition the handle means, −1: not yet; and beyond which it says so again. See
   * {@link JournalWriter.nameAgain}.
   */
  firstNamedAt = -1;
  nextNameAt = Infinity;
  /** Revision of the pass of compaction under way; 0: none. */
  cleaning = 0;
  /** No pass begins before, ms. */
  cleanAfterMs = -Infinity;
  /** The active segment's file was closed for being idle, with a durable name. */
  nameIsDurable = false;
  /** Its folder exists and the chain above it was handed to the next sync (segment-writer.ts). */
  folderReady = false;
  /** The active segment takes no batch with a later timestamp, ms, and none after that time (segment-age.ts). */
  rollAboveTimestamp = UNKNOWN_AGE;
  rollAfterMs = Infinity;

  constructor(handle: number, state: PartitionState, config: PartitionConfig, leaderEpoch: number, undo: ProducerUndo) {
    this.handle = handle;
    const { producers, ...log } = state;
    this.state = { ...log, lastAppendTime: log.lastAppendTime ?? -1 };
    this.producers = new ProducerTable(producers, undo);
    this.config = config;
    this.leaderEpoch = leaderEpoch;
    this.stagedEnd = state.endOffset;
    // Recovery, or the shard before, synced what it hands over.
    this.syncedEnd = state.endOffset;
  }

  /** Everything, to be handed on. Between groups only. */
  snapshot(): PartitionState {
    return { ...this.state, producers: this.producers.toBytes() };
  }

  /** The active segment's description, or undefined while the log never had one. */
  activeSegment(): SegmentState | undefined {
    return this.state.segments[this.state.segments.length - 1];
  }
}
