import { gzipSync } from 'node:zlib';
import { describe, expect, it, test } from 'vitest';
import { decompress } from '../../../src/jobs/decompress.ts';
import type { BatchFinding } from '../../../src/jobs/job.ts';
import { openBatch } from '../../../src/jobs/open-batch.ts';
import { Prng } from '../../../src/lib/prng.ts';
import { OutputTooLargeError } from '../../../src/protocol/bounded-output.ts';
import { MalformedError } from '../../../src/protocol/protocol-errors.ts';
import { BATCH_HEADER_BYTES, Compression, crc } from '../../../src/protocol/record-batch.ts';
import { buildBatch, readRecordsFrom, type RecordInput } from '../../../src/protocol/record.ts';
import { CODECS, javaBatch, javaRecord } from '../../support/java-batches.ts';

const MIB = 1 << 20;
const recordsOf = (batch: Buffer): Buffer => batch.subarray(BATCH_HEADER_BYTES);

describe.each(CODECS)('%s', (codec, number) => {
  it('is opened as the Java client wrote it, to the last record', () => {
    const batch = javaBatch(codec);
    const records = decompress(number, recordsOf(batch), MIB);
    const read = [...readRecordsFrom(batch, 0, records, 0, records.length)].map(({ key, value, timestamp, offset }) => ({
      offset: Number(offset),
      key: String(key),
      value: String(value),
      timestamp: Number(timestamp),
    }));
    expect(read).toEqual(Array.from({ length: 300 }, (_, offset) => ({ offset, ...javaRecord(offset) })));
  });

  it('gives as much as is allowed, and no byte more', () => {
    const records = recordsOf(javaBatch(codec));
    const { length } = decompress(number, records, MIB);
    expect(decompress(number, records, length)).toHaveLength(length);
    expect(() => decompress(number, records, length - 1)).toThrow(OutputTooLargeError);
  });

  it('is malformed when it is cut short anywhere', () => {
    const records = recordsOf(javaBatch(codec));
    for (let length = 0; length < records.length; length += 7) {
      // zlib and the zstd package may take the end of a block for the end of everything: then records are missing, which whoever reads them sees.
      let opened: Buffer | null = null;
      try {
        opened = decompress(number, records.subarray(0, length), MIB);
      } catch (error) {
        expect(error).toBeInstanceOf(MalformedError);
      }
      if (opened !== null) expect(opened.length).toBeLessThan(decompress(number, records, MIB).length);
    }
  });

  it('ends with an answer or a refusal whatever was changed in it', () => {
    const random = new Prng(number);
    for (let round = 0; round < 400; round++) {
      const records = recordsOf(javaBatch(codec));
      for (let flips = 1 + random.below(4); flips > 0; flips--) records[random.below(records.length)] = random.below(256);
      try {
        expect(decompress(number, records, MIB).length).toBeLessThanOrEqual(MIB);
      } catch (error) {
        if (!(error instanceof OutputTooLargeError)) expect(error).toBeInstanceOf(MalformedError);
      }
    }
  });
});

describe('a bomb', () => {
  const repeated = (part: readonly number[], times: number): number[] => Array.from({ length: times }, () => part).flat();
  const bombs: [string, number, Buffer][] = [
    ['gzip', Compression.GZIP, gzipSync(Buffer.alloc(64 * MIB))],
    // A literal of one byte, then copies of 64 from one byte before.
    ['snappy', Compression.SNAPPY, Buffer.from([0x80, 0x80, 0x80, 0x20, 0x00, 0x61, ...repeated([0xfe, 0x01, 0x00], MIB)])],
    // Blocks of a literal and a match of nearly 4 MiB.
    [
      'lz4',
      Compression.LZ4,
      Buffer.concat([
        Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73]),
        ...Array.from({ length: 16 }, () => {
          const block = Buffer.concat([Buffer.from([0x1f, 0x61, 0x01, 0x00]), Buffer.alloc(16_000, 255), Buffer.from([0, 0x10, 0x61])]);
          const length = Buffer.alloc(4);
          length.writeUInt32LE(block.length);
          return Buffer.concat([length, block]);
        }),
        Buffer.alloc(4),
      ]),
    ],
    // Blocks of one byte repeated 128 KiB times.
    ['zstd', Compression.ZSTD, Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58, ...repeated([0x02, 0x00, 0x10, 0x61], 512), 0x01, 0, 0])],
    // Windows and contents of gigabytes, and nothing that would fill them; also behind a frame that is as it should be.
    ['zstd with a huge window', Compression.ZSTD, Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa7, 0x03, 0x00, 0x10, 0x61])],
    [
      'zstd with a huge window in its second frame',
      Compression.ZSTD,
      Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0, 0x0b, 0, 0, 0x61, 0x28, 0xb5, 0x2f, 0xfd, 0, 0xa7, 0x03, 0x00, 0x10, 0x61]),
    ],
    [
      'zstd that says it is huge',
      Compression.ZSTD,
      Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0xff, 0xff, 0xff, 0x7f, 0x03, 0x00, 0x10, 0x61]),
    ],
  ];

  test.each(bombs)('of %s is refused at the limit', (_codec, number, records) => {
    const before = process.memoryUsage().rss;
    for (let round = 0; round < 3; round++) {
      let error: unknown;
      try {
        decompress(number, records, 4 * MIB);
      } catch (thrown) {
        error = thrown;
      }
      expect(error).toBeInstanceOf(OutputTooLargeError);
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(300 * MIB);
  });
});

describe('snappy without the frame of Java', () => {
  it('is one bare block', () => {
    // Behind frame header and length of the only block.
    const block = recordsOf(javaBatch('snappy')).subarray(20);
    expect(decompress(Compression.SNAPPY, block, MIB)).toEqual(decompress(Compression.SNAPPY, recordsOf(javaBatch('snappy')), MIB));
  });

  it.each([
    ['nothing at all', []],
    ['a length that never ends', [0xff, 0xff, 0xff, 0xff, 0xff, 0x01]],
    ['fewer bytes than it says', [0x05, 0x00, 0x61]],
    ['more bytes than it says', [0x00, 0x00, 0x61]],
    ['a copy from before the beginning', [0x05, 0x00, 0x61, 0x01, 0x02]],
    ['a copy from nowhere', [0x05, 0x00, 0x61, 0x01, 0x00]],
  ])('is malformed with %s', (_what, bytes) => {
    expect(() => decompress(Compression.SNAPPY, Buffer.from(bytes), MIB)).toThrow(MalformedError);
  });
});

describe('lz4', () => {
  it.each([
    ['no magic', [1, 2, 3, 4, 0x60, 0x40, 0x82, 0, 0, 0, 0]],
    ['another version', [0x04, 0x22, 0x4d, 0x18, 0xa0, 0x40, 0x82, 0, 0, 0, 0]],
    ['a dictionary', [0x04, 0x22, 0x4d, 0x18, 0x61, 0x40, 0x82, 0, 0, 0, 0]],
    ['no end', [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]],
    ['bytes behind the end', [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82, 0, 0, 0, 0, 1]],
    ['a match from before the beginning', [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82, 5, 0, 0, 0, 0x10, 0x61, 2, 0, 0, 0, 0, 0, 0]],
  ])('is malformed with %s', (_what, bytes) => {
    expect(() => decompress(Compression.LZ4, Buffer.from(bytes), MIB)).toThrow(MalformedError);
  });

  it('takes blocks that are not compressed', () => {
    const frame = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82, 2, 0, 0, 0x80, 0x61, 0x62, 0, 0, 0, 0];
    expect(decompress(Compression.LZ4, Buffer.from(frame), MIB).toString()).toBe('ab');
  });
});

describe('zstd', () => {
  it.each([
    ['nothing at all', []],
    ['no magic', [1, 2, 3, 4, 0, 0, 1, 0, 0]],
    ['a header cut short', [0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0xff]],
    ['a descriptor of the future', [0x28, 0xb5, 0x2f, 0xfd, 0x08, 0x58, 0x01, 0, 0]],
    ['a block that is not there', [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58, 0x51, 0, 0]],
    ['a type of block that does not exist', [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58, 0x07, 0, 0]],
    ['no last block', [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58, 0x0a, 0, 0, 0x61]],
    ['a checksum that is not there', [0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x58, 0x0b, 0, 0, 0x61]],
    ['a skippable frame cut short', [0x50, 0x2a, 0x4d, 0x18, 0xff, 0, 0, 0]],
  ])('is malformed with %s', (_what, bytes) => {
    expect(() => decompress(Compression.ZSTD, Buffer.from(bytes), MIB)).toThrow(MalformedError);
  });

  it('may be several frames, some of which are to be skipped', () => {
    const a = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x00, 0x0b, 0, 0, 0x61];
    const frames = [...a, 0x5f, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9, ...a];
    expect(decompress(Compression.ZSTD, Buffer.from(frames), MIB).toString()).toBe('aa');
  });
});

describe('finding a record in a batch', () => {
  it('gives the first one that is late enough and not deleted', () => {
    for (const [codec] of CODECS) {
      const batch = javaBatch(codec);
      for (const [timestamp, fromOffset] of [
        [0, 0],
        [2000, 0],
        [3990, 0],
        [3990, 257],
        [3990, 258],
        [4000, 0],
        [1000, 299],
      ] as const) {
        const first = Array.from({ length: 300 }, (_, i) => i).find((i) => i >= fromOffset && javaRecord(i).timestamp >= timestamp);
        expect(openBatch({ kind: 'find', batch, timestamp, fromOffset })).toEqual(
          first === undefined ? { kind: 'none' } : { kind: 'found', offset: first, timestamp: BigInt(javaRecord(first).timestamp) },
        );
      }
    }
  });

  it('tells what cannot be opened from what is broken', () => {
    const large = buildBatch({ records: [{ value: Buffer.alloc(100_000), timestamp: 5 }], attributes: 1 }, (bytes) => gzipSync(bytes));
    expect(openBatch({ kind: 'find', batch: large, timestamp: 0, fromOffset: 0 }, 10_000)).toEqual({ kind: 'unopened' });
    const broken = buildBatch({ records: [{ value: 'x', timestamp: 5 }], attributes: 1 }, () => Buffer.from('not gzip'));
    expect(openBatch({ kind: 'find', batch: broken, timestamp: 0, fromOffset: 0 })).toEqual({ kind: 'malformed', record: -1 });
    const short = buildBatch({ records: [{ value: 'x', timestamp: 5 }], attributes: 1 }, () => gzipSync(Buffer.from([2])));
    expect(openBatch({ kind: 'find', batch: short, timestamp: 0, fromOffset: 0 })).toEqual({ kind: 'malformed', record: -1 });
  });
});

describe('validating a produced batch', () => {
  const find = (batch: Buffer, times: { timestampMin?: number; timestampMax?: number } = {}, bytesMax = MIB): BatchFinding => {
    const slab = new SharedArrayBuffer(batch.length + 20);
    batch.copy(Buffer.from(slab), 7);
    const { timestampMin = -Infinity, timestampMax = Infinity } = times;
    const job = {
      kind: 'validate',
      slab,
      position: 7,
      length: batch.length,
      timestampMin,
      timestampMax,
      isTimed: true,
      keyed: false,
      namedMax: 2,
    } as const;
    return openBatch(job, bytesMax);
  };
  const judge = (...args: Parameters<typeof find>): string => find(...args).kind;
  const zip = (records: RecordInput[], compress: (bytes: Buffer) => Uint8Array = (bytes) => gzipSync(bytes)): Buffer =>
    buildBatch({ records, attributes: 1, baseTimestamp: 50 }, compress);

  it('takes what the Java client wrote, in any codec', () => {
    for (const [codec] of CODECS) expect(judge(javaBatch(codec))).toBe('valid');
  });

  it('holds the records against the header', () => {
    expect(judge(zip([{ value: 'a' }], () => Buffer.from('not gzip')))).toBe('malformed');
    expect(judge(zip([{ value: 'a' }], (bytes) => gzipSync(Buffer.concat([bytes, bytes]))))).toBe('malformed');
    expect(judge(zip([{ value: Buffer.alloc(5000) }]), {}, 1000)).toBe('unopened');
  });

  it('knows the time of every record, whatever the header says', () => {
    const batch = zip([
      { value: 'a', timestamp: 50 },
      { value: 'b', timestamp: 90 },
      { value: 'c', timestamp: 20 },
    ]);
    expect(judge(batch, { timestampMin: 20, timestampMax: 90 })).toBe('valid');
    expect(judge(batch, { timestampMin: 21, timestampMax: 90 })).toBe('timestamps');
    expect(judge(batch, { timestampMin: 20, timestampMax: 89 })).toBe('timestamps');
    expect(judge(zip([{ value: 'a', timestamp: -1 }]), { timestampMin: 20, timestampMax: 89 })).toBe('valid');
  });

  it('names the records whose times are out of range, and of many the first', () => {
    const times = [50, 10, 60, -1, 99, 5];
    const batch = zip(times.map((timestamp) => ({ value: 'a', timestamp })));
    const named = (timestampMin: number, timestampMax: number): BatchFinding => find(batch, { timestampMin, timestampMax });
    expect(named(5, 60)).toEqual({ kind: 'timestamps', records: [{ index: 4, timestamp: 99 }] });
    expect(named(20, 60)).toEqual({
      kind: 'timestamps',
      records: [
        { index: 1, timestamp: 10 },
        { index: 4, timestamp: 99 },
      ],
    });
  });

  it('names the first record that is malformed', () => {
    const batch = zip([{ value: 'a' }, { value: 'b', offsetDelta: 2 }, { value: 'c', offsetDelta: 2 }]);
    expect(find(batch)).toEqual({ kind: 'malformed', record: 1 });
    expect(find(zip([{ value: 'a' }], () => gzipSync(Buffer.alloc(0))))).toEqual({ kind: 'malformed', record: 0 });
  });

  it('knows what the header should have said, where times of producers count', () => {
    const records = [
      { value: 'a', timestamp: 50 },
      { value: 'b', timestamp: 90 },
    ];
    const wrong = buildBatch({ records, attributes: 1, maxTimestamp: 5000 }, (bytes) => gzipSync(bytes));
    const right = buildBatch({ records, attributes: 1 }, (bytes) => gzipSync(bytes));
    expect(find(right)).toEqual({ kind: 'valid', mended: null });
    expect(find(wrong)).toEqual({ kind: 'valid', mended: { maxTimestamp: 90, crc: crc(right, 0) } });
  });

  it('leaves to the shard what is wrong with the batch as a whole', () => {
    const corrupt = zip([{ value: 'a' }], () => Buffer.from('not gzip'));
    corrupt[17]! ^= 1;
    expect(judge(corrupt)).toBe('valid');
    expect(judge(corrupt.subarray(0, 40))).toBe('valid');
  });
});
