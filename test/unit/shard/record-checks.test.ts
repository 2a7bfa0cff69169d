/** What a shard refuses for the sake of the records in a batch, and what it puts right. */
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { isBatchCrcValid } from '../../../src/protocol/crc32c.ts';
import { ErrorCode } from '../../../src/protocol/errors.ts';
import { maxTimestamp } from '../../../src/protocol/record-batch.ts';
import { buildBatch, type BatchInput } from '../../../src/protocol/record.ts';
import { emptyPartition, type PartitionConfig } from '../../../src/log/partition-state.ts';
import { ShardBench, START_MS } from '../../support/shard-bench.ts';

const HOUR_MS = 3_600_000;

/** A batch whose records have these timestamps. */
function timed(times: readonly number[], input: Partial<BatchInput> = {}): Buffer {
  const isCompressed = ((input.attributes ?? 0) & 7) !== 0;
  const records = times.map((timestamp) => ({ value: 'x', timestamp }));
  return buildBatch({ records, baseTimestamp: times[0]!, ...input }, isCompressed ? (bytes) => gzipSync(bytes) : undefined);
}

function codeOf(batch: Buffer, config: Partial<PartitionConfig> = {}): number {
  const bench = new ShardBench();
  bench.open(1, config);
  bench.sendBatch(1, batch);
  bench.work();
  return bench.codes.at(-1)!;
}

describe('a batch whose records are not what its header says', () => {
  const two = [{ value: 'x' }, { value: 'y' }];
  test.each([
    ['gaps between its offsets', buildBatch({ records: [{ offsetDelta: 0 }, { offsetDelta: 2 }], lastOffsetDelta: 1 })],
    ['a byte behind its records', buildBatch({ records: two }, (bytes) => Buffer.concat([bytes, Buffer.from([0])]))],
    ['a record cut short', buildBatch({ records: two }, (bytes) => bytes.subarray(0, -1))],
    ['bytes that are none', buildBatch({ records: two }, (bytes) => Buffer.alloc(bytes.length, 0x80))],
  ])('with %s is refused, and nothing of it stays', (_what, batch) => {
    const bench = new ShardBench();
    const { state } = bench.open(1);
    bench.sendBatch(1, batch);
    bench.work();
    expect(bench.codes).toEqual([ErrorCode.INVALID_RECORD]);
    expect(state.endOffset).toBe(0);
    bench.sendBatch(1, timed([1]));
    bench.work();
    expect(bench.codes).toEqual([ErrorCode.INVALID_RECORD, ErrorCode.NONE]);
  });

  test('is refused with the index of its first bad record, if it is a record that is bad', () => {
    const bench = new ShardBench();
    bench.open(1);
    bench.sendBatch(1, buildBatch({ records: [{ offsetDelta: 0 }, { offsetDelta: 2 }], lastOffsetDelta: 1 }));
    // One record too few, and then a batch of which no record is looked at: it has no index, and not the one before.
    bench.sendBatch(
      1,
      buildBatch({ records: two }, (bytes) => Buffer.concat([bytes, Buffer.from([0])])),
    );
    bench.sendBatch(1, buildBatch({ records: two, lastOffsetDelta: 5 }));
    bench.sendBatch(
      1,
      buildBatch({ records: two }, (bytes) => Buffer.alloc(bytes.length, 0x80)),
    );
    bench.work();
    expect(bench.badRecords).toEqual([1, -1, -1, 0]);
  });

  test('is taken as it is when it is compressed: opening it is not the shard’s work', () => {
    expect(codeOf(buildBatch({ records: [{ value: 'x' }], attributes: 1 }, () => Buffer.from('not gzip')))).toBe(ErrorCode.NONE);
  });
});

describe('timestamps of producers', () => {
  const limits = { timestampBeforeMsMax: 1000, timestampAfterMsMax: HOUR_MS };

  test.each([
    [START_MS + HOUR_MS, ErrorCode.NONE],
    [START_MS + HOUR_MS + 1, ErrorCode.INVALID_TIMESTAMP],
    [START_MS - 1000, ErrorCode.NONE],
    [START_MS - 1001, ErrorCode.INVALID_TIMESTAMP],
    [0, ErrorCode.INVALID_TIMESTAMP],
    [-1, ErrorCode.NONE],
  ])('%i is near enough to the clock, or not, wherever it stands', (time, code) => {
    expect(codeOf(timed([time]), limits)).toBe(code);
    expect(codeOf(timed([START_MS, time, START_MS]), limits)).toBe(code);
    // Of a compressed batch the first and the largest are known.
    expect(codeOf(timed([time], { attributes: 1 }), limits)).toBe(code);
  });

  test('do not count where the broker gives its own', () => {
    expect(codeOf(timed([0]), { ...limits, timestampType: 'LogAppendTime' })).toBe(ErrorCode.NONE);
    expect(codeOf(timed([START_MS * 2]), { ...limits, timestampType: 'LogAppendTime' })).toBe(ErrorCode.NONE);
  });

  test('a change of the limits counts from the next batch on', () => {
    const bench = new ShardBench();
    bench.open(1);
    const old = (): void => {
      bench.sendBatch(1, timed([5]));
      bench.work();
    };
    old();
    bench.configure(1, limits);
    old();
    bench.configure(1, { timestampBeforeMsMax: Infinity });
    old();
    expect(bench.codes).toEqual([ErrorCode.NONE, ErrorCode.INVALID_TIMESTAMP, ErrorCode.NONE]);
  });
});

test('offsets end where a number would be two of them: what goes beyond is refused, what fits is taken, also in one group', () => {
  const bench = new ShardBench();
  const endOffset = Number.MAX_SAFE_INTEGER - 10;
  const { state } = bench.open(1, {}, { ...emptyPartition('topic-1', 0), logStartOffset: endOffset, endOffset });
  const batchOf = (count: number): Buffer => buildBatch({ records: Array.from({ length: count }, () => ({ value: 'x' })) });
  for (const count of [20, 5, 5, 1, 4, 1]) bench.sendBatch(1, batchOf(count));
  bench.work();
  const refused = ErrorCode.INVALID_RECORD;
  expect(bench.codes).toEqual([refused, 0, 0, refused, refused, refused]);
  expect(bench.offsets).toEqual([-1, endOffset, endOffset + 5, -1, -1, -1]);
  expect([state.endOffset, bench.badRecords]).toEqual([Number.MAX_SAFE_INTEGER, [-1, -1, -1, -1]]);
});

describe('the largest timestamp in the header', () => {
  test.each([0, START_MS * 2, -1])('is put right when it is %i, with the CRC', (wrong) => {
    const bench = new ShardBench();
    const { state } = bench.open(1);
    const batch = bench.sendBatch(1, timed([START_MS, START_MS + 7, START_MS + 3], { maxTimestamp: wrong }));
    bench.work();
    expect(bench.codes).toEqual([ErrorCode.NONE]);
    expect([maxTimestamp(batch, 0), isBatchCrcValid(batch, 0)]).toEqual([START_MS + 7, true]);
    expect(state.segments[0]!.maxTimestamp).toBe(START_MS + 7);
  });

  test('is left alone where numbers are not exact', () => {
    const bench = new ShardBench();
    bench.open(1);
    const most = 2n ** 63n - 1n;
    const batch = bench.sendBatch(1, buildBatch({ records: [{ value: 'x', timestamp: most }], baseTimestamp: most }));
    bench.work();
    expect([batch.readBigInt64BE(35), isBatchCrcValid(batch, 0)]).toEqual([most, true]);
  });
});
