/**
 * All fetch sessions of the broker: a cache with a number of slots and a budget of memory. A client that gets none, or whose session went, asks for everything
 * with each fetch, as before there were sessions. Pure but for the numbers it is given: no clock, no random source, no timer.
 *
 * Who makes place for a new session, in this order: one whose connection is gone; one that was not used for two minutes; one that is smaller and was in use
 * for two minutes (large ones save more). The latter two are Kafka's rules.
 *
 * Always: sessions ≤ slots, and what they are taken to cost ≤ the budget, except while one request is being taken over.
 */
import { LinkedList } from '../lib/linked-list.ts';
import { ErrorCode } from '../protocol/errors.ts';
import type { FetchView } from '../protocol/fetch-view.ts';
import { FetchSession, type SessionKeeper } from './fetch-session.ts';
import { TOPIC_ID_VERSION, type FetchTargets } from './fetch-targets.ts';

/** Without use for longer a session may go; in use for longer it may make place for a larger one. */
export const SESSION_EVICTION_MS = 120_000;

/** Memory of all sessions, about 200,000 partitions. */
const BYTES_MAX = 64 * 1024 * 1024;

/** Epoch of a request that wants a new session; of one that wants none. */
const EPOCH_INITIAL = 0;
const EPOCH_FINAL = -1;
const EPOCH_MAX = 0x7fffffff;

/** What the cache needs to know. */
export interface FetchSessionsOptions {
  /** `max.incremental.fetch.session.cache.slots`; 0: no sessions. */
  readonly slotsMax: number;
  /** A random number from 1 to 2147483647. */
  readonly nextId: () => number;
  /** A session lost its connection: {@link FetchSessions.expire} has something to do later. */
  readonly onAbandoned: () => void;
  readonly bytesMax?: number;
}

/** See the file header. */
export class FetchSessions implements SessionKeeper {
  /** The session of the request entered last; null: it has none. */
  entered: FetchSession | null = null;
  private readonly slotsMax: number;
  private readonly bytesMax: number;
  private readonly nextId: () => number;
  private readonly whenAbandoned: () => void;
  private readonly byId = new Map<number, FetchSession>();
  /** Least recently used first. */
  private readonly used = new LinkedList<FetchSession>();
  private bytesUsed = 0;
  private abandonedCount = 0;

  constructor(options: FetchSessionsOptions) {
    this.slotsMax = options.slotsMax;
    this.bytesMax = options.bytesMax ?? BYTES_MAX;
    this.nextId = options.nextId;
    this.whenAbandoned = options.onAbandoned;
  }

  /** Sessions. */
  get size(): number {
    return this.byId.size;
  }

  /** What all of them are taken to cost in memory. */
  get bytes(): number {
    return this.bytesUsed;
  }

  /** Sessions whose connection is gone. */
  get abandoned(): number {
    return this.abandonedCount;
  }

  /**
   * A request arrives: finds its session ({@link entered}) and takes over what it says, or closes the one it does not want any more.
   * @returns NONE, or the error that answers the whole request
   */
  enter(request: FetchView, bytes: Buffer, nowMs: number): number {
    this.entered = null;
    const { sessionId, sessionEpoch } = request;
    const session = this.byId.get(sessionId);
    if (sessionEpoch === EPOCH_INITIAL || sessionEpoch === EPOCH_FINAL) {
      if (session !== undefined) this.close(session);
      return ErrorCode.NONE;
    }
    if (session === undefined) return ErrorCode.FETCH_SESSION_ID_NOT_FOUND;
    if (session.epoch !== sessionEpoch) return ErrorCode.INVALID_FETCH_SESSION_EPOCH;
    if (session.byId !== request.version >= TOPIC_ID_VERSION) return ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR;
    const bytesBefore = session.bytes;
    session.update(request, bytes);
    this.bytesUsed += session.bytes - bytesBefore;
    if (session.size === 0) {
      this.close(session);
      return ErrorCode.NONE;
    }
    this.touch(session, nowMs);
    if (!this.makeBytes(0, nowMs, session)) {
      this.close(session);
      return ErrorCode.FETCH_SESSION_ID_NOT_FOUND;
    }
    session.epoch = sessionEpoch === EPOCH_MAX ? 1 : sessionEpoch + 1;
    this.entered = session;
    return ErrorCode.NONE;
  }

  /** A session for the partitions of a full request that asked for one; null: there is no place. */
  open(request: FetchView, targets: FetchTargets, nowMs: number): FetchSession | null {
    if (request.sessionEpoch !== EPOCH_INITIAL || !this.makeSlot(targets.count, nowMs)) return null;
    const session = new FetchSession(this.freeId(), request.version >= TOPIC_ID_VERSION, nowMs, this);
    session.adopt(targets);
    if (!this.makeBytes(session.bytes, nowMs, null)) {
      session.close();
      return null;
    }
    this.bytesUsed += session.bytes;
    this.byId.set(session.id, session);
    this.used.append(session);
    return session;
  }

  /** Ends a session: a request that names it will not find it. */
  close(session: FetchSession): void {
    this.byId.delete(session.id);
    this.used.remove(session);
    this.bytesUsed -= session.bytes;
    if (session.abandoned) this.abandonedCount--;
    session.close();
  }

  /** Ends the sessions that lost their connection and were not used for {@link SESSION_EVICTION_MS}. */
  expire(nowMs: number): void {
    let session = this.used.first;
    while (session !== null && this.abandonedCount > 0 && isStale(session, nowMs)) {
      const next: FetchSession | null = session.next;
      if (session.abandoned) this.close(session);
      session = next;
    }
  }

  onAbandoned(session: FetchSession): void {
    session.abandoned = true;
    this.abandonedCount++;
    this.whenAbandoned();
  }

  private touch(session: FetchSession, nowMs: number): void {
    session.lastUsedMs = nowMs;
    session.established = nowMs - session.createdMs > SESSION_EVICTION_MS;
    if (session.abandoned) this.abandonedCount--;
    session.abandoned = false;
    this.used.moveToEnd(session);
  }

  private makeSlot(size: number, nowMs: number): boolean {
    if (this.byId.size < this.slotsMax) return true;
    const leaver = this.leaver(nowMs) ?? this.smallerThan(size);
    if (leaver === null) return false;
    this.close(leaver);
    return true;
  }

  /** Whether `bytes` more fit, after others than `kept` left as far as they may. */
  private makeBytes(bytes: number, nowMs: number, kept: FetchSession | null): boolean {
    while (this.bytesUsed + bytes > this.bytesMax) {
      const leaver = this.leaver(nowMs);
      if (leaver === null || leaver === kept) return false;
      this.close(leaver);
    }
    return true;
  }

  /** The session that nobody will miss most probably; null: there is none. */
  private leaver(nowMs: number): FetchSession | null {
    if (this.abandonedCount > 0) for (let each = this.used.first; each !== null; each = each.next) if (each.abandoned) return each;
    const oldest = this.used.first;
    return oldest !== null && isStale(oldest, nowMs) ? oldest : null;
  }

  /** The smallest established session if it has fewer than `size` partitions. A look at all, only when the slots are taken. */
  private smallerThan(size: number): FetchSession | null {
    let smallest: FetchSession | null = null;
    for (let each = this.used.first; each !== null; each = each.next)
      if (each.established && each.size < (smallest?.size ?? size)) smallest = each;
    return smallest;
  }

  private freeId(): number {
    let id = this.nextId();
    while (this.byId.has(id)) id = this.nextId();
    return id;
  }
}

function isStale(session: FetchSession, nowMs: number): boolean {
  return nowMs - session.lastUsedMs > SESSION_EVICTION_MS;
}
