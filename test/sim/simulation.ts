/**
 * A broker without sockets on a fake disk: the product's shards, rings, journal, checkpoints, recovery, pool and read views, driven step by step by a
 * seed. Stands in for the rest of main with as little as possible, and keeps a history against which everything is checked (history.ts).
 */
import { beginGeneration } from '../../src/log/begin.ts';
import { DiskError, type Disk } from '../../src/log/disk.ts';
import { beginShard, generationNumber } from '../../src/log/generation.ts';
import { Journal } from '../../src/log/journal.ts';
import { runKeeperWork } from '../../src/log/keeper.ts';
import { generationFolder, segmentPath } from '../../src/log/layout.ts';
import { JobStatus, type FromShard, type KeeperWork, type ToShard } from '../../src/log/messages.ts';
import { emptyPartition, type Durability, type PartitionConfig, type PartitionState } from '../../src/log/partition-state.ts';
import type { Recovered } from '../../src/log/recovery.ts';
import { retireTopic } from '../../src/log/retire.ts';
import { Prng } from '../../src/lib/prng.ts';
import { PartitionView } from '../../src/main/partition-view.ts';
import { ShardCalls } from '../../src/main/shard-calls.ts';
import type { ShardLink } from '../../src/main/shard-link.ts';
import { ErrorCode } from '../../src/protocol/errors.ts';
import { buildBatch } from '../../src/protocol/record.ts';
import { stampBatch } from '../../src/protocol/record-batch.ts';
import { Completion, CompletionFlag, CompletionKind, COMPLETION_WORDS, getLong } from '../../src/ring/completion.ts';
import { createJobResults, JobResults } from '../../src/ring/job-results.ts';
import { createRing, RingConsumer, RingProducer } from '../../src/ring/ring.ts';
import { createSlab, SlabAllocator } from '../../src/ring/slab.ts';
import { offerAppend, SUBMISSION_WORDS, SubmissionFlag, SubmissionKind } from '../../src/ring/submission.ts';
import { Shard } from '../../src/shard/shard.ts';
import type { ShardSettings } from '../../src/shard/settings.ts';
import { FakeDisk, SimulatedCrash } from './fake-disk.ts';
import { check, DATA, holdsBatch, Survives, verifyTopic, type SimRecord, type SimTopic } from './history.ts';

/** Larger than half a segment: not every recycled file holds every batch. */
const BATCH_BYTES_MAX = 14_000;
export const SEGMENT_BYTES_MIN = 12_000;

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
  /** Planted bugs: another disk for recovery, and another outcome of it. */
  readonly recoveryDisk?: (disk: FakeDisk) => Disk;
  readonly afterRecovery?: (recovered: Recovered, disk: FakeDisk) => void;
}

/** See the file header. */
export class Simulation {
  readonly prng: Prng;
  readonly disk: FakeDisk;
  readonly topics = new Map<string, SimTopic>();
  nowMs = 1_700_000_000_000;
  shards: ShardSlot[] = [];
  lastRecovery: Recovered | null = null;
  /** Set to watch a run (SIM_TRACE=1). */
  trace: ((line: string) => void) | null = null;
  starts = 0;
  /** The disk refused things for a while in this life: it was full, or out of descriptors. */
  hadTrouble = false;
  acks = 0;
  refusals = 0;
  private readonly options: SimOptions;
  private readonly slabMemory = createSlab(4 << 20);
  private slab = new SlabAllocator(this.slabMemory);
  private readonly pending = new Map<number, { topic: SimTopic; record: SimRecord; region: number; bytes: number }>();
  private calls = new ShardCalls();
  private generation = '';
  private syncShards = 1;
  private readers: SlowReader[] = [];
  private retiring: (() => boolean)[] = [];
  private nextHandle = 1;
  private nextId = 1;
  private nextRequest = 1;
  private nextTopic = 1;
  private unclean = 0;
  private truncations = 0;

  constructor(options: SimOptions) {
    this.options = options;
    this.prng = new Prng(options.seed);
    this.disk = new FakeDisk(this.prng);
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
      spinUs: 0,
    };
  }

  config(topic: SimTopic): PartitionConfig {
    return {
      durability: topic.durability,
      segmentBytes: topic.segmentBytes,
      maxMessageBytes: BATCH_BYTES_MAX,
      timestampType: topic.appendTime ? 'LogAppendTime' : 'CreateTime',
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
    this.shards = [];
    for (const [name, folder] of begun.folders) this.shards.push(this.makeShard(name, folder));
    for (const topic of live) {
      const state = recovered.partitions.get(`${topic.id}/0`) ?? emptyPartition(topic.id, 0);
      topic.leaderEpoch = this.unclean;
      this.openFresh(topic, structuredClone(state), true);
    }
    for (const slot of this.shards) this.control(slot, { kind: 'begin' });
    for (let i = 0; i < 200 && live.some((topic) => !topic.online); i++) this.workAll();
    for (const topic of this.topics.values()) if (topic.deleted) this.retire(topic);
    return recovered;
  }

  createTopic(durability: Durability): SimTopic {
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
      logStart: { told: 0, asked: 0, survives: Survives.power },
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
    const slot = this.slotOf(topic);
    const id = this.nextId++;
    const value = Buffer.alloc(8 + payloadBytes, id & 0xff);
    value.writeDoubleBE(id, 0);
    const records = Array.from({ length: 1 + this.prng.below(3) }, () => ({ value }));
    const batch = buildBatch({ records, baseTimestamp: this.nowMs });
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
    };
    topic.sent.set(id, record);
    this.pending.set(request, { topic, record, region, bytes: batch.length });
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

  setLogStart(topic: SimTopic, offset: number): void {
    topic.logStart.asked = Math.max(topic.logStart.asked, offset);
    this.call(this.slotOf(topic), { kind: 'setLogStart', handle: topic.handle, offset });
  }

  /** Other segment sizes, for the segments to come. */
  configure(topic: SimTopic, segmentBytes: number): void {
    topic.segmentBytes = segmentBytes;
    this.call(this.slotOf(topic), { kind: 'configure', handle: topic.handle, config: this.config(topic) });
  }

  /** Commits the new mode to the metadata and moves the partition if its class changes. */
  changeDurability(topic: SimTopic, durability: Durability): void {
    const from = this.slotOf(topic);
    topic.durability = durability;
    if ((durability === 'fsync') === (from.class === 'sync')) {
      this.call(from, { kind: 'configure', handle: topic.handle, config: this.config(topic) });
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
    if (record.position < 0 || record.lastOffset < topic.logStart.asked) return;
    const fd = this.disk.peek(segmentPath(DATA, topic.id, 0, record.segmentBase));
    this.readers.push({ topic, fd, record });
  }

  finishSlowReads(): void {
    // Main hears of a failed sync from the shard, a moment after it happened.
    if (this.disk.hasEvicted) for (const slot of this.shards) if (slot.stopped === null) this.work(slot);
    for (const reader of this.readers) {
      // A truncation may have cut the record while the reader held it; what a deleted topic's reader sees must still be its own.
      const isServed = reader.record.lastOffset < reader.topic.view.unsecuredFrom;
      if (isServed && reader.topic.records.get(reader.record.baseOffset) === reader.record)
        this.expectRecord(reader.topic, reader.fd, reader.record, 'a slow reader');
      this.disk.close(reader.fd);
    }
    this.readers = [];
    this.retireWaiting();
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
      if (!topic.deleted) verifyTopic(this.disk, topic, recovered.partitions.get(`${topic.id}/0`), survived);
  }

  /** Forgets what the dead process knew. */
  afterCrash(): void {
    this.readers = [];
    this.retiring = [];
    this.truncations = 0;
    this.pending.clear();
    for (const topic of this.topics.values()) {
      topic.online = topic.moving = false;
      topic.opening = topic.unopened = null;
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
    if (error !== 0) {
      this.refusals++;
      this.checkRefusal(slot, topic, record, error);
      if (record.acked) {
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
    record.segmentBase = view.segments[view.segmentIndexOf(record.baseOffset)]!.baseOffset;
    const fd = this.disk.peek(segmentPath(DATA, topic.id, 0, record.segmentBase));
    this.expectRecord(topic, fd, record, 'a tailing reader');
    this.disk.close(fd);
  }

  private noteAppendTime(topic: SimTopic, record: SimRecord, time: number): void {
    if (!topic.appendTime || record.given >= 0) return check(time === -1, `${topic.id}: a log-append time where none is asked for`);
    check(time >= topic.lastAppendTime, `${topic.id}: log-append time goes back from ${topic.lastAppendTime} to ${time}`);
    topic.lastAppendTime = time;
  }

  private remember(topic: SimTopic, record: SimRecord, survives: number): void {
    record.survives = survives;
    const before = topic.records.get(record.baseOffset);
    const free = before === undefined || before === record;
    check(free, `${topic.id}: offset ${record.baseOffset} was given out twice (batch ${before?.id} and ${record.id})`);
    check(
      record.baseOffset >= topic.logStart.told,
      `${topic.id}: offset ${record.baseOffset} was given out below the log start ${topic.logStart.told}`,
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
        for (const { handle, from } of message.unsecured) this.byHandle(handle)?.view.onUnsecured(from);
        return;
      case 'stopped':
        slot.stopped = message.error === null;
        return;
      case 'began':
      case 'syncHelpWanted':
        return;
      case 'rolled':
        this.byHandle(message.handle)?.view.onRolled(message.baseOffset, message.capacity, message.previousEndPosition);
        return;
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
        for (const [offset, record] of topic.records) {
          if (record.lastOffset < message.state.endOffset) continue;
          topic.records.delete(offset);
          topic.cut.add(record.id);
        }
        return;
      case 'logStartSet':
        if (message.error === null) this.onLogStartSet(slot, topic, message.logStartOffset, message.retired);
    }
  }

  private onLogStartSet(slot: ShardSlot, topic: SimTopic, offset: number, retired: readonly number[]): void {
    topic.view.onLogStartSet(offset, retired);
    // With files to remove it is durable in either class.
    const survives = slot.class === 'sync' || retired.length > 0 ? Survives.power : Survives.process;
    if (offset > topic.logStart.told || survives > topic.logStart.survives) topic.logStart.survives = survives;
    topic.logStart.told = Math.max(topic.logStart.told, offset);
    for (const [base, record] of topic.records) if (record.lastOffset < offset) topic.records.delete(base);
    this.retiring.push(() => {
      if (this.isRead(topic)) return false;
      for (const base of retired) this.disk.unlink(segmentPath(DATA, topic.id, 0, base));
      return true;
    });
    this.retireWaiting();
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
    let name = 0;
    try {
      retireTopic(
        this.disk,
        DATA,
        topic.id,
        { segmentBytesMin: 2048, bytesMax: 256 << 10, random: () => `${topic.handle}x${name++}` },
        () => {},
      );
    } catch (error) {
      // A failed job is tried again at the next start.
      if (!(error instanceof DiskError)) throw error;
      return true;
    }
    if (!this.isRead(topic)) topic.records.clear();
    return true;
  }
}

export { DATA, SimulatedCrash };
