/** Piscina pools at their end. Main only. */
import type { Piscina } from 'piscina';

/**
 * Ends a pool and cuts it off from its owner. Piscina keeps a pool that was closed for another half a minute (the timer of its time limit is never cleared), and with
 * it whatever listens: a stopped broker with all its slabs. A program that starts one broker after the other would have the memory of all of them.
 */
export async function closePool(pool: Piscina, close: (pool: Piscina) => Promise<void>): Promise<void> {
  try {
    await close(pool);
  } finally {
    pool.removeAllListeners('error');
    // An error without a listener would end the process.
    pool.on('error', ignore);
  }
}

/** Holds on to nothing. */
function ignore(): void {}
