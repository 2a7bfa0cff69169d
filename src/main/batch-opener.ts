/**
 * Main's end of the pool that looks into compressed batches. It has one thread, started at the first batch and gone when there was none for a while. Main
 * only.
 */
import type { BatchFinding, BatchJob } from '../jobs/job.ts';
import { closePool } from './closed-pool.ts';
import { LateStart } from './late-start.ts';
import { loadPiscina } from './piscina.ts';

/** Runs jobs somewhere. Tests run them in place. */
export interface BatchRunner {
  /** Rejects when the thread died, or when the job was given up. */
  run(job: BatchJob): Promise<BatchFinding>;
  close(): Promise<void>;
}

/** See the file header. */
export class BatchOpener {
  private readonly runner: LateStart<BatchRunner>;
  private readonly failed: (error: unknown) => void;
  private closed = false;

  /**
   * @param start its argument is to be told of the end of a thread that had no job, or not yet; the next batch is opened by another runner
   * @param onFailure told of that, and of jobs that came to no end
   */
  constructor(start: (onLost: (error: unknown) => void) => Promise<BatchRunner>, onFailure: (error: unknown) => void) {
    this.runner = new LateStart(() => start((error) => this.onLost(error)));
    this.failed = onFailure;
  }

  /** Looks into a batch; a buffer that the job holds is lost with that. Never rejects. */
  async open(job: BatchJob): Promise<BatchFinding> {
    try {
      if (this.closed) return { kind: 'failed' };
      const runner = await this.runner.get();
      return await runner.run(job);
    } catch (error) {
      if (!this.closed) this.failed(error);
      return { kind: 'failed' };
    }
  }

  private onLost(error: unknown): void {
    if (this.closed) return;
    this.runner.forget();
    this.failed(error);
  }

  /** Lets running jobs end, starts no more. */
  async close(): Promise<void> {
    this.closed = true;
    await this.runner.close();
  }
}

/** A job that takes longer is given up with its thread: nothing that is limited in bytes does, unless a decompressor goes round in circles. */
const JOB_MS_MAX = 60_000;

/** Jobs on a piscina worker thread. */
export async function startBatchPiscina(
  onLost: (error: unknown) => void,
  entry = new URL('../jobs/batch.thread.js', import.meta.url),
): Promise<BatchRunner> {
  const { Piscina } = loadPiscina();
  const pool = new Piscina({ filename: entry.href, minThreads: 0, maxThreads: 1, idleTimeout: 30_000, concurrentTasksPerWorker: 1 });
  // Nobody would hear of the jobs that wait for a thread that could not be started; and an error without a listener ends the process.
  pool.on('error', (error) => {
    void pool.destroy();
    onLost(error);
  });
  return {
    run: async (job) => {
      const overdue = new AbortController();
      const timer = setTimeout(() => overdue.abort(), JOB_MS_MAX);
      try {
        const transferList = job.kind === 'find' ? [job.batch.buffer as ArrayBuffer] : [];
        return (await pool.run(job, { signal: overdue.signal, transferList })) as BatchFinding;
      } finally {
        clearTimeout(timer);
      }
    },
    close: () => closePool(pool, (open) => open.close()),
  };
}
