/**
 * Produce: checks what main can check, and submits the request whole or not at all. Main only.
 *
 * A partition that is refused here has its error at once; all others of the request go to their shards in one step, once every ring involved has room for
 * them. What no ring could ever take at once is told to try again. Batch contents (CRC, counts, sequences) are the shard's to judge; main reads nothing of a
 * batch but two bytes of attributes. Where the topic wants compressed batches opened, jobs do that before anything is submitted.
 */
import type { TopicConfig } from '../../config/topic-config.ts';
import { ErrorCode } from '../../protocol/errors.ts';
import { ATTRIBUTES_POSITION, BATCH_HEADER_BYTES, Compression, COMPRESSION_MASK } from '../../protocol/record-batch.ts';
import { ViewStatus } from '../../protocol/view.ts';
import type { BatchOpener } from '../batch-opener.ts';
import { ProduceOpening, type ValidationConfig } from '../produce-opening.ts';
import type { PendingProduce, ProduceTarget } from '../produce.ts';
import type { ShardLink } from '../shard-link.ts';

/** From this version on topics are named by id. */
const TOPIC_ID_VERSION = 13;
const ZSTD_VERSION = 7;

/** A partition as produce sees it; main's PartitionView is one. */
export interface ProducePartition extends ProduceTarget {
  readonly link: ShardLink;
  readonly state: 'opening' | 'online' | 'moving' | 'offline';
  /** Calls back once the partition is no longer moving. */
  onceOnline(callback: () => void): void;
}

export interface ProduceTopic {
  readonly config: Pick<TopicConfig, 'maxMessageBytes'> & ValidationConfig;
  readonly partitions: readonly (ProducePartition | undefined)[];
}

/** Finds topics without making strings; the Router is one. */
export interface ProduceTopics {
  topicByNameBytes(bytes: Buffer, position: number, length: number): ProduceTopic | undefined;
  topicByIdBytes(bytes: Buffer, position: number): ProduceTopic | undefined;
}

/** What became of an attempt to start a request. */
export const StartOutcome = {
  /** Submitted, or all partitions refused; the answer follows. */
  started: 0,
  /** Not now: `owner.wake` will be called, or the line moves on. */
  waiting: 1,
  /** Not a Produce request: the connection was closed. */
  closed: 2,
} as const;

/** See the file header. */
export class ProduceHandler {
  private readonly topics: ProduceTopics;
  private readonly bytes: Buffer;
  private readonly links: readonly ShardLink[];
  private readonly opening: ProduceOpening;
  /** What {@link judge} found that is to be opened first: of each slot the settings of its topic. */
  private readonly unopened = new Map<number, ValidationConfig>();

  /** @param bytes the receive slab, where every Produce lies */
  constructor(topics: ProduceTopics, links: readonly ShardLink[], bytes: Buffer, opener: BatchOpener) {
    this.opening = new ProduceOpening(opener, bytes);
    this.topics = topics;
    this.links = links;
    this.bytes = bytes;
  }

  /** Tries to start a request. It is the only unstarted one of its connection, so trying again later keeps the order. `inLine`: it is its turn on that link. */
  start(pending: PendingProduce, waiter: { onRingRoom(link: ShardLink): boolean }, inLine: ShardLink | null): number {
    if (!pending.parsed) {
      const status = pending.view.parse(this.bytes, pending.bodyStart, pending.bodyEnd, pending.apiVersion);
      if (status !== ViewStatus.OK) {
        pending.owner?.refuse(status === ViewStatus.TOO_MANY ? 'produce request with too many partitions' : 'malformed produce request');
        return StartOutcome.closed;
      }
      pending.parsed = true;
    }
    this.resetWanted();
    const moving = this.judge(pending);
    if (moving !== null) {
      const owner = pending.owner;
      pending.waiting = true;
      pending.waitsFor = null;
      moving.onceOnline(() => {
        // The slot may serve another request by now, if the connection has closed meanwhile.
        if (owner === null || !owner.open || pending.owner !== owner) return;
        pending.waiting = false;
        owner.wake();
      });
      return StartOutcome.waiting;
    }
    if (this.unopened.size > 0) {
      this.opening.open(pending, this.unopened);
      return StartOutcome.waiting;
    }
    const full = this.findFull(inLine);
    if (full === null) {
      this.submit(pending);
      return StartOutcome.started;
    }
    pending.waiting = true;
    pending.waitsFor = full;
    full.line.add(waiter);
    return StartOutcome.waiting;
  }

  private resetWanted(): void {
    for (let index = 0; index < this.links.length; index++) (this.links[index] as ShardLink).wanted = 0;
  }

  /** Sets errors and targets of all partitions and counts what each link gets. Returns a partition to wait for, if there is one. */
  private judge(pending: PendingProduce): ProducePartition | null {
    const { view, results, targets } = pending;
    results.reset(view.partitionCount);
    if (this.unopened.size > 0) this.unopened.clear();
    const refusal = this.refusal(pending);
    const slots = view.partitionCount;
    let topicSlot = -1;
    let topic: ProduceTopic | undefined;
    for (let slot = 0; slot < slots; slot++) {
      if (view.partitionTopic[slot] !== topicSlot) {
        topicSlot = view.partitionTopic[slot] as number;
        topic = this.topicOf(pending, topicSlot);
      }
      targets[slot] = undefined;
      let error = refusal;
      const partition = topic?.partitions[view.partitionIndex[slot] as number];
      if (error === ErrorCode.NONE) error = this.check(pending, slot, topic, partition);
      if (error === ErrorCode.NONE && (topic as ProduceTopic).config.recordValidation === 'full')
        error = this.checkOpened(pending, slot, topic as ProduceTopic);
      if (error !== ErrorCode.NONE) {
        results.fail(slot, error);
        continue;
      }
      const target = partition as ProducePartition;
      if (target.state === 'moving') return target;
      if (target.link.wanted === target.link.appendsMax) {
        // More than its shard takes from one request. The client sends these partitions again, and fewer of them.
        results.fail(slot, ErrorCode.REQUEST_TIMED_OUT);
        continue;
      }
      targets[slot] = target;
      target.link.wanted++;
    }
    return null;
  }

  /** An error that refuses the request as a whole. */
  private refusal(pending: PendingProduce): number {
    const { acks, transactionalIdLength } = pending.view;
    if (acks !== -1 && acks !== 0 && acks !== 1) return ErrorCode.INVALID_REQUIRED_ACKS;
    // Nobody can have opened a transaction here; clients take this as final.
    if (transactionalIdLength >= 0) return ErrorCode.INVALID_TXN_STATE;
    return ErrorCode.NONE;
  }

  /** The topic in a slot of the view of `pending`. */
  topicOf(pending: PendingProduce, topicSlot: number): ProduceTopic | undefined {
    const { view, apiVersion } = pending;
    const position = view.topicPosition[topicSlot] as number;
    if (apiVersion >= TOPIC_ID_VERSION) return this.topics.topicByIdBytes(this.bytes, position);
    return this.topics.topicByNameBytes(this.bytes, position, view.topicLength[topicSlot] as number);
  }

  private check(pending: PendingProduce, slot: number, topic: ProduceTopic | undefined, partition: ProducePartition | undefined): number {
    const { view, apiVersion } = pending;
    if (topic === undefined) return apiVersion >= TOPIC_ID_VERSION ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
    if (partition === undefined) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
    if (partition.state === 'opening') return ErrorCode.NOT_LEADER_OR_FOLLOWER;
    if (partition.state === 'offline') return ErrorCode.KAFKA_STORAGE_ERROR;
    const length = view.recordsLength[slot] as number;
    // Null or empty: from version 3 on every partition has exactly one batch.
    if (length <= 0) return ErrorCode.INVALID_RECORD;
    if (length < BATCH_HEADER_BYTES) return ErrorCode.CORRUPT_MESSAGE;
    if (length > topic.config.maxMessageBytes) return ErrorCode.MESSAGE_TOO_LARGE;
    if (apiVersion < ZSTD_VERSION) {
      const attributes = this.bytes[(view.recordsPosition[slot] as number) + ATTRIBUTES_POSITION + 1] as number;
      if ((attributes & COMPRESSION_MASK) === Compression.ZSTD) return ErrorCode.UNSUPPORTED_COMPRESSION_TYPE;
    }
    return ErrorCode.NONE;
  }

  /** What was found in a compressed batch; one that was not opened yet is noted. */
  private checkOpened(pending: PendingProduce, slot: number, topic: ProduceTopic): number {
    if (pending.verdicts !== null) {
      const verdict = pending.verdicts.get(slot);
      if (verdict === undefined) return ErrorCode.NONE;
      if (verdict.recordErrors.length > 0) pending.results.setRecordErrors(slot, verdict.recordErrors);
      return verdict.errorCode;
    }
    const attributes = this.bytes[(pending.view.recordsPosition[slot] as number) + ATTRIBUTES_POSITION + 1] as number;
    if ((attributes & COMPRESSION_MASK) !== Compression.NONE) this.unopened.set(slot, topic.config);
    return ErrorCode.NONE;
  }

  /** A link that cannot take its share now, or whose line others stand in before us. */
  private findFull(inLine: ShardLink | null): ShardLink | null {
    for (let index = 0; index < this.links.length; index++) {
      const link = this.links[index] as ShardLink;
      if (link.wanted === 0) continue;
      if ((link.line.size > 0 && link !== inLine) || !link.hasRoom(link.wanted)) return link;
    }
    return null;
  }

  private submit(pending: PendingProduce): void {
    const { view, targets } = pending;
    const slots = view.partitionCount;
    let count = 0;
    for (let slot = 0; slot < slots; slot++) {
      const target = targets[slot] as ProducePartition | undefined;
      if (target === undefined) continue;
      count++;
      target.link.append(view.recordsPosition[slot] as number, view.recordsLength[slot] as number, pending.id, slot, target.handle);
    }
    pending.becomeSubmitted(count);
  }
}
