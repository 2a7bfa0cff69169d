/**
 * One target per decoder that sees bytes of strangers. A target returns for good and for malformed bytes alike, and lets
 * anything else be thrown: that is what a fuzzer looks for. Where a decoder needs to know API and version, they are
 * taken from the first bytes.
 */

import { decompress } from '../../src/jobs/decompress.ts';
import { ALL_APIS } from '../../src/protocol/apis/all.ts';
import { OutputTooLargeError } from '../../src/protocol/bounded-output.ts';
import { decodeMessage } from '../../src/protocol/codec.ts';
import { ErrorCode } from '../../src/protocol/errors.ts';
import { FetchView } from '../../src/protocol/fetch-view.ts';
import { clientIdOf, HeaderStatus, parseRequestHeader, RequestHeader } from '../../src/protocol/frame.ts';
import { parseRange } from '../../src/protocol/plan.ts';
import { ProduceResults, produceResponseBytes, writeProduceResponse } from '../../src/protocol/produce-response.ts';
import { ProduceView } from '../../src/protocol/produce-view.ts';
import { ByteWriter } from '../../src/protocol/byte-writer.ts';
import { MalformedError } from '../../src/protocol/protocol-errors.ts';
import { BATCH_HEADER_BYTES, checkBatchHeader, recordCount } from '../../src/protocol/record-batch.ts';
import { RecordWalk } from '../../src/protocol/record-walk.ts';
import { readRecords, readRecordsFrom } from '../../src/protocol/record.ts';
import type { Message } from '../../src/protocol/schema.ts';
import { ALL_STORED } from '../../src/protocol/stored/all.ts';
import { ViewStatus } from '../../src/protocol/view.ts';

/** Most bytes that may come out of compressed ones here. */
const OPENED_MAX = 1 << 20;

function toleratingMalformed(decode: () => void): void {
  try {
    decode();
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
  }
}

/** byte 0: which message, byte 1: which version, then its bytes. */
function decodeOneOf(messages: readonly Message[], bytes: Buffer): void {
  if (bytes.length < 2) return;
  const message = messages[bytes[0]! % messages.length]!;
  const { min, max } = parseRange(message.versions);
  const version = min + (bytes[1]! % (max - min + 1));
  toleratingMalformed(() => void decodeMessage(message, version, bytes, 2));
}

const requests = ALL_APIS.map((api) => api.request);
const responses = ALL_APIS.map((api) => api.response);

/** Bodies of requests. */
export function request(bytes: Buffer): void {
  decodeOneOf(requests, bytes);
}

/** Bodies of responses: peers and tools read them. */
export function response(bytes: Buffer): void {
  decodeOneOf(responses, bytes);
}

/** Stored records and what consumers put into opaque bytes. */
export function stored(bytes: Buffer): void {
  decodeOneOf(ALL_STORED, bytes);
}

/** The header of a request. */
export function requestHeader(bytes: Buffer): void {
  const header = new RequestHeader();
  if (parseRequestHeader(bytes, 0, bytes.length, header) !== HeaderStatus.OK) return;
  clientIdOf(bytes, header);
  if (header.bodyStart > bytes.length) throw new Error('the body begins behind the end');
}

/** byte 0: version; a request that parses must be answerable. */
export function produceView(bytes: Buffer): void {
  const view = new ProduceView();
  if (view.parse(bytes, 1, bytes.length, (bytes[0] ?? 0) % 16) !== ViewStatus.OK) return;
  for (let slot = 0; slot < view.partitionCount; slot++) {
    if (view.recordsPosition[slot]! + Math.max(0, view.recordsLength[slot]!) > bytes.length)
      throw new Error('records outside of the frame');
    checkBatchHeader(bytes, view.recordsPosition[slot]!, view.recordsLength[slot]!);
  }
  const results = new ProduceResults();
  results.reset(view.partitionCount);
  const length = produceResponseBytes(view, results);
  writeProduceResponse(new ByteWriter(Buffer.alloc(length)), 0, length, 1, view, bytes, results);
}

/** byte 0: version. */
export function fetchView(bytes: Buffer): void {
  const view = new FetchView();
  if (view.parse(bytes, 1, bytes.length, (bytes[0] ?? 0) % 20) !== ViewStatus.OK) return;
  for (let topic = 0; topic < view.topicCount; topic++) {
    if (view.topicPosition[topic]! + view.topicLength[topic]! > bytes.length) throw new Error('name outside of the frame');
  }
}

/** A record batch with its records. */
export function records(bytes: Buffer): void {
  checkBatchHeader(bytes, 0, bytes.length);
  toleratingMalformed(() => {
    for (const record of readRecords(bytes)) if (record.headers.length > bytes.length) throw new Error('more headers than bytes');
  });
}

/** The records of a batch as a shard walks them: it never sees other records than whoever reads them one by one, nor bytes behind the end. */
export function recordWalk(bytes: Buffer): void {
  if (bytes.length < BATCH_HEADER_BYTES) return;
  const walked = new RecordWalk().walk(bytes, 0, bytes, BATCH_HEADER_BYTES, bytes.length);
  if (walked !== ErrorCode.NONE) return;
  const records = [...readRecordsFrom(bytes, 0, bytes, BATCH_HEADER_BYTES, bytes.length)];
  if (records.length !== recordCount(bytes, 0)) throw new Error('not as many records as were walked');
}

/** byte 0: codec, then what was compressed. */
export function compressed(bytes: Buffer): void {
  try {
    if (decompress(1 + ((bytes[0] ?? 0) & 3), bytes.subarray(1), OPENED_MAX).length > OPENED_MAX) throw new Error('more than allowed');
  } catch (error) {
    if (!(error instanceof MalformedError || error instanceof OutputTooLargeError)) throw error;
  }
}
