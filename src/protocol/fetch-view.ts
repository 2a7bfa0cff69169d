/**
 * A Fetch request (versions 4 to 18) read where it lies, into arrays that are made once and filled again.
 * The table in `apis/01-fetch.ts` is the oracle in tests. After a parse that succeeded, all positions lie inside [start, end).
 */

import { readInt32, readInt64 } from './int64.ts';
import { readUvarint, skipTagSection, UVARINT_BAD, type Cursor } from './skip.ts';
import { PARTITIONS_MAX, TopicList, ViewStatus } from './view.ts';

const VERSION_MIN = 4;
const VERSION_MAX = 18;
const LOG_START_OFFSET = 5;
const SESSIONS = 7;
const LEADER_EPOCH = 9;
const RACK = 11;
const FLEXIBLE = 12;
const TOPIC_ID = 13;
const REPLICA_STATE = 15;

const TAG_REPLICA_STATE = 1;

/** Topics and partitions that an incremental request drops from its session; usually none. */
class ForgottenTopics extends TopicList {
  /** Parses the section at the cursor. */
  parse(buffer: Buffer, cursor: Cursor, end: number, flexible: boolean, byId: boolean): ViewStatus {
    this.clear();
    const topics = this.readCount(buffer, cursor, end, flexible);
    if (topics < 0) return ViewStatus.MALFORMED;
    for (let topic = 0; topic < topics; topic++) {
      if (!this.readTopic(buffer, cursor, end, flexible, byId)) return ViewStatus.MALFORMED;
      const partitions = this.readCount(buffer, cursor, end, flexible);
      if (partitions < 0 || partitions * 4 > end - cursor.position) return ViewStatus.MALFORMED;
      if (this.partitionCount + partitions > this.partitionsMax || topics > this.partitionsMax) return ViewStatus.TOO_MANY;
      if (this.partitionCount + partitions > this.partitionCapacity) this.growPartitions(this.partitionCount + partitions);
      for (let index = 0; index < partitions; index++) {
        this.partitionTopic[this.partitionCount] = topic;
        this.partitionIndex[this.partitionCount++] = readInt32(buffer, cursor.position);
        cursor.position += 4;
      }
      if (flexible && !skipTagSection(buffer, cursor, end)) return ViewStatus.MALFORMED;
    }
    return ViewStatus.OK;
  }
}

/** What it holds is valid until the next parse. Fields that a version lacks hold their default. */
export class FetchView extends TopicList implements Cursor {
  version = 0;
  /** -1 a consumer, -2 a debugging consumer, 0 or more a follower. */
  replicaId = -1;
  maxWaitMs = 0;
  minBytes = 0;
  maxBytes = 0;
  /** 0 read_uncommitted, 1 read_committed. */
  isolationLevel = 0;
  /** 0: no session yet. */
  sessionId = 0;
  /** -1: none wanted; 0: a new one wanted; more: incremental. */
  sessionEpoch = -1;
  /** -1 unknown. */
  currentLeaderEpoch: Int32Array;
  /** Rounded beyond 2^53, and as the client wrote it: may be negative. */
  fetchOffset: Float64Array;
  partitionMaxBytes: Int32Array;
  readonly forgotten: ForgottenTopics;
  rackPosition = 0;
  /** Bytes; 0: none. */
  rackLength = 0;
  /** Where the parser stopped: behind the body, or the byte that made it refuse. */
  position = 0;

  /** @param partitionsMax most partitions of one request; more give TOO_MANY */
  constructor(partitionsMax = PARTITIONS_MAX) {
    super(partitionsMax);
    this.forgotten = new ForgottenTopics(partitionsMax);
    this.currentLeaderEpoch = new Int32Array(this.partitionCapacity);
    this.fetchOffset = new Float64Array(this.partitionCapacity);
    this.partitionMaxBytes = new Int32Array(this.partitionCapacity);
  }

  /**
   * Parses the body in buffer[start, end); bytes behind it are ignored, see `decodeRequest`.
   * @returns OK, or why the request is refused: the connection is closed then
   */
  parse(buffer: Buffer, start: number, end: number, version: number): ViewStatus {
    this.version = version;
    this.position = start;
    this.clear();
    if (version < VERSION_MIN || version > VERSION_MAX || start < 0 || end > buffer.length) return ViewStatus.MALFORMED;
    const flexible = version >= FLEXIBLE;
    if (!this.parseHead(buffer, end, version)) return ViewStatus.MALFORMED;
    const status = this.parseTopics(buffer, end, version);
    if (status !== ViewStatus.OK) return status;
    if (version >= SESSIONS) {
      const forgotten = this.forgotten.parse(buffer, this, end, flexible, version >= TOPIC_ID);
      if (forgotten !== ViewStatus.OK) return forgotten;
    }
    if (version >= RACK && !this.parseRack(buffer, end, flexible)) return ViewStatus.MALFORMED;
    if (flexible && !this.parseTags(buffer, end)) return ViewStatus.MALFORMED;
    return ViewStatus.OK;
  }

  override clear(): void {
    super.clear();
    this.replicaId = -1;
    this.sessionId = 0;
    this.sessionEpoch = -1;
    this.rackLength = 0;
    this.forgotten.clear();
  }

  private parseHead(buffer: Buffer, end: number, version: number): boolean {
    const bytes = (version < REPLICA_STATE ? 4 : 0) + 13 + (version >= SESSIONS ? 8 : 0);
    let at = this.position;
    if (end - at < bytes) return false;
    if (version < REPLICA_STATE) {
      this.replicaId = readInt32(buffer, at);
      at += 4;
    }
    this.maxWaitMs = readInt32(buffer, at);
    this.minBytes = readInt32(buffer, at + 4);
    this.maxBytes = readInt32(buffer, at + 8);
    this.isolationLevel = (buffer[at + 12]! << 24) >> 24;
    if (version >= SESSIONS) {
      this.sessionId = readInt32(buffer, at + 13);
      this.sessionEpoch = readInt32(buffer, at + 17);
    }
    this.position += bytes;
    return true;
  }

  private parseTopics(buffer: Buffer, end: number, version: number): ViewStatus {
    const flexible = version >= FLEXIBLE;
    const topics = this.readCount(buffer, this, end, flexible);
    if (topics < 0) return ViewStatus.MALFORMED;
    for (let topic = 0; topic < topics; topic++) {
      if (!this.readTopic(buffer, this, end, flexible, version >= TOPIC_ID)) return ViewStatus.MALFORMED;
      const partitions = this.readCount(buffer, this, end, flexible);
      if (partitions < 0) return ViewStatus.MALFORMED;
      if (this.partitionCount + partitions > this.partitionsMax || topics > this.partitionsMax) return ViewStatus.TOO_MANY;
      if (this.partitionCount + partitions > this.partitionCapacity) this.growPartitions(this.partitionCount + partitions);
      for (let index = 0; index < partitions; index++) {
        if (!this.parsePartition(buffer, end, version)) return ViewStatus.MALFORMED;
      }
      if (flexible && !skipTagSection(buffer, this, end)) return ViewStatus.MALFORMED;
    }
    return ViewStatus.OK;
  }

  private parsePartition(buffer: Buffer, end: number, version: number): boolean {
    const hasEpoch = version >= LEADER_EPOCH;
    const flexible = version >= FLEXIBLE;
    // partition, [currentLeaderEpoch], fetchOffset, [lastFetchedEpoch], [logStartOffset], partitionMaxBytes
    const bytes = 16 + (hasEpoch ? 4 : 0) + (flexible ? 4 : 0) + (version >= LOG_START_OFFSET ? 8 : 0);
    if (end - this.position < bytes) return false;
    const slot = this.partitionCount;
    let at = this.position;
    this.partitionTopic[slot] = this.topicCount - 1;
    this.partitionIndex[slot] = readInt32(buffer, at);
    at += 4;
    this.currentLeaderEpoch[slot] = hasEpoch ? readInt32(buffer, at) : -1;
    if (hasEpoch) at += 4;
    this.fetchOffset[slot] = readInt64(buffer, at);
    this.position += bytes;
    this.partitionMaxBytes[slot] = readInt32(buffer, this.position - 4);
    // Tags: directory id and high watermark of a follower of Kafka's own replication, which ringlog has not.
    if (flexible && !skipTagSection(buffer, this, end)) return false;
    this.partitionCount = slot + 1;
    return true;
  }

  private parseRack(buffer: Buffer, end: number, flexible: boolean): boolean {
    const length = this.readStringLength(buffer, this, end, flexible);
    if (length < 0) return false;
    this.rackPosition = this.position;
    this.rackLength = length;
    this.position += length;
    return true;
  }

  /** Of the root's tags only the replica id inside ReplicaState matters: followers of another kind must be told apart. */
  private parseTags(buffer: Buffer, end: number): boolean {
    if (this.position < end && buffer[this.position] === 0) {
      this.position++;
      return true;
    }
    const count = readUvarint(buffer, this, end);
    if (count === UVARINT_BAD) return false;
    for (let index = 0; index < count; index++) {
      const tag = readUvarint(buffer, this, end);
      if (tag === UVARINT_BAD) return false;
      const length = readUvarint(buffer, this, end);
      if (length === UVARINT_BAD || length > end - this.position) return false;
      const after = this.position + length;
      if (tag === TAG_REPLICA_STATE && this.version >= REPLICA_STATE && !this.parseReplicaState(buffer, after)) return false;
      if (tag === 0 && !this.skipClusterId(buffer, after)) return false;
      this.position = after;
    }
    return true;
  }

  private parseReplicaState(buffer: Buffer, end: number): boolean {
    if (end - this.position < 13) return false;
    this.replicaId = readInt32(buffer, this.position);
    this.position += 12;
    return skipTagSection(buffer, this, end) && this.position === end;
  }

  private skipClusterId(buffer: Buffer, end: number): boolean {
    const length = this.readStringLength(buffer, this, end, true);
    if (length < -1) return false;
    if (length > 0) this.position += length;
    return this.position === end;
  }

  protected override growPartitions(needed: number): void {
    super.growPartitions(needed);
    this.currentLeaderEpoch = this.enlarged(this.currentLeaderEpoch);
    this.fetchOffset = this.enlarged(this.fetchOffset);
    this.partitionMaxBytes = this.enlarged(this.partitionMaxBytes);
  }
}
