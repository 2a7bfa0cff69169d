/**
 * A reader's place among those who wait for news of a partition. Linked, not a member of a set: a set that empties and fills with every fetch makes a new table each
 * time, and each table refers to the next, so that collections of young garbage take the dead ones for alive.
 */
import { LinkedList, type Linked } from '../lib/linked-list.ts';
import type { PartitionView, ReadableListener } from './partition-view.ts';

/** See the file header. */
export class Watch implements Linked<Watch> {
  next: Watch | null = null;
  previous: Watch | null = null;
  private readonly listener: ReadableListener;
  /** What is waited for; null: nothing. */
  view: PartitionView | null = null;

  constructor(listener: ReadableListener) {
    this.listener = listener;
  }

  /** Waits for `view`, and for no other any more. */
  begin(view: PartitionView): void {
    this.end();
    this.view = view;
    (view.waiters ??= new LinkedList()).append(this);
  }

  /** Waits no more. */
  end(): void {
    this.view?.waiters?.remove(this);
    this.view = null;
  }

  tell(view: PartitionView): void {
    this.listener.onViewChanged(view);
  }
}
