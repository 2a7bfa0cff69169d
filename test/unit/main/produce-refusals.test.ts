/** What is said of partitions that were refused, beside their error codes. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ErrorCode } from '../../../src/protocol/errors.ts';
import { buildBatch } from '../../../src/protocol/record.ts';
import { IngressBench } from '../../support/ingress-bench.ts';
import { batchOf, produceFrame, type ProduceResponse } from '../../support/wire-client.ts';

type Answer = ProduceResponse['responses'][0]['partitionResponses'][0];

let bench: IngressBench;
let topic: ReturnType<IngressBench['router']['addTopic']>;

beforeEach(async () => {
  bench = await IngressBench.start();
  topic = bench.router.addTopic('t', [bench.shard.link, bench.shard.link]);
  bench.shard.checkBytes = false;
  bench.runShard();
});
afterEach(() => bench.stop());

interface Options {
  name?: string;
  partition?: number;
  acks?: number;
  version?: number;
}

async function answerTo(records: Buffer | null, { name = 't', partition = 0, ...options }: Options = {}): Promise<Answer> {
  const client = await bench.connect();
  client.write(produceFrame(1, name, [{ partition, records }], options));
  const { body } = await client.nextProduce(options.version);
  return body.responses[0]!.partitionResponses[0]!;
}

/** The shard refuses the batch with `code`. */
async function refused(code: number, records: Buffer, version?: number): Promise<Answer> {
  bench.shard.errors.set(topic.partitions[0]!.handle, code);
  const answer = await answerTo(records, version === undefined ? {} : { version });
  expect(answer.errorCode).toBe(code);
  return answer;
}

test.each<[string, Buffer | null, Options, string]>([
  ['acks', batchOf(10), { acks: 7 }, 'acks is 7; it must be 0, 1 or -1.'],
  ['a partition', batchOf(10), { partition: 2 }, 'There is no partition 2: the topic has 2.'],
  ['a topic', batchOf(10), { name: 'other' }, 'No such topic or partition here.'],
  ['nothing', null, {}, 'There is no batch; a partition of a request has exactly one.'],
  ['a batch cut short', batchOf(10).subarray(0, 50), {}, 'The batch has 50 bytes; its header alone has 61.'],
])('%s that cannot be is named', async (_what, records, options, words) => {
  expect(await answerTo(records, options)).toMatchObject({ errorMessage: words, recordErrors: [] });
});

test('a batch that is too large is told how large it may be', async () => {
  topic.config.maxMessageBytes = 100;
  const batch = batchOf(200);
  const words = `The batch has ${batch.length} bytes; max.message.bytes of the topic is 100.`;
  expect(await answerTo(batch)).toMatchObject({ errorCode: ErrorCode.MESSAGE_TOO_LARGE, errorMessage: words });
});

test('what a shard refuses is told from the bytes of the batch', async () => {
  const record = [{ value: 'x' }];
  expect(await refused(ErrorCode.CORRUPT_MESSAGE, batchOf(10))).toMatchObject({ errorMessage: expect.stringContaining('CRC') as string });
  expect((await refused(ErrorCode.INVALID_RECORD, buildBatch({ records: record, lastOffsetDelta: 4 }))).errorMessage).toContain(
    'says that it has 1 records and last offset delta 4',
  );
  const idempotent = buildBatch({ records: record, producerId: 77, producerEpoch: 3, baseSequence: 12 });
  expect((await refused(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, idempotent)).errorMessage).toBe(
    'The batch of producer id 77, epoch 3 begins with sequence number 12, which does not follow what the partition has of it.',
  );
  expect((await refused(ErrorCode.INVALID_PRODUCER_EPOCH, idempotent)).errorMessage).toContain('producer id 77, epoch 3');
  expect((await refused(ErrorCode.KAFKA_STORAGE_ERROR, batchOf(10))).errorMessage).toBe('The disk failed.');
});

test('records whose times are out of range are named, a hundred of them at most', async () => {
  topic.config.messageTimestampBeforeMsMax = 3_600_000;
  const nowMs = Date.now();
  const timed = (times: number[]): Buffer => buildBatch({ records: times.map((timestamp) => ({ value: 'x', timestamp })) });
  const answer = await refused(ErrorCode.INVALID_TIMESTAMP, timed([nowMs, 5, -1, nowMs, 6]));
  expect(answer.recordErrors.map(({ batchIndex }) => batchIndex)).toEqual([1, 4]);
  expect(answer.recordErrors[0]!.batchIndexErrorMessage).toMatch(/^Timestamp 5 of record 1 is out of range: it must be at least \d+\.$/);
  expect(answer.errorMessage).toMatch(/^Records have timestamps that are out of range/);
  const many = await refused(ErrorCode.INVALID_TIMESTAMP, timed(Array.from({ length: 500 }, () => 5)));
  expect(many.recordErrors.map(({ batchIndex }) => batchIndex)).toEqual(Array.from({ length: 100 }, (_, index) => index));
  // Of a compressed batch only its header is known.
  const compressed = buildBatch({ records: [{ value: 'x', timestamp: 5 }], attributes: 1 }, () => Buffer.from('bytes'));
  expect(await refused(ErrorCode.INVALID_TIMESTAMP, compressed)).toMatchObject({
    recordErrors: [],
    errorMessage: expect.stringMatching(/^The batch has timestamps from 5 to 5/) as string,
  });
});

test('where batches are taken nothing is said, and versions without room for words get none', async () => {
  expect(await answerTo(batchOf(10))).toMatchObject({ errorCode: 0, errorMessage: null, recordErrors: [] });
  expect(await refused(ErrorCode.CORRUPT_MESSAGE, batchOf(10), 7)).toMatchObject({ errorMessage: null, recordErrors: [] });
  expect((await refused(ErrorCode.CORRUPT_MESSAGE, batchOf(10), 8)).errorMessage).not.toBeNull();
});

test('of a request with very many refusals the first are explained', async () => {
  const client = await bench.connect();
  const parts = Array.from({ length: 200 }, () => ({ partition: 9, records: batchOf(10) }));
  client.write(produceFrame(1, 't', parts));
  const answers = (await client.nextProduce()).body.responses[0]!.partitionResponses;
  expect(answers.map(({ errorCode }) => errorCode)).toEqual(parts.map(() => ErrorCode.UNKNOWN_TOPIC_OR_PARTITION));
  expect(answers.map(({ errorMessage }) => errorMessage !== null)).toEqual(parts.map((_, index) => index < 64));
});
