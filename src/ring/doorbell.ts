/**
 * One word that every shard rings and main listens to. Main polls its completion rings after socket callbacks anyway; the bell is only for the
 * time it sleeps in its event loop.
 */

/** Allocates the shared word of a doorbell. */
export function createDoorbell(): SharedArrayBuffer {
  return new SharedArrayBuffer(64);
}

/** The ringing end: any number of threads. */
export class DoorbellRinger {
  private readonly words: Int32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.words = new Int32Array(buffer);
  }

  /** Wakes main if it listens. Called after completions were published, so that main finds them. */
  ring(): void {
    Atomics.add(this.words, 0, 1);
    Atomics.notify(this.words, 0);
  }
}

/**
 * The listening end, on main. `onRing` runs in a fresh task after one or more rings. A pending `Atomics.waitAsync` does not keep the event loop
 * alive: whoever owns the listener keeps the process up by other means.
 */
export class DoorbellListener {
  private readonly words: Int32Array;
  private readonly onRing: () => void;
  private stopped = false;

  constructor(buffer: SharedArrayBuffer, onRing: () => void) {
    this.words = new Int32Array(buffer);
    this.onRing = onRing;
    this.listen();
  }

  /** No call of `onRing` after this. */
  stop(): void {
    this.stopped = true;
    Atomics.add(this.words, 0, 1);
    Atomics.notify(this.words, 0);
  }

  private listen(): void {
    if (this.stopped) return;
    const seen = Atomics.load(this.words, 0);
    // Work published before this load is drained here; work published after it changes the word, so waitAsync returns at once.
    this.onRing();
    const wait = Atomics.waitAsync(this.words, 0, seen);
    if (wait.async) void wait.value.then(() => this.listen());
    else setImmediate(() => this.listen());
  }
}
