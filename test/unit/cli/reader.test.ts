import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { BrokerRefusedError } from '../../../src/cli/kafka/errors.ts';
import type { IncomingRecord, Topic } from '../../../src/cli/kafka/types.ts';
import { readRecords, type Source } from '../../../src/cli/records/reader.ts';

const partitionOf = (partition: number, leader: number) => ({ partition, leader, leaderEpoch: 0, replicas: [leader], isr: [leader] });
/** Partitions 0 and 1 are led by broker 1, partition 2 by broker 2. */
const TOPIC: Topic = { name: 'orders', id: 'id', partitions: [partitionOf(0, 1), partitionOf(1, 1), partitionOf(2, 2)] };
const RECORDS = 6;
/** Records of a partition in one answer, at most. */
const ANSWER = 2;

const refusal = (code: string): BrokerRefusedError => new BrokerRefusedError(code, `${code}: refused.`);
const recordAt = (partition: number, offset: number): IncomingRecord => ({
  topic: TOPIC.name,
  partition,
  offset,
  timestampMs: 0,
  key: null,
  value: null,
  headers: [],
});

/** Two brokers with six records in each partition. `failures`: what a broker says instead of its next answers. */
function clusterOf(failures: Record<number, readonly Error[]>, firstOffset: Record<number, number> = {}) {
  const left = new Map(Object.entries(failures).map(([node, errors]) => [Number(node), [...errors]]));
  const askedFirst: (readonly number[])[] = [];
  const client: Source = {
    fetch: async (_topic, node, from) => {
      // The other broker answers first.
      await new Promise((resolve) => setTimeout(resolve, node));
      const failure = left.get(node)?.shift();
      if (failure !== undefined) throw failure;
      const next = new Map([...from].map(([partition, at]) => [partition, Math.min(RECORDS, at + ANSWER)]));
      const records = [...from].flatMap(([partition, at]) =>
        Array.from({ length: (next.get(partition) ?? at) - at }, (_, more) => recordAt(partition, at + more)),
      );
      return { records, next };
    },
    topic: () => Promise.resolve(TOPIC),
    offsets: (_topic, partitions, wish) => {
      if (wish === 'earliest') askedFirst.push(partitions);
      return Promise.resolve(new Map(partitions.map((each) => [each, wish === 'earliest' ? (firstOffset[each] ?? 0) : RECORDS])));
    },
  };
  return { client, askedFirst };
}

const at = (offset: number): Map<number, number> => new Map([0, 1, 2].map((partition) => [partition, offset]));

/** Reads everything. @returns what came, offsets by partition in the order they came in, and what a person was told; and what ended it */
async function readAll(client: Source) {
  const offsets: number[][] = [[], [], []];
  const notices: string[] = [];
  const { signal } = new AbortController();
  const options = { topic: TOPIC, from: at(0), to: at(RECORDS), signal, onNotice: (text: string) => void notices.push(text) };
  const reading = (async (): Promise<unknown> => {
    try {
      for await (const records of readRecords(client, options))
        for (const { partition, offset } of records) offsets[partition]?.push(offset);
      return undefined;
    } catch (error) {
      return error;
    }
  })();
  await vi.advanceTimersByTimeAsync(600_000);
  return { failure: await reading, offsets, notices };
}

describe('reading of partitions that several brokers lead', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const everything = Array.from({ length: RECORDS }, (_, offset) => offset);

  it.each([
    ['first', 1],
    ['last', 2],
  ])('gives every record once and in order when the broker that answers %s is no leader for a moment', async (_, node) => {
    const { client } = clusterOf({ [node]: [refusal('NOT_LEADER_OR_FOLLOWER')] });
    const { failure, offsets, notices } = await readAll(client);
    expect(failure).toBeUndefined();
    expect(offsets).toEqual([everything, everything, everything]);
    expect(notices).toEqual(['NOT_LEADER_OR_FOLLOWER: refused. Trying again …']);
  });

  it('asks for the first offsets only of the broker whose records were deleted, and goes on there', async () => {
    const { client, askedFirst } = clusterOf({ 2: [refusal('OFFSET_OUT_OF_RANGE')] }, { 2: 3 });
    const { failure, offsets, notices } = await readAll(client);
    expect(failure).toBeUndefined();
    expect(offsets).toEqual([everything, everything, [3, 4, 5]]);
    expect(askedFirst).toEqual([[2]]);
    expect(notices).toEqual(['Partition 2 of orders begins at offset 3: offsets 0 to 2 are deleted.']);
  });

  it('puts right what several brokers say at the same time', async () => {
    const { client } = clusterOf({ 1: [refusal('NOT_LEADER_OR_FOLLOWER')], 2: [refusal('OFFSET_OUT_OF_RANGE')] }, { 2: 3 });
    const { failure, offsets } = await readAll(client);
    expect(failure).toBeUndefined();
    expect(offsets).toEqual([everything, everything, [3, 4, 5]]);
  });

  it('gives what others answered before it throws what does not pass', async () => {
    const { client } = clusterOf({ 2: [refusal('TOPIC_AUTHORIZATION_FAILED')] });
    const { failure, offsets } = await readAll(client);
    expect(failure).toMatchObject({ code: 'TOPIC_AUTHORIZATION_FAILED' });
    expect(offsets).toEqual([[0, 1], [0, 1], []]);
  });

  it('gives up on a broker that never leads again, however often others answer', async () => {
    const { client } = clusterOf({ 2: Array.from({ length: 1000 }, () => refusal('NOT_LEADER_OR_FOLLOWER')) });
    const { failure, offsets } = await readAll(client);
    expect(failure).toMatchObject({ code: 'NOT_LEADER_OR_FOLLOWER' });
    expect(offsets).toEqual([everything, everything, []]);
  });
});
