/** The administrative APIs and validation against the built broker, where compressed batches are opened by a thread. */
import { gzipSync } from 'node:zlib';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { listOffsets } from '../../src/protocol/apis/02-list-offsets.ts';
import { offsetForLeaderEpoch } from '../../src/protocol/apis/23-offset-for-leader-epoch.ts';
import { describeLogDirs } from '../../src/protocol/apis/35-describe-log-dirs.ts';
import { createPartitions } from '../../src/protocol/apis/37-create-partitions.ts';
import { describeCluster } from '../../src/protocol/apis/60-describe-cluster.ts';
import { describeTopicPartitions } from '../../src/protocol/apis/75-describe-topic-partitions.ts';
import { ErrorCode } from '../../src/protocol/errors.ts';
import { buildBatch } from '../../src/protocol/record.ts';
import { startBroker, type BrokerProcess } from '../support/broker-process.ts';
import { CODECS, javaBatch, javaRecord } from '../support/java-batches.ts';
import { batchOf, type KafkaClient } from '../support/kafka-client.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

async function start(dataDir = join(temporaryFolder(), 'data')): Promise<{ broker: BrokerProcess; client: KafkaClient; dataDir: string }> {
  const broker = await startBroker({ dataDir });
  const client = await broker.connect();
  onTestFinished(() => client.close());
  return { broker, client, dataDir };
}

const addPartitions = async (client: KafkaClient, name: string, count: number): Promise<number> => {
  const topics = [{ name, count, assignments: null }];
  return (await client.request(createPartitions, 3, { topics, timeoutMs: 10_000, validateOnly: false })).results[0]!.errorCode;
};

describe('ListOffsets by time', () => {
  it('gives the record itself out of batches of every codec, also when many ask at once', async () => {
    const { client } = await start();
    for (const [codec] of CODECS) {
      await client.createTopic(codec);
      expect(await client.produce(codec, 0, javaBatch(codec))).toMatchObject({ errorCode: 0, baseOffset: 0 });
    }
    const times = [0, 1000, 1500, 2500, 3985, 3990, 3991];
    const all = Array.from({ length: 300 }, (_, i) => javaRecord(i).timestamp);
    const asked = CODECS.flatMap(([codec]) => times.map((time) => [codec, time] as const));
    const answers = await Promise.all(
      asked.map(async ([name, timestamp]) => {
        const topics = [{ name, partitions: [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp }] }];
        const answer = await client.request(listOffsets, 11, { replicaId: -1, isolationLevel: 0, topics, timeoutMs: 10_000 });
        const { errorCode, offset, timestamp: found } = answer.topics[0]!.partitions[0]!;
        return [errorCode, Number(offset), Number(found)];
      }),
    );
    const expected = asked.map(([, time]) => {
      const offset = all.findIndex((timestamp) => timestamp >= time);
      return [0, offset, offset === -1 ? -1 : all[offset]];
    });
    expect(answers).toEqual(expected);
  });

  it('is not held up by a bomb, nor is anybody else', async () => {
    const { client } = await start();
    await client.createTopic('bombs', 2);
    const zeros = buildBatch({ records: [{ value: Buffer.alloc(200 << 20), timestamp: 5 }], attributes: 1 }, (bytes) => gzipSync(bytes));
    expect((await client.produce('bombs', 0, zeros)).errorCode).toBe(0);
    const [bomb, other] = await Promise.all([client.listOffset('bombs', 0, 3), client.produce('bombs', 1, batchOf(['x']))]);
    expect(bomb).toEqual({ errorCode: 0, offset: 0 });
    expect(other.errorCode).toBe(0);
  });
});

describe('a topic that grows', () => {
  it('takes records in its new partitions at once, and still has them after a kill', async () => {
    const { broker, client, dataDir } = await start();
    await client.createTopic('orders', 1);
    await client.produce('orders', 0, batchOf(['a']));
    expect(await addPartitions(client, 'orders', 4)).toBe(0);
    for (const partition of [1, 2, 3]) expect((await client.produce('orders', partition, batchOf([`p${partition}`]))).errorCode).toBe(0);
    await broker.kill();
    const again = (await start(dataDir)).client;
    expect((await again.metadata(['orders'])).topics[0]!.partitions).toHaveLength(4);
    for (const partition of [1, 2, 3])
      expect((await again.readAll('orders', partition)).map(({ value }) => value)).toEqual([`p${partition}`]);
    expect(await addPartitions(again, 'orders', 4)).toBe(ErrorCode.INVALID_PARTITIONS);
    // Its first records were written in an epoch that ended with the kill.
    const partitions = [{ partition: 0, currentLeaderEpoch: -1, leaderEpoch: 0 }];
    const epochs = await again.request(offsetForLeaderEpoch, 4, { replicaId: -1, topics: [{ topic: 'orders', partitions }] });
    expect(epochs.topics[0]!.partitions[0]).toMatchObject({ errorCode: 0, leaderEpoch: 0, endOffset: 1n });
  });
});

describe('descriptions', () => {
  it('tell of the cluster, of topics page by page, and of the folder with what is in it', async () => {
    const { broker, client, dataDir } = await start();
    await client.createTopic('b', 2);
    await client.createTopic('a', 2);
    await client.produce('b', 1, batchOf(['some bytes']));
    const cluster = await client.request(describeCluster, 2, { includeClusterAuthorizedOperations: false });
    expect(cluster).toMatchObject({ errorCode: 0, controllerId: 1, brokers: [{ brokerId: 1, host: '127.0.0.1', port: broker.port }] });
    const page = await client.request(describeTopicPartitions, 0, { topics: [], responsePartitionLimit: 3, cursor: null });
    expect(page.topics.map(({ name, partitions }) => [name, partitions.length])).toEqual([
      ['a', 2],
      ['b', 1],
    ]);
    expect(page.nextCursor).toEqual({ topicName: 'b', partitionIndex: 1 });
    const [folder] = (await client.request(describeLogDirs, 4, { topics: null })).results;
    expect(folder).toMatchObject({ errorCode: 0, logDir: dataDir });
    expect(folder!.totalBytes).toBeGreaterThan(folder!.usableBytes);
    const sizes = folder!.topics.find(({ name }) => name === 'b')!.partitions.map(({ partitionSize }) => Number(partitionSize));
    expect(sizes).toEqual([0, batchOf(['some bytes']).length]);
  });
});

describe('validation', () => {
  it('refuses what Kafka refuses: records that are none, and times far from the clock', async () => {
    const { client } = await start();
    await client.createTopic('checked', 1, { 'ringlog.record.validation': 'full', 'message.timestamp.before.max.ms': '3600000' });
    const nowMs = Date.now();
    const two = [
      { value: 'a', timestamp: nowMs },
      { value: 'b', timestamp: nowMs },
    ];
    const codeOf = async (batch: Buffer): Promise<number> => (await client.produce('checked', 0, batch)).errorCode;
    const zip = (records: { value: string; timestamp: number }[]): Buffer =>
      buildBatch({ records, attributes: 1 }, (bytes) => gzipSync(bytes));
    expect(await codeOf(buildBatch({ records: two }))).toBe(ErrorCode.NONE);
    expect(await codeOf(zip(two))).toBe(ErrorCode.NONE);
    expect(await codeOf(buildBatch({ records: two }, (bytes) => bytes.subarray(0, -1)))).toBe(ErrorCode.INVALID_RECORD);
    expect(await codeOf(buildBatch({ records: two, attributes: 1 }, () => Buffer.from('not gzip')))).toBe(ErrorCode.INVALID_RECORD);
    const [first] = two;
    const late = { value: 'c', timestamp: nowMs + 7_200_000 };
    const early = { value: 'c', timestamp: nowMs - 7_200_000 };
    for (const odd of [late, early]) {
      expect(await codeOf(buildBatch({ records: [first!, odd] }))).toBe(ErrorCode.INVALID_TIMESTAMP);
      expect(await codeOf(zip([first!, odd, first!]))).toBe(ErrorCode.INVALID_TIMESTAMP);
    }
    expect(await client.alterTopic('checked', { 'message.timestamp.after.max.ms': '86400000' })).toBe(0);
    expect(await codeOf(buildBatch({ records: [first!, late] }))).toBe(ErrorCode.NONE);
    // Two each of the three batches that were taken.
    expect((await client.fetch('checked', 0, 0)).highWatermark).toBe(6);
  });
});
