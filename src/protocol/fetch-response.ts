/**
 * Writes everything of a Fetch response (versions 4 to 18) around the record bytes, which stay where they are.
 *
 *     scratch   | size header topics... partition 0 head | partition 0 tail, partition 1 head | ... rest |
 *     socket    | piece 0                       | records | piece 1                    | records | ... piece n |
 *
 * The caller knows the length of each partition's records before it writes the partition. Gap i lies behind piece i; where the
 * pieces are cut is in `gapPosition`. The scratch belongs to the response until the socket has taken it.
 */

import { assert } from '../lib/assert.ts';
import { ByteWriter } from './byte-writer.ts';
import { endpointsSectionBytes, leaderSectionBytes, writeEndpointsSection, writeLeaderSection, type NodeEndpoint } from './endpoints.ts';
import { TOPIC_ID_BYTES } from './view.ts';

const LOG_START_OFFSET = 5;
const SESSIONS = 7;
const PREFERRED_REPLICA = 11;
const FLEXIBLE = 12;
const TOPIC_ID = 13;
const NODE_ENDPOINTS = 16;

const TAG_CURRENT_LEADER = 1;

/** A transaction that was aborted, for read_committed consumers. */
export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
}

/** What a partition's answer says beside its records. Made once and filled again; {@link clear} makes it an error answer. */
export class FetchPartitionResult {
  partitionIndex = 0;
  errorCode = 0;
  /** -1 on error, as the next two. */
  highWatermark = -1;
  lastStableOffset = -1;
  logStartOffset = -1;
  /** -1: this broker; versions 11 and above. */
  preferredReadReplica = -1;
  /** Null unless read_committed. */
  abortedTransactions: readonly AbortedTransaction[] | null = null;
  /** Told beside NOT_LEADER_OR_FOLLOWER in versions 12 and above; -1: not told. */
  leaderId = -1;
  leaderEpoch = -1;
  /** Bytes of the records that the caller will splice in; 0: empty. */
  recordsBytes = 0;

  /** Resets to an answer without data. */
  clear(partitionIndex: number, errorCode: number): void {
    this.partitionIndex = partitionIndex;
    this.errorCode = errorCode;
    this.highWatermark = -1;
    this.lastStableOffset = -1;
    this.logStartOffset = -1;
    this.preferredReadReplica = -1;
    this.abortedTransactions = null;
    this.leaderId = -1;
    this.leaderEpoch = -1;
    this.recordsBytes = 0;
  }
}

/** Most scratch bytes of size, header and the fields in front of the topics. */
export const FETCH_RESPONSE_HEAD_BYTES_MAX = 32;

/** Most scratch bytes of a topic without its partitions. */
export function fetchTopicBytesMax(nameLength: number): number {
  return nameLength + 3 + 5 + 1;
}

/** Most scratch bytes of a partition without its records. */
export function fetchPartitionBytesMax(abortedCount: number): number {
  return 4 + 2 + 24 + 5 + 17 * abortedCount + 4 + 5 + leaderSectionBytes();
}

/** Most scratch bytes of what follows the topics. */
export function fetchTailBytesMax(endpoints: readonly NodeEndpoint[]): number {
  return endpointsSectionBytes(endpoints);
}

/** Call begin, then per topic `topic` and its `partition`s, then `end`. The same writer serves one response after the other. */
export class FetchResponseWriter {
  private readonly writer: ByteWriter;
  private version = 0;
  private start = 0;
  private topicsLeft = 0;
  private partitionsLeft = 0;
  private topicOpen = false;
  private recordsTotal = 0;
  /** Partitions that have records. */
  gapCount = 0;
  /** Where in the scratch the records of a gap belong: in front of this byte. Ascending. */
  gapPosition: Int32Array;
  /** Bytes of records of each gap, more than 0. */
  gapBytes: Int32Array;

  /** @param scratch where to write; replaced by {@link begin} if it is given another one */
  constructor(scratch: Buffer, gapsInitial = 64) {
    this.writer = new ByteWriter(scratch);
    this.gapPosition = new Int32Array(gapsInitial);
    this.gapBytes = new Int32Array(gapsInitial);
  }

  /** First scratch byte behind what was written so far. */
  get position(): number {
    return this.writer.position;
  }

  /**
   * Starts a response at `position` of `scratch`.
   * @param sessionId 0: no session; versions below 7 cannot say it
   * @param topicCount how many times `topic` will be called
   */
  begin(
    scratch: Buffer,
    position: number,
    version: number,
    correlationId: number,
    throttleTimeMs: number,
    errorCode: number,
    sessionId: number,
    topicCount: number,
  ): void {
    assert(version >= 4 && version <= 18, 'a served version');
    const { writer } = this;
    writer.buffer = scratch;
    writer.position = position + 4;
    this.version = version;
    this.start = position;
    this.topicsLeft = topicCount;
    this.partitionsLeft = 0;
    this.topicOpen = false;
    this.recordsTotal = 0;
    this.gapCount = 0;
    const flexible = version >= FLEXIBLE;
    writer.int32(correlationId);
    if (flexible) writer.int8(0);
    writer.int32(throttleTimeMs);
    if (version >= SESSIONS) {
      writer.int16(errorCode);
      writer.int32(sessionId);
    }
    writer.count(topicCount, flexible);
  }

  /**
   * Starts a topic.
   * @param name buffer that holds its name, or its 16-byte id in versions 13 and above
   * @param partitionCount how many times `partition` will be called for it
   */
  topic(name: Uint8Array, position: number, length: number, partitionCount: number): void {
    this.closeTopic();
    assert(this.topicsLeft-- > 0, 'no more topics than announced');
    const { writer, version } = this;
    const flexible = version >= FLEXIBLE;
    if (version >= TOPIC_ID) assert(length === TOPIC_ID_BYTES, 'a topic id of 16 bytes');
    else if (flexible) writer.uvarint(length + 1);
    else writer.int16(length);
    writer.copy(name, position, length);
    writer.count(partitionCount, flexible);
    this.partitionsLeft = partitionCount;
    this.topicOpen = true;
  }

  /** Writes one partition and, if it has records, notes the gap where they belong. */
  partition(result: FetchPartitionResult): void {
    assert(this.partitionsLeft-- > 0, 'no more partitions than announced');
    const { writer, version } = this;
    const flexible = version >= FLEXIBLE;
    writer.int32(result.partitionIndex);
    writer.int16(result.errorCode);
    writer.int64(result.highWatermark);
    writer.int64(result.lastStableOffset);
    if (version >= LOG_START_OFFSET) writer.int64(result.logStartOffset);
    this.writeAborted(result.abortedTransactions, flexible);
    if (version >= PREFERRED_REPLICA) writer.int32(result.preferredReadReplica);
    writer.count(result.recordsBytes, flexible);
    if (result.recordsBytes > 0) this.addGap(result.recordsBytes);
    if (!flexible) return;
    if (result.leaderId === -1) writer.int8(0);
    else writeLeaderSection(writer, TAG_CURRENT_LEADER, result.leaderId, result.leaderEpoch);
  }

  /**
   * Ends the response and fills in its size.
   * @param endpoints where the leaders told in partitions are; versions 16 and above
   * @returns bytes of the whole frame, size field and records included
   */
  end(endpoints: readonly NodeEndpoint[] = []): number {
    this.closeTopic();
    assert(this.topicsLeft === 0, 'as many topics as announced');
    const { writer, version } = this;
    if (version >= NODE_ENDPOINTS) writeEndpointsSection(writer, endpoints);
    else if (version >= FLEXIBLE) writer.int8(0);
    const after = writer.position;
    const bytes = after - this.start + this.recordsTotal;
    writer.position = this.start;
    writer.int32(bytes - 4);
    writer.position = after;
    writer.finish(after);
    return bytes;
  }

  private closeTopic(): void {
    if (!this.topicOpen) return;
    assert(this.partitionsLeft === 0, 'as many partitions as announced');
    if (this.version >= FLEXIBLE) this.writer.int8(0);
    this.topicOpen = false;
  }

  private writeAborted(aborted: readonly AbortedTransaction[] | null, flexible: boolean): void {
    const { writer } = this;
    writer.count(aborted === null ? -1 : aborted.length, flexible);
    if (aborted === null) return;
    for (const { producerId, firstOffset } of aborted) {
      writer.int64(producerId);
      writer.int64(firstOffset);
      if (flexible) writer.int8(0);
    }
  }

  private addGap(bytes: number): void {
    const gap = this.gapCount++;
    if (gap === this.gapPosition.length) {
      const larger = [new Int32Array(gap * 2), new Int32Array(gap * 2)] as const;
      larger[0].set(this.gapPosition);
      larger[1].set(this.gapBytes);
      [this.gapPosition, this.gapBytes] = larger;
    }
    this.gapPosition[gap] = this.writer.position;
    this.gapBytes[gap] = bytes;
    this.recordsTotal += bytes;
  }
}
