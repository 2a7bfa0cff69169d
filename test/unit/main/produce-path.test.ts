import { afterEach, describe, expect, it } from 'vitest';
import { apiVersions } from '../../../src/protocol/apis/18-api-versions.ts';
import { decodeResponseFrame, encodeRequestFrame } from '../../../src/protocol/frame.ts';
import { ErrorCode } from '../../../src/protocol/errors.ts';
import { IngressBench } from '../../support/ingress-bench.ts';
import { batchOf, produceFrame, until, type ProduceResponse } from '../../support/wire-client.ts';

let bench: IngressBench;
afterEach(() => bench.stop());

const errorOf = (body: ProduceResponse): number => body.responses[0]!.partitionResponses[0]!.errorCode;
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 30));

describe('produce', () => {
  it('is answered with the offset the shard gave', async () => {
    bench = await IngressBench.start();
    bench.router.addTopic('t', [bench.shard.link]);
    bench.runShard();
    const client = await bench.connect();
    for (let n = 0; n < 3; n++) {
      client.write(produceFrame(n, 't', [{ partition: 0, records: batchOf(1000) }]));
      const { correlationId, body } = await client.nextProduce();
      expect(correlationId).toBe(n);
      expect(body.responses[0]!.partitionResponses[0]).toMatchObject({
        index: 0,
        errorCode: 0,
        baseOffset: BigInt(n),
        logAppendTimeMs: -1n,
        logStartOffset: 0n,
      });
    }
    expect(bench.router.views[0]!.readable.map((batch) => batch.baseOffset)).toEqual([0, 1, 2]);
    expect(bench.drains).toBeGreaterThan(0);
    await until(() => bench.usedBytes === 0, 'all memory is back');
  });

  it('keeps the order of requests, however the shards answer', async () => {
    bench = await IngressBench.start();
    const { FakeShard } = await import('../../support/fake-shard.ts');
    const slow = bench.shard;
    const fast = new FakeShard(bench.ingress.memory, { index: 1, class: 'buffered' });
    bench.ingress.addLink(fast.link);
    bench.router.addTopic('slow', [slow.link]);
    bench.router.addTopic('fast', [fast.link]);
    const client = await bench.connect();
    client.write(
      Buffer.concat([
        produceFrame(1, 'slow', [{ partition: 0, records: batchOf(10) }]),
        produceFrame(2, 'fast', [{ partition: 0, records: batchOf(10) }]),
        produceFrame(3, 'fast', [{ partition: 0, records: batchOf(10) }]),
        produceFrame(4, 'slow', [{ partition: 0, records: batchOf(10) }]),
      ]),
    );
    await until(() => slow.waiting === 2 && fast.waiting === 2, 'all are submitted');
    fast.step();
    bench.ingress.cycle.run();
    await settle();
    expect(client.frames.length).toBe(0);
    slow.step(1);
    bench.ingress.cycle.run();
    expect([await client.nextProduce(), await client.nextProduce(), await client.nextProduce()].map((r) => r.correlationId)).toEqual([
      1, 2, 3,
    ]);
    await settle();
    expect(client.frames.length).toBe(0);
    bench.step();
    expect((await client.nextProduce()).correlationId).toBe(4);
    expect(bench.usedBytes).toBe(0);
  });

  it('has an error for each partition that cannot take its batch, and serves the others', async () => {
    bench = await IngressBench.start();
    const topic = bench.router.addTopic('t', [bench.shard.link, bench.shard.link, bench.shard.link, bench.shard.link, bench.shard.link]);
    topic.partitions[1]!.state = 'opening';
    topic.partitions[2]!.state = 'offline';
    bench.shard.errors.set(3, ErrorCode.CORRUPT_MESSAGE);
    bench.runShard();
    const client = await bench.connect();
    const records = batchOf(10);
    const parts = [0, 1, 2, 3, 4, 5, -1].map((partition) => ({ partition, records: partition === 4 ? null : records }));
    client.write(produceFrame(1, 't', parts));
    const { body } = await client.nextProduce();
    expect(body.responses[0]!.partitionResponses.map((p) => [p.index, p.errorCode, p.baseOffset])).toEqual([
      [0, ErrorCode.NONE, 0n],
      [1, ErrorCode.NOT_LEADER_OR_FOLLOWER, -1n],
      [2, ErrorCode.KAFKA_STORAGE_ERROR, -1n],
      [3, ErrorCode.CORRUPT_MESSAGE, -1n],
      [4, ErrorCode.INVALID_RECORD, -1n],
      [5, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1n],
      [-1, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1n],
    ]);
    expect(bench.usedBytes).toBe(0);
  });

  it.each([
    ['an unknown topic', 'u', {}, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
    ['acks=2', 't', { acks: 2 }, ErrorCode.INVALID_REQUIRED_ACKS],
    ['a transactional id', 't', { transactionalId: 'x' }, ErrorCode.INVALID_TXN_STATE],
  ] as const)('refuses %s', async (_what, topic, options, error) => {
    bench = await IngressBench.start();
    bench.router.addTopic('t', [bench.shard.link]);
    const client = await bench.connect();
    client.write(produceFrame(7, topic, [{ partition: 0, records: batchOf(10) }], options));
    const { correlationId, body } = await client.nextProduce();
    expect([correlationId, errorOf(body)]).toEqual([7, error]);
    expect(bench.usedBytes).toBe(0);
  });

  it('takes of a request with more partitions than fit its shard as many as do, and has the rest sent again', async () => {
    bench = await IngressBench.start({}, { submissionSlots: 128, completionSlots: 256 });
    const { appendsMax } = bench.shard.link;
    bench.router.addTopic(
      't',
      Array.from({ length: appendsMax + 6 }, () => bench.shard.link),
    );
    bench.runShard();
    const client = await bench.connect();
    const partitions = Array.from({ length: appendsMax + 6 }, (_, partition) => partition);
    const send = async (correlationId: number, wanted: readonly number[]) => {
      client.write(
        produceFrame(
          correlationId,
          't',
          wanted.map((partition) => ({ partition, records: batchOf(1) })),
        ),
      );
      return (await client.nextProduce()).body.responses[0]!.partitionResponses;
    };
    const first = await send(1, partitions);
    expect(first.map(({ errorCode }) => errorCode)).toEqual(
      partitions.map((partition) => (partition < appendsMax ? ErrorCode.NONE : ErrorCode.REQUEST_TIMED_OUT)),
    );
    const again = await send(2, partitions.slice(appendsMax));
    expect(again.every(({ errorCode }) => errorCode === ErrorCode.NONE)).toBe(true);
    expect([bench.usedBytes, bench.shard.link.inFlight]).toEqual([0, 0]);
  });

  it('refuses batches above max.message.bytes, and zstd before version 7', async () => {
    bench = await IngressBench.start();
    const topic = bench.router.addTopic('t', [bench.shard.link]);
    bench.runShard();
    topic.config.maxMessageBytes = 500;
    const client = await bench.connect();
    client.write(produceFrame(1, 't', [{ partition: 0, records: batchOf(1000) }]));
    expect(errorOf((await client.nextProduce()).body)).toBe(ErrorCode.MESSAGE_TOO_LARGE);
    const zstd = batchOf(10);
    zstd[22] = 4;
    client.write(produceFrame(2, 't', [{ partition: 0, records: zstd }], { version: 6 }));
    expect(errorOf((await client.nextProduce(6)).body)).toBe(ErrorCode.UNSUPPORTED_COMPRESSION_TYPE);
    client.write(produceFrame(3, 't', [{ partition: 0, records: batchOf(10) }], { acks: 1 }));
    expect(errorOf((await client.nextProduce()).body)).toBe(ErrorCode.NONE);
  });

  it('answers UNKNOWN_TOPIC_ID for an id nobody has', async () => {
    bench = await IngressBench.start();
    const client = await bench.connect();
    const { produce } = await import('../../../src/protocol/apis/00-produce.ts');
    const topicData = [{ topicId: 'AAAAAAAAAAAAAAAAAAAAAQ', partitionData: [{ index: 0, records: batchOf(1) }] }];
    client.write(encodeRequestFrame(produce, 13, 5, null, { transactionalId: null, acks: 1, timeoutMs: 1, topicData }));
    expect(errorOf((await client.nextProduce(13)).body)).toBe(ErrorCode.UNKNOWN_TOPIC_ID);
  });

  it('with acks=0 is not answered, and an error closes the connection', async () => {
    bench = await IngressBench.start();
    bench.router.addTopic('t', [bench.shard.link]);
    bench.runShard();
    const client = await bench.connect();
    client.write(produceFrame(1, 't', [{ partition: 0, records: batchOf(10) }], { acks: 0 }));
    client.write(produceFrame(2, 't', [{ partition: 0, records: batchOf(10) }]));
    expect((await client.nextProduce()).correlationId).toBe(2);
    expect(bench.shard.total).toBe(2);
    client.write(produceFrame(3, 'unknown', [{ partition: 0, records: batchOf(10) }], { acks: 0 }));
    await client.waitClosed();
    expect(bench.usedBytes).toBe(0);
  });

  it.each([
    ['names a topic that is unknown', 'unknown', 0],
    ['is refused by its shard', 'bad', ErrorCode.CORRUPT_MESSAGE],
  ])(
    'with acks=0 and an error that %s, behind one with an answer: it has that answer, and nobody else does',
    async (_what, topic, error) => {
      bench = await IngressBench.start();
      bench.router.addTopic('t', [bench.shard.link]);
      bench.router.addTopic('bad', [bench.shard.link]);
      if (error !== 0) bench.shard.errors.set(1, error);
      const [first, second] = [await bench.connect(), await bench.connect()];
      first.write(
        Buffer.concat([
          produceFrame(1, 't', [{ partition: 0, records: batchOf(10) }]),
          produceFrame(2, topic, [{ partition: 0, records: batchOf(10) }], { acks: 0 }),
        ]),
      );
      await until(() => bench.shard.waiting === (error === 0 ? 1 : 2), 'submitted');
      bench.step();
      expect((await first.nextProduce()).correlationId).toBe(1);
      await first.waitClosed();
      bench.runShard();
      second.write(produceFrame(7, 't', [{ partition: 0, records: batchOf(10) }]));
      expect((await second.nextProduce()).correlationId).toBe(7);
      await settle();
      expect([second.frames.length, bench.usedBytes]).toEqual([0, 0]);
    },
  );

  it('holds the bytes of a memory topic until they are written, though it is answered before', async () => {
    bench = await IngressBench.start();
    bench.router.addTopic('t', [bench.shard.link]);
    bench.shard.memory.add(0);
    bench.runShard();
    const client = await bench.connect();
    client.write(produceFrame(1, 't', [{ partition: 0, records: batchOf(2000) }]));
    expect(errorOf((await client.nextProduce()).body)).toBe(0);
    expect(bench.usedBytes).toBeGreaterThan(0);
    expect(bench.shard.link.inFlight).toBe(1);
    expect(bench.router.views[0]!.readable).toEqual([]);
    bench.shard.write();
    bench.ingress.cycle.run();
    expect(bench.usedBytes).toBe(0);
    expect(bench.shard.link.inFlight).toBe(0);
    expect(bench.router.views[0]!.readable.length).toBe(1);
    // The same when the write fails after the answer.
    client.write(produceFrame(2, 't', [{ partition: 0, records: batchOf(2000) }]));
    await client.nextProduce();
    bench.shard.write(ErrorCode.KAFKA_STORAGE_ERROR);
    bench.ingress.cycle.run();
    expect([bench.usedBytes, bench.shard.link.inFlight, bench.router.views[0]!.readable.length]).toEqual([0, 0, 1]);
  });

  it('waits while a partition moves, then goes on in order', async () => {
    bench = await IngressBench.start();
    const topic = bench.router.addTopic('t', [bench.shard.link, bench.shard.link]);
    topic.partitions[1]!.state = 'moving';
    bench.runShard();
    const client = await bench.connect();
    for (let n = 0; n < 6; n++) client.write(produceFrame(n, 't', [{ partition: n % 2, records: batchOf(100) }]));
    expect((await client.nextProduce()).correlationId).toBe(0);
    await settle();
    expect(bench.shard.total).toBe(1);
    topic.partitions[1]!.becomeOnline();
    for (let n = 1; n < 6; n++) expect((await client.nextProduce()).correlationId).toBe(n);
    expect(bench.usedBytes).toBe(0);
  });

  it('frees everything of a connection that closes while its requests are with the shard', async () => {
    bench = await IngressBench.start();
    bench.router.addTopic('t', [bench.shard.link]);
    const client = await bench.connect();
    for (let n = 0; n < 5; n++) client.write(produceFrame(n, 't', [{ partition: 0, records: batchOf(30_000) }]));
    await until(() => bench.shard.waiting === 5, 'submitted');
    client.destroy();
    await until(() => bench.ingress.listener.size === 0, 'closed');
    expect(bench.usedBytes).toBeGreaterThan(0);
    bench.step();
    expect(bench.usedBytes).toBe(0);
    expect(bench.shard.link.inFlight).toBe(0);
  });

  it('stops reading at 16 unanswered requests and loses none', async () => {
    bench = await IngressBench.start();
    bench.router.addTopic('t', [bench.shard.link]);
    const client = await bench.connect();
    const frames: Buffer[] = [];
    for (let n = 0; n < 200; n++) frames.push(produceFrame(n, 't', [{ partition: 0, records: batchOf(100 + n) }]));
    client.write(Buffer.concat(frames));
    await until(() => bench.shard.waiting === 16, '16 submitted');
    await settle();
    expect(bench.shard.waiting).toBe(16);
    bench.runShard();
    for (let n = 0; n < 200; n++) expect((await client.nextProduce()).correlationId).toBe(n);
    expect(bench.usedBytes).toBe(0);
  });

  it('reports LogAppendTime', async () => {
    bench = await IngressBench.start();
    bench.router.addTopic('t', [bench.shard.link]);
    bench.shard.logAppendTimeMs = 1_700_000_000_123;
    bench.runShard();
    const client = await bench.connect();
    client.write(produceFrame(1, 't', [{ partition: 0, records: batchOf(10) }]));
    expect((await client.nextProduce()).body.responses[0]!.partitionResponses[0]!.logAppendTimeMs).toBe(1_700_000_000_123n);
  });
});

describe('ApiVersions', () => {
  const ask = (version: number, body: object = {}): Buffer => encodeRequestFrame(apiVersions, version, 9, 'c', body);
  const named = { clientSoftwareName: 'test', clientSoftwareVersion: '1.0' };

  it('lists what is served, in every version', async () => {
    bench = await IngressBench.start();
    const client = await bench.connect();
    for (let version = 0; version <= 4; version++) {
      client.write(ask(version, version >= 3 ? named : {}));
      const frame = await client.next();
      const { correlationId, body } = decodeResponseFrame(apiVersions, version, frame, 0, frame.length);
      expect(correlationId).toBe(9);
      expect(body.errorCode).toBe(0);
      expect(body.apiKeys.find(({ apiKey }) => apiKey === 0)).toMatchObject({ minVersion: 0, maxVersion: 13 });
    }
  });

  it('answers an unknown version in version 0 with its own range', async () => {
    bench = await IngressBench.start();
    const client = await bench.connect();
    const frame = ask(4, named);
    frame.writeInt16BE(99, 6);
    client.write(frame);
    const answer = await client.next();
    const { body } = decodeResponseFrame(apiVersions, 0, answer, 0, answer.length);
    expect(body.errorCode).toBe(ErrorCode.UNSUPPORTED_VERSION);
    expect(body.apiKeys).toEqual([expect.objectContaining({ apiKey: 18, minVersion: 0, maxVersion: 4 })]);
  });

  it('refuses a client name that is none', async () => {
    bench = await IngressBench.start();
    const client = await bench.connect();
    client.write(ask(3, { clientSoftwareName: 'a b', clientSoftwareVersion: '1' }));
    const answer = await client.next();
    expect(decodeResponseFrame(apiVersions, 3, answer, 0, answer.length).body.errorCode).toBe(ErrorCode.INVALID_REQUEST);
  });
});
