/**
 * The threads of the shards that every broker has, started before anything else is loaded or read: they take their time on another processor meanwhile. Main only;
 * to be light to load itself.
 */
import { EarlyThread } from '../ring/early-thread.ts';

export type ShardClass = 'sync' | 'buffered';

/** What a shard worker runs. */
export const SHARD_ENTRY = new URL('../shard/shard.thread.js', import.meta.url);

/** Name of the thread of the shard that was started as number `index`. */
export function threadName(index: number, shardClass: ShardClass): string {
  return `shard-${index}-${shardClass}`;
}

/** See the file header. Those of class `sync` begin first, so their numbers are known. */
export class EarlyShards {
  private readonly waiting: EarlyThread[] = [];
  private started = 0;

  /** @param count how many are surely needed */
  constructor(count = 1) {
    this.want(count);
  }

  /** Starts what is missing to `count` altogether. */
  want(count: number): void {
    while (this.started < count) this.waiting.push(new EarlyThread(SHARD_ENTRY, threadName(this.started++, 'sync')));
  }

  /** The thread of shard number `index`, if there is one; it is the caller's then. */
  take(index: number, shardClass: ShardClass): EarlyThread | undefined {
    return shardClass === 'sync' && index === this.started - this.waiting.length ? this.waiting.shift() : undefined;
  }

  /** Ends those that nobody took. */
  async stop(): Promise<void> {
    await Promise.all(this.waiting.splice(0).map((thread) => thread.stop()));
  }
}
