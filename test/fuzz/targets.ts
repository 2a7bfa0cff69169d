/**
 * One target per decoder that sees bytes of strangers. A target returns for good and for malformed bytes alike, and lets
 * anything else be thrown: that is what a fuzzer looks for. Where a decoder needs to know API and version, they are
 * taken from the first bytes.
 */

import { ALL_APIS } from '../../src/protocol/apis/all.ts';
import { decodeMessage } from '../../src/protocol/codec.ts';
import { FetchView } from '../../src/protocol/fetch-view.ts';
import { clientIdOf, HeaderStatus, parseRequestHeader, RequestHeader } from '../../src/protocol/frame.ts';
import { parseRange } from '../../src/protocol/plan.ts';
import { ProduceResults, produceResponseBytes, writeProduceResponse } from '../../src/protocol/produce-response.ts';
import { ProduceView } from '../../src/protocol/produce-view.ts';
import { ByteWriter } from '../../src/protocol/byte-writer.ts';
import { MalformedError } from '../../src/protocol/protocol-errors.ts';
import { checkBatchHeader } from '../../src/protocol/record-batch.ts';
import { readRecords } from '../../src/protocol/record.ts';
import type { Message } from '../../src/protocol/schema.ts';
import { ALL_STORED } from '../../src/protocol/stored/all.ts';
import { ViewStatus } from '../../src/protocol/view.ts';

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
