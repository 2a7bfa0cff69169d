/**
 * Fetch: everything the operations share, the answers, and what becomes of them. Main only.
 *
 * An answer's records are views of regions of the fetch slab. They are freed when the kernel took the answer, and a connection's next fetch is not
 * handled before that, so one connection holds at most one answer. An answer that does not drain is given up after a while, sooner when others wait
 * for memory.
 */
import type { TimerWheel } from '../lib/timer-wheel.ts';
import { ErrorCode } from '../protocol/errors.ts';
import {
  FETCH_RESPONSE_HEAD_BYTES_MAX,
  FetchPartitionResult,
  FetchResponseWriter,
  fetchPartitionBytesMax,
  fetchTailBytesMax,
  fetchTopicBytesMax,
} from '../protocol/fetch-response.ts';
import { MalformedError } from '../protocol/protocol-errors.ts';
import type { DamageFinder } from './damage-finder.ts';
import { DrainWatch } from './drain-watch.ts';
import type { FetchMemory } from './fetch-memory.ts';
import type { FetchHost } from './fetch-host.ts';
import { FetchOperation, type FetchOwner } from './fetch-operation.ts';
import { FetchSession, type SessionPartition } from './fetch-session.ts';
import { FetchSessions, SESSION_EVICTION_MS } from './fetch-sessions.ts';
import type { FetchTargets } from './fetch-targets.ts';
import type { FetchWaiting } from './fetch-waiting.ts';
import type { FetchWindow, FetchWindows } from './fetch-windows.ts';
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

const NO_TRANSACTIONS: readonly never[] = [];

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
  private sweeping = false;
  private readonly spare: FetchOperation[] = [];
  private readonly writer = new FetchResponseWriter(Buffer.alloc(0));
  private readonly result = new FetchPartitionResult();
  private active = 0;
  /** Of the answer being written; see {@link layOut}. */
  private runLength = new Int32Array(64);
  private runCount = 0;

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

  /** Writes the answer of an operation that has read what it wants. */
  answer(operation: FetchOperation): void {
    const request = operation.request as Request;
    request.onQueued = null;
    request.onClosed = null;
    const pieces = this.piecesOf(operation);
    if (operation.reading.recordsTotal === 0) {
      this.recycle(operation);
      request.respond(pieces);
      return;
    }
    const drain = this.drains.begin(request.connection, operation.reading.recordsTotal);
    request.respond(pieces, () => {
      this.drains.end(drain);
      this.recycle(operation);
    });
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

  private piecesOf(operation: FetchOperation): Buffer[] {
    const { session, error } = operation;
    if (error !== ErrorCode.NONE) return this.errorPieces(operation, error, 0);
    if (operation.isOvertaken) return this.errorPieces(operation, ErrorCode.INVALID_FETCH_SESSION_EPOCH, session?.id ?? 0);
    return this.pieces(operation, session ?? this.openSession(operation));
  }

  private errorPieces(operation: FetchOperation, error: number, sessionId: number): Buffer[] {
    const request = operation.request as Request;
    operation.reading.releaseWindows();
    const scratch = Buffer.allocUnsafe(FETCH_RESPONSE_HEAD_BYTES_MAX + fetchTailBytesMax([]));
    this.writer.begin(scratch, 0, request.apiVersion, request.correlationId, 0, error, sessionId, 0);
    return [scratch.subarray(0, this.writer.end())];
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

  /** The answer's own bytes and, between them, the records; in the first answer of a session all targets are told, later only those with news. */
  private pieces(operation: FetchOperation, session: FetchSession | null): Buffer[] {
    const { targets } = operation;
    const request = operation.request as Request;
    const { writer } = this;
    this.layOut(operation);
    const scratch = Buffer.allocUnsafe(this.scratchBytes(targets));
    writer.begin(scratch, 0, request.apiVersion, request.correlationId, 0, ErrorCode.NONE, session?.id ?? 0, this.runCount);
    for (let i = 0; i < targets.count; i++) {
      const told = this.runLength[i] as number;
      if (told === 0) continue;
      const t = targets.topicOf[i] as number;
      if (told > 0) writer.topic(targets.names[t] as Buffer, targets.namePosition[t] as number, targets.nameLength[t] as number, told);
      this.writePartition(operation, i);
    }
    writer.end();
    if (session !== null && !session.closed) this.settle(targets);
    if (writer.gapCount === 0) return [scratch.subarray(0, writer.position)];
    const pieces: Buffer[] = [];
    let from = 0;
    let gap = 0;
    for (const window of targets.windows) {
      if (window === null) continue;
      const to = writer.gapPosition[gap++] as number;
      pieces.push(scratch.subarray(from, to), records(window));
      from = to;
    }
    pieces.push(scratch.subarray(from, writer.position));
    return pieces;
  }

  /**
   * Decides which targets are told, and where the topics of the answer begin: `runLength` is 0 for a target that is not told, the number of told partitions
   * of its topic for the first of them, −1 for the others.
   */
  private layOut({ session, targets }: FetchOperation): void {
    if (this.runLength.length < targets.count) this.runLength = new Int32Array(targets.capacity);
    const { runLength } = this;
    this.runCount = 0;
    let first = -1;
    for (let i = 0; i < targets.count; i++) {
      const member = targets.members[i] ?? null;
      const quiet =
        session !== null && member !== null && targets.errors[i] === ErrorCode.NONE && targets.windows[i] === null && !member.isChanged;
      runLength[i] = 0;
      if (quiet) continue;
      if (first === -1 || targets.topicOf[first] !== targets.topicOf[i]) {
        first = i;
        this.runCount++;
        runLength[i] = 1;
      } else {
        runLength[first] = (runLength[first] as number) + 1;
        runLength[i] = -1;
      }
    }
  }

  /** What was told is remembered, and what has nothing to tell any more rests. */
  private settle(targets: FetchTargets<SessionPartition>): void {
    for (let i = 0; i < targets.count; i++) targets.members[i]?.onAnswered(targets.errors[i] as number, targets.windows[i] !== null);
  }

  private writePartition(operation: FetchOperation, i: number): void {
    const { view, targets } = operation;
    const { result } = this;
    const partition = targets.views[i];
    const error = targets.errors[i] as number;
    result.clear(targets.partitionIndex[i] as number, error);
    if (error === ErrorCode.NONE && partition !== undefined) {
      result.highWatermark = partition.highWatermark;
      // Without transactions nothing is undecided.
      result.lastStableOffset = partition.highWatermark;
      result.logStartOffset = partition.logStartOffset;
      if (view.isolationLevel === 1) result.abortedTransactions = NO_TRANSACTIONS;
      result.recordsBytes = targets.windows[i]?.validBytes ?? 0;
    }
    this.writer.partition(result);
  }

  private scratchBytes(targets: FetchTargets): number {
    let bytes = FETCH_RESPONSE_HEAD_BYTES_MAX + fetchTailBytesMax([]);
    for (let i = 0; i < targets.count; i++) {
      const told = this.runLength[i] as number;
      if (told > 0) bytes += fetchTopicBytesMax(targets.nameLength[targets.topicOf[i] as number] as number);
      if (told !== 0) bytes += fetchPartitionBytesMax(0);
    }
    return bytes;
  }
}

function records(window: FetchWindow): Buffer {
  const { region } = window;
  return region.bytes.subarray(region.start, region.start + window.validBytes);
}
