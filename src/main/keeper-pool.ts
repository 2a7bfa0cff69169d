/**
 * Main's end of the job pool. The pool (one thread, a second under load) is started at the first job: a broker that starts with nothing to do pays neither
 * its time nor its memory.
 */
import type { Piscina } from 'piscina';
import type { Job, JobResult, KeeperWorkerData } from '../jobs/job.ts';
import { closePool } from './closed-pool.ts';
import { LateStart } from './late-start.ts';
import { loadPiscina } from './piscina.ts';

/** Runs jobs somewhere. The piscina pool is one; tests run them in place. */
export interface JobRunner {
  run(job: Job): Promise<unknown>;
  close(): Promise<void>;
}

/** The threads could not be started, for want of descriptors, say: the job was not begun, and another try may do it. */
export class PoolStartError extends Error {
  constructor(cause: unknown) {
    super('the job threads could not be started', { cause });
  }
}

/** Hands jobs to a {@link JobRunner} that is made when the first one comes. */
export class KeeperPool {
  private readonly runner: LateStart<JobRunner>;
  private readonly failed: (what: string, error: unknown) => void;
  private closed = false;
  private running = 0;
  /** Jobs that have ended, well or not. */
  ended = 0;

  /**
   * @param start its argument is to be told of the end of a thread that had no job, or not yet: then no job is done any more
   * @param onFailure told of jobs whose failure nobody else handles
   * @param onLost told that no job is done any more
   */
  constructor(
    start: (onLost: (error: unknown) => void) => Promise<JobRunner>,
    onFailure: (what: string, error: unknown) => void,
    onLost: (error: unknown) => void = () => undefined,
  ) {
    this.runner = new LateStart(() =>
      start((error) => void (this.closed || onLost(error))).catch((error: unknown) => {
        throw new PoolStartError(error);
      }),
    );
    this.failed = onFailure;
  }

  /** Jobs submitted and not ended. */
  get pending(): number {
    return this.running;
  }

  /** It takes no jobs any more. */
  get isClosed(): boolean {
    return this.closed;
  }

  /** Runs a job. Rejects with what it threw, or with {@link PoolStartError}. */
  async submit<J extends Job>(job: J): Promise<JobResult<J>> {
    if (this.closed) throw new Error('the job pool is closed');
    this.running++;
    try {
      const runner = await this.runner.get();
      return (await runner.run(job)) as JobResult<J>;
    } finally {
      this.running--;
      this.ended++;
    }
  }

  /** Reports a failure that only matters to who reads the log. */
  onFailure(what: string, error: unknown): void {
    if (!this.closed) this.failed(what, error);
  }

  /** Lets running jobs end, starts no more. */
  async close(): Promise<void> {
    this.closed = true;
    await this.runner.close();
  }
}

/** Jobs on piscina's worker threads, two of them. */
export function startPiscina(workerData: KeeperWorkerData, onLost: (error: unknown) => void, entry?: URL): Promise<JobRunner> {
  return startPool(workerData, 2, (pool) => pool.close(), onLost, entry);
}

/** Passes of compaction on `threads` threads. Closing it ends them where they are: the files that they were writing are nobody's, and the next start removes them. */
export function startCleanerPiscina(workerData: KeeperWorkerData, threads: number, onLost: (error: unknown) => void): Promise<JobRunner> {
  return startPool(workerData, threads, (pool) => pool.destroy(), onLost);
}

async function startPool(
  workerData: KeeperWorkerData,
  threads: number,
  close: (pool: Piscina) => Promise<void>,
  onLost: (error: unknown) => void,
  entry = new URL('../jobs/keeper.thread.js', import.meta.url),
): Promise<JobRunner> {
  const { Piscina } = loadPiscina();
  const pool = new Piscina({
    filename: entry.href,
    workerData,
    // All from the beginning: one that could not be started later, for want of threads, would be an exception in nobody's call.
    minThreads: threads,
    maxThreads: threads,
    concurrentTasksPerWorker: 1,
  });
  // Why its threads are gone: what is told to their jobs is only that they are.
  let lost: unknown;
  // Nobody would hear of the jobs that wait for a thread that could not be started; and an error without a listener ends the process.
  pool.on('error', (error) => {
    lost ??= error;
    void pool.destroy();
    onLost(error);
  });
  const run = async (job: Job): Promise<unknown> => {
    try {
      return await pool.run(job);
    } catch (error) {
      throw lost ?? error;
    }
  };
  return { run, close: () => closePool(pool, close) };
}
