/**
 * A small Kafka client for tests: requests by their tables, any number in flight, answers matched by correlation id. It retries nothing, waits for
 * nothing it was not told to wait for, and hides nothing: what the broker answers is what the test sees.
 */
import net from 'node:net';
import { produce } from '../../src/protocol/apis/00-produce.ts';
import { fetch } from '../../src/protocol/apis/01-fetch.ts';
import { listOffsets } from '../../src/protocol/apis/02-list-offsets.ts';
import { metadata } from '../../src/protocol/apis/03-metadata.ts';
import { createTopics } from '../../src/protocol/apis/19-create-topics.ts';
import { deleteTopics } from '../../src/protocol/apis/20-delete-topics.ts';
import { deleteRecords } from '../../src/protocol/apis/21-delete-records.ts';
import { incrementalAlterConfigs } from '../../src/protocol/apis/44-incremental-alter-configs.ts';
import { isBatchCrcValid } from '../../src/protocol/crc32c.ts';
import { decodeResponseFrame, encodeRequestFrame } from '../../src/protocol/frame.ts';
import { baseOffset, batchBytes, lastOffset } from '../../src/protocol/record-batch.ts';
import { buildBatch, readRecords } from '../../src/protocol/record.ts';
import type { Api, RequestInput, ResponseOf } from '../../src/protocol/schema.ts';
import { HANG_MS } from './limits.ts';

/** What a request of each API is sent as, unless the test says otherwise. */
export const VERSIONS = {
  produce: 9,
  fetch: 12,
  fetchById: 13,
  listOffsets: 7,
  metadata: 12,
  createTopics: 7,
  deleteTopics: 6,
  deleteRecords: 2,
  alterConfigs: 1,
} as const;

const RESOURCE_TOPIC = 2;
const SET = 0;

/** The connection ended before the answer came. */
export class ConnectionLost extends Error {
  override name = 'ConnectionLost';
}

export interface ProduceAnswer {
  readonly errorCode: number;
  readonly baseOffset: number;
  readonly logAppendTimeMs: number;
  readonly logStartOffset: number;
}

export interface FetchOptions {
  readonly maxWaitMs?: number;
  readonly minBytes?: number;
  readonly maxBytes?: number;
  readonly partitionMaxBytes?: number;
}

export interface FetchAnswer {
  readonly errorCode: number;
  readonly highWatermark: number;
  readonly logStartOffset: number;
  readonly records: Buffer;
}

/** A record as a consumer sees it. */
export interface SeenRecord {
  readonly offset: number;
  readonly key: string | null;
  readonly value: string;
  readonly timestamp: number;
}

/** One batch of plain records. */
export function batchOf(values: readonly (string | Buffer)[], timestampMs = 1_700_000_000_000): Buffer {
  return buildBatch({ records: values.map((value) => ({ value })), baseTimestamp: timestampMs });
}

/** See the file header. */
export class KafkaClient {
  readonly socket: net.Socket;
  closed = false;
  private nextCorrelation = 1;
  private readonly waiting = new Map<number, { resolve: (frame: Buffer) => void; reject: (error: Error) => void }>();
  private chunks: Buffer[] = [];
  private buffered = 0;

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.onData(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.closed = true;
      for (const { reject } of this.waiting.values()) reject(new ConnectionLost('the connection was closed before the answer came'));
      this.waiting.clear();
    });
  }

  static async connect(port: number, host = '127.0.0.1'): Promise<KafkaClient> {
    const socket = net.connect({ port, host });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new KafkaClient(socket);
  }

  close(): void {
    this.socket.destroy();
  }

  /** Resolves once the broker has closed the connection. */
  async whenClosed(): Promise<void> {
    if (this.closed) return;
    await new Promise<void>((resolve) => this.socket.once('close', () => resolve()));
  }

  /** Sends a request and resolves with its answer. Requests leave in the order of the calls. */
  async request<A extends Api>(api: A, version: number, body: RequestInput<A>): Promise<ResponseOf<A>> {
    const correlationId = this.nextCorrelation++;
    const frame = encodeRequestFrame(api, version, correlationId, 'test', body);
    const answer = await this.roundTrip(correlationId, frame, api.name);
    return decodeResponseFrame(api, version, answer, 0, answer.length).body;
  }

  /** Produces one batch to one partition. With `acks` 0 the promise resolves when the bytes are with the kernel. */
  async produce(
    topic: string,
    partition: number,
    batch: Buffer | null,
    options: { acks?: number; version?: number } = {},
  ): Promise<ProduceAnswer> {
    const { acks = -1, version = VERSIONS.produce } = options;
    // From version 13 on topics are named by id.
    const named = version >= 13 ? { topicId: topic } : { name: topic };
    const body = { acks, timeoutMs: 30_000, topicData: [{ ...named, partitionData: [{ index: partition, records: batch }] }] };
    if (acks === 0) {
      const frame = encodeRequestFrame(produce, version, this.nextCorrelation++, 'test', body);
      await new Promise<void>((resolve) => this.socket.write(frame, () => resolve()));
      return { errorCode: 0, baseOffset: -1, logAppendTimeMs: -1, logStartOffset: -1 };
    }
    const answer = (await this.request(produce, version, body)).responses[0]?.partitionResponses[0];
    if (answer === undefined) throw new Error('the broker answered for no partition');
    return {
      errorCode: answer.errorCode,
      baseOffset: Number(answer.baseOffset),
      logAppendTimeMs: Number(answer.logAppendTimeMs),
      logStartOffset: Number(answer.logStartOffset),
    };
  }

  /** Fetches from one partition; does not wait for data unless told to. A `topic` of {@link VERSIONS.fetchById} is an id. */
  async fetch(
    topic: string,
    partition: number,
    offset: number,
    options: FetchOptions = {},
    version: number = VERSIONS.fetch,
  ): Promise<FetchAnswer> {
    const { maxWaitMs = 0, minBytes = 1, maxBytes = 50 << 20, partitionMaxBytes = 10 << 20 } = options;
    const named = version >= VERSIONS.fetchById ? { topicId: topic } : { topic };
    const answer = await this.request(fetch, version, {
      maxWaitMs,
      minBytes,
      maxBytes,
      topics: [{ ...named, partitions: [{ partition, fetchOffset: offset, partitionMaxBytes }] }],
      forgottenTopicsData: [],
      rackId: '',
    });
    const found = answer.responses[0]?.partitions[0];
    if (found === undefined) throw new Error(`the broker answered for no partition (error ${answer.errorCode})`);
    return {
      errorCode: found.errorCode,
      highWatermark: Number(found.highWatermark),
      logStartOffset: Number(found.logStartOffset),
      records: found.records ?? Buffer.alloc(0),
    };
  }

  /** Earliest (−2), latest (−1) or first offset at a time. */
  async listOffset(topic: string, partition: number, timestamp: number): Promise<{ errorCode: number; offset: number }> {
    const answer = await this.request(listOffsets, VERSIONS.listOffsets, {
      replicaId: -1,
      isolationLevel: 0,
      topics: [{ name: topic, partitions: [{ partitionIndex: partition, timestamp }] }],
    });
    const found = answer.topics[0]?.partitions[0];
    return { errorCode: found?.errorCode ?? -1, offset: Number(found?.offset ?? -1) };
  }

  async metadata(topics: readonly string[] | null, autoCreate = false): Promise<ResponseOf<typeof metadata>> {
    return this.request(metadata, VERSIONS.metadata, {
      topics: topics === null ? null : topics.map((name) => ({ name })),
      allowAutoTopicCreation: autoCreate,
      includeTopicAuthorizedOperations: false,
    });
  }

  /** Creates a topic; resolves with its id. Throws when the broker refuses. */
  async createTopic(name: string, partitions = 1, configs: Readonly<Record<string, string>> = {}): Promise<string> {
    const answer = await this.request(createTopics, VERSIONS.createTopics, {
      topics: [
        {
          name,
          numPartitions: partitions,
          replicationFactor: 1,
          assignments: [],
          configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
        },
      ],
      timeoutMs: 30_000,
      validateOnly: false,
    });
    const topic = answer.topics[0];
    if (topic === undefined || topic.errorCode !== 0)
      throw new Error(`topic ${name} was not created: error ${topic?.errorCode} ${topic?.errorMessage}`);
    return topic.topicId;
  }

  /** Deletes a topic by name; resolves with the error code. */
  async deleteTopic(name: string): Promise<number> {
    const answer = await this.request(deleteTopics, VERSIONS.deleteTopics, {
      topics: [{ name, topicId: 'AAAAAAAAAAAAAAAAAAAAAA' }],
      timeoutMs: 30_000,
    });
    return answer.responses[0]?.errorCode ?? -1;
  }

  /** Deletes the records below `offset` (−1: all); resolves with the error code and the new log start. */
  async deleteRecords(topic: string, partition: number, offset: number): Promise<{ errorCode: number; logStartOffset: number }> {
    const answer = await this.request(deleteRecords, VERSIONS.deleteRecords, {
      topics: [{ name: topic, partitions: [{ partitionIndex: partition, offset }] }],
      timeoutMs: 30_000,
    });
    const found = answer.topics[0]?.partitions[0];
    return { errorCode: found?.errorCode ?? -1, logStartOffset: Number(found?.lowWatermark ?? -1) };
  }

  /** Sets topic settings; resolves with the error code. */
  async alterTopic(name: string, configs: Readonly<Record<string, string>>): Promise<number> {
    const answer = await this.request(incrementalAlterConfigs, VERSIONS.alterConfigs, {
      resources: [
        {
          resourceType: RESOURCE_TOPIC,
          resourceName: name,
          configs: Object.entries(configs).map(([key, value]) => ({ name: key, configOperation: SET, value })),
        },
      ],
      validateOnly: false,
    });
    return answer.responses[0]?.errorCode ?? -1;
  }

  /** Reads a partition from `from` up to its watermark, every batch checked. Throws at the first error code. */
  async readAll(topic: string, partition: number, from = 0): Promise<SeenRecord[]> {
    const seen: SeenRecord[] = [];
    for (let offset = from; ;) {
      const answer = await this.fetch(topic, partition, offset);
      if (answer.errorCode !== 0) throw new Error(`fetch of ${topic}-${partition} at ${offset}: error ${answer.errorCode}`);
      const batches = batchesOf(answer.records);
      for (const batch of batches) for (const record of recordsOf(batch)) if (record.offset >= offset) seen.push(record);
      const last = batches.at(-1);
      if (last !== undefined) offset = lastOffset(last, 0) + 1;
      if (offset >= answer.highWatermark) return seen;
      if (last === undefined)
        throw new Error(`fetch of ${topic}-${partition} at ${offset} gave nothing below the watermark ${answer.highWatermark}`);
    }
  }

  private async roundTrip(correlationId: number, frame: Buffer, what: string): Promise<Buffer> {
    if (this.closed) throw new ConnectionLost('the connection is closed');
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<Buffer>((resolve, reject) => {
        timer = setTimeout(() => reject(new Error(`${what}: no answer within ${HANG_MS} ms`)), HANG_MS);
        this.waiting.set(correlationId, { resolve, reject });
        this.socket.write(frame);
      });
    } finally {
      clearTimeout(timer);
    }
  }

  private onData(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.buffered += chunk.length;
    while (this.buffered >= 4) {
      if ((this.chunks[0] as Buffer).length < 4) this.chunks = [Buffer.concat(this.chunks)];
      const bytes = 4 + (this.chunks[0] as Buffer).readInt32BE(0);
      if (this.buffered < bytes) return;
      const all = this.chunks.length === 1 ? (this.chunks[0] as Buffer) : Buffer.concat(this.chunks);
      const rest = all.subarray(bytes);
      this.chunks = rest.length > 0 ? [rest] : [];
      this.buffered = rest.length;
      const correlationId = all.readInt32BE(4);
      const waiter = this.waiting.get(correlationId);
      this.waiting.delete(correlationId);
      waiter?.resolve(all.subarray(4, bytes));
    }
  }
}

/** Splits fetched bytes into batches and checks each; what does not fit any more at the end is left out, as consumers do. */
export function batchesOf(bytes: Buffer): Buffer[] {
  const batches: Buffer[] = [];
  for (let at = 0; at + 61 <= bytes.length;) {
    const length = batchBytes(bytes, at);
    if (at + length > bytes.length) break;
    const batch = bytes.subarray(at, at + length);
    if (!isBatchCrcValid(batch, 0)) throw new Error(`the batch at offset ${baseOffset(batch, 0)} has a wrong CRC`);
    batches.push(batch);
    at += length;
  }
  return batches;
}

/** The records of one batch. */
export function recordsOf(batch: Buffer): SeenRecord[] {
  return [...readRecords(batch)].map((record) => ({
    offset: Number(record.offset),
    key: record.key?.toString() ?? null,
    value: (record.value ?? Buffer.alloc(0)).toString(),
    timestamp: Number(record.timestamp),
  }));
}
