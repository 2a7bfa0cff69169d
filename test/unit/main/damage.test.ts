import fs from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { fetch } from '../../../src/protocol/apis/01-fetch.ts';
import { ErrorCode } from '../../../src/protocol/errors.ts';
import { DAMAGE_MAX, DamageList } from '../../../src/main/damage.ts';
import { SparseIndex } from '../../../src/main/sparse-index.ts';
import type { RecordInput } from '../../../src/protocol/record.ts';
import { readAll } from '../../support/read-all.ts';
import { ReadBench, type LogWriter } from '../../support/read-bench.ts';

let bench: ReadBench;
afterEach(() => bench?.close());

/** 60 batches of 3 records in three segments, the first two sealed. */
function fill(indexIntervalBytes = 2000): LogWriter {
  bench = new ReadBench({ indexIntervalBytes });
  const [log] = bench.addTopic('orders');
  for (let i = 0; i < 60; i++) {
    log!.append(3, 100);
    if (i === 19 || i === 39) log!.roll();
  }
  return log!;
}

/** Three records of this time. */
const range3 = (timestamp: number): RecordInput[] => Array.from({ length: 3 }, () => ({ value: null, timestamp: BigInt(timestamp) }));

const FIELDS: readonly [string, number][] = [
  ['base offset, low bits', 7],
  ['base offset, high bits', 2],
  ['length, low bits', 11],
  ['length, high bits', 8],
  ['magic', 16],
  ['crc', 18],
  ['attributes', 22],
  ['last offset delta', 26],
  ['max timestamp', 40],
  ['record count', 60],
  ['a record', 90],
];

describe.each(FIELDS)('a flipped bit in %s', (_name, field) => {
  for (const bit of [0, 3, 7]) {
    test(`of a sealed segment, bit ${bit}: that batch is refused, everything else stays readable`, async () => {
      const log = fill();
      const victim = log.batches[27]!;
      log.flip(victim.segmentBase, victim.position + field, bit);
      const { bases, refused } = await readAll(bench, log);
      const lost = log.batches.filter(({ base }) => !bases.includes(base));
      expect(lost).toContain(victim);
      // An unusable header may cost what lies before the next index entry, no more.
      expect(lost.length).toBeLessThanOrEqual(6);
      expect(refused).toEqual(lost.flatMap(({ base }) => [base, base + 1, base + 2]));
      expect(bench.logged.filter(({ message }) => message.startsWith('damaged'))).toHaveLength(1);
      expect(bench.logged[0]!.fields).toMatchObject({ topic: 'orders', partition: 0, fromOffset: victim.base });
      expect(bench.side.memory.freeBytes).toBe(16 << 20);
    });
  }

  test('of the active segment after a restart: found, and what is behind stays readable', async () => {
    const log = fill();
    const victim = log.batches[50]!;
    log.flip(victim.segmentBase, victim.position + field);
    log.restart();
    const { bases } = await readAll(bench, log);
    const lost = log.batches.filter(({ base }) => !bases.includes(base));
    expect(lost).toContain(victim);
    expect(lost.length).toBeLessThanOrEqual(2);
  });
});

test('a damaged index entry batch is found, and the next entry used', async () => {
  const log = fill(500);
  const { segments } = log.view;
  const index = segments[1]!.index!;
  const victim = log.batches.find(({ base }) => base === index.offset(4))!;
  log.flip(victim.segmentBase, victim.position + 16);
  const { bases } = await readAll(bench, log);
  expect(log.batches.filter(({ base }) => !bases.includes(base)).length).toBeLessThanOrEqual(3);
});

test('several damaged batches, also next to each other and at the ends of segments', async () => {
  const log = fill();
  for (const i of [0, 19, 20, 30, 31, 32, 39]) log.flip(log.batches[i]!.segmentBase, log.batches[i]!.position + 70);
  const { bases } = await readAll(bench, log);
  const lost = log.batches.filter(({ base }) => !bases.includes(base)).map((batch) => log.batches.indexOf(batch));
  expect(lost).toEqual([0, 19, 20, 30, 31, 32, 39]);
});

test('offsets behind the damage can be asked for at random', async () => {
  const log = fill();
  const victim = log.batches[25]!;
  log.flip(victim.segmentBase, victim.position + 16);
  for (const batch of [log.batches[35]!, log.batches[31]!, log.batches[38]!]) {
    const answer = await bench.fetch('orders', [{ offset: batch.base + 1, maxBytes: 1 }]);
    expect(answer.responses[0]!.partitions[0]!.errorCode).toBe(0);
    expect(answer.responses[0]!.partitions[0]!.records!.equals(batch.bytes)).toBe(true);
  }
});

describe.each([8, 9, 10])('a length that leads over many batches, byte %i', (field) => {
  for (const bit of [0, 1, 2, 3, 4]) {
    test(`bit ${bit}: who asks for what is behind hides nothing from others`, async () => {
      bench = new ReadBench({ indexIntervalBytes: 2000 });
      const [log] = bench.addTopic('orders');
      for (let i = 0; i < 1000; i++) log!.append(3, 100);
      log!.roll();
      const victim = log!.batches[500]!;
      log!.flip(victim.segmentBase, victim.position + field, bit);
      const isServed = async ({ base, bytes }: { readonly base: number; readonly bytes: Buffer }): Promise<boolean> => {
        const answer = await bench.fetch('orders', [{ offset: base + 1, maxBytes: 1 }]);
        const { errorCode, records } = answer.responses[0]!.partitions[0]!;
        if (errorCode === ErrorCode.CORRUPT_MESSAGE) return false;
        expect(records!.equals(bytes)).toBe(true);
        return true;
      };
      // The way to these leads through the header of the damaged one.
      for (let i = 501; i < 506; i++) await isServed(log!.batches[i]!);
      const lost: number[] = [];
      for (const [i, batch] of log!.batches.entries()) if (!(await isServed(batch))) lost.push(i);
      expect(lost).toContain(500);
      // What lies before the next index entry, no more.
      expect(lost.length).toBeLessThanOrEqual(6);
    });
  }
});

test('a reader who comes to a damaged length from the batch before reads no more for it than up to the next index entry', async () => {
  bench = new ReadBench({ indexIntervalBytes: 2000 });
  const [log] = bench.addTopic('orders');
  for (let i = 0; i < 1000; i++) log!.append(3, 1000);
  log!.roll();
  log!.flip(0, log!.batches[500]!.position + 9, 4);
  let largest = 0;
  const { reader } = bench.side;
  const read = reader.read.bind(reader);
  reader.read = (view, segment, target, start, length, position, done) => {
    largest = Math.max(largest, length);
    read(view, segment, target, start, length, position, done);
  };
  const codes: number[] = [];
  for (let i = 495; i < 505; i++) {
    const { errorCode } = (await bench.fetch('orders', [{ offset: 3 * i, maxBytes: 5000 }])).responses[0]!.partitions[0]!;
    codes.push(errorCode);
  }
  const corrupt = ErrorCode.CORRUPT_MESSAGE;
  expect(codes).toEqual([0, 0, 0, 0, 0, corrupt, 0, 0, 0, 0]);
  expect(largest).toBeLessThanOrEqual(64 << 10);
});

test('a file that is shorter than the log says: what is missing is refused, what is there is read', async () => {
  const log = fill();
  const victim = log.batches[35]!;
  fs.truncateSync(log.path(victim.segmentBase), victim.position + 30);
  const { bases } = await readAll(bench, log);
  const lost = log.batches.filter(({ base }) => !bases.includes(base)).map((batch) => log.batches.indexOf(batch));
  expect(lost).toEqual([35, 36, 37, 38, 39]);
});

test('a missing file is a storage error, not damage', async () => {
  const log = fill();
  fs.rmSync(log.path(log.batches[25]!.segmentBase));
  const answer = await bench.fetch('orders', [{ offset: log.batches[25]!.base }]);
  expect(answer.responses[0]!.partitions[0]!.errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR);
  expect(bench.logged.some(({ message }) => message.includes('could not be read'))).toBe(true);
  expect(bench.side.memory.freeBytes).toBe(16 << 20);
});

describe('where nothing can be found out now, nothing is refused for this life', () => {
  const codeAt = async (offset: number): Promise<number> =>
    (await bench.fetch('orders', [{ offset, maxBytes: 1 }])).responses[0]!.partitions[0]!.errorCode;

  /** A log whose index is to be rebuilt, with a damaged batch in its middle that no header leads past. */
  function rotten(): LogWriter {
    const log = fill();
    for (const field of [7, 16]) log.flip(log.batches[27]!.segmentBase, log.batches[27]!.position + field);
    log.restart();
    return log;
  }

  test('the index of the segment cannot be rebuilt: a storage error, and once it can, only what is damaged is refused', async () => {
    const log = rotten();
    bench.jobsHeld = Promise.reject(new Error('EMFILE: too many open files'));
    bench.jobsHeld.catch(() => undefined);
    for (const offset of [81, 82]) expect(await codeAt(offset)).toBe(ErrorCode.KAFKA_STORAGE_ERROR);
    expect(log.view.damage.all.ranges).toEqual([]);
    expect(bench.logged.map(({ message }) => message)).toContain('rebuilding an index');
    bench.jobsHeld = null;
    const { refused } = await readAll(bench, log);
    expect(refused.slice(0, 3)).toEqual([81, 82, 83]);
    expect(refused.length).toBeLessThanOrEqual(18);
  });

  test('a look-up by time meets it, and says so', async () => {
    bench = new ReadBench({ indexIntervalBytes: 2000 });
    const [log] = bench.addTopic('orders');
    for (let i = 0; i < 20; i++) log!.append(1, 100, { records: range3(i) });
    log!.roll();
    log!.flip(0, log!.batches[7]!.position + 70);
    log!.restart();
    bench.jobsHeld = Promise.reject(new Error('EIO: i/o error'));
    bench.jobsHeld.catch(() => undefined);
    expect(await bench.side.timestamps.firstFrom(log!.view, 7)).toBe('error');
    expect(log!.view.damage.all.ranges).toEqual([]);
    bench.jobsHeld = null;
    expect(await bench.side.timestamps.firstFrom(log!.view, 7)).toMatchObject({ timestamp: 8n, offset: 24 });
  });

  test('the header of what follows cannot be read: a storage error, the log says of which file', async () => {
    const log = rotten();
    expect(await codeAt(log.batches[20]!.base)).toBe(0);
    const { reader } = bench.side;
    const read = reader.read.bind(reader);
    let failing = true;
    reader.read = (view, segment, target, start, length, position, done) => {
      // Only the look at one header; the window before it was read.
      if (failing && length === 61 && position === log.batches[27]!.position) setImmediate(done, new Error('EIO: i/o error'), 0);
      else read(view, segment, target, start, length, position, done);
    };
    expect(await codeAt(81)).toBe(ErrorCode.KAFKA_STORAGE_ERROR);
    expect(log.view.damage.all.ranges).toEqual([]);
    expect(bench.logged.map(({ message }) => message)).toContain('a segment could not be read');
    failing = false;
    expect(await codeAt(81)).toBe(ErrorCode.CORRUPT_MESSAGE);
  });
});

test('with verify=once a sealed segment is checked once, with always at each read, with never not at all', async () => {
  for (const verify of ['once', 'always', 'never'] as const) {
    bench = new ReadBench({ verify });
    const [log] = bench.addTopic('orders');
    for (let i = 0; i < 10; i++) log!.append(1, 100);
    log!.roll();
    log!.append(1, 100);
    const read = async (): Promise<number> =>
      (await bench.fetch('orders', [{ offset: 4, maxBytes: 100 }])).responses[0]!.partitions[0]!.errorCode;
    expect(await read()).toBe(0);
    log!.flip(0, log!.batches[4]!.position + 100);
    expect(await read()).toBe(verify === 'always' ? ErrorCode.CORRUPT_MESSAGE : 0);
    // Another stretch of the segment was not read yet.
    log!.flip(0, log!.batches[7]!.position + 100);
    const other = (await bench.fetch('orders', [{ offset: 7, maxBytes: 100 }])).responses[0]!.partitions[0]!.errorCode;
    expect(other).toBe(verify === 'never' ? 0 : ErrorCode.CORRUPT_MESSAGE);
    if (verify !== 'never') bench.close();
  }
});

test('what recovery refused is refused, and not looked at', async () => {
  const log = fill();
  log.state.damaged = [
    { from: 30, to: 36 },
    { from: 90, to: 93 },
  ];
  log.restart();
  const { refused } = await readAll(bench, log);
  expect(refused).toEqual([30, 31, 32, 33, 34, 35, 90, 91, 92]);
});

test('a look-up by time passes a long refused range, however many index entries lie in it', async () => {
  bench = new ReadBench({ indexIntervalBytes: 1 });
  const [log] = bench.addTopic('orders');
  for (let i = 0; i < 700; i++) log!.append(1, 10, { records: [{ value: null, timestamp: BigInt(1000 + i) }] });
  log!.state.damaged = [{ from: 50, to: 650 }];
  log!.restart();
  for (const offset of [49, 50, 300, 649, 650, 660]) {
    const found = offset >= 50 && offset < 650 ? 650 : offset;
    expect(await bench.side.timestamps.firstFrom(log!.view, 1000 + offset)).toMatchObject({ offset: found });
  }
});

test('a batch that says less than it has, before a refused range: a look-up by time passes both', async () => {
  bench = new ReadBench({ indexIntervalBytes: 1 });
  const [log] = bench.addTopic('orders');
  for (let i = 0; i < 60; i++) log!.append(3, 10, { records: range3(1000 + i) });
  log!.state.damaged = [{ from: 60, to: 90 }];
  log!.flip(0, log!.batches[19]!.position + 26, 1);
  log!.restart();
  expect(await bench.side.timestamps.firstFrom(log!.view, 1020)).toMatchObject({ offset: 90 });
  expect((await readAll(bench, log!)).refused).toEqual(Array.from({ length: 33 }, (_, i) => 57 + i));
});

test('what is refused beyond a range that was refused already is reported', async () => {
  bench = new ReadBench({ indexIntervalBytes: 2000 });
  const [log] = bench.addTopic('orders');
  for (let i = 0; i < 30; i++) log!.append(3, 100, { baseTimestamp: BigInt(i), maxTimestamp: BigInt(i) });
  log!.view.damage.all.refuse(42, 48);
  const { offset } = (await bench.side.timestamps.firstFrom(log!.view, 14)) as { offset: number };
  // The next index entry.
  expect(offset).toBe(54);
  const reported = bench.logged.filter(({ message }) => message.startsWith('damaged')).map(({ fields }) => fields);
  expect(reported).toMatchObject([{ fromOffset: 48, toOffset: 54 }]);
  expect(bench.side.damage.found).toBe(1);
});

test('a last offset delta that leads over many batches: a look-up by time hides nothing', async () => {
  bench = new ReadBench({ indexIntervalBytes: 2000 });
  const [log] = bench.addTopic('orders');
  for (let i = 0; i < 200; i++) log!.append(3, 100, { baseTimestamp: BigInt(i), maxTimestamp: BigInt(i) });
  log!.roll();
  for (const bit of [5, 6, 7]) {
    log!.flip(0, log!.batches[20 * bit]!.position + 26, bit);
    await bench.side.timestamps.firstFrom(log!.view, 20 * bit + 2);
  }
  const { bases } = await readAll(bench, log!);
  expect(log!.batches.filter(({ base }) => !bases.includes(base)).map(({ base }) => base / 60)).toEqual([5, 6, 7]);
});

test('offsets that were burnt without ever being written are refused, and what follows is read', async () => {
  const log = fill();
  log.state.damaged = [{ from: log.state.endOffset, to: log.state.endOffset + 10 }];
  log.state.endOffset += 10;
  log.restart();
  log.append(3);
  log.append(3);
  const { bases, refused } = await readAll(bench, log);
  expect(refused).toEqual(Array.from({ length: 10 }, (_, i) => 180 + i));
  expect(bases.slice(-2)).toEqual([190, 193]);
  log.roll();
  log.restart();
  log.view.hints.clear();
  const answer = await bench.fetch('orders', [{ offset: 194, maxBytes: 1 }]);
  expect(answer.responses[0]!.partitions[0]!.records!.equals(log.batches.at(-1)!.bytes)).toBe(true);
  // The way to it leads over the gap when the index has nothing between.
  const sealed = log.view.segments.at(-2)!;
  sealed.index = new SparseIndex(1 << 30);
  log.view.hints.clear();
  const again = await bench.fetch('orders', [{ offset: 194, maxBytes: 1 }]);
  expect(again.responses[0]!.partitions[0]!.records!.equals(log.batches.at(-1)!.bytes)).toBe(true);
});

test('what lies between burnt offsets is read after a restart, by offset and by time', async () => {
  bench = new ReadBench({ indexIntervalBytes: 2000 });
  const [log] = bench.addTopic('orders');
  const burnt: number[] = [];
  for (let gap = 0; gap < 3; gap++) {
    for (let i = 0; i < 20; i++) log!.append(3, 100, { baseTimestamp: BigInt(log!.state.endOffset) });
    const from = log!.state.endOffset;
    burnt.push(...Array.from({ length: 10 }, (_, i) => from + i));
    log!.state.damaged.push({ from, to: from + 10 });
    log!.state.endOffset += 10;
    log!.restart();
  }
  for (let i = 0; i < 20; i++) log!.append(3, 100, { baseTimestamp: BigInt(log!.state.endOffset) });
  log!.restart();
  for (const [i, { base }] of log!.batches.entries())
    if (i % 7 === 6) expect(await bench.side.timestamps.firstFrom(log!.view, base)).toMatchObject({ offset: base });
  const { bases, refused } = await readAll(bench, log!);
  expect(bases).toEqual(log!.batches.map(({ base }) => base));
  expect(refused).toEqual(burnt);
});

test('damage just before burnt offsets costs the damaged batch', async () => {
  bench = new ReadBench();
  const [log] = bench.addTopic('orders');
  for (let i = 0; i < 10; i++) log!.append(3);
  log!.state.damaged = [{ from: 30, to: 40 }];
  log!.state.endOffset = 40;
  log!.restart();
  for (let i = 0; i < 10; i++) log!.append(3);
  log!.roll();
  log!.view.segments[0]!.index = new SparseIndex(1 << 30);
  log!.flip(0, log!.batches[9]!.position + 70);
  const { refused } = await readAll(bench, log!);
  expect(refused).toEqual(Array.from({ length: 13 }, (_, i) => 27 + i));
});

test('a fetch of several partitions gives what is good and tells what is bad', async () => {
  bench = new ReadBench();
  const logs = bench.addTopic('orders', 3);
  for (const log of logs) {
    for (let i = 0; i < 5; i++) log.append(1, 100);
    log.roll();
  }
  logs[1]!.flip(0, 100);
  const answer = await bench.fetch(
    'orders',
    [0, 1, 2].map((partition) => ({ partition, offset: 0 })),
    { maxWaitMs: 10_000, minBytes: 1 << 20 },
  );
  expect(answer.responses[0]!.partitions.map(({ errorCode }) => errorCode)).toEqual([0, ErrorCode.CORRUPT_MESSAGE, 0]);
  expect(answer.responses[0]!.partitions[2]!.records!.length).toBe(5 * logs[2]!.batches[0]!.bytes.length);
});

test('windows in flight when the log is cut are not served', async () => {
  bench = new ReadBench();
  const [log] = bench.addTopic('orders');
  for (let i = 0; i < 30; i++) log!.append(1, 10_000);
  const request = bench.beginFetch('orders', [{ offset: 3 }], { maxWaitMs: 60_000 });
  expect(request.answer).toBeNull();
  log!.truncate(2);
  // The read ends, its bytes are no part of the log any more, and the offset is out of range now.
  await request.answered();
  const { errorCode, records } = request.decode(fetch).responses[0]!.partitions[0]!;
  expect(errorCode).toBe(ErrorCode.OFFSET_OUT_OF_RANGE);
  expect(records!.length).toBe(0);
  request.drain();
  expect(bench.side.memory.freeBytes).toBe(16 << 20);
});

describe('DamageList', () => {
  test('joins what touches, keeps order, answers', () => {
    const list = new DamageList([
      { from: 10, to: 20 },
      { from: 40, to: 50 },
    ]);
    list.refuse(20, 25);
    list.refuse(5, 12);
    list.refuse(60, 60);
    expect(list.ranges).toEqual([
      { from: 5, to: 25 },
      { from: 40, to: 50 },
    ]);
    expect([4, 5, 24, 25, 39, 40, 49, 50].map((offset) => list.has(offset))).toEqual([false, true, true, false, false, true, true, false]);
    expect([list.nextFrom(0), list.nextFrom(10), list.nextFrom(25), list.nextFrom(50)]).toEqual([5, 10, 40, Infinity]);
    expect([list.endOf(4), list.endOf(7)]).toEqual([4, 25]);
    list.prune(20, 45);
    expect(list.ranges).toEqual([
      { from: 5, to: 25 },
      { from: 40, to: 45 },
    ]);
    list.prune(25, 100);
    expect(list.ranges).toEqual([{ from: 40, to: 45 }]);
  });

  test('is bounded', () => {
    const list = new DamageList();
    for (let i = 0; i < 2000; i++)
      list.addHole(i * 10, { segmentBase: 0, fromPosition: i * 100, toPosition: i * 100 + 1, toOffset: i * 10 + 1 });
    expect(list.ranges.length).toBe(DAMAGE_MAX);
    for (let i = 0; i < 2000; i++) expect(list.has(i * 10)).toBe(true);
  });
});
