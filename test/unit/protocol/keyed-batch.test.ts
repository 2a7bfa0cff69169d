import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isBatchCrcValid } from '../../../src/protocol/crc32c.ts';
import { keyedBatchBytes, readKeyedBatch, writeKeyedBatch, type KeyedRecord } from '../../../src/protocol/keyed-batch.ts';
import { ErrorCode } from '../../../src/protocol/errors.ts';
import { checkBatchHeader, stampBatch } from '../../../src/protocol/record-batch.ts';
import { buildBatch } from '../../../src/protocol/record.ts';

const record = fc.record({
  key: fc.uint8Array({ maxLength: 200 }),
  value: fc.option(fc.uint8Array({ maxLength: 20_000 }), { nil: null }),
});
const records = fc.array(record, { minLength: 1, maxLength: 80 });

function write(input: readonly KeyedRecord[], timestampMs: number, position = 0): Buffer {
  const bytes = keyedBatchBytes(input);
  const buffer = Buffer.from(new SharedArrayBuffer(position + bytes + 10));
  expect(writeKeyedBatch(buffer, position, input, timestampMs)).toBe(position + bytes);
  return buffer.subarray(position, position + bytes);
}

function read(batch: Buffer): { whole: boolean; found: [Buffer | null, Buffer | null, number][] } {
  const found: [Buffer | null, Buffer | null, number][] = [];
  const own = (bytes: Uint8Array | null): Buffer | null => (bytes === null ? null : Buffer.from(bytes));
  const whole = readKeyedBatch(batch, 0, (key, value, offset) => void found.push([own(key), own(value), offset]));
  return { whole, found };
}

describe('a keyed batch', () => {
  it('is byte for byte what the general builder makes', () => {
    fc.assert(
      fc.property(records, fc.nat(2 ** 41), fc.nat(100), (input, timestampMs, position) => {
        expect(write(input, timestampMs, position)).toEqual(buildBatch({ records: input, baseTimestamp: timestampMs }));
      }),
    );
  });

  it('passes what a shard judges produced batches by', () => {
    const batch = write([{ key: Buffer.from('k'), value: null }], 1000);
    expect(checkBatchHeader(batch, 0, batch.length)).toBe(ErrorCode.NONE);
    expect(isBatchCrcValid(batch, 0)).toBe(true);
  });

  it('reads back as it was written, at the offsets it was given', () => {
    fc.assert(
      fc.property(records, fc.nat(2 ** 48), (input, offset) => {
        const batch = write(input, 5);
        stampBatch(batch, 0, offset, 3);
        const { whole, found } = read(batch);
        expect(whole).toBe(true);
        const expected = input.map(({ key, value }, n) => [Buffer.from(key), value === null ? null : Buffer.from(value), offset + n]);
        expect(found).toEqual(expected);
      }),
    );
  });

  it('of other writers is read, too: null keys, headers, timestamps, gaps', () => {
    const headers = [
      { key: 'h', value: Buffer.from('v') },
      { key: '', value: null },
    ];
    const batch = buildBatch({
      baseOffset: 100,
      records: [
        { value: 'a', headers, timestamp: 2 ** 40 },
        { key: 'k', value: 'b', offsetDelta: 7, timestamp: 1 },
      ],
    });
    expect(read(batch)).toEqual({
      whole: true,
      found: [
        [null, Buffer.from('a'), 100],
        [Buffer.from('k'), Buffer.from('b'), 107],
      ],
    });
  });

  it('whose records are not what the header says is told from a right one, whatever the bytes are', () => {
    const input = Array.from({ length: 3 }, (_, n) => ({ key: Buffer.from(`key ${n}`), value: Buffer.from(`value ${n}`) }));
    const right = write(input, 5);
    const few = Buffer.from(right);
    few.writeInt32BE(2, 57);
    const many = Buffer.from(right);
    many.writeInt32BE(4, 57);
    expect([read(right).whole, read(few).whole, read(many).whole]).toEqual([true, false, false]);
    fc.assert(
      fc.property(fc.nat(right.length - 62), fc.uint8Array({ minLength: 1, maxLength: 20 }), (at, garbage) => {
        const bad = Buffer.from(right);
        bad.set(garbage.subarray(0, right.length - 61 - at), 61 + at);
        for (const [, , offset] of read(bad).found) expect(offset).toBeLessThan(3);
      }),
    );
  });
});
