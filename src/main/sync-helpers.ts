/** Threads that help a shard, or main as it starts, to sync several files at once (ring/sync-crew.ts). Main only. */
import { Worker } from 'node:worker_threads';

/** With the shard itself, four syncs wait for the device together. */
const SHARD_HELPERS = 3;

/** The helpers of one crew. */
export class SyncHelpers {
  private readonly count: number;
  private readonly entry: URL | string;
  private workers: Worker[] = [];
  private stopping = false;

  /** @param entry another one, for tests */
  constructor(count = SHARD_HELPERS, entry: URL | string = new URL('../shard/sync.thread.js', import.meta.url)) {
    this.count = count;
    this.entry = entry;
  }

  /**
   * Starts them. `onDeath`: one ended though nobody stopped it. Returns why not all could be started, as where the system allows no more threads, or null:
   * whoever they help does without those.
   */
  start(crew: SharedArrayBuffer, name: string, onDeath: (reason: string) => void): Error | null {
    for (let n = 0; n < this.count && !this.stopping; n++) {
      let worker: Worker;
      try {
        worker = new Worker(this.entry, { workerData: { crew }, name: `${name}-sync-${n}` });
      } catch (error) {
        return error as Error;
      }
      worker.on('error', (error) => onDeath(error instanceof Error ? (error.stack ?? error.message) : String(error)));
      worker.on('exit', (code) => {
        if (!this.stopping) onDeath(`a sync helper exited with code ${code}`);
      });
      this.workers.push(worker);
    }
    return null;
  }

  /** Ends them, once whoever they help has no more to sync. */
  async stop(): Promise<void> {
    this.stopping = true;
    await Promise.all(this.workers.map((worker) => worker.terminate()));
    this.workers = [];
  }
}
