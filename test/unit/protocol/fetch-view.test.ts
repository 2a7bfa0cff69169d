import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fetch } from '../../../src/protocol/apis/01-fetch.ts';
import { decodeRequest, encodeRequest } from '../../../src/protocol/codec.ts';
import {
  FETCH_RESPONSE_HEAD_BYTES_MAX,
  fetchPartitionBytesMax,
  FetchPartitionResult,
  FetchResponseWriter,
  fetchTailBytesMax,
  fetchTopicBytesMax,
} from '../../../src/protocol/fetch-response.ts';
import { FetchView } from '../../../src/protocol/fetch-view.ts';
import { decodeResponseFrame } from '../../../src/protocol/frame.ts';
import type { RequestOf } from '../../../src/protocol/schema.ts';
import { ViewStatus } from '../../../src/protocol/view.ts';
import { planOf } from '../../../src/protocol/plan.ts';
import { ownVectors, structValue } from '../../golden/vectors.ts';
import { valueOf } from './arbitrary.ts';

const VERSIONS = [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18];

type Decoded = RequestOf<typeof fetch>;

/** What the view is to say about a decoded request. */
function essence(request: Decoded, version: number): object {
  return {
    replicaId: version < 15 ? request.replicaId : request.replicaState.replicaId,
    maxWaitMs: request.maxWaitMs,
    minBytes: request.minBytes,
    maxBytes: request.maxBytes,
    isolationLevel: request.isolationLevel,
    sessionId: request.sessionId,
    sessionEpoch: request.sessionEpoch,
    rack: request.rackId,
    topics: request.topics.map((topic) => ({
      topic: version < 13 ? topic.topic : topic.topicId,
      partitions: topic.partitions.map((partition) => ({
        partition: partition.partition,
        currentLeaderEpoch: partition.currentLeaderEpoch,
        fetchOffset: Number(partition.fetchOffset),
        partitionMaxBytes: partition.partitionMaxBytes,
      })),
    })),
    forgotten: request.forgottenTopicsData.map((topic) => ({
      topic: version < 13 ? topic.topic : topic.topicId,
      partitions: topic.partitions,
    })),
  };
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);

/** What the view says. */
function said(view: FetchView, buffer: Buffer): object {
  const topic = (list: { topicPosition: Int32Array; topicLength: Int32Array }, index: number): string => {
    const start = list.topicPosition[index]!;
    return buffer.toString(view.version < 13 ? 'utf8' : 'base64url', start, start + list.topicLength[index]!);
  };
  const { replicaId, maxWaitMs, minBytes, maxBytes, isolationLevel, sessionId, sessionEpoch, forgotten } = view;
  return {
    replicaId,
    maxWaitMs,
    minBytes,
    maxBytes,
    isolationLevel,
    sessionId,
    sessionEpoch,
    rack: buffer.toString('utf8', view.rackPosition, view.rackPosition + view.rackLength),
    topics: range(0, view.topicCount).map((index) => ({
      topic: topic(view, index),
      partitions: range(view.topicFirstPartition[index]!, view.topicEndPartition(index)).map((slot) => ({
        partition: view.partitionIndex[slot],
        currentLeaderEpoch: view.currentLeaderEpoch[slot],
        fetchOffset: view.fetchOffset[slot],
        partitionMaxBytes: view.partitionMaxBytes[slot],
      })),
    })),
    forgotten: range(0, forgotten.topicCount).map((index) => ({
      topic: topic(forgotten, index),
      partitions: [...forgotten.partitionIndex.subarray(forgotten.topicFirstPartition[index], forgotten.topicEndPartition(index))],
    })),
  };
}

describe('the Fetch view', () => {
  const view = new FetchView();

  it.each(VERSIONS)('says what the table says, for random requests of version %i anywhere in a buffer', (version) => {
    fc.assert(
      fc.property(valueOf(fetch.request, version, { safe: true }), fc.nat(20), (value, offset) => {
        const body = encodeRequest(fetch, version, value);
        const buffer = Buffer.concat([Buffer.alloc(offset, 0xaa), body, Buffer.alloc(7, 0xbb)]);
        expect(view.parse(buffer, offset, offset + body.length, version)).toBe(ViewStatus.OK);
        expect(said(view, buffer)).toEqual(essence(value, version));
        expect(view.parse(buffer, offset, offset + body.length + 1, version)).toBe(ViewStatus.OK); // bytes behind it are ignored
        expect(view.parse(buffer, offset, offset + body.length - 1, version)).toBe(ViewStatus.MALFORMED);
      }),
      { numRuns: 100 },
    );
  });

  it('agrees with every golden vector, unknown tags included', () => {
    const vectors = ownVectors.filter((vector) => vector.key === 1 && vector.kind === 'request' && vector.version >= 4);
    expect(vectors.length).toBeGreaterThan(30);
    for (const vector of vectors) {
      const bytes = Buffer.from(vector.hex, 'hex');
      const expected = structValue(planOf(fetch.request, vector.version)!.root, vector.value) as unknown as Decoded;
      expect(view.parse(bytes, 0, bytes.length, vector.version)).toBe(ViewStatus.OK);
      expect(said(view, bytes)).toEqual(essence(expected, vector.version));
    }
  });

  it('accepts what the table accepts, after random damage', () => {
    fc.assert(
      fc.property(fc.constantFrom(...VERSIONS), fc.gen(), (version, draw) => {
        const bytes = encodeRequest(
          fetch,
          version,
          draw(() => valueOf(fetch.request, version, { safe: true })),
        );
        const damaged = Buffer.from(bytes);
        const count = draw(() => fc.integer({ min: 1, max: 3 }));
        for (let index = 0; index < count; index++) {
          damaged[draw(() => fc.nat(damaged.length - 1))] = draw(() => fc.constantFrom(0, 1, 2, 0x7f, 0x80, 0xff));
        }
        let expected: Decoded | undefined;
        try {
          expected = decodeRequest(fetch, version, damaged);
        } catch {
          expected = undefined;
        }
        const status = view.parse(damaged, 0, damaged.length, version);
        // Partition tags are skipped unread, so there the view may let pass what the table refuses.
        if (expected === undefined) return;
        expect(status).toBe(ViewStatus.OK);
        expect(said(view, damaged)).toEqual(essence(expected, version));
      }),
      { numRuns: 1000 },
    );
  });

  it('refuses more partitions than its limit', () => {
    const small = new FetchView(3);
    const partitions = Array.from({ length: 4 }, (_, partition) => ({ partition, fetchOffset: 0, partitionMaxBytes: 1 }));
    const body = encodeRequest(fetch, 11, { maxWaitMs: 1, minBytes: 1, topics: [{ topic: 't', partitions }], forgottenTopicsData: [] });
    expect(small.parse(body, 0, body.length, 11)).toBe(ViewStatus.TOO_MANY);
  });
});

const partitionResult = fc.record({
  errorCode: fc.integer({ min: -1, max: 133 }),
  highWatermark: fc.maxSafeInteger(),
  lastStableOffset: fc.maxSafeInteger(),
  logStartOffset: fc.maxSafeInteger(),
  preferredReadReplica: fc.integer(),
  abortedTransactions: fc.option(
    fc.array(fc.record({ producerId: fc.maxSafeInteger(), firstOffset: fc.maxSafeInteger() }), { maxLength: 2 }),
  ),
  leader: fc.option(fc.record({ leaderId: fc.nat(), leaderEpoch: fc.nat() })),
  records: fc.uint8Array({ maxLength: 300 }),
});

const response = fc.record({
  topics: fc.array(
    fc.record({
      name: fc.string({ minLength: 1, maxLength: 249, unit: 'grapheme-ascii' }),
      id: fc.uint8Array({ minLength: 16, maxLength: 16 }),
      partitions: fc.array(partitionResult, { maxLength: 4 }),
    }),
    { maxLength: 3 },
  ),
  endpoints: fc.array(fc.record({ nodeId: fc.integer(), host: fc.string(), port: fc.integer(), rack: fc.option(fc.string()) }), {
    maxLength: 2,
  }),
});

describe('the Fetch response writer', () => {
  it.each(VERSIONS)('leaves gaps such that pieces and records make the frame, in version %i', (version) => {
    const writer = new FetchResponseWriter(Buffer.alloc(0), 1);
    const result = new FetchPartitionResult();
    fc.assert(
      fc.property(response, fc.nat(9), ({ topics, endpoints }, at) => {
        // The room that the bounds promise is enough: writing beyond it is asserted against.
        const room = topics.reduce(
          (sum, { name, partitions }) =>
            sum +
            fetchTopicBytesMax(name.length) +
            partitions.reduce((inner, { abortedTransactions }) => inner + fetchPartitionBytesMax(abortedTransactions?.length ?? 0), 0),
          FETCH_RESPONSE_HEAD_BYTES_MAX + fetchTailBytesMax(endpoints),
        );
        const scratch = Buffer.alloc(at + room + 16 * topics.length);
        writer.begin(scratch, at, version, 99, 5, 0, 12, topics.length);
        const records: Uint8Array[] = [];
        for (const topic of topics) {
          const name = version < 13 ? Buffer.from(topic.name) : topic.id;
          writer.topic(name, 0, name.length, topic.partitions.length);
          for (const [index, partition] of topic.partitions.entries()) {
            result.clear(index, partition.errorCode);
            Object.assign(result, { ...partition, leader: undefined, records: undefined, recordsBytes: partition.records.length });
            if (partition.leader !== null) Object.assign(result, partition.leader);
            writer.partition(result);
            if (partition.records.length > 0) records.push(partition.records);
          }
        }
        const bytes = writer.end(endpoints);
        expect(writer.gapCount).toBe(records.length);
        const pieces: Uint8Array[] = [];
        let from = at;
        for (let gap = 0; gap < writer.gapCount; gap++) {
          pieces.push(scratch.subarray(from, writer.gapPosition[gap]), records[gap]!);
          expect(writer.gapBytes[gap]).toBe(records[gap]!.length);
          from = writer.gapPosition[gap]!;
        }
        pieces.push(scratch.subarray(from, writer.position));
        const whole = Buffer.concat(pieces);
        expect(whole.length).toBe(bytes);
        expect(whole.readInt32BE(0)).toBe(bytes - 4);
        const { correlationId, body } = decodeResponseFrame(fetch, version, whole, 4, whole.length);
        expect({ correlationId, throttle: body.throttleTimeMs, session: body.sessionId }).toEqual({
          correlationId: 99,
          throttle: 5,
          session: version >= 7 ? 12 : 0,
        });
        expect(body.nodeEndpoints).toEqual(version >= 16 ? endpoints : []);
        expect(body.responses).toEqual(
          topics.map((topic) => ({
            topic: version < 13 ? topic.name : '',
            topicId: version < 13 ? 'AAAAAAAAAAAAAAAAAAAAAA' : Buffer.from(topic.id).toString('base64url'),
            partitions: topic.partitions.map((partition, partitionIndex) => ({
              partitionIndex,
              errorCode: partition.errorCode,
              highWatermark: BigInt(partition.highWatermark),
              lastStableOffset: BigInt(partition.lastStableOffset),
              logStartOffset: version >= 5 ? BigInt(partition.logStartOffset) : -1n,
              divergingEpoch: { epoch: -1, endOffset: -1n },
              currentLeader: version >= 12 && partition.leader !== null ? partition.leader : { leaderId: -1, leaderEpoch: -1 },
              snapshotId: { endOffset: -1n, epoch: -1 },
              abortedTransactions:
                partition.abortedTransactions?.map((one) => ({
                  producerId: BigInt(one.producerId),
                  firstOffset: BigInt(one.firstOffset),
                })) ?? null,
              preferredReadReplica: version >= 11 ? partition.preferredReadReplica : -1,
              records: Buffer.from(partition.records),
            })),
          })),
        );
      }),
      { numRuns: 60 },
    );
  });

  it('tells endpoints only to versions that know them', () => {
    const write = (version: number): number => {
      const writer = new FetchResponseWriter(Buffer.alloc(0));
      writer.begin(Buffer.alloc(500), 0, version, 1, 0, 0, 0, 0);
      return writer.end([{ nodeId: 1, host: 'h', port: 1, rack: null }]);
    };
    expect(write(15)).toBe(write(12));
    expect(write(16)).toBeGreaterThan(write(15));
  });

  it('asserts that as many topics and partitions come as were announced', () => {
    const writer = new FetchResponseWriter(Buffer.alloc(0));
    writer.begin(Buffer.alloc(500), 0, 12, 1, 0, 0, 0, 1);
    expect(() => writer.end()).toThrow('as many topics');
    writer.topic(Buffer.from('t'), 0, 1, 1);
    expect(() => writer.end()).toThrow('as many partitions');
  });
});
