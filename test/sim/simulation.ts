/**
 * A broker without sockets on a fake disk: the product's shards, rings, journal, checkpoints, recovery, pool and read views, driven step by step by a
 * seed. Stands in for the rest of main with as little as possible, and keeps a history against which everything is checked (history.ts).
 */
import { beginGeneration } from '../../src/log/begin.ts';
import { DiskError, type Disk } from '../../src/log/disk.ts';
import { beginShard, generationNumber } from '../../src/log/generation.ts';
import { Journal } from '../../src/log/journal.ts';
import { runKeeperWork } from '../../src/log/keeper.ts';
import { generationFolder, partitionFolder, segmentOffset, segmentPath } from '../../src/log/layout.ts';
import { JobStatus, type FromShard, type KeeperWork, type LogStartChange, type ToShard } from '../../src/log/messages.ts';
import {
  emptyPartition,
  type Durability,
  type LogState,
  type PartitionConfig,
  type PartitionState,
} from '../../src/log/partition-state.ts';
import type { Recovered } from '../../src/log/recovery.ts';
import { retireLeftovers, retireSegments, retireTopic, type PoolLimits } from '../../src/log/retire.ts';
import { Prng } from '../../src/lib/prng.ts';
import { PartitionView } from '../../src/main/partition-view.ts';
import { RetiredSegments, type Leftovers } from '../../src/main/retired-segments.ts';
import { ShardCalls } from '../../src/main/shard-calls.ts';
import type { ShardLink } from '../../src/main/shard-link.ts';
import { ErrorCode } from '../../src/protocol/errors.ts';
import { buildBatch, type BatchInput } from '../../src/protocol/record.ts';
import { stampBatch } from '../../src/protocol/record-batch.ts';
import { Completion, CompletionFlag, CompletionKind, COMPLETION_WORDS, getLong } from '../../src/ring/completion.ts';
import { createJobResults, JobResults } from '../../src/ring/job-results.ts';
import { createRing, RingConsumer, RingProducer } from '../../src/ring/ring.ts';
import { createSlab, SlabAllocator } from '../../src/ring/slab.ts';
import { offerAppend, SUBMISSION_WORDS, SubmissionFlag, SubmissionKind } from '../../src/ring/submission.ts';
import { Shard } from '../../src/shard/shard.ts';
import type { ShardSettings } from '../../src/shard/settings.ts';
import { FakeDisk, SimulatedCrash } from './fake-disk.ts';
import { SimProducers, type Attempt } from './producers.ts';
import { check, DATA, holdsBatch, Survives, verifyTopic, type SimRecord, type SimRetention, type SimTopic } from './history.ts';

/** Larger than half a segment: not every recycled file holds every batch. */
const BATCH_BYTES_MAX = 14_000;
export const SEGMENT_BYTES_MIN = 12_000;

const KEEP_ALL: SimRetention = { retentionMs: Infinity, retentionBytes: Infinity, segmentMs: Infinity, segmentJitterMs: 0 };

/** A segment that left its log, until its file is given away. */
interface RetiredFile {
  readonly topic: SimTopic;
  readonly segmentBase: number;
  isReleased: boolean;
}

interface SlowReader {
  readonly topic: SimTopic;
  readonly fd: number;
  readonly record: SimRecord;
}

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

/** Knobs of a scenario. */
export interface SimOptions {
  readonly seed: number;
  readonly referenceBytesMin?: number;
  /** Shards of class `sync` at each start; one unless told otherwise. */
  readonly syncShards?: () => number;
  readonly checkpointIntervalBytes?: number;
  readonly recycleBeforeReadersAreDone?: boolean;
  readonly recycleBeforeRelease?: boolean;
  /** Planted bugs: another disk for recovery, and another outcome of it. */
  readonly recoveryDisk?: (disk: FakeDisk) => Disk;
  readonly afterRecovery?: (recovered: Recovered, disk: FakeDisk) => void;
}

/** A batch on its way. */
interface Pending {
  readonly topic: SimTopic;
  readonly record: SimRecord;
  readonly region: number;
  readonly bytes: number;
  /** An idempotent producer sent it. */
  readonly attempt: Attempt<SimTopic> | null;
  answered: boolean;
}

/** See the file header. */
export class Simulation {
  readonly prng: Prng;
  readonly disk: FakeDisk;
  /** Half of the seeds: records that go hide what else might be wrong with them. */
  readonly deletesRecords: boolean;
  /** Half of the seeds have idempotent producers: they send less, and so less of everything else happens. */
  readonly hasProducers: boolean;
  readonly producers: SimProducers<SimTopic> = new SimProducers(this);
  readonly topics = new Map<string, SimTopic>();
  shards: ShardSlot[] = [];
  lastRecovery: Recovered | null = null;
  /** Set to watch a run (SIM_TRACE=1). */
  trace: ((line: string) => void) | null = null;
  starts = 0;
  /** The disk refused things for a while in this life: it was full, or out of descriptors. */
  hadTrouble = false;
  /** What only the page cache had is gone although the process lives. */
  hasEvicted = false;
  acks = 0;
  refusals = 0;
  /** Segments that left their logs because records were deleted. */
  retirements = 0;
  /** Segments that began in a file that was somebody's before. */
  recycled = 0;
  private readonly options: SimOptions;
  private readonly slabMemory = createSlab(4 << 20);
  private slab = new SlabAllocator(this.slabMemory);
  private readonly pending = new Map<number, Pending>();
  private calls = new ShardCalls();
  private generation = '';
  private syncShards = 1;
  private readers: SlowReader[] = [];
  private retiring: (() => boolean)[] = [];
  private retired: RetiredFile[] = [];
  private leftovers: Leftovers[] = [];
  private poolNames = 0;
  private nextHandle = 1;
  private nextId = 1;
  private nextRequest = 1;
  private nextTopic = 1;
  private unclean = 0;
  private truncations = 0;
  /** What truncations took from logs. */
  private readonly cutRecords = new WeakSet<SimRecord>();
  /** A truncation was under way when the broker died. */
  truncationsAsked = false;

  constructor(options: SimOptions) {
    this.options = options;
    this.prng = new Prng(options.seed);
    this.disk = new FakeDisk(this.prng);
    this.disk.nowMs = 1_700_000_000_000;
    this.deletesRecords = (options.seed & 4) !== 0;
    this.hasProducers = (options.seed & 8) !== 0;
  }

  /** The one clock, of files too. */
  get nowMs(): number {
    return this.disk.nowMs;
  }

  set nowMs(nowMs: number) {
    this.disk.nowMs = nowMs;
  }

  settings(kind: 'sync' | 'buffered'): ShardSettings {
    return {
      dataFolder: DATA,
      class: kind,
      groupBytesMax: 8192,
      groupBatchesMax: 12,
      referenceBytesMin: this.options.referenceBytesMin ?? [1, 1500, 3000, 100_000][this.options.seed & 3]!,
      journalBytesMax: 1 << 20,
      journalFileBytes: 160 << 10,
      syncStepBytes: 8 << 10,
      checkpointIntervalBytes: this.options.checkpointIntervalBytes ?? 24 << 10,
      checkpointIntervalMs: 500,
      reserveBytes: 256 << 10,
      openSegmentsMax: (this.options.seed & 8) === 0 ? 100 : 1,
      retentionCheckIntervalMs: 300,
      producerExpirationMs: 86_400_000,
      producerCheckIntervalMs: 600_000,
      partitionProducersMax: 50,
      producersMax: 1000,
      spinUs: 0,
    };
  }

  config(topic: SimTopic): PartitionConfig {
    return {
      durability: topic.durability,
      segmentBytes: topic.segmentBytes,
      maxMessageBytes: BATCH_BYTES_MAX,
      timestampType: topic.appendTime ? 'LogAppendTime' : 'CreateTime',
      timestampBeforeMsMax: Infinity,
      timestampAfterMsMax: Infinity,
      ...topic.retention,
    };
  }

  /** Recovers and begins a new generation. A SimulatedCrash may come out of it. */
  start(): Recovered {
    const { disk } = this;
    for (const changed of disk.mkdir(DATA)) disk.syncFolder(changed);
    this.syncShards = this.options.syncShards?.() ?? 1;
    const generation = (BigInt(this.prng.next()) * 2n ** 32n + BigInt(this.prng.next())).toString(16).padStart(16, '0');
    const live = [...this.topics.values()].filter((topic) => !topic.deleted);
    for (const topic of live) topic.shard = this.shardOf(topic);
    const begun = beginGeneration(
      this.options.recoveryDisk?.(disk) ?? disk,
      DATA,
      (id) => {
        const topic = this.topics.get(id);
        return topic === undefined ? 'unknown' : topic.deleted ? 'deleted' : 'known';
      },
      live.map((topic) => ({ topicId: topic.id, partition: 0, shard: topic.shard })),
      Array.from({ length: this.syncShards }, (_, n) => `sync-${n}`),
      1 << 20,
      generation,
    );
    const { recovered } = begun;
    this.options.afterRecovery?.(recovered, disk);
    this.lastRecovery = recovered;
    this.trace?.(`start ${this.starts}: ${JSON.stringify(recovered.notes)}`);
    if (this.starts++ > 0 && !recovered.clean) this.unclean++;
    this.generation = generation;
    this.slab = new SlabAllocator(this.slabMemory);
    this.pending.clear();
    this.calls = new ShardCalls();
    this.hadTrouble = disk.capacity < Infinity;
    // Whatever is served from now on is on disk.
    disk.evict(1);
    this.hasEvicted = false;
    this.shards = [];
    for (const [name, folder] of begun.folders) this.shards.push(this.makeShard(name, folder));
    this.leftovers = [];
    for (const topic of live) {
      const state = recovered.partitions.get(`${topic.id}/0`) ?? emptyPartition(topic.id, 0);
      const leftovers = RetiredSegments.leftoversOf(state);
      if (leftovers !== undefined) this.leftovers.push(leftovers);
      topic.leaderEpoch = this.unclean;
      this.openFresh(topic, structuredClone(state), true);
    }
    for (const slot of this.shards) this.control(slot, { kind: 'begin' });
    for (let i = 0; i < 200 && live.some((topic) => !topic.online); i++) this.workAll();
    for (const topic of this.topics.values()) if (topic.deleted) this.retire(topic);
    return recovered;
  }

  createTopic(durability: Durability, retention: SimRetention = KEEP_ALL): SimTopic {
    const number = this.nextTopic++;
    const id = `topic-${number}`;
    const topic: SimTopic = {
      id,
      number,
      durability,
      segmentBytes: 16384,
      appendTime: this.prng.chance(0.25),
      handle: 0,
      shard: '',
      deleted: false,
      online: false,
      moving: false,
      opening: null,
      unopened: null,
      leaderEpoch: this.unclean,
      view: null as unknown as PartitionView,
      records: new Map(),
      cut: new Set(),
      sent: new Map(),
      damagedAllowed: false,
      truncatingTo: Infinity,
      retention,
      retentions: [retention],
      configuring: 0,
      logStart: 0,
      securedStart: [0, 0, 0],
      maybeStart: 0,
      lastAppendTime: -1,
    };
    topic.shard = this.shardOf(topic);
    this.topics.set(id, topic);
    this.openFresh(topic, emptyPartition(id, 0), false);
    return topic;
  }

  /** The shard that serves a topic; a buffered one begins with the first that needs it. */
  slotOf(topic: SimTopic): ShardSlot {
    const found = this.shards.find(({ name }) => name === topic.shard);
    if (found !== undefined) return found;
    // A worker that starts loads its code from files: without descriptors there is none.
    const { failOpen } = this.disk;
    this.disk.failOpen = null;
    const slot = this.makeShard(topic.shard, `${generationFolder(DATA, this.generation)}/${topic.shard}`, true);
    this.disk.failOpen = failOpen;
    this.shards.push(slot);
    this.control(slot, { kind: 'begin' });
    return slot;
  }

  /** Sends one batch; false when ring or slab have no room. `given`: as a follower gets it from its leader, offsets and epoch included. */
  produce(topic: SimTopic, payloadBytes: number, given = false): boolean {
    const { id, batch } = this.makeBatch(topic, 1 + this.prng.below(3), payloadBytes, {});
    return this.send(topic, id, batch, null, given);
  }

  /** Builds a batch that is like no other. */
  makeBatch(_topic: SimTopic, count: number, payloadBytes: number, producer: Partial<BatchInput>): { id: number; batch: Buffer } {
    const id = this.nextId++;
    const value = Buffer.alloc(8 + payloadBytes, id & 0xff);
    value.writeDoubleBE(id, 0);
    const records = Array.from({ length: count }, () => ({ value }));
    return { id, batch: buildBatch({ records, baseTimestamp: this.nowMs, ...producer }) };
  }

  /** Sends a batch, perhaps not for the first time; false when ring or slab have no room. */
  send(topic: SimTopic, id: number, batch: Buffer, attempt: Attempt<SimTopic> | null, given = false): boolean {
    const slot = this.slotOf(topic);
    const region = this.slab.allocate(batch.length);
    if (region < 0 || slot.submissions.free(1) < 1) {
      if (region >= 0) this.slab.free(region, batch.length);
      return false;
    }
    // What waits in front of it may be refused: then it does not fit, and must be refused too.
    if (given) stampBatch(batch, 0, this.expectedEnd(topic), topic.leaderEpoch);
    batch.copy(this.slab.bytes, region);
    const request = this.nextRequest++;
    const record: SimRecord = {
      id,
      batch,
      given: given ? this.expectedEnd(topic) : -1,
      baseOffset: -1,
      lastOffset: -1,
      leaderEpoch: topic.leaderEpoch,
      segmentBase: -1,
      position: -1,
      acked: false,
      shown: false,
      survives: 0,
      timestamp: Number(batch.readBigInt64BE(35)),
    };
    topic.sent.set(id, record);
    this.pending.set(request, { topic, record, region, bytes: batch.length, attempt, answered: false });
    offerAppend(slot.submissions, region, batch.length, request, 0, topic.handle, given ? SubmissionFlag.givenOffsets : 0);
    slot.submissions.publish();
    return true;
  }

  deleteTopic(topic: SimTopic): void {
    topic.deleted = true;
    this.call(this.slotOf(topic), { kind: 'close', handle: topic.handle });
  }

  truncate(topic: SimTopic, endOffset: number): void {
    topic.truncatingTo = Math.min(topic.truncatingTo, endOffset);
    this.truncations++;
    this.call(this.slotOf(topic), { kind: 'truncate', handle: topic.handle, endOffset });
  }

  /** Deletes the records below `offset`. */
  deleteRecords(topic: SimTopic, offset: number): void {
    topic.maybeStart = Math.max(topic.maybeStart, offset);
    this.call(this.slotOf(topic), { kind: 'setLogStart', handle: topic.handle, offset });
  }

  /** Other segment sizes, for the segments to come. */
  configure(topic: SimTopic, segmentBytes: number): void {
    topic.segmentBytes = segmentBytes;
    this.sendConfig(this.slotOf(topic), topic);
  }

  /** Changes when records go. */
  changeRetention(topic: SimTopic, retention: SimRetention): void {
    topic.retention = retention;
    topic.retentions.push(retention);
    this.sendConfig(this.slotOf(topic), topic);
  }

  /** Gives away what the life before left behind. */
  giveAwayLeftovers(): void {
    for (const leftovers of this.leftovers.splice(0)) {
      if (this.topics.get(leftovers.topicId)?.deleted === true) continue;
      this.trying(() => retireLeftovers(this.disk, DATA, leftovers, this.poolLimits(), () => {}));
    }
  }

  /** Commits the new mode to the metadata and moves the partition if its class changes. */
  changeDurability(topic: SimTopic, durability: Durability): void {
    const from = this.slotOf(topic);
    topic.durability = durability;
    if ((durability === 'fsync') === (from.class === 'sync')) {
      this.sendConfig(from, topic);
      return;
    }
    topic.online = false;
    this.call(from, { kind: 'moveOut', handle: topic.handle, moveNumber: topic.view.moveNumber + 1 });
  }

  /** Opens again what a shard refused to open, as main does from time to time. */
  retryOpens(): void {
    for (const topic of this.topics.values()) {
      const { unopened } = topic;
      topic.unopened = null;
      if (unopened !== null && !topic.deleted) this.open(topic, unopened, false);
    }
  }

  /** One duty cycle of one shard and what it said. */
  work(slot: ShardSlot): number {
    const outcome = slot.shard.doWork(this.nowMs);
    this.drain(slot);
    return outcome;
  }

  workAll(): void {
    for (const slot of this.shards) {
      this.work(slot);
      while (slot.jobs.length > 0) this.runJob(slot);
    }
  }

  /** Runs the oldest keeper job of a shard. */
  runJob(slot: ShardSlot): void {
    const next = slot.jobs.shift();
    if (next === undefined) return;
    const status = runKeeperWork(this.disk, next.work);
    slot.results.complete(next.work.kind, next.job, status);
    if (status === JobStatus.failed) slot.failed = true;
  }

  /** A reader opens a record now and looks at it later. */
  beginSlowRead(topic: SimTopic): void {
    if (topic.deleted || topic.records.size === 0 || topic.damagedAllowed) return;
    const record = this.prng.pick([...topic.records.values()]);
    if (record.position < 0) return;
    const fd = this.disk.peek(segmentPath(DATA, topic.id, 0, record.segmentBase));
    this.readers.push({ topic, fd, record });
  }

  finishSlowReads(): void {
    for (const reader of this.readers) {
      // A truncation may have cut the record while the reader held it; what is deleted, alone or with its topic, is still its own as long as somebody reads it.
      const isServed = reader.record.lastOffset < reader.topic.view.unsecuredFrom;
      if (isServed && !this.cutRecords.has(reader.record)) this.expectRecord(reader.topic, reader.fd, reader.record, 'a slow reader');
      this.disk.close(reader.fd);
    }
    this.readers = [];
    this.retireWaiting();
    this.giveAwayRetired();
  }

  /** The kernel drops pages. That a sync has failed is known by then: main hears of it a moment later. */
  evictPages(): void {
    for (const slot of this.shards) if (slot.stopped === null) this.work(slot);
    this.hasEvicted = this.disk.evict(this.prng.pick([0.3, 1])) || this.hasEvicted;
  }

  /** The process is gone from one moment to the next. */
  stopAbruptly(): void {
    this.disk.killProcess();
  }

  /** Stops cleanly. `meanwhile`: what clients go on with, before each cycle of the shards. */
  stop(meanwhile: () => void = () => {}): void {
    this.finishSlowReads();
    const told = new Set<ShardSlot>();
    for (let i = 0; i < 300 && this.shards.some((slot) => slot.stopped === null); i++) {
      this.nowMs += 100;
      meanwhile();
      for (const slot of this.shards) {
        // A move under way may start one meanwhile.
        if (!told.has(slot)) this.control(slot, { kind: 'stop' });
        told.add(slot);
        if (slot.stopped !== null) continue;
        this.work(slot);
        while (slot.jobs.length > 0) this.runJob(slot);
      }
    }
    for (const slot of this.shards)
      check(
        slot.stopped !== null,
        `${slot.name} did not stop: failure ${slot.shard.failure}, waiting ${slot.shard.checkpointer.waiting}, capacity ${this.disk.capacity - this.disk.usedBytes()}, jobs ${slot.jobs.length}`,
      );
    this.disk.killProcess();
  }

  /** Reads every live topic as recovery left it and holds it against the history. `survived`: the least a record must have had to be there. */
  verifyRecovered(survived: number): void {
    const recovered = this.lastRecovery as Recovered;
    for (const topic of this.topics.values())
      if (!topic.deleted) {
        const state = recovered.partitions.get(`${topic.id}/0`);
        verifyTopic(this.disk, topic, state, survived);
        this.producers.verifyRecovered(topic, state, topic.records);
      }
  }

  /** Everything that was deleted has left the disk, or waits in the pool. */
  expectNoLeftovers(): void {
    const recovered = this.lastRecovery as Recovered;
    for (const { topicId, partition, segments, endOffset } of recovered.partitions.values()) {
      const first = segments[0]?.baseOffset ?? endOffset;
      for (const name of this.disk.list(partitionFolder(DATA, topicId, partition)))
        check(!(segmentOffset(name) >= 0 && segmentOffset(name) < first), `${topicId}: ${name} is still there, the log begins at ${first}`);
    }
  }

  /** Forgets what the dead process knew. */
  afterCrash(): void {
    this.readers = [];
    this.retiring = [];
    this.retired = [];
    this.truncationsAsked = this.truncations > 0;
    this.truncations = 0;
    this.pending.clear();
    for (const topic of this.topics.values()) {
      topic.online = topic.moving = false;
      topic.opening = topic.unopened = null;
      topic.configuring = 0;
    }
    for (const { shard } of this.shards) {
      const states: LogState[] = [...shard.movedOut.values()];
      for (const partition of shard.partitions) if (partition !== undefined) states.push(partition.state);
      for (const { topicId, logStartOffset } of states) {
        const topic = this.topics.get(topicId);
        if (topic !== undefined) topic.maybeStart = Math.max(topic.maybeStart, logStartOffset);
      }
    }
  }

  private shardOf(topic: SimTopic): string {
    return topic.durability === 'fsync' ? `sync-${topic.number % this.syncShards}` : 'buffered-0';
  }

  /** Where a topic's log ends if everything that waits is appended. */
  private expectedEnd(topic: SimTopic): number {
    let end = topic.view.highWatermark;
    for (const { topic: of, record } of this.pending.values()) if (of === topic && !record.shown) end += record.batch.readInt32BE(23) + 1;
    return end;
  }

  private makeShard(name: string, folder: string, begins = false): ShardSlot {
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
      shard: new Shard(this.settings(kind), folder, generationNumber(this.generation), {
        disk: this.disk,
        submissions: new RingConsumer(submissions),
        completions: new RingProducer(completions),
        control: { post: (message) => void fromShard.push(structuredClone(message)), receive: () => toShard.shift() as ToShard },
        jobResults: new JobResults(jobResults),
        slab: Buffer.from(this.slabMemory),
        journal: new Journal(this.disk, folder),
        begins: begins ? () => void beginShard(this.disk, DATA, this.generation, { shard: name, partitions: [] }) : null,
        ring: () => {},
        waitForMain: () => {
          throw new Error('completion ring full');
        },
      }),
    };
  }

  /** Opens a partition under a new handle, with a view of its own. */
  private openFresh(topic: SimTopic, state: PartitionState, recovered: boolean): void {
    topic.handle = this.nextHandle++;
    const host = { onViewChanged: () => {}, onSealed: () => {}, onCut: () => {} };
    topic.view = new PartitionView(topic.handle, 0, {} as never, {} as never, topic.leaderEpoch, 4096, host);
    topic.lastAppendTime = -1;
    this.open(topic, state, recovered);
  }

  private open(topic: SimTopic, state: PartitionState, recovered: boolean): void {
    topic.online = false;
    topic.opening = state;
    topic.view.loadState(state);
    this.call(this.slotOf(topic), {
      kind: 'open',
      handle: topic.handle,
      state: structuredClone(state),
      config: this.config(topic),
      leaderEpoch: topic.leaderEpoch,
      recovered,
    });
  }

  private sendConfig(slot: ShardSlot, topic: SimTopic): void {
    topic.configuring++;
    this.call(slot, { kind: 'configure', handle: topic.handle, config: this.config(topic) });
  }

  /** A control message that is answered. */
  private call(slot: ShardSlot, message: Parameters<ShardCalls['call']>[1]): void {
    void this.calls.call({ control: () => {} } as unknown as ShardLink, message);
    this.control(slot, message);
  }

  private control(slot: ShardSlot, message: ToShard): void {
    for (let i = 0; slot.submissions.free(1) < 1 && i < 100; i++) {
      this.nowMs += 50;
      this.work(slot);
      this.runJob(slot);
    }
    this.trace?.(`${slot.name} <- ${JSON.stringify(message)}`);
    slot.toShard.push(message);
    slot.submissions.words[slot.submissions.claim()] = SubmissionKind.control;
    slot.submissions.publish();
  }

  private byHandle(handle: number): SimTopic | undefined {
    for (const topic of this.topics.values()) if (topic.handle === handle) return topic;
    return undefined;
  }

  private drain(slot: ShardSlot): void {
    const { completions } = slot;
    while (completions.available() > 0) {
      const at = completions.at(0);
      const words = completions.words;
      const isControl = words[at + Completion.kind] === CompletionKind.control;
      if (!isControl) this.onAppend(slot, words, at);
      completions.release(1);
      // What it leads to may let the shard work and drain again.
      if (isControl) this.onControl(slot, slot.fromShard.shift() as FromShard);
    }
  }

  private onAppend(slot: ShardSlot, words: Int32Array, at: number): void {
    const entry = this.pending.get(words[at + Completion.request] as number);
    check(entry !== undefined, 'a completion for a request that was answered before');
    const { topic, record } = entry!;
    const flags = words[at + Completion.flags] as number;
    const error = words[at + Completion.errorCode] as number;
    const memory = topic.durability === 'memory' && slot.class === 'buffered';
    const survives = slot.class === 'sync' ? Survives.power : memory ? Survives.stop : Survives.process;
    const isAnswer = (flags & CompletionFlag.answer) !== 0;
    const isDuplicate = error === 0 && isAnswer && (flags & CompletionFlag.released) !== 0 && (flags & CompletionFlag.readable) === 0;
    if (isDuplicate)
      this.onDuplicate(entry!, getLong(words, at + Completion.baseOffset), slot.class === 'sync' ? Survives.power : Survives.stop);
    else if (error !== 0) {
      this.refusals++;
      if (entry!.attempt === null) this.checkRefusal(slot, topic, record, error);
      if (entry!.answered) {
        // A `memory` batch that could not be written after its answer: its offsets are burnt.
        check(slot.class === 'buffered', `${topic.id}: an acknowledged batch was refused`);
        record.acked = false;
        topic.records.delete(record.baseOffset);
        topic.damagedAllowed = true;
      }
    } else {
      record.baseOffset = getLong(words, at + Completion.baseOffset);
      record.lastOffset = record.baseOffset + (words[at + Completion.lastOffsetDelta] as number);
      check(
        record.given < 0 || record.given === record.baseOffset,
        `${topic.id}: a batch with offset ${record.given} got ${record.baseOffset}`,
      );
      if ((flags & CompletionFlag.answer) !== 0) {
        this.acks++;
        this.trace?.(`${slot.name} ack ${topic.id} batch ${record.id} at ${record.baseOffset}..${record.lastOffset}`);
        record.acked = true;
        this.remember(topic, record, survives);
        this.noteAppendTime(topic, record, getLong(words, at + Completion.logAppendTime));
      }
      if ((flags & CompletionFlag.readable) !== 0 && !topic.deleted) this.onReadable(topic, record, words, at, survives);
    }
    if (isAnswer) {
      entry!.answered = true;
      if (entry!.attempt !== null) this.producers.onAnswer(entry!.attempt, error, getLong(words, at + Completion.baseOffset), isDuplicate);
    }
    if ((flags & CompletionFlag.released) === 0) return;
    this.pending.delete(words[at + Completion.request] as number);
    this.slab.free(entry!.region, entry!.bytes);
  }

  /** A batch is refused for a reason. */
  private checkRefusal(slot: ShardSlot, topic: SimTopic, record: SimRecord, error: number): void {
    const { length } = record.batch;
    const isFit =
      {
        [ErrorCode.MESSAGE_TOO_LARGE]: length > BATCH_BYTES_MAX,
        [ErrorCode.RECORD_LIST_TOO_LARGE]: length > SEGMENT_BYTES_MIN,
        [ErrorCode.OFFSET_OUT_OF_RANGE]: record.given >= 0,
        // It was sent while the topic was being deleted, or moved to another shard.
        [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]: topic.deleted || !topic.online || topic.shard !== slot.name,
        [ErrorCode.KAFKA_STORAGE_ERROR]: slot.shard.failure !== null || topic.damagedAllowed || this.hadTrouble,
      }[error] === true;
    check(isFit, `${topic.id}: batch ${record.id} of ${length} bytes was refused with error ${error}`);
  }

  private onReadable(topic: SimTopic, record: SimRecord, words: Int32Array, at: number, survives: number): void {
    this.remember(topic, record, survives);
    const { view } = topic;
    record.position = words[at + Completion.position] as number;
    if (!record.shown)
      view.onReadable(
        record.baseOffset,
        record.lastOffset - record.baseOffset,
        record.position,
        words[at + Completion.length] as number,
        getLong(words, at + Completion.maxTimestamp),
      );
    record.shown = true;
    this.producers.onAppended(topic, record.batch, record.baseOffset);
    record.segmentBase = view.segments[view.segmentIndexOf(record.baseOffset)]!.baseOffset;
    const fd = this.disk.peek(segmentPath(DATA, topic.id, 0, record.segmentBase));
    this.expectRecord(topic, fd, record, 'a tailing reader');
    this.disk.close(fd);
  }

  private noteAppendTime(topic: SimTopic, record: SimRecord, time: number): void {
    if (!topic.appendTime || record.given >= 0) return check(time === -1, `${topic.id}: a log-append time where none is asked for`);
    check(time >= topic.lastAppendTime, `${topic.id}: log-append time goes back from ${topic.lastAppendTime} to ${time}`);
    record.timestamp = topic.lastAppendTime = time;
  }

  private isOnItsWay(id: number): boolean {
    for (const { record } of this.pending.values()) if (record.id === id) return true;
    return false;
  }

  /** A batch was answered as appended before: it has to be there, and from now on it counts as acknowledged. */
  private onDuplicate({ topic, record, attempt }: Pending, baseOffset: number, survives: number): void {
    this.acks++;
    const known = topic.records.get(baseOffset);
    // A client that began anew while this was on its way (the log was cut) does not care any more.
    if (attempt?.epoch !== attempt?.producer.epoch || topic.deleted || topic.damagedAllowed || baseOffset < topic.maybeStart) return;
    check(known?.id === record.id, `${topic.id}: batch ${record.id} was answered as appended before at ${baseOffset}, where it is not`);
    if (known === undefined) return;
    known.acked = true;
    known.survives = Math.max(known.survives, survives);
  }

  private remember(topic: SimTopic, record: SimRecord, survives: number): void {
    record.survives = survives;
    const before = topic.records.get(record.baseOffset);
    const free = before === undefined || before === record;
    check(free, `${topic.id}: offset ${record.baseOffset} was given out twice (batch ${before?.id} and ${record.id})`);
    check(
      record.baseOffset >= topic.logStart,
      `${topic.id}: offset ${record.baseOffset} was given out below the log start ${topic.logStart}`,
    );
    topic.records.set(record.baseOffset, record);
  }

  private expectRecord(topic: SimTopic, fd: number, record: SimRecord, who: string): void {
    const batch = Buffer.alloc(record.batch.length);
    this.disk.read(fd, batch, 0, batch.length, record.position);
    const same = Number(batch.readBigInt64BE(0)) === record.baseOffset && holdsBatch(topic, record, batch);
    check(same, `${topic.id}: ${who} of offset ${record.baseOffset} sees other bytes`);
  }

  private onControl(slot: ShardSlot, message: FromShard): void {
    this.trace?.(`${slot.name} -> ${JSON.stringify(message, (key, value: unknown) => (key === 'bytes' ? undefined : value))}`);
    switch (message.kind) {
      case 'job':
        slot.jobs.push({ job: message.job, work: message.work });
        return;
      case 'failed':
        slot.failed = true;
        return;
      case 'unsecured':
        for (const { handle, from } of message.ranges) this.byHandle(handle)?.view.onUnsecured(from);
        return;
      case 'stopped':
        slot.stopped = message.error === null;
        return;
      case 'began':
      case 'syncHelpWanted':
        return;
      case 'rolled':
        if (message.capacity > 0) this.recycled++;
        this.byHandle(message.handle)?.view.onRolled(message.baseOffset, message.capacity, message.previousEndPosition);
        return;
      case 'released':
        for (const { topicId, baseOffset } of message.segments)
          for (const file of this.retired) if (file.topic.id === topicId && file.segmentBase === baseOffset) file.isReleased = true;
        this.giveAwayRetired();
        return;
      case 'logStartMoved': {
        const topic = this.byHandle(message.handle);
        if (topic === undefined || message.error !== null) return;
        this.expectDue(topic, message.logStartOffset);
        this.onLogStart(topic, message, slot.class === 'sync' ? Survives.power : Survives.process);
        return;
      }
    }
    this.calls.onReply(message);
    const topic = this.byHandle(message.handle);
    if (topic === undefined) return;
    switch (message.kind) {
      case 'opened': {
        const opening = topic.opening as PartitionState;
        topic.opening = null;
        if (message.error !== null) {
          topic.unopened = opening;
          return;
        }
        topic.online = true;
        // The answer to a change of mode: everything acknowledged before is now as safe as the new mode promises.
        if (topic.moving && topic.durability === 'fsync') for (const record of topic.records.values()) record.survives = Survives.power;
        topic.moving = false;
        return;
      }
      case 'closed':
        this.retiring.push(() => this.retire(topic));
        this.retireWaiting();
        return;
      case 'configured':
        if (--topic.configuring === 0) topic.retentions = [topic.retention];
        return;
      case 'movedOut':
        if (message.state === null) {
          // It stays where it is.
          topic.online = true;
          return;
        }
        topic.shard = this.shardOf(topic);
        topic.moving = true;
        this.open(topic, message.state, false);
        return;
      case 'truncated':
        // A refused truncation may still have happened: only a restart tells.
        if (message.error !== null || message.state === null) return;
        if (--this.truncations === 0) for (const each of this.topics.values()) each.truncatingTo = Infinity;
        topic.view.onTruncated(message.state);
        this.producers.onTruncated(topic, message.state);
        for (const [offset, record] of topic.records) {
          const isCut = record.lastOffset >= message.state.endOffset;
          // What an idempotent producer sends again at this moment may be appended behind the cut.
          if (isCut && !this.isOnItsWay(record.id)) topic.cut.add(record.id);
          if (isCut) this.cutRecords.add(record);
          // A cut down to the log start takes the deleted records before it along.
          if (isCut || message.state.segments.length === 0) topic.records.delete(offset);
        }
        return;
      case 'logStartSet':
        // What a shard that failed did not record may still have happened: only a restart tells.
        if (message.error === null) this.onLogStart(topic, message, Survives.power);
    }
  }

  private onLogStart(topic: SimTopic, { logStartOffset, retired }: LogStartChange, survives: number): void {
    topic.view.onLogStartSet(logStartOffset, retired);
    topic.logStart = logStartOffset;
    topic.maybeStart = Math.max(topic.maybeStart, logStartOffset);
    for (let level = 0; level <= survives; level++)
      topic.securedStart[level] = Math.max(topic.securedStart[level] as number, logStartOffset);
    for (const [offset, record] of topic.records) if (record.lastOffset < logStartOffset) topic.records.delete(offset);
    for (const segmentBase of retired) this.retired.push({ topic, segmentBase, isReleased: false });
    this.retirements += retired.length;
    this.giveAwayRetired();
  }

  private isRead(topic: SimTopic): boolean {
    return this.readers.some((reader) => reader.topic === topic);
  }

  private retireWaiting(): void {
    this.retiring = this.retiring.filter((run) => !run());
  }

  /** Hands on the files of a deleted topic; false while somebody reads them. */
  private retire(topic: SimTopic): boolean {
    if (this.isRead(topic) && this.options.recycleBeforeReadersAreDone !== true) return false;
    this.retired = this.retired.filter((file) => file.topic !== topic);
    if (this.trying(() => retireTopic(this.disk, DATA, topic.id, this.poolLimits(), () => {})) && !this.isRead(topic))
      topic.records.clear();
    return true;
  }

  /** Segments that left their logs go to a next owner once that is right. */
  private giveAwayRetired(): void {
    const waiting = this.retired;
    this.retired = [];
    for (const file of waiting) {
      const isRead = this.readers.some(({ topic, record }) => topic === file.topic && record.segmentBase === file.segmentBase);
      const mayGo =
        (file.isReleased || this.options.recycleBeforeRelease === true) && (!isRead || this.options.recycleBeforeReadersAreDone === true);
      const path = segmentPath(DATA, file.topic.id, 0, file.segmentBase);
      if (!mayGo) this.retired.push(file);
      else this.trying(() => retireSegments(this.disk, DATA, [path], this.poolLimits(), () => {}));
    }
  }

  /** Holds a deletion that nobody asked for against the settings: it took nothing that was too young and not too much. */
  private expectDue(topic: SimTopic, logStart: number): void {
    const records = [...topic.records.values()];
    const gone = records.filter(({ lastOffset }) => lastOffset >= topic.logStart && lastOffset < logStart);
    if (gone.length === 0) return;
    const kept = records.reduce((bytes, record) => bytes + (record.lastOffset < logStart ? 0 : record.batch.length), 0);
    const youngest = Math.max(...gone.map(({ timestamp }) => timestamp));
    check(
      topic.retentions.some(({ retentionMs, retentionBytes }) => kept >= retentionBytes || this.nowMs - youngest > retentionMs),
      `${topic.id}: records below ${logStart} were deleted, ${kept} bytes are left, the youngest was ${this.nowMs - youngest} ms old`,
    );
  }

  private poolLimits(): PoolLimits {
    return { segmentBytesMin: 2048, bytesMax: 256 << 10, random: () => `${this.starts}x${this.poolNames++}` };
  }

  /** A failed job is tried again at the next start. */
  private trying(job: () => void): boolean {
    try {
      job();
      return true;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      return false;
    }
  }
}

export { DATA, SimulatedCrash };
