/** Checks one golden vector; used for the project's own vectors and for a larger shared set where there is one. */

import { expect } from 'vitest';
import { apiByKey } from '../../src/protocol/apis/all.ts';
import { decodeMessage, encodeMessage } from '../../src/protocol/codec.ts';
import { crc32cAt } from '../../src/protocol/crc32c.ts';
import { decodeRequestFrame, decodeResponseFrame, encodeRequestFrame, encodeResponseFrame } from '../../src/protocol/frame.ts';
import { defaultOf, planOf, type StructPlan } from '../../src/protocol/plan.ts';
import * as batch from '../../src/protocol/record-batch.ts';
import { isBatchCrcValid } from '../../src/protocol/crc32c.ts';
import { buildBatch, readRecords } from '../../src/protocol/record.ts';
import type { Message } from '../../src/protocol/schema.ts';
import { storedMessage } from '../../src/protocol/stored/all.ts';
import { pushVarint, pushVarlong, readVarint, readVarlong } from '../../src/protocol/varint.ts';
import { readUvarint } from '../../src/protocol/skip.ts';
import { ByteWriter } from '../../src/protocol/byte-writer.ts';
import { structValue, type Vector } from './vectors.ts';

/** Why a vector is not checked, or undefined if it is. */
export function exclusion(vector: Vector): string | undefined {
  if (vector.kind === 'header') return undefined;
  if (vector.kind === 'primitive' && (vector.type === 'murmur2' || vector.type === 'coordinatorHash'))
    return 'hashes belong to clients and coordinators';
  if (/^Share(Group|Snapshot|Update)/.test(vector.api ?? '') && (vector.kind === 'key' || vector.kind === 'value')) {
    return 'early layout of stored share group records';
  }
  if (/^Share(Group(Heartbeat|Describe)|Fetch|Acknowledge)$/.test(vector.api ?? '') && vector.version === 0) {
    return 'early access layout that only Kafka 4.0.0 knew';
  }
  if (/^(LeaderChange|Snapshot)/.test(vector.api ?? '')) return 'control records of the KRaft log';
  if (vector.api === 'ListClientMetricsResources') return 'former name of ListConfigResources 0';
  return undefined;
}

/** Throws (by vitest's expect) unless decoding and encoding agree with the vector. */
export function checkVector(vector: Vector): void {
  const bytes = Buffer.from(vector.hex, 'hex');
  switch (vector.kind) {
    case 'request':
    case 'response':
      return checkMessage(apiByKey(vector.key)![vector.kind], vector, bytes);
    case 'key':
    case 'value':
      expect(bytes.readInt16BE(0)).toBe(vector.version);
      return checkMessage(storedMessage(vector.api)!, vector, bytes.subarray(2));
    case 'data':
      return checkMessage(storedMessage(vector.api)!, vector, vector.api.startsWith('ConsumerProtocol') ? bytes.subarray(2) : bytes);
    case 'header':
      return checkHeader(vector, bytes);
    case 'frame':
      return checkFrame(vector, bytes);
    case 'batch':
      return checkBatch(vector, bytes);
    case 'primitive':
      return checkPrimitive(vector, bytes);
    default:
      throw new Error(`unknown kind ${vector.kind}`);
  }
}

function checkMessage(message: Message, vector: Vector, bytes: Buffer): void {
  const plan = planOf(message, vector.version)!.root;
  const expected = structValue(plan, vector.value, vector.key === undefined);
  expect(decodeMessage(message, vector.version, bytes)).toEqual(expected);
  if (vector.sample === 'empty') checkDefaults(plan, expected);
  if (!vector.decodeOnly) expect(encodeMessage(message, vector.version, expected as never).toString('hex')).toBe(bytes.toString('hex'));
}

/** In the empty sample everything that is not null is at its default. */
function checkDefaults(plan: StructPlan, value: Record<string, unknown>): void {
  for (const field of plan.fields) {
    if (value[field.name] !== null) expect({ [field.path]: value[field.name] }).toEqual({ [field.path]: defaultOf(field) });
  }
}

/** Headers are checked inside of frames: any API whose header has that version will do. */
function checkHeader(vector: Vector, bytes: Buffer): void {
  const { value } = vector;
  if (vector.api === 'RequestHeader') {
    // Version 0 is that of ControlledShutdown 0 only, which no client sends.
    if (vector.version === 0) return;
    const api = apiByKey(18)!;
    const frame = encodeRequestFrame(api, vector.version === 2 ? 3 : 2, value.CorrelationId, value.ClientId, {});
    frame.writeInt16BE(value.RequestApiKey, 4);
    frame.writeInt16BE(value.RequestApiVersion, 6);
    expect(frame.subarray(4, 4 + bytes.length).toString('hex')).toBe(vector.hex);
  } else {
    const frame = encodeResponseFrame(apiByKey(12)!, vector.version === 1 ? 4 : 3, value.CorrelationId, {});
    expect(frame.subarray(4, 4 + bytes.length).toString('hex')).toBe(vector.hex);
  }
}

function checkFrame(vector: Vector, bytes: Buffer): void {
  const api = apiByKey(vector.key)!;
  const { header, body } = vector.value;
  expect(bytes.readInt32BE(0)).toBe(bytes.length - 4);
  const expected = structValue(planOf(api[vector.of!], vector.version)!.root, body);
  if (vector.of === 'request') {
    const frame = decodeRequestFrame(api, bytes, 4, bytes.length);
    expect(frame).toEqual({ version: vector.version, correlationId: header.CorrelationId, clientId: header.ClientId, body: expected });
    expect(encodeRequestFrame(api, vector.version, header.CorrelationId, header.ClientId, expected as never).toString('hex')).toBe(
      vector.hex,
    );
  } else {
    const frame = decodeResponseFrame(api, vector.version, bytes, 4, bytes.length);
    expect(frame).toEqual({ correlationId: header.CorrelationId, body: expected });
    expect(encodeResponseFrame(api, vector.version, header.CorrelationId, expected as never).toString('hex')).toBe(vector.hex);
  }
}

const hexOrNull = (text: string | null): Buffer | null => (text === null ? null : Buffer.from(text, 'hex'));

function checkBatch(vector: Vector, bytes: Buffer): void {
  const { value } = vector;
  expect(batch.batchBytes(bytes, 0)).toBe(bytes.length);
  expect(isBatchCrcValid(bytes, 0)).toBe(true);
  expect(batch.attributes(bytes, 0)).toBe(value.attributes);
  expect(batch.lastOffsetDelta(bytes, 0)).toBe(value.lastOffsetDelta);
  expect(batch.baseTimestamp(bytes, 0)).toBe(Number(value.baseTimestamp));
  expect(batch.maxTimestamp(bytes, 0)).toBe(Number(value.maxTimestamp));
  expect(batch.producerId(bytes, 0)).toBe(Number(value.producerId));
  expect(batch.producerEpoch(bytes, 0)).toBe(value.producerEpoch);
  expect(batch.baseSequence(bytes, 0)).toBe(value.baseSequence);
  expect(batch.partitionLeaderEpoch(bytes, 0)).toBe(value.partitionLeaderEpoch);
  expect(batch.baseOffset(bytes, 0)).toBe(Number(value.baseOffset));
  expect(batch.recordCount(bytes, 0)).toBe(value.records.length);
  if ((value.attributes & batch.COMPRESSION_MASK) !== 0) return;
  const records = value.records.map((record: any) => ({
    offset: BigInt(record.offset),
    timestamp: BigInt(record.timestamp),
    key: hexOrNull(record.key),
    value: hexOrNull(record.value),
    headers: record.headers.map(([key, inner]: [string, string | null]) => ({ key, value: hexOrNull(inner) })),
  }));
  expect([...readRecords(bytes)]).toEqual(records);
  if (vector.decodeOnly) return;
  const baseOffset = BigInt(value.baseOffset);
  const inputs = records.map((record: any) => ({ ...record, offsetDelta: Number(record.offset - baseOffset) }));
  const maxTimestamp = BigInt(value.maxTimestamp);
  const built = buildBatch({
    ...value,
    baseOffset,
    baseTimestamp: BigInt(value.baseTimestamp),
    maxTimestamp,
    producerId: BigInt(value.producerId),
    records: inputs,
  });
  expect(built.toString('hex')).toBe(vector.hex);
}

function checkPrimitive(vector: Vector, bytes: Buffer): void {
  const cursor = { position: 0 };
  const out: number[] = [];
  switch (vector.type) {
    case 'uvarint': {
      expect(readUvarint(bytes, cursor, bytes.length)).toBe(vector.value);
      const writer = new ByteWriter(Buffer.alloc(8));
      writer.uvarint(vector.value);
      expect(writer.buffer.subarray(0, writer.position).toString('hex')).toBe(vector.hex);
      break;
    }
    case 'varint':
      expect(readVarint(bytes, cursor, bytes.length)).toBe(vector.value);
      pushVarint(out, vector.value);
      expect(Buffer.from(out).toString('hex')).toBe(vector.hex);
      break;
    case 'varlong':
      expect(readVarlong(bytes, cursor, bytes.length)).toBe(BigInt(vector.value));
      pushVarlong(out, BigInt(vector.value));
      expect(Buffer.from(out).toString('hex')).toBe(vector.hex);
      break;
    case 'crc32c':
      expect(crc32cAt(bytes, 0, bytes.length)).toBe(vector.value);
      return;
    case 'uuid':
      expect(bytes.toString('base64url')).toBe(vector.base64url);
      return;
    default:
      throw new Error(`unknown primitive ${vector.type}`);
  }
  expect(cursor.position).toBe(bytes.length);
}
