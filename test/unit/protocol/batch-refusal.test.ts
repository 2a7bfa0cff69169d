import fc from 'fast-check';
import { expect, it, test } from 'vitest';
import { findTimestampsOutside, whyHeaderRefused } from '../../../src/protocol/batch-refusal.ts';
import { ErrorCode } from '../../../src/protocol/errors.ts';
import { BATCH_HEADER_BYTES, checkBatchHeader } from '../../../src/protocol/record-batch.ts';
import { buildBatch } from '../../../src/protocol/record.ts';

it('has words for every header that is refused, and none for those that are not', () => {
  const good = buildBatch({ records: [{ value: 'a' }, { value: 'b' }], baseTimestamp: 5 });
  // Bytes that mean something, and some that do not.
  const change = fc.tuple(
    fc.nat({ max: BATCH_HEADER_BYTES - 1 }),
    fc.oneof(fc.nat({ max: 255 }), fc.constantFrom(0, 1, 2, 0x10, 0x20, 0xff)),
  );
  let refused = 0;
  fc.assert(
    fc.property(fc.array(change, { maxLength: 2 }), fc.oneof(fc.constant(good.length), fc.nat({ max: good.length })), (changes, length) => {
      const batch = Buffer.from(good);
      for (const [at, value] of changes) batch[at] = value;
      const code = checkBatchHeader(batch, 0, length);
      if (code !== ErrorCode.NONE) refused++;
      const words = whyHeaderRefused(batch, 0, length);
      if (code === ErrorCode.NONE) expect(words).toBeNull();
      else expect(words).toMatch(/^[A-Z0-9].*\.$/);
    }),
    { numRuns: 2000 },
  );
  expect(refused).toBeGreaterThan(100);
});

it('has words for more records than the bytes can hold', () => {
  const batch = buildBatch({ records: [{ value: 'a' }, { value: 'b' }] });
  batch.writeInt32BE(8192, 57);
  batch.writeInt32BE(8191, 23);
  expect(checkBatchHeader(batch, 0, batch.length)).toBe(ErrorCode.INVALID_RECORD);
  expect(whyHeaderRefused(batch, 0, batch.length)).toMatch(/^The batch says that it has 8192 records; its bytes can hold \d at most\.$/);
});

test('names records by their times, as many as are wanted and within as many as may be looked at', () => {
  const records = [5, -1, 9_000_000_000_000, 7, 3].map((timestamp) => ({ value: 'x', timestamp }));
  const batch = buildBatch({ records, baseTimestamp: 5 });
  const find = (namedMax: number, lookedAtMax: number): number[] =>
    findTimestampsOutside(batch, 0, batch, BATCH_HEADER_BYTES, batch.length, 5, 7, namedMax, lookedAtMax).map(({ index }) => index);
  expect(find(9, 9)).toEqual([2, 4]);
  expect(find(1, 9)).toEqual([2]);
  expect(find(9, 4)).toEqual([2]);
  expect(find(9, 2)).toEqual([]);
});
