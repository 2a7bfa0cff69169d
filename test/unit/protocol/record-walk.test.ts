import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ErrorCode } from '../../../src/protocol/errors.ts';
import { MalformedError } from '../../../src/protocol/protocol-errors.ts';
import { BATCH_HEADER_BYTES, RECORD_COUNT_POSITION } from '../../../src/protocol/record-batch.ts';
import { RecordWalk } from '../../../src/protocol/record-walk.ts';
import { buildBatch, readRecords, type RecordInput } from '../../../src/protocol/record.ts';

const walk = new RecordWalk();
const walked = (batch: Buffer): ErrorCode => walk.walk(batch, 0, batch, BATCH_HEADER_BYTES, batch.length);

const bytes = fc.option(fc.uint8Array({ maxLength: 300 }), { freq: 5 });
const record: fc.Arbitrary<RecordInput> = fc.record({
  key: bytes,
  value: bytes,
  headers: fc.array(fc.record({ key: fc.string({ maxLength: 5 }), value: bytes }), { maxLength: 3 }),
  timestamp: fc.oneof(
    fc.constant(-1),
    fc.integer({ min: 0, max: 2_000_000_000_000 }),
    fc.integer({ min: 1_699_999_999_000, max: 1_700_000_001_000 }),
  ),
});

describe('walking records', () => {
  it('finds whatever is built right, with the first and the last of its times', () => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 20 }), (records) => {
        expect(walked(buildBatch({ records, baseTimestamp: records[0]!.timestamp! }))).toBe(ErrorCode.NONE);
        const times = records.map(({ timestamp }) => Number(timestamp)).filter((time) => time !== -1);
        expect([walk.timestampMin, walk.timestampMax]).toEqual([Math.min(...times), Math.max(-1, ...times)]);
      }),
    );
  });

  it('agrees with reading the records one by one about every change of a byte', () => {
    const records = [
      { key: 'k', value: 'value', headers: [{ key: 'h', value: 'v' }] },
      { value: null, timestamp: 2_000_000_000_000 },
      { value: 'x' },
    ];
    const batch = buildBatch({ records, baseTimestamp: 1_700_000_000_000 });
    for (let at = BATCH_HEADER_BYTES; at < batch.length; at++) {
      for (const value of [0, 1, 2, 3, 0x7f, 0x80, 0xff, batch[at]! ^ 1]) {
        const changed = Buffer.from(batch);
        changed[at] = value;
        let read: number | null = 0;
        try {
          const offsets = [...readRecords(changed)].map(({ offset }) => Number(offset));
          if (offsets.join() !== '0,1,2') read = null;
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedError);
          read = null;
        }
        expect(walked(changed), `byte ${at} = ${value}`).toBe(read === null ? ErrorCode.INVALID_RECORD : ErrorCode.NONE);
      }
    }
  });

  it('wants them exactly as many as the header says, and to the last byte', () => {
    const batch = buildBatch({ records: [{ value: 'a' }, { value: 'b' }], baseTimestamp: 5 });
    for (const count of [-1, 0, 1, 3, 2_000_000_000]) {
      const other = Buffer.from(batch);
      other.writeInt32BE(count, RECORD_COUNT_POSITION);
      expect(walked(other)).toBe(ErrorCode.INVALID_RECORD);
    }
    const none = Buffer.from(batch.subarray(0, BATCH_HEADER_BYTES));
    none.writeInt32BE(-1, RECORD_COUNT_POSITION);
    expect(walked(none)).toBe(ErrorCode.INVALID_RECORD);
    for (let length = BATCH_HEADER_BYTES; length < batch.length; length++)
      expect(walked(batch.subarray(0, length))).toBe(ErrorCode.INVALID_RECORD);
    expect(walked(Buffer.concat([batch, Buffer.from([0])]))).toBe(ErrorCode.INVALID_RECORD);
  });

  it('says at which record it ended, unless it is the batch that is wrong', () => {
    const batch = buildBatch({ records: [{ value: 'a' }, { value: 'b' }, { value: 'c' }], baseTimestamp: 5 });
    expect([walked(batch), walk.badRecord]).toEqual([ErrorCode.NONE, -1]);
    const recordBytes = (batch.length - BATCH_HEADER_BYTES) / 3;
    for (let record = 0; record < 3; record++) {
      const changed = Buffer.from(batch);
      changed[BATCH_HEADER_BYTES + record * recordBytes] = 0;
      expect([walked(changed), walk.badRecord]).toEqual([ErrorCode.INVALID_RECORD, record]);
    }
    expect([walked(batch.subarray(0, -1)), walk.badRecord]).toEqual([ErrorCode.INVALID_RECORD, 2]);
    expect([walked(Buffer.concat([batch, Buffer.from([0])])), walk.badRecord]).toEqual([ErrorCode.INVALID_RECORD, -1]);
  });

  it('wants offsets that rise one by one', () => {
    for (const offsetDeltas of [
      [0, 2],
      [1, 2],
      [0, 0],
      [1, 0],
      [0, -1],
    ]) {
      const batch = buildBatch({ records: offsetDeltas.map((offsetDelta) => ({ value: 'x', offsetDelta })), baseTimestamp: 5 });
      expect(walked(batch)).toBe(ErrorCode.INVALID_RECORD);
    }
  });
});
