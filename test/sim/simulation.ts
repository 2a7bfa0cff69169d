/**
 * A broker without sockets on a fake disk: the product's shards, rings, journal, checkpoints, recovery, pool and read views, driven step by step by a
 * seed. Stands in for the rest of main with as little as possible, and keeps a history against which everything is checked (history.ts).
 */
import { beginGeneration } from '../../src/log/begin.ts';
import type { Disk } from '../../src/log/disk.ts';
import { runKeeperWork } from '../../src/log/keeper.ts';
import { partitionFolder, segmentOffset } from '../../src/log/layout.ts';
import { JobStatus, type FromShard, type ToShard } from '../../src/log/messages.ts';
import { emptyPartition, type Durability, type LogState, type PartitionState } from '../../src/log/partition-state.ts';
import type { Recovered } from '../../src/log/recovery.ts';
import { Prng } from '../../src/lib/prng.ts';
import { PartitionView } from '../../src/main/partition-view.ts';
import { RetiredSegments } from '../../src/main/retired-segments.ts';
import { ShardCalls } from '../../src/main/shard-calls.ts';
import type { ShardLink } from '../../src/main/shard-link.ts';
import { buildBatch, type BatchInput } from '../../src/protocol/record.ts';
import { stampBatch } from '../../src/protocol/record-batch.ts';
import { Completion, CompletionKind } from '../../src/ring/completion.ts';
import { createSlab, SlabAllocator } from '../../src/ring/slab.ts';
import { offerAppend, SubmissionFlag, SubmissionKind } from '../../src/ring/submission.ts';
import { SimAnswers } from './answers.ts';
import { FakeDisk, SimulatedCrash } from './fake-disk.ts';
import { SimFiles, type FileKnobs } from './files.ts';
import { check, DATA, verifyTopic, type SimRecord, type SimRetention, type SimTopic } from './history.ts';
import { SimMessages } from './messages.ts';
import { SimProducers, type Attempt } from './producers.ts';
import { configOf, makeShard, SEGMENT_BYTES_MIN, type ShardKnobs, type ShardSlot } from './shard-slot.ts';

const KEEP_ALL: SimRetention = { retentionMs: Infinity, retentionBytes: Infinity, segmentMs: Infinity, segmentJitterMs: 0 };

/** Knobs of a scenario. */
export interface SimOptions extends ShardKnobs, FileKnobs {
  /** Shards of class `sync` at each start; one unless told otherwise. */
  readonly syncShards?: () => number;
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
  slab = new SlabAllocator(this.slabMemory);
  calls = new ShardCalls();
  readonly files: SimFiles;
  readonly answers = new SimAnswers(this);
  /** Truncations under way. */
  truncations = 0;
  private readonly messages = new SimMessages(this);
  private generation = '';
  private syncShards = 1;
  private nextHandle = 1;
  private nextId = 1;
  private nextRequest = 1;
  private nextTopic = 1;
  private unclean = 0;
  /** A truncation was under way when the broker died. */
  truncationsAsked = false;

  constructor(options: SimOptions) {
    this.options = options;
    this.prng = new Prng(options.seed);
    this.disk = new FakeDisk(this.prng);
    this.disk.nowMs = 1_700_000_000_000;
    this.files = new SimFiles(this, options);
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
    this.answers.pending.clear();
    this.calls = new ShardCalls();
    this.hadTrouble = disk.capacity < Infinity;
    // Whatever is served from now on is on disk.
    disk.evict(1);
    this.hasEvicted = false;
    this.shards = [];
    for (const name of begun.folders.keys()) this.shards.push(this.makeShard(name));
    this.files.leftovers = [];
    for (const topic of live) {
      const state = recovered.partitions.get(`${topic.id}/0`) ?? emptyPartition(topic.id, 0);
      const leftovers = RetiredSegments.leftoversOf(state);
      if (leftovers !== undefined) this.files.leftovers.push(leftovers);
      topic.leaderEpoch = this.unclean;
      this.openFresh(topic, structuredClone(state), true);
    }
    for (const slot of this.shards) this.control(slot, { kind: 'begin' });
    for (let i = 0; i < 200 && live.some((topic) => !topic.online); i++) this.workAll();
    for (const topic of this.topics.values()) if (topic.deleted) this.files.retire(topic);
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
    const slot = this.makeShard(topic.shard, true);
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
    if (given) stampBatch(batch, 0, this.answers.expectedEnd(topic), topic.leaderEpoch);
    batch.copy(this.slab.bytes, region);
    const request = this.nextRequest++;
    const record: SimRecord = {
      id,
      batch,
      given: given ? this.answers.expectedEnd(topic) : -1,
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
    this.answers.pending.set(request, { topic, record, region, bytes: batch.length, attempt, answered: false });
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
    this.files.finishReads();
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
    this.files.afterCrash();
    this.truncationsAsked = this.truncations > 0;
    this.truncations = 0;
    this.answers.pending.clear();
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

  shardOf(topic: SimTopic): string {
    return topic.durability === 'fsync' ? `sync-${topic.number % this.syncShards}` : 'buffered-0';
  }

  private makeShard(name: string, begins = false): ShardSlot {
    return makeShard(this.disk, this.slabMemory, this.options, this.generation, name, begins);
  }

  /** Opens a partition under a new handle, with a view of its own. */
  private openFresh(topic: SimTopic, state: PartitionState, recovered: boolean): void {
    topic.handle = this.nextHandle++;
    const host = { onViewChanged: () => {}, onSealed: () => {}, onCut: () => {} };
    topic.view = new PartitionView(topic.handle, 0, {} as never, {} as never, topic.leaderEpoch, 4096, host);
    topic.lastAppendTime = -1;
    this.open(topic, state, recovered);
  }

  open(topic: SimTopic, state: PartitionState, recovered: boolean): void {
    topic.online = false;
    topic.opening = state;
    topic.view.loadState(state);
    this.call(this.slotOf(topic), {
      kind: 'open',
      handle: topic.handle,
      state: structuredClone(state),
      config: configOf(topic),
      leaderEpoch: topic.leaderEpoch,
      recovered,
    });
  }

  private sendConfig(slot: ShardSlot, topic: SimTopic): void {
    topic.configuring++;
    this.call(slot, { kind: 'configure', handle: topic.handle, config: configOf(topic) });
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

  byHandle(handle: number): SimTopic | undefined {
    for (const topic of this.topics.values()) if (topic.handle === handle) return topic;
    return undefined;
  }

  private drain(slot: ShardSlot): void {
    const { completions } = slot;
    while (completions.available() > 0) {
      const at = completions.at(0);
      const words = completions.words;
      const isControl = words[at + Completion.kind] === CompletionKind.control;
      if (!isControl) this.answers.onAppend(slot, words, at);
      completions.release(1);
      // What it leads to may let the shard work and drain again.
      if (isControl) this.messages.onControl(slot, slot.fromShard.shift() as FromShard);
    }
  }
}

export { DATA, SEGMENT_BYTES_MIN, SimulatedCrash };
