/**
 * How a consumer waits: it looks for work a while before it sleeps, if work has lately come that soon. A wake-up costs tens of microseconds on both sides; a
 * thread that looks takes a processor from those who would bring the work. So it looks only while that pays.
 */
import type { RingConsumer } from './ring.ts';

/** Looks between two glances at the clock. */
const LOOKS = 50;
/** Weight of the last wait in the running mean of waits: one of so many. */
const MEMORY = 8;

/** See the file header. Times are monotonic milliseconds. */
export class IdleStrategy {
  private readonly ring: Pick<RingConsumer, 'available' | 'sleep'>;
  private readonly spinMs: number;
  private readonly nowMs: () => number;
  /** Running mean of how long work let itself be waited for. Begins low: the first waits look. */
  private meanMs = 0;

  /** @param spinUs how long to look at most, microseconds; 0: never */
  constructor(ring: Pick<RingConsumer, 'available' | 'sleep'>, spinUs: number, nowMs: () => number = () => performance.now()) {
    this.ring = ring;
    this.spinMs = spinUs / 1000;
    this.nowMs = nowMs;
  }

  /** Returns when something waits in the ring or `timeoutMs` has passed. */
  wait(timeoutMs: number): void {
    if (this.spinMs === 0) return this.ring.sleep(timeoutMs);
    const beganMs = this.nowMs();
    if (this.meanMs > this.spinMs || !this.look(beganMs + this.spinMs)) this.ring.sleep(timeoutMs);
    // One long pause says little about what follows it: it counts as twice what looking would have covered.
    const waitedMs = Math.min(this.nowMs() - beganMs, this.spinMs * 2);
    this.meanMs += (waitedMs - this.meanMs) / MEMORY;
  }

  private look(untilMs: number): boolean {
    do {
      for (let looks = 0; looks < LOOKS; looks++) if (this.ring.available() !== 0) return true;
    } while (this.nowMs() < untilMs);
    return false;
  }
}
