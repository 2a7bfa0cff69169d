/** A shard and idempotent producers: what it answers, what it remembers over groups, moves and truncations, and where it has its limits. */
import { describe, expect, test } from 'vitest';
import type { PartitionConfig } from '../../../src/log/partition-state.ts';
import { ErrorCode } from '../../../src/protocol/errors.ts';
import { TRANSACTIONAL_BIT } from '../../../src/protocol/record-batch.ts';
import type { ShardSettings } from '../../../src/shard/settings.ts';
import { ShardBench } from '../../support/shard-bench.ts';

const {
  NONE,
  OUT_OF_ORDER_SEQUENCE_NUMBER,
  INVALID_PRODUCER_EPOCH,
  INVALID_PRODUCER_ID_MAPPING,
  INVALID_TXN_STATE,
  INVALID_RECORD,
  KAFKA_STORAGE_ERROR,
  REQUEST_TIMED_OUT,
} = ErrorCode;
const PARTITION = 1;
const MINUTE_MS = 60_000;

function open(
  kind: 'sync' | 'buffered' = 'sync',
  config: Partial<PartitionConfig> = {},
  settings: Partial<ShardSettings> = {},
): ShardBench {
  const bench = new ShardBench(kind, settings);
  bench.open(PARTITION, { durability: kind === 'sync' ? 'fsync' : 'page-cache', segmentBytes: 100_000, ...config });
  return bench;
}

/** Sends batches of one record with these sequences, all before the shard looks. */
function send(bench: ShardBench, sequences: readonly number[], producerId = 5, producerEpoch = 0): void {
  for (const baseSequence of sequences) bench.send(PARTITION, 10, bench.nowMs, { producerId, producerEpoch, baseSequence });
}

/** Answers to what comes in: error code, or base offset where there is none. */
function answers(bench: ShardBench): (number | string)[] {
  const from = bench.codes.length;
  bench.work();
  return bench.codes.slice(from).map((code, n) => (code === NONE ? (bench.offsets[from + n] as number) : `error ${code}`));
}

const refused = (code: number): string => `error ${code}`;

describe('answers', () => {
  test.for(['sync', 'buffered'] as const)('a batch that comes again, at once or later, has the offset of the first time (%s)', (kind) => {
    const bench = open(kind);
    send(bench, [0, 1, 1, 0, 2]);
    expect(answers(bench)).toEqual([0, 1, 1, 0, 2]);
    send(bench, [0, 3, 2]);
    expect(answers(bench)).toEqual([0, 3, 2]);
    expect(bench.shard.partitions[PARTITION]?.state.endOffset).toBe(4);
  });

  test('memory: the same, although it answers before it writes', () => {
    const bench = open('buffered', { durability: 'memory' });
    // The news of a segment goes out first, and with it the answers wait.
    send(bench, [0]);
    bench.work();
    send(bench, [1, 1, 2, 0]);
    // An append is answered and becomes readable in two steps, a duplicate in one.
    expect(answers(bench)).toEqual([1, 2, 1, 1, 2, 0]);
    expect(bench.shard.partitions[PARTITION]?.state.endOffset).toBe(3);
  });

  test('a gap is refused, and so is everything behind it, until the missing batch comes', () => {
    const bench = open();
    send(bench, [0, 2, 3]);
    expect(answers(bench)).toEqual([0, refused(OUT_OF_ORDER_SEQUENCE_NUMBER), refused(OUT_OF_ORDER_SEQUENCE_NUMBER)]);
    send(bench, [1, 2, 3]);
    expect(answers(bench)).toEqual([1, 2, 3]);
  });

  test('a new epoch fences the old one', () => {
    const bench = open();
    send(bench, [0, 1]);
    send(bench, [2], 5, 1);
    send(bench, [0], 5, 1);
    send(bench, [2], 5, 0);
    expect(answers(bench)).toEqual([0, 1, refused(OUT_OF_ORDER_SEQUENCE_NUMBER), 2, refused(INVALID_PRODUCER_EPOCH)]);
  });

  test('transactional batches, ids beyond what is given out and negative epochs are refused for good', () => {
    const bench = open();
    bench.send(PARTITION, 10, bench.nowMs, { producerId: 5, producerEpoch: 0, baseSequence: 0, attributes: TRANSACTIONAL_BIT });
    bench.send(PARTITION, 10, bench.nowMs, { producerId: 2n ** 60n, producerEpoch: 0, baseSequence: 0 });
    bench.send(PARTITION, 10, bench.nowMs, { producerId: 5, producerEpoch: -1, baseSequence: 0 });
    bench.send(PARTITION, 10, bench.nowMs, { producerId: 5, producerEpoch: 0, baseSequence: -1 });
    expect(answers(bench)).toEqual([INVALID_TXN_STATE, INVALID_PRODUCER_ID_MAPPING, INVALID_PRODUCER_EPOCH, INVALID_RECORD].map(refused));
  });

  test('log-append time: a batch that comes again has the time of the first time', () => {
    const bench = open('sync', { timestampType: 'LogAppendTime' });
    send(bench, [0]);
    bench.work();
    const firstMs = bench.nowMs;
    bench.nowMs += 1000;
    send(bench, [0, 1]);
    bench.work();
    expect(bench.appendTimes).toEqual([firstMs, firstMs, firstMs + 1000]);
  });
});

describe('a group that fails', () => {
  test('is forgotten: the batches and those that repeated them are refused, and come again as new ones', () => {
    const bench = open();
    send(bench, [0]);
    bench.work();
    bench.disk.capacity = 0;
    send(bench, [1, 1, 0, 2]);
    // What was there before is there still.
    expect(answers(bench)).toEqual([refused(KAFKA_STORAGE_ERROR), refused(KAFKA_STORAGE_ERROR), 0, refused(KAFKA_STORAGE_ERROR)]);
    bench.disk.capacity = Infinity;
    send(bench, [2, 1, 2]);
    expect(answers(bench)).toEqual([refused(OUT_OF_ORDER_SEQUENCE_NUMBER), 1, 2]);
  });
});

describe('limits', () => {
  test('where a partition is full, new producers try again, until others were silent for five minutes', () => {
    const bench = open('sync', {}, { partitionProducersMax: 2 });
    send(bench, [0], 1);
    send(bench, [0], 2);
    send(bench, [0], 3);
    send(bench, [1], 2);
    expect(answers(bench)).toEqual([0, 1, refused(REQUEST_TIMED_OUT), 2]);
    bench.pass(4 * MINUTE_MS);
    send(bench, [2], 2);
    send(bench, [0], 3);
    expect(answers(bench)).toEqual([3, refused(REQUEST_TIMED_OUT)]);
    bench.pass(2 * MINUTE_MS);
    send(bench, [0], 3);
    send(bench, [3, 2], 2);
    expect(answers(bench)).toEqual([4, 5, 3]);
  });

  test('the same for a shard with all its partitions; whoever is refused or rolled back does not count', () => {
    const bench = open('sync', {}, { producersMax: 2 });
    bench.open(2, { segmentBytes: 100_000 });
    for (const handle of [1, 2]) bench.append(handle, 10);
    bench.disk.capacity = 0;
    send(bench, [0], 8);
    send(bench, [0], 9);
    expect(answers(bench)).toEqual([refused(KAFKA_STORAGE_ERROR), refused(KAFKA_STORAGE_ERROR)]);
    bench.disk.capacity = Infinity;
    send(bench, [0], 7);
    bench.send(2, 10, bench.nowMs, { producerId: 7, producerEpoch: 0, baseSequence: 0 });
    send(bench, [0], 8);
    expect(answers(bench)).toEqual([1, 1, refused(REQUEST_TIMED_OUT)]);
    bench.tell({ kind: 'close', handle: 2 });
    send(bench, [0], 8);
    expect(answers(bench)).toEqual([2]);
  });

  test('a producer that was silent for the expiration time is forgotten, and goes on with any sequence', () => {
    const bench = open('sync', {}, { producerExpirationMs: 10 * MINUTE_MS, producerCheckIntervalMs: MINUTE_MS });
    send(bench, [0], 1);
    send(bench, [0], 2);
    bench.pass(9 * MINUTE_MS);
    send(bench, [1], 2);
    bench.pass(3 * MINUTE_MS);
    expect(bench.shard.partitions[PARTITION]?.producers.all().map(({ id }) => id)).toEqual([2]);
    send(bench, [17], 1);
    send(bench, [17], 2);
    expect(answers(bench)).toEqual([3, refused(OUT_OF_ORDER_SEQUENCE_NUMBER)]);
  });

  test('a clock that is set ahead and put right again makes nobody forgotten', () => {
    const bench = open('sync', {}, { producerExpirationMs: 10 * MINUTE_MS, producerCheckIntervalMs: MINUTE_MS });
    send(bench, [0]);
    bench.work();
    bench.nowMs += 1000 * MINUTE_MS;
    bench.work();
    bench.pass(MINUTE_MS / 2);
    bench.nowMs -= 1000 * MINUTE_MS;
    bench.work();
    bench.pass(2 * MINUTE_MS);
    send(bench, [0, 1]);
    expect(answers(bench)).toEqual([0, 1]);
  });
});

describe('what else happens to a log', () => {
  test('a partition that moves takes its producers along', () => {
    const bench = open();
    send(bench, [0, 1]);
    bench.work();
    bench.tell({ kind: 'moveOut', handle: PARTITION, moveNumber: 1 });
    bench.work();
    const [moved] = bench.take('movedOut');
    bench.open(2, { segmentBytes: 100_000 }, structuredClone(moved?.state)!);
    for (const baseSequence of [1, 2]) bench.send(2, 10, bench.nowMs, { producerId: 5, producerEpoch: 0, baseSequence });
    expect(answers(bench)).toEqual([1, 2]);
  });

  test('too many producers for a journal entry: a move waits until some were silent for a while', () => {
    const bench = open('sync', {}, { partitionProducersMax: 1000 });
    for (let id = 0; id < 60; id++) {
      send(bench, [0], id);
      bench.work();
    }
    const move = (): string | null => {
      bench.tell({ kind: 'moveOut', handle: PARTITION, moveNumber: 1 });
      bench.work();
      return bench.take('movedOut')[0]?.error ?? null;
    };
    expect(move()).toMatch(/too many producers \(60\)/);
    bench.pass(6 * MINUTE_MS);
    expect(move()).toBeNull();
  });

  test('a truncation brings back what was known at its end, also what only the log still has', () => {
    const bench = open('sync', { segmentBytes: 1000 });
    // More than is remembered, over several segments; another producer in between, and one that only wrote behind the cut.
    for (let sequence = 0; sequence < 30; sequence++) {
      send(bench, [sequence]);
      if (sequence % 10 === 0) send(bench, [sequence / 10], 6);
      bench.work();
    }
    send(bench, [0], 7);
    bench.work();
    bench.tell({ kind: 'truncate', handle: PARTITION, endOffset: 15 });
    bench.work();
    const table = bench.shard.partitions[PARTITION]?.producers;
    expect(table?.all().map(({ id, batches }) => [id, batches.map(({ baseOffset }) => baseOffset)])).toEqual(
      expect.arrayContaining([
        [5, [9, 10, 11, 13, 14].filter((offset) => offset < 15)],
        [6, [1, 12]],
      ]),
    );
    expect(table?.has(7)).toBe(false);
    send(bench, [8, 12, 7, 13]);
    send(bench, [1, 2], 6);
    expect(answers(bench)).toEqual([9, 14, refused(OUT_OF_ORDER_SEQUENCE_NUMBER), 15, 12, 16]);
  });

  test('records that are deleted leave their producers behind', () => {
    const bench = open();
    send(bench, [0, 1, 2]);
    bench.work();
    bench.tell({ kind: 'setLogStart', handle: PARTITION, offset: 3 });
    send(bench, [2, 3]);
    expect(answers(bench)).toEqual([2, 3]);
  });
});
