import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { produce } from '../../../src/protocol/apis/00-produce.ts';
import { ByteWriter } from '../../../src/protocol/byte-writer.ts';
import { decodeRequest, encodeRequest } from '../../../src/protocol/codec.ts';
import { decodeResponseFrame } from '../../../src/protocol/frame.ts';
import { ProduceResults, produceResponseBytes, writeProduceResponse, type RecordError } from '../../../src/protocol/produce-response.ts';
import { ProduceView } from '../../../src/protocol/produce-view.ts';
import { planOf } from '../../../src/protocol/plan.ts';
import type { RequestOf } from '../../../src/protocol/schema.ts';
import { ViewStatus } from '../../../src/protocol/view.ts';
import { ownVectors, structValue } from '../../golden/vectors.ts';
import { valueOf } from './arbitrary.ts';

const VERSIONS = [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13];

/** What the view says, in the shape of the table. */
function asDecoded(view: ProduceView, buffer: Buffer): RequestOf<typeof produce> {
  const { transactionalIdPosition: at, transactionalIdLength: length } = view;
  return {
    transactionalId: length === -1 ? null : buffer.toString('utf8', at, at + length),
    acks: view.acks,
    timeoutMs: view.timeoutMs,
    topicData: Array.from({ length: view.topicCount }, (_, topic) => {
      const start = view.topicPosition[topic]!;
      const end = start + view.topicLength[topic]!;
      const slots = Array.from({ length: view.partitionCount }, (_, slot) => slot).filter((slot) => view.partitionTopic[slot] === topic);
      expect(slots).toEqual(slots.filter((slot) => slot >= view.topicFirstPartition[topic]! && slot < view.topicEndPartition(topic)));
      return {
        name: view.version < 13 ? buffer.toString('utf8', start, end) : '',
        topicId: view.version < 13 ? 'AAAAAAAAAAAAAAAAAAAAAA' : buffer.toString('base64url', start, end),
        partitionData: slots.map((slot) => {
          const position = view.recordsPosition[slot]!;
          const bytes = view.recordsLength[slot]!;
          return { index: view.partitionIndex[slot]!, records: bytes === -1 ? null : buffer.subarray(position, position + bytes) };
        }),
      };
    }),
  };
}

describe('the Produce view', () => {
  const view = new ProduceView();

  it.each(VERSIONS)('says what the table says, for random requests of version %i anywhere in a buffer', (version) => {
    fc.assert(
      fc.property(valueOf(produce.request, version), fc.nat(20), (value, offset) => {
        const body = encodeRequest(produce, version, value);
        const buffer = Buffer.concat([Buffer.alloc(offset, 0xaa), body, Buffer.alloc(7, 0xbb)]);
        expect(view.parse(buffer, offset, offset + body.length, version)).toBe(ViewStatus.OK);
        expect(asDecoded(view, buffer)).toEqual(value);
        expect(view.parse(buffer, offset, offset + body.length + 1, version)).toBe(ViewStatus.OK); // bytes behind it are ignored
        expect(view.parse(buffer, offset, offset + body.length - 1, version)).toBe(ViewStatus.MALFORMED);
      }),
      { numRuns: 100 },
    );
  });

  it('agrees with every golden vector, unknown tags included', () => {
    const vectors = ownVectors.filter((vector) => vector.key === 0 && vector.kind === 'request' && vector.version >= 3);
    expect(vectors.length).toBeGreaterThan(20);
    for (const vector of vectors) {
      const bytes = Buffer.from(vector.hex, 'hex');
      expect(view.parse(bytes, 0, bytes.length, vector.version)).toBe(ViewStatus.OK);
      expect(asDecoded(view, bytes)).toEqual(structValue(planOf(produce.request, vector.version)!.root, vector.value));
    }
  });

  it('accepts exactly what the table accepts, after random damage', () => {
    fc.assert(
      fc.property(fc.constantFrom(...VERSIONS), fc.gen(), (version, draw) => {
        const bytes = encodeRequest(
          produce,
          version,
          draw(() => valueOf(produce.request, version)),
        );
        const damaged = Buffer.from(bytes);
        const count = draw(() => fc.integer({ min: 1, max: 3 }));
        for (let index = 0; index < count; index++) {
          damaged[draw(() => fc.nat(damaged.length - 1))] = draw(() => fc.constantFrom(0, 1, 2, 0x7f, 0x80, 0xff));
        }
        let expected: unknown;
        try {
          expected = decodeRequest(produce, version, damaged);
        } catch {
          expected = undefined;
        }
        const status = view.parse(damaged, 0, damaged.length, version);
        expect(status === ViewStatus.OK).toBe(expected !== undefined);
        if (status === ViewStatus.OK) expect(asDecoded(view, damaged)).toEqual(expected);
      }),
      { numRuns: 1000 },
    );
  });

  it('grows to many partitions, and refuses more than its limit', () => {
    const small = new ProduceView(200);
    const request = (partitions: number): Buffer =>
      encodeRequest(produce, 9, {
        acks: -1,
        timeoutMs: 1000,
        topicData: [{ name: 't', partitionData: Array.from({ length: partitions }, (_, index) => ({ index, records: null })) }],
      });
    const body = request(200);
    expect(small.parse(body, 0, body.length, 9)).toBe(ViewStatus.OK);
    expect([...small.partitionIndex.subarray(0, 200)]).toEqual(Array.from({ length: 200 }, (_, index) => index));
    const larger = request(201);
    expect(small.parse(larger, 0, larger.length, 9)).toBe(ViewStatus.TOO_MANY);
  });

  it('calls a count that the bytes cannot back malformed, not too many', () => {
    const body = Buffer.from('ffff' + 'ffff' + '00000001' + '7fffffff' + '0000', 'hex');
    expect(view.parse(body, 0, body.length, 3)).toBe(ViewStatus.MALFORMED);
    expect(view.position).toBe(12);
  });

  it.each([0, 1, 2, 14, -1])('refuses version %i', (version) => {
    expect(view.parse(Buffer.alloc(20), 0, 20, version)).toBe(ViewStatus.MALFORMED);
  });
});

/** Outcome of one partition for the writer under test. */
const outcome = fc.record({
  errorCode: fc.integer({ min: -1, max: 133 }),
  baseOffset: fc.maxSafeInteger(),
  logAppendTimeMs: fc.maxSafeInteger(),
  logStartOffset: fc.maxSafeInteger(),
  errorMessage: fc.option(fc.string({ unit: 'grapheme', maxLength: 200 }), { freq: 3 }),
  recordErrors: fc.array(fc.record({ batchIndex: fc.integer(), message: fc.option(fc.string()) }), { maxLength: 2 }),
  leader: fc.option(fc.record({ leaderId: fc.nat(), leaderEpoch: fc.nat() })),
});

const endpoint = fc.record({ nodeId: fc.integer(), host: fc.string(), port: fc.integer(), rack: fc.option(fc.string()) });

describe('the Produce response writer', () => {
  it.each(VERSIONS)('writes the frame that the table reads back, in version %i', (version) => {
    const view = new ProduceView();
    const results = new ProduceResults(1);
    const writer = new ByteWriter(Buffer.alloc(0));
    fc.assert(
      fc.property(
        valueOf(produce.request, version),
        fc.infiniteStream(outcome),
        fc.array(endpoint, { maxLength: 2 }),
        fc.nat(10),
        (value, outcomes, endpoints, at) => {
          const body = encodeRequest(produce, version, value);
          view.parse(body, 0, body.length, version);
          results.reset(view.partitionCount);
          const given = Array.from({ length: view.partitionCount }, () => outcomes.next().value!);
          for (const [
            slot,
            { errorCode, baseOffset, logAppendTimeMs, logStartOffset, errorMessage, recordErrors, leader },
          ] of given.entries()) {
            results.succeed(slot, baseOffset, logAppendTimeMs, logStartOffset);
            results.errorCode[slot] = errorCode;
            if (errorMessage !== null) results.setErrorMessage(slot, errorMessage);
            if (recordErrors.length > 0) results.setRecordErrors(slot, recordErrors);
            if (leader !== null) results.setLeader(slot, leader.leaderId, leader.leaderEpoch);
          }
          results.throttleTimeMs = 17;
          results.nodeEndpoints = endpoints;
          const bytes = produceResponseBytes(view, results);
          writer.buffer = Buffer.alloc(at + bytes);
          expect(writeProduceResponse(writer, at, bytes, 4711, view, body, results)).toBe(bytes);
          expect(writer.buffer.readInt32BE(at)).toBe(bytes - 4);
          const frame = decodeResponseFrame(produce, version, writer.buffer, at + 4, at + bytes);
          expect(frame.correlationId).toBe(4711);
          expect(frame.body.throttleTimeMs).toBe(17);
          expect(frame.body.nodeEndpoints).toEqual(version >= 10 ? endpoints : []);
          const request = decodeRequest(produce, version, body);
          expect(frame.body.responses.map(({ name, topicId }) => ({ name, topicId }))).toEqual(
            request.topicData.map(({ name, topicId }) => ({ name, topicId })),
          );
          expect(frame.body.responses.flatMap((topic) => topic.partitionResponses)).toEqual(
            given.map((result, slot) => ({
              index: view.partitionIndex[slot],
              errorCode: result.errorCode,
              baseOffset: BigInt(result.baseOffset),
              logAppendTimeMs: BigInt(result.logAppendTimeMs),
              logStartOffset: version >= 5 ? BigInt(result.logStartOffset) : -1n,
              recordErrors:
                version >= 8
                  ? result.recordErrors.map((error: RecordError) => ({
                      batchIndex: error.batchIndex,
                      batchIndexErrorMessage: error.message,
                    }))
                  : [],
              errorMessage: version >= 8 ? result.errorMessage : null,
              currentLeader: version >= 10 && result.leader !== null ? result.leader : { leaderId: -1, leaderEpoch: -1 },
            })),
          );
        },
      ),
      { numRuns: 60 },
    );
  });

  it('refuses a buffer without room', () => {
    const body = encodeRequest(produce, 9, { acks: 1, timeoutMs: 1, topicData: [] });
    const view = new ProduceView();
    view.parse(body, 0, body.length, 9);
    const results = new ProduceResults();
    results.reset(0);
    const bytes = produceResponseBytes(view, results);
    expect(() => writeProduceResponse(new ByteWriter(Buffer.alloc(bytes - 1)), 0, bytes, 1, view, body, results)).toThrow('room');
  });
});
