/** Reads of compacted logs: over offsets without records, and while segments take the place of others. */
import fs from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { emptyBatch } from '../../../src/jobs/clean-batch.ts';
import { segmentPath } from '../../../src/log/layout.ts';
import type { SegmentState } from '../../../src/log/partition-state.ts';
import { baseOffset } from '../../../src/protocol/record-batch.ts';
import { buildBatch } from '../../../src/protocol/record.ts';
import { batchesOf } from '../../support/kafka-client.ts';
import { ReadBench, type LogWriter } from '../../support/read-bench.ts';

let bench: ReadBench;
afterEach(() => bench.close());

function begin(): LogWriter {
  bench = new ReadBench({ indexIntervalBytes: 1 });
  return bench.addTopic('t')[0] as LogWriter;
}

/** Base offsets of the batches that a fetch gives. */
async function fetched(offset: number, maxBytes: number): Promise<number[]> {
  const { errorCode, records } = (await bench.fetch('t', [{ offset, maxBytes }])).responses[0]!.partitions[0]!;
  expect(errorCode).toBe(0);
  return batchesOf(records ?? Buffer.alloc(0)).map((batch) => baseOffset(batch, 0));
}

const gap = (log: LogWriter, offsets: number): unknown =>
  log.appendBatch(emptyBatch(log.state.endOffset, log.state.endOffset + offsets, 0));

test('an answer never has batches without records alone while the segment goes on, however small it is to be', async () => {
  const log = begin();
  gap(log, 5);
  log.append(1, 5000);
  gap(log, 10);
  log.append(2, 3000);
  for (const maxBytes of [1, 61, 62, 100, 200, 5000]) {
    log.view.hints.clear();
    expect(await fetched(0, maxBytes)).toEqual([0, 5]);
    expect(await fetched(3, maxBytes)).toEqual([0, 5]);
    expect(await fetched(6, maxBytes)).toEqual([6, 16]);
  }
  expect(await fetched(0, 1 << 20)).toEqual([0, 5, 6, 16]);
  expect(bench.side.damage.found).toBe(0);
});

test('behind a segment that ends without records the answer begins in the next one', async () => {
  const log = begin();
  log.append(1);
  gap(log, 4);
  log.roll();
  gap(log, 3);
  log.roll();
  log.append(1);
  expect(await fetched(1, 1 << 20)).toEqual([8]);
  expect(await fetched(4, 1)).toEqual([8]);
  expect(await fetched(6, 1)).toEqual([8]);
});

test('at the end of the log there is nothing else to give: so the reader gets on', async () => {
  const log = begin();
  log.append(1);
  gap(log, 4);
  expect(await fetched(2, 1 << 20)).toEqual([1]);
  log.roll();
  expect(await fetched(2, 1 << 20)).toEqual([1]);
  expect(await fetched(5, 1 << 20)).toEqual([]);
});

test('what a view has of segments that were replaced is not used for the new ones', async () => {
  const log = begin();
  for (let n = 0; n < 3; n++) {
    log.append(2);
    log.append(1);
    log.roll();
  }
  log.append(1);
  for (let offset = 0; offset < 10; offset++) await fetched(offset, 1);
  // A hole that a reader found in the second segment, where the new file has something else.
  log.view.damage.all.addHole(3, { segmentBase: 3, fromPosition: 0, toPosition: 200, toOffset: 5 });
  const batch = buildBatch({ records: [{ value: 'kept' }], baseOffset: 4, partitionLeaderEpoch: 0 });
  const bytes = Buffer.concat([emptyBatch(0, 4, 0), batch, emptyBatch(5, 6, 0)]);
  fs.writeFileSync(segmentPath(bench.dataDir, log.view.topic.id, 0, 0, 77), bytes);
  const old = log.state.segments.slice(0, 2);
  const made: SegmentState = { baseOffset: 0, endOffset: 6, endPosition: bytes.length, maxTimestamp: 1, capacity: 0, revision: 77 };
  const open = log.view.segments[0];
  const gone = log.view.onReplaced([made], old);
  expect(gone.map(({ baseOffset: base, retired }) => [base, retired])).toEqual([
    [0, true],
    [3, true],
  ]);
  expect(gone[0]).toBe(open);
  expect(log.view.segments.map(({ baseOffset: base }) => base)).toEqual([0, 6, 9]);
  for (let offset = 0; offset < 5; offset++) expect((await fetched(offset, 1)).at(-1)).toBe(4);
  expect(await fetched(5, 1)).toEqual([6]);
  expect(log.view.damage.has(3)).toBe(false);
  expect(bench.side.damage.found).toBe(0);
});
