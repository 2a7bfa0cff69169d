/** Incremental fetch sessions as a consumer sees them, on the whole read side. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fetch } from '../../../src/protocol/apis/01-fetch.ts';
import { ErrorCode } from '../../../src/protocol/errors.ts';
import type { MutableTopic } from '../../../src/main/router.ts';
import { ReadBench, settle, type LogWriter } from '../../support/read-bench.ts';
import { SessionClient } from '../../support/session-client.ts';

let bench: ReadBench;
let client: SessionClient;
beforeEach(() => {
  bench = new ReadBench();
  client = new SessionClient(bench);
});
afterEach(() => {
  expect(bench.side.memory.freeBytes).toBe(16 << 20);
  bench.close();
});

function waitersOf(logs: readonly LogWriter[]): number {
  return logs.reduce((sum, { view }) => sum + (view.waiters?.size ?? 0), 0);
}

function deleteTopic(log: LogWriter): void {
  const topic = log.view.topic as MutableTopic;
  topic.deleted = true;
  bench.router.removeTopic(topic);
  log.view.becomeState('offline');
}

for (const version of [7, 12, 13, 18])
  test(`the second fetch of an idle session lists no partition (version ${version})`, async () => {
    const logs = bench.addTopic('orders', 3);
    logs[0]!.append(2);
    client = new SessionClient(bench, version);
    const asks = [0, 1, 2].map((partition) => ({ partition, offset: partition === 0 ? 2 : 0 }));
    const first = await client.fetch({ ask: { orders: asks } });
    expect(first.sessionId).toBeGreaterThan(0);
    expect([...client.partitionsOf(first).keys()]).toEqual(['orders-0', 'orders-1', 'orders-2']);
    const second = await client.fetch();
    expect(second).toMatchObject({ errorCode: 0, sessionId: first.sessionId, responses: [] });
    expect(await client.told()).toEqual([]);
  });

test('an idle fetch looks at no partition, however many the session has', async () => {
  bench.addTopic('orders', 1000);
  await client.fetch({ ask: { orders: Array.from({ length: 1000 }, (_, partition) => ({ partition, offset: 0 })) } });
  const before = bench.side.fetch.partitionsJudged;
  const request = client.begin({ maxWaitMs: 500 });
  await settle();
  expect(request.answer).toBeNull();
  bench.advance(600);
  expect((await client.end(request)).responses).toEqual([]);
  expect(bench.side.fetch.partitionsJudged).toBe(before);
});

test('the answer has only the partitions with new records, and the next fetch only says their new offset', async () => {
  const logs = bench.addTopic('orders', 10);
  await client.fetch({ ask: { orders: logs.map((_, partition) => ({ partition, offset: 0 })) } });
  const request = client.begin({ maxWaitMs: 500 });
  const batches = [logs[3]!.append(2), logs[7]!.append(1)];
  const answer = client.partitionsOf(await client.end(request));
  expect([...answer.keys()]).toEqual(['orders-3', 'orders-7']);
  expect([...answer.values()].map(({ records }) => records!.toString('hex'))).toEqual(batches.map(({ bytes }) => bytes.toString('hex')));
  const before = bench.side.fetch.partitionsJudged;
  expect(
    await client.told({
      ask: {
        orders: [
          { partition: 3, offset: 2 },
          { partition: 7, offset: 1 },
        ],
      },
    }),
  ).toEqual([]);
  expect(bench.side.fetch.partitionsJudged - before).toBe(2);
});

test('records are given again until the consumer asks for what follows them', async () => {
  const [log] = bench.addTopic('orders');
  log!.append(1);
  for (let n = 0; n < 3; n++) expect(await client.told(n === 0 ? { ask: { orders: [{ offset: 0 }] } } : {})).toEqual(['orders-0']);
  expect(await client.told({ ask: { orders: [{ offset: 1 }] } })).toEqual([]);
});

test('a moved watermark or log start is told once, without records', async () => {
  const logs = bench.addTopic('orders', 2);
  for (const log of logs) log.append(3);
  // Asked for with room for nothing but the first: the others learn the watermark only.
  await client.fetch({ ask: { orders: [{ partition: 0, offset: 3 }] } });
  logs[0]!.state.logStartOffset = 2;
  logs[0]!.view.onLogStartSet(2, []);
  const answer = client.partitionsOf(await client.fetch());
  expect(answer.get('orders-0')).toMatchObject({ errorCode: 0, logStartOffset: 2n, highWatermark: 3n });
  expect(answer.get('orders-0')!.records!.length).toBe(0);
  expect(await client.told()).toEqual([]);
});

test('an error is told with each fetch, and what follows it is told too', async () => {
  const [log] = bench.addTopic('orders');
  log!.append(3);
  const first = client.partitionsOf(await client.fetch({ ask: { orders: [{ offset: 9 }] } }));
  expect(first.get('orders-0')).toMatchObject({ errorCode: ErrorCode.OFFSET_OUT_OF_RANGE, highWatermark: -1n });
  expect(await client.told({ maxWaitMs: 10_000 })).toEqual(['orders-0']);
  const after = client.partitionsOf(await client.fetch({ ask: { orders: [{ offset: 3 }] } }));
  expect(after.get('orders-0')).toMatchObject({ errorCode: 0, highWatermark: 3n });
  expect(await client.told()).toEqual([]);
});

test('a consumer that falls behind the log start hears it while it waits', async () => {
  const [log] = bench.addTopic('orders');
  log!.append(3);
  await client.fetch({ ask: { orders: [{ offset: 3 }] } });
  const request = client.begin({ maxWaitMs: 60_000 });
  log!.truncate(1);
  const answer = client.partitionsOf(await client.end(request));
  expect(answer.get('orders-0')!.errorCode).toBe(ErrorCode.OFFSET_OUT_OF_RANGE);
});

test('partitions are added, changed and forgotten', async () => {
  const logs = bench.addTopic('orders', 3);
  for (const log of logs) log.append(1);
  expect(await client.told({ ask: { orders: [{ partition: 0, offset: 1 }] } })).toEqual(['orders-0']);
  expect(await client.told({ ask: { orders: [{ partition: 1, offset: 1 }] } })).toEqual(['orders-1']);
  expect(await client.told({ ask: { orders: [{ partition: 2, offset: 1 }] }, forget: { orders: [1] } })).toEqual(['orders-2']);
  for (const log of logs) log.append(1);
  expect(await client.told()).toEqual(['orders-0', 'orders-2']);
  expect(await client.told({ ask: { orders: [{ partition: 0, offset: 2 }] }, forget: { orders: [2, 77], nothing: [0] } })).toEqual([]);
  expect(waitersOf(logs)).toBe(1);
});

test('a session that loses its last partition ends', async () => {
  const logs = bench.addTopic('orders');
  await client.fetch({ ask: { orders: [{ offset: 0 }] } });
  const answer = await client.fetch({ forget: { orders: [0] }, maxWaitMs: 60_000 });
  expect(answer).toMatchObject({ errorCode: 0, sessionId: 0, responses: [] });
  expect(bench.side.fetch.sessions.size).toBe(0);
  expect(bench.side.fetch.sessions.bytes).toBe(0);
  expect(waitersOf(logs)).toBe(0);
});

test('unknown sessions, wrong epochs and a change between names and ids are refused as a whole', async () => {
  const [log] = bench.addTopic('orders');
  log!.append(1);
  const none = { sessionId: 0, responses: [] };
  expect(await client.fetch({ sessionId: 5, sessionEpoch: 1 })).toMatchObject({ ...none, errorCode: ErrorCode.FETCH_SESSION_ID_NOT_FOUND });
  expect(await client.fetch({ sessionId: 0, sessionEpoch: 7 })).toMatchObject({ ...none, errorCode: ErrorCode.FETCH_SESSION_ID_NOT_FOUND });
  await client.fetch({ ask: { orders: [{ offset: 1 }] } });
  for (const sessionEpoch of [2, 5, -2, 0x7fffffff])
    expect(await client.fetch({ sessionEpoch, maxWaitMs: 60_000 })).toMatchObject({
      ...none,
      errorCode: ErrorCode.INVALID_FETCH_SESSION_EPOCH,
    });
  expect(await client.fetch({ version: 13 })).toMatchObject({ ...none, errorCode: ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR });
  expect(await client.fetch()).toMatchObject({ errorCode: 0, responses: [] });
  const byId = new SessionClient(bench, 13);
  await byId.fetch({ ask: { orders: [{ offset: 1 }] } });
  expect(await byId.fetch({ version: 12 })).toMatchObject({ ...none, errorCode: ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR });
});

test('a full request closes the session it names: epoch 0 opens another, epoch -1 none', async () => {
  const logs = bench.addTopic('orders');
  const { sessions } = bench.side.fetch;
  const first = await client.fetch({ ask: { orders: [{ offset: 0 }] } });
  const second = await client.fetch({ ask: { orders: [{ offset: 0 }] }, sessionEpoch: 0 });
  expect(second.sessionId).not.toBe(first.sessionId);
  expect(sessions.size).toBe(1);
  expect(await client.fetch({ sessionId: first.sessionId, sessionEpoch: 1 })).toMatchObject({
    errorCode: ErrorCode.FETCH_SESSION_ID_NOT_FOUND,
  });
  const last = await client.fetch({ ask: { orders: [{ offset: 0 }] }, sessionEpoch: -1 });
  expect(last).toMatchObject({ errorCode: 0, sessionId: 0 });
  expect([...client.partitionsOf(last).keys()]).toEqual(['orders-0']);
  expect([sessions.size, sessions.bytes, waitersOf(logs)]).toEqual([0, 0, 0]);
});

test('a request that goes on with the session while another waits takes it over', async () => {
  const [log] = bench.addTopic('orders');
  const { sessionId } = await client.fetch({ ask: { orders: [{ offset: 0 }] } });
  const first = client.begin({ maxWaitMs: 60_000 });
  const second = client.begin({ maxWaitMs: 60_000, sessionEpoch: 2 });
  await first.answered();
  expect(first.decode(fetch)).toMatchObject({ errorCode: ErrorCode.INVALID_FETCH_SESSION_EPOCH, sessionId, responses: [] });
  await settle();
  expect(second.answer).toBeNull();
  log!.append(1);
  await second.answered();
  expect(second.decode(fetch)).toMatchObject({ errorCode: 0, responses: [{ partitions: [{ highWatermark: 1n }] }] });
  for (const request of [first, second]) request.drain();
});

test('a waiting fetch whose session is closed is answered', async () => {
  bench.addTopic('orders');
  await client.fetch({ ask: { orders: [{ offset: 0 }] } });
  const waiting = client.begin({ maxWaitMs: 60_000 });
  await client.fetch({ sessionEpoch: -1 });
  await waiting.answered();
  expect(waiting.decode(fetch)).toMatchObject({ errorCode: 0, responses: [] });
});

test('the epoch after the largest is 1', async () => {
  bench.addTopic('orders');
  await client.fetch({ ask: { orders: [{ offset: 0 }] } });
  const request = client.begin({ maxWaitMs: 60_000 });
  // Two thousand million requests later.
  (client.connection.closeListener as unknown as { epoch: number }).epoch = 0x7fffffff;
  client.begin({ sessionEpoch: 0x7fffffff });
  await request.answered();
  expect(await client.fetch({ sessionEpoch: 1 })).toMatchObject({ errorCode: 0 });
});

test('by name, a topic that was deleted and made again is found; by id it is unknown', async () => {
  const [log] = bench.addTopic('orders');
  log!.append(1);
  const byId = new SessionClient(bench, 13);
  for (const each of [client, byId]) await each.fetch({ ask: { orders: [{ offset: 1 }] } });
  const waiting = [client, byId].map((each) => each.begin({ maxWaitMs: 60_000 }));
  deleteTopic(log!);
  const answers = await Promise.all([client.end(waiting[0]!), byId.end(waiting[1]!)]);
  expect(client.partitionsOf(answers[0]).get('orders-0')!.errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
  expect(byId.partitionsOf(answers[1]).get('orders-0')!.errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_ID);
  const again = bench.addTopic('orders')[0]!;
  again.append(1);
  const named = client.partitionsOf(await client.fetch());
  expect(named.get('orders-0')).toMatchObject({ errorCode: 0, highWatermark: 1n });
  expect(byId.partitionsOf(await byId.fetch()).get('orders-0')!.errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_ID);
  again.append(1);
  expect(await client.told()).toEqual(['orders-0']);
});

test('a partition that is made later is found', async () => {
  const [log] = bench.addTopic('orders');
  const first = client.partitionsOf(await client.fetch({ ask: { orders: [{ partition: 1, offset: 0 }] } }));
  expect(first.get('orders-1')!.errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
  const [other] = bench.addTopic('other');
  (log!.view.topic as MutableTopic).partitions.push(other!.view);
  expect(client.partitionsOf(await client.fetch()).get('orders-1')!.errorCode).toBe(0);
});

test('an answer that is full starts with other partitions the next time', async () => {
  const logs = bench.addTopic('orders', 6);
  const offsets = logs.map(() => 0);
  for (const log of logs) for (let n = 0; n < 4; n++) log.append(1, 400_000);
  const ask = { orders: logs.map((_, partition) => ({ partition, offset: 0 })) };
  const size = logs[0]!.batches[0]!.bytes.length;
  const seen: number[][] = [];
  let told = client.partitionsOf(await client.fetch({ ask }));
  for (let round = 0; round < 12; round++) {
    const served = [...told.values()].filter(({ records }) => records!.length > 0);
    seen.push(served.map(({ partitionIndex }) => partitionIndex));
    for (const { partitionIndex, records } of served) offsets[partitionIndex]! += records!.length / size;
    told = client.partitionsOf(
      await client.fetch({
        ask: { orders: served.map(({ partitionIndex }) => ({ partition: partitionIndex, offset: offsets[partitionIndex]! })) },
      }),
    );
  }
  expect(offsets).toEqual(logs.map(() => 4));
  // Nobody is served a second time before everybody was served once.
  expect(new Set(seen.slice(0, 6).flat()).size).toBe(6);
});

test('without a free slot a consumer gets no session, and asks for everything each time', async () => {
  bench.close();
  bench = new ReadBench({ sessionSlotsMax: 1 });
  client = new SessionClient(bench);
  bench.addTopic('orders');
  const ask = { orders: [{ offset: 0 }] };
  const other = new SessionClient(bench);
  expect((await other.fetch({ ask })).sessionId).not.toBe(0);
  for (let n = 0; n < 2; n++) {
    const answer = await client.fetch({ ask });
    expect(answer.sessionId).toBe(0);
    expect(client.partitionsOf(answer).size).toBe(1);
  }
  other.connection.close('gone');
  expect((await client.fetch({ ask })).sessionId).not.toBe(0);
  expect(bench.side.fetch.sessions.size).toBe(1);
});

test('a client that asks for a session with each fetch and uses none takes one slot, and soon gets no more', async () => {
  const logs = bench.addTopic('orders');
  const ids: number[] = [];
  for (let n = 0; n < 10; n++) {
    ids.push((await client.fetch({ ask: { orders: [{ offset: 0 }] }, sessionId: 0, sessionEpoch: 0 })).sessionId);
    expect(bench.side.fetch.sessions.size).toBe(1);
  }
  expect(ids.map((id) => id !== 0)).toEqual([true, true, true, false, false, false, false, false, false, false]);
  expect(waitersOf(logs)).toBe(1);
  // The last one it got is good; using it begins the count anew.
  Object.assign(client, { sessionId: ids[2], sessionEpoch: 1 });
  expect(await client.fetch()).toMatchObject({ errorCode: 0, sessionId: ids[2] });
  expect((await client.fetch({ ask: { orders: [{ offset: 0 }] }, sessionId: 0, sessionEpoch: 0 })).sessionId).not.toBe(0);
});

test('a session outlives its connection for two minutes and is gone then', async () => {
  const logs = bench.addTopic('orders');
  const { sessions } = bench.side.fetch;
  await client.fetch({ ask: { orders: [{ offset: 0 }] } });
  client.connection.close('gone');
  bench.advance(100_000);
  const back = new SessionClient(bench);
  Object.assign(back, { sessionId: client.sessionId, sessionEpoch: client.sessionEpoch });
  expect(await back.fetch()).toMatchObject({ errorCode: 0, sessionId: client.sessionId });
  bench.advance(1_000_000);
  expect(sessions.size).toBe(1);
  back.connection.close('gone too');
  bench.advance(130_000);
  expect([sessions.size, sessions.bytes, waitersOf(logs), bench.timers.size]).toEqual([0, 0, 0, 0]);
});

test('a waiting fetch of a session is dropped when its connection closes', async () => {
  const [log] = bench.addTopic('orders');
  await client.fetch({ ask: { orders: [{ offset: 0 }] } });
  const request = client.begin({ maxWaitMs: 60_000 });
  request.onClosed!();
  await request.answered();
  expect(bench.side.fetch.operations).toBe(0);
  log!.append(1);
  await settle();
  client.sessionEpoch++;
  expect(await client.told()).toEqual(['orders-0']);
});

test('MinBytes counts over the partitions of a session, also those that were due before', async () => {
  const [a, b] = bench.addTopic('orders', 2);
  await client.fetch({
    ask: {
      orders: [
        { partition: 0, offset: 0 },
        { partition: 1, offset: 0 },
      ],
    },
  });
  a!.append(1, 100);
  const size = a!.batches[0]!.bytes.length;
  const request = client.begin({ maxWaitMs: 60_000, minBytes: 3 * size });
  await settle();
  b!.append(1, 100);
  await settle();
  expect(request.answer).toBeNull();
  a!.append(1, 100);
  const answer = client.partitionsOf(await client.end(request));
  expect([...answer].map(([name, { records }]) => [name, records!.length])).toEqual([
    ['orders-0', 2 * size],
    ['orders-1', size],
  ]);
});

test('a partition named twice in one request is what was said last', async () => {
  const [log] = bench.addTopic('orders');
  log!.append(1);
  await client.fetch({ ask: { orders: [{ offset: 1 }, { offset: 9 }] } });
  const answer = client.partitionsOf(await client.fetch());
  expect(answer.get('orders-0')!.errorCode).toBe(ErrorCode.OFFSET_OUT_OF_RANGE);
  expect(await client.told({ ask: { orders: [{ offset: 9 }, { offset: 1 }] } })).toEqual(['orders-0']);
  expect(await client.told()).toEqual([]);
});

test('a topic that is deleted while an answer is read is not forgotten', async () => {
  const [big] = bench.addTopic('big');
  const [idle] = bench.addTopic('idle');
  for (let n = 0; n < 4; n++) big!.append(1, 100_000);
  const request = client.begin({ ask: { idle: [{ offset: 0 }], big: [{ offset: 0 }] } });
  expect(request.answer).toBeNull();
  deleteTopic(idle!);
  await client.end(request);
  const answer = client.partitionsOf(await client.fetch({ ask: { big: [{ offset: 4 }] } }));
  expect(answer.get('idle-0')!.errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
});

test('what comes to other partitions while too little is read is not overlooked', async () => {
  const [a, b] = bench.addTopic('orders', 2);
  a!.append(10, 10);
  await client.fetch({
    ask: {
      orders: [
        { partition: 0, offset: 10 },
        { partition: 1, offset: 0 },
      ],
    },
  });
  // Where offset 5 lies has to be looked up, so it reads before it knows how little there is.
  const request = client.begin({ ask: { orders: [{ partition: 0, offset: 5 }] }, maxWaitMs: 60_000, minBytes: 10_000 });
  b!.append(1, 20_000);
  expect(client.partitionsOf(await client.end(request)).size).toBe(2);
});

test('all partitions that changed at once are in one answer', async () => {
  const logs = bench.addTopic('orders', 50);
  await client.fetch({ ask: { orders: logs.map((_, partition) => ({ partition, offset: 0 })) } });
  const request = client.begin({ maxWaitMs: 60_000 });
  for (const log of logs) log.append(1);
  expect(client.partitionsOf(await client.end(request)).size).toBe(50);
});
