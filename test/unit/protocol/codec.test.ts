import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ALL_APIS } from '../../../src/protocol/apis/all.ts';
import { metadata } from '../../../src/protocol/apis/03-metadata.ts';
import { createTopics } from '../../../src/protocol/apis/19-create-topics.ts';
import { listOffsets } from '../../../src/protocol/apis/02-list-offsets.ts';
import { decodeMessage, decodeRequest, decodeResponse, encodeMessage, encodeRequest, encodeResponse } from '../../../src/protocol/codec.ts';
import { REQUEST_ELEMENTS_MAX, STRING_BYTES_MAX } from '../../../src/protocol/decode.ts';
import { parseAttributes, parseRange, planOf } from '../../../src/protocol/plan.ts';
import { EncodeError, MalformedError } from '../../../src/protocol/protocol-errors.ts';
import { api, array, bytes, int32, message, string, struct, ZERO_UUID } from '../../../src/protocol/schema.ts';
import { ALL_STORED } from '../../../src/protocol/stored/all.ts';
import { valueOf } from './arbitrary.ts';

describe('tables', () => {
  it('all have attributes that parse, in every version', () => {
    for (const table of [...ALL_APIS.flatMap((api) => [api.request, api.response]), ...ALL_STORED]) {
      const { min, max } = parseRange(table.versions);
      for (let version = min; version <= max; version++) expect(planOf(table, version)?.name).toBe(table.name);
    }
  });

  it('have distinct keys in ascending order', () => {
    const keys = ALL_APIS.map((api) => api.key);
    expect(keys).toEqual([...new Set(keys)].sort((a, b) => a - b));
  });

  it('refuse a misspelt attribute', () => {
    expect(() => parseAttributes('3+ nulable')).toThrow('unknown attribute');
    expect(() => parseRange('3-')).toThrow('not a version range');
  });
});

describe('the codec', () => {
  it('reads back what it wrote, for random values of every API and version', () => {
    const messages = ALL_APIS.flatMap((api) => [api.request, api.response]);
    for (const table of messages) {
      const { min, max } = parseRange(table.versions);
      for (let version = min; version <= max; version++) {
        fc.assert(
          fc.property(valueOf(table, version), (value) => {
            expect(decodeMessage(table, version, encodeMessage(table, version, value))).toEqual(value);
          }),
          { numRuns: 3, seed: version },
        );
      }
    }
  });

  it('takes numbers for int64 and leaves out what has a default', () => {
    const body = encodeResponse(listOffsets, 5, {
      topics: [{ name: 't', partitions: [{ partitionIndex: 1, errorCode: 0, oldStyleOffsets: [], timestamp: -1, offset: 77 }] }],
    });
    const [partition] = decodeResponse(listOffsets, 5, body).topics[0]!.partitions;
    expect(partition).toMatchObject({ partitionIndex: 1, timestamp: -1n, offset: 77n, leaderEpoch: -1 });
  });

  it('gives fields that the version lacks their default', () => {
    const request = decodeRequest(metadata, 0, encodeRequest(metadata, 0, { topics: [{ name: 'a' }] }));
    expect(request).toEqual({
      topics: [{ topicId: ZERO_UUID, name: 'a' }],
      allowAutoTopicCreation: true,
      includeClusterAuthorizedOperations: false,
      includeTopicAuthorizedOperations: false,
    });
  });

  it('drops an ignorable value that the version lacks and refuses another', () => {
    expect(() => encodeRequest(metadata, 0, { topics: [{ name: 'a', topicId: 'AAECAwQFBgcICQoLDA0ODw' }] })).not.toThrow();
    expect(() => encodeRequest(metadata, 0, { topics: [], includeTopicAuthorizedOperations: true })).toThrow(EncodeError);
  });

  it('refuses to encode null, numbers out of range and wrong ids', () => {
    const encode = (topic: object): Buffer =>
      encodeResponse(metadata, 12, { brokers: [], topics: [{ errorCode: 0, name: 't', partitions: [], ...topic }] });
    expect(() => encode({})).not.toThrow();
    expect(() => encode({ errorCode: 40000 })).toThrow('topics.errorCode');
    expect(() => encode({ topicId: 'short' })).toThrow(EncodeError);
    expect(() => encode({ partitions: null })).toThrow('null where null is not allowed');
    expect(() => encode({ name: 'x'.repeat(32768) })).toThrow('string of 32768 bytes');
    expect(() => encodeResponse(metadata, 99, { brokers: [], topics: [] })).toThrow('unknown version 99');
  });

  it('writes values that are far longer than its first buffer', () => {
    const table = message('long', '0', '0+', { a: bytes('tag=0'), b: array(string), c: struct('tag=1', { d: bytes() }) });
    // Around the lengths at which the size of a tag takes one byte more.
    for (const length of [100, 124, 125, 126, 127, 128, 16379, 16380, 16381, 16382, 16383, 70000]) {
      const value = { a: Buffer.alloc(length, 1), b: ['x'.repeat(30000), 'y'], c: { d: Buffer.alloc(length, 2) } };
      expect(decodeMessage(table, 0, encodeMessage(table, 0, value))).toEqual(value);
    }
  });

  it('marks a nullable struct by an int8 inline and by a uvarint in a tag', () => {
    const fields = { a: struct('nullable', { x: int32() }), b: struct('nullable tag=3 default=null', { x: int32() }) };
    const table = message('nullable', '0', '0+', fields);
    expect(encodeMessage(table, 0, { a: null, b: { x: 7 } }).toString('hex')).toBe('ff' + '0103' + '06' + '01' + '00000007' + '00');
    expect(encodeMessage(table, 0, { a: { x: 7 }, b: null }).toString('hex')).toBe('01' + '00000007' + '00' + '00');
    expect(decodeMessage(table, 0, Buffer.from('ff0103060100000007' + '00', 'hex'))).toEqual({ a: null, b: { x: 7 } });
    expect(decodeMessage(table, 0, Buffer.from('ff01030100', 'hex'))).toEqual({ a: null, b: null });
  });

  it('returns views of the buffer, not copies, for bytes', () => {
    const table = message('view', '0', '', { a: bytes() });
    const buffer = encodeMessage(table, 0, { a: Buffer.from('abc') });
    const { a } = decodeMessage(table, 0, buffer);
    buffer[4] = 0x7a;
    expect(a.toString()).toBe('zbc');
  });
});

describe('behind a request', () => {
  it('bytes are ignored: librdkafka asks for all topics with three too many', () => {
    const sent = Buffer.from('00' + '000000' + '010000', 'hex'); // null in four bytes; true, false and no tags were meant to follow
    expect(decodeRequest(metadata, 13, sent).topics).toBeNull();
  });
});

describe('the decoder refuses, naming message, field and place,', () => {
  const valid = encodeRequest(createTopics, 7, {
    topics: [
      { name: 'topic', numPartitions: 1, replicationFactor: 1, assignments: [{ partitionIndex: 0, brokerIds: [1, 2] }], configs: [] },
    ],
  });
  const refusal = (bytes: Buffer, version = 7): MalformedError => {
    try {
      decodeRequest(createTopics, version, bytes);
    } catch (error) {
      if (error instanceof MalformedError) return error;
      throw error;
    }
    throw new Error('not refused');
  };

  it('every truncation', () => {
    for (let length = 0; length < valid.length; length++) expect(refusal(valid.subarray(0, length))).toBeInstanceOf(MalformedError);
  });

  it('bytes behind a message that is no request', () => {
    const valid = encodeResponse(metadata, 13, { brokers: [], topics: [] });
    expect(() => decodeResponse(metadata, 13, Buffer.concat([valid, Buffer.alloc(1)]))).toThrow('1 bytes too many');
  });

  it('a count that the bytes cannot back, before allocating for it', () => {
    const error = refusal(Buffer.from('ffffffff07', 'hex'));
    expect(error).toMatchObject({ subject: 'CreateTopics request v7', field: 'topics', position: 5 });
  });

  it('a null where null is not allowed', () => {
    expect(refusal(Buffer.from('00', 'hex')).message).toContain('null where null is not allowed');
  });

  it('a negative length', () => {
    expect(refusal(Buffer.from('fffffffe', 'hex'), 2).message).toContain('negative length -2');
  });

  it('a uvarint above 32 bits', () => {
    expect(refusal(Buffer.from('ffffffffff01', 'hex')).message).toContain('uvarint');
  });

  it('a string beyond 32767 bytes', () => {
    const bytes = Buffer.concat([Buffer.from('02' + '818002', 'hex'), Buffer.alloc(40000)]);
    expect(refusal(bytes)).toMatchObject({ field: 'topics.name' });
    expect(refusal(bytes).message).toContain('string of 32768 bytes');
  });

  it('a tag whose data does not fill its size', () => {
    const table = message('tags', '0', '0+', { a: int32('tag=0') });
    expect(() => decodeMessage(table, 0, Buffer.from('010005' + '0000000000', 'hex'))).toThrow('tag 0 holds 5 bytes, not 4');
    expect(() => decodeMessage(table, 0, Buffer.from('010003' + '000000', 'hex'))).toThrow(MalformedError);
  });

  it('an unknown version', () => {
    expect(refusal(valid, 8).message).toContain('unknown version 8');
  });

  it('a range that is none', () => {
    expect(() => decodeRequest(createTopics, 7, valid, 0, valid.length + 1)).toThrow(MalformedError);
    expect(() => decodeRequest(createTopics, 7, valid, 5, 4)).toThrow(MalformedError);
  });

  it('a string of bytes that are no UTF-8, each of which would be three in an answer', () => {
    const table = api({ key: 0, name: 'Text', versions: '0' }, { a: string() }, {});
    const decode = (byte: number, length: number): string => {
      const bytes = Buffer.alloc(2 + length, byte);
      bytes.writeInt16BE(length, 0);
      return decodeRequest(table, 0, bytes).a;
    };
    const most = Math.floor(STRING_BYTES_MAX / 3);
    expect(Buffer.byteLength(decode(0xff, most))).toBe(3 * most);
    expect(() => decode(0xff, most + 1)).toThrow('no UTF-8');
    expect(decode(0x61, STRING_BYTES_MAX)).toBe('a'.repeat(STRING_BYTES_MAX));
  });

  it('more tags that it does not know than a request may hold elements', () => {
    const table = api({ key: 0, name: 'Tags', versions: '0', flexible: '0+' }, {}, {});
    const decode = (count: number): unknown => {
      const bytes = Buffer.alloc(3 + 2 * count);
      // Its count as a varint of three bytes.
      bytes.set([(count & 0x7f) | 0x80, ((count >> 7) & 0x7f) | 0x80, count >> 14], 0);
      bytes.fill(Buffer.from([0x40, 0x00]), 3);
      return decodeRequest(table, 0, bytes);
    };
    expect(() => decode(REQUEST_ELEMENTS_MAX + 1)).toThrow(`more than ${REQUEST_ELEMENTS_MAX} elements`);
    expect(() => decode(REQUEST_ELEMENTS_MAX)).not.toThrow();
  });

  it.each([
    ['structs', array({ x: string('nullable') }), 2],
    ['strings', array(string), 2],
    ['numbers', array(int32), 4],
  ] as const)('more %s than a request may hold, whatever room it has for them', (_what, field, bytesEach) => {
    const table = api({ key: 0, name: 'Many', versions: '0' }, { a: field, b: field }, {});
    const decode = (inFirst: number, inSecond: number): unknown => {
      const bytes = Buffer.alloc(8 + (inFirst + inSecond) * bytesEach);
      bytes.writeInt32BE(inFirst, 0);
      bytes.writeInt32BE(inSecond, 4 + inFirst * bytesEach);
      return decodeRequest(table, 0, bytes);
    };
    expect(() => decode(REQUEST_ELEMENTS_MAX - 1, 2)).toThrow(`more than ${REQUEST_ELEMENTS_MAX} elements`);
    expect(() => decode(REQUEST_ELEMENTS_MAX - 1, 1)).not.toThrow();
  });
});
