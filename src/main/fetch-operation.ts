/**
 * One Fetch request from parse to answer:
 *
 *   begin → judge ─┬→ wait (long poll) ─┐  more is readable, time is up, or another request queues behind
 *            ↑     │                    │
 *            └─────┼────────────────────┘
 *                  └→ read (fetch-reading.ts) → answer → drained
 *
 * While it waits for data or for memory it holds nothing but its request. Operations are recycled: one ends only when no step is under way.
 */
import type { Timer } from '../lib/timer-wheel.ts';
import { FetchView } from '../protocol/fetch-view.ts';
import { ViewStatus } from '../protocol/view.ts';
import type { FetchEngine } from './fetch.ts';
import { judgePartition } from './fetch-judge.ts';
import { FetchReading } from './fetch-reading.ts';
import type { PartitionView, ReadableListener } from './partition-view.ts';
import type { Request } from './requests.ts';
import type { Topic } from './router.ts';
import type { SegmentView } from './segment-view.ts';

/** Shortest wait for memory before an empty answer, ms: a client that polls without waiting would only spin. */
const MEMORY_WAIT_MS_MIN = 500;

/** First version that names topics by id. */
const TOPIC_ID_VERSION = 13;

/** See the file header. Used only by {@link FetchEngine}. */
export class FetchOperation implements ReadableListener {
  /** The parsed request; positions point into `request.bytes`. */
  readonly view = new FetchView();
  readonly reading: FetchReading;
  request: Request | null = null;
  /** When the answer was given to the socket, ms. */
  drainBeganMs = 0;
  private readonly engine: FetchEngine;
  private readonly topics: (Topic | undefined)[] = [];
  private deadlineMs = 0;
  /** Bytes worth an answer before the deadline: never more than an answer can carry. */
  private bytesMin = 0;
  private timer: Timer | null = null;
  private waiting = false;
  private closed = false;
  /** Answer with what is there. */
  private hurried = false;
  /** Sum of the watermarks when the request was judged last: whether something came meanwhile. */
  private watermarksSeen = 0;
  private readonly onQueued = (): void => this.hurry();
  private readonly onClosed = (): void => this.close();
  private readonly onTimer = (): void => this.timeIsUp();

  constructor(engine: FetchEngine) {
    this.engine = engine;
    this.reading = new FetchReading(
      engine,
      this.view,
      () => this.onRead(),
      () => this.arm(Math.max(this.deadlineMs, engine.nowMs() + MEMORY_WAIT_MS_MIN)),
    );
  }

  /** Parses and begins; false: the request is malformed and nothing was begun. */
  begin(request: Request, nowMs: number): boolean {
    if (this.view.parse(request.bytes, request.bodyStart, request.bodyEnd, request.apiVersion) !== ViewStatus.OK) return false;
    this.request = request;
    this.deadlineMs = nowMs + Math.max(0, this.view.maxWaitMs);
    this.bytesMin = Math.min(this.view.minBytes, this.view.maxBytes, this.engine.responseBytesMax);
    this.closed = false;
    // A request without partitions has nothing to wait for.
    this.hurried = this.view.maxWaitMs <= 0 || this.view.partitionCount === 0;
    this.resolve(request.bytes, request.apiVersion);
    request.onQueued = this.onQueued;
    request.onClosed = this.onClosed;
    this.judge();
    return true;
  }

  /** A view this fetch waits for has changed. */
  onViewChanged(): void {
    if (this.waiting) this.judge();
  }

  /** Gives windows back and forgets the request; the engine may use the object again. */
  reset(): void {
    this.reading.releaseWindows();
    this.request = null;
    this.topics.length = 0;
    this.reading.views.length = 0;
    this.reading.errors.length = 0;
    this.reading.windows.length = 0;
  }

  private resolve(bytes: Buffer, version: number): void {
    const { view, reading } = this;
    const { router } = this.engine;
    for (let t = 0; t < view.topicCount; t++) {
      const position = view.topicPosition[t] as number;
      const length = view.topicLength[t] as number;
      this.topics.push(
        version >= TOPIC_ID_VERSION ? router.topicByIdBytes(bytes, position) : router.topicByNameBytes(bytes, position, length),
      );
    }
    for (let i = 0; i < view.partitionCount; i++) {
      reading.views.push(this.topics[view.partitionTopic[i] as number]?.partitions[view.partitionIndex[i] as number]);
      reading.errors.push(0);
      reading.windows.push(null);
    }
  }

  /** Decides between reading and waiting. */
  private judge(): void {
    const { view, reading } = this;
    const byId = (this.request as Request).apiVersion >= TOPIC_ID_VERSION;
    let failed = false;
    let available = 0;
    this.watermarksSeen = this.watermarks();
    for (let i = 0; i < view.partitionCount; i++) {
      const partition = reading.views[i];
      const offset = view.fetchOffset[i] as number;
      const error = judgePartition(
        this.topics[view.partitionTopic[i] as number],
        partition,
        offset,
        view.currentLeaderEpoch[i] as number,
        byId,
      );
      reading.errors[i] = error;
      if (error !== 0) failed = true;
      else if (available < this.bytesMin)
        available += this.available(partition as PartitionView, offset, view.partitionMaxBytes[i] as number);
    }
    if (failed || this.hurried || available >= this.bytesMin) {
      this.stopWaiting();
      reading.begin();
    } else this.wait();
  }

  /** Readable bytes from `offset` on, at most `limit`; `limit` too when it cannot be told without a look at the disk. */
  private available(partition: PartitionView, offset: number, limit: number): number {
    if (offset >= partition.highWatermark) return 0;
    const { locator } = this.engine;
    if (!locator.tryLocate(partition, offset)) return Math.max(1, limit);
    const segment = locator.segment as SegmentView;
    // What later segments hold comes with the next fetch; that they exist means that there is enough.
    return Math.max(1, segment === partition.active ? Math.min(limit, segment.endPosition - locator.position) : limit);
  }

  private onRead(): void {
    const { reading } = this;
    if (this.closed) {
      this.disarm();
      this.engine.abandon(this);
    } else if (this.hurried || reading.failed || reading.shortened || reading.bytesRead >= this.bytesMin || this.isLate()) {
      this.disarm();
      this.engine.answer(this);
    } else {
      // Less than the estimate had said. Every position is known now, so the next estimate is exact.
      reading.releaseWindows();
      if (this.watermarks() !== this.watermarksSeen) this.judge();
      else this.wait();
    }
  }

  private isLate(): boolean {
    return this.engine.nowMs() >= this.deadlineMs;
  }

  private watermarks(): number {
    let sum = 0;
    for (const partition of this.reading.views) if (partition !== undefined) sum += partition.highWatermark;
    return sum;
  }

  private wait(): void {
    if (this.waiting) return;
    this.waiting = true;
    const { views } = this.reading;
    for (let i = 0; i < views.length; i++) {
      const partition = views[i] as PartitionView;
      (partition.waiters ??= new Set()).add(this);
      const active = partition.active;
      // The next batch goes where the log ends now: its reader will need no lookup.
      const end = partition.highWatermark;
      if (active !== undefined && active.endPosition > 0 && this.view.fetchOffset[i] === end)
        partition.hints.remember(end, active.endPosition, end);
    }
    this.arm(this.deadlineMs);
  }

  private stopWaiting(): void {
    if (this.waiting) for (const partition of this.reading.views) partition?.waiters?.delete(this);
    this.waiting = false;
    this.disarm();
  }

  private arm(dueMs: number): void {
    const nowMs = this.engine.nowMs();
    this.disarm();
    this.timer = this.engine.timers.schedule(nowMs, dueMs - nowMs, this.onTimer);
  }

  private disarm(): void {
    if (this.timer !== null) this.engine.timers.cancel(this.timer);
    this.timer = null;
  }

  private timeIsUp(): void {
    this.timer = null;
    this.hurried = true;
    if (this.waiting) this.judge();
    else this.reading.giveUpMemory();
  }

  private hurry(): void {
    this.hurried = true;
    if (this.waiting) this.judge();
  }

  private close(): void {
    this.closed = true;
    const wasWaiting = this.waiting;
    this.stopWaiting();
    if (wasWaiting) this.engine.abandon(this);
    else this.reading.abandon();
  }
}
