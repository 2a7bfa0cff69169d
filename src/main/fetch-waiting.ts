/**
 * Wakes waiting fetches, grouped: views that changed are collected while the completion rings are drained and their waiters are looked at once, in a
 * microtask behind the drain, however many batches came. First everybody hears of all changes, then each waiting fetch decides once.
 */
import { assert } from '../lib/assert.ts';
import type { PartitionView } from './partition-view.ts';

/** A waiting fetch that was told of changes. */
export interface Sleeper {
  /** Written by {@link FetchWaiting} only: it was named and had no turn yet. */
  isNamed: boolean;
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
  /** Those who were named in this round and had no turn yet are behind `turns`. An array that keeps its length: sets, and arrays that shrink, make garbage each round. */
  private readonly woken: (Sleeper | null)[] = [];
  private named = 0;
  private turns = 0;
  private readonly flushTask = (): void => this.flush();

  /** The view has something new for those who wait; it says so once until its `changed` is cleared. */
  onViewChanged(view: PartitionView): void {
    if (this.changed.length === 0) queueMicrotask(this.flushTask);
    this.changed.push(view);
  }

  /** `sleeper` is woken at the end of this round, or of the next if none is under way; once, however often it is named. */
  wake(sleeper: Sleeper): void {
    if (sleeper.isNamed) return;
    if (!this.flushing && this.named === 0) queueMicrotask(this.flushTask);
    sleeper.isNamed = true;
    this.woken[this.named++] = sleeper;
  }

  /** Tells all waiters of changed views now, and wakes those who were named. */
  flush(): void {
    if (this.flushing || (this.changed.length === 0 && this.named === 0)) return;
    this.flushing = true;
    this.rounds++;
    try {
      this.tell();
      // Who is named meanwhile has its turn, too.
      while (this.turns < this.named) {
        const sleeper = this.woken[this.turns] as Sleeper;
        this.woken[this.turns++] = null;
        sleeper.isNamed = false;
        sleeper.onWoken();
      }
      this.turns = this.named = 0;
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
      // Who is told may leave the list; nobody joins it, and nobody else leaves it, before all are told.
      for (let watch = view.waiters?.first ?? null; watch !== null;) {
        const { next } = watch;
        watch.tell(view);
        assert(next === null || next.view === view, 'whoever waits for a view stays until told');
        watch = next;
      }
    }
    views.length = 0;
  }
}
