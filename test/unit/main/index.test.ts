import fs from 'node:fs';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { decodeIndexFile, encodeIndexFile } from '../../../src/log/index-file.ts';
import { INDEX_ENTRIES_MAX, SparseIndex } from '../../../src/main/sparse-index.ts';
import { ReadBench, settle, type LogWriter } from '../../support/read-bench.ts';

let bench: ReadBench | undefined;
afterEach(() => {
  bench?.close();
  bench = undefined;
});

describe('SparseIndex', () => {
  test('has no arrays for a partition with little data, and stays bounded for much', () => {
    const index = new SparseIndex(4096);
    index.onBatch(0, 0, 5);
    index.onBatch(10, 3000, 6);
    expect(index.count).toBe(0);
    expect(index.findOffset(100)).toBe(-1);
    for (let i = 0; i < 100_000; i++) index.onBatch(20 + i, 8000 + i * 5000, i);
    expect(index.count).toBeLessThanOrEqual(INDEX_ENTRIES_MAX);
    expect(index.count).toBeGreaterThan(INDEX_ENTRIES_MAX / 4);
    expect(index.intervalBytes).toBeGreaterThan(4096 * 16);
  });

  test('finds the last entry at or before an offset, and the first one a time can be behind', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            records: fc.integer({ min: 1, max: 9 }),
            bytes: fc.integer({ min: 61, max: 900 }),
            time: fc.integer({ min: -1, max: 50 }),
          }),
          { minLength: 1, maxLength: 80 },
        ),
        fc.integer({ min: 1, max: 2000 }),
        (batches, interval) => {
          const index = new SparseIndex(interval);
          const placed: { base: number; position: number; time: number }[] = [];
          let base = 100;
          let position = 0;
          for (const { records, bytes, time } of batches) {
            index.onBatch(base, position, time);
            placed.push({ base, position, time });
            base += records;
            position += bytes;
          }
          for (let offset = 100; offset < base; offset++) {
            const entry = index.findOffset(offset);
            const holder = placed.findLast((batch) => batch.base <= offset)!;
            const from = entry === -1 ? 0 : index.position(entry);
            expect(from).toBeLessThanOrEqual(holder.position);
            expect(placed.some((batch) => batch.position === from)).toBe(true);
          }
          for (let time = 0; time <= 50; time++) {
            const first = placed.find((batch) => batch.time >= time);
            const entry = index.findTimestamp(time);
            if (first !== undefined) expect(entry === -1 ? 0 : index.position(entry)).toBeLessThanOrEqual(first.position);
          }
          for (let i = 0; i < index.count; i++) {
            const before = placed.filter((batch) => batch.position < index.position(i)).map((batch) => batch.time);
            expect(index.maxTimestampBefore(i)).toBe(Math.max(-1, ...before));
          }
        },
      ),
    );
  });
});

describe('the index file', () => {
  const index = new SparseIndex(100);
  for (let i = 0; i < 50; i++) index.onBatch(1000 + i * 3, i * 150, i);
  const file = encodeIndexFile(1000, 7500, index.export());

  test('comes back as it was', () => {
    expect(decodeIndexFile(file, 1000, 7500)).toEqual(index.export());
  });

  test('is refused for another segment, another end, cut short, or with any byte changed', () => {
    expect(decodeIndexFile(file, 1001, 7500)).toBeNull();
    expect(decodeIndexFile(file, 1000, 7501)).toBeNull();
    for (const length of [0, 3, 39, file.length - 1]) expect(decodeIndexFile(file.subarray(0, length), 1000, 7500)).toBeNull();
    for (let at = 0; at < file.length; at++) {
      const changed = Buffer.from(file);
      changed[at]! ^= 0x10;
      expect(decodeIndexFile(changed, 1000, 7500)).toBeNull();
    }
  });

  test('never throws on arbitrary bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => decodeIndexFile(Buffer.from(bytes), 0, 100) === null));
  });
});

function fill(indexIntervalBytes = 500): LogWriter {
  bench = new ReadBench({ indexIntervalBytes });
  const [log] = bench.addTopic('orders');
  for (let i = 0; i < 60; i++) {
    log!.append(3, 100);
    if (i === 19 || i === 39) log!.roll();
  }
  return log!;
}

async function readsRight(log: LogWriter): Promise<void> {
  for (const i of [0, 7, 19, 20, 33, 39, 40, 55]) {
    const batch = log.batches[i]!;
    const { errorCode, records } = (await bench!.fetch('orders', [{ offset: batch.base + 1, maxBytes: 1 }])).responses[0]!.partitions[0]!;
    expect(errorCode).toBe(0);
    expect(records!.equals(batch.bytes)).toBe(true);
  }
}

const kinds = (): string[] => bench!.jobsRun.map(({ kind }) => kind);
const indexPath = (log: LogWriter, base: number): string => log.path(base).replace('.log', '.index');

test('at roll the index is written by a job, and read again after a restart', async () => {
  const log = fill();
  await settle();
  expect(kinds()).toEqual(['writeIndex', 'writeIndex']);
  expect(fs.existsSync(indexPath(log, 0)) && fs.existsSync(indexPath(log, 60))).toBe(true);
  log.restart();
  await readsRight(log);
  // Only the active segment had to be walked, from its start to where it was found.
  expect(kinds().filter((kind) => kind === 'rebuildIndex')).toHaveLength(1);
});

test('missing, corrupt, short and foreign index files are rebuilt', async () => {
  const log = fill();
  await settle();
  for (const spoil of [
    (path: string) => fs.rmSync(path),
    (path: string) => fs.writeFileSync(path, 'not an index'),
    (path: string) => fs.truncateSync(path, 50),
    (path: string) => fs.copyFileSync(indexPath(log, 60), path),
  ]) {
    spoil(indexPath(log, 0));
    log.restart();
    bench!.jobsRun.length = 0;
    await readsRight(log);
    expect(kinds()).toContain('rebuildIndex');
    const stored = decodeIndexFile(fs.readFileSync(indexPath(log, 0)), 0, log.state.segments[0]!.endPosition);
    expect(stored!.offsets.length).toBeGreaterThan(5);
  }
});

test('a rebuild does not look behind the end of the log, whatever lies there', async () => {
  const log = fill();
  // Stale batches of an earlier life, with offsets that would fit.
  const stale = log.batches.filter(({ segmentBase }) => segmentBase === 120).map(({ bytes }) => bytes);
  fs.appendFileSync(log.path(60), Buffer.concat(stale));
  fs.rmSync(indexPath(log, 60), { force: true });
  log.restart();
  await readsRight(log);
  const entries = decodeIndexFile(fs.readFileSync(indexPath(log, 60)), 60, log.state.segments[1]!.endPosition)!;
  expect(Math.max(...entries.offsets)).toBeLessThan(120);
});

test('an index file that outlived a cut of its segment is found out, and no batch is called damaged for it', async () => {
  bench = new ReadBench({ indexIntervalBytes: 1 });
  const [log] = bench.addTopic('orders');
  for (const records of [1, 5, 2, 1, 7]) log!.append(records, 50);
  log!.roll();
  await settle();
  const stale = fs.readFileSync(indexPath(log!, 0));
  const end = log!.state.segments[0]!.endPosition;
  log!.truncate(1);
  // The same bytes in all, other batches.
  for (const records of [7, 1, 2, 5]) log!.append(records, 50);
  expect(log!.state.segments[0]!.endPosition).toBe(end);
  log!.roll();
  await settle();
  fs.writeFileSync(indexPath(log!, 0), stale);
  log!.restart();
  for (const batch of log!.batches) {
    for (const offset of [batch.base, batch.last]) {
      const { errorCode, records } = (await bench.fetch('orders', [{ offset, maxBytes: 1 }])).responses[0]!.partitions[0]!;
      expect(errorCode).toBe(0);
      expect(records!.equals(batch.bytes)).toBe(true);
      log!.view.hints.clear();
    }
  }
  expect(bench.side.damage.found).toBe(0);
});

test('indexes of rolled segments are kept in a bounded cache', async () => {
  bench = new ReadBench({ indexIntervalBytes: 100 });
  const [log] = bench.addTopic('orders');
  for (let segment = 0; segment < 200; segment++) {
    for (let i = 0; i < 3; i++) log!.append(1, 100);
    log!.roll();
  }
  await settle();
  expect(log!.view.segments.filter(({ index }) => index !== null).length).toBeLessThanOrEqual(129);
  const answer = await bench.fetch('orders', [{ offset: 2, maxBytes: 1 }]);
  expect(answer.responses[0]!.partitions[0]!.records!.equals(log!.batches[2]!.bytes)).toBe(true);
});

test('descriptors stay below their maximum, and none is left of retired segments', async () => {
  bench = new ReadBench({ descriptorsMax: 4 });
  const [log] = bench.addTopic('orders');
  for (let segment = 0; segment < 20; segment++) {
    for (let i = 0; i < 2; i++) log!.append(1, 100);
    log!.roll();
  }
  for (let offset = 0; offset < 40; offset++) await bench.fetch('orders', [{ offset }]);
  expect(bench.side.reader.openDescriptors).toBeLessThanOrEqual(4);
  const segments = log!.view.dropSegments();
  let closed = false;
  bench.side.reader.retireAll(segments, () => (closed = true));
  expect(closed).toBe(true);
  expect(bench.side.reader.openDescriptors).toBe(0);
});

test('a segment that is retired while it is read is closed when the read has ended', async () => {
  bench = new ReadBench();
  const [log] = bench.addTopic('orders');
  for (let i = 0; i < 10; i++) log!.append(1, 100_000);
  const request = bench.beginFetch('orders', [{ offset: 0 }]);
  const segments = log!.view.dropSegments();
  let closed = false;
  bench.side.reader.retireAll(segments, () => (closed = true));
  expect(closed).toBe(false);
  await request.answered();
  expect(closed).toBe(true);
  request.drain();
  expect(bench.side.memory.freeBytes).toBe(16 << 20);
});

test.each([
  ['the segment grows', (log: LogWriter) => void log.append(2, 70)],
  [
    'the segment grows and is sealed',
    (log: LogWriter) => {
      log.append(2, 70);
      log.roll();
      log.append(1);
    },
  ],
  [
    'the segment is sealed',
    (log: LogWriter) => {
      log.roll();
      log.append(1);
    },
  ],
  ['the log is cut', (log: LogWriter) => log.truncate(130)],
  [
    'the log is cut and grows beyond where it was',
    (log: LogWriter) => {
      log.truncate(130);
      for (let i = 0; i < 40; i++) log.append((i % 5) + 1, 60);
    },
  ],
])('while the index of the active segment is rebuilt, %s', async (_what, change) => {
  const log = fill(1);
  log.restart();
  let release: () => void = () => undefined;
  bench!.jobsHeld = new Promise((resolve) => (release = resolve));
  const request = bench!.beginFetch('orders', [{ offset: 127, maxBytes: 1 }]);
  await settle();
  change(log);
  await settle();
  release();
  await request.answered();
  request.drain();
  bench!.jobsHeld = null;
  for (const batch of log.batches) {
    for (let offset = batch.base; offset <= batch.last; offset++) {
      log.view.hints.clear();
      const { errorCode, records } = (await bench!.fetch('orders', [{ offset, maxBytes: 1 }])).responses[0]!.partitions[0]!;
      expect(errorCode).toBe(0);
      expect(records!.equals(batch.bytes)).toBe(true);
    }
  }
  expect(bench!.side.damage.found).toBe(0);
});

test('a rebuild that fails leaves the segment readable from its start', async () => {
  const log = fill(1);
  log.restart();
  bench!.jobsHeld = Promise.reject(new Error('the pool is broken'));
  await readsRight(log);
  expect(bench!.logged.length).toBeGreaterThan(0);
});
