/**
 * Fetch: everything the operations share, the answers, and what becomes of them. Main only.
 *
 * An answer's records are views of regions of the fetch slab. They are freed when the kernel took the answer, and a connection's next fetch is not
 * handled before that, so one connection holds at most one answer. An answer that does not drain is given up after a while, sooner when others wait
 * for memory.
 */
import type { TimerWheel } from '../lib/timer-wheel.ts';
import { ErrorCode } from '../protocol/errors.ts';
import { MalformedError } from '../protocol/protocol-errors.ts';
import type { DamageFinder } from './damage-finder.ts';
import { DrainWatch } from './drain-watch.ts';
import { FetchAnswer, fetchErrorAnswer } from './fetch-answer.ts';
import type { FetchMemory } from './fetch-memory.ts';
import type { FetchHost } from './fetch-host.ts';
import { FetchOperation, type FetchOwner } from './fetch-operation.ts';
import { FetchSession } from './fetch-session.ts';
import { FetchSessions, SESSION_EVICTION_MS } from './fetch-sessions.ts';
import type { FetchWaiting } from './fetch-waiting.ts';
import type { FetchWindows } from './fetch-windows.ts';
import type { Locator } from './locator.ts';
import type { PartitionView } from './partition-view.ts';
import type { Request } from './requests.ts';
import type { Router } from './router.ts';
import type { SegmentView } from './segment-view.ts';

/** Bytes of records of an answer, about; one larger first batch is given whole. */
export const RESPONSE_BYTES = 1024 * 1024;

/** Operations kept for reuse. */
const SPARE_MAX = 64;

/** Sessions in a row that a connection may leave unused. */
const SESSIONS_UNUSED_MAX = 3;

/** Partitions told in one step. An answer about more is made in several. */
const ANSWERED_PER_STEP = 2000;

/** What the engine needs, made by the composition root. */
export interface FetchEngineParts extends Omit<FetchHost, 'sessions' | 'responseBytesMax' | 'partitionsJudged'> {
  /** `fetch.max.bytes`. */
  readonly fetchBytesMax: number;
  /** `max.incremental.fetch.session.cache.slots`. */
  readonly sessionSlotsMax: number;
  /** A random number from 1 to 2147483647, for the id of a session. */
  readonly nextSessionId: () => number;
}

/** See the file header. */
export class FetchEngine implements FetchOwner {
  readonly router: Router;
  readonly memory: FetchMemory;
  readonly windows: FetchWindows;
  readonly locator: Locator;
  readonly damage: DamageFinder;
  readonly timers: TimerWheel;
  readonly nowMs: () => number;
  readonly responseBytesMax: number;
  readonly onReadError: (view: PartitionView, segment: SegmentView, error: Error) => void;
  readonly drains: DrainWatch;
  readonly waiting: FetchWaiting;
  readonly sessions: FetchSessions;
  /** Partitions looked at, by all fetches so far. */
  partitionsJudged = 0;
  /** Bytes of records in all answers so far. */
  recordBytes = 0;
  private sweeping = false;
  private readonly spare: FetchOperation[] = [];
  /** For all answers that are made in one step. */
  private readonly ordinary = new FetchAnswer();
  private active = 0;

  constructor(parts: FetchEngineParts) {
    this.router = parts.router;
    this.memory = parts.memory;
    this.windows = parts.windows;
    this.locator = parts.locator;
    this.damage = parts.damage;
    this.timers = parts.timers;
    this.nowMs = parts.nowMs;
    this.responseBytesMax = Math.min(RESPONSE_BYTES, parts.fetchBytesMax);
    this.onReadError = parts.onReadError;
    this.drains = new DrainWatch(this.timers, this.nowMs, this.memory);
    this.waiting = parts.waiting;
    this.sessions = new FetchSessions({
      slotsMax: parts.sessionSlotsMax,
      nextId: parts.nextSessionId,
      onAbandoned: () => this.sweepLater(),
    });
  }

  /** Requests being handled or drained. */
  get operations(): number {
    return this.active;
  }

  /** Handles one Fetch request. Throws MalformedError. */
  readonly handle = (request: Request): void => {
    const operation = this.spare.pop() ?? new FetchOperation(this);
    this.active++;
    if (operation.begin(request, this.nowMs())) return;
    this.recycle(operation);
    throw new MalformedError('Fetch request', '', request.bodyStart, 'it does not parse');
  };

  /** Writes the answer of an operation that has read what it wants; called again if that takes several steps. */
  answer(operation: FetchOperation): void {
    const answer = operation.answer ?? this.beginAnswer(operation);
    if (answer !== null && !answer.write(ANSWERED_PER_STEP)) {
      operation.answerLater(answer);
      return;
    }
    this.respond(operation, answer === null ? this.refusal(operation) : answer.finish());
  }

  /** The connection is gone. */
  abandon(operation: FetchOperation): void {
    const request = operation.request as Request;
    this.recycle(operation);
    request.respond([]);
  }

  private recycle(operation: FetchOperation): void {
    operation.reset();
    this.active--;
    if (this.spare.length < SPARE_MAX && !operation.isLarge) this.spare.push(operation);
  }

  /** Sessions that lost their connection are ended after a while; a new one that finds no slot does not wait for that. */
  private sweepLater(): void {
    if (this.sweeping) return;
    this.sweeping = true;
    this.timers.schedule(this.nowMs(), SESSION_EVICTION_MS + 1, () => {
      this.sweeping = false;
      this.sessions.expire(this.nowMs());
      if (this.sessions.abandoned > 0) this.sweepLater();
    });
  }

  /** Null: the request as a whole is in error. */
  private beginAnswer(operation: FetchOperation): FetchAnswer | null {
    if (operation.error !== ErrorCode.NONE || operation.isOvertaken) return null;
    const { targets, view } = operation;
    const answer = targets.count > ANSWERED_PER_STEP ? new FetchAnswer() : this.ordinary;
    answer.begin(operation.request as Request, targets, view.isolationLevel, operation.session ?? this.openSession(operation));
    return answer;
  }

  private refusal({ request, reading, error, session }: FetchOperation): Buffer[] {
    reading.releaseWindows();
    if (error !== ErrorCode.NONE) return fetchErrorAnswer(request as Request, error, 0);
    return fetchErrorAnswer(request as Request, ErrorCode.INVALID_FETCH_SESSION_EPOCH, session?.id ?? 0);
  }

  private respond(operation: FetchOperation, pieces: Buffer[]): void {
    const request = operation.request as Request;
    request.onQueued = null;
    request.onClosed = null;
    if (operation.reading.recordsTotal === 0) {
      this.recycle(operation);
      request.respond(pieces);
      return;
    }
    this.recordBytes += operation.reading.recordsTotal;
    const drain = this.drains.begin(request.connection, operation.reading.recordsTotal);
    request.respond(pieces, () => {
      this.drains.end(drain);
      this.recycle(operation);
    });
  }

  /**
   * The session that a full request asks for. Some clients ask for one with each fetch and use none (@platformatic/kafka does): the next one takes the place of
   * the one before, and after a few the connection gets no more.
   */
  private openSession(operation: FetchOperation): FetchSession | null {
    const { connection } = operation.request as Request;
    const previous = connection.closeListener;
    let unused = 0;
    if (previous instanceof FetchSession && previous.isUnused) {
      unused = previous.unusedBefore + 1;
      if (unused === SESSIONS_UNUSED_MAX) return null;
      this.sessions.close(previous);
    }
    const session = this.sessions.open(operation.view, operation.targets, this.nowMs());
    if (session === null) return null;
    session.unusedBefore = unused;
    session.becomeUsed(connection);
    return session;
  }
}
