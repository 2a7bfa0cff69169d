import { Consumer as LibraryConsumer, type fetchV17, type RecordsBatch } from '@platformatic/kafka';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { Consumer } from '../../../src/cli/kafka/library.ts';

const CREATE_TIME = 0;
const LOG_APPEND_TIME = 8;

/** A batch whose records were made at 1000, 1001 and 1002, and that was appended at 9000. */
const batchOf = (attributes: number): RecordsBatch => ({
  firstOffset: 0n,
  length: 0,
  partitionLeaderEpoch: 0,
  magic: 2,
  crc: 0,
  attributes,
  lastOffsetDelta: 2,
  firstTimestamp: 1000n,
  maxTimestamp: attributes === LOG_APPEND_TIME ? 9000n : 1002n,
  producerId: -1n,
  producerEpoch: -1,
  firstSequence: -1,
  records: [0, 1, 2].map((n) => ({
    length: 0,
    attributes: 0,
    timestampDelta: BigInt(n),
    offsetDelta: n,
    key: Buffer.from('k'),
    value: Buffer.from('v'),
    headers: [],
  })),
});

const responseOf = (...records: RecordsBatch[]): fetchV17.FetchResponse => {
  const partition = {
    partitionIndex: 0,
    errorCode: 0,
    highWatermark: 6n,
    lastStableOffset: 6n,
    logStartOffset: 0n,
    abortedTransactions: [],
    preferredReadReplica: -1,
  };
  const partitions = [
    { ...partition, records },
    { ...partition, partitionIndex: 1 },
  ];
  return { throttleTimeMs: 0, errorCode: 0, sessionId: 0, responses: [{ topicId: 'id', partitions }] };
};

/** The times of the records, as the library's streams reckon them. */
const timesOf = ({ responses }: fetchV17.FetchResponse): number[] =>
  responses
    .flatMap(({ partitions }) => partitions)
    .flatMap(({ records: batches }) => batches ?? [])
    .flatMap(({ firstTimestamp, records }) => records.map(({ timestampDelta }) => Number(firstTimestamp + timestampDelta)));

/** A consumer whose broker answers this. */
function consumerOf(answer: fetchV17.FetchResponse | Error): Consumer {
  const fetch = vi.spyOn(LibraryConsumer.prototype, 'fetch').mockImplementation(((_options: unknown, callback: unknown) => {
    if (typeof callback !== 'function') return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    if (answer instanceof Error) callback(answer);
    else callback(null, answer);
    return undefined;
  }) as LibraryConsumer['fetch']);
  onTestFinished(() => fetch.mockRestore());
  return new Consumer({ clientId: 'test', bootstrapBrokers: ['127.0.0.1:1'], groupId: 'test' });
}

/** What a consumer gives to its streams, which hand it a callback. */
const fetchedByStream = (consumer: Consumer): Promise<fetchV17.FetchResponse> =>
  new Promise((resolve, reject) => {
    consumer.fetch({ node: 1, topics: [] }, (error, response) => (response === undefined ? reject(error) : resolve(response)));
  });

describe('times of records that are read', () => {
  it.each([
    ['a stream of a group', fetchedByStream],
    ['whoever awaits an answer', (consumer: Consumer) => consumer.fetch({ node: 1, topics: [] })],
  ])("are the broker's for %s where the batch says so, and the producer's elsewhere", async (_, fetched) => {
    const response = responseOf(batchOf(CREATE_TIME), batchOf(LOG_APPEND_TIME));
    expect(timesOf(await fetched(consumerOf(response)))).toEqual([1000, 1001, 1002, 9000, 9000, 9000]);
    const refusal = new Error('refused');
    await expect(fetched(consumerOf(refusal))).rejects.toBe(refusal);
  });
});
