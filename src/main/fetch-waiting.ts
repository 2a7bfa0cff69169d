/**
 * Wakes waiting fetches, grouped: views that changed are collected while the completion rings are drained and their waiters are looked at once, in a
 * microtask behind the drain, however many batches came. First everybody hears of all changes, then each waiting fetch decides once.
 */
import type { PartitionView } from './partition-view.ts';

/** A waiting fetch that was told of changes. */
export interface Sleeper {
  /** All changes of the round are known: decides whether to go on waiting. */
  onWoken(): void;
}

/** See the file header. */
export class FetchWaiting {
  /** Wake-up rounds so far. */
  rounds = 0;
  private changed: PartitionView[] = [];
  private spare: PartitionView[] = [];
  /** A round is under way: it is not begun again from within. */
  private flushing = false;
  private readonly woken = new Set<Sleeper>();
  private readonly flushTask = (): void => this.flush();

  /** The view has something new for those who wait; it says so once until its `changed` is cleared. */
  onViewChanged(view: PartitionView): void {
    if (this.changed.length === 0) queueMicrotask(this.flushTask);
    this.changed.push(view);
  }

  /** `sleeper` is woken at the end of this round, or of the next if none is under way; once, however often it is named. */
  wake(sleeper: Sleeper): void {
    if (!this.flushing && this.woken.size === 0) queueMicrotask(this.flushTask);
    this.woken.add(sleeper);
  }

  /** Tells all waiters of changed views now, and wakes those who were named. */
  flush(): void {
    if (this.flushing || (this.changed.length === 0 && this.woken.size === 0)) return;
    this.flushing = true;
    this.rounds++;
    try {
      this.tell();
      // Who is named meanwhile has its turn, too.
      for (const sleeper of this.woken) {
        this.woken.delete(sleeper);
        sleeper.onWoken();
      }
    } finally {
      this.flushing = false;
    }
  }

  private tell(): void {
    const views = this.changed;
    this.changed = this.spare;
    this.spare = views;
    for (const view of views) {
      view.changed = false;
      // Who is told may leave the set; nobody joins it before all are told.
      if (view.waiters !== null) for (const waiter of view.waiters) waiter.onViewChanged(view);
    }
    views.length = 0;
  }
}
