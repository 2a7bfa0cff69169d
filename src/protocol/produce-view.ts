/**
 * A Produce request (versions 3 to 13) read where it lies, into arrays that are made once and filled again.
 *
 * Everything is a position or length in the parsed buffer; records are never touched. The table in `apis/00-produce.ts` says
 * the same thing slowly and is the oracle in tests. After a parse that succeeded, all positions lie inside [start, end).
 */

import { PRODUCE_VERSION_MIN } from './api-versions.ts';
import { readInt16, readInt32 } from './int64.ts';
import { readUvarint, skipTagSection, UVARINT_BAD, type Cursor } from './skip.ts';
import { PARTITIONS_MAX, TopicList, ViewStatus } from './view.ts';

const FLEXIBLE = 9;
const TOPIC_ID = 13;
const VERSION_MAX = 13;

/** One view per connection handler is enough: what it holds is valid until the next parse. */
export class ProduceView extends TopicList implements Cursor {
  version = 0;
  /** 0, 1 or -1 are legal; others are answered per partition, so the parser lets them pass. */
  acks = 0;
  timeoutMs = 0;
  transactionalIdPosition = 0;
  /** Bytes; -1: not transactional. */
  transactionalIdLength = -1;
  /** First byte of the records of each partition. */
  recordsPosition: Int32Array;
  /** Bytes of the records of each partition; -1: null. */
  recordsLength: Int32Array;
  /** Where the parser stopped: behind the body, or the byte that made it refuse. */
  position = 0;

  /** @param partitionsMax most partitions of one request; more give TOO_MANY */
  constructor(partitionsMax = PARTITIONS_MAX) {
    super(partitionsMax);
    this.recordsPosition = new Int32Array(this.partitionCapacity);
    this.recordsLength = new Int32Array(this.partitionCapacity);
  }

  /**
   * Parses the body in buffer[start, end); bytes behind it are ignored, see `decodeRequest`.
   * @returns OK, or why the request is refused: the connection is closed then
   */
  parse(buffer: Buffer, start: number, end: number, version: number): ViewStatus {
    this.version = version;
    this.position = start;
    this.clear();
    if (version < PRODUCE_VERSION_MIN || version > VERSION_MAX || start < 0 || end > buffer.length) return ViewStatus.MALFORMED;
    const flexible = version >= FLEXIBLE;
    if (!this.parseHead(buffer, end, flexible)) return ViewStatus.MALFORMED;
    const status = this.parseTopics(buffer, end, flexible, version >= TOPIC_ID);
    if (status !== ViewStatus.OK) return status;
    if (flexible && !skipTagSection(buffer, this, end)) return ViewStatus.MALFORMED;
    return ViewStatus.OK;
  }

  private parseHead(buffer: Buffer, end: number, flexible: boolean): boolean {
    const length = this.readStringLength(buffer, this, end, flexible);
    if (length < -1) return false;
    this.transactionalIdLength = length;
    this.transactionalIdPosition = this.position;
    if (length > 0) this.position += length;
    if (end - this.position < 6) return false;
    this.acks = readInt16(buffer, this.position);
    this.timeoutMs = readInt32(buffer, this.position + 2);
    this.position += 6;
    return true;
  }

  private parseTopics(buffer: Buffer, end: number, flexible: boolean, byId: boolean): ViewStatus {
    const topics = this.readCount(buffer, this, end, flexible);
    if (topics < 0) return ViewStatus.MALFORMED;
    for (let topic = 0; topic < topics; topic++) {
      if (!this.readTopic(buffer, this, end, flexible, byId)) return ViewStatus.MALFORMED;
      const partitions = this.readCount(buffer, this, end, flexible);
      if (partitions < 0) return ViewStatus.MALFORMED;
      if (this.partitionCount + partitions > this.partitionsMax || topics > this.partitionsMax) return ViewStatus.TOO_MANY;
      if (this.partitionCount + partitions > this.partitionCapacity) this.growPartitions(this.partitionCount + partitions);
      for (let index = 0; index < partitions; index++) {
        if (!this.parsePartition(buffer, end, flexible)) return ViewStatus.MALFORMED;
      }
      if (flexible && !skipTagSection(buffer, this, end)) return ViewStatus.MALFORMED;
    }
    return ViewStatus.OK;
  }

  private parsePartition(buffer: Buffer, end: number, flexible: boolean): boolean {
    if (end - this.position < 5) return false;
    const slot = this.partitionCount;
    this.partitionIndex[slot] = readInt32(buffer, this.position);
    this.position += 4;
    let length: number;
    if (flexible) {
      length = readUvarint(buffer, this, end);
      if (length === UVARINT_BAD) return false;
      length--;
    } else {
      if (end - this.position < 4) return false;
      length = readInt32(buffer, this.position);
      this.position += 4;
    }
    if (length < -1 || length > end - this.position) return false;
    this.recordsPosition[slot] = this.position;
    this.recordsLength[slot] = length;
    if (length > 0) this.position += length;
    if (flexible && !skipTagSection(buffer, this, end)) return false;
    this.partitionTopic[slot] = this.topicCount - 1;
    this.partitionCount = slot + 1;
    return true;
  }

  protected override growPartitions(needed: number): void {
    super.growPartitions(needed);
    this.recordsPosition = this.enlarged(this.recordsPosition);
    this.recordsLength = this.enlarged(this.recordsLength);
  }
}
