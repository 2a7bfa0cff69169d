/** What the hand-written views of Produce and Fetch share: topics and partitions as arrays of numbers. */

import { STRING_BYTES_MAX } from './decode.ts';
import { readInt16, readInt32 } from './int64.ts';
import { readUvarint, UVARINT_BAD, type Cursor } from './skip.ts';

/** Result of parsing a request by a view. */
export const ViewStatus = Object.freeze({
  OK: 0,
  /** Not the protocol: close the connection. */
  MALFORMED: 1,
  /** More topics or partitions than one request may name: close the connection. */
  TOO_MANY: 2,
});
export type ViewStatus = (typeof ViewStatus)[keyof typeof ViewStatus];

/** Most partitions of one request, and most topics. */
export const PARTITIONS_MAX = 100_000;
/** Bytes of a topic id on the wire. */
export const TOPIC_ID_BYTES = 16;

const CAPACITY_INITIAL = 64;
/** Returned by length readers for bytes that are none; every legal length is -1 or more. */
const LENGTH_BAD = -2;

/** Topics and their partitions, in request order. The partitions of topic t are the slots topicFirstPartition[t] to topicEndPartition(t) - 1. */
export class TopicList {
  readonly partitionsMax: number;
  partitionCapacity: number;
  topicCount = 0;
  partitionCount = 0;
  /** First byte of the name, or of the id in versions with ids. */
  topicPosition: Int32Array;
  /** Bytes of the name; 16 in versions with ids. */
  topicLength: Int32Array;
  /** Slot of the first partition; see {@link topicEndPartition} for the end. */
  topicFirstPartition: Int32Array;
  /** Slot of the topic of each partition. */
  partitionTopic: Int32Array;
  /** Partition number as the client wrote it; may be anything. */
  partitionIndex: Int32Array;

  constructor(partitionsMax: number) {
    this.partitionsMax = partitionsMax;
    this.partitionCapacity = Math.min(CAPACITY_INITIAL, partitionsMax);
    this.topicPosition = new Int32Array(CAPACITY_INITIAL);
    this.topicLength = new Int32Array(CAPACITY_INITIAL);
    this.topicFirstPartition = new Int32Array(CAPACITY_INITIAL);
    this.partitionTopic = new Int32Array(this.partitionCapacity);
    this.partitionIndex = new Int32Array(this.partitionCapacity);
  }

  /** First slot behind the partitions of a topic. */
  topicEndPartition(topic: number): number {
    return topic + 1 < this.topicCount ? this.topicFirstPartition[topic + 1]! : this.partitionCount;
  }

  /** Forgets what the last parse found. */
  clear(): void {
    this.topicCount = 0;
    this.partitionCount = 0;
  }

  /** Length of a nullable string whose bytes lie at the cursor afterwards; -1 null, less if malformed. */
  protected readStringLength(buffer: Buffer, cursor: Cursor, end: number, flexible: boolean): number {
    let length: number;
    if (flexible) {
      length = readUvarint(buffer, cursor, end);
      if (length === UVARINT_BAD) return LENGTH_BAD;
      length--;
    } else {
      if (end - cursor.position < 2) return LENGTH_BAD;
      length = readInt16(buffer, cursor.position);
      cursor.position += 2;
    }
    return length > STRING_BYTES_MAX || length > end - cursor.position ? LENGTH_BAD : length;
  }

  /** Count of an array that is not null and whose elements take a byte or more each; negative if malformed. */
  protected readCount(buffer: Buffer, cursor: Cursor, end: number, flexible: boolean): number {
    let count: number;
    if (flexible) {
      count = readUvarint(buffer, cursor, end);
      if (count === UVARINT_BAD) return LENGTH_BAD;
      count--;
    } else {
      if (end - cursor.position < 4) return LENGTH_BAD;
      count = readInt32(buffer, cursor.position);
      cursor.position += 4;
    }
    return count > end - cursor.position ? LENGTH_BAD : count;
  }

  /** Reads name or id of the next topic and makes it the current one. Returns false if malformed. */
  protected readTopic(buffer: Buffer, cursor: Cursor, end: number, flexible: boolean, byId: boolean): boolean {
    const length = byId ? TOPIC_ID_BYTES : this.readStringLength(buffer, cursor, end, flexible);
    if (length < 0 || length > end - cursor.position) return false;
    const topic = this.topicCount;
    if (topic === this.topicPosition.length) this.growTopics();
    this.topicPosition[topic] = cursor.position;
    this.topicLength[topic] = length;
    this.topicFirstPartition[topic] = this.partitionCount;
    this.topicCount = topic + 1;
    cursor.position += length;
    return true;
  }

  private growTopics(): void {
    const capacity = this.topicPosition.length * 2;
    this.topicPosition = enlarge(this.topicPosition, capacity);
    this.topicLength = enlarge(this.topicLength, capacity);
    this.topicFirstPartition = enlarge(this.topicFirstPartition, capacity);
  }

  /** Makes room for `needed` partitions, which is at most `partitionsMax`. Subclasses enlarge their own arrays after this. */
  protected growPartitions(needed: number): void {
    this.partitionCapacity = Math.min(this.partitionsMax, Math.max(needed, this.partitionCapacity * 2));
    this.partitionTopic = this.enlarged(this.partitionTopic);
    this.partitionIndex = this.enlarged(this.partitionIndex);
  }

  /** A copy of an array of numbers with room for `partitionCapacity` entries. */
  protected enlarged<T extends Int32Array | Float64Array>(old: T): T {
    return enlarge(old, this.partitionCapacity);
  }
}

function enlarge<T extends Int32Array | Float64Array>(old: T, capacity: number): T {
  const larger = old instanceof Int32Array ? new Int32Array(capacity) : new Float64Array(capacity);
  larger.set(old);
  return larger as T;
}
