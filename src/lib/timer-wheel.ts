/**
 * A coarse timer wheel: thousands of timeouts that are mostly cancelled cost a list operation each and no operating-system timer. The clock is
 * given from outside: `advance(nowMs)` fires what is due, so tests run without waiting.
 *
 * Always: a timer fires no earlier than its delay and at most one tick (plus the pace of `advance`) later.
 */
import { assert } from './assert.ts';

/** A scheduled callback; opaque to its owner. */
export interface Timer {
  /** Due time in ticks; −1 once fired or cancelled. */
  dueTick: number;
  callback: (nowMs: number) => void;
  next: Timer | null;
  previous: Timer | null;
}

/** Hashed wheel: slot = due tick modulo slots; a slot also holds timers of later rounds. */
export class TimerWheel {
  private readonly tickMs: number;
  private readonly mask: number;
  private readonly slots: (Timer | null)[];
  private readonly originMs: number;
  private tick = 0;
  private count = 0;

  /** `slots` is a power of two; `nowMs` is the time from which ticks are counted. */
  constructor(nowMs: number, tickMs = 10, slots = 512) {
    assert((slots & (slots - 1)) === 0, 'timer wheel slots must be a power of two');
    this.originMs = nowMs;
    this.tickMs = tickMs;
    this.mask = slots - 1;
    this.slots = new Array<Timer | null>(slots).fill(null);
  }

  /** Timers that have neither fired nor been cancelled. */
  get size(): number {
    return this.count;
  }

  /** Calls `callback` once at least `delayMs` have passed since `nowMs`. */
  schedule(nowMs: number, delayMs: number, callback: (nowMs: number) => void): Timer {
    // A wheel without timers is not advanced: catch up, so that an idle hour is not walked tick by tick.
    const nowTick = Math.floor((nowMs - this.originMs) / this.tickMs);
    if (this.count === 0 && nowTick > this.tick) this.tick = nowTick;
    const dueTick = Math.max(this.tick + 1, Math.ceil((nowMs + Math.max(0, delayMs) - this.originMs) / this.tickMs));
    const timer: Timer = { dueTick, callback, next: null, previous: null };
    this.link(timer);
    return timer;
  }

  /** Prevents the callback; harmless when it already ran. */
  cancel(timer: Timer): void {
    if (timer.dueTick === -1) return;
    this.unlink(timer);
    timer.dueTick = -1;
  }

  /** Fires everything due at `nowMs`. Callbacks may schedule and cancel. */
  advance(nowMs: number): void {
    const target = Math.floor((nowMs - this.originMs) / this.tickMs);
    if (this.count === 0) {
      if (target > this.tick) this.tick = target;
      return;
    }
    // More than one full turn behind (the process was stopped): each slot needs one visit only.
    const first = Math.max(this.tick + 1, target - this.mask);
    for (let tick = first; tick <= target; tick++) {
      this.tick = tick;
      this.fireSlot(tick & this.mask, target, nowMs);
    }
  }

  private fireSlot(slot: number, target: number, nowMs: number): void {
    // Collected first: a callback may cancel or schedule into this very slot.
    let due: Timer[] | null = null;
    for (let timer = this.slots[slot] ?? null; timer !== null; timer = timer.next) {
      if (timer.dueTick <= target) (due ??= []).push(timer);
    }
    if (due === null) return;
    for (const timer of due) {
      if (timer.dueTick === -1) continue;
      this.unlink(timer);
      timer.dueTick = -1;
      timer.callback(nowMs);
    }
  }

  private link(timer: Timer): void {
    const slot = timer.dueTick & this.mask;
    const head = this.slots[slot] ?? null;
    timer.next = head;
    if (head !== null) head.previous = timer;
    this.slots[slot] = timer;
    this.count++;
  }

  private unlink(timer: Timer): void {
    if (timer.previous !== null) timer.previous.next = timer.next;
    else this.slots[timer.dueTick & this.mask] = timer.next;
    if (timer.next !== null) timer.next.previous = timer.previous;
    timer.next = null;
    timer.previous = null;
    this.count--;
  }
}
