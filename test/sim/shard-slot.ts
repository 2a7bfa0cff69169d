/** A shard of a simulated broker with both ends of its rings, and the settings that it and its partitions have. */
import { beginLateShard, generationNumber } from '../../src/log/generation.ts';
import { Journal } from '../../src/log/journal.ts';
import { generationFolder } from '../../src/log/layout.ts';
import type { FromShard, KeeperWork, ToShard } from '../../src/log/messages.ts';
import type { PartitionConfig } from '../../src/log/partition-state.ts';
import { COMPLETION_WORDS } from '../../src/ring/completion.ts';
import { createJobResults, JobResults } from '../../src/ring/job-results.ts';
import { createRing, RingConsumer, RingProducer } from '../../src/ring/ring.ts';
import { SUBMISSION_WORDS } from '../../src/ring/submission.ts';
import { Shard } from '../../src/shard/shard.ts';
import type { ShardSettings } from '../../src/shard/settings.ts';
import type { FakeDisk } from './fake-disk.ts';
import { DATA, type SimTopic } from './history.ts';

/** Larger than half a segment: not every recycled file holds every batch. */
export const BATCH_BYTES_MAX = 14_000;
export const SEGMENT_BYTES_MIN = 12_000;

export interface ShardSlot {
  readonly name: string;
  readonly class: 'sync' | 'buffered';
  shard: Shard;
  submissions: RingProducer;
  completions: RingConsumer;
  toShard: ToShard[];
  fromShard: FromShard[];
  results: JobResults;
  jobs: { job: number; work: KeeperWork }[];
  failed: boolean;
  stopped: boolean | null;
}

/** What of a scenario shards are told. */
export interface ShardKnobs {
  readonly seed: number;
  readonly referenceBytesMin?: number;
  readonly checkpointIntervalBytes?: number;
}

function settingsOf(kind: 'sync' | 'buffered', knobs: ShardKnobs): ShardSettings {
  return {
    dataFolder: DATA,
    class: kind,
    groupBytesMax: 8192,
    groupBatchesMax: 12,
    referenceBytesMin: knobs.referenceBytesMin ?? [1, 1500, 3000, 100_000][knobs.seed & 3]!,
    journalBytesMax: 1 << 20,
    journalFileBytes: 160 << 10,
    syncStepBytes: 8 << 10,
    checkpointIntervalBytes: knobs.checkpointIntervalBytes ?? 24 << 10,
    checkpointIntervalMs: 500,
    reserveBytes: 256 << 10,
    openSegmentsMax: (knobs.seed & 8) === 0 ? 100 : 1,
    retentionCheckIntervalMs: 300,
    cleanerBackoffMs: 1000,
    producerExpirationMs: 86_400_000,
    producerCheckIntervalMs: 600_000,
    partitionProducersMax: 50,
    producersMax: 1000,
    spinUs: 0,
  };
}

/** What the shard of a topic is told of it. */
export function configOf(topic: SimTopic): PartitionConfig {
  return {
    durability: topic.durability,
    segmentBytes: topic.segmentBytes,
    maxMessageBytes: BATCH_BYTES_MAX,
    timestampType: topic.appendTime ? 'LogAppendTime' : 'CreateTime',
    timestampBeforeMsMax: Infinity,
    timestampAfterMsMax: Infinity,
    compaction: null,
    ...topic.retention,
  };
}

/** Makes a shard. `begins`: in the middle of a generation, so that it makes its folder itself. */
export function makeShard(
  disk: FakeDisk,
  slab: SharedArrayBuffer,
  knobs: ShardKnobs,
  generation: string,
  name: string,
  begins = false,
): ShardSlot {
  const folder = `${generationFolder(DATA, generation)}/${name}`;
  const kind = name.startsWith('sync') ? 'sync' : 'buffered';
  const submissions = createRing(64, SUBMISSION_WORDS);
  const completions = createRing(1024, COMPLETION_WORDS);
  const jobResults = createJobResults();
  const toShard: ToShard[] = [];
  const fromShard: FromShard[] = [];
  return {
    name,
    class: kind,
    submissions: new RingProducer(submissions),
    completions: new RingConsumer(completions),
    toShard,
    fromShard,
    results: new JobResults(jobResults),
    jobs: [],
    failed: false,
    stopped: null,
    shard: new Shard(settingsOf(kind, knobs), folder, generationNumber(generation), {
      disk: disk,
      submissions: new RingConsumer(submissions),
      completions: new RingProducer(completions),
      control: { post: (message) => void fromShard.push(structuredClone(message)), receive: () => toShard.shift() as ToShard },
      jobResults: new JobResults(jobResults),
      slab: Buffer.from(slab),
      journal: new Journal(disk, folder),
      begins: begins ? () => beginLateShard(disk, DATA, generation, name) : null,
      ring: () => {},
      waitForMain: () => {
        throw new Error('completion ring full');
      },
    }),
  };
}
