import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32cAt, isBatchCrcValid } from '../../../src/protocol/crc32c.ts';
import { ErrorCode } from '../../../src/protocol/errors.ts';
import { isExactInt64, readInt16, readInt64, writeInt16, writeInt64 } from '../../../src/protocol/int64.ts';
import { MalformedError } from '../../../src/protocol/protocol-errors.ts';
import * as batch from '../../../src/protocol/record-batch.ts';
import { buildBatch, readRecords } from '../../../src/protocol/record.ts';

const plain = (): Buffer => buildBatch({ records: [{ value: 'a' }, { value: 'b' }], baseTimestamp: 1_700_000_000_000 });

/** The bytes of `source` in memory that threads share, which is where the broker keeps them. */
function shared(source: Buffer): Buffer {
  const copy = Buffer.from(new SharedArrayBuffer(source.length + 8));
  copy.set(source, 8);
  return copy;
}

describe('int64 as a number', () => {
  it('is exact for every safe integer', () => {
    const buffer = Buffer.alloc(8);
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        writeInt64(buffer, 0, value);
        expect(buffer.readBigInt64BE(0)).toBe(BigInt(value));
        expect(readInt64(buffer, 0)).toBe(value);
      }),
    );
  });

  it('is known not to be exact beyond', () => {
    const buffer = Buffer.alloc(8);
    buffer.writeBigInt64BE(2n ** 60n + 1n);
    expect(isExactInt64(readInt64(buffer, 0))).toBe(false);
    expect(isExactInt64(2 ** 53 - 1)).toBe(true);
  });

  it('and int16 keep their sign', () => {
    const buffer = Buffer.alloc(2);
    for (const value of [-32768, -1, 0, 1, 32767]) {
      writeInt16(buffer, 0, value);
      expect(readInt16(buffer, 0)).toBe(value);
      expect(buffer.readInt16BE(0)).toBe(value);
    }
  });
});

describe('CRC-32C', () => {
  it('of "123456789" is the published check value', () => {
    expect(crc32cAt(Buffer.from('xx123456789'), 2, 9)).toBe(0xe3069283);
  });

  it('is the same over shared memory', () => {
    const original = plain();
    const copy = shared(original);
    expect(isBatchCrcValid(copy, 8)).toBe(true);
    copy[copy.length - 1]! ^= 1;
    expect(isBatchCrcValid(copy, 8)).toBe(false);
  });
});

describe('a batch in place', () => {
  it('is stamped without touching its CRC', () => {
    const buffer = shared(plain());
    batch.stampBatch(buffer, 8, 2 ** 53 - 1, 77);
    expect(batch.baseOffset(buffer, 8)).toBe(2 ** 53 - 1);
    expect(batch.partitionLeaderEpoch(buffer, 8)).toBe(77);
    expect(isBatchCrcValid(buffer, 8)).toBe(true);
    batch.stampBatch(buffer, 8, 5, 1);
    expect(batch.lastOffset(buffer, 8)).toBe(6);
    expect([...readRecords(buffer, 8)].map((record) => record.offset)).toEqual([5n, 6n]);
  });

  it('is given the append time with a new CRC, and readers take that as the time of every record', () => {
    const buffer = plain();
    batch.setLogAppendTime(buffer, 0, 1_800_000_000_123, crc32cAt);
    expect(batch.isLogAppendTime(buffer, 0)).toBe(true);
    expect(batch.maxTimestamp(buffer, 0)).toBe(1_800_000_000_123);
    expect(isBatchCrcValid(buffer, 0)).toBe(true);
    expect([...readRecords(buffer)].map((record) => record.timestamp)).toEqual([1_800_000_000_123n, 1_800_000_000_123n]);
  });

  it('tells its attributes', () => {
    const buffer = buildBatch({
      records: [{ value: 'x' }],
      attributes: batch.Compression.LZ4 | batch.TRANSACTIONAL_BIT | batch.CONTROL_BIT,
      producerId: 9,
      producerEpoch: 3,
      baseSequence: 8,
    });
    expect(batch.compression(buffer, 0)).toBe(batch.Compression.LZ4);
    expect([batch.isTransactional(buffer, 0), batch.isControl(buffer, 0), batch.isLogAppendTime(buffer, 0)]).toEqual([true, true, false]);
    expect([batch.producerId(buffer, 0), batch.producerEpoch(buffer, 0), batch.baseSequence(buffer, 0)]).toEqual([9, 3, 8]);
    expect(batch.batchLength(buffer, 0)).toBe(buffer.length - batch.BATCH_LENGTH_OVERHEAD);
  });
});

describe('a produced batch header', () => {
  const judge = (change: (buffer: Buffer) => void, lengthChange = 0): number => {
    const buffer = plain();
    change(buffer);
    return batch.checkBatchHeader(buffer, 0, buffer.length + lengthChange);
  };
  const nothing = (): void => {};

  it('passes if nothing is wrong', () => {
    expect(judge(nothing)).toBe(ErrorCode.NONE);
    const idempotent = buildBatch({
      records: [{ value: 'x' }],
      producerId: 1,
      producerEpoch: 0,
      baseSequence: 0,
      attributes: batch.TRANSACTIONAL_BIT,
    });
    expect(batch.checkBatchHeader(idempotent, 0, idempotent.length)).toBe(ErrorCode.NONE);
  });

  it('is corrupt if it is shorter or longer than it says, of an unknown format, or counts below zero', () => {
    expect(batch.checkBatchHeader(plain(), 0, 16)).toBe(ErrorCode.CORRUPT_MESSAGE);
    expect(batch.checkBatchHeader(plain(), 0, 60)).toBe(ErrorCode.CORRUPT_MESSAGE);
    expect(judge(nothing, -1)).toBe(ErrorCode.CORRUPT_MESSAGE);
    expect(judge((b) => b.writeInt32BE(48, 8))).toBe(ErrorCode.CORRUPT_MESSAGE);
    expect(judge((b) => b.writeInt32BE(-5, 8))).toBe(ErrorCode.CORRUPT_MESSAGE);
    expect(judge((b) => b.writeInt32BE(0x7fffffff, 8))).toBe(ErrorCode.CORRUPT_MESSAGE);
    expect(judge((b) => b.writeInt8(3, 16))).toBe(ErrorCode.CORRUPT_MESSAGE);
    expect(judge((b) => b.writeInt32BE(-1, batch.RECORD_COUNT_POSITION))).toBe(ErrorCode.CORRUPT_MESSAGE);
  });

  it('is invalid if it is empty, old, a second batch follows, it has gaps, is control, or lacks a sequence', () => {
    expect(batch.checkBatchHeader(plain(), 0, 0)).toBe(ErrorCode.INVALID_RECORD);
    expect(batch.checkBatchHeader(plain(), 0, -1)).toBe(ErrorCode.INVALID_RECORD);
    expect(judge((b) => b.writeInt8(1, 16))).toBe(ErrorCode.INVALID_RECORD);
    const two = Buffer.concat([plain(), plain()]);
    expect(batch.checkBatchHeader(two, 0, two.length)).toBe(ErrorCode.INVALID_RECORD);
    expect(judge((b) => b.writeInt32BE(2, batch.LAST_OFFSET_DELTA_POSITION))).toBe(ErrorCode.INVALID_RECORD);
    expect(judge((b) => b.writeInt32BE(0, batch.RECORD_COUNT_POSITION))).toBe(ErrorCode.INVALID_RECORD);
    expect(judge((b) => b.writeInt16BE(batch.CONTROL_BIT, batch.ATTRIBUTES_POSITION))).toBe(ErrorCode.INVALID_RECORD);
    expect(judge((b) => b.writeBigInt64BE(7n, 0))).toBe(ErrorCode.INVALID_RECORD);
    expect(judge((b) => b.writeBigInt64BE(7n, batch.PRODUCER_ID_POSITION))).toBe(ErrorCode.INVALID_RECORD);
    expect(judge((b) => b.writeInt16BE(batch.TRANSACTIONAL_BIT, batch.ATTRIBUTES_POSITION))).toBe(ErrorCode.INVALID_RECORD);
  });

  it('is invalid if it has more records than its bytes can hold, or than could ever be opened', () => {
    const claim = (count: number, attributes: number): number =>
      judge((b) => {
        b.writeInt32BE(count, batch.RECORD_COUNT_POSITION);
        b.writeInt32BE(count - 1, batch.LAST_OFFSET_DELTA_POSITION);
        b.writeInt16BE(attributes, batch.ATTRIBUTES_POSITION);
      });
    const fits = Math.floor((plain().length - batch.BATCH_HEADER_BYTES) / batch.RECORD_BYTES_MIN);
    expect([claim(fits, 0), claim(fits + 1, 0)]).toEqual([ErrorCode.NONE, ErrorCode.INVALID_RECORD]);
    const most = Math.floor(batch.OPENED_BYTES_MAX / batch.RECORD_BYTES_MIN);
    for (const codec of [1, 2, 3, 4])
      expect([claim(most, codec), claim(most + 1, codec), claim(2 ** 31 - 1, codec)]).toEqual([
        ErrorCode.NONE,
        ErrorCode.INVALID_RECORD,
        ErrorCode.INVALID_RECORD,
      ]);
  });

  it('may claim neither log append time nor a compression that nobody knows', () => {
    expect(judge((b) => b.writeInt16BE(batch.TIMESTAMP_TYPE_BIT, batch.ATTRIBUTES_POSITION))).toBe(ErrorCode.INVALID_TIMESTAMP);
    expect(judge((b) => b.writeInt16BE(5, batch.ATTRIBUTES_POSITION))).toBe(ErrorCode.UNSUPPORTED_COMPRESSION_TYPE);
  });
});

describe('records', () => {
  const optionalBytes = fc.option(fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)));
  const record = fc.record({
    key: optionalBytes,
    value: optionalBytes,
    timestamp: fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }),
    headers: fc.array(fc.record({ key: fc.string(), value: optionalBytes }), { maxLength: 3 }),
  });

  it('come back as they were written', () => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 5 }), fc.nat(), (records, baseOffset) => {
        const built = buildBatch({ records: records, baseOffset });
        expect(isBatchCrcValid(built, 0)).toBe(true);
        expect([...readRecords(built)]).toEqual(records.map((one, index) => ({ ...one, offset: BigInt(baseOffset + index) })));
      }),
    );
  });

  it('that are cut short, too many or too few are malformed', () => {
    const built = plain();
    const read = (buffer: Buffer): unknown => [...readRecords(buffer)];
    for (let length = 0; length < built.length; length++) expect(() => read(built.subarray(0, length))).toThrow(MalformedError);
    for (const count of [-1, 1, 3, 0x7fffffff]) {
      const damaged = Buffer.from(built);
      damaged.writeInt32BE(count, batch.RECORD_COUNT_POSITION);
      expect(() => read(damaged)).toThrow(MalformedError);
    }
    const compressed = Buffer.from(built);
    compressed.writeInt16BE(1, batch.ATTRIBUTES_POSITION);
    expect(() => read(compressed)).toThrow('compressed');
  });
});
