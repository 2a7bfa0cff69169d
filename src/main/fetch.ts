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
import { FetchOperation } from './fetch-operation.ts';
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

const NO_TRANSACTIONS: readonly never[] = [];

/** What the engine needs, made by the composition root. */
export interface FetchEngineParts {
  readonly router: Router;
  readonly memory: FetchMemory;
  readonly windows: FetchWindows;
  readonly locator: Locator;
  readonly damage: DamageFinder;
  readonly timers: TimerWheel;
  /** Monotonic, ms. */
  readonly nowMs: () => number;
  /** `fetch.max.bytes`. */
  readonly fetchBytesMax: number;
  /** A read of a segment failed; nothing is known about its bytes. */
  readonly onReadError: (view: PartitionView, segment: SegmentView, error: Error) => void;
}

/** See the file header. */
export class FetchEngine {
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
  private readonly spare: FetchOperation[] = [];
  private readonly writer = new FetchResponseWriter(Buffer.alloc(0));
  private readonly result = new FetchPartitionResult();
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
    const pieces = this.isUnknownSession(operation) ? this.sessionError(operation) : this.pieces(operation);
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
    if (this.spare.length < SPARE_MAX) this.spare.push(operation);
  }

  /** This broker hands out no sessions, so an incremental request names one that it does not know. */
  private isUnknownSession(operation: FetchOperation): boolean {
    return operation.view.sessionId !== 0 && operation.view.sessionEpoch > 0;
  }

  private sessionError(operation: FetchOperation): Buffer[] {
    const request = operation.request as Request;
    operation.reading.releaseWindows();
    const scratch = Buffer.allocUnsafe(FETCH_RESPONSE_HEAD_BYTES_MAX + fetchTailBytesMax([]));
    this.writer.begin(scratch, 0, request.apiVersion, request.correlationId, 0, ErrorCode.FETCH_SESSION_ID_NOT_FOUND, 0, 0);
    return [scratch.subarray(0, this.writer.end())];
  }

  private pieces(operation: FetchOperation): Buffer[] {
    const { view, reading } = operation;
    const request = operation.request as Request;
    const { writer } = this;
    const scratch = Buffer.allocUnsafe(this.scratchBytes(operation));
    writer.begin(scratch, 0, request.apiVersion, request.correlationId, 0, ErrorCode.NONE, 0, view.topicCount);
    for (let t = 0; t < view.topicCount; t++) {
      const first = view.topicFirstPartition[t] as number;
      const end = view.topicEndPartition(t);
      writer.topic(request.bytes, view.topicPosition[t] as number, view.topicLength[t] as number, end - first);
      for (let i = first; i < end; i++) this.writePartition(operation, i);
    }
    writer.end();
    if (writer.gapCount === 0) return [scratch.subarray(0, writer.position)];
    const pieces: Buffer[] = [];
    let from = 0;
    let gap = 0;
    for (const window of reading.windows) {
      if (window === null) continue;
      const to = writer.gapPosition[gap++] as number;
      pieces.push(scratch.subarray(from, to), records(window));
      from = to;
    }
    pieces.push(scratch.subarray(from, writer.position));
    return pieces;
  }

  private writePartition(operation: FetchOperation, i: number): void {
    const { view, reading } = operation;
    const { result } = this;
    const partition = reading.views[i];
    const error = reading.errors[i] as number;
    result.clear(view.partitionIndex[i] as number, error);
    if (error === ErrorCode.NONE && partition !== undefined) {
      result.highWatermark = partition.highWatermark;
      // Without transactions nothing is undecided.
      result.lastStableOffset = partition.highWatermark;
      result.logStartOffset = partition.logStartOffset;
      if (view.isolationLevel === 1) result.abortedTransactions = NO_TRANSACTIONS;
      result.recordsBytes = reading.windows[i]?.validBytes ?? 0;
    }
    this.writer.partition(result);
  }

  private scratchBytes(operation: FetchOperation): number {
    const { view } = operation;
    let bytes = FETCH_RESPONSE_HEAD_BYTES_MAX + fetchTailBytesMax([]) + view.partitionCount * fetchPartitionBytesMax(0);
    for (let t = 0; t < view.topicCount; t++) bytes += fetchTopicBytesMax(view.topicLength[t] as number);
    return bytes;
  }
}

function records(window: FetchWindow): Buffer {
  const { region } = window;
  return region.bytes.subarray(region.start, region.start + window.validBytes);
}
