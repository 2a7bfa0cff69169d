/** A list whose items carry their own links: appending, removing and moving to the end cost no allocation and no search. An item is in one list at a time. */
import { assert } from './assert.ts';

/** What an item of a {@link LinkedList} carries; written by the list only. */
export interface Linked<T> {
  next: T | null;
  previous: T | null;
}

/** See the file header. */
export class LinkedList<T extends Linked<T>> {
  first: T | null = null;
  size = 0;
  private last: T | null = null;

  /** Puts `item`, which is in no list, at the end. */
  append(item: T): void {
    assert(item.next === null && item.previous === null && this.first !== item, 'an item is in one list at a time');
    item.previous = this.last;
    if (this.last === null) this.first = item;
    else this.last.next = item;
    this.last = item;
    this.size++;
  }

  /** Takes `item` of this list out. */
  remove(item: T): void {
    assert(this.size > 0, 'only an item of this list is removed');
    if (item.previous === null) this.first = item.next;
    else item.previous.next = item.next;
    if (item.next === null) this.last = item.previous;
    else item.next.previous = item.previous;
    item.next = null;
    item.previous = null;
    this.size--;
  }

  /** Moves `item` of this list to the end. */
  moveToEnd(item: T): void {
    if (item === this.last) return;
    this.remove(item);
    this.append(item);
  }
}
