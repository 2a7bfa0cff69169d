/** Puts together everything that reads: views' host, descriptors, indexes, damage, fetch. One object for the composition root and for tests. Main only. */
import { randomInt } from 'node:crypto';
import type { TimerWheel } from '../lib/timer-wheel.ts';
import type { BatchOpener } from './batch-opener.ts';
import { DamageFinder } from './damage-finder.ts';
import { FetchMemory } from './fetch-memory.ts';
import { FetchWaiting } from './fetch-waiting.ts';
import { FetchWindows, type FetchVerify } from './fetch-windows.ts';
import { FetchEngine } from './fetch.ts';
import { HeaderScanner } from './header-scan.ts';
import { IndexCache } from './index-cache.ts';
import type { KeeperPool } from './keeper-pool.ts';
import { Locator } from './locator.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { PartitionView, ViewHost } from './partition-view.ts';
import type { Router } from './router.ts';
import { SegmentReader } from './segment-reader.ts';
import type { SegmentView } from './segment-view.ts';
import { TimestampSearch } from './timestamp-search.ts';

/** Behind the largest id of a fetch session. */
const SESSION_ID_END = 0x80000000;

/** What it is made of. */
export interface ReadSideOptions {
  readonly dataDir: string;
  /** `ringlog.fetch.memory.bytes`. */
  readonly fetchMemoryBytes: number;
  /** `fetch.max.bytes`. */
  readonly fetchBytesMax: number;
  /** `max.incremental.fetch.session.cache.slots`. */
  readonly fetchSessionSlotsMax: number;
  /** `ringlog.fetch.verify`. */
  readonly verify: FetchVerify;
  readonly router: Router;
  readonly jobs: KeeperPool;
  /** Opens compressed batches. */
  readonly opener: BatchOpener;
  readonly timers: TimerWheel;
  /** Monotonic, ms. */
  readonly nowMs: () => number;
  readonly logger: Logger;
  /** Most descriptors main keeps open. */
  readonly descriptorsMax?: number;
}

/** See the file header. */
export class ReadSide implements ViewHost {
  readonly reader: SegmentReader;
  readonly indexes: IndexCache;
  readonly damage: DamageFinder;
  readonly locator: Locator;
  readonly memory: FetchMemory;
  readonly windows: FetchWindows;
  readonly waiting = new FetchWaiting();
  readonly fetch: FetchEngine;
  readonly timestamps: TimestampSearch;
  private readonly logger: Logger;

  constructor(options: ReadSideOptions) {
    this.logger = options.logger;
    this.reader = new SegmentReader(options.dataDir, options.descriptorsMax);
    this.indexes = new IndexCache(this.reader, options.jobs);
    const onReadError = (view: PartitionView, segment: SegmentView, error: Error): void => this.reportReadError(view, segment, error);
    this.damage = new DamageFinder(
      this.reader,
      this.indexes,
      (view, from, to, segment, position) => this.reportDamage(view, from, to, segment, position),
      onReadError,
    );
    this.locator = new Locator(this.indexes, new HeaderScanner(this.reader), this.damage, onReadError);
    this.memory = new FetchMemory(options.fetchMemoryBytes);
    this.windows = new FetchWindows(this.memory, this.reader, options.verify);
    this.timestamps = new TimestampSearch(this.locator, this.reader, this.damage, options.opener);
    this.fetch = new FetchEngine({
      router: options.router,
      memory: this.memory,
      windows: this.windows,
      locator: this.locator,
      damage: this.damage,
      timers: options.timers,
      nowMs: options.nowMs,
      waiting: this.waiting,
      fetchBytesMax: options.fetchBytesMax,
      sessionSlotsMax: options.fetchSessionSlotsMax,
      nextSessionId: () => randomInt(1, SESSION_ID_END),
      onReadError,
    });
  }

  onViewChanged(view: PartitionView): void {
    this.waiting.onViewChanged(view);
  }

  onSealed(view: PartitionView, segment: SegmentView): void {
    this.indexes.onSealed(view, segment);
  }

  onCut(_view: PartitionView, segment: SegmentView, endPosition: number): void {
    this.windows.onCut(segment, endPosition);
  }

  private reportDamage(view: PartitionView, from: number, to: number, segment: SegmentView, position: number): void {
    this.logger.error(
      {
        topic: view.topic.name,
        partition: view.partition,
        fromOffset: from,
        toOffset: to,
        file: this.reader.pathOf(view, segment, 'log'),
        position,
      },
      'damaged records: they were acknowledged and are not readable any more',
    );
  }

  private reportReadError(view: PartitionView, segment: SegmentView, error: Error): void {
    const file = this.reader.pathOf(view, segment, 'log');
    this.logger.error({ topic: view.topic.name, partition: view.partition, file, error: error.message }, 'a segment could not be read');
  }
}
