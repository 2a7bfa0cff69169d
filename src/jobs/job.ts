/** What the job pool is asked to do: plain data, because it crosses a thread boundary. */
import type { IndexEntries } from '../log/index-file.ts';
import type { CleaningOutcome, CleaningPlan, KeeperWork } from '../log/messages.ts';
import type { DamagedRange } from '../log/partition-state.ts';
import type { KeptSegments } from '../log/retire.ts';
import type { TimedRecord } from '../protocol/batch-refusal.ts';

/** One job. */
export type Job =
  /** A shard's keeper work. Result: its JobStatus. */
  | { readonly kind: 'keeper'; readonly work: KeeperWork }
  /** Writes the index file of a rolled segment (temporary file, rename; no sync: it is rebuildable). */
  | {
      readonly kind: 'writeIndex';
      readonly path: string;
      readonly baseOffset: number;
      readonly endPosition: number;
      readonly entries: IndexEntries;
    }
  /** Follows the batch headers of a segment up to `endPosition`, and no further: what lies behind belongs to an earlier life of the file. Result: entries. */
  | {
      readonly kind: 'rebuildIndex';
      readonly path: string;
      readonly baseOffset: number;
      readonly endPosition: number;
      /** One past the last offset before `endPosition`. */
      readonly endOffset: number;
      /** Offsets that nobody is given, ascending: what lies in their place may be another log's. */
      readonly refused: readonly DamagedRange[];
      readonly intervalBytes: number;
      /** Where to write the index, and where another may be that says something of a damaged segment; null: nowhere, the segment is still growing. */
      readonly writePath: string | null;
    }
  /** Removes single small files. */
  | { readonly kind: 'removeFiles'; readonly paths: readonly string[] }
  /** Files of segments that left their logs, which nobody reads and nothing durable names: to the pool if they are worth it, with their indexes removed. */
  | {
      readonly kind: 'retireSegments';
      readonly dataFolder: string;
      readonly paths: readonly string[];
      readonly indexPaths: readonly string[];
      /** Smaller files are removed. */
      readonly poolBytesMin: number;
      readonly poolBytesMax: number;
    }
  /** The same for what an earlier life left behind in the folders of partitions. */
  | {
      readonly kind: 'retireLeftovers';
      readonly dataFolder: string;
      readonly partitions: readonly KeptSegments[];
      readonly poolBytesMax: number;
    }
  /** Compacts the older part of a log: writes new files and changes nothing. Result: what they are. */
  | {
      readonly kind: 'clean';
      readonly dataFolder: string;
      readonly plan: CleaningPlan;
      /** Memory for keys. */
      readonly keyBytesMax: number;
      /** Bytes read and written in a second, at most. */
      readonly bytesPerSecondMax: number;
    }
  /** Removes the files of a deleted topic, durably: full segments go to the pool, other large ones shrink in steps. */
  | { readonly kind: 'removeTopic'; readonly dataFolder: string; readonly topicId: string; readonly poolBytesMax: number };

/** What a job gives back. */
export type JobResult<J extends Job> = J extends { kind: 'keeper' }
  ? number
  : J extends { kind: 'rebuildIndex' }
    ? IndexEntries
    : J extends { kind: 'clean' }
      ? CleaningOutcome
      : null;

/** What a thread of the pool is given when it starts. */
export interface KeeperWorkerData {
  /** Counts disk operations over all threads and kills the process at one of them; tests only. */
  readonly crashPoint: { readonly counter: SharedArrayBuffer; readonly at: number } | null;
}

/** Work inside of a batch that is compressed. Such jobs have a pool of their own: a client waits for them, and the keeper's may wait for a disk. */
export type BatchJob =
  /** The first record at or behind `fromOffset` with a timestamp of `timestamp` (ms) or later. */
  | { readonly kind: 'find'; readonly batch: Uint8Array; readonly timestamp: number; readonly fromOffset: number }
  /** Whether the records of a produced batch, where it lies in the receive slab, are what its header says, and between those times. */
  | {
      readonly kind: 'validate';
      readonly slab: SharedArrayBuffer;
      readonly position: number;
      readonly length: number;
      /** ms; Infinity where times of producers may be any, or do not count. */
      readonly timestampMin: number;
      readonly timestampMax: number;
      /** Times of producers count: the largest one must be what the header says. */
      readonly isTimed: boolean;
      /** Every record must have a key. */
      readonly keyed: boolean;
      /** Records out of range that are named, at most. */
      readonly namedMax: number;
    };

/** What came of it. `unopened`: more comes out of the batch than may be in memory. `failed`: the job came to no end. */
export type BatchFinding =
  | { readonly kind: 'found'; readonly offset: number; readonly timestamp: bigint }
  | { readonly kind: 'none' | 'unopened' | 'failed' }
  /** `mended`: what its header should have said; null: it does. */
  | { readonly kind: 'valid'; readonly mended: MendedHeader | null }
  /** `record`: index of the first bad one; −1: they cannot be decompressed, or their number is wrong. */
  | { readonly kind: 'malformed'; readonly record: number }
  /** The first of those out of range. */
  | { readonly kind: 'timestamps'; readonly records: readonly TimedRecord[] };

/** Fields of a batch header that the broker puts right, as Kafka does: look-ups by time and retention go by the largest timestamp. */
export interface MendedHeader {
  /** ms. */
  readonly maxTimestamp: number;
  /** With that timestamp. */
  readonly crc: number;
}
