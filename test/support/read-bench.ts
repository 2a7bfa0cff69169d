/** Main's read side on a real temporary folder, with a clock that a test moves, jobs that run in place, and requests without sockets. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { resolveBrokerConfig } from '../../src/config/broker-config.ts';
import { resolveTopicConfig } from '../../src/config/topic-config.ts';
import type { Job } from '../../src/jobs/job.ts';
import { runJob } from '../../src/jobs/run-job.ts';
import { TimerWheel } from '../../src/lib/timer-wheel.ts';
import { segmentPath } from '../../src/log/layout.ts';
import { NodeDisk } from '../../src/log/node-disk.ts';
import { NO_PRODUCERS } from '../../src/log/producer-table.ts';
import type { PartitionState } from '../../src/log/partition-state.ts';
import type { FetchVerify } from '../../src/main/fetch-windows.ts';
import { KeeperPool } from '../../src/main/keeper-pool.ts';
import { PartitionView } from '../../src/main/partition-view.ts';
import { ReadSide } from '../../src/main/read-side.ts';
import type { CloseListener, Request, RequestConnection } from '../../src/main/requests.ts';
import { Router, type MutableTopic } from '../../src/main/router.ts';
import type { ShardLink } from '../../src/main/shard-link.ts';
import { Steps } from '../../src/main/steps.ts';
import type { Logger } from '../../src/telemetry/logger.ts';
import { fetch } from '../../src/protocol/apis/01-fetch.ts';
import { encodeRequest } from '../../src/protocol/codec.ts';
import { decodeResponseFrame } from '../../src/protocol/frame.ts';
import { lastOffsetDelta, maxTimestamp } from '../../src/protocol/record-batch.ts';
import { buildBatch, type BatchInput } from '../../src/protocol/record.ts';
import type { Api, RequestInput, ResponseOf } from '../../src/protocol/schema.ts';
import { openerInPlace } from './opener.ts';

/** A batch as the model remembers it. */
export interface StoredBatch {
  readonly base: number;
  readonly last: number;
  readonly bytes: Buffer;
  readonly segmentBase: number;
  readonly position: number;
}

export class FakeConnection implements RequestConnection {
  readonly id = 1;
  readonly localAddress = '127.0.0.1';
  readonly localPort = 9092;
  readonly remoteAddress = '127.0.0.1';
  open = true;
  closeReason: string | null = null;
  closeListener: CloseListener | null = null;

  close(reason: string): void {
    this.open = false;
    this.closeReason = reason;
    this.closeListener?.onConnectionClosed(this);
    this.closeListener = null;
  }

  refuse(reason: string): void {
    this.close(reason);
  }
}

/** A request whose answer a test looks at. */
export class FakeRequest implements Request {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId = 77;
  readonly clientId = 'test';
  readonly bytes: Buffer;
  readonly bodyStart = 0;
  readonly bodyEnd: number;
  readonly connection: FakeConnection;
  readonly steps: Steps;
  onQueued: (() => void) | null = null;
  onClosed: (() => void) | null = null;
  /** The answer as written; null until then. */
  answer: Buffer | null = null;
  aborted: string | null = null;
  /** What was thrown after its handler had returned. */
  failed: unknown = null;
  /** Frees what the answer holds; undefined when it holds nothing. */
  onDrained: (() => void) | undefined;
  private readonly api: Api;
  private waiter: (() => void) | null = null;

  constructor(api: Api, version: number, body: object, connection = new FakeConnection(), steps = new Steps()) {
    this.api = api;
    this.steps = steps;
    this.connection = connection;
    this.apiKey = api.key;
    this.apiVersion = version;
    this.bytes = encodeRequest(api, version, body as Record<string, unknown>);
    this.bodyEnd = this.bytes.length;
  }

  respond(pieces: Buffer[], onDrained?: () => void): void {
    if (this.answer !== null) throw new Error('answered twice');
    this.answer = Buffer.concat(pieces);
    this.onDrained = onDrained;
    this.waiter?.();
  }

  becomeParked(): void {
    // Whoever looks at the body from here on finds nonsense.
    this.bytes.fill(0xdd);
  }

  abort(reason: string): void {
    this.aborted = reason;
  }

  fail(error: unknown): void {
    this.failed = error;
  }

  /** The socket took the answer. */
  drain(): void {
    const drained = this.onDrained;
    this.onDrained = undefined;
    drained?.();
  }

  /** Resolves once answered. */
  async answered(): Promise<void> {
    if (this.answer === null) await new Promise<void>((resolve) => (this.waiter = resolve));
  }

  decode<A extends Api>(api: A): ResponseOf<A> {
    if (this.answer === null) throw new Error('not answered');
    if (this.answer.readInt32BE(0) !== this.answer.length - 4) throw new Error('frame size is wrong');
    return decodeResponseFrame(api, this.apiVersion, this.answer, 4, this.answer.length).body;
  }

  get decodedApi(): Api {
    return this.api;
  }
}

export interface FetchAsk {
  readonly partition?: number;
  readonly offset: number;
  readonly maxBytes?: number;
  readonly leaderEpoch?: number;
}

export type FetchAnswer = ResponseOf<typeof fetch>;

/** One partition: the file writer that stands for its shard, and the model of what was written. */
export class LogWriter {
  view: PartitionView;
  batches: StoredBatch[] = [];
  /** Segments as the shard would hand them on. */
  state: PartitionState;
  private readonly bench: ReadBench;

  constructor(bench: ReadBench, view: PartitionView) {
    this.bench = bench;
    this.view = view;
    this.state = {
      topicId: view.topic.id,
      partition: view.partition,
      moveNumber: 0,
      logStartOffset: 0,
      endOffset: 0,
      segments: [],
      epochs: [],
      damaged: [],
      producers: NO_PRODUCERS,
    };
  }

  path(segmentBase: number): string {
    return segmentPath(this.bench.dataDir, this.view.topic.id, this.view.partition, segmentBase);
  }

  /** Appends one batch of `records` records with values of `valueBytes` bytes. */
  append(records = 1, valueBytes = 100, input: Partial<BatchInput> = {}): StoredBatch {
    const base = this.state.endOffset;
    const list = Array.from({ length: records }, (_, i) => ({ value: Buffer.alloc(valueBytes, (base + i) & 0xff) }));
    return this.appendBatch(buildBatch({ records: list, baseOffset: base, partitionLeaderEpoch: this.view.leaderEpoch, ...input }));
  }

  appendBatch(bytes: Buffer): StoredBatch {
    if (this.state.segments.length === 0) this.roll();
    const segment = this.state.segments.at(-1)!;
    const base = this.state.endOffset;
    const batch = { base, last: base + lastOffsetDelta(bytes, 0), bytes, segmentBase: segment.baseOffset, position: segment.endPosition };
    const fd = fs.openSync(this.path(segment.baseOffset), fs.constants.O_RDWR | fs.constants.O_CREAT);
    fs.writeSync(fd, bytes, 0, bytes.length, batch.position);
    fs.closeSync(fd);
    this.batches.push(batch);
    segment.endOffset = this.state.endOffset = batch.last + 1;
    segment.endPosition += bytes.length;
    segment.maxTimestamp = Math.max(segment.maxTimestamp, maxTimestamp(bytes, 0));
    this.view.onReadable(base, lastOffsetDelta(bytes, 0), batch.position, bytes.length, maxTimestamp(bytes, 0));
    return batch;
  }

  roll(capacity = 0): void {
    const previous = this.state.segments.at(-1);
    const base = this.state.endOffset;
    if (previous !== undefined && previous.baseOffset === base) return;
    fs.mkdirSync(path.dirname(this.path(base)), { recursive: true });
    fs.writeFileSync(this.path(base), '');
    this.state.segments.push({ baseOffset: base, endOffset: base, endPosition: 0, maxTimestamp: -1, capacity });
    this.view.onRolled(base, capacity, previous === undefined ? -1 : previous.endPosition);
  }

  /** Cuts behind the batch that ends below `endOffset`; the bytes stay in the file, as stale ones do. */
  truncate(endOffset: number): void {
    while (this.batches.length > 0 && this.batches.at(-1)!.last >= endOffset) this.batches.pop();
    const last = this.batches.at(-1);
    const end = last === undefined ? this.state.logStartOffset : last.last + 1;
    const segments = this.state.segments.filter((segment) => segment.baseOffset <= end);
    const active = segments.at(-1);
    if (active !== undefined) {
      const inActive = this.batches.filter((batch) => batch.segmentBase === active.baseOffset);
      active.endOffset = end;
      active.endPosition = inActive.reduce((sum, batch) => sum + batch.bytes.length, 0);
      active.maxTimestamp = inActive.reduce((max, batch) => Math.max(max, maxTimestamp(batch.bytes, 0)), -1);
    }
    this.state.segments = segments;
    this.state.endOffset = end;
    this.view.onTruncated(structuredClone(this.state));
  }

  /** Forgets everything main knows, as a restart does. */
  restart(): void {
    this.view = this.bench.replaceView(this.view, structuredClone(this.state));
  }

  /** Flips one bit of the stored byte at `position` of the segment. */
  flip(segmentBase: number, position: number, bit = 0): void {
    const fd = fs.openSync(this.path(segmentBase), 'r+');
    const byte = Buffer.alloc(1);
    fs.readSync(fd, byte, 0, 1, position);
    byte[0] = byte[0]! ^ (1 << bit);
    fs.writeSync(fd, byte, 0, 1, position);
    fs.closeSync(fd);
  }
}

export interface ReadBenchOptions {
  readonly fetchMemoryBytes?: number;
  readonly verify?: FetchVerify;
  readonly indexIntervalBytes?: number;
  readonly descriptorsMax?: number;
  readonly fetchBytesMax?: number;
  readonly sessionSlotsMax?: number;
  /** Most bytes that may come out of a compressed batch. */
  readonly openedBytesMax?: number;
}

export class ReadBench {
  readonly dataDir = fs.mkdtempSync(path.join(os.tmpdir(), 'ringlog-read-'));
  nowMs = 1000;
  readonly timers = new TimerWheel(1000);
  /** The line of steps of all its fetches. */
  readonly steps = new Steps();
  readonly router = new Router();
  readonly jobs: KeeperPool;
  readonly side: ReadSide;
  readonly logged: { message: string; fields: Record<string, unknown> }[] = [];
  readonly jobsRun: Job[] = [];
  /** Jobs wait for this before they begin. */
  jobsHeld: Promise<void> | null = null;
  private readonly options: ReadBenchOptions;
  private nextHandle = 1;
  private nextTopic = 1;

  constructor(options: ReadBenchOptions = {}) {
    this.options = options;
    const disk = new NodeDisk();
    const runner = {
      run: async (job: Job) => {
        this.jobsRun.push(job);
        if (this.jobsHeld !== null) await this.jobsHeld;
        return runJob(disk, job, () => undefined);
      },
      close: async () => undefined,
    };
    this.jobs = new KeeperPool(
      async () => runner,
      (message, error) => this.logged.push({ message, fields: { error } }),
    );
    const log = (fields: Record<string, unknown>, message: string): void => void this.logged.push({ message, fields });
    const logger: Logger = { debug: log, info: log, warn: log, error: log, fatal: log };
    this.side = new ReadSide({
      dataDir: this.dataDir,
      fetchMemoryBytes: options.fetchMemoryBytes ?? 16 << 20,
      fetchBytesMax: options.fetchBytesMax ?? 55 << 20,
      fetchSessionSlotsMax: options.sessionSlotsMax ?? 1000,
      verify: options.verify ?? 'once',
      router: this.router,
      jobs: this.jobs,
      opener: openerInPlace(options.openedBytesMax ?? 1 << 20, (error) =>
        this.logged.push({ message: 'opening failed', fields: { error } }),
      ),
      timers: this.timers,
      nowMs: () => this.nowMs,
      logger,
      ...(options.descriptorsMax === undefined ? {} : { descriptorsMax: options.descriptorsMax }),
    });
  }

  /** A visible topic with online partitions. */
  addTopic(name: string, partitions = 1): LogWriter[] {
    const broker = resolveBrokerConfig({ dataDir: this.dataDir });
    const config = { ...resolveTopicConfig({}, broker), indexIntervalBytes: this.options.indexIntervalBytes ?? 4096 };
    const id = Buffer.alloc(16, this.nextTopic++).toString('base64url');
    const topic: MutableTopic = { name, id, config, partitions: [], internal: false, deleted: false };
    const writers: LogWriter[] = [];
    for (let partition = 0; partition < partitions; partition++) {
      const view = this.makeView(topic, partition);
      topic.partitions.push(view);
      writers.push(new LogWriter(this, view));
    }
    this.router.addTopic(topic);
    return writers;
  }

  replaceView(old: PartitionView, state: PartitionState): PartitionView {
    this.side.reader.retireAll(old.dropSegments(), () => undefined);
    const view = this.makeView(old.topic as MutableTopic, old.partition);
    (old.topic as MutableTopic).partitions[old.partition] = view;
    view.loadState(state);
    return view;
  }

  /** A fetch of one topic, begun; see {@link FakeRequest}. */
  beginFetch(
    topic: string,
    asks: readonly FetchAsk[],
    options: {
      version?: number;
      maxWaitMs?: number;
      minBytes?: number;
      maxBytes?: number;
      isolationLevel?: number;
      topicId?: string;
      sessionId?: number;
      sessionEpoch?: number;
    } = {},
  ): FakeRequest {
    const {
      version = 12,
      maxWaitMs = 0,
      minBytes = 1,
      maxBytes = 50 << 20,
      isolationLevel = 0,
      sessionId = 0,
      sessionEpoch = -1,
    } = options;
    const partitions = asks.map(({ partition = 0, offset, maxBytes: partitionMaxBytes = 1 << 20, leaderEpoch = -1 }) => ({
      partition,
      fetchOffset: offset,
      partitionMaxBytes,
      currentLeaderEpoch: leaderEpoch,
    }));
    const topicId = options.topicId ?? this.router.topicByName(topic)?.id ?? Buffer.alloc(16, 0xee).toString('base64url');
    const body: RequestInput<typeof fetch> = {
      maxWaitMs,
      minBytes,
      maxBytes,
      isolationLevel,
      sessionId,
      sessionEpoch,
      topics: [version >= 13 ? { topicId, partitions } : { topic, partitions }],
      forgottenTopicsData: [],
      rackId: '',
    };
    const request = new FakeRequest(fetch, version, body, new FakeConnection(), this.steps);
    this.side.fetch.handle(request);
    return request;
  }

  /** A whole fetch of partition 0: its answer; the answer is drained at once. */
  async fetch(topic: string, asks: readonly FetchAsk[], options: Parameters<ReadBench['beginFetch']>[2] = {}): Promise<FetchAnswer> {
    const request = this.beginFetch(topic, asks, options);
    await request.answered();
    const answer = request.decode(fetch);
    request.drain();
    return answer;
  }

  /** Time passes. */
  advance(ms: number): void {
    this.nowMs += ms;
    this.timers.advance(this.nowMs);
  }

  close(): void {
    this.side.reader.closeAll();
    fs.rmSync(this.dataDir, { recursive: true, force: true });
  }

  private makeView(topic: MutableTopic, partition: number): PartitionView {
    const link = { index: 0, class: 'buffered' } as unknown as ShardLink;
    const view = new PartitionView(this.nextHandle++, partition, topic, link, 3, topic.config.indexIntervalBytes, this.side);
    this.router.addView(view);
    view.becomeState('online');
    return view;
  }
}

/** Lets microtasks and a few turns of the event loop pass. */
export async function settle(turns = 5): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
}
