// What a shard computes for groups of small batches, plain and of idempotent producers: check, CRC, offsets, journal entries, answers. Its disk writes nothing.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beginShard, generationNumber, switchGeneration } from '../../build/log/generation.js';
import { Journal } from '../../build/log/journal.js';
import { NodeDisk } from '../../build/log/node-disk.js';
import { emptyPartition } from '../../build/log/partition-state.js';
import { crc32cAt } from '../../build/protocol/crc32c.js';
import { writeInt32, writeInt64 } from '../../build/protocol/int64.js';
import { ATTRIBUTES_POSITION, BASE_SEQUENCE_POSITION, CRC_POSITION, PRODUCER_ID_POSITION } from '../../build/protocol/record-batch.js';
import { buildBatch } from '../../build/protocol/record.js';
import { Completion, COMPLETION_WORDS, CompletionKind } from '../../build/ring/completion.js';
import { createJobResults, JobResults } from '../../build/ring/job-results.js';
import { createRing, RingConsumer, RingProducer } from '../../build/ring/ring.js';
import { createSlab } from '../../build/ring/slab.js';
import { offerAppend, SUBMISSION_WORDS, SubmissionKind } from '../../build/ring/submission.js';
import { Shard } from '../../build/shard/shard.js';

const PARTITIONS = 4;
const PRODUCERS = 16;
const BATCHES = 2048; // of a turn
const RECORD_BYTES = 100; // small, so that the CRC does not hide the rest
const GROUP_BATCHES = [4, 20, 80];
const SAMPLES_MAX = 150; // so that the journal never asks for a checkpoint
const GENERATION = '00000000000000aa';
const GIB = 2 ** 30;
const SETTINGS = {
  class: 'buffered',
  groupBytesMax: 1 << 20,
  groupBatchesMax: 1024,
  referenceBytesMin: 65536,
  journalBytesMax: GIB,
  journalFileBytes: GIB,
  syncStepBytes: GIB,
  checkpointIntervalBytes: Infinity,
  checkpointIntervalMs: Infinity,
  reserveBytes: 0,
  openSegmentsMax: 1000,
  retentionCheckIntervalMs: Infinity,
  producerExpirationMs: 86_400_000,
  producerCheckIntervalMs: Infinity,
  partitionProducersMax: 5000,
  producersMax: 100_000,
  spinUs: 0,
};
const CONFIG = {
  durability: 'page-cache',
  segmentBytes: GIB,
  segmentMs: Infinity,
  segmentJitterMs: 0,
  retentionMs: Infinity,
  retentionBytes: Infinity,
  maxMessageBytes: 1 << 20,
  timestampType: 'CreateTime',
  timestampBeforeMsMax: Infinity,
  timestampAfterMsMax: Infinity,
  compaction: null,
};

/** One shard with open partitions and batches that lie ready in its slab. */
class Side {
  #sequences = new Map();

  constructor(dataFolder, isIdempotent) {
    this.isIdempotent = isIdempotent;
    const disk = new NodeDisk();
    disk.mkdir(`${dataFolder}/topics`);
    const folder = beginShard(disk, dataFolder, GENERATION, { shard: 'buffered-0', partitions: [] });
    switchGeneration(disk, dataFolder, GENERATION, [], 0);
    const journal = new Journal(disk, folder);
    const file = journal.nextPath();
    const fd = disk.open(file, 'write');
    disk.truncate(fd, 16 * GIB); // sparse
    disk.close(fd);
    journal.adopt(file);
    disk.write = () => {};

    const batch = buildBatch({
      records: [{ value: Buffer.alloc(RECORD_BYTES, 1) }],
      baseTimestamp: Date.now(),
      producerId: 0,
      producerEpoch: 0,
    });
    this.batchBytes = batch.length;
    const slab = createSlab(BATCHES * batch.length);
    this.bytes = Buffer.from(slab);
    for (let n = 0; n < BATCHES; n++) batch.copy(this.bytes, n * batch.length);

    const submissions = createRing(4096, SUBMISSION_WORDS);
    const completions = createRing(4096, COMPLETION_WORDS);
    this.submissions = new RingProducer(submissions);
    this.completions = new RingConsumer(completions);
    this.toShard = [];
    this.shard = new Shard({ ...SETTINGS, dataFolder }, folder, generationNumber(GENERATION), {
      disk,
      submissions: new RingConsumer(submissions),
      completions: new RingProducer(completions),
      control: { post: () => {}, receive: () => this.toShard.shift() },
      jobResults: new JobResults(createJobResults()),
      slab: this.bytes,
      journal,
      begins: null,
      ring: () => {},
      waitForMain: () => {
        throw new Error('completion ring full');
      },
    });
    this.#tell({ kind: 'begin' });
    for (let handle = 0; handle < PARTITIONS; handle++)
      this.#tell({ kind: 'open', handle, state: emptyPartition(`topic-${handle}`, 0), config: CONFIG, leaderEpoch: 0, recovered: false });
  }

  #tell(message) {
    this.toShard.push(message);
    this.submissions.words[this.submissions.claim()] = SubmissionKind.control;
    this.submissions.publish();
    this.shard.doWork(Date.now());
    this.#drain(false);
  }

  /** Answers are looked at: a refused batch would be a fast one. */
  #drain(isAnswer) {
    for (let n = this.completions.available(); n > 0; n--) {
      const at = this.completions.at(0);
      const { words } = this.completions;
      const refused = words[at + Completion.kind] === CompletionKind.append && words[at + Completion.errorCode] !== 0;
      if (refused && isAnswer) throw new Error(`a batch was refused with error ${words[at + Completion.errorCode]}`);
      this.completions.release(1);
    }
  }

  /** What clients do: the next sequence of each producer and partition. Not measured. */
  stamp() {
    const { bytes, batchBytes } = this;
    for (let n = 0; n < BATCHES; n++) {
      const at = n * batchBytes;
      writeInt64(bytes, at, 0);
      const key = n % (PARTITIONS * PRODUCERS);
      const sequence = this.#sequences.get(key) ?? 0;
      this.#sequences.set(key, sequence + 1);
      writeInt64(bytes, at + PRODUCER_ID_POSITION, this.isIdempotent ? Math.floor(key / PARTITIONS) : -1);
      writeInt32(bytes, at + BASE_SEQUENCE_POSITION, this.isIdempotent ? sequence : -1);
      writeInt32(bytes, at + CRC_POSITION, crc32cAt(bytes, at + ATTRIBUTES_POSITION, batchBytes - ATTRIBUTES_POSITION));
    }
  }

  /** All batches, in groups, from main's ring to its answers. */
  turn(groupBatches) {
    const { submissions, shard, batchBytes } = this;
    const nowMs = Date.now();
    for (let n = 0; n < BATCHES;) {
      const end = Math.min(BATCHES, n + groupBatches);
      for (; n < end; n++) offerAppend(submissions, n * batchBytes, batchBytes, 1, 0, n % PARTITIONS, 0);
      submissions.publish();
      shard.doWork(nowMs);
      this.#drain(true);
    }
  }
}

export const shardCases = () =>
  GROUP_BATCHES.flatMap((groupBatches) =>
    [false, true].map((isIdempotent) => ({
      name: `shard: a batch in groups of ${groupBatches}, ${isIdempotent ? 'idempotent' : 'plain'}`,
      per: BATCHES,
      samplesMax: SAMPLES_MAX,
      prepare() {
        const folder = mkdtempSync(join(tmpdir(), 'ringlog-micro-'));
        const side = new Side(join(folder, 'data'), isIdempotent);
        return {
          before: () => side.stamp(),
          run: () => side.turn(groupBatches),
          end: () => rmSync(folder, { recursive: true, force: true }),
        };
      },
    })),
  );
