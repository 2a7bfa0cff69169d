import { afterEach, expect, test } from 'vitest';
import { ReadBench, type LogWriter } from '../../support/read-bench.ts';

let bench: ReadBench;
afterEach(() => bench.close());

function oneLog(indexIntervalBytes = 1): LogWriter {
  bench = new ReadBench({ indexIntervalBytes });
  return bench.addTopic('orders')[0]!;
}

async function everyOffsetIsRight(log: LogWriter, options: { forget?: boolean } = {}): Promise<void> {
  for (const batch of log.batches) {
    for (let offset = batch.base; offset <= batch.last; offset++) {
      if (options.forget === true) log.view.hints.clear();
      const { errorCode, records } = (await bench.fetch('orders', [{ offset, maxBytes: 1 }])).responses[0]!.partitions[0]!;
      expect(errorCode).toBe(0);
      expect(records!.equals(batch.bytes)).toBe(true);
    }
  }
  expect(bench.side.damage.found).toBe(0);
}

test('batches of a segment may become readable after its successor was announced', async () => {
  const log = oneLog();
  const { view } = log;
  const hidden: (() => void)[] = [];
  // The shard announces rolls before it publishes the group they happened in.
  const onReadable = view.onReadable.bind(view);
  view.onReadable = (...batch) => void hidden.push(() => onReadable(...batch));
  log.append(2);
  log.append(3);
  log.roll();
  log.append(1);
  log.roll();
  log.append(4);
  expect(view.highWatermark).toBe(0);
  const sealed = (): boolean[] => view.segments.map(({ trustedFrom }) => trustedFrom === Infinity);
  const seen: [number, boolean[]][] = hidden.map((publish) => {
    publish();
    return [view.highWatermark, sealed()];
  });
  expect(seen).toEqual([
    [2, [false, false, false]],
    [5, [true, false, false]],
    [6, [true, true, false]],
    [10, [true, true, false]],
  ]);
  delete (view as Partial<LogWriter['view']>).onReadable;
  await everyOffsetIsRight(log);
});

test('a log whose segments all left begins a new one at its end', async () => {
  const log = oneLog();
  log.append(2);
  log.roll();
  log.append(2);
  const retired = log.view.onLogStartSet(4, [0, 2]);
  expect(retired.every((segment) => segment.retired)).toBe(true);
  expect(log.view).toMatchObject({ logStartOffset: 4, highWatermark: 4, segments: [] });
  Object.assign(log.state, { logStartOffset: 4, segments: [] });
  log.batches = [];
  log.append(3);
  expect(log.view.segments.map(({ baseOffset }) => baseOffset)).toEqual([4]);
  await everyOffsetIsRight(log);
});

test('damage in the segment where a log begins stays known: readers have to get past it', () => {
  const log = oneLog();
  for (let n = 0; n < 6; n++) log.append();
  log.state.damaged = [{ from: 1, to: 3 }];
  log.restart();
  log.view.onLogStartSet(4, []);
  expect(log.view.damage.has(2)).toBe(true);
  log.view.onLogStartSet(6, [0]);
  expect(log.view.damage.has(2)).toBe(false);
});

test('damage above the start of a log stays known, also when its segment is gone', () => {
  const log = oneLog();
  for (let n = 0; n < 3; n++) log.append();
  log.roll();
  log.append();
  log.state.damaged = [{ from: 0, to: 3 }];
  log.state.segments.shift();
  log.restart();
  log.view.onLogStartSet(1, []);
  expect(log.view.damage.has(2)).toBe(true);
  log.view.onLogStartSet(3, []);
  expect(log.view.damage.has(2)).toBe(false);
});

test('an empty segment may be replaced by another file under the same base offset; one with records may not', async () => {
  const log = oneLog();
  const { view } = log;
  expect(view.onRolled(0, 0, -1)).toBeNull();
  const empty = view.active!;
  // A write that found no room leaves the segment empty; the next one takes a recycled file.
  expect(view.onRolled(0, 4096, 0)).toBe(empty);
  expect([empty.retired, view.segments.length, view.active!.capacity]).toEqual([true, 1, 4096]);
  view.onReadable(0, 1, 0, 100, 5);
  expect([view.highWatermark, view.active!.endPosition]).toEqual([2, 100]);
  expect(() => view.onRolled(0, 0, 100)).toThrow(/only an empty segment/);
});

test('after a cut nothing of the old log is remembered: index, hints, timestamps', async () => {
  const log = oneLog();
  for (const records of [2, 3, 1, 4, 2]) log.append(records, 50);
  await everyOffsetIsRight(log);
  log.truncate(3);
  // Other batches at other places under the same offsets.
  for (const records of [1, 5, 2, 2, 6]) log.append(records, 80);
  await everyOffsetIsRight(log);
  log.truncate(0);
  for (const records of [4, 1, 3]) log.append(records, 20);
  await everyOffsetIsRight(log, { forget: true });
});

test('after a cut into a sealed segment that segment grows again', async () => {
  const log = oneLog();
  for (const records of [2, 3, 1]) log.append(records, 50);
  log.roll();
  for (const records of [2, 3, 1]) log.append(records, 50);
  log.truncate(5);
  expect(log.view.segments).toHaveLength(1);
  for (const records of [7, 2]) log.append(records, 30);
  log.roll();
  log.append(1);
  await everyOffsetIsRight(log);
  log.restart();
  await everyOffsetIsRight(log);
});

test('a restart forgets what was in memory and loses nothing; the active segment goes on', async () => {
  const log = oneLog(200);
  for (let i = 0; i < 30; i++) log.append((i % 4) + 1, 50);
  log.restart();
  await everyOffsetIsRight(log);
  for (let i = 0; i < 30; i++) log.append((i % 3) + 1, 50);
  await everyOffsetIsRight(log, { forget: true });
  log.roll();
  log.append();
  await everyOffsetIsRight(log, { forget: true });
});

test('leader epochs of offsets', () => {
  const log = oneLog();
  log.append(5);
  expect([log.view.epochOf(0), log.view.epochOf(4)]).toEqual([3, 3]);
  log.state.epochs = [{ epoch: 3, startOffset: 0 }];
  log.restart();
  log.view.leaderEpoch = 7;
  log.append(5);
  expect([0, 4, 5, 9].map((offset) => log.view.epochOf(offset))).toEqual([3, 3, 7, 7]);
});

test('who waits for a partition to come online is called once, and never while it moves', () => {
  const { view } = oneLog();
  const calls: string[] = [];
  view.onceOnline(() => calls.push('at once'));
  view.becomeState('moving');
  view.onceOnline(() => calls.push(`later, ${view.state}`));
  expect(calls).toEqual(['at once']);
  view.becomeState('online');
  view.becomeState('moving');
  view.becomeState('offline');
  expect(calls).toEqual(['at once', 'later, online']);
});

test('ten thousand partitions that are empty or small cost little', () => {
  bench = new ReadBench();
  const before = process.memoryUsage().heapUsed;
  const logs = bench.addTopic('many', 10_000);
  for (const { view } of logs) {
    view.onRolled(0, 0, -1);
    view.onReadable(0, 0, 0, 100, 5);
  }
  expect(logs[0]!.view.segments[0]!.index!.count).toBe(0);
  const perPartition = (process.memoryUsage().heapUsed - before) / 10_000;
  expect(perPartition).toBeLessThan(6000); // The writers of this test included.
});
