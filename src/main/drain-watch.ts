/**
 * Answers that hold fetch memory until their socket takes them. A reader that takes nothing for too long loses its connection, so that slow readers cannot
 * keep the memory from all others: a grace period plus the time that a slow but honest line needs, both shorter while somebody waits for memory.
 */
import { LinkedList, type Linked } from '../lib/linked-list.ts';
import type { TimerWheel } from '../lib/timer-wheel.ts';
import type { FetchMemory } from './fetch-memory.ts';
import type { RequestConnection } from './requests.ts';

const CHECK_MS = 1000;
const GRACE_MS = 30_000;
const GRACE_MS_SHORT = 5000;
/** Slowest acceptable line, bytes per ms. */
const PACE = 32;
const PACE_SHORT = 512;

/** An answer on its way. */
export interface Drain extends Linked<Drain> {
  readonly connection: RequestConnection;
  readonly bytes: number;
  readonly beganMs: number;
}

/** See the file header. */
export class DrainWatch {
  /** Connections closed because they did not take their answer. */
  abortedConnections = 0;
  private readonly timers: TimerWheel;
  private readonly nowMs: () => number;
  private readonly memory: FetchMemory;
  /** Oldest first. */
  private readonly drains = new LinkedList<Drain>();
  private checking = false;

  constructor(timers: TimerWheel, nowMs: () => number, memory: FetchMemory) {
    this.timers = timers;
    this.nowMs = nowMs;
    this.memory = memory;
  }

  /** Answers that have not drained. */
  get size(): number {
    return this.drains.size;
  }

  /** An answer of `bytes` was given to the socket. */
  begin(connection: RequestConnection, bytes: number): Drain {
    const drain: Drain = { connection, bytes, beganMs: this.nowMs(), next: null, previous: null };
    this.drains.append(drain);
    if (!this.checking) this.arm();
    return drain;
  }

  /** The kernel has it all, or the socket is gone. */
  end(drain: Drain): void {
    this.drains.remove(drain);
  }

  private arm(): void {
    this.checking = true;
    this.timers.schedule(this.nowMs(), CHECK_MS, () => this.check());
  }

  private check(): void {
    const nowMs = this.nowMs();
    const short = this.memory.isShort;
    const stuck: Drain[] = [];
    for (let drain = this.drains.first; drain !== null; drain = drain.next) {
      const limitMs = short ? GRACE_MS_SHORT + drain.bytes / PACE_SHORT : GRACE_MS + drain.bytes / PACE;
      if (nowMs - drain.beganMs > limitMs) stuck.push(drain);
    }
    for (const drain of stuck) {
      this.abortedConnections++;
      drain.connection.close('it does not take the answer to its fetch');
    }
    this.checking = false;
    if (this.drains.size > 0) this.arm();
  }
}
