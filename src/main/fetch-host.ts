/** What fetches share and their steps work with; `fetch.ts` provides it. */
import type { TimerWheel } from '../lib/timer-wheel.ts';
import type { DamageFinder } from './damage-finder.ts';
import type { FetchMemory } from './fetch-memory.ts';
import type { FetchSessions } from './fetch-sessions.ts';
import type { FetchWaiting } from './fetch-waiting.ts';
import type { FetchWindows } from './fetch-windows.ts';
import type { Locator } from './locator.ts';
import type { PartitionView } from './partition-view.ts';
import type { Router } from './router.ts';
import type { SegmentView } from './segment-view.ts';

/** See the file header. */
export interface FetchHost {
  readonly router: Router;
  readonly memory: FetchMemory;
  readonly windows: FetchWindows;
  readonly locator: Locator;
  readonly damage: DamageFinder;
  readonly timers: TimerWheel;
  readonly sessions: FetchSessions;
  readonly waiting: FetchWaiting;
  /** Monotonic, ms. */
  readonly nowMs: () => number;
  /** Most bytes of records in an answer. */
  readonly responseBytesMax: number;
  /** A read of a segment failed; nothing is known about its bytes. */
  readonly onReadError: (view: PartitionView, segment: SegmentView, error: Error) => void;
  /** Partitions looked at, by all fetches so far. */
  partitionsJudged: number;
}
