/** Fetches of very many partitions: worked on in steps, with everybody else in between, and answered like any other. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fetch } from '../../../src/protocol/apis/01-fetch.ts';
import { ErrorCode } from '../../../src/protocol/errors.ts';
import { ReadBench, settle, type FakeRequest, type FetchAsk, type LogWriter } from '../../support/read-bench.ts';

/** More than this is never done in one turn. */
const PER_TURN_MAX = 4000;
const MANY = 20_000;
const PARTITIONS = 5;

let bench: ReadBench;
let logs: LogWriter[];
beforeEach(() => {
  bench = new ReadBench();
  logs = bench.addTopic('orders', PARTITIONS);
});
afterEach(() => bench.close());

/** All partitions of the topic again and again, with one that it has not between them if so wanted. */
const many = (offset: number, partitions = PARTITIONS, maxBytes = 1 << 20): FetchAsk[] =>
  Array.from({ length: MANY }, (_, n) => ({ partition: n % partitions, offset, maxBytes }));

const isIdle = (): boolean => bench.side.fetch.operations === 0 && bench.side.memory.freeBytes === 16 << 20 && bench.steps.waiting === 0;

/** Turns until all is answered; the most partitions that were judged in one of them. */
async function watch(requests: readonly FakeRequest[]): Promise<{ turns: number; judgedMax: number }> {
  let judgedMax = 0;
  let turns = 0;
  for (; requests.some(({ answer }) => answer === null); turns++) {
    const before = bench.side.fetch.partitionsJudged;
    await settle(1);
    judgedMax = Math.max(judgedMax, bench.side.fetch.partitionsJudged - before);
  }
  return { turns, judgedMax };
}

test('a fetch of very many partitions is answered in their order, and others have turns meanwhile', async () => {
  const stored = logs.map((log) => log.append(1, 100));
  const request = bench.beginFetch('orders', many(0, PARTITIONS + 1));
  expect(request.answer).toBeNull();
  const { turns, judgedMax } = await watch([request]);
  expect(turns).toBeGreaterThanOrEqual(MANY / PER_TURN_MAX);
  expect(judgedMax).toBeLessThanOrEqual(PER_TURN_MAX);
  const { partitions } = request.decode(fetch).responses[0]!;
  expect(partitions.length).toBe(MANY);
  expect(partitions.every(({ partitionIndex }, n) => partitionIndex === n % (PARTITIONS + 1))).toBe(true);
  for (const [n, { errorCode, records }] of partitions.slice(0, PARTITIONS).entries()) {
    expect(errorCode).toBe(0);
    expect(records!.equals(stored[n]!.bytes)).toBe(true);
  }
  expect(partitions[PARTITIONS]!.errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
  request.drain();
  expect(isIdle()).toBe(true);
});

test('fetches of very many partitions together do no more in one turn than one of them', async () => {
  logs[0]!.append(1, 100);
  const requests = [1, 2, 3, 4].map(() => bench.beginFetch('orders', many(0)));
  const { judgedMax } = await watch(requests);
  expect(judgedMax).toBeLessThanOrEqual(PER_TURN_MAX);
  for (const request of requests) {
    expect(request.decode(fetch).responses[0]!.partitions.length).toBe(MANY);
    request.drain();
  }
  expect(isIdle()).toBe(true);
});

test('a connection that closes between two steps leaves nothing behind', async () => {
  logs[0]!.append(1, 100);
  for (let turns = 0; turns < 12; turns++) {
    const request = bench.beginFetch('orders', many(0));
    await settle(turns);
    if (request.answer !== null) {
      request.drain();
      continue;
    }
    request.connection.open = false;
    request.onClosed!();
    await request.answered();
    expect(request.answer!.length).toBe(0);
    expect(isIdle()).toBe(true);
  }
});

test('records that come while partitions are judged are not waited for', async () => {
  for (let turns = 0; turns < 12; turns++) {
    const offset = logs[0]!.state.endOffset;
    const asks = many(0).map((ask) => ({ ...ask, offset: logs[ask.partition!]!.state.endOffset }));
    const request = bench.beginFetch('orders', asks, { maxWaitMs: 60_000 });
    await settle(turns);
    // It was judged already, if any was.
    const stored = logs[0]!.append(1, 100);
    await request.answered();
    const [first] = request.decode(fetch).responses[0]!.partitions;
    expect(first!.records!.equals(stored.bytes)).toBe(true);
    expect(offset).toBe(stored.base);
    request.drain();
    expect(isIdle()).toBe(true);
  }
});

test('a fetch whose time is up while it is judged is answered with what there is', async () => {
  const request = bench.beginFetch('orders', many(0), { maxWaitMs: 100 });
  await settle(1);
  bench.advance(200);
  await request.answered();
  expect(request.decode(fetch).responses[0]!.partitions.length).toBe(MANY);
  expect(isIdle()).toBe(true);
});

test('a request queued behind a fetch that is judged has it answered without a wait', async () => {
  const request = bench.beginFetch('orders', many(0), { maxWaitMs: 60_000 });
  await settle(1);
  request.onQueued!();
  await request.answered();
  expect(request.decode(fetch).responses[0]!.partitions.length).toBe(MANY);
  expect(isIdle()).toBe(true);
});

test('an answer that is nearly full does not look into every partition for a batch that would still fit', async () => {
  for (const log of logs) log.append(1, 1000);
  const size = logs[0]!.batches[0]!.bytes.length;
  const request = bench.beginFetch('orders', many(0), { maxBytes: size * 3 + 200 });
  await request.answered();
  const { partitions } = request.decode(fetch).responses[0]!;
  expect(partitions.slice(0, 4).map(({ records }) => records!.length)).toEqual([size, size, size, 0]);
  expect(bench.side.windows.reads).toBeLessThan(20);
  request.drain();
  expect(isIdle()).toBe(true);
});

test('partitions whose own limit is too small for their batches do not keep others from being read', async () => {
  for (const log of logs) log.append(1, 1000);
  const small = Array.from({ length: 50 }, () => ({ partition: 1, offset: 0, maxBytes: 100 }));
  const request = bench.beginFetch('orders', [{ partition: 0, offset: 0 }, ...small, { partition: 2, offset: 0 }]);
  await request.answered();
  const { partitions } = request.decode(fetch).responses[0]!;
  expect(partitions.at(-1)!.records!.equals(logs[2]!.batches[0]!.bytes)).toBe(true);
  request.drain();
});

test('what changes while the answer of a session is made in steps is told by the next one', async () => {
  const count = 5000;
  const wide = bench.addTopic('wide', count);
  const asks = wide.map((_, partition) => ({ partition, offset: 0 }));
  for (let turns = 0; turns < 10; turns++) {
    const request = bench.beginFetch('wide', asks, { sessionEpoch: 0 });
    await settle(turns);
    // Others in each round, so that nothing is in them before.
    const changed = [turns, 1990 + turns, 2000 + turns, count - 1 - turns];
    for (const partition of changed) wide[partition]!.append(1, 100);
    await request.answered();
    const { sessionId, responses } = request.decode(fetch);
    const told = responses[0]!.partitions;
    expect(told.length).toBe(count);
    request.drain();
    const next = bench.beginFetch('wide', [], { sessionId, sessionEpoch: 1 });
    await next.answered();
    const news = next.decode(fetch).responses[0]?.partitions ?? [];
    for (const partition of changed) {
      const { highWatermark, records } = told[partition]!;
      const isNews = news.some(({ partitionIndex, records: given }) => partitionIndex === partition && given!.length > 0);
      expect(records!.length > 0 || isNews).toBe(true);
      if (records!.length > 0) expect(highWatermark).toBeGreaterThan(0n);
    }
    next.drain();
  }
});
