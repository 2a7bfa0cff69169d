// Open loop: request k is due at start + k / rate, whatever the broker does, and its time runs from then, so a stall counts for everything that should have been
// sent meanwhile (no coordinated omission).

export class Schedule {
  /** Requests a millisecond. */
  #perMs;
  startMs = 0;
  /** How many requests are due by now. */
  due = 0;
  /** The first request that is not sent at all. */
  end = Infinity;

  constructor(requestsPerSecond) {
    this.#perMs = requestsPerSecond / 1000;
  }
  get intervalMs() {
    return 1 / this.#perMs;
  }
  dueTime(k) {
    return this.startMs + k / this.#perMs;
  }
  /** The request that was due at `dueMs`, if one was. */
  numberOf(dueMs) {
    const k = Math.round((dueMs - this.startMs) * this.#perMs);
    return k >= 0 && this.dueTime(k) === dueMs ? k : -1;
  }
  /** The first request due at `ms` or later. */
  firstFrom(ms) {
    let k = Math.max(0, Math.floor((ms - this.startMs) * this.#perMs));
    while (this.dueTime(k) < ms) k++;
    return k;
  }
  /** What is due by `nowMs`. */
  advance(nowMs) {
    if (nowMs < this.startMs) return;
    this.due = Math.min(this.end, Math.floor((nowMs - this.startMs) * this.#perMs) + 1);
  }
  /** Nothing that would be due at `ms` or later is sent. */
  endAt(ms) {
    this.end = this.firstFrom(ms);
    this.due = Math.min(this.due, this.end);
  }
}
