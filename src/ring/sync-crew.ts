/**
 * Threads that help a shard (or main, as it starts) sync several files at once: each `fdatasync` waits for the device on its own, and three that wait
 * together take little longer than one. The shard (the boss) lays out the descriptors of its group and takes part itself, so a crew that is not there yet,
 * or slow to wake, costs nothing.
 *
 *   word 0        ticket: round · 256 + descriptors not taken yet   (boss sets, all take by compare-and-swap)
 *   word 16       done: descriptors synced in this round            (all count up; the boss sleeps on it)
 *   word 32       errno of the first failure in this round, 0: none
 *   word 48 …     the descriptors of this round
 *
 * Always: a new round begins only when every descriptor of the last one is done, so whoever holds a taken index finds its descriptor in place; a ticket of an
 * earlier round is never swapped, because the round is part of it.
 */
const TICKET = 0;
const DONE = 16;
const ERROR = 32;
const FILES = 48;
const ROUND = 256;
/** Most descriptors of one round; more take several. */
export const CREW_FILES_MAX = 128;
/** The boss looks this long at most before it sleeps again: only against a lost wake-up. */
const LOOK_MS = 50;

/** Syncs one descriptor; returns 0, or the system's error number (negative, as Node's are) when the disk refuses. */
export type SyncFile = (fd: number) => number;

/** Allocates the shared words of one crew. */
export function createSyncCrew(): SharedArrayBuffer {
  return new SharedArrayBuffer((FILES + CREW_FILES_MAX) * 4);
}

/** The shard's end. */
export class SyncCrewBoss {
  private readonly words: Int32Array;
  private readonly sync: SyncFile;
  private round = 0;

  constructor(buffer: SharedArrayBuffer, sync: SyncFile) {
    this.words = new Int32Array(buffer);
    this.sync = sync;
  }

  /** Syncs all of `fds`, with whatever help there is. Returns 0, or the error number of a failure. All were tried when it returns. */
  run(fds: readonly number[]): number {
    let errno = 0;
    for (let first = 0; first < fds.length; first += CREW_FILES_MAX) errno = this.runRound(fds, first) || errno;
    return errno;
  }

  /** One round: the descriptors from `first` on, as many as it takes. */
  private runRound(fds: readonly number[], first: number): number {
    const { words } = this;
    const count = Math.min(fds.length - first, CREW_FILES_MAX);
    for (let i = 0; i < count; i++) words[FILES + i] = fds[first + i] as number;
    Atomics.store(words, DONE, 0);
    Atomics.store(words, ERROR, 0);
    this.round = (this.round + 1) & 0x7fffff;
    // Publishes the descriptors: whoever takes a ticket of this round finds them.
    Atomics.store(words, TICKET, this.round * ROUND + count);
    Atomics.notify(words, TICKET, count - 1);
    while (takeOne(words, this.sync)) continue;
    for (let done = Atomics.load(words, DONE); done < count; done = Atomics.load(words, DONE)) Atomics.wait(words, DONE, done, LOOK_MS);
    return Atomics.load(words, ERROR);
  }
}

/** A helper's whole life: takes descriptors as they come. Returns never; its thread is ended from outside. */
export function helpSync(buffer: SharedArrayBuffer, sync: SyncFile): never {
  const words = new Int32Array(buffer);
  for (;;) {
    while (takeOne(words, sync)) continue;
    const ticket = Atomics.load(words, TICKET);
    if (ticket % ROUND === 0) Atomics.wait(words, TICKET, ticket);
  }
}

/** Takes and syncs one descriptor of the round; false when none is left. */
function takeOne(words: Int32Array, sync: SyncFile): boolean {
  const ticket = Atomics.load(words, TICKET);
  const left = ticket % ROUND;
  if (left === 0) return false;
  if (Atomics.compareExchange(words, TICKET, ticket, ticket - 1) !== ticket) return true;
  const errno = sync(words[FILES + left - 1] as number);
  if (errno !== 0) Atomics.compareExchange(words, ERROR, 0, errno);
  Atomics.add(words, DONE, 1);
  Atomics.notify(words, DONE, 1);
  return true;
}
