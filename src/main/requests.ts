/**
 * What a connection still owes an answer for. Main only.
 *
 * A Produce is a {@link PendingProduce} (produce.ts), recycled; any other request is an {@link ApiRequest}, which its handler may keep as long as it
 * likes. Both wait in the queue of their connection, where answers leave in the order of the requests.
 */
import { assert } from '../lib/assert.ts';
import { Area, Grant, type ReceiveRegions } from './regions.ts';
import type { Steps } from './steps.ts';

/** Who outlives the requests of a connection and wants to know its end. */
export interface CloseListener {
  onConnectionClosed(connection: RequestConnection): void;
}

/** What a handler may know of the connection a request came on. */
export interface RequestConnection {
  readonly id: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly open: boolean;
  /** Told once when the connection closes: the fetch session that it used last. */
  closeListener: CloseListener | null;
  /** Closes the connection, whatever it still owes. */
  close(reason: string): void;
  /** The same for what the client sent, which is said in the log. */
  refuse(reason: string): void;
}

/** What a handler of any API but Produce gets. */
export interface Request {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
  readonly clientId: string | null;
  /** Holds the body from `bodyStart` to `bodyEnd`, until `respond` or `abort`. */
  readonly bytes: Buffer;
  readonly bodyStart: number;
  readonly bodyEnd: number;
  readonly connection: RequestConnection;
  /** Where much work takes turns with that of others. */
  readonly steps: Steps;
  /**
   * Answers, exactly once. The pieces, together one whole frame, are written in order; `onDrained` runs when the kernel took them all or the socket died.
   * The request's own bytes are freed.
   */
  respond(pieces: Buffer[], onDrained?: () => void): void;
  /**
   * The answer may take long, and the handler keeps nothing of the body: its bytes are freed now, and if it is a large request, others get its turn.
   */
  becomeParked(): void;
  /** Closes the connection without an answer, for what the client sent. */
  abort(reason: string): void;
  /** For what is thrown where no handler is above it any more, as in a callback of later: like an exception of the handler. */
  fail(error: unknown): void;
  /** Called when another request queues behind this one; at once (in a microtask) if that is so already. */
  onQueued: (() => void) | null;
  /** Called when the connection closes before the answer; at once (in a microtask) if that is so already. `respond` is allowed and does nothing then. */
  onClosed: (() => void) | null;
}

/** Handles requests of one API. A MalformedError closes the connection; any other exception is a bug, logged, and closes it too. */
export type Handler = (request: Request) => void | Promise<void>;

/** What an {@link ApiRequest} needs of its connection. */
export interface ApiRequestOwner extends RequestConnection {
  onAnswered(): void;
  /** Whether an answer is wanted now rather than a full one: another request waits behind this one, or the broker stops. */
  readonly isHurried: boolean;
}

/** Who deals with what handlers throw. */
export interface RequestFailures {
  onThrown(request: ApiRequest, error: unknown): void;
}

/** A request of any API but Produce. */
export class ApiRequest implements Request {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
  readonly clientId: string | null;
  readonly bytes: Buffer;
  readonly bodyStart: number;
  readonly bodyEnd: number;
  readonly connection: ApiRequestOwner;
  readonly steps: Steps;
  /** Set by `respond`, until the connection writes them. */
  pieces: Buffer[] | null = null;
  onDrained: (() => void) | null = null;
  /** The answer may be written. */
  done = false;
  /** An ApiVersions request of a version nobody knows. */
  unsupported = false;
  /** Its handler runs, or ran. */
  started = false;
  /** The handler will not touch the bytes any more unless its callbacks run. */
  settled = false;
  /** It waits for what other clients do, however long. */
  parked = false;
  /** Called once nothing of the request is left: the kernel took the answer, or nobody will. */
  onReleased: (() => void) | null = null;
  /** Bytes of the answer, once there is one. */
  answerBytes = 0;
  /** Stages of its life, monotonic: arrived whole, started, answered (see request-metrics.ts). */
  arrivedMs = 0;
  startedMs = 0;
  doneMs = 0;
  private readonly grant = new Grant();
  private readonly regions: ReceiveRegions;
  private readonly failures: RequestFailures;
  private queuedCallback: (() => void) | null = null;
  private closedCallback: (() => void) | null = null;
  private closed = false;

  constructor(
    connection: ApiRequestOwner,
    header: { readonly apiKey: number; readonly apiVersion: number; readonly correlationId: number; readonly bodyStart: number },
    clientId: string | null,
    bytes: Buffer,
    bodyEnd: number,
    grant: Grant | null,
    regions: ReceiveRegions,
    steps: Steps,
    failures: RequestFailures,
  ) {
    this.connection = connection;
    this.apiKey = header.apiKey;
    this.apiVersion = header.apiVersion;
    this.correlationId = header.correlationId;
    this.clientId = clientId;
    this.bytes = bytes;
    this.bodyStart = header.bodyStart;
    this.bodyEnd = bodyEnd;
    this.regions = regions;
    this.steps = steps;
    this.failures = failures;
    if (grant !== null) grant.moveTo(this.grant);
  }

  /** Whether its bytes lie in memory that others may wait for. */
  get hasMemory(): boolean {
    return this.grant.area !== Area.none;
  }

  get onQueued(): (() => void) | null {
    return this.queuedCallback;
  }

  set onQueued(callback: (() => void) | null) {
    this.queuedCallback = callback;
    if (callback !== null && !this.done && this.connection.isHurried) queueMicrotask(() => this.notifyQueued());
  }

  get onClosed(): (() => void) | null {
    return this.closedCallback;
  }

  set onClosed(callback: (() => void) | null) {
    this.closedCallback = callback;
    if (callback !== null && this.closed) queueMicrotask(() => this.notifyClosed());
  }

  respond(pieces: Buffer[], onDrained?: () => void): void {
    assert(!this.done, 'answered twice');
    this.done = true;
    this.doneMs = performance.now();
    this.freeBytes();
    if (this.closed) {
      onDrained?.();
      this.becomeReleased();
      return;
    }
    this.pieces = pieces;
    this.onDrained = onDrained ?? null;
    if (this.onReleased !== null) {
      for (const piece of pieces) this.answerBytes += piece.length;
      this.onDrained = () => {
        onDrained?.();
        this.becomeReleased();
      };
    }
    this.connection.onAnswered();
  }

  becomeParked(): void {
    this.parked = true;
    this.freeBytes();
    // Not within the handler: the next in line may do the same, and so on.
    if (this.onReleased !== null) queueMicrotask(() => this.becomeReleased());
  }

  abort(reason: string): void {
    if (this.done) return;
    this.connection.refuse(reason);
  }

  fail(error: unknown): void {
    this.failures.onThrown(this, error);
  }

  /** Another request queued behind this one, or the broker stops. */
  notifyQueued(): void {
    if (this.done || this.closed) return;
    const callback = this.queuedCallback;
    this.queuedCallback = null;
    callback?.();
  }

  /** The connection is gone. */
  becomeClosed(): void {
    this.closed = true;
    if (this.done) {
      // Answered, but the answer was not written.
      this.onDrained?.();
      this.onDrained = null;
      this.pieces = null;
      return;
    }
    this.notifyClosed();
    if (!this.started || this.settled) this.end();
  }

  /** The handler returned, or its promise settled. */
  becomeSettled(): void {
    this.settled = true;
    if (this.closed) this.end();
  }

  private notifyClosed(): void {
    if (this.done) return;
    const callback = this.closedCallback;
    this.closedCallback = null;
    callback?.();
  }

  /** The connection is gone, and the handler is done with the request or never saw it. */
  private end(): void {
    this.freeBytes();
    this.becomeReleased();
  }

  private becomeReleased(): void {
    const callback = this.onReleased;
    this.onReleased = null;
    callback?.();
  }

  private freeBytes(): void {
    if (this.hasMemory) this.regions.release(this.grant);
  }
}
