/**
 * Writes a Produce response (versions 3 to 13) from the view of its request and an array of outcomes, as one whole frame.
 * Topic names are copied from the request's bytes, so the request's region must still be held.
 */

import { assert } from '../lib/assert.ts';
import type { ByteWriter } from './byte-writer.ts';
import { uvarintBytes } from './byte-writer.ts';
import { endpointsSectionBytes, leaderSectionBytes, writeEndpointsSection, writeLeaderSection, type NodeEndpoint } from './endpoints.ts';
import { ErrorCode } from './errors.ts';
import type { ProduceView } from './produce-view.ts';
import { TOPIC_ID_BYTES } from './view.ts';

const LOG_START_OFFSET = 5;
const RECORD_ERRORS = 8;
const FLEXIBLE = 9;
const LEADER_TAGS = 10;
const TOPIC_ID = 13;

/** One record that made its batch be refused (versions 8 and above say so). */
export interface RecordError {
  readonly batchIndex: number;
  readonly message: string | null;
}

/** The rare parts of an outcome. */
interface Detail {
  errorMessage: string | null;
  recordErrors: readonly RecordError[];
  /** -1: not told. */
  leaderId: number;
  leaderEpoch: number;
}

const NO_ENDPOINTS: readonly NodeEndpoint[] = [];

/** Outcomes per partition, in the slots of the {@link ProduceView}. Made once, {@link reset} per request. */
export class ProduceResults {
  errorCode: Int16Array;
  /** -1 on error. */
  baseOffset: Float64Array;
  /** -1 unless the topic is of LogAppendTime. */
  logAppendTimeMs: Float64Array;
  /** -1 on error. */
  logStartOffset: Float64Array;
  throttleTimeMs = 0;
  /** Whether any partition was refused. */
  hasErrors = false;
  /** Where the leaders told by {@link setLeader} are; versions 10 and above. */
  nodeEndpoints: readonly NodeEndpoint[] = NO_ENDPOINTS;
  /** Empty for nearly all requests. */
  private readonly details = new Map<number, Detail>();

  constructor(capacity = 64) {
    this.errorCode = new Int16Array(capacity);
    this.baseOffset = new Float64Array(capacity);
    this.logAppendTimeMs = new Float64Array(capacity);
    this.logStartOffset = new Float64Array(capacity);
  }

  /** Forgets all outcomes and prepares slots for `count` partitions: no error, offsets -1. */
  reset(count: number): void {
    if (count > this.errorCode.length) {
      const capacity = Math.max(count, this.errorCode.length * 2);
      this.errorCode = new Int16Array(capacity);
      this.baseOffset = new Float64Array(capacity);
      this.logAppendTimeMs = new Float64Array(capacity);
      this.logStartOffset = new Float64Array(capacity);
    }
    for (let slot = 0; slot < count; slot++) this.set(slot, ErrorCode.NONE, -1, -1, -1);
    this.hasErrors = false;
    this.throttleTimeMs = 0;
    this.nodeEndpoints = NO_ENDPOINTS;
    if (this.details.size > 0) this.details.clear();
  }

  /** The batch of `slot` was appended. */
  succeed(slot: number, baseOffset: number, logAppendTimeMs: number, logStartOffset: number): void {
    this.set(slot, ErrorCode.NONE, baseOffset, logAppendTimeMs, logStartOffset);
  }

  /** The batch of `slot` was refused. */
  fail(slot: number, errorCode: number): void {
    this.set(slot, errorCode, -1, -1, -1);
    this.hasErrors = true;
  }

  /** Words for people; versions 8 and above. */
  setErrorMessage(slot: number, message: string): void {
    this.detail(slot).errorMessage = message;
  }

  /** Names the bad records of a refused batch; versions 8 and above. */
  setRecordErrors(slot: number, errors: readonly RecordError[]): void {
    this.detail(slot).recordErrors = errors;
  }

  /** Tells where the leader is, beside NOT_LEADER_OR_FOLLOWER; versions 10 and above. */
  setLeader(slot: number, leaderId: number, leaderEpoch: number): void {
    const detail = this.detail(slot);
    detail.leaderId = leaderId;
    detail.leaderEpoch = leaderEpoch;
  }

  /** The rare parts of an outcome, if it has any. */
  detailOf(slot: number): Readonly<Detail> | undefined {
    return this.details.size === 0 ? undefined : this.details.get(slot);
  }

  private set(slot: number, errorCode: number, baseOffset: number, logAppendTimeMs: number, logStartOffset: number): void {
    this.errorCode[slot] = errorCode;
    this.baseOffset[slot] = baseOffset;
    this.logAppendTimeMs[slot] = logAppendTimeMs;
    this.logStartOffset[slot] = logStartOffset;
  }

  private detail(slot: number): Detail {
    let detail = this.details.get(slot);
    if (detail === undefined) {
      detail = { errorMessage: null, recordErrors: [], leaderId: -1, leaderEpoch: -1 };
      this.details.set(slot, detail);
    }
    return detail;
  }
}

const textBytes = (text: string | null): number => (text === null ? 0 : Buffer.byteLength(text));

function nullableStringBytes(text: string | null, flexible: boolean): number {
  const length = textBytes(text);
  return length + (flexible ? uvarintBytes(text === null ? 0 : length + 1) : 2);
}

/** What a partition takes beyond its fixed fields, because its outcome has a detail. */
function detailBytes(version: number, detail: Readonly<Detail>): number {
  if (version < RECORD_ERRORS) return 0;
  const flexible = version >= FLEXIBLE;
  let bytes = nullableStringBytes(detail.errorMessage, flexible) - (flexible ? 1 : 2);
  for (const { message } of detail.recordErrors) bytes += 4 + nullableStringBytes(message, flexible) + (flexible ? 1 : 0);
  if (flexible) bytes += uvarintBytes(detail.recordErrors.length + 1) - 1;
  if (version >= LEADER_TAGS && detail.leaderId !== -1) bytes += leaderSectionBytes() - 1;
  return bytes;
}

/** Bytes of a partition whose outcome has no detail. */
function plainPartitionBytes(version: number): number {
  const fixed = 4 + 2 + 8 + 8 + (version >= LOG_START_OFFSET ? 8 : 0);
  if (version >= FLEXIBLE) return fixed + 3;
  return fixed + (version >= RECORD_ERRORS ? 6 : 0);
}

/** Exact bytes of the frame that {@link writeProduceResponse} will write, its size field included. */
export function produceResponseBytes(view: ProduceView, results: ProduceResults): number {
  const { version } = view;
  const flexible = version >= FLEXIBLE;
  let bytes = 4 + 4 + (flexible ? 1 + uvarintBytes(view.topicCount + 1) : 4);
  bytes += view.partitionCount * plainPartitionBytes(version);
  for (let topic = 0; topic < view.topicCount; topic++) {
    const length = view.topicLength[topic]!;
    if (version >= TOPIC_ID) bytes += TOPIC_ID_BYTES;
    else bytes += length + (flexible ? uvarintBytes(length + 1) : 2);
    const partitions = view.topicEndPartition(topic) - view.topicFirstPartition[topic]!;
    bytes += flexible ? uvarintBytes(partitions + 1) + 1 : 4;
  }
  for (let slot = 0; slot < view.partitionCount; slot++) {
    const detail = results.detailOf(slot);
    if (detail !== undefined) bytes += detailBytes(version, detail);
  }
  bytes += 4;
  if (version >= LEADER_TAGS) return bytes + endpointsSectionBytes(results.nodeEndpoints);
  return flexible ? bytes + 1 : bytes;
}

function writeDetail(writer: ByteWriter, version: number, detail: Readonly<Detail>): void {
  const flexible = version >= FLEXIBLE;
  writer.count(detail.recordErrors.length, flexible);
  for (const { batchIndex, message } of detail.recordErrors) {
    writer.int32(batchIndex);
    writer.string(message, textBytes(message), flexible);
    if (flexible) writer.uvarint(0);
  }
  writer.string(detail.errorMessage, textBytes(detail.errorMessage), flexible);
  if (!flexible) return;
  if (version >= LEADER_TAGS && detail.leaderId !== -1) writeLeaderSection(writer, 0, detail.leaderId, detail.leaderEpoch);
  else writer.uvarint(0);
}

function writePartition(writer: ByteWriter, view: ProduceView, results: ProduceResults, slot: number): void {
  const { version } = view;
  writer.int32(view.partitionIndex[slot]!);
  writer.int16(results.errorCode[slot]!);
  writer.int64(results.baseOffset[slot]!);
  writer.int64(results.logAppendTimeMs[slot]!);
  if (version >= LOG_START_OFFSET) writer.int64(results.logStartOffset[slot]!);
  if (version < RECORD_ERRORS) return;
  const detail = results.detailOf(slot);
  if (detail !== undefined) return writeDetail(writer, version, detail);
  if (version >= FLEXIBLE) {
    // No record errors, null message, no tags.
    writer.int8(1);
    writer.int8(0);
    writer.int8(0);
  } else {
    writer.int32(0);
    writer.int16(-1);
  }
}

/**
 * Writes the whole frame at `position` of `writer.buffer`.
 * @param request the buffer that `view` was parsed from
 * @param bytes what {@link produceResponseBytes} returned; the buffer must have that room (asserted)
 * @returns bytes written, which is `bytes`
 */
export function writeProduceResponse(
  writer: ByteWriter,
  position: number,
  bytes: number,
  correlationId: number,
  view: ProduceView,
  request: Buffer,
  results: ProduceResults,
): number {
  assert(position + bytes <= writer.buffer.length, 'room for the response');
  const { version } = view;
  const flexible = version >= FLEXIBLE;
  writer.position = position;
  writer.int32(bytes - 4);
  writer.int32(correlationId);
  if (flexible) writer.int8(0);
  writer.count(view.topicCount, flexible);
  for (let topic = 0; topic < view.topicCount; topic++) {
    const length = view.topicLength[topic]!;
    const first = view.topicFirstPartition[topic]!;
    const end = view.topicEndPartition(topic);
    if (version < TOPIC_ID) {
      if (flexible) writer.uvarint(length + 1);
      else writer.int16(length);
    }
    writer.copy(request, view.topicPosition[topic]!, length);
    writer.count(end - first, flexible);
    for (let slot = first; slot < end; slot++) writePartition(writer, view, results, slot);
    if (flexible) writer.int8(0);
  }
  writer.int32(results.throttleTimeMs);
  if (version >= LEADER_TAGS) writeEndpointsSection(writer, results.nodeEndpoints);
  else if (flexible) writer.int8(0);
  writer.finish(position + bytes);
  return bytes;
}
