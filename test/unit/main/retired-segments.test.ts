/** Files of segments that left their logs: given away when nobody reads them and their shard has released them, not before. */
import fs from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { ErrorCode } from '../../../src/protocol/errors.ts';
import type { RetiredSegment } from '../../../src/log/messages.ts';
import { RetiredSegments } from '../../../src/main/retired-segments.ts';
import { ReadBench, settle, type LogWriter } from '../../support/read-bench.ts';

let bench: ReadBench;
let log: LogWriter;
let retired: RetiredSegments;
afterEach(() => bench.close());

/** A log of three segments of two batches of one record each. */
function begin(): void {
  bench = new ReadBench({ indexIntervalBytes: 1 });
  log = bench.addTopic('orders')[0]!;
  for (let n = 0; n < 6; n++) {
    if (n > 0 && n % 2 === 0) log.roll();
    log.append();
  }
  retired = new RetiredSegments(bench.side.reader, bench.jobs, bench.dataDir, 1 << 30);
}

const given = (): string[] => bench.jobsRun.flatMap((job) => (job.kind === 'retireSegments' ? job.paths : []));
const named = (...bases: number[]): RetiredSegment[] =>
  bases.map((baseOffset) => ({ topicId: log.view.topic.id, partition: 0, baseOffset }));
const retire = (offset: number, ...bases: number[]): void => retired.onRetired(log.view, log.view.onLogStartSet(offset, bases));

/** A read of the first segment that ends when it is let. */
function slowRead(): () => Promise<void> {
  const target = Buffer.alloc(10);
  let ended: () => void = () => undefined;
  const isOver = new Promise<void>((resolve) => (ended = resolve));
  bench.side.reader.read(log.view, log.view.segments[0]!, target, 0, 10, 0, () => ended());
  return () => isOver;
}

test('a file is given away once it is released and read to the end, whichever comes first', async () => {
  begin();
  const isOver = slowRead();
  retire(2, 0);
  retired.onReleased(named(0));
  expect(given()).toEqual([]);
  await isOver();
  await settle();
  expect(given()).toEqual([log.path(0)]);
  retire(4, 2);
  await settle();
  expect(given()).toEqual([log.path(0)]);
  retired.onReleased(named(2));
  await settle();
  expect(given()).toEqual([log.path(0), log.path(2)]);
  // Small files are removed, with their indexes.
  expect(fs.readdirSync(bench.side.reader.folderOf(log.view)).filter((name) => name < '00000000000000000004')).toEqual([]);
});

test('what becomes free together goes with one job', async () => {
  begin();
  retire(4, 0, 2);
  retired.onReleased(named(0, 2));
  await settle();
  expect(bench.jobsRun.filter(({ kind }) => kind === 'retireSegments')).toHaveLength(1);
  expect(given()).toEqual([log.path(0), log.path(2)]);
});

test('who reads on gets no byte of a segment that left, and finds the log start', async () => {
  begin();
  const before = await bench.fetch('orders', [{ offset: 1 }]);
  expect(before.responses[0]!.partitions[0]!.errorCode).toBe(0);
  retire(2, 0);
  const after = await bench.fetch('orders', [{ offset: 1 }]);
  expect(after.responses[0]!.partitions[0]!).toMatchObject({ errorCode: ErrorCode.OFFSET_OUT_OF_RANGE });
  const next = await bench.fetch('orders', [{ offset: 2 }]);
  expect(next.responses[0]!.partitions[0]!).toMatchObject({ errorCode: 0, logStartOffset: 2n });
});

describe('a deleted topic', () => {
  test('waits until nobody reads what had left its logs before', async () => {
    begin();
    const isOver = slowRead();
    retire(2, 0);
    const order: string[] = [];
    const abandoned = retired.abandon(log.view.topic.id).then(() => order.push('abandoned'));
    void isOver().then(() => order.push('read'));
    await abandoned;
    expect(order).toEqual(['read', 'abandoned']);
    // Its removal takes the file: who releases it now releases nothing.
    retired.onReleased(named(0));
    await settle();
    expect(given()).toEqual([]);
  });

  test('waits until no job works on its files, and not on those of others', async () => {
    begin();
    const other = bench.addTopic('other')[0]!;
    let letGo: () => void = () => undefined;
    bench.jobsHeld = new Promise((resolve) => (letGo = resolve));
    retire(2, 0);
    retired.onReleased(named(0));
    await settle();
    let isFree = false;
    const abandoned = retired.abandon(log.view.topic.id).then(() => (isFree = true));
    await retired.abandon(other.view.topic.id);
    await settle();
    expect(isFree).toBe(false);
    letGo();
    await abandoned;
  });

  test('does not wait for a release that nobody will send', async () => {
    begin();
    retire(2, 0);
    await retired.abandon(log.view.topic.id);
  });
});

test('what an earlier life left behind is looked for where a log start has moved', async () => {
  begin();
  expect(RetiredSegments.leftoversOf(log.state)).toBeUndefined();
  const moved = { ...log.state, logStartOffset: 3, segments: log.state.segments.slice(1) };
  expect(RetiredSegments.leftoversOf(moved)).toMatchObject({ topicId: log.state.topicId, partition: 0, firstOffset: 2 });
  expect(RetiredSegments.leftoversOf({ ...moved, logStartOffset: 6, segments: [] })).toMatchObject({ firstOffset: 6 });
  retired.giveAwayLeftovers([RetiredSegments.leftoversOf(moved)!]);
  await settle();
  expect(fs.existsSync(log.path(0))).toBe(false);
  expect(fs.existsSync(log.path(2))).toBe(true);
});
