/** Threads that help a shard, or main as it starts, to sync several files at once (ring/sync-crew.ts). Main only. */
import { Worker } from 'node:worker_threads';

/** With the shard itself, four syncs wait for the device together. */
const SHARD_HELPERS = 3;

/** The helpers of one crew. */
export class SyncHelpers {
  private readonly count: number;
  private workers: Worker[] = [];
  private stopping = false;

  constructor(count = SHARD_HELPERS) {
    this.count = count;
  }

  /** Starts them. `onDeath`: one ended though nobody stopped it. */
  start(crew: SharedArrayBuffer, name: string, onDeath: (reason: string) => void): void {
    for (let n = 0; n < this.count && !this.stopping; n++) {
      const worker = new Worker(new URL('../shard/sync.thread.js', import.meta.url), { workerData: { crew }, name: `${name}-sync-${n}` });
      worker.on('error', (error) => onDeath(error instanceof Error ? (error.stack ?? error.message) : String(error)));
      worker.on('exit', (code) => {
        if (!this.stopping) onDeath(`a sync helper exited with code ${code}`);
      });
      this.workers.push(worker);
    }
  }

  /** Ends them, once whoever they help has no more to sync. */
  async stop(): Promise<void> {
    this.stopping = true;
    await Promise.all(this.workers.map((worker) => worker.terminate()));
    this.workers = [];
  }
}
