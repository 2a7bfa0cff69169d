/**
 * A broker without sockets on a fake disk: the product's shards, rings, journal, checkpoints, recovery and pool, driven step by step by a seed.
 * Stands in for main (handles, views, topic lifecycle) with as little as possible, and keeps a history against which everything is checked.
 */
import { JobStatus, type FromShard, type KeeperWork, type ToShard } from '../../src/log/messages.ts';
import { runKeeperWork } from '../../src/log/keeper.ts';
import { Journal } from '../../src/log/journal.ts';
import { beginShard, generationNumber, switchGeneration } from '../../src/log/generation.ts';
import {
  emptyPartition,
  type Durability,
  type LogState,
  type PartitionConfig,
  type PartitionState,
} from '../../src/log/partition-state.ts';
import { recover, type Recovered } from '../../src/log/recovery.ts';
import { retireLeftovers, retireSegments, retireTopic, tidyPool, type PoolLimits } from '../../src/log/retire.ts';
import { RetiredSegments, type Leftovers } from '../../src/main/retired-segments.ts';
import { partitionFolder, segmentOffset, segmentPath } from '../../src/log/layout.ts';
import { Prng } from '../../src/lib/prng.ts';
import { buildBatch, type BatchInput } from '../../src/protocol/record.ts';
import { Completion, CompletionFlag, CompletionKind, COMPLETION_WORDS, getLong } from '../../src/ring/completion.ts';
import { createJobResults, JobResults } from '../../src/ring/job-results.ts';
import { createRing, RingConsumer, RingProducer } from '../../src/ring/ring.ts';
import { createSlab, SlabAllocator } from '../../src/ring/slab.ts';
import { offerAppend, SUBMISSION_WORDS, SubmissionKind } from '../../src/ring/submission.ts';
import { Shard } from '../../src/shard/shard.ts';
import type { ShardSettings } from '../../src/shard/settings.ts';
import { DiskError, type Disk } from '../../src/log/disk.ts';
import { FakeDisk, SimulatedCrash } from './fake-disk.ts';
import { SimProducers, type Attempt } from './producers.ts';
import { check, Violation } from './violation.ts';

export const DATA = '/data';

/** How much a record may be trusted to outlive: nothing, the process, or the power. */
export const Survives = { stop: 0, process: 1, power: 2 } as const;
const SURVIVES: Record<Durability, number> = { memory: Survives.stop, 'page-cache': Survives.process, fsync: Survives.power };

export interface SimRecord {
  readonly id: number;
  readonly batch: Buffer;
  baseOffset: number;
  lastOffset: number;
  segmentBase: number;
  position: number;
  acked: boolean;
  /** A consumer may have seen it. */
  shown: boolean;
  survives: number;
  /** Of all its records, ms. */
  timestamp: number;
}

/** When a topic's records may go; the fields are those of PartitionConfig. */
export type SimRetention = Pick<PartitionConfig, 'retentionMs' | 'retentionBytes' | 'segmentMs' | 'segmentJitterMs'>;

const KEEP_ALL: SimRetention = { retentionMs: Infinity, retentionBytes: Infinity, segmentMs: Infinity, segmentJitterMs: 0 };

export interface SimTopic {
  readonly id: string;
  durability: Durability;
  handle: number;
  shard: number;
  deleted: boolean;
  online: boolean;
  moving: boolean;
  leaderEpoch: number;
  segmentBase: number;
  moveNumber: number;
  /** What was acknowledged or shown, by base offset; cut by truncations. */
  records: Map<number, SimRecord>;
  /** Ids of batches that a truncation took away, and that was answered: gone for good. */
  readonly cut: Set<number>;
  /** What was sent, by id; answered or not. */
  readonly sent: Map<number, Buffer>;
  damagedAllowed: boolean;
  /** A truncation was asked for and not answered yet: records from here on may or may not be gone. */
  truncatingTo: number;
  retention: SimRetention;
  /** All that may be in force: changes that are not answered yet, and what was before. */
  retentions: SimRetention[];
  /** Changes of settings that are not answered yet. */
  configuring: number;
  /** Records below were deleted, and main was told. */
  logStart: number;
  /** Records below are deleted for good: a client was told. */
  securedStart: number;
  /** Records below may be gone: their deletion was asked for, or decided and not announced. */
  maybeStart: number;
}

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

/** Knobs of a scenario. */
export interface SimOptions {
  readonly seed: number;
  readonly referenceBytesMin?: number;
  readonly checkpointIntervalBytes?: number;
  readonly recycleBeforeReadersAreDone?: boolean;
  readonly recycleBeforeRelease?: boolean;
  /** Planted bugs: another disk for recovery, and another outcome of it. */
  readonly recoveryDisk?: (disk: FakeDisk) => Disk;
  readonly afterRecovery?: (recovered: Recovered, disk: FakeDisk) => void;
}

/** See the file header. */
export class Simulation {
  readonly prng: Prng;
  readonly disk: FakeDisk;
  /** Half of the seeds: records that go hide what else might be wrong with them. */
  readonly deletesRecords: boolean;
  /** Half of the seeds have idempotent producers: they send less, and so less of everything else happens. */
  readonly hasProducers: boolean;
  readonly topics = new Map<string, SimTopic>();
  nowMs = 1_700_000_000_000;
  shards: ShardSlot[] = [];
  lastRecovery: Recovered | null = null;
  /** Set to watch a run (SIM_TRACE=1). */
  trace: ((line: string) => void) | null = null;
  starts = 0;
  acks = 0;
  refusals = 0;
  readonly producers: SimProducers<SimTopic> = new SimProducers(this);
  /** Segments that left their logs because records were deleted, and files among them that the pool got. */
  retirements = 0;
  /** Segments that began in a file that was somebody's before. */
  recycled = 0;
  private readonly options: SimOptions;
  private readonly slabMemory = createSlab(4 << 20);
  private slab = new SlabAllocator(this.slabMemory);
  private readonly pending = new Map<number, Pending>();
  private readers: SlowReader[] = [];
  private retiring: SimTopic[] = [];
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
    this.deletesRecords = (options.seed & 4) !== 0;
    this.hasProducers = (options.seed & 8) !== 0;
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
      reserveBytes: 8 << 10,
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
    const anyTime = { timestampType: 'CreateTime', timestampBeforeMsMax: Infinity, timestampAfterMsMax: Infinity } as const;
    return { durability: topic.durability, segmentBytes: 16384, maxMessageBytes: 8192, ...anyTime, ...topic.retention };
  }

  /** Recovers and begins a new generation. A SimulatedCrash may come out of it. */
  start(): Recovered {
    const { disk } = this;
    for (const changed of disk.mkdir(DATA)) disk.syncFolder(changed);
    const recovered = recover(this.options.recoveryDisk?.(disk) ?? disk, DATA, (id) => {
      const topic = this.topics.get(id);
      return topic === undefined ? 'unknown' : topic.deleted ? 'deleted' : 'known';
    });
    this.options.afterRecovery?.(recovered, disk);
    tidyPool(disk, DATA);
    this.lastRecovery = recovered;
    this.trace?.(`start ${this.starts}: ${JSON.stringify(recovered.notes)}`);
    if (this.starts++ > 0 && !recovered.clean) this.unclean++;
    const generation = (BigInt(this.prng.next()) * 2n ** 32n + BigInt(this.prng.next())).toString(16).padStart(16, '0');
    const live = [...this.topics.values()].filter((topic) => !topic.deleted);
    const states = new Map(live.map((topic) => [topic, recovered.partitions.get(`${topic.id}/0`) ?? emptyPartition(topic.id, 0)]));
    this.shards = [];
    for (const kind of ['sync', 'buffered'] as const) {
      const mine = live.filter((topic) => (topic.durability === 'fsync') === (kind === 'sync'));
      const partitions = mine.map((topic) => ({
        handle: -1,
        state: structuredClone(states.get(topic) as PartitionState),
        movedOut: false,
      }));
      beginShard(disk, DATA, generation, { shard: `${kind}-0`, partitions });
    }
    switchGeneration(disk, DATA, generation, `${DATA}/generations/${generation}/sync-0`, 1 << 20);
    this.slab = new SlabAllocator(this.slabMemory);
    this.pending.clear();
    for (const kind of ['sync', 'buffered'] as const) this.shards.push(this.makeShard(kind, generation));
    this.leftovers = [];
    for (const topic of live) {
      const leftovers = RetiredSegments.leftoversOf(states.get(topic) as PartitionState);
      if (leftovers !== undefined) this.leftovers.push(leftovers);
      topic.shard = topic.durability === 'fsync' ? 0 : 1;
      const state = states.get(topic) as PartitionState;
      topic.leaderEpoch = this.unclean;
      topic.moveNumber = state.moveNumber;
      this.open(topic, structuredClone(state), true);
    }
    for (const slot of this.shards) this.control(slot, { kind: 'begin' });
    for (let i = 0; i < 200 && live.some((topic) => !topic.online); i++) this.workAll();
    for (const topic of this.topics.values()) if (topic.deleted) this.retire(topic);
    return recovered;
  }

  createTopic(durability: Durability, retention: SimRetention = KEEP_ALL): SimTopic {
    const id = `topic-${this.nextTopic++}`;
    const topic: SimTopic = {
      id,
      durability,
      handle: 0,
      shard: durability === 'fsync' ? 0 : 1,
      deleted: false,
      online: false,
      moving: false,
      leaderEpoch: this.unclean,
      segmentBase: -1,
      moveNumber: 0,
      records: new Map(),
      cut: new Set(),
      sent: new Map(),
      damagedAllowed: false,
      truncatingTo: Infinity,
      retention,
      retentions: [retention],
      configuring: 0,
      logStart: 0,
      securedStart: 0,
      maybeStart: 0,
    };
    this.topics.set(id, topic);
    this.open(topic, emptyPartition(id, 0), false);
    return topic;
  }

  /** Sends one batch; false when ring or slab have no room. */
  produce(topic: SimTopic, payloadBytes: number): boolean {
    const { id, batch } = this.makeBatch(topic, 1 + this.prng.below(3), payloadBytes, {});
    return this.send(topic, id, batch, null);
  }

  /** Builds a batch that is like no other. */
  makeBatch(topic: SimTopic, count: number, payloadBytes: number, producer: Partial<BatchInput>): { id: number; batch: Buffer } {
    const id = this.nextId++;
    const value = Buffer.alloc(8 + payloadBytes, id & 0xff);
    value.writeDoubleBE(id, 0);
    const records = Array.from({ length: count }, () => ({ value }));
    const batch = buildBatch({ records, baseTimestamp: this.nowMs, ...producer });
    topic.sent.set(id, batch);
    return { id, batch };
  }

  /** Sends a batch, perhaps not for the first time; false when ring or slab have no room. */
  send(topic: SimTopic, id: number, batch: Buffer, attempt: Attempt<SimTopic> | null): boolean {
    const slot = this.shards[topic.shard] as ShardSlot;
    const region = this.slab.allocate(batch.length);
    if (region < 0 || slot.submissions.free(1) < 1) {
      if (region >= 0) this.slab.free(region, batch.length);
      return false;
    }
    batch.copy(this.slab.bytes, region);
    const request = this.nextRequest++;
    const record: SimRecord = {
      id,
      batch,
      baseOffset: -1,
      lastOffset: -1,
      segmentBase: -1,
      position: -1,
      acked: false,
      shown: false,
      survives: 0,
      timestamp: Number(batch.readBigInt64BE(35)),
    };
    this.pending.set(request, { topic, record, region, bytes: batch.length, attempt, answered: false });
    offerAppend(slot.submissions, region, batch.length, request, 0, topic.handle, 0);
    slot.submissions.publish();
    return true;
  }

  deleteTopic(topic: SimTopic): void {
    topic.deleted = true;
    this.control(this.shards[topic.shard] as ShardSlot, { kind: 'close', handle: topic.handle });
  }

  truncate(topic: SimTopic, endOffset: number): void {
    topic.truncatingTo = Math.min(topic.truncatingTo, endOffset);
    this.truncations++;
    this.control(this.shards[topic.shard] as ShardSlot, { kind: 'truncate', handle: topic.handle, endOffset });
  }

  /** Deletes the records below `offset`, which is at most the watermark. */
  deleteRecords(topic: SimTopic, offset: number): void {
    topic.maybeStart = Math.max(topic.maybeStart, offset);
    this.control(this.shards[topic.shard] as ShardSlot, { kind: 'setLogStart', handle: topic.handle, offset });
  }

  /** Changes when records go. */
  changeRetention(topic: SimTopic, retention: SimRetention): void {
    topic.retention = retention;
    topic.retentions.push(retention);
    this.configure(this.shards[topic.shard] as ShardSlot, topic);
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
    const from = this.shards[topic.shard] as ShardSlot;
    topic.durability = durability;
    if ((durability === 'fsync') === (from.class === 'sync')) {
      this.configure(from, topic);
      return;
    }
    topic.online = false;
    this.control(from, { kind: 'moveOut', handle: topic.handle, moveNumber: topic.moveNumber + 1 });
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
    const fd = this.disk.open(segmentPath(DATA, topic.id, 0, record.segmentBase), 'read');
    this.readers.push({ topic, fd, record });
  }

  finishSlowReads(): void {
    for (const reader of this.readers) {
      // A truncation may have cut the record while the reader held it; what is deleted, alone or with its topic, is still its own as long as somebody reads it.
      if (!this.cutRecords.has(reader.record)) this.expectRecord(reader.fd, reader.record, 'a slow reader');
      this.disk.close(reader.fd);
    }
    this.readers = [];
    this.retireWaiting();
    this.giveAwayRetired();
  }

  /** The process is gone from one moment to the next. */
  stopAbruptly(): void {
    this.disk.killProcess();
  }

  /** Stops cleanly. `meanwhile`: what clients go on with, before each cycle of the shards. */
  stop(meanwhile: () => void = () => {}): void {
    this.finishSlowReads();
    for (const slot of this.shards) this.control(slot, { kind: 'stop' });
    for (let i = 0; i < 300 && this.shards.some((slot) => slot.stopped === null); i++) {
      this.nowMs += 100;
      meanwhile();
      for (const slot of this.shards) {
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
    for (const topic of this.topics.values()) {
      if (topic.deleted) continue;
      const state = recovered.partitions.get(`${topic.id}/0`);
      check(
        (state?.logStartOffset ?? 0) >= topic.securedStart,
        `${topic.id}: records below ${topic.securedStart} were deleted, and that was answered; the log starts at ${state?.logStartOffset}`,
      );
      check(
        (state?.logStartOffset ?? 0) <= topic.maybeStart,
        `${topic.id}: the log starts at ${state?.logStartOffset}, deleted was at most what is below ${topic.maybeStart}`,
      );
      for (const record of topic.records.values()) {
        if ((!record.acked && !record.shown) || record.survives < survived || record.lastOffset >= topic.truncatingTo) continue;
        if (record.lastOffset < topic.maybeStart) continue;
        check(
          state !== undefined && record.lastOffset < state.endOffset,
          `${topic.id}: ${record.acked ? 'acknowledged' : 'shown'} offset ${record.baseOffset} (survives ${record.survives}) is gone: the log ends at ${state?.endOffset}`,
        );
      }
      const survivors = new Map<number, SimRecord>();
      if (state !== undefined) this.walk(topic, state, survivors);
      this.producers.verifyRecovered(topic, state, survivors);
      topic.records = survivors;
      topic.truncatingTo = Infinity;
      topic.logStart = topic.maybeStart = topic.securedStart = state?.logStartOffset ?? 0;
      topic.retentions = [topic.retention];
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

  private walk(topic: SimTopic, state: PartitionState, survivors: Map<number, SimRecord>): void {
    const seen = new Set<number>();
    let expected = state.segments[0]?.baseOffset ?? state.endOffset;
    const lastIds = new Map<string, number>();
    check(
      skipDamage(state, state.logStartOffset, expected) >= expected && state.logStartOffset <= state.endOffset,
      `${topic.id}: the log starts at ${state.logStartOffset}, its first segment at ${expected}, it ends at ${state.endOffset}`,
    );
    if (!topic.damagedAllowed)
      check(state.damaged.length === 0, `${topic.id}: damage reported although nothing was damaged: ${JSON.stringify(state.damaged)}`);
    for (const segment of state.segments) {
      if (segment.endPosition === 0) continue;
      expected = skipDamage(state, expected, segment.baseOffset);
      check(segment.baseOffset === expected, `${topic.id}: segment ${segment.baseOffset} does not follow ${expected}`);
      const fd = this.disk.open(segmentPath(DATA, topic.id, 0, segment.baseOffset), 'read');
      for (let position = 0; position < segment.endPosition;) {
        const header = Buffer.alloc(61);
        this.disk.read(fd, header, 0, 61, position);
        const baseOffset = Number(header.readBigInt64BE(0));
        const bytes = header.readInt32BE(8) + 12;
        expected = skipDamage(state, expected, baseOffset);
        check(
          baseOffset === expected && bytes > 61 && bytes < 16384,
          `${topic.id}: at ${segment.baseOffset}+${position} stands offset ${baseOffset}, expected ${expected}`,
        );
        const batch = Buffer.alloc(bytes);
        this.disk.read(fd, batch, 0, bytes, position);
        const id = this.idOf(batch);
        const sent = topic.sent.get(id);
        check(
          sent !== undefined && sent.subarray(17).equals(batch.subarray(17)),
          `${topic.id}: offset ${baseOffset} holds bytes that were never sent (id ${id})`,
        );
        check(!topic.cut.has(id), `${topic.id}: batch ${id} at offset ${baseOffset} was cut by a truncation and is back`);
        check(!seen.has(id), `${topic.id}: batch ${id} stands twice`);
        // Of one producer and epoch; all that have no producer id count as one.
        const producer = `${batch.readBigInt64BE(43)} ${batch.readInt16BE(51)}`;
        const before = lastIds.get(producer) ?? 0;
        check(id > before, `${topic.id}: batch ${id} stands behind ${before}`);
        seen.add(id);
        lastIds.set(producer, id);
        const lastOffset = baseOffset + header.readInt32BE(23);
        const known = topic.records.get(baseOffset);
        if (known !== undefined && known.acked && known.survives >= Survives.power)
          check(known.id === id, `${topic.id}: offset ${baseOffset} was batch ${known.id} and is batch ${id} now`);
        // What is served from now on may not vanish any more: recovery synced it.
        survivors.set(baseOffset, {
          id,
          batch: sent as Buffer,
          baseOffset,
          lastOffset,
          segmentBase: segment.baseOffset,
          position,
          acked: known?.acked ?? true,
          shown: true,
          survives: Survives.power,
          timestamp: Number(header.readBigInt64BE(35)),
        });
        expected = lastOffset + 1;
        position += bytes;
      }
      expected = skipDamage(state, expected, segment.endOffset);
      check(
        segment.endOffset === expected,
        `${topic.id}: segment ${segment.baseOffset} ends at ${expected}, its state says ${segment.endOffset}`,
      );
      this.disk.close(fd);
    }
    expected = skipDamage(state, expected, state.endOffset);
    check(state.endOffset === expected, `${topic.id}: the log ends at ${expected}, its state says ${state.endOffset}`);
  }

  idOf(batch: Buffer): number {
    // Header 61 bytes, then record: varint length, attributes, timestamp delta, offset delta, key length, varint value length, value.
    let at = 61;
    const varint = (): void => {
      while (((batch[at++] as number) & 0x80) !== 0);
    };
    varint();
    at++;
    varint();
    varint();
    varint();
    varint();
    return at + 8 <= batch.length ? batch.readDoubleBE(at) : NaN;
  }

  private makeShard(kind: 'sync' | 'buffered', generation: string): ShardSlot {
    const submissions = createRing(64, SUBMISSION_WORDS);
    const completions = createRing(1024, COMPLETION_WORDS);
    const jobResults = createJobResults();
    const folder = `${DATA}/generations/${generation}/${kind}-0`;
    const toShard: ToShard[] = [];
    const fromShard: FromShard[] = [];
    const slot: ShardSlot = {
      name: `${kind}-0`,
      class: kind,
      submissions: new RingProducer(submissions),
      completions: new RingConsumer(completions),
      toShard,
      fromShard,
      results: new JobResults(jobResults),
      jobs: [],
      failed: false,
      stopped: null,
      shard: new Shard(this.settings(kind), folder, generationNumber(generation), {
        disk: this.disk,
        submissions: new RingConsumer(submissions),
        completions: new RingProducer(completions),
        control: { post: (message) => void fromShard.push(structuredClone(message)), receive: () => toShard.shift() as ToShard },
        jobResults: new JobResults(jobResults),
        slab: Buffer.from(this.slabMemory),
        journal: new Journal(this.disk, folder),
        ring: () => {},
        waitForMain: () => {
          throw new Error('completion ring full');
        },
      }),
    };
    return slot;
  }

  private open(topic: SimTopic, state: PartitionState, recovered: boolean): void {
    topic.handle = this.nextHandle++;
    topic.online = false;
    topic.segmentBase = state.segments[state.segments.length - 1]?.baseOffset ?? -1;
    const slot = this.shards[topic.shard] as ShardSlot;
    this.control(slot, {
      kind: 'open',
      handle: topic.handle,
      state: structuredClone(state),
      config: this.config(topic),
      leaderEpoch: topic.leaderEpoch,
      recovered,
    });
  }

  private configure(slot: ShardSlot, topic: SimTopic): void {
    topic.configuring++;
    this.control(slot, { kind: 'configure', handle: topic.handle, config: this.config(topic) });
  }

  private control(slot: ShardSlot, message: ToShard): void {
    for (let i = 0; slot.submissions.free(1) < 1 && i < 100; i++) this.work(slot);
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
    for (let n = completions.available(); n > 0; n--) {
      const at = completions.at(0);
      const words = completions.words;
      if (words[at + Completion.kind] === CompletionKind.control) this.onControl(slot, slot.fromShard.shift() as FromShard);
      else this.onAppend(slot, words, at);
      completions.release(1);
    }
  }

  private onAppend(slot: ShardSlot, words: Int32Array, at: number): void {
    const entry = this.pending.get(words[at + Completion.request] as number);
    if (entry === undefined) throw new Violation('a completion for a request that was answered before');
    const { topic, record } = entry;
    const flags = words[at + Completion.flags] as number;
    const error = words[at + Completion.errorCode] as number;
    const memory = topic.durability === 'memory' && slot.class === 'buffered';
    const isAnswer = (flags & CompletionFlag.answer) !== 0;
    const isDuplicate = error === 0 && isAnswer && (flags & CompletionFlag.released) !== 0 && (flags & CompletionFlag.readable) === 0;
    if (isDuplicate)
      this.onDuplicate(entry, getLong(words, at + Completion.baseOffset), slot.class === 'sync' ? Survives.power : Survives.stop);
    else if (error !== 0) {
      this.refusals++;
      if (entry.answered) {
        // A `memory` batch that could not be written after its answer: its offsets are burnt.
        check(slot.class === 'buffered', `${topic.id}: an acknowledged batch was refused`);
        record.acked = false;
        topic.records.delete(record.baseOffset);
        topic.damagedAllowed = true;
      }
    } else {
      record.baseOffset = getLong(words, at + Completion.baseOffset);
      record.lastOffset = record.baseOffset + (words[at + Completion.lastOffsetDelta] as number);
      if (isAnswer) {
        this.acks++;
        this.trace?.(`${slot.name} ack ${topic.id} batch ${record.id} at ${record.baseOffset}..${record.lastOffset}`);
        record.acked = true;
        this.remember(topic, record, slot.class === 'sync' ? Survives.power : memory ? Survives.stop : Survives.process);
      }
      if ((flags & CompletionFlag.readable) !== 0 && !topic.deleted) {
        record.shown = true;
        this.producers.onAppended(topic, record.batch, record.baseOffset);
        this.remember(topic, record, slot.class === 'sync' ? Survives.power : memory ? Survives.stop : Survives.process);
        record.segmentBase = topic.segmentBase;
        record.position = words[at + Completion.position] as number;
        const fd = this.disk.open(segmentPath(DATA, topic.id, 0, record.segmentBase), 'read');
        this.expectRecord(fd, record, 'a tailing reader');
        this.disk.close(fd);
      }
    }
    if (isAnswer) {
      entry.answered = true;
      if (entry.attempt !== null) this.producers.onAnswer(entry.attempt, error, getLong(words, at + Completion.baseOffset), isDuplicate);
    }
    if ((flags & CompletionFlag.released) === 0) return;
    this.pending.delete(words[at + Completion.request] as number);
    this.slab.free(entry.region, entry.bytes);
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
    topic.records.set(record.baseOffset, record);
  }

  private expectRecord(fd: number, record: SimRecord, who: string): void {
    const batch = Buffer.alloc(record.batch.length);
    this.disk.read(fd, batch, 0, batch.length, record.position);
    check(
      Number(batch.readBigInt64BE(0)) === record.baseOffset && batch.subarray(17).equals(record.batch.subarray(17)),
      `${who} of offset ${record.baseOffset} sees other bytes`,
    );
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
      case 'stopped':
        slot.stopped = message.error === null;
        return;
      case 'began':
      case 'syncHelpWanted':
        return;
      case 'released':
        for (const { topicId, baseOffset } of message.segments)
          for (const file of this.retired) if (file.topic.id === topicId && file.segmentBase === baseOffset) file.isReleased = true;
        this.giveAwayRetired();
        return;
    }
    const topic = this.byHandle(message.handle);
    if (topic === undefined) return;
    switch (message.kind) {
      case 'opened':
        if (message.error !== null) return;
        topic.online = true;
        // The answer to a change of mode: everything acknowledged before is now as safe as the new mode promises.
        if (topic.moving && topic.durability === 'fsync') for (const record of topic.records.values()) record.survives = Survives.power;
        topic.moving = false;
        return;
      case 'closed':
        this.retiring.push(topic);
        this.retireWaiting();
        return;
      case 'movedOut':
        if (message.state === null || message.error !== null) return;
        topic.moveNumber = message.state.moveNumber;
        topic.shard = topic.durability === 'fsync' ? 0 : 1;
        topic.moving = true;
        this.open(topic, message.state, false);
        return;
      case 'configured':
        if (--topic.configuring === 0) topic.retentions = [topic.retention];
        return;
      case 'rolled':
        topic.segmentBase = message.baseOffset;
        if (message.capacity > 0) this.recycled++;
        return;
      case 'logStartSet':
      case 'logStartMoved':
        // What a shard that failed did not record may still have happened: only a restart tells.
        if (message.error !== null) return;
        if (message.kind === 'logStartMoved') this.expectDue(topic, message.logStartOffset);
        else topic.securedStart = Math.max(topic.securedStart, message.logStartOffset);
        topic.logStart = message.logStartOffset;
        topic.maybeStart = Math.max(topic.maybeStart, topic.logStart);
        for (const [offset, record] of topic.records) if (record.lastOffset < topic.logStart) topic.records.delete(offset);
        for (const segmentBase of message.retired) this.retired.push({ topic, segmentBase, isReleased: false });
        this.retirements += message.retired.length;
        this.giveAwayRetired();
        return;
      case 'truncated':
        // A refused truncation may still have happened: only a restart tells.
        if (message.error !== null) return;
        if (--this.truncations === 0) for (const each of this.topics.values()) each.truncatingTo = Infinity;
        if (message.state === null || message.error !== null) return;
        for (const [offset, record] of topic.records) {
          const isCut = record.lastOffset >= message.state.endOffset;
          // What an idempotent producer sends again at this moment may be appended behind the cut.
          if (isCut && !this.isOnItsWay(record.id)) topic.cut.add(record.id);
          if (isCut) this.cutRecords.add(record);
          // A cut down to the log start takes the deleted records before it along.
          if (isCut || message.state.segments.length === 0) topic.records.delete(offset);
        }
        topic.segmentBase = message.state.segments[message.state.segments.length - 1]?.baseOffset ?? -1;
        this.producers.onTruncated(topic, message.state);
        return;
    }
  }

  private isOnItsWay(id: number): boolean {
    for (const { record } of this.pending.values()) if (record.id === id) return true;
    return false;
  }

  private retireWaiting(): void {
    const waiting = this.retiring;
    this.retiring = [];
    for (const topic of waiting) {
      const held = this.readers.some((reader) => reader.topic === topic);
      if (held && this.options.recycleBeforeReadersAreDone !== true) this.retiring.push(topic);
      else this.retire(topic);
    }
  }

  private retire(topic: SimTopic): void {
    this.retired = this.retired.filter((file) => file.topic !== topic);
    if (!this.trying(() => retireTopic(this.disk, DATA, topic.id, this.poolLimits(), () => {}))) return;
    if (this.readers.some((reader) => reader.topic === topic)) return;
    topic.records.clear();
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
}

export { check, SimulatedCrash, SURVIVES, Violation };

/** The offset that has to come next, given that damaged ranges up to `found` are not there. */
function skipDamage(state: PartitionState, expected: number, found: number): number {
  let next = expected;
  for (const range of state.damaged) if (range.from <= next && next < range.to && found >= range.to) next = range.to;
  return next;
}
