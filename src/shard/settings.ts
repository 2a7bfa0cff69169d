/** What a shard is told when it starts. Plain data: it crosses a thread boundary. */
import type { MessagePort } from 'node:worker_threads';
import type { RingMemory } from '../ring/ring.ts';

/** Numbers that shape a shard's duty cycle. */
export interface ShardSettings {
  readonly dataFolder: string;
  /** `sync`: a group is acknowledged when it is durable. `buffered`: when it is written. */
  readonly class: 'sync' | 'buffered';
  /** Most bytes of record batches in one group. */
  readonly groupBytesMax: number;
  /** Most batches in one group. */
  readonly groupBatchesMax: number;
  /** A partition with at least this much in a group has its bytes written once: the journal only refers to them. */
  readonly referenceBytesMin: number;
  /** Most bytes that the journal files may take together. */
  readonly journalBytesMax: number;
  /** Size of a journal file that the keeper prepares. */
  readonly journalFileBytes: number;
  /** A shard of class `sync` has a file with this many unsynced bytes synced ahead of the next checkpoint. */
  readonly syncStepBytes: number;
  /** A checkpoint is due after this many bytes were written … */
  readonly checkpointIntervalBytes: number;
  /** … or this long after the last one, if anything changed. */
  readonly checkpointIntervalMs: number;
  /** Room set aside on the disk so that a checkpoint can finish when it is full. */
  readonly reserveBytes: number;
  /** Most active segments whose files stay open from group to group. */
  readonly openSegmentsMax: number;
  /** Partitions are looked through for records to delete this often. */
  readonly retentionCheckIntervalMs: number;
  /** Partitions are looked through for what to compact this often, while there is nothing. */
  readonly cleanerBackoffMs: number;
  /** A producer that appended nothing to a partition for this long is forgotten there … */
  readonly producerExpirationMs: number;
  /** … at checks that come this often. */
  readonly producerCheckIntervalMs: number;
  /** Most producers remembered in one partition … */
  readonly partitionProducersMax: number;
  /** … and in all of the shard together, each in each of its partitions. */
  readonly producersMax: number;
  /** How long the shard looks for work before it sleeps, microseconds. */
  readonly spinUs: number;
}

/** `workerData` of a shard worker. */
export interface ShardWorkerData {
  readonly index: number;
  readonly slab: SharedArrayBuffer;
  readonly submissions: RingMemory;
  readonly completions: RingMemory;
  readonly doorbell: SharedArrayBuffer;
  readonly control: MessagePort;
  /** Shared with the threads that help to sync (ring/sync-crew.ts), if there are any yet. */
  readonly crew: SharedArrayBuffer;
  /** Where the keeper's outcomes appear (ring/job-results.ts). */
  readonly jobResults: SharedArrayBuffer;
  /** The shard's folder within the current generation: journal and checkpoints. */
  readonly folder: string;
  readonly generation: bigint;
  /** Set for a shard that begins in the middle of a generation: it makes its folder and first checkpoint itself. */
  readonly begins: { readonly generation: string; readonly shard: string } | null;
  /** Nothing is stored yet: a broker that could take nothing either had better not start. */
  readonly mustBegin: boolean;
  readonly settings: ShardSettings;
  /** Of {@link ShardMetrics}. */
  readonly metrics: SharedArrayBuffer;
  /** Counts disk operations over all threads and kills the process at one of them; tests only. */
  readonly crashPoint: { readonly counter: SharedArrayBuffer; readonly at: number } | null;
}
