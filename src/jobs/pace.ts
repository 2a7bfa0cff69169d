/** Keeps work on the disk below a number of bytes per second: who works hears how long to rest. */

/** Rests are of this length at least: a shorter one is not worth a system call. */
const REST_MS_MIN = 5;

/** See the file header. */
export class Pace {
  private readonly bytesPerMs: number;
  private readonly nowMs: () => number;
  private readonly pause: (ms: number) => void;
  /** By then everything so far would have been done at full pace. */
  private dueMs = -Infinity;

  /** @param nowMs a clock that never goes back @param pause waits */
  constructor(bytesPerSecond: number, nowMs: () => number, pause: (ms: number) => void) {
    this.bytesPerMs = bytesPerSecond / 1000;
    this.nowMs = nowMs;
    this.pause = pause;
  }

  /** So many bytes were read or written. */
  onBytes(bytes: number): void {
    const nowMs = this.nowMs();
    // Time in which nothing was done is not saved up.
    this.dueMs = Math.max(this.dueMs, nowMs) + bytes / this.bytesPerMs;
    if (this.dueMs - nowMs >= REST_MS_MIN) this.pause(this.dueMs - nowMs);
  }
}
