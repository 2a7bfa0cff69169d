/**
 * Frames: an int32 size that does not count itself, a header, a body. All integers big-endian.
 *
 *     request   size | apiKey int16 | apiVersion int16 | correlationId int32 | clientId string | tags if flexible | body
 *     response  size | correlationId int32 | tags if flexible | body
 *
 * ApiVersions answers never have the header's tags: the client does not know yet what the broker understands.
 */

import { decodeRequest, decodeResponse, encodingPlan } from './codec.ts';
import { ApiKey, servedApi } from './api-versions.ts';
import { STRING_BYTES_MAX } from './decode.ts';
import { encode } from './encode.ts';
import { readInt16, readInt32 } from './int64.ts';
import { planOf } from './plan.ts';
import { EncodeError, MalformedError } from './protocol-errors.ts';
import type { Api, RequestInput, RequestOf, ResponseInput, ResponseOf } from './schema.ts';
import { skipTagSection, type Cursor } from './skip.ts';

/** Bytes of the size in front of a frame. */
export const FRAME_SIZE_BYTES = 4;

/** What {@link parseRequestHeader} found. */
export const HeaderStatus = Object.freeze({
  OK: 0,
  /** Close the connection. */
  MALFORMED: 1,
  /** Not a served API: close the connection. `clientId` and `bodyStart` are not set. */
  UNKNOWN_API: 2,
  /** As before, except for ApiVersions, which is answered by UNSUPPORTED_VERSION in a body of version 0. */
  UNSUPPORTED_VERSION: 3,
});
export type HeaderStatus = (typeof HeaderStatus)[keyof typeof HeaderStatus];

/** A request header in place; made once and filled again per request. Positions are into the parsed buffer. */
export class RequestHeader implements Cursor {
  apiKey = 0;
  apiVersion = 0;
  correlationId = 0;
  clientIdPosition = 0;
  /** Bytes; -1 is null. */
  clientIdLength = -1;
  /** First byte of the body. */
  bodyStart = 0;
  /** Scratch of the parser. */
  position = 0;
}

function readHeaderRest(buffer: Buffer, end: number, flexible: boolean, header: RequestHeader): HeaderStatus {
  if (end - header.position < 2) return HeaderStatus.MALFORMED;
  const length = readInt16(buffer, header.position);
  header.position += 2;
  if (length < -1 || length > end - header.position) return HeaderStatus.MALFORMED;
  header.clientIdLength = length;
  header.clientIdPosition = header.position;
  if (length > 0) header.position += length;
  if (flexible && !skipTagSection(buffer, header, end)) return HeaderStatus.MALFORMED;
  header.bodyStart = header.position;
  return HeaderStatus.OK;
}

/**
 * Parses the header of the request in buffer[start, end), start being behind the size. Allocates nothing, throws nothing.
 * Key, version and correlation id are set unless the result is MALFORMED.
 */
export function parseRequestHeader(buffer: Buffer, start: number, end: number, header: RequestHeader): HeaderStatus {
  if (end - start < 8) return HeaderStatus.MALFORMED;
  header.apiKey = readInt16(buffer, start);
  header.apiVersion = readInt16(buffer, start + 2);
  header.correlationId = readInt32(buffer, start + 4);
  header.position = start + 8;
  const api = servedApi(header.apiKey);
  if (api === undefined) return HeaderStatus.UNKNOWN_API;
  if (header.apiVersion < api.min || header.apiVersion > api.max) return HeaderStatus.UNSUPPORTED_VERSION;
  return readHeaderRest(buffer, end, api.flexible !== -1 && header.apiVersion >= api.flexible, header);
}

/** The client id of a parsed header, or null. Makes a string, so not for every request. */
export function clientIdOf(buffer: Buffer, header: RequestHeader): string | null {
  const { clientIdPosition: at, clientIdLength: length } = header;
  return length === -1 ? null : buffer.toString('utf8', at, at + length);
}

/** Whether the response header of that API and version has a tag section. */
export function hasResponseHeaderTags(key: number, flexible: boolean): boolean {
  return flexible && key !== ApiKey.API_VERSIONS;
}

/**
 * A whole response: size, header and body, ready to be written to the socket.
 * @throws EncodeError if the version cannot express the value
 */
export function encodeResponseFrame<A extends Api>(api: A, version: number, correlationId: number, value: ResponseInput<A>): Buffer {
  return encodeFrame(api, version, correlationId, value, 0);
}

/** The same for a value whose table is not known to the compiler. @param bytesElsewhere bytes of the body that come from elsewhere */
export function encodeFrame(api: Api, version: number, correlationId: number, value: object, bytesElsewhere: number): Buffer {
  const plan = encodingPlan(api.response, version);
  const tags = hasResponseHeaderTags(api.key, plan.root.flexible);
  const frame = encode(plan, value, FRAME_SIZE_BYTES + (tags ? 5 : 4));
  frame.writeInt32BE(frame.length - FRAME_SIZE_BYTES + bytesElsewhere, 0);
  frame.writeInt32BE(correlationId, 4);
  if (tags) frame[8] = 0;
  return frame;
}

/** A whole request, as clients send it. @throws EncodeError if the version cannot express the value */
export function encodeRequestFrame<A extends Api>(
  api: A,
  version: number,
  correlationId: number,
  clientId: string | null,
  value: RequestInput<A>,
): Buffer {
  const plan = encodingPlan(api.request, version);
  const idLength = clientId === null ? 0 : Buffer.byteLength(clientId);
  if (idLength > STRING_BYTES_MAX) throw new EncodeError('request header', 'clientId', `string of ${idLength} bytes`);
  const frame = encode(plan, value, FRAME_SIZE_BYTES + 10 + idLength + (plan.root.flexible ? 1 : 0));
  frame.writeInt32BE(frame.length - FRAME_SIZE_BYTES, 0);
  frame.writeInt16BE(api.key, 4);
  frame.writeInt16BE(version, 6);
  frame.writeInt32BE(correlationId, 8);
  frame.writeInt16BE(clientId === null ? -1 : idLength, 12);
  if (clientId !== null) frame.write(clientId, 14, 'utf8');
  if (plan.root.flexible) frame[14 + idLength] = 0;
  return frame;
}

/** Header and body of a response to `api` in buffer[start, end), start being behind the size. @throws MalformedError */
export function decodeResponseFrame<A extends Api>(
  api: A,
  version: number,
  buffer: Buffer,
  start: number,
  end: number,
): { correlationId: number; body: ResponseOf<A> } {
  const flexible = planOf(api.response, version)?.root.flexible ?? false;
  const cursor = { position: start + 4 };
  if (end - start < 4 || (hasResponseHeaderTags(api.key, flexible) && !skipTagSection(buffer, cursor, end))) {
    throw new MalformedError(api.response.name, 'header', cursor.position, 'cut short');
  }
  return { correlationId: buffer.readInt32BE(start), body: decodeResponse(api, version, buffer, cursor.position, end) };
}

/** Header and body of a request to `api`, of any known version, served or not; for tests and tools. @throws MalformedError */
export function decodeRequestFrame<A extends Api>(
  api: A,
  buffer: Buffer,
  start: number,
  end: number,
): { version: number; correlationId: number; clientId: string | null; body: RequestOf<A> } {
  const header = new RequestHeader();
  header.position = start + 8;
  const version = end - start < 8 ? -1 : buffer.readInt16BE(start + 2);
  const flexible = planOf(api.request, version)?.root.flexible ?? false;
  if (version === -1 || buffer.readInt16BE(start) !== api.key || readHeaderRest(buffer, end, flexible, header) !== HeaderStatus.OK) {
    throw new MalformedError(api.request.name, 'header', start, 'not a header of this API');
  }
  const body = decodeRequest(api, version, buffer, header.bodyStart, end);
  return { version, correlationId: buffer.readInt32BE(start + 4), clientId: clientIdOf(buffer, header), body };
}
