/**
 * Wakes waiting fetches, grouped: views that changed are collected while the completion rings are drained and their waiters are looked at once, in a
 * microtask behind the drain, however many batches came.
 */
import type { PartitionView } from './partition-view.ts';

/** See the file header. */
export class FetchWaiting {
  /** Wake-up rounds so far. */
  rounds = 0;
  private changed: PartitionView[] = [];
  private spare: PartitionView[] = [];
  private readonly flushTask = (): void => this.flush();

  /** The view has something new for those who wait; it says so once until its `changed` is cleared. */
  onViewChanged(view: PartitionView): void {
    if (this.changed.length === 0) queueMicrotask(this.flushTask);
    this.changed.push(view);
  }

  /** Looks at all waiters of changed views now. */
  flush(): void {
    const views = this.changed;
    this.changed = this.spare;
    this.spare = views;
    this.rounds++;
    for (const view of views) {
      view.changed = false;
      if (view.waiters === null) continue;
      // A copy: a waiter that is satisfied leaves the set, one that goes on waiting after a reread joins it again.
      for (const waiter of [...view.waiters]) waiter.onViewChanged(view);
    }
    views.length = 0;
  }
}
