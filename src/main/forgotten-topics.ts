/**
 * What groups have committed for a topic that is gone has to go, too, and before anybody gets its name again: offsets are kept by name, and a group would go on in
 * the new topic where it was in the old one, past records that it has never seen. Deleting them is an append, which a full disk refuses, and a full disk is when
 * topics are deleted: so it is tried until it is done. Main only.
 */

export interface ForgottenTopicsParts {
  /** One attempt. Resolves once nothing of the topic is left in groups; false: something is. */
  readonly attempt: (name: string) => Promise<boolean>;
  /** Calls back after a while. */
  readonly later: (delayMs: number, run: () => void) => void;
}

/** The first failed attempt is followed by another after this; each that fails, after twice as long. */
const RETRY_MS_MIN = 2000;
const RETRY_MS_MAX = 60_000;
/** Whoever wants the name waits so long at most: groups that cannot be loaded may take longer. */
const WAIT_MS = 5000;

interface Owed {
  /** Resolves once it is done, after however many attempts. */
  readonly done: Promise<void>;
  readonly onDone: () => void;
  /** The attempt under way, or null between two. */
  underWay: Promise<boolean> | null;
  retryMs: number;
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
    const owed: Owed = { done, onDone, underWay: null, retryMs: RETRY_MS_MIN };
    this.owed.set(name, owed);
    void this.attempt(name, owed);
    return done;
  }

  /** Whether nothing is left of earlier topics of the name. Where something is, it is tried at once, and waited for a little. */
  async isForgotten(name: string): Promise<boolean> {
    const owed = this.owed.get(name);
    if (owed === undefined) return true;
    const late = new Promise<boolean>((resolve) => this.parts.later(WAIT_MS, () => resolve(false)));
    return Promise.race([this.attempt(name, owed), late]);
  }

  private attempt(name: string, owed: Owed): Promise<boolean> {
    owed.underWay ??= this.parts.attempt(name).then((isDone) => {
      owed.underWay = null;
      if (isDone) {
        this.owed.delete(name);
        owed.onDone();
      } else {
        this.parts.later(owed.retryMs, () => void this.retry(name, owed));
        owed.retryMs = Math.min(2 * owed.retryMs, RETRY_MS_MAX);
      }
      return isDone;
    });
    return owed.underWay;
  }

  private async retry(name: string, owed: Owed): Promise<void> {
    // Whoever wanted the name may have been quicker.
    if (this.owed.get(name) === owed) await this.attempt(name, owed);
  }
}
