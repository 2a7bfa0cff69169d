/** Rebuilding an index: what it costs, and what it takes from the index that was there before. Reading through rebuilt indexes is tested in main/damage-recycled.test.ts. */
import { describe, expect, test } from 'vitest';
import { rebuildIndex } from '../../../src/jobs/rebuild-index.ts';
import { lookBytesMax } from '../../../src/jobs/stored-headers.ts';
import { Prng } from '../../../src/lib/prng.ts';
import { encodeIndexFile, type IndexEntries } from '../../../src/log/index-file.ts';
import type { DamagedRange } from '../../../src/log/partition-state.ts';
import { BATCH_LENGTH_OVERHEAD, BATCH_LENGTH_POSITION, batchBytes, lastOffsetDelta } from '../../../src/protocol/record-batch.ts';
import { buildBatch } from '../../../src/protocol/record.ts';
import { FakeDisk } from '../../sim/fake-disk.ts';

const INDEX = '/0.index';

class CountingReads extends FakeDisk {
  bytesRead = 0;
  largestRead = 0;

  override read(fd: number, target: Uint8Array, targetPosition: number, length: number, position: number): number {
    this.bytesRead += length;
    this.largestRead = Math.max(this.largestRead, length);
    return super.read(fd, target, targetPosition, length, position);
  }
}

const batch = (base: number, records = 1, value = 'x'): Buffer =>
  buildBatch({ records: Array.from({ length: records }, () => ({ value: Buffer.from(value) })), baseOffset: base });

/** One record per batch. */
const chain = (from: number, to: number): Buffer[] => Array.from({ length: to - from }, (_, i) => batch(from + i));

interface Rebuilt {
  readonly entries: [offset: number, position: number][];
  readonly disk: CountingReads;
}

interface RebuildOptions {
  readonly intervalBytes?: number;
  readonly index?: Buffer;
  readonly refused?: readonly DamagedRange[];
}

function rebuild(file: Buffer, endOffset: number, options: RebuildOptions = {}): Rebuilt {
  const disk = new CountingReads(new Prng(1));
  for (const [path, bytes] of Object.entries({ '/0.log': file, [INDEX]: options.index })) {
    if (bytes === undefined) continue;
    const fd = disk.open(path, 'write');
    disk.write(fd, [bytes], 0);
    disk.close(fd);
  }
  const { offsets, positions } = rebuildIndex(disk, {
    kind: 'rebuildIndex',
    path: '/0.log',
    baseOffset: 0,
    endPosition: file.length,
    endOffset,
    refused: options.refused ?? [],
    intervalBytes: options.intervalBytes ?? 1,
    writePath: INDEX,
  });
  return { entries: [...offsets].map((offset, i) => [offset, positions[i] as number]), disk };
}

test('a segment without damage is read once', () => {
  const file = Buffer.concat(chain(0, 40_000));
  const { entries, disk } = rebuild(file, 40_000, { intervalBytes: 4096 });
  expect(entries.length).toBeGreaterThan(500);
  expect(disk.bytesRead).toBeLessThan(file.length * 1.1 + 100_000);
});

/** Intact batches, each followed by a header that claims everything up to the end. */
function hopeless(length: number, base: number): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < length;) {
    const intact = batch(base);
    const claims = batch(base + 1).subarray(0, 61);
    claims.writeInt32BE(length - at - intact.length - BATCH_LENGTH_OVERHEAD, BATCH_LENGTH_POSITION);
    pieces.push(intact, claims);
    at += intact.length + claims.length;
  }
  return Buffer.concat(pieces).subarray(0, length);
}

test('a file that is full of what looks like batches ends the search, and what is before them is kept', () => {
  const own = chain(0, 100);
  const file = Buffer.concat([...own, Buffer.alloc(100), hopeless(3 << 20, 200)]);
  const { entries, disk } = rebuild(file, 1000);
  expect(disk.bytesRead).toBeGreaterThan(lookBytesMax(file.length) / 2);
  // What is read last may go beyond by as much as it is.
  expect(disk.bytesRead).toBeLessThan(lookBytesMax(file.length) + 4 * file.length);
  expect(entries).toEqual(own.slice(1).map((bytes, i) => [i + 1, (i + 1) * bytes.length]));
});

test('records that are batches themselves cost neither time nor what is behind them, when the length of their own is damaged', () => {
  const count = 12_000;
  // Each fits in the place of what follows the outer one.
  const inner = batch(50 + count);
  const outer = buildBatch({ records: Array.from({ length: count }, () => ({ value: inner })), baseOffset: 50 });
  const before = chain(0, 50);
  const behind = chain(50 + count, 100 + count);
  const start = 50 * (before[0] as Buffer).length;
  for (const bit of [10, 16, 20]) {
    const file = Buffer.concat([...before, outer, ...behind]);
    file.writeInt32BE(batchBytes(outer, 0) ^ (1 << bit), start + BATCH_LENGTH_POSITION);
    const { entries, disk } = rebuild(file, 100 + count);
    expect(disk.bytesRead).toBeLessThan(12 * file.length);
    expect(disk.largestRead).toBeLessThanOrEqual(1 << 20);
    expect(entries.filter(([offset]) => offset > 50).map(([, position]) => position)).toEqual(
      behind.map((bytes, i) => start + outer.length + i * bytes.length),
    );
  }
});

test('where the search ended early, what the index file says of the rest stays', () => {
  const own = chain(0, 100);
  const junk = hopeless(3 << 20, 200);
  const behind = chain(200, 210);
  const file = Buffer.concat([...own, Buffer.alloc(100), junk, ...behind]);
  const at = file.length - 10 * (behind[0] as Buffer).length;
  const bytes = (own[0] as Buffer).length;
  const entriesWith = (entry: readonly [number, number]): [number, number][] =>
    rebuild(file, 1000, { index: indexOf([entry, [200, at]], file), intervalBytes: 1 << 20 }).entries;
  expect(entriesWith([50, 50 * bytes])).toEqual([[200, at]]);
  expect(entriesWith([51, 50 * bytes])).toEqual([]);
});

test('however many entries there are, one stays where the chain was taken up again', () => {
  const count = 20_000;
  const batches = chain(0, count);
  const positions: number[] = [];
  for (let i = 0, at = 0; i < count; at += (batches[i++] as Buffer).length) positions.push(at);
  const file = Buffer.concat(batches);
  const damaged = [3, 4001, 11_111, 19_998];
  for (const i of damaged) file[(positions[i] as number) + 16] = 7;
  const { entries } = rebuild(file, count);
  expect(entries.length).toBeLessThanOrEqual(4096);
  for (const i of damaged) expect(entries).toContainEqual([i + 1, positions[i + 1]]);
  for (const [offset, position] of entries) expect(positions[offset]).toBe(position);
});

/** Entries of an index file, one for each of these batches. */
function indexOf(places: readonly (readonly [offset: number, position: number])[], file: Buffer): Buffer {
  const entries: IndexEntries = {
    offsets: Float64Array.from(places, ([offset]) => offset),
    positions: Uint32Array.from(places, ([, position]) => position),
    timestamps: new Float64Array(places.length),
    maxTimestamp: -1,
  };
  return encodeIndexFile(0, file.length, entries);
}

test('an index file tells which batches between two lost ranges are of this log, unless it contradicts the log', () => {
  const file = Buffer.concat(chain(0, 60));
  const bytes = file.length / 60;
  file.fill(0, 10 * bytes, 20 * bytes);
  file.fill(0, 40 * bytes, 50 * bytes);
  const found = (index?: Buffer): number[] => rebuild(file, 60, index === undefined ? {} : { index }).entries.map(([offset]) => offset);
  const ends = [1, 2, 3, 4, 5, 6, 7, 8, 9, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59];
  expect(found()).toEqual(ends);
  expect(found(indexOf([[30, 30 * bytes]], file))).toEqual(
    [...ends, ...Array.from({ length: 20 }, (_, i) => 20 + i)].sort((a, b) => a - b),
  );
  // It is of the time before a cut: other batches lay there.
  for (const wrong of [
    [6, 5 * bytes],
    [5, 5 * bytes + 1],
  ] as const)
    expect(found(indexOf([wrong, [30, 30 * bytes]], file))).toEqual(ends);
  // It knows nothing of these batches.
  expect(found(indexOf([[31, 30 * bytes]], file))).toEqual(ends);
});

test('a chain that only ends where the segment does, or only with its last offset, is not believed', () => {
  const own = chain(0, 20);
  const lost = Buffer.alloc(1000);
  const other = (from: number, to: number): Buffer => Buffer.concat([...own, lost, ...chain(from, to)]);
  const known = own.slice(1).map((_, i) => i + 1);
  const offsets = (file: Buffer): number[] => rebuild(file, 60).entries.map(([offset]) => offset);
  expect(offsets(other(40, 59))).toEqual(known);
  expect(offsets(Buffer.concat([other(40, 60), Buffer.alloc(1)]))).toEqual(known);
  expect(offsets(other(40, 60))).toEqual([...known, ...Array.from({ length: 20 }, (_, i) => 40 + i)]);
});

test('one damaged batch between two chains ties them together, whichever field of its header is damaged', () => {
  const batches = Array.from({ length: 30 }, (_, i) => batch(i * 5, 5, `record of ${i}`));
  const positions = batches.map((_, i) => batches.slice(0, i).reduce((sum, { length }) => sum + length, 0));
  const whole = Buffer.concat(batches);
  expect(batchBytes(whole, 0)).toBe(batches[0]!.length);
  expect(lastOffsetDelta(whole, 0)).toBe(4);
  for (const field of [0, 3, 6, 7, 8, 9, 10, 11, 16, 23, 24, 25, 26]) {
    for (let value = 0; value < 256; value++) {
      const file = Buffer.from(whole);
      // Behind it something is lost: only the damaged header ties what is between to the beginning.
      file.fill(0, positions[20], positions[25]);
      const at = (positions[10] as number) + field;
      if (file[at] === value) continue;
      file[at] = value;
      const offsets = rebuild(file, 150, { intervalBytes: 1 << 30 }).entries.map(([offset]) => offset);
      expect(offsets, `byte ${field} is ${value}`).toEqual([55, 125]);
    }
  }
});

describe('offsets that were given out and never written', () => {
  const refused = [
    { from: 10, to: 20 },
    { from: 30, to: 45 },
  ];
  const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
  const offsets = (file: Buffer, endOffset: number, ranges = refused): number[] =>
    rebuild(file, endOffset, { refused: ranges }).entries.map(([offset]) => offset);
  const own = [...chain(0, 10), ...chain(20, 30), ...chain(45, 60)];
  const bytes = (own[0] as Buffer).length;
  const all = [...range(1, 10), ...range(20, 30), ...range(45, 60)];

  test('what lies between two such gaps is found', () => {
    expect(offsets(Buffer.concat(own), 60)).toEqual(all);
    // One begins the segment.
    expect(offsets(Buffer.concat(own.slice(10)), 60, [{ from: 0, to: 20 }, refused[1]!])).toEqual(all.filter((offset) => offset >= 20));
  });

  test('also with damaged batches, beside the gaps and elsewhere', () => {
    for (const lost of [5, 9, 10, 14, 19, 20, 25]) {
      for (const field of [7, 11, 16, 26]) {
        const file = Buffer.concat(own);
        file[lost * bytes + field] = (file[lost * bytes + field] as number) ^ 64;
        const base = Number((own[lost] as Buffer).readBigInt64BE(0));
        const found = offsets(file, 60);
        // Of a damaged batch that is found by the headers there may be an entry.
        expect(
          [...new Set([...found, base])].sort((a, b) => a - b),
          `batch ${lost}, byte ${field}`,
        ).toEqual(all);
      }
    }
  });

  test('also with a damaged batch that has one on either side', () => {
    const file = Buffer.concat([...chain(0, 10), batch(20), ...chain(30, 40)]);
    const ranges = [refused[0]!, { from: 21, to: 30 }];
    for (const field of [2, 7, 8, 11, 16, 26]) {
      const damaged = Buffer.from(file);
      damaged[10 * bytes + field] = (damaged[10 * bytes + field] as number) ^ 64;
      const found = offsets(damaged, 40, ranges).filter((offset) => offset !== 20);
      expect(found, `byte ${field}`).toEqual([...range(1, 10), ...range(30, 40)]);
    }
  });

  test('also when the only batch behind the last one has a length that leads nowhere', () => {
    const file = Buffer.concat([...chain(0, 10), ...chain(20, 30), batch(45)]);
    for (const field of [8, 9]) {
      const damaged = Buffer.from(file);
      damaged[20 * bytes + field] = (damaged[20 * bytes + field] as number) ^ 64;
      const found = offsets(damaged, 46).filter((offset) => offset !== 45);
      expect(found, `byte ${field}`).toEqual([...range(1, 10), ...range(20, 30)]);
    }
  });

  test('also when the segment was cut within one', () => {
    expect(offsets(Buffer.concat(own.slice(0, 20)), 35, [refused[0]!, { from: 30, to: 35 }])).toEqual([...range(1, 10), ...range(20, 30)]);
  });

  test('what only begins like a chain behind one is not believed', () => {
    const lost = { from: 10, to: 20 };
    const file = (foreign: Buffer[]): Buffer => Buffer.concat([...chain(0, 10), ...foreign, ...chain(20, 60)]);
    for (const foreign of [chain(20, 30), chain(19, 29), [...chain(20, 25), ...chain(14, 19)]])
      expect(offsets(file(foreign), 60, [lost])).toEqual([...range(1, 10), ...range(20, 60)]);
  });
});
