import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { listOffsetsHandler } from '../../../src/main/handlers/02-list-offsets.ts';
import { listOffsets } from '../../../src/protocol/apis/02-list-offsets.ts';
import { ErrorCode } from '../../../src/protocol/errors.ts';
import { buildBatch } from '../../../src/protocol/record.ts';
import { CODECS, javaBatch, javaRecord } from '../../support/java-batches.ts';
import { FakeRequest, ReadBench, type LogWriter } from '../../support/read-bench.ts';

let bench: ReadBench;
afterEach(() => bench.close());

async function ask(timestamp: number, options: { version?: number; partition?: number; leaderEpoch?: number; topic?: string } = {}) {
  const { version = 7, partition = 0, leaderEpoch = -1, topic = 'orders' } = options;
  const partitions = [{ partitionIndex: partition, timestamp, ...(version >= 4 ? { currentLeaderEpoch: leaderEpoch } : {}) }];
  const request = new FakeRequest(listOffsets, version, { replicaId: -1, isolationLevel: 0, topics: [{ name: topic, partitions }] });
  await listOffsetsHandler(bench.router, bench.side.timestamps)(request);
  const { errorCode, offset, timestamp: found, leaderEpoch: epoch } = request.decode(listOffsets).topics[0]!.partitions[0]!;
  return { errorCode, offset: Number(offset), timestamp: Number(found), epoch };
}

/** Batches of three records each, times 10, 20, 30 … one per record; a roll after every fourth batch. */
function timed(): LogWriter {
  bench = new ReadBench({ indexIntervalBytes: 300 });
  const [log] = bench.addTopic('orders');
  for (let i = 0; i < 20; i++) {
    const records = [0, 1, 2].map((j) => ({ value: 'x'.repeat(50), timestamp: (i * 3 + j) * 10 + 1000 }));
    log!.appendBatch(buildBatch({ records, baseOffset: i * 3, partitionLeaderEpoch: 3 }));
    if (i % 4 === 3) log!.roll();
  }
  return log!;
}

test('latest and earliest', async () => {
  const log = timed();
  expect(await ask(-1)).toEqual({ errorCode: 0, offset: 60, timestamp: -1, epoch: 3 });
  expect(await ask(-2)).toEqual({ errorCode: 0, offset: 0, timestamp: -1, epoch: 3 });
  log.state.segments.shift();
  log.view.onLogStartSet(14, [0]);
  expect((await ask(-2)).offset).toBe(14);
  expect((await ask(-4, { version: 8 })).offset).toBe(14);
  for (const version of [1, 2, 3, 4, 6, 11]) expect((await ask(-1, { version })).offset).toBe(60);
});

test('an empty log begins in the epoch that will append to it', async () => {
  bench = new ReadBench();
  bench.addTopic('orders');
  expect(await ask(-2)).toEqual({ errorCode: 0, offset: 0, timestamp: -1, epoch: 3 });
});

test('a client that goes away ends the search for the rest of its partitions', async () => {
  timed();
  const partitions = Array.from({ length: 5000 }, (_, partitionIndex) => ({ partitionIndex, timestamp: 1100 }));
  const request = new FakeRequest(listOffsets, 7, { replicaId: -1, isolationLevel: 0, topics: [{ name: 'orders', partitions }] });
  const answering = listOffsetsHandler(bench.router, bench.side.timestamps)(request);
  request.connection.open = false;
  await answering;
  expect(request.answer).toHaveLength(0);
});

test('by time: the first record at or after it, to the record', async () => {
  timed();
  for (let time = 995; time <= 1595; time += 5) {
    const first = Math.max(0, Math.ceil((time - 1000) / 10));
    expect(await ask(time)).toEqual(
      first < 60
        ? { errorCode: 0, offset: first, timestamp: 1000 + first * 10, epoch: 3 }
        : { errorCode: 0, offset: -1, timestamp: -1, epoch: -1 },
    );
  }
});

test('by time also when times are not in order, below a log start within a batch, and after a restart', async () => {
  bench = new ReadBench({ indexIntervalBytes: 1 });
  const [log] = bench.addTopic('orders');
  const times = [50, 10, 90, 20, 70, 30];
  times.forEach((time, i) => {
    log!.appendBatch(
      buildBatch({
        records: [
          { value: 'a', timestamp: time },
          { value: 'b', timestamp: time + 5 },
        ],
        baseOffset: i * 2,
      }),
    );
    if (i === 1 || i === 3) log!.roll();
  });
  const first = (time: number, from = 0): number => times.flatMap((t) => [t, t + 5]).findIndex((t, offset) => offset >= from && t >= time);
  for (let round = 0; round < 2; round++) {
    for (let time = 1; time < 100; time += 3) expect((await ask(time)).offset).toBe(first(time));
    log!.restart();
  }
  log!.state.logStartOffset = 5;
  log!.view.onLogStartSet(5, []);
  for (let time = 1; time < 100; time += 3) expect((await ask(time)).offset).toBe(first(time, 5));
});

test('by time in a log of very many segments', async () => {
  bench = new ReadBench();
  const [log] = bench.addTopic('orders');
  const count = 50_000;
  log!.state.segments = Array.from({ length: count }, (_, i) => ({
    baseOffset: i,
    endOffset: i + 1,
    endPosition: 100,
    maxTimestamp: i,
    capacity: 0,
  }));
  log!.state.endOffset = count;
  log!.view.loadState(structuredClone(log!.state));
  expect(await ask(count)).toEqual({ errorCode: 0, offset: -1, timestamp: -1, epoch: -1 });
});

test('any timestamp a producer can write is told as it is', async () => {
  const most = 2n ** 63n - 1n;
  for (const isCompressed of [false, true]) {
    bench = new ReadBench();
    const [log] = bench.addTopic('orders');
    const input = { records: [{ value: 'x', timestamp: most }], baseTimestamp: most };
    log!.appendBatch(isCompressed ? buildBatch({ ...input, attributes: 1 }, (bytes) => gzipSync(bytes)) : buildBatch(input));
    for (const timestamp of [5, -3]) {
      const partitions = [{ partitionIndex: 0, timestamp }];
      const request = new FakeRequest(listOffsets, 7, { replicaId: -1, isolationLevel: 0, topics: [{ name: 'orders', partitions }] });
      await listOffsetsHandler(bench.router, bench.side.timestamps)(request);
      expect(request.decode(listOffsets).topics[0]!.partitions[0]).toMatchObject({ errorCode: 0, offset: 0n, timestamp: most });
    }
    if (!isCompressed) bench.close();
  }
});

test('the largest timestamp', async () => {
  bench = new ReadBench();
  const [log] = bench.addTopic('orders');
  expect(await ask(-3)).toEqual({ errorCode: 0, offset: -1, timestamp: -1, epoch: -1 });
  [50, 10, 90, 20, 70].forEach((time, i) => {
    log!.appendBatch(
      buildBatch({
        records: [
          { value: 'a', timestamp: time },
          { value: 'b', timestamp: time - 5 },
        ],
        baseOffset: i * 2,
      }),
    );
    if (i % 2 === 1) log!.roll();
  });
  expect(await ask(-3)).toEqual({ errorCode: 0, offset: 4, timestamp: 90, epoch: 3 });
  expect((await ask(-3, { version: 6 })).errorCode).toBe(ErrorCode.UNSUPPORTED_VERSION);
});

describe('in a compressed batch', () => {
  test.each(CODECS)('the answer is the record itself, for any time (%s)', async (codec) => {
    bench = new ReadBench();
    const [log] = bench.addTopic('orders');
    log!.appendBatch(javaBatch(codec));
    const all = Array.from({ length: 300 }, (_, i) => javaRecord(i).timestamp);
    for (const time of [0, 1000, 1001, 1070, 1075, 2500, 3980, 3990, 3991]) {
      const offset = all.findIndex((timestamp) => timestamp >= time);
      expect(await ask(time)).toEqual({ errorCode: 0, offset, timestamp: offset === -1 ? -1 : all[offset], epoch: offset === -1 ? -1 : 3 });
    }
    expect(await ask(-3)).toEqual({ errorCode: 0, offset: all.indexOf(3990), timestamp: 3990, epoch: 3 });
  });

  test('records below the log start do not count, and the search goes on behind the batch', async () => {
    bench = new ReadBench();
    const [log] = bench.addTopic('orders');
    const zip = (times: number[], baseOffset: number): void => {
      const records = times.map((timestamp) => ({ value: 'x', timestamp }));
      log!.appendBatch(buildBatch({ records, attributes: 1, baseOffset }, (bytes) => gzipSync(bytes)));
    };
    zip([10, 90, 20], 0);
    zip([30, 80, 85], 3);
    expect((await ask(60)).offset).toBe(1);
    log!.view.onLogStartSet(2, []);
    expect(await ask(60)).toEqual({ errorCode: 0, offset: 4, timestamp: 80, epoch: 3 });
    expect((await ask(86)).offset).toBe(-1);
  });

  test('with the time of the append, which all its records have, nothing is opened', async () => {
    bench = new ReadBench();
    const [log] = bench.addTopic('orders');
    const records = [10, 20, 30].map((timestamp) => ({ value: 'x', timestamp }));
    log!.appendBatch(buildBatch({ records, attributes: 1 | 8, maxTimestamp: 500 }, () => Buffer.from('not gzip')));
    expect(await ask(499)).toEqual({ errorCode: 0, offset: 0, timestamp: 500, epoch: 3 });
    log!.view.onLogStartSet(2, []);
    expect(await ask(-3)).toEqual({ errorCode: 0, offset: 2, timestamp: 500, epoch: 3 });
  });

  test('that is too large to be opened, the answer is its beginning: early, never late', async () => {
    bench = new ReadBench({ openedBytesMax: 1000 });
    const [log] = bench.addTopic('orders');
    const records = [10, 20, 30].map((timestamp) => ({ value: 'x'.repeat(1000), timestamp }));
    log!.appendBatch(buildBatch({ records, attributes: 1 }, (bytes) => gzipSync(bytes)));
    expect(await ask(25)).toEqual({ errorCode: 0, offset: 0, timestamp: 10, epoch: 3 });
    expect((await ask(31)).offset).toBe(-1);
  });

  test('whose records are none, the client is told', async () => {
    bench = new ReadBench();
    const [log] = bench.addTopic('orders');
    log!.appendBatch(buildBatch({ records: [{ value: 'x', timestamp: 10 }], attributes: 1 }, () => Buffer.from('not gzip')));
    expect((await ask(5)).errorCode).toBe(ErrorCode.CORRUPT_MESSAGE);
  });
});

test('a damaged batch is passed over', async () => {
  const log = timed();
  log.flip(log.batches[5]!.segmentBase, log.batches[5]!.position + 80);
  expect((await ask(1000 + 10 * 15)).offset).toBe(18);
});

describe('errors', () => {
  test('are told per partition', async () => {
    timed();
    expect((await ask(-1, { topic: 'nothing' })).errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
    expect((await ask(-1, { partition: 3 })).errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
    expect((await ask(-1, { leaderEpoch: 2 })).errorCode).toBe(ErrorCode.FENCED_LEADER_EPOCH);
    expect((await ask(-1, { leaderEpoch: 4 })).errorCode).toBe(ErrorCode.UNKNOWN_LEADER_EPOCH);
    expect((await ask(-9, { version: 11 })).errorCode).toBe(ErrorCode.UNSUPPORTED_VERSION);
    expect((await ask(-5, { version: 9 })).offset).toBe(-1);
  });
});

test('by time: what a failed sync may have left out is no answer, and no damage either', async () => {
  const log = timed();
  log.view.onUnsecured(51);
  expect(await ask(1500)).toMatchObject({ errorCode: 0, offset: 50 });
  expect((await ask(1510)).errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR);
  expect((await ask(-3)).errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR);
  // The pages were dropped: the file holds something else there.
  const { position, segmentBase } = log.batches.find(({ base }) => base === 51)!;
  log.flip(segmentBase, position + 2);
  expect((await ask(1510)).errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR);
  expect(await ask(1500)).toMatchObject({ errorCode: 0, offset: 50 });
  expect(bench.side.damage.found).toBe(0);
});
