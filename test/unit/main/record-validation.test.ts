/** `ringlog.record.validation=full`: compressed batches are opened before they go to a shard. */
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ErrorCode } from '../../../src/protocol/errors.ts';
import { maxTimestamp } from '../../../src/protocol/record-batch.ts';
import { buildBatch } from '../../../src/protocol/record.ts';
import { IngressBench } from '../../support/ingress-bench.ts';
import { CODECS, javaBatch } from '../../support/java-batches.ts';
import { batchOf, produceFrame, until, type ProduceResponse } from '../../support/wire-client.ts';

let bench: IngressBench;
let topic: ReturnType<IngressBench['router']['addTopic']>;

beforeEach(async () => {
  bench = await IngressBench.start();
  topic = bench.router.addTopic('t', [bench.shard.link, bench.shard.link]);
  topic.config.recordValidation = 'full';
  bench.runShard();
});
afterEach(() => bench.stop());

const two = [{ value: 'a' }, { value: 'b' }];
const zip = (compress: (records: Buffer) => Uint8Array, records: { value: string | Buffer; timestamp?: number }[] = two): Buffer =>
  buildBatch({ records, baseTimestamp: records[0]!.timestamp ?? 5, attributes: 1 }, compress);
const good = zip((bytes) => gzipSync(bytes));
const bad = zip(() => Buffer.from('not gzip'));

async function answersTo(...batches: Buffer[]): Promise<ProduceResponse['responses'][0]['partitionResponses']> {
  const client = await bench.connect();
  client.write(
    produceFrame(
      1,
      't',
      batches.map((records, partition) => ({ partition, records })),
    ),
  );
  return (await client.nextProduce()).body.responses[0]!.partitionResponses;
}

const send = async (...batches: Buffer[]): Promise<number[]> => (await answersTo(...batches)).map(({ errorCode }) => errorCode);

test.each(CODECS)('takes what the Java client wrote (%s)', async (codec) => {
  expect(await send(javaBatch(codec))).toEqual([ErrorCode.NONE]);
});

test.each<[string, Buffer]>([
  ['are none', bad],
  ['are cut short', zip((bytes) => gzipSync(bytes.subarray(0, -1)))],
  ['are more than it says', zip((bytes) => gzipSync(Buffer.concat([bytes, bytes])))],
  ['are fewer than it says', zip((bytes) => gzipSync(bytes.subarray(0, bytes.length / 2)))],
])('refuses a batch whose records %s, and only that one', async (_what, batch) => {
  expect(await send(batch, good)).toEqual([ErrorCode.INVALID_RECORD, ErrorCode.NONE]);
});

test('refuses a bomb', async () => {
  const bomb = zip((bytes) => gzipSync(bytes), [{ value: Buffer.alloc(2 << 20) }]);
  expect(await send(bomb)).toEqual([ErrorCode.MESSAGE_TOO_LARGE]);
});

test('looks at the time of every record, where times of producers count', async () => {
  const late = zip(
    (bytes) => gzipSync(bytes),
    [
      { value: 'a', timestamp: 5 },
      { value: 'b', timestamp: Date.now() + 7_200_000 },
      { value: 'c', timestamp: 6 },
    ],
  );
  expect(await send(late)).toEqual([ErrorCode.NONE]);
  topic.config.messageTimestampAfterMsMax = 3_600_000;
  expect(await send(late)).toEqual([ErrorCode.INVALID_TIMESTAMP]);
  expect(await send(good)).toEqual([ErrorCode.NONE]);
  topic.config.messageTimestampBeforeMsMax = 3_600_000;
  expect(await send(good)).toEqual([ErrorCode.INVALID_TIMESTAMP]);
});

test('names the records that are why', async () => {
  topic.config.messageTimestampAfterMsMax = 3_600_000;
  const time = Date.now() + 7_200_000;
  const late = zip(
    (bytes) => gzipSync(bytes),
    [
      { value: 'a', timestamp: 5 },
      { value: 'b', timestamp: time },
    ],
  );
  const malformed = zip((bytes) => gzipSync(Buffer.concat([bytes.subarray(0, bytes.length / 2), Buffer.from([0])])));
  const [first, second] = await answersTo(late, malformed);
  expect(first).toMatchObject({ errorCode: ErrorCode.INVALID_TIMESTAMP });
  expect(first!.recordErrors).toMatchObject([{ batchIndex: 1 }]);
  expect(first!.recordErrors[0]!.batchIndexErrorMessage).toContain(`Timestamp ${time} of record 1 is out of range`);
  expect(first!.errorMessage).toContain('timestamps that are out of range');
  expect(second).toMatchObject({ errorCode: ErrorCode.INVALID_RECORD });
  expect(second!.recordErrors).toMatchObject([{ batchIndex: 1 }]);
  expect(second!.errorMessage).toContain('Record 1 is malformed');
});

test('names a hundred records of a batch at most, and a thousand of a request', async () => {
  topic.config.messageTimestampBeforeMsMax = 3_600_000;
  const old = zip(
    (bytes) => gzipSync(bytes),
    Array.from({ length: 150 }, () => ({ value: 'x', timestamp: 5 })),
  );
  const client = await bench.connect();
  const parts = Array.from({ length: 12 }, () => ({ partition: 0, records: old }));
  client.write(produceFrame(1, 't', parts));
  const answers = (await client.nextProduce()).body.responses[0]!.partitionResponses;
  expect(answers.map(({ errorCode }) => errorCode)).toEqual(parts.map(() => ErrorCode.INVALID_TIMESTAMP));
  expect(answers.map(({ recordErrors }) => recordErrors.length)).toEqual(parts.map((_, n) => (n < 10 ? 100 : 0)));
  expect(answers[11]!.errorMessage).toContain('timestamps from 5 to 5');
});

test('puts the largest timestamp in the header right, with the CRC, before the shard sees it', async () => {
  const records = [
    { value: 'a', timestamp: 5 },
    { value: 'b', timestamp: 9 },
  ];
  const wrong = buildBatch({ records, attributes: 1, maxTimestamp: 1_900_000_000_000 }, (bytes) => gzipSync(bytes));
  // The shard of this bench refuses batches whose CRC is wrong by an exception.
  bench.shard.onBatch = (batch) => void taken.push(maxTimestamp(batch, 0));
  const taken: number[] = [];
  expect(await send(wrong, good)).toEqual([ErrorCode.NONE, ErrorCode.NONE]);
  topic.config.recordValidation = 'uncompressed';
  expect(await send(wrong)).toEqual([ErrorCode.NONE]);
  expect(taken).toEqual([9, 5, 1_900_000_000_000]);
});

test('is a setting of each topic, which counts from the next request on', async () => {
  topic.config.recordValidation = 'uncompressed';
  expect(await send(bad)).toEqual([ErrorCode.NONE]);
  topic.config.recordValidation = 'full';
  expect(await send(bad, batchOf(10))).toEqual([ErrorCode.INVALID_RECORD, ErrorCode.NONE]);
});

describe('while batches are opened', () => {
  let release: () => void;
  beforeEach(() => {
    bench.openingHeld = new Promise((resolve) => (release = resolve));
  });

  test('what comes behind on the same connection waits, in order; other connections go on', async () => {
    const client = await bench.connect();
    client.write(produceFrame(1, 't', [{ partition: 0, records: good }]));
    client.write(produceFrame(2, 't', [{ partition: 0, records: batchOf(10) }]));
    expect(await send(batchOf(10))).toEqual([ErrorCode.NONE]);
    expect(client.frames).toHaveLength(0);
    release();
    const [first, second] = [await client.nextProduce(), await client.nextProduce()];
    expect([first.correlationId, second.correlationId]).toEqual([1, 2]);
    const offsets = [first, second].map(({ body }) => Number(body.responses[0]!.partitionResponses[0]!.baseOffset));
    expect(offsets[0]).toBeLessThan(offsets[1]!);
  });

  test('a connection that closes takes its request with it', async () => {
    const client = await bench.connect();
    await client.send(produceFrame(1, 't', [{ partition: 0, records: good }]));
    await until(() => bench.usedBytes > 0, 'the request is there');
    client.destroy();
    release();
    await until(() => bench.usedBytes === 0 && bench.ingress.listener.size === 0, 'it is gone, and its memory free');
    expect(await send(good)).toEqual([ErrorCode.NONE]);
  });
});

test('a thread that died has judged nothing: the batch may be sent again', async () => {
  bench.openingHeld = Promise.reject(new Error('the thread died'));
  bench.openingHeld.catch(() => undefined);
  expect(await send(good)).toEqual([ErrorCode.REQUEST_TIMED_OUT]);
  expect(bench.failedOpenings).toBe(1);
});

test('acks=0 has no answer but the end of the connection', async () => {
  const client = await bench.connect();
  client.write(produceFrame(1, 't', [{ partition: 0, records: bad }], { acks: 0 }));
  await client.waitClosed();
});
