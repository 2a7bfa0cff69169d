import { afterEach, expect, test } from 'vitest';
import { fetch } from '../../../src/protocol/apis/01-fetch.ts';
import { ErrorCode } from '../../../src/protocol/errors.ts';
import { ReadBench, settle, type FetchAnswer } from '../../support/read-bench.ts';
import { until } from '../../support/wire-client.ts';

let bench: ReadBench;
afterEach(() => bench.close());

function partitionOf(answer: FetchAnswer, partition = 0) {
  return answer.responses[0]!.partitions[partition]!;
}

/** The framework's own comparison of large buffers takes minutes. */
function equal(a: Buffer | null, b: Buffer): boolean {
  return a !== null && a.equals(b);
}

function memoryIsWhole(): boolean {
  return bench.side.memory.freeBytes === 16 << 20 && bench.side.fetch.operations === 0;
}

for (const version of [4, 5, 7, 9, 11, 12, 13, 16, 18]) {
  test(`version ${version} gives back the batches that were appended`, async () => {
    bench = new ReadBench();
    const [log] = bench.addTopic('orders');
    const batches = [log!.append(3), log!.append(1), log!.append(2)];
    const answer = await bench.fetch('orders', [{ offset: 0 }], { version });
    const data = partitionOf(answer);
    expect(data.errorCode).toBe(0);
    expect(data.highWatermark).toBe(6n);
    expect(data.lastStableOffset).toBe(6n);
    expect(data.abortedTransactions).toBeNull();
    if (version >= 5) expect(data.logStartOffset).toBe(0n);
    expect(equal(data.records, Buffer.concat(batches.map(({ bytes }) => bytes)))).toBe(true);
    expect(memoryIsWhole()).toBe(true);
  });
}

test('data starts with the batch that holds the offset', async () => {
  bench = new ReadBench();
  const [log] = bench.addTopic('orders');
  log!.append(5);
  const second = log!.append(5);
  const third = log!.append(5);
  const answer = await bench.fetch('orders', [{ offset: 7 }]);
  expect(equal(partitionOf(answer).records, Buffer.concat([second.bytes, third.bytes]))).toBe(true);
});

test('only whole batches within PartitionMaxBytes and MaxBytes are given', async () => {
  bench = new ReadBench();
  const [log] = bench.addTopic('orders');
  const batches = Array.from({ length: 10 }, () => log!.append(1, 100));
  const size = batches[0]!.bytes.length;
  expect(partitionOf(await bench.fetch('orders', [{ offset: 0, maxBytes: size * 3 + size / 2 }])).records!.length).toBe(size * 3);
  expect(partitionOf(await bench.fetch('orders', [{ offset: 2 }], { maxBytes: size * 2 })).records!.length).toBe(size * 2);
});

test('the first batch is returned whole however small the limits are', async () => {
  bench = new ReadBench();
  const [log] = bench.addTopic('orders');
  const large = log!.append(1, 300_000);
  log!.append(1, 100);
  for (const limits of [
    { partition: 1, all: 1 },
    { partition: 1 << 20, all: 1 },
    { partition: 70_000, all: 1 << 20 },
    { partition: 0, all: 0 },
    { partition: -5, all: -5 },
  ]) {
    const answer = await bench.fetch('orders', [{ offset: 0, maxBytes: limits.partition }], { maxBytes: limits.all });
    expect(equal(partitionOf(answer).records, large.bytes)).toBe(true);
  }
  expect(memoryIsWhole()).toBe(true);
});

test('a batch larger than a response is given alone, later partitions get nothing', async () => {
  bench = new ReadBench();
  const [a, b] = bench.addTopic('orders', 2);
  const large = a!.append(1, 3 << 20);
  b!.append(1, 10);
  const answer = await bench.fetch('orders', [
    { partition: 0, offset: 0 },
    { partition: 1, offset: 0 },
  ]);
  expect(equal(partitionOf(answer, 0).records, large.bytes)).toBe(true);
  expect(partitionOf(answer, 1).records!.length).toBe(0);
  expect(partitionOf(answer, 1).highWatermark).toBe(1n);
});

test('a batch larger than a quarter of the memory is given too', async () => {
  bench = new ReadBench();
  const [log] = bench.addTopic('orders');
  const large = log!.append(1, 9 << 20);
  expect(equal(partitionOf(await bench.fetch('orders', [{ offset: 0 }])).records, large.bytes)).toBe(true);
  expect(memoryIsWhole()).toBe(true);
});

test('partitions are filled in request order until about 1 MiB', async () => {
  bench = new ReadBench();
  const logs = bench.addTopic('orders', 3);
  for (const log of logs) for (let i = 0; i < 6; i++) log.append(1, 100_000);
  const asks = [2, 0, 1].map((partition) => ({ partition, offset: 0 }));
  const answer = await bench.fetch('orders', asks);
  const lengths = answer.responses[0]!.partitions.map(({ records }) => records!.length);
  expect(answer.responses[0]!.partitions.map(({ partitionIndex }) => partitionIndex)).toEqual([2, 0, 1]);
  const size = logs[0]!.batches[0]!.bytes.length;
  expect(lengths).toEqual([6 * size, 4 * size, 0]);
});

test('reads go on from segment to segment', async () => {
  bench = new ReadBench();
  const [log] = bench.addTopic('orders');
  for (let i = 0; i < 30; i++) {
    log!.append(2, 50);
    if (i % 10 === 9) log!.roll();
  }
  let offset = 0;
  const pieces: Buffer[] = [];
  while (offset < 60) {
    const { records } = partitionOf(await bench.fetch('orders', [{ offset }]));
    pieces.push(records!);
    const got = Buffer.concat(pieces).length;
    let sum = 0;
    for (const batch of log!.batches) {
      sum += batch.bytes.length;
      if (sum === got) offset = batch.last + 1;
    }
  }
  expect(pieces.length).toBe(3);
  expect(equal(Buffer.concat(pieces), Buffer.concat(log!.batches.map(({ bytes }) => bytes)))).toBe(true);
});

test('errors of partitions are told one by one, and the others are read', async () => {
  bench = new ReadBench();
  const [log] = bench.addTopic('orders');
  log!.append(5);
  const answer = await bench.fetch(
    'orders',
    [
      { partition: 0, offset: 6 },
      { partition: 0, offset: -1 },
      { partition: 7, offset: 0 },
      { partition: -1, offset: 0 },
      { partition: 0, offset: 0, leaderEpoch: 2 },
      { partition: 0, offset: 0, leaderEpoch: 4 },
      { partition: 0, offset: 0, leaderEpoch: 3 },
    ],
    { maxWaitMs: 10_000 },
  );
  const partitions = answer.responses[0]!.partitions;
  expect(partitions.map(({ errorCode }) => errorCode)).toEqual([
    ErrorCode.OFFSET_OUT_OF_RANGE,
    ErrorCode.OFFSET_OUT_OF_RANGE,
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    ErrorCode.FENCED_LEADER_EPOCH,
    ErrorCode.UNKNOWN_LEADER_EPOCH,
    ErrorCode.NONE,
  ]);
  expect(partitions[0]).toMatchObject({ highWatermark: -1n, lastStableOffset: -1n, logStartOffset: -1n });
  expect(equal(partitions[6]!.records, log!.batches[0]!.bytes)).toBe(true);
});

test('unknown topics by name and by id', async () => {
  bench = new ReadBench();
  bench.addTopic('orders');
  expect(partitionOf(await bench.fetch('nothing', [{ offset: 0 }], { version: 12 })).errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
  expect(partitionOf(await bench.fetch('nothing', [{ offset: 0 }], { version: 13 })).errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_ID);
});

test('read_committed gets an empty list of aborted transactions', async () => {
  bench = new ReadBench();
  const [log] = bench.addTopic('orders');
  log!.append();
  expect(partitionOf(await bench.fetch('orders', [{ offset: 0 }], { isolationLevel: 1 })).abortedTransactions).toEqual([]);
});

test('a malformed request is refused without leaving anything behind', () => {
  bench = new ReadBench();
  const request = bench.beginFetch('orders', [{ offset: 0 }]);
  expect(request.answer).not.toBeNull();
  const cut = Object.assign(Object.create(Object.getPrototypeOf(request)), request, { answer: null, bodyEnd: request.bodyEnd - 3 });
  expect(() => bench.side.fetch.handle(cut)).toThrow(/malformed Fetch request/);
  expect(bench.side.fetch.operations).toBe(0);
});

test('a long poll is answered when data comes, and not before', async () => {
  bench = new ReadBench();
  const [log] = bench.addTopic('orders');
  log!.append(4);
  const request = bench.beginFetch('orders', [{ offset: 4 }], { maxWaitMs: 500 });
  await settle();
  expect(request.answer).toBeNull();
  bench.advance(400);
  expect(request.answer).toBeNull();
  const next = log!.append(2);
  expect(request.answer).toBeNull(); // Woken behind the drain, not within.
  await request.answered();
  expect(equal(partitionOf(request.decode(fetch)).records, next.bytes)).toBe(true);
  request.drain();
  expect(log!.view.waiters!.size).toBe(0);
  expect(bench.timers.size).toBe(1); // The drain watch looks once more.
  expect(memoryIsWhole()).toBe(true);
});

test('each long poll is woken, the tenth as the first', async () => {
  bench = new ReadBench();
  const [log] = bench.addTopic('orders');
  for (let offset = 0; offset < 10; offset++) {
    const request = bench.beginFetch('orders', [{ offset }], { maxWaitMs: 500 });
    await settle(1);
    expect(request.answer).toBeNull();
    const batch = log!.append(1);
    await request.answered();
    expect(equal(partitionOf(request.decode(fetch)).records, batch.bytes)).toBe(true);
    request.drain();
  }
  expect(bench.side.waiting.rounds).toBe(10);
});

test('a long poll ends empty when its time is up', async () => {
  bench = new ReadBench();
  const [log] = bench.addTopic('orders');
  log!.append(4);
  const request = bench.beginFetch('orders', [{ offset: 4 }], { maxWaitMs: 500 });
  bench.advance(499);
  expect(request.answer).toBeNull();
  bench.advance(11);
  const data = partitionOf(request.decode(fetch));
  expect(data).toMatchObject({ errorCode: 0, highWatermark: 4n });
  expect(data.records!.length).toBe(0);
  expect(bench.timers.size).toBe(0);
});

test('a request without partitions has nothing to wait for', async () => {
  bench = new ReadBench();
  bench.addTopic('orders');
  expect(await bench.fetch('orders', [], { maxWaitMs: 60_000, minBytes: 1 })).toMatchObject({ errorCode: 0 });
  expect(memoryIsWhole()).toBe(true);
});

test('a long poll waits for MinBytes over several partitions', async () => {
  bench = new ReadBench();
  const [a, b] = bench.addTopic('orders', 2);
  a!.append(1, 100);
  const size = a!.batches[0]!.bytes.length;
  const request = bench.beginFetch(
    'orders',
    [
      { partition: 0, offset: 0 },
      { partition: 1, offset: 0 },
    ],
    { maxWaitMs: 5000, minBytes: size * 3 },
  );
  await settle();
  b!.append(1, 100);
  await settle();
  expect(request.answer).toBeNull();
  a!.append(1, 100);
  await request.answered();
  expect(request.decode(fetch).responses[0]!.partitions.map(({ records }) => records!.length)).toEqual([2 * size, size]);
  request.drain();
  expect(memoryIsWhole()).toBe(true);
});

test('MinBytes counts from the batch that holds the offset, also when it is not known yet', async () => {
  bench = new ReadBench();
  const [log] = bench.addTopic('orders');
  log!.append(10, 10);
  const request = bench.beginFetch('orders', [{ offset: 5 }], { maxWaitMs: 1000, minBytes: 10_000 });
  await settle(20);
  expect(request.answer).toBeNull();
  log!.append(10, 2000);
  await request.answered();
  expect(partitionOf(request.decode(fetch)).records!.length).toBe(log!.batches[0]!.bytes.length + log!.batches[1]!.bytes.length);
  request.drain();
  expect(memoryIsWhole()).toBe(true);
});

test('a waiting fetch answers at once when another request queues behind it', async () => {
  bench = new ReadBench();
  bench.addTopic('orders');
  const request = bench.beginFetch('orders', [{ offset: 0 }], { maxWaitMs: 5000 });
  await settle();
  request.onQueued!();
  expect(partitionOf(request.decode(fetch)).records!.length).toBe(0);
});

test('a waiting fetch is dropped when its connection closes', async () => {
  bench = new ReadBench();
  const [log] = bench.addTopic('orders');
  const request = bench.beginFetch('orders', [{ offset: 0 }], { maxWaitMs: 5000 });
  request.onClosed!();
  expect(log!.view.waiters!.size).toBe(0);
  expect(bench.timers.size).toBe(0);
  expect(memoryIsWhole()).toBe(true);
  log!.append();
  await settle();
});

test('a fetch whose connection closes while it reads frees its memory when the read ends', async () => {
  bench = new ReadBench();
  const [log] = bench.addTopic('orders');
  for (let i = 0; i < 10; i++) log!.append(1, 100_000);
  const request = bench.beginFetch('orders', [{ offset: 0 }]);
  expect(request.answer).toBeNull();
  expect(memoryIsWhole()).toBe(false);
  request.onClosed!();
  await request.answered();
  expect(request.answer!.length).toBe(0);
  expect(memoryIsWhole()).toBe(true);
});

test('tailing fetches of the same place share one read', async () => {
  bench = new ReadBench();
  const [log] = bench.addTopic('orders');
  const requests = Array.from({ length: 50 }, () => bench.beginFetch('orders', [{ offset: 0 }], { maxWaitMs: 5000 }));
  await settle();
  const batch = log!.append(3);
  await Promise.all(requests.map((request) => request.answered()));
  for (const request of requests) expect(equal(partitionOf(request.decode(fetch)).records, batch.bytes)).toBe(true);
  expect(bench.side.windows.reads).toBe(1);
  expect(bench.side.windows.sharedReads).toBe(49);
  for (const request of requests) {
    expect(memoryIsWhole()).toBe(false);
    request.drain();
  }
  expect(memoryIsWhole()).toBe(true);
});

test('sequential fetches need no look at index or headers', async () => {
  bench = new ReadBench();
  const [log] = bench.addTopic('orders');
  for (let i = 0; i < 100; i++) log!.append(1, 1000);
  let offset = 0;
  while (offset < 100) {
    const answer = await bench.fetch('orders', [{ offset, maxBytes: 10_000 }]);
    expect(bench.side.locator.tryLocate(log!.view, offset)).toBe(true);
    offset += Math.floor(partitionOf(answer).records!.length / log!.batches[0]!.bytes.length);
  }
  expect(bench.side.windows.reads).toBeGreaterThan(9);
});

test('without memory a fetch waits holding nothing, in order of arrival', async () => {
  bench = new ReadBench({ fetchMemoryBytes: 4 << 20 });
  const [log] = bench.addTopic('orders');
  for (let i = 0; i < 6; i++) log!.append(1, 900_000);
  const slow = [0, 1, 2, 3].map((offset) => bench.beginFetch('orders', [{ offset, maxBytes: 1 }]));
  await Promise.all(slow.map((request) => request.answered()));
  const waiting = [4, 5].map((offset) => bench.beginFetch('orders', [{ offset, maxBytes: 1 }]));
  await until(() => bench.side.memory.waiters === 2, 'both wait');
  expect(waiting.map(({ answer }) => answer?.length)).toEqual([undefined, undefined]);
  slow[2]!.drain();
  await waiting[0]!.answered();
  await settle();
  expect(equal(partitionOf(waiting[0]!.decode(fetch)).records, log!.batches[4]!.bytes)).toBe(true);
  expect(waiting[1]!.answer?.length).toBeUndefined();
  waiting[0]!.drain();
  await waiting[1]!.answered();
  for (const request of [...slow, ...waiting]) request.drain();
  expect(bench.side.memory.freeBytes).toBe(4 << 20);
});

test('while readers of much hold the memory, readers of little are served, and large answers become small ones', async () => {
  bench = new ReadBench({ fetchMemoryBytes: 4 << 20 });
  const [big] = bench.addTopic('big');
  const [small] = bench.addTopic('small');
  for (let i = 0; i < 10; i++) big!.append(1, 900_000);
  for (let i = 0; i < 100; i++) small!.append(1, 10_000);
  const slow = Array.from({ length: 10 }, (_, offset) => bench.beginFetch('big', [{ offset, maxBytes: 1 }]));
  await until(() => bench.side.memory.waiters === 6, 'six wait');
  for (let offset = 0; offset < 94; offset += 7) {
    const { records } = partitionOf(await bench.fetch('small', [{ offset }], { maxWaitMs: 10_000, minBytes: 80_000 }));
    const size = small!.batches[0]!.bytes.length;
    expect(records!.length).toBe(6 * size);
  }
  // Which of them came first is for the disk to say.
  await until(() => {
    for (const request of slow) if (request.answer !== null) request.drain();
    return slow.every(({ answer }) => answer !== null);
  }, 'all are answered');
  for (const request of slow) request.drain();
  expect(bench.side.memory.freeBytes).toBe(4 << 20);
});

test('a fetch that gets no memory answers empty after a while', async () => {
  bench = new ReadBench({ fetchMemoryBytes: 4 << 20 });
  const [log] = bench.addTopic('orders');
  for (let i = 0; i < 6; i++) log!.append(1, 900_000);
  const slow = Array.from({ length: 6 }, (_, offset) => bench.beginFetch('orders', [{ offset, maxBytes: 1 }]));
  await until(() => bench.side.memory.waiters === 2, 'two wait');
  await until(() => slow.filter(({ answer }) => answer !== null).length === 4, 'four are answered');
  bench.advance(600);
  expect(slow.filter((request) => partitionOf(request.decode(fetch)).records!.length > 0)).toHaveLength(4);
  for (const request of slow) request.drain();
  expect(bench.side.memory.freeBytes).toBe(4 << 20);
  expect(bench.side.memory.waiters).toBe(0);
});

test('an answer that does not drain costs its connection, sooner when others wait', async () => {
  bench = new ReadBench({ fetchMemoryBytes: 4 << 20 });
  const [log] = bench.addTopic('orders');
  for (let i = 0; i < 6; i++) log!.append(1, 900_000);
  const ask = (offset: number, maxWaitMs = 0) => bench.beginFetch('orders', [{ offset, maxBytes: 1 }], { maxWaitMs });
  const alone = ask(0);
  await alone.answered();
  for (let second = 0; second < 30; second++) bench.advance(1000);
  expect(alone.connection.closeReason).toBeNull();
  for (let second = 0; second < 30; second++) bench.advance(1000);
  expect(alone.connection.closeReason).not.toBeNull();
  alone.drain();
  const slow = [0, 1, 2, 3].map((offset) => ask(offset));
  await Promise.all(slow.map((request) => request.answered()));
  const waiting = ask(4, 60_000);
  await until(() => bench.side.memory.waiters === 1, 'it waits');
  for (let second = 0; second < 8; second++) bench.advance(1000);
  expect(slow.map(({ connection }) => connection.open)).toEqual([false, false, false, false]);
  for (const request of slow) request.drain();
  await waiting.answered();
  expect(equal(partitionOf(waiting.decode(fetch)).records, log!.batches[4]!.bytes)).toBe(true);
  waiting.drain();
  expect(bench.side.memory.freeBytes).toBe(4 << 20);
});

test('a deleted topic answers its waiting fetches', async () => {
  bench = new ReadBench();
  const [log] = bench.addTopic('orders');
  log!.append(2);
  const request = bench.beginFetch('orders', [{ offset: 2 }], { maxWaitMs: 60_000 });
  await settle();
  (log!.view.topic as { deleted: boolean }).deleted = true;
  bench.router.removeTopic(bench.router.topicByName('orders')!);
  log!.view.becomeState('offline');
  await request.answered();
  expect(partitionOf(request.decode(fetch)).errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
});

test('what a failed sync may have left out is refused, also where it was read before', async () => {
  bench = new ReadBench();
  const [log] = bench.addTopic('orders');
  const first = log!.append(2);
  log!.append(3);
  // A reader that takes its time holds a window over all of it, for others to share.
  const slow = bench.beginFetch('orders', [{ offset: 0 }]);
  await slow.answered();
  const waiting = bench.beginFetch('orders', [{ offset: 5 }], { maxWaitMs: 5000 });
  log!.view.onUnsecured(2);
  const { errorCode, records } = partitionOf(await bench.fetch('orders', [{ offset: 0 }]));
  expect(errorCode).toBe(0);
  expect(equal(records, first.bytes)).toBe(true);
  expect(partitionOf(await bench.fetch('orders', [{ offset: 2 }])).errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR);
  expect(partitionOf(await bench.fetch('orders', [{ offset: 4 }])).errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR);
  // Nothing is refused to who waits for what is yet to come.
  expect(waiting.answer).toBeNull();
  waiting.connection.open = false;
  bench.advance(6000);
  slow.drain();
});
