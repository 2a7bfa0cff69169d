/** Threads that help a shard sync several files at once; started when it says that it has them. Main only. */
import { Worker } from 'node:worker_threads';

/** With the shard itself, four syncs wait for the device together. */
const HELPERS = 3;

/** The helpers of one shard. */
export class SyncHelpers {
  private workers: Worker[] = [];
  private stopping = false;

  /** Starts them. `onDeath`: one ended though nobody stopped it. */
  start(crew: SharedArrayBuffer, name: string, onDeath: (reason: string) => void): void {
    for (let n = 0; n < HELPERS && !this.stopping; n++) {
      const worker = new Worker(new URL('../shard/sync.thread.js', import.meta.url), { workerData: { crew }, name: `${name}-sync-${n}` });
      worker.on('error', (error) => onDeath(error instanceof Error ? (error.stack ?? error.message) : String(error)));
      worker.on('exit', (code) => {
        if (!this.stopping) onDeath(`a sync helper exited with code ${code}`);
      });
      this.workers.push(worker);
    }
  }

  /** Ends them, once their shard has stopped. */
  async stop(): Promise<void> {
    this.stopping = true;
    await Promise.all(this.workers.map((worker) => worker.terminate()));
    this.workers = [];
  }
}
