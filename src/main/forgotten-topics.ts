/**
 * What groups have committed for a topic that is gone has to go, too, and before anybody gets its name again: offsets are kept by name, and a group would go on in
 * the new topic where it was in the old one, past records that it has never seen. Deleting them is an append, which a full disk refuses, and a full disk is when
 * topics are deleted: so it is tried until it is done. Main only.
 */

export interface ForgottenTopicsParts {
  /** One attempt. Resolves once nothing of the topic is left in groups; false: something is. Never rejects. */
  readonly attempt: (name: string) => Promise<boolean>;
  /** The first attempt for a topic has failed. */
  readonly onProblem: (text: string) => void;
  /** Calls back after a while. */
  readonly later: (delayMs: number, run: () => void) => void;
}

/** The first failed attempt is followed by another after this; each that fails, after twice as long. */
const RETRY_MS_MIN = 2000;
const RETRY_MS_MAX = 60_000;
/** Who wants the name has it tried at once, but not more often than this: an attempt looks through all groups. */
const ASKED_MS = 1000;
/** Who wants the name waits so long for an attempt at most: groups that cannot be loaded may take longer. */
const WAIT_MS = 5000;

interface Owed {
  /** Resolves once it is done, after however many attempts. */
  readonly done: Promise<void>;
  readonly onDone: () => void;
  /** The attempt under way, or null between two. */
  underWay: Promise<boolean> | null;
  /** For {@link underWay}, but not for ever; all who want the name share it. Null until one does. */
  wait: Promise<boolean> | null;
  retryMs: number;
  /** The next attempt comes by itself. */
  isArmed: boolean;
  /** One has just failed: nobody who asks begins another. */
  isPaused: boolean;
}

/** See the file header. */
export class ForgottenTopics {
  private readonly parts: ForgottenTopicsParts;
  /** By name. Nobody gets a name that is here, so there is one for each at most. */
  private readonly owed = new Map<string, Owed>();

  constructor(parts: ForgottenTopicsParts) {
    this.parts = parts;
  }

  /** The topic is gone. Resolves once groups have nothing of it any more; never rejects. */
  forget(name: string): Promise<void> {
    const known = this.owed.get(name);
    if (known !== undefined) return known.done;
    let onDone = (): void => undefined;
    const done = new Promise<void>((resolve) => (onDone = resolve));
    const owed: Owed = {
      done,
      onDone,
      underWay: null,
      wait: null,
      retryMs: RETRY_MS_MIN,
      isArmed: false,
      isPaused: false,
    };
    this.owed.set(name, owed);
    void this.attempt(name, owed);
    return done;
  }

  /** Whether something is left of an earlier topic of the name. */
  isOwed(name: string): boolean {
    return this.owed.has(name);
  }

  /** Whether nothing is left of earlier topics of the name. Where something is, it is tried at once, and waited for a little. */
  isForgotten(name: string): Promise<boolean> {
    const owed = this.owed.get(name);
    if (owed === undefined) return Promise.resolve(true);
    if (owed.underWay === null && owed.isPaused) return Promise.resolve(false);
    const attempt = this.attempt(name, owed);
    owed.wait ??= Promise.race([attempt, new Promise<boolean>((resolve) => this.parts.later(WAIT_MS, () => resolve(false)))]);
    return owed.wait;
  }

  private attempt(name: string, owed: Owed): Promise<boolean> {
    owed.underWay ??= this.parts.attempt(name).then((isDone) => {
      owed.underWay = null;
      owed.wait = null;
      if (isDone) {
        this.owed.delete(name);
        owed.onDone();
      } else this.onFailed(name, owed);
      return isDone;
    });
    return owed.underWay;
  }

  private onFailed(name: string, owed: Owed): void {
    // Only the first failure finds it so.
    if (owed.retryMs === RETRY_MS_MIN)
      this.parts.onProblem(
        `offsets of a deleted topic, ${name}, could not be deleted: it is tried again, and the name is not given to another topic before`,
      );
    if (!owed.isPaused) {
      owed.isPaused = true;
      this.parts.later(ASKED_MS, () => (owed.isPaused = false));
    }
    if (owed.isArmed) return;
    owed.isArmed = true;
    this.parts.later(owed.retryMs, () => {
      owed.isArmed = false;
      // Whoever wanted the name may have been quicker.
      if (this.owed.get(name) === owed) void this.attempt(name, owed);
    });
    owed.retryMs = Math.min(2 * owed.retryMs, RETRY_MS_MAX);
  }
}
