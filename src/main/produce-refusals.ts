/**
 * Why partitions of a Produce request were refused, in words: what versions 8 and above tell beside the error code (KIP-467). Main only.
 *
 * Nothing here runs for a request that is taken as a whole. It runs when the answer is written, while the bytes of the batches are still there, and looks at
 * so little of them that nobody else notices: the words of a few partitions, and the times of so many records.
 */
import type { TopicConfig } from '../config/topic-config.ts';
import { findTimestampsOutside, whyHeaderRefused, type TimedRecord } from '../protocol/batch-refusal.ts';
import { ErrorCode, protocolError } from '../protocol/errors.ts';
import {
  BATCH_HEADER_BYTES,
  Compression,
  baseSequence,
  baseTimestamp,
  compression,
  maxTimestamp,
  producerEpoch,
  producerId,
  recordCount,
} from '../protocol/record-batch.ts';
import type { PendingProduce } from './produce.ts';
import { rangeText, RECORDS_NAMED_MAX, untimelyRecords } from './record-errors.ts';

/** Versions below have no room for words. */
const WORDS_VERSION = 8;
/** Refused partitions of one request that get words of their own; a client that has so many has one mistake, not many. */
const EXPLAINED_MAX = 64;
/** Records of one request that are looked at for their times. */
const RECORDS_LOOKED_AT_MAX = 10_000;

/** What a topic's settings say about a refusal. */
export interface RefusingTopic {
  readonly config: Pick<TopicConfig, 'maxMessageBytes' | 'messageTimestampBeforeMsMax' | 'messageTimestampAfterMsMax'>;
  readonly partitions: { readonly length: number };
}

/** Finds the topic in a slot of a request's view, if there is one. */
export type TopicFinder = (pending: PendingProduce, topicSlot: number) => RefusingTopic | undefined;

/** See the file header. */
export class ProduceRefusals {
  private readonly bytes: Buffer;
  private readonly topicOf: TopicFinder;
  private lookAtMax = 0;

  /** @param bytes the receive slab */
  constructor(bytes: Buffer, topicOf: TopicFinder) {
    this.bytes = bytes;
    this.topicOf = topicOf;
  }

  /** Adds words to the outcomes of `pending`, which is done and has errors. */
  explain(pending: PendingProduce): void {
    const { view, results } = pending;
    if (view.version < WORDS_VERSION) return;
    this.lookAtMax = RECORDS_LOOKED_AT_MAX;
    let explained = 0;
    for (let slot = 0; slot < view.partitionCount && explained < EXPLAINED_MAX; slot++) {
      if (results.errorCode[slot] === ErrorCode.NONE) continue;
      explained++;
      results.setErrorMessage(slot, this.wordsFor(pending, slot));
    }
  }

  private wordsFor(pending: PendingProduce, slot: number): string {
    const { view, results } = pending;
    const code = results.errorCode[slot] as number;
    const topic = this.topicOf(pending, view.partitionTopic[slot] as number);
    const plain = `${protocolError(code).message}.`;
    switch (code) {
      case ErrorCode.INVALID_REQUIRED_ACKS:
        return `acks is ${pending.acks}; it must be 0, 1 or -1.`;
      case ErrorCode.INVALID_TXN_STATE:
        return 'The request has a transactional id, and transactions are not served.';
      case ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
        if (topic === undefined) return plain;
        return `There is no partition ${view.partitionIndex[slot]}: the topic has ${topic.partitions.length}.`;
      case ErrorCode.MESSAGE_TOO_LARGE:
        return this.whyTooLarge(pending, slot, topic) ?? plain;
      case ErrorCode.INVALID_RECORD:
      case ErrorCode.CORRUPT_MESSAGE:
        return this.whyMalformed(pending, slot) ?? plain;
      case ErrorCode.INVALID_TIMESTAMP:
        return this.whyUntimely(pending, slot, topic) ?? plain;
      case ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER:
      case ErrorCode.INVALID_PRODUCER_EPOCH:
        return this.whyOutOfOrder(pending, slot, code);
      default:
        return plain;
    }
  }

  private whyTooLarge({ view }: PendingProduce, slot: number, topic: RefusingTopic | undefined): string | null {
    const length = view.recordsLength[slot] as number;
    if (topic === undefined) return null;
    const { maxMessageBytes } = topic.config;
    if (length > maxMessageBytes) return `The batch has ${length} bytes; max.message.bytes of the topic is ${maxMessageBytes}.`;
    return 'The batch is compressed and has more bytes than may be when it is opened.';
  }

  private whyMalformed({ view, results }: PendingProduce, slot: number): string | null {
    const named = results.detailOf(slot)?.recordErrors[0]?.message;
    if (named !== undefined) return named;
    const length = view.recordsLength[slot] as number;
    const header = whyHeaderRefused(this.bytes, view.recordsPosition[slot] as number, length);
    if (header !== null) return header;
    return results.errorCode[slot] === ErrorCode.CORRUPT_MESSAGE
      ? 'The bytes of the batch are not those that its CRC was made of.'
      : 'The records of the batch cannot be decompressed, or are not as many as its header says.';
  }

  private whyUntimely({ view, results }: PendingProduce, slot: number, topic: RefusingTopic | undefined): string | null {
    const position = view.recordsPosition[slot] as number;
    const length = view.recordsLength[slot] as number;
    const header = whyHeaderRefused(this.bytes, position, length);
    if (header !== null || topic === undefined) return header;
    // A moment later than the shard's. Who was out of range by less is not named.
    const nowMs = Date.now();
    const min = nowMs - topic.config.messageTimestampBeforeMsMax;
    const max = nowMs + topic.config.messageTimestampAfterMsMax;
    let named = results.detailOf(slot)?.recordErrors ?? [];
    if (named.length === 0 && compression(this.bytes, position) === Compression.NONE) {
      named = untimelyRecords(this.findUntimely(position, length, min, max), min, max);
      if (named.length > 0) results.setRecordErrors(slot, named);
    }
    if (named.length > 0) return `Records have timestamps that are out of range: ${rangeText(min, max)}.`;
    const [first, last] = [baseTimestamp(this.bytes, position), maxTimestamp(this.bytes, position)];
    return `The batch has timestamps from ${first} to ${last}, and one of its records is out of range: ${rangeText(min, max)}.`;
  }

  private findUntimely(position: number, length: number, min: number, max: number): TimedRecord[] {
    const { bytes } = this;
    const [start, end] = [position + BATCH_HEADER_BYTES, position + length];
    const found = findTimestampsOutside(bytes, position, bytes, start, end, min, max, RECORDS_NAMED_MAX, this.lookAtMax);
    this.lookAtMax -= Math.min(recordCount(bytes, position), this.lookAtMax);
    return found;
  }

  private whyOutOfOrder({ view }: PendingProduce, slot: number, code: number): string {
    const position = view.recordsPosition[slot] as number;
    const { bytes } = this;
    const epoch = producerEpoch(bytes, position);
    const who = `producer id ${producerId(bytes, position)}, epoch ${epoch}`;
    if (code === ErrorCode.INVALID_PRODUCER_EPOCH)
      return `The batch is of ${who}; ${epoch < 0 ? 'an epoch is 0 or more' : 'the partition has seen a later epoch'}.`;
    return `The batch of ${who} begins with sequence number ${baseSequence(bytes, position)}, which does not follow what the partition has of it.`;
  }
}
