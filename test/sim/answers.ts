/** The batches of a simulated broker that are on their way, and what must hold when a shard answers one. */
import { segmentPath } from '../../src/log/layout.ts';
import { ErrorCode } from '../../src/protocol/errors.ts';
import { Completion, CompletionFlag, getLong } from '../../src/ring/completion.ts';
import type { SlabAllocator } from '../../src/ring/slab.ts';
import type { FakeDisk } from './fake-disk.ts';
import { check, DATA, expectRecord, Survives, type SimRecord, type SimTopic } from './history.ts';
import type { Attempt, SimProducers } from './producers.ts';
import { BATCH_BYTES_MAX, SEGMENT_BYTES_MIN, type ShardSlot } from './shard-slot.ts';

/** A batch on its way. */
export interface Pending {
  readonly topic: SimTopic;
  readonly record: SimRecord;
  readonly region: number;
  readonly bytes: number;
  /** An idempotent producer sent it. */
  readonly attempt: Attempt<SimTopic> | null;
  answered: boolean;
}

/** What answers need of their broker. */
interface Host {
  readonly disk: FakeDisk;
  readonly slab: SlabAllocator;
  readonly producers: SimProducers<SimTopic>;
  readonly trace: ((line: string) => void) | null;
  readonly hadTrouble: boolean;
  acks: number;
  refusals: number;
}

/** See the file header. */
export class SimAnswers {
  /** By request. */
  readonly pending = new Map<number, Pending>();
  private readonly sim: Host;

  constructor(sim: Host) {
    this.sim = sim;
  }

  /** Where a topic's log ends if everything that waits is appended. */
  expectedEnd(topic: SimTopic): number {
    let end = topic.view.highWatermark;
    for (const { topic: of, record } of this.pending.values()) if (of === topic && !record.shown) end += record.batch.readInt32BE(23) + 1;
    return end;
  }

  onAppend(slot: ShardSlot, words: Int32Array, at: number): void {
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
      this.sim.refusals++;
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
        this.sim.acks++;
        this.sim.trace?.(`${slot.name} ack ${topic.id} batch ${record.id} at ${record.baseOffset}..${record.lastOffset}`);
        record.acked = true;
        this.remember(topic, record, survives);
        this.noteAppendTime(topic, record, getLong(words, at + Completion.logAppendTime));
      }
      if ((flags & CompletionFlag.readable) !== 0 && !topic.deleted) this.onReadable(topic, record, words, at, survives);
    }
    if (isAnswer) {
      entry!.answered = true;
      if (entry!.attempt !== null)
        this.sim.producers.onAnswer(entry!.attempt, error, getLong(words, at + Completion.baseOffset), isDuplicate);
    }
    if ((flags & CompletionFlag.released) === 0) return;
    this.pending.delete(words[at + Completion.request] as number);
    this.sim.slab.free(entry!.region, entry!.bytes);
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
        [ErrorCode.KAFKA_STORAGE_ERROR]: slot.shard.failure !== null || topic.damagedAllowed || this.sim.hadTrouble,
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
    this.sim.producers.onAppended(topic, record.batch, record.baseOffset);
    record.segmentBase = view.segments[view.segmentIndexOf(record.baseOffset)]!.baseOffset;
    const fd = this.sim.disk.peek(segmentPath(DATA, topic.id, 0, record.segmentBase));
    expectRecord(this.sim.disk, topic, fd, record, 'a tailing reader');
    this.sim.disk.close(fd);
  }

  private noteAppendTime(topic: SimTopic, record: SimRecord, time: number): void {
    if (!topic.appendTime || record.given >= 0) return check(time === -1, `${topic.id}: a log-append time where none is asked for`);
    check(time >= topic.lastAppendTime, `${topic.id}: log-append time goes back from ${topic.lastAppendTime} to ${time}`);
    record.timestamp = topic.lastAppendTime = time;
  }

  isOnItsWay(id: number): boolean {
    for (const { record } of this.pending.values()) if (record.id === id) return true;
    return false;
  }

  /** A batch was answered as appended before: it has to be there, and from now on it counts as acknowledged. */
  private onDuplicate({ topic, record, attempt }: Pending, baseOffset: number, survives: number): void {
    this.sim.acks++;
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
}
