/**
 * One compacted partition on a fake disk: shard, journal, checkpoints, recovery and the cleaner's job as they are, the rest of main as little as possible. Records with
 * keys come, logs are compacted, files go to the pool and come back, and at any step the process or the power may end. Afterwards the log must say of every key what
 * all records that were taken say of it.
 */
import { cleanLog } from '../../src/jobs/clean-log.ts';
import { openRecords } from '../../src/jobs/clean-batch.ts';
import { Prng } from '../../src/lib/prng.ts';
import { isIntactBatch, readBatchHead } from '../../src/log/batch-reader.ts';
import { beginGeneration } from '../../src/log/begin.ts';
import { loadCheckpoint } from '../../src/log/checkpoint.ts';
import type { Disk } from '../../src/log/disk.ts';
import { currentGeneration } from '../../src/log/generation.ts';
import { readJournal } from '../../src/log/journal-reader.ts';
import { runKeeperWork } from '../../src/log/keeper.ts';
import { generationFolder, partitionFolder, segmentPath } from '../../src/log/layout.ts';
import type { CleaningPlan, FromShard, RetiredSegment, ToShard } from '../../src/log/messages.ts';
import { emptyPartition, type PartitionConfig, type PartitionState, type SegmentState } from '../../src/log/partition-state.ts';
import { retireLeftovers, retireSegments, tidyPool, type KeptSegments } from '../../src/log/retire.ts';
import { RetiredSegments } from '../../src/main/retired-segments.ts';
import { buildBatch, readRecordsFrom } from '../../src/protocol/record.ts';
import { Completion, CompletionKind, getLong } from '../../src/ring/completion.ts';
import { createSlab } from '../../src/ring/slab.ts';
import { offerAppend, SubmissionKind } from '../../src/ring/submission.ts';
import { latestOf, type Keyed } from '../support/keyed-log.ts';
import { FakeDisk, SimulatedCrash } from './fake-disk.ts';
import { check, DATA } from './history.ts';
import { makeShard, type ShardSlot } from './shard-slot.ts';

const TOPIC = 'topic-1';

/** Planted bugs. */
export interface CompactionBugs {
  /** Files of replaced segments go at once. */
  readonly releasesEarly?: boolean;
  /** Files go although somebody reads them. */
  readonly recyclesUnderReaders?: boolean;
  /** The job writes to this disk. */
  readonly jobDisk?: (disk: FakeDisk) => Disk;
  /** Leftovers of an earlier life are told from the log by this. */
  readonly leftoversOf?: (state: PartitionState) => KeptSegments;
}

interface Reader {
  readonly fd: number;
  readonly segment: SegmentState;
  readonly bytes: Buffer;
}

/** See the file header. */
export class CompactionSim {
  readonly prng: Prng;
  readonly disk: FakeDisk;
  /** Passes that were put in force. */
  replacements = 0;
  private readonly bugs: CompactionBugs;
  private readonly shardName: string;
  private readonly durability: 'fsync' | 'page-cache';
  private readonly slabMemory = createSlab(1 << 20);
  private readonly slab = Buffer.from(this.slabMemory);
  private slabAt = 0;
  private slot!: ShardSlot;
  private generations = 0;
  /** Every record by its offset, as far as it was sent. */
  private written: Keyed[] = [];
  private ackedEnd = 0;
  /** What could be read, and where the log ended, when a journal group was rotten; null: nobody has looked yet. What comes to the log later is in `written`. */
  private readable: { readonly endOffset: number; readonly records: readonly Keyed[] } | null = { endOffset: 0, records: [] };
  private plans: CleaningPlan[] = [];
  private retired: (RetiredSegment & { path: string; isReleased: boolean })[] = [];
  private readers: Reader[] = [];
  private pools = 0;

  constructor(seed: number, bugs: CompactionBugs = {}) {
    this.prng = new Prng(seed);
    this.disk = new FakeDisk(this.prng);
    this.disk.nowMs = 1_700_000_000_000;
    this.bugs = bugs;
    this.durability = (seed & 1) === 0 ? 'fsync' : 'page-cache';
    this.shardName = this.durability === 'fsync' ? 'sync-0' : 'buffered-0';
  }

  /** Recovers, checks what is there, and goes on with it. `lost`: the power had ended, not only the process. `rotten`: so had a journal group. */
  start(lost: boolean, rotten = false): void {
    const { disk } = this;
    for (const changed of disk.mkdir(DATA)) disk.syncFolder(changed);
    const name = (++this.generations).toString(16).padStart(16, '0');
    const begun = beginGeneration(disk, DATA, () => 'known', [{ topicId: TOPIC, partition: 0, shard: this.shardName }], [], 1 << 20, name);
    check(
      begun.recovered.notes.every(({ kind }) => kind === (rotten ? 'corruption' : 'torn-tail')),
      `recovery found ${JSON.stringify(begun.recovered.notes)}`,
    );
    // Whatever is served from now on is on disk.
    disk.evict(1);
    const state = begun.recovered.partitions.get(`${TOPIC}/0`) ?? emptyPartition(TOPIC, 0);
    const mustHave = lost && this.durability !== 'fsync' ? 0 : this.ackedEnd;
    check(state.endOffset >= mustHave, `the log ends at ${state.endOffset}, and ${mustHave} were acknowledged`);
    this.written.length = this.ackedEnd = state.endOffset;
    if (rotten) this.readable = null;
    this.verify(state);
    tidyPool(disk, DATA);
    const leftovers = this.bugs.leftoversOf?.(state) ?? RetiredSegments.leftoversOf(state, true);
    if (leftovers !== undefined) retireLeftovers(disk, DATA, leftovers, this.poolLimits(), () => {});
    const named = new Set(state.segments.map((segment) => pathOf(segment)));
    const unnamed = this.segmentFiles().filter((path) => !named.has(path) && Number(/(\d{20})/.exec(path)?.[1]) < (state.cleanedEnd ?? 0));
    check(unnamed.length === 0, `files of no segment are left: ${unnamed.join(', ')}`);
    this.plans = [];
    this.retired = [];
    this.readers = [];
    this.slot = makeShard(disk, this.slabMemory, { seed: 1, referenceBytesMin: 2000, checkpointIntervalBytes: 6000 }, name, this.shardName);
    this.tell({ kind: 'open', handle: 1, state: structuredClone(state), config: this.config(), leaderEpoch: 0, recovered: true });
    this.tell({ kind: 'begin' });
    for (let i = 0; i < 5; i++) this.work();
  }

  /** Something happens. A SimulatedCrash may come out of it. */
  step(): void {
    const { prng } = this;
    this.disk.nowMs += prng.below(200);
    const dice = prng.below(100);
    if (dice < 35) this.produce();
    else if (dice < 60) this.work();
    else if (dice < 75) this.keep();
    else if (dice < 85) this.clean();
    else if (dice < 90) this.beginRead();
    else if (dice < 94) this.finishReads();
    else {
      this.produce();
      this.work();
      this.keep();
    }
  }

  /** Ends the process, or the power, and what only they held. */
  end(lost: boolean): void {
    this.disk.crashAt = -1;
    if (lost) this.disk.losePower(this.prng.pick([0, 0.5, 1]));
    else this.disk.killProcess();
  }

  /** Holds the log as it is now against everything that was sent to it. */
  verifyNow(): void {
    const partition = this.slot.shard.partitions[1];
    if (partition !== undefined) this.verify(partition.snapshot());
  }

  private config(): PartitionConfig {
    return {
      durability: this.durability,
      segmentBytes: 2500,
      segmentMs: Infinity,
      segmentJitterMs: 0,
      retentionMs: Infinity,
      retentionBytes: Infinity,
      maxMessageBytes: 2000,
      timestampType: 'CreateTime',
      timestampBeforeMsMax: Infinity,
      timestampAfterMsMax: Infinity,
      compaction: { lagMsMin: 0, lagMsMax: Infinity, dirtyRatioMin: 0.2, deleteRetentionMs: 1000 },
    };
  }

  /**
   * Lets a pass come to its end behind a last append and flips a bit in a journal group that something behind it vouches for: that append's, or any. False where this life
   * left none. To be called before the process ends.
   */
  rot(): boolean {
    for (let i = 0; i < 100 && this.plans.length === 0; i++) this.step();
    if (this.prng.chance(0.5) && this.plans.length > 0) {
      for (let i = 0; i < 3; i++) this.work();
      this.produce();
      this.work();
      this.clean();
    }
    for (let i = 0; i < 3; i++) this.work();
    const folder = `${generationFolder(DATA, currentGeneration(this.disk, DATA) as string)}/${this.shardName}`;
    const { checkpoint } = loadCheckpoint(this.disk, folder);
    if (checkpoint === null) return false;
    const { groups, syncedThrough } = readJournal(this.disk, folder, checkpoint.generation, checkpoint.sequence);
    const vouched = groups.filter(({ sequence }) => sequence <= syncedThrough);
    const lastAppend = vouched.findLast(({ entries }) => entries.some(({ type }) => type !== 'control'));
    const hit = this.prng.chance(0.5) ? lastAppend : vouched[this.prng.below(Math.max(1, vouched.length))];
    if (hit === undefined) return false;
    this.disk.corrupt(hit.path, hit.payloadAt - 1, 1 << this.prng.below(8));
    return true;
  }

  private verify(state: PartitionState): void {
    const found: Keyed[] = [];
    let next = state.segments[0]?.baseOffset ?? state.endOffset;
    check(next === 0 || state.segments.length === 0, `the log begins at ${next}`);
    for (const segment of state.segments) {
      // Offsets that a rotten group took with it may lie in no segment.
      while (isRefused(state, next) && next < segment.baseOffset) next++;
      check(segment.baseOffset === next, `a segment begins at ${segment.baseOffset}, not at ${next}`);
      const fd = this.disk.peek(pathOf(segment));
      for (let position = 0; position < segment.endPosition;) {
        const head = readBatchHead(this.disk, fd, position, segment.endPosition);
        check(head !== null && head.baseOffset === next, `no batch of offset ${next} in ${pathOf(segment)} at ${position}`);
        const batch = Buffer.alloc(head?.bytes ?? 0);
        this.disk.read(fd, batch, 0, batch.length, position);
        check(isIntactBatch(batch, batch.length), `the batch of offset ${next} is damaged`);
        const records = openRecords(batch, 0);
        for (const { offset, key, value } of readRecordsFrom(batch, 0, records, 0, records.length)) {
          const record = { key: String(key), value: value === null ? null : String(value) };
          const sent = this.written[Number(offset)];
          check(record.key === sent?.key && record.value === sent.value, `offset ${offset} has somebody else's record`);
          if (!isRefused(state, Number(offset))) found.push(record);
        }
        next = (head?.lastOffset ?? 0) + 1;
        position += batch.length;
      }
      this.disk.close(fd);
      check(segment.endOffset === next, `a segment ends at ${next}, not at ${segment.endOffset}`);
    }
    while (isRefused(state, next) && next < state.endOffset) next++;
    check(state.endOffset === next, `the log ends at ${next}, not at ${state.endOffset}`);
    this.readable ??= { endOffset: next, records: found };
    const now = latestOf(found);
    const then = latestOf([...this.readable.records, ...this.written.slice(this.readable.endOffset, state.endOffset)]);
    for (const key of new Set([...now.keys(), ...then.keys()]))
      check(now.get(key) === then.get(key), `key ${key} is ${now.get(key)}, its last record said ${then.get(key)}`);
  }

  private produce(): void {
    if (this.slot.submissions.free(1) < 1) return;
    const records = Array.from({ length: 1 + this.prng.below(4) }, () => ({
      key: `key-${this.prng.below(12)}`,
      value: this.prng.chance(0.15) ? null : `${this.prng.next()} ${'x'.repeat(this.prng.below(250))}`,
    }));
    const batch = buildBatch({ records, baseTimestamp: this.disk.nowMs });
    if (this.slabAt + batch.length > this.slab.length) this.slabAt = 0;
    batch.copy(this.slab, this.slabAt);
    offerAppend(this.slot.submissions, this.slabAt, batch.length, 1, 0, 1, 0);
    this.slot.submissions.publish();
    this.slabAt += batch.length;
    this.written.push(...records);
  }

  private tell(message: ToShard): void {
    this.slot.toShard.push(message);
    this.slot.submissions.words[this.slot.submissions.claim()] = SubmissionKind.control;
    this.slot.submissions.publish();
  }

  private work(): void {
    this.slot.shard.doWork(this.disk.nowMs);
    const { completions, fromShard, jobs } = this.slot;
    for (let n = completions.available(); n > 0; n--) {
      const at = completions.at(0);
      const { words } = completions;
      if (words[at + Completion.kind] === CompletionKind.control) {
        const message = fromShard.shift() as FromShard;
        if (message.kind === 'job') jobs.push(message);
        else this.onMessage(message);
      } else {
        check(words[at + Completion.errorCode] === 0, `an append was refused with ${words[at + Completion.errorCode]}`);
        this.ackedEnd = getLong(words, at + Completion.baseOffset) + (words[at + Completion.lastOffsetDelta] as number) + 1;
      }
      completions.release(1);
    }
  }

  private onMessage(message: FromShard): void {
    if (message.kind === 'clean') this.plans.push(message.plan);
    if (message.kind === 'replaced') {
      this.replacements += message.segments.length;
      for (const segment of message.discarded) this.disk.unlink(pathOf(segment));
      for (const segment of message.replaced)
        this.retired.push({
          ...segment,
          topicId: TOPIC,
          partition: 0,
          path: pathOf(segment),
          isReleased: this.bugs.releasesEarly === true,
        });
      this.giveAway();
    }
    if (message.kind !== 'released') return;
    for (const { baseOffset, revision } of message.segments)
      for (const file of this.retired) if (file.baseOffset === baseOffset && file.revision === revision) file.isReleased = true;
    this.giveAway();
  }

  private keep(): void {
    const next = this.slot.jobs.shift();
    if (next !== undefined) this.slot.results.complete(next.work.kind, next.job, runKeeperWork(this.disk, next.work));
  }

  private clean(): void {
    const plan = this.plans.shift();
    if (plan === undefined) return;
    const keyBytesMax = this.prng.chance(0.3) ? 24 * 16 : 1 << 16;
    const outcome = cleanLog(this.bugs.jobDisk?.(this.disk) ?? this.disk, DATA, plan, { keyBytesMax, onBytes: () => undefined });
    this.tell({ kind: 'cleaned', handle: 1, plan, outcome });
  }

  private beginRead(): void {
    const segments = this.slot.shard.partitions[1]?.state.segments ?? [];
    if (segments.length < 2) return;
    const segment = this.prng.pick(segments.slice(0, -1));
    const fd = this.disk.peek(pathOf(segment));
    this.readers.push({ fd, segment, bytes: this.read(fd, segment) });
  }

  private finishReads(): void {
    for (const { fd, segment, bytes } of this.readers) {
      check(this.read(fd, segment).equals(bytes), `a reader of ${pathOf(segment)} sees other bytes than when it began`);
      this.disk.close(fd);
    }
    this.readers = [];
    this.giveAway();
  }

  private read(fd: number, segment: SegmentState): Buffer {
    const bytes = Buffer.alloc(segment.endPosition);
    this.disk.read(fd, bytes, 0, bytes.length, 0);
    return bytes;
  }

  private giveAway(): void {
    const waiting = this.retired;
    this.retired = [];
    for (const file of waiting) {
      const isRead = this.readers.some(({ segment }) => pathOf(segment) === file.path) && this.bugs.recyclesUnderReaders !== true;
      if (file.isReleased && !isRead) retireSegments(this.disk, DATA, [file.path], this.poolLimits(), () => {});
      else this.retired.push(file);
    }
  }

  private poolLimits(): { segmentBytesMin: number; bytesMax: number; random: () => string } {
    return { segmentBytesMin: 1000, bytesMax: 20_000, random: () => `r${++this.pools}` };
  }

  private segmentFiles(): string[] {
    const folder = partitionFolder(DATA, TOPIC, 0);
    return this.disk
      .list(folder)
      .filter((name) => name.endsWith('.log'))
      .map((name) => `${folder}/${name}`);
  }
}

function isRefused({ damaged }: PartitionState, offset: number): boolean {
  return damaged.some(({ from, to }) => from <= offset && offset < to);
}

function pathOf({ baseOffset, revision }: SegmentState): string {
  return segmentPath(DATA, TOPIC, 0, baseOffset, revision);
}

/** Several lives of one seed. Returns how often compacted segments took the place of others. */
export function runCompaction(seed: number, bugs: CompactionBugs = {}): number {
  const sim = new CompactionSim(seed, bugs);
  const { prng, disk } = sim;
  sim.start(false);
  for (let life = 0; life < 4; life++) {
    const lost = prng.chance(0.6);
    disk.crashAt = prng.chance(0.7) ? disk.operations + 1 + prng.below(900) : -1;
    try {
      for (let i = 150 + prng.below(300); i > 0; i--) sim.step();
      disk.crashAt = -1;
      sim.verifyNow();
    } catch (error) {
      if (!(error instanceof SimulatedCrash)) throw error;
    }
    sim.end(lost);
    // It may die again on the way.
    for (let attempt = 0; ; attempt++) {
      disk.crashAt = attempt < 2 && prng.chance(0.4) ? disk.operations + 1 + prng.below(60) : -1;
      try {
        sim.start(lost);
        disk.crashAt = -1;
        break;
      } catch (error) {
        if (!(error instanceof SimulatedCrash)) throw error;
        sim.end(lost);
      }
    }
  }
  return sim.replacements;
}

/** A life, a rotten journal group, and another life behind it. Returns whether there was a group to rot. */
export function runRottenCompaction(seed: number): boolean {
  // Even ones sync their journal: only then is it known what was durable.
  const sim = new CompactionSim(seed * 2);
  sim.start(false);
  for (let i = 50 + sim.prng.below(200); i > 0; i--) sim.step();
  const rotten = sim.rot();
  sim.end(false);
  if (!rotten) return false;
  sim.start(false, true);
  let { replacements } = sim;
  for (let i = 100 + sim.prng.below(200); i > 0; i--) {
    sim.step();
    // Later records of its key would hide what went.
    if (sim.replacements > replacements) sim.verifyNow();
    ({ replacements } = sim);
  }
  sim.verifyNow();
  return true;
}
