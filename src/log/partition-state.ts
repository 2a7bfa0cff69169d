/** The state of one partition as checkpoint, journal, recovery, a move between shards and main's view hand it on: plain data. */
import { NO_PRODUCERS } from './producer-table.ts';

/** One segment file. */
export interface SegmentState {
  /** Offset of its first record; names the file. */
  readonly baseOffset: number;
  /** One past the offset of its last record; equals `baseOffset` while empty. */
  endOffset: number;
  /** Bytes of the file that belong to the log; what lies behind is stale or absent. */
  endPosition: number;
  /** Largest record timestamp, ms since the epoch; −1 while empty. */
  maxTimestamp: number;
  /** Length of the preallocated file of a pool segment; 0 for a growing one. */
  capacity: number;
  /** Part of the file's name if compaction wrote it; absent: it was appended to. */
  readonly revision?: number;
}

/** An offset range that was acknowledged and is not readable any more; reads inside it are refused, what lies behind it is kept. */
export interface DamagedRange {
  /** First damaged offset. */
  readonly from: number;
  /** One past the last damaged offset. */
  readonly to: number;
}

/** Start of a leader epoch: its first record has this offset or a later one. */
export interface EpochStart {
  readonly epoch: number;
  readonly startOffset: number;
}

/** Everything about a partition's log but its bytes. Segments and epochs ascend; the last segment is the active one. */
export interface PartitionState {
  /** Kafka's text form of the topic id (22 characters, base64url); names the folder. */
  readonly topicId: string;
  readonly partition: number;
  /** Grows at every move between shards; recovery believes the highest. */
  moveNumber: number;
  logStartOffset: number;
  /** Offset of the next record. */
  endOffset: number;
  segments: SegmentState[];
  epochs: EpochStart[];
  damaged: DamagedRange[];
  /** Its idempotent producers: snapshot of a ProducerTable (producer-table.ts). Whoever changes the log in place keeps a table beside it. */
  producers: Uint8Array;
  /** The latest time that the broker gave to a batch (LogAppendTime), ms; it gives no earlier one. Absent, or −1: it never gave any, or nobody noted it. */
  lastAppendTime?: number;
  /** Compaction has gone through everything below this offset. Absent: it never did. */
  cleanedEnd?: number;
}

/** A partition's log without its producers. */
export type LogState = Omit<PartitionState, 'producers'>;

/** The state of a partition that never had a record. */
export function emptyPartition(topicId: string, partition: number): PartitionState {
  return {
    topicId,
    partition,
    moveNumber: 0,
    logStartOffset: 0,
    endOffset: 0,
    segments: [],
    epochs: [],
    damaged: [],
    producers: NO_PRODUCERS,
  };
}

/** What names a partition in maps and messages. */
export function partitionKey(topicId: string, partition: number): string {
  return `${topicId}/${partition}`;
}

/** `ringlog.durability` of a topic: when a batch is acknowledged (DESIGN section 5). */
export type Durability = 'memory' | 'page-cache' | 'fsync';

/** What a shard needs to know of a topic's configuration. Times in ms; `Infinity`: no limit. */
export interface PartitionConfig {
  durability: Durability;
  segmentBytes: number;
  /** A segment takes no record that is this much younger than its first one … */
  segmentMs: number;
  /** … less a time below this that differs from segment to segment. */
  segmentJitterMs: number;
  /** Segments go once their newest record is older. */
  retentionMs: number;
  /** The oldest segments go while what is left is at least this large. */
  retentionBytes: number;
  /** Largest record batch as stored, bytes. */
  maxMessageBytes: number;
  timestampType: 'CreateTime' | 'LogAppendTime';
  /** Timestamps of producers may lie so far before the clock … */
  timestampBeforeMsMax: number;
  /** … and so far after it. */
  timestampAfterMsMax: number;
  /** How the log is compacted; null: it is not. */
  compaction: CompactionConfig | null;
}

/** Settings of a compacted topic. Times in ms; `Infinity`: no limit. */
export interface CompactionConfig {
  /** Records younger than this are left alone. */
  readonly lagMsMin: number;
  /** A record is compacted at the latest when it is so old, however little there is to do. */
  readonly lagMsMax: number;
  /** Share of the log that must be new before it is worth a pass. */
  readonly dirtyRatioMin: number;
  /** How long a record without value stays after the pass that has found nothing older of its key. */
  readonly deleteRetentionMs: number;
}
