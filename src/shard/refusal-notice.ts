/** Tells main that a shard refuses appends for what its disk says, which goes on by itself: at once, then now and then while it lasts. */
import type { FromShard } from '../log/messages.ts';

const EVERY_MS = 60_000;

/** See the file header. */
export class RefusalNotice {
  /** Time of the duty cycle in work, ms since the epoch. */
  nowMs = 0;
  private toldAtMs = -Infinity;
  private readonly reply: (message: FromShard) => void;

  constructor(reply: (message: FromShard) => void) {
    this.reply = reply;
  }

  /** Appends are refused for this reason. */
  tell(reason: string): void {
    // A clock that was set back is no reason to be silent.
    if (this.nowMs >= this.toldAtMs && this.nowMs < this.toldAtMs + EVERY_MS) return;
    this.toldAtMs = this.nowMs;
    this.reply({ kind: 'refusing', reason });
  }
}
