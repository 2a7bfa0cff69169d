/** One shard on a fake disk in the thread of the test, with a clock that the test moves, a keeper that works when told to, and nobody behind the rings. */
import { runKeeperWork } from '../../src/log/keeper.ts';
import { beginShard, generationNumber, switchGeneration } from '../../src/log/generation.ts';
import { Journal } from '../../src/log/journal.ts';
import type { FromShard, KeeperWork, ToShard } from '../../src/log/messages.ts';
import { emptyPartition, type PartitionConfig, type PartitionState } from '../../src/log/partition-state.ts';
import { Prng } from '../../src/lib/prng.ts';
import { ErrorCode } from '../../src/protocol/errors.ts';
import { buildBatch, type BatchInput } from '../../src/protocol/record.ts';
import { Completion, CompletionKind, COMPLETION_WORDS, getLong } from '../../src/ring/completion.ts';
import { createJobResults, JobResults } from '../../src/ring/job-results.ts';
import { createRing, RingConsumer, RingProducer } from '../../src/ring/ring.ts';
import { createSlab } from '../../src/ring/slab.ts';
import { offerAppend, SUBMISSION_WORDS, SubmissionKind } from '../../src/ring/submission.ts';
import type { ShardPartition } from '../../src/shard/partition.ts';
import type { ShardSettings } from '../../src/shard/settings.ts';
import { Shard, Worked } from '../../src/shard/shard.ts';
import { FakeDisk } from '../sim/fake-disk.ts';

export const DATA = '/data';
export const START_MS = 1_700_000_000_000;
const GENERATION = '00000000000000aa';

/** A topic's settings as the broker's defaults are, but small. */
const CONFIG: PartitionConfig = {
  durability: 'fsync',
  segmentBytes: 4000,
  segmentMs: Infinity,
  segmentJitterMs: 0,
  retentionMs: Infinity,
  retentionBytes: Infinity,
  maxMessageBytes: 4000,
  timestampType: 'CreateTime',
  timestampBeforeMsMax: Infinity,
  timestampAfterMsMax: Infinity,
  compaction: null,
};

/** See the file header. */
export class ShardBench {
  readonly disk = new FakeDisk(new Prng(1));
  readonly shard: Shard;
  nowMs = START_MS;
  /** What the shard said, in order; tests take from it. */
  readonly said: FromShard[] = [];
  readonly jobs: { readonly job: number; readonly work: KeeperWork }[] = [];
  /** Error codes of appends, in order. */
  readonly codes: number[] = [];
  /** Base offsets of appends, in order; −1 for those that were refused. */
  readonly offsets: number[] = [];
  /** Indexes of the bad records in their answers, in order; of batches refused with INVALID_RECORD only. */
  readonly badRecords: number[] = [];
  /** Log-append times in their answers, in order. */
  readonly appendTimes: number[] = [];
  private readonly slab = createSlab(1 << 20);
  private readonly slabBytes = Buffer.from(this.slab);
  private slabAt = 0;
  private readonly toShard: ToShard[] = [];
  private readonly fromShard: FromShard[] = [];
  private readonly submissions: RingProducer;
  private readonly completions: RingConsumer;
  private readonly results: JobResults;

  /** @param isBegun whether the shard has been told that all its partitions are open */
  constructor(kind: 'sync' | 'buffered' = 'sync', settings: Partial<ShardSettings> = {}, isBegun = true) {
    const { disk } = this;
    for (const changed of disk.mkdir(`${DATA}/topics`)) disk.syncFolder(changed);
    const folder = beginShard(disk, DATA, GENERATION, { shard: `${kind}-0`, partitions: [] });
    switchGeneration(disk, DATA, GENERATION);
    const submissions = createRing(256, SUBMISSION_WORDS);
    const completions = createRing(1024, COMPLETION_WORDS);
    const results = createJobResults();
    this.submissions = new RingProducer(submissions);
    this.completions = new RingConsumer(completions);
    this.results = new JobResults(results);
    this.shard = new Shard(
      {
        dataFolder: DATA,
        class: kind,
        groupBytesMax: 8192,
        groupBatchesMax: 12,
        referenceBytesMin: 3000,
        journalBytesMax: 1 << 20,
        journalFileBytes: 160 << 10,
        syncStepBytes: 1 << 20,
        checkpointIntervalBytes: 1 << 20,
        checkpointIntervalMs: 10_000,
        reserveBytes: 1024,
        openSegmentsMax: 1000,
        retentionCheckIntervalMs: 1000,
        cleanerBackoffMs: 86_400_000,
        producerExpirationMs: 86_400_000,
        producerCheckIntervalMs: 600_000,
        partitionProducersMax: 50,
        producersMax: 1000,
        spinUs: 0,
        ...settings,
      },
      folder,
      generationNumber(GENERATION),
      {
        disk,
        submissions: new RingConsumer(submissions),
        completions: new RingProducer(completions),
        control: { post: (message) => void this.fromShard.push(structuredClone(message)), receive: () => this.toShard.shift() as ToShard },
        jobResults: new JobResults(results),
        slab: this.slabBytes,
        journal: new Journal(disk, folder),
        begins: null,
        ring: () => undefined,
        waitForMain: () => {
          throw new Error('completion ring full');
        },
      },
    );
    if (!isBegun) return;
    this.tell({ kind: 'begin' });
    this.work();
    this.said.length = 0;
  }

  /** Opens a partition with this number as its handle and topic. */
  open(
    handle: number,
    config: Partial<PartitionConfig> = {},
    state: PartitionState = emptyPartition(`topic-${handle}`, 0),
  ): ShardPartition {
    this.tell({ kind: 'open', handle, state, config: { ...CONFIG, ...config }, leaderEpoch: 0, recovered: false });
    this.work();
    this.said.length = 0;
    return this.shard.partitions[handle] as ShardPartition;
  }

  configure(handle: number, config: Partial<PartitionConfig>): void {
    this.tell({ kind: 'configure', handle, config: { ...CONFIG, ...config } });
    this.work();
  }

  tell(message: ToShard): void {
    this.toShard.push(message);
    this.submissions.words[this.submissions.claim()] = SubmissionKind.control;
    this.submissions.publish();
  }

  /** Sends one batch of one record; {@link work} handles it. */
  send(handle: number, bytes: number, timestamp = this.nowMs, more: Partial<BatchInput> = {}): void {
    this.sendBatch(handle, buildBatch({ records: [{ value: Buffer.alloc(bytes, handle) }], baseTimestamp: timestamp, ...more }));
  }

  /** Sends a batch as it is; {@link work} handles it. Returns it as it lies before the shard, which writes into it. */
  sendBatch(handle: number, batch: Buffer): Buffer {
    if (this.slabAt + batch.length > this.slabBytes.length) this.slabAt = 0;
    batch.copy(this.slabBytes, this.slabAt);
    offerAppend(this.submissions, this.slabAt, batch.length, 1, 0, handle, 0);
    this.slabAt += batch.length;
    this.submissions.publish();
    return this.slabBytes.subarray(this.slabAt - batch.length, this.slabAt);
  }

  /** Appends one batch of about `bytes` bytes, in a group of its own. */
  append(handle: number, bytes = 900, timestamp = this.nowMs): void {
    this.send(handle, bytes, timestamp);
    this.work();
  }

  /** Duty cycles until nothing is left to do; the keeper is only let work if the shard waits for it. */
  work(): void {
    for (let outcome: number = Worked.something; outcome !== Worked.nothing;) {
      outcome = this.cycle();
      if (outcome === Worked.stalled) this.keepOne();
    }
  }

  /** One duty cycle. */
  cycle(): number {
    this.disk.nowMs = this.nowMs;
    const outcome = this.shard.doWork(this.nowMs);
    this.drain();
    return outcome;
  }

  /** Time passes as it does for an idle shard: it looks around every 100 ms. */
  pass(ms: number): void {
    for (const end = this.nowMs + ms; this.nowMs < end;) {
      this.nowMs = Math.min(end, this.nowMs + 100);
      this.work();
    }
  }

  /** Does the keeper's work that waits, and what follows from it. */
  keep(): void {
    while (this.keepOne()) this.work();
  }

  /** A checkpoint becomes due and durable. */
  checkpoint(): void {
    this.pass(this.shard.settings.checkpointIntervalMs + 100);
    this.keep();
  }

  /** Messages of one kind, taken out of {@link said}. */
  take<K extends FromShard['kind']>(kind: K): Extract<FromShard, { kind: K }>[] {
    const found = this.said.filter((message) => message.kind === kind) as Extract<FromShard, { kind: K }>[];
    this.said.splice(0, this.said.length, ...this.said.filter((message) => message.kind !== kind));
    return found;
  }

  private keepOne(): boolean {
    const next = this.jobs.shift();
    if (next !== undefined) this.results.complete(next.work.kind, next.job, runKeeperWork(this.disk, next.work));
    return next !== undefined;
  }

  private onAppend(words: Int32Array, at: number): void {
    const code = words[at + Completion.errorCode] as number;
    this.codes.push(code);
    if (code === ErrorCode.INVALID_RECORD) this.badRecords.push(words[at + Completion.badRecord] as number);
    this.offsets.push(code === 0 ? getLong(words, at + Completion.baseOffset) : -1);
    this.appendTimes.push(code === 0 ? getLong(words, at + Completion.logAppendTime) : -1);
  }

  private drain(): void {
    for (let n = this.completions.available(); n > 0; n--) {
      const at = this.completions.at(0);
      const { words } = this.completions;
      if (words[at + Completion.kind] === CompletionKind.control) {
        const message = this.fromShard.shift() as FromShard;
        if (message.kind === 'job') this.jobs.push(message);
        else this.said.push(message);
      } else this.onAppend(words, at);
      this.completions.release(1);
    }
  }
}
