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
 *
 * Many partitions are looked up, judged and read in steps (steps.ts), with others in between. What changes meanwhile is seen like what changes during a read:
 * the watermarks are compared before it begins to wait.
 */
import type { Timer } from '../lib/timer-wheel.ts';
import { ErrorCode } from '../protocol/errors.ts';
import { FetchView } from '../protocol/fetch-view.ts';
import { ViewStatus } from '../protocol/view.ts';
import type { FetchAnswer } from './fetch-answer.ts';
import type { FetchHost } from './fetch-host.ts';
import { judgePartition } from './fetch-judge.ts';
import { FetchReading } from './fetch-reading.ts';
import type { FetchSession, SessionPartition, SessionWaiter } from './fetch-session.ts';
import { FetchTargets, TOPIC_ID_VERSION } from './fetch-targets.ts';
import type { Sleeper } from './fetch-waiting.ts';
import type { PartitionView, ReadableListener } from './partition-view.ts';
import type { Request } from './requests.ts';
import type { SegmentView } from './segment-view.ts';
import { Watch } from './watch.ts';

/** Shortest wait for memory before an empty answer, ms: a client that polls without waiting would only spin. */
const MEMORY_WAIT_MS_MIN = 500;

/** Operations that had room for more partitions are not kept for reuse. */
const PARTITIONS_KEPT_MAX = 4096;

/** Topics and partitions that are looked up in one step … */
const LOOKUPS_PER_STEP = 2000;
/** … and partitions judged: about a third of a millisecond. */
const JUDGED_PER_STEP = 4000;
/** An answer about more partitions than this begins with a step of its own. */
const ANSWERED_AT_ONCE_MAX = 2000;

/** What becomes of an operation at its end. */
export interface FetchOwner extends FetchHost {
  /** It has read what it wants, or goes on with its answer. */
  answer(operation: FetchOperation): void;
  /** Its connection is gone. */
  abandon(operation: FetchOperation): void;
}

/** Where an operation goes on in its next step. */
const Phase = { lookUp: 0, judge: 1, judgeAnew: 2, answer: 3 } as const;
type Phase = (typeof Phase)[keyof typeof Phase];

/** See the file header. */
export class FetchOperation implements ReadableListener, SessionWaiter, Sleeper {
  /** The parsed request; positions point into `request.bytes`. */
  readonly view = new FetchView();
  readonly targets = new FetchTargets<SessionPartition>();
  readonly reading: FetchReading;
  request: Request | null = null;
  isNamed = false;
  /** The session whose partitions are asked for; null: those of the request are. */
  session: FetchSession | null = null;
  /** Error of the request as a whole: nothing is read. */
  error: number = ErrorCode.NONE;
  /** The answer being made in steps; null: none is begun. */
  answer: FetchAnswer | null = null;
  private readonly engine: FetchOwner;
  /** Epoch of the session since this request: another one means that another request goes on with it. */
  private sessionEpoch = 0;
  private deadlineMs = 0;
  /** Bytes worth an answer before the deadline: never more than an answer can carry. */
  private bytesMin = 0;
  private timer: Timer | null = null;
  private waiting = false;
  /** By partition; made when first needed. */
  private readonly watches: Watch[] = [];
  private closed = false;
  /** A step waits for its turn in the line of large requests. */
  private stepping = false;
  private phase: Phase = Phase.lookUp;
  /** Of the judgement under way: partitions judged, … */
  private judged = 0;
  /** … bytes readable in them, about, … */
  private available = 0;
  /** … whether one of them has an error, … */
  private hasFailed = false;
  /** … and whether it was woken meanwhile. */
  private isStale = false;
  /** Answer with what is there. */
  private hurried = false;
  /** Sum of the watermarks when the request was judged last: whether something came meanwhile. */
  private watermarksSeen = 0;
  private readonly onQueued = (): void => this.hurry();
  private readonly onClosed = (): void => this.close();
  private readonly onStep = (): void => this.step();
  private readonly onTimer = (): void => this.timeIsUp();

  constructor(engine: FetchOwner) {
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
    const { view, targets } = this;
    const partitions = Math.max(view.partitionCapacity, view.forgotten.partitionCapacity, targets.capacity);
    return Math.max(partitions, targets.topics.length) > PARTITIONS_KEPT_MAX; // topics may come without partitions
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
    request.onQueued = this.onQueued;
    request.onClosed = this.onClosed;
    // To parse that many was a step already.
    if (this.view.partitionCount > LOOKUPS_PER_STEP) this.rest(Phase.lookUp);
    else this.lookUp();
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
    if (this.stepping) this.isStale = true;
    else if (this.waiting) this.judge();
  }

  /** Its owner goes on with `answer` in a later step. */
  answerLater(answer: FetchAnswer): void {
    this.answer = answer;
    this.rest(Phase.answer);
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
    this.answer = null;
    this.targets.clear();
  }

  private enterSession(session: FetchSession, request: Request): void {
    // What changed before this request must be due.
    this.engine.waiting.flush();
    this.sessionEpoch = session.epoch;
    session.becomeUsed(request.connection);
    session.becomeAwaited(this);
  }

  /** Finds the partitions of the request, if it is they that are asked for. */
  private lookUp(): void {
    const { session, error, view, request, engine } = this;
    const isOwn = session === null && error === ErrorCode.NONE;
    if (isOwn && !this.targets.addRequest(view, (request as Request).bytes, engine.router, LOOKUPS_PER_STEP)) this.rest(Phase.lookUp);
    else this.judge();
  }

  /** Decides between reading and waiting. */
  private judge(): void {
    const { targets, session } = this;
    if (session !== null) {
      targets.clear();
      session.collect(targets, this.engine.router);
    }
    this.watermarksSeen = this.watermarks();
    this.judged = 0;
    this.available = 0;
    this.hasFailed = false;
    this.isStale = false;
    this.judgeOn();
  }

  private judgeOn(): void {
    const { targets } = this;
    const isStepped = this.judged > 0;
    const end = Math.min(targets.count, this.judged + JUDGED_PER_STEP);
    this.judgeUpTo(end);
    if (end < targets.count) this.rest(Phase.judge);
    else if (this.hasFailed || this.hurried || this.available >= this.bytesMin) {
      this.stopWaiting();
      this.reading.begin(this.view.maxBytes, (this.request as Request).steps);
    } else if (isStepped && (this.isStale || this.hasNews())) this.rest(Phase.judgeAnew);
    else this.wait();
  }

  private judgeUpTo(end: number): void {
    const { targets } = this;
    const byId = (this.request as Request).apiVersion >= TOPIC_ID_VERSION;
    let { available } = this;
    for (let i = this.judged; i < end; i++) {
      const partition = targets.views[i];
      const offset = targets.offset[i] as number;
      const error = judgePartition(targets.topic(i), partition, offset, targets.leaderEpoch[i] as number, byId);
      targets.errors[i] = error;
      if (error !== ErrorCode.NONE) this.hasFailed = true;
      else if (available < this.bytesMin) available += this.availableIn(partition as PartitionView, offset, targets.bytesMax[i] as number);
    }
    this.engine.partitionsJudged += end - this.judged;
    this.available = available;
    this.judged = end;
  }

  /** Goes on in a step of its own, when others had theirs. */
  private rest(phase: Phase): void {
    this.phase = phase;
    this.stepping = true;
    // New data could have it judged again and again: not for longer than the client would wait.
    if (phase !== Phase.answer && !this.hurried && this.timer === null) this.arm(this.deadlineMs);
    (this.request as Request).steps.add(this.onStep);
  }

  private step(): void {
    this.stepping = false;
    if (this.closed) this.engine.abandon(this);
    else if (this.phase === Phase.lookUp) this.lookUp();
    else if (this.phase === Phase.judge) this.judgeOn();
    else if (this.phase === Phase.answer) this.engine.answer(this);
    else this.judge();
  }

  /** Readable bytes from `offset` on, at most `limit`; `limit` too when it cannot be told without a look at the disk. */
  private availableIn(partition: PartitionView, offset: number, limit: number): number {
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
      if (this.targets.count > ANSWERED_AT_ONCE_MAX) this.rest(Phase.answer);
      else this.engine.answer(this);
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
    const { views, count } = this.targets;
    for (let i = 0; i < count; i++) sum += views[i]?.highWatermark ?? 0;
    return sum;
  }

  private wait(): void {
    const { views, members, offset, count } = this.targets;
    for (let i = 0; i < count; i++) {
      const member = members[i] ?? null;
      // A session's partitions that rest are watched already.
      if (member !== null) member.watch();
      else if (!this.waiting) {
        const partition = views[i] as PartitionView;
        (this.watches[i] ??= new Watch(this)).begin(partition);
        partition.rememberEnd(offset[i] as number);
      }
    }
    if (this.waiting) return;
    this.waiting = true;
    this.arm(this.deadlineMs);
  }

  private stopWaiting(): void {
    // A session's partitions stay watched: each leaves with the first change.
    if (this.waiting && this.session === null) for (let i = 0; i < this.targets.count; i++) this.watches[i]?.end();
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
    if (this.stepping) return;
    if (this.waiting) this.judge();
    else this.reading.giveUpMemory();
  }

  private hurry(): void {
    this.hurried = true;
    if (this.waiting && !this.stepping) this.judge();
  }

  private close(): void {
    this.closed = true;
    const wasWaiting = this.waiting;
    this.stopWaiting();
    // It ends when the step has its turn.
    if (this.stepping) return;
    if (wasWaiting) this.engine.abandon(this);
    else this.reading.abandon();
  }
}
