/**
 * One Fetch request from parse to answer:
 *
 *   begin → judge ─┬→ wait (long poll) ─┐  more is readable, time is up, another request queues behind, or the session is lost
 *            ↑     │                    │
 *            └─────┼────────────────────┘
 *                  └→ read (fetch-reading.ts) → answer → drained
 *
 * Without a session its targets are the partitions of the request, and it waits for each of them. In a session they are the due partitions, found anew at each
 * judgement, and the session tells it of changes. While it waits for data or for memory it holds nothing but its request. Operations are recycled: one ends
 * only when no step is under way.
 */
import type { Timer } from '../lib/timer-wheel.ts';
import { ErrorCode } from '../protocol/errors.ts';
import { FetchView } from '../protocol/fetch-view.ts';
import { ViewStatus } from '../protocol/view.ts';
import type { FetchEngine } from './fetch.ts';
import { judgePartition } from './fetch-judge.ts';
import { FetchReading } from './fetch-reading.ts';
import type { FetchSession, SessionPartition, SessionWaiter } from './fetch-session.ts';
import { FetchTargets, TOPIC_ID_VERSION } from './fetch-targets.ts';
import type { Sleeper } from './fetch-waiting.ts';
import type { PartitionView, ReadableListener } from './partition-view.ts';
import type { Request } from './requests.ts';
import type { SegmentView } from './segment-view.ts';

/** Shortest wait for memory before an empty answer, ms: a client that polls without waiting would only spin. */
const MEMORY_WAIT_MS_MIN = 500;

/** Operations that had room for more partitions are not kept for reuse. */
const PARTITIONS_KEPT_MAX = 4096;

/** See the file header. Used only by {@link FetchEngine}. */
export class FetchOperation implements ReadableListener, SessionWaiter, Sleeper {
  /** The parsed request; positions point into `request.bytes`. */
  readonly view = new FetchView();
  readonly targets = new FetchTargets();
  readonly reading: FetchReading;
  request: Request | null = null;
  /** The session whose partitions are asked for; null: those of the request are. */
  session: FetchSession | null = null;
  /** Error of the request as a whole: nothing is read. */
  error: number = ErrorCode.NONE;
  private readonly engine: FetchEngine;
  /** Epoch of the session since this request: another one means that another request goes on with it. */
  private sessionEpoch = 0;
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
      this.targets,
      () => this.onRead(),
      () => this.arm(Math.max(this.deadlineMs, engine.nowMs() + MEMORY_WAIT_MS_MIN)),
    );
  }

  /** Whether it grew so large that it is not worth keeping. */
  get isLarge(): boolean {
    return Math.max(this.view.partitionCapacity, this.view.forgotten.partitionCapacity, this.targets.capacity) > PARTITIONS_KEPT_MAX;
  }

  /** Parses and begins; false: the request is malformed and nothing was begun. */
  begin(request: Request, nowMs: number): boolean {
    if (this.view.parse(request.bytes, request.bodyStart, request.bodyEnd, request.apiVersion) !== ViewStatus.OK) return false;
    this.request = request;
    this.deadlineMs = nowMs + Math.max(0, this.view.maxWaitMs);
    this.bytesMin = Math.min(this.view.minBytes, this.view.maxBytes, this.engine.responseBytesMax);
    this.closed = false;
    this.error = this.engine.sessions.enter(this.view, request.bytes, nowMs);
    this.session = this.engine.sessions.entered;
    // A request without partitions has nothing to wait for, and one in error does not wait.
    this.hurried = this.view.maxWaitMs <= 0 || this.error !== ErrorCode.NONE;
    if (this.session !== null) this.enterSession(this.session, request);
    else if (this.view.partitionCount === 0) this.hurried = true;
    else if (this.error === ErrorCode.NONE) this.targets.addRequest(this.view, request.bytes, this.engine.router);
    request.onQueued = this.onQueued;
    request.onClosed = this.onClosed;
    this.judge();
    return true;
  }

  /** A view this fetch waits for has changed. */
  onViewChanged(): void {
    if (this.waiting) this.engine.waiting.wake(this);
  }

  onSessionChanged(): void {
    if (this.waiting) this.engine.waiting.wake(this);
  }

  onSessionLost(): void {
    this.hurried = true;
    if (this.waiting) this.engine.waiting.wake(this);
  }

  onWoken(): void {
    if (this.waiting) this.judge();
  }

  /** Another request goes on with the session: this one's answer would be out of turn. */
  get isOvertaken(): boolean {
    return this.session !== null && this.session.epoch !== this.sessionEpoch;
  }

  /** Gives windows back and forgets the request; the engine may use the object again. */
  reset(): void {
    this.reading.releaseWindows();
    this.session?.leave(this);
    this.session = null;
    this.request = null;
    this.targets.clear();
  }

  private enterSession(session: FetchSession, request: Request): void {
    // What changed before this request must be due.
    this.engine.waiting.flush();
    this.sessionEpoch = session.epoch;
    session.becomeUsed(request.connection);
    session.becomeAwaited(this);
  }

  /** Decides between reading and waiting. */
  private judge(): void {
    const { view, targets, session } = this;
    if (session !== null) {
      targets.clear();
      session.collect(targets, this.engine.router);
    }
    const byId = (this.request as Request).apiVersion >= TOPIC_ID_VERSION;
    let failed = false;
    let available = 0;
    this.watermarksSeen = this.watermarks();
    for (let i = 0; i < targets.count; i++) {
      const partition = targets.views[i];
      const offset = targets.offset[i] as number;
      const error = judgePartition(targets.topic(i), partition, offset, targets.leaderEpoch[i] as number, byId);
      targets.errors[i] = error;
      if (error !== ErrorCode.NONE) failed = true;
      else if (available < this.bytesMin) available += this.available(partition as PartitionView, offset, targets.bytesMax[i] as number);
    }
    this.engine.partitionsJudged += targets.count;
    if (failed || this.hurried || available >= this.bytesMin) {
      this.stopWaiting();
      this.reading.begin(view.maxBytes);
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
      if (this.hasNews()) this.judge();
      else this.wait();
    }
  }

  private isLate(): boolean {
    return this.engine.nowMs() >= this.deadlineMs;
  }

  /** Whether something came since the last judgement. */
  private hasNews(): boolean {
    return this.watermarks() !== this.watermarksSeen || (this.session !== null && this.session.dueCount !== this.targets.count);
  }

  private watermarks(): number {
    let sum = 0;
    for (const partition of this.targets.views) if (partition !== undefined) sum += partition.highWatermark;
    return sum;
  }

  private wait(): void {
    const { views, members, offset, count } = this.targets;
    for (let i = 0; i < count; i++) {
      const member = members[i] as SessionPartition | null;
      // A session's partitions that rest are watched already.
      if (member !== null) member.watch();
      else if (!this.waiting) {
        const partition = views[i] as PartitionView;
        (partition.waiters ??= new Set()).add(this);
        partition.rememberEnd(offset[i] as number);
      }
    }
    if (this.waiting) return;
    this.waiting = true;
    this.arm(this.deadlineMs);
  }

  private stopWaiting(): void {
    // A session's partitions stay watched: each leaves with the first change.
    if (this.waiting && this.session === null) for (const partition of this.targets.views) partition?.waiters?.delete(this);
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
