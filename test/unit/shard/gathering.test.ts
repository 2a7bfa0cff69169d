/** What one group takes, and where the journal has the bytes of its batches. */
import { expect, test, vi } from 'vitest';
import { readFileIfPresent } from '../../../src/log/disk.ts';
import { generationNumber } from '../../../src/log/generation.ts';
import { EntryType } from '../../../src/log/journal-layout.ts';
import { readJournal } from '../../../src/log/journal-reader.ts';
import { segmentPath } from '../../../src/log/layout.ts';
import { recover } from '../../../src/log/recovery.ts';
import { isBatchCrcValid } from '../../../src/protocol/crc32c.ts';
import { ErrorCode } from '../../../src/protocol/errors.ts';
import { baseOffset, batchBytes } from '../../../src/protocol/record-batch.ts';
import { DATA, ShardBench } from '../../support/shard-bench.ts';

const GENERATION = '00000000000000aa';

test('a batch that comes while a group is gathered goes along, and is secured with it', () => {
  const bench = new ShardBench();
  bench.open(0);
  bench.send(0, 100);
  const before = bench.shard.journalWriter.sequence;
  vi.spyOn(bench.shard.producers, 'judge').mockImplementationOnce(() => {
    bench.send(0, 100);
    return ErrorCode.NONE;
  });
  bench.cycle();
  expect(bench.offsets).toEqual([0, 1]);
  expect(bench.shard.journalWriter.sequence).toBe(before + 1);
});

test('however fast they come, a group ends at its limit', () => {
  const bench = new ShardBench('sync', { groupBatchesMax: 12 });
  bench.open(0);
  bench.send(0, 10);
  let sent = 1;
  vi.spyOn(bench.shard.producers, 'judge').mockImplementation(() => {
    if (sent++ < 100) bench.send(0, 10);
    return ErrorCode.NONE;
  });
  bench.cycle();
  expect(bench.offsets).toHaveLength(12);
  bench.work();
  expect(bench.codes).toEqual(Array(100).fill(ErrorCode.NONE));
});

test('the journal has every inline batch where its entry says, whoever else is in the group', () => {
  const bench = new ShardBench('sync', { groupBatchesMax: 50 });
  for (const handle of [0, 1, 2]) bench.open(handle, { segmentBytes: 100_000 });
  const before = bench.shard.journalWriter.sequence;
  // Partition 1 has enough for a reference, so its bytes are not in the journal.
  for (const handle of [0, 1, 2, 1, 2, 0, 0, 2]) bench.send(handle, handle === 1 ? 2000 : 50 + 20 * handle);
  // Refused: nothing of it is written anywhere.
  bench.send(7, 50);
  bench.work();
  const groups = readJournal(bench.disk, `${DATA}/generations/${GENERATION}/sync-0`, generationNumber(GENERATION), before).groups;
  expect(groups).toHaveLength(1);
  const { path, payloadAt, entries } = groups[0]!;
  const file = readFileIfPresent(bench.disk, path)!;
  const found: [number, number][] = [];
  for (const entry of entries) {
    if (entry.type !== EntryType.append) continue;
    expect(entry.inline).toBe(entry.handle !== 1);
    if (!entry.inline) continue;
    const at = payloadAt + entry.payloadAt;
    expect(batchBytes(file, at)).toBe(entry.batchBytes);
    expect(isBatchCrcValid(file, at)).toBe(true);
    expect(baseOffset(file, at)).toBe(entry.baseOffset);
    found.push([entry.handle, entry.baseOffset]);
  }
  expect(found).toEqual([
    [0, 0],
    [2, 0],
    [2, 1],
    [0, 1],
    [0, 2],
    [2, 2],
  ]);
});

test.each([
  ['that came last', 80],
  ['that was among the first', 0],
])('a crowded group stays within the room of the journal, also with a large batch at its end, of a partition %s', (_, last) => {
  const bench = new ShardBench('sync', {
    groupBytesMax: 1 << 20,
    groupBatchesMax: 100,
    // In a group of 80 partitions ten times as much goes inline.
    referenceBytesMin: 8000,
    journalBytesMax: 160 << 10,
    checkpointIntervalBytes: 1 << 30,
    checkpointIntervalMs: 1e9,
  });
  for (let handle = 0; handle <= 80; handle++) bench.open(handle, { segmentBytes: 1 << 20, maxMessageBytes: 100_000 });
  const room = bench.shard['ports'].journal.roomFor(0) - bench.shard['groupOverhead'];
  const bytes = Math.floor(room / 80) - 100;
  for (let handle = 0; handle < 80; handle++) bench.send(handle, bytes);
  bench.send(last, 60_000);
  const before = bench.shard.journalWriter.sequence;
  bench.cycle();
  expect(bench.shard.journalWriter.sequence).toBe(before + 1);
  expect(bench.codes).toEqual(Array(81).fill(ErrorCode.NONE));
  // One partition more than would have been is written by reference, and no other.
  expect(bench.shard.partitions.filter((partition) => partition?.byReference === true)).toMatchObject([{ handle: last }]);
  bench.disk.losePower(0);
  const { partitions, notes } = recover(bench.disk, DATA, () => 'known');
  expect(notes).toEqual([]);
  for (let handle = 0; handle <= 80; handle++) {
    const state = partitions.get(`topic-${handle}/0`)!;
    expect(state).toMatchObject({ endOffset: handle === last ? (last === 0 ? 2 : 1) : handle === 80 ? 0 : 1, damaged: [] });
    const [segment] = state.segments;
    if (segment === undefined) continue;
    const file = readFileIfPresent(bench.disk, segmentPath(DATA, state.topicId, 0, segment.baseOffset))!;
    for (let at = 0; at < segment.endPosition; at += batchBytes(file, at)) expect(isBatchCrcValid(file, at)).toBe(true);
  }
});
