/**
 * Bodies of requests and responses, and stored records, by their tables. See `schema.ts` for how values look:
 * lowerCamelCase names, int64 as bigint, ids as base64url, bytes as views; a field that the version lacks holds its default.
 */

import { decode, REQUEST_ELEMENTS_MAX } from './decode.ts';
import { encode } from './encode.ts';
import { planOf, type MessagePlan } from './plan.ts';
import { EncodeError, MalformedError } from './protocol-errors.ts';
import type { Api, Decoded, Encodable, Fields, Message, RequestInput, RequestOf, ResponseInput, ResponseOf } from './schema.ts';

/**
 * Decodes any message of a table from buffer[start, end).
 * @throws MalformedError if the bytes are not exactly one message of that version
 */
export function decodeMessage<F extends Fields>(
  message: Message<F>,
  version: number,
  buffer: Buffer,
  start = 0,
  end = buffer.length,
): Decoded<F> {
  const plan = planOf(message, version);
  if (plan === undefined) throw new MalformedError(message.name, '', start, `unknown version ${version}`);
  return decode(plan, buffer, start, end, 'nothing') as Decoded<F>;
}

/** The plan to encode with; an unknown version is the caller's bug. */
export function encodingPlan(message: Message, version: number): MessagePlan {
  const plan = planOf(message, version);
  if (plan === undefined) throw new EncodeError(message.name, '', `unknown version ${version}`);
  return plan;
}

/**
 * Encodes any message of a table.
 * @throws EncodeError if the version is unknown or cannot express the value
 */
export function encodeMessage<F extends Fields>(message: Message<F>, version: number, value: Encodable<F>): Buffer {
  return encode(encodingPlan(message, version), value);
}

/**
 * Decodes a request body. Bytes behind it are ignored, as Kafka does: librdkafka leaves three of them when it asks for all topics by
 * Metadata 9 or newer.
 * @throws MalformedError
 */
export function decodeRequest<A extends Api>(api: A, version: number, buffer: Buffer, start = 0, end = buffer.length): RequestOf<A> {
  const plan = planOf(api.request, version);
  if (plan === undefined) throw new MalformedError(api.request.name, '', start, `unknown version ${version}`);
  return decode(plan, buffer, start, end, 'ignored', REQUEST_ELEMENTS_MAX) as RequestOf<A>;
}

/** Decodes a response body, which must end exactly at `end`. @throws MalformedError */
export function decodeResponse<A extends Api>(api: A, version: number, buffer: Buffer, start = 0, end = buffer.length): ResponseOf<A> {
  return decodeMessage(api.response, version, buffer, start, end) as ResponseOf<A>;
}

/** Encodes a request body. @throws EncodeError */
export function encodeRequest<A extends Api>(api: A, version: number, value: RequestInput<A>): Buffer {
  return encode(encodingPlan(api.request, version), value);
}

/** Encodes a response body. @throws EncodeError */
export function encodeResponse<A extends Api>(api: A, version: number, value: ResponseInput<A>): Buffer {
  return encode(encodingPlan(api.response, version), value);
}
