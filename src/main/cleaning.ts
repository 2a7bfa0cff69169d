/**
 * Carries the passes of compaction that shards plan to the job pool, and their outcomes back. The pool is its own: a pass takes a while, and checkpoints must not wait for
 * it. Main only.
 */
import type { CleaningPlan, CleaningOutcome } from '../log/messages.ts';
import type { KeeperPool } from './keeper-pool.ts';
import type { RetiredSegments } from './retired-segments.ts';
import type { ShardLink } from './shard-link.ts';

/** What a pass may use. */
export interface CleaningLimits {
  readonly dataDir: string;
  /** Memory for keys, bytes. */
  readonly keyBytesMax: number;
  readonly bytesPerSecondMax: number;
}

/** See the file header. */
export class Cleaning {
  private readonly pool: KeeperPool;
  private readonly retired: RetiredSegments;
  private readonly limits: CleaningLimits;

  constructor(pool: KeeperPool, retired: RetiredSegments, limits: CleaningLimits) {
    this.pool = pool;
    this.retired = retired;
    this.limits = limits;
  }

  /** Does a pass and tells the shard that planned it what came of it. */
  async run(link: ShardLink, handle: number, plan: CleaningPlan): Promise<void> {
    // Files of a deleted topic stay until nobody makes new ones among them.
    const done = this.retired.beginJob(plan.topicId);
    let outcome: CleaningOutcome | null = null;
    try {
      // What an earlier life left behind goes first: it is told from new files by nobody naming it.
      await this.retired.leftoversGiven;
      const { dataDir, keyBytesMax, bytesPerSecondMax } = this.limits;
      outcome = await this.pool.submit({ kind: 'clean', dataFolder: dataDir, plan, keyBytesMax, bytesPerSecondMax });
    } catch (error) {
      this.pool.onFailure(`compaction of partition ${plan.partition} of topic ${plan.topicId} (tried again later)`, error);
    } finally {
      done();
    }
    if (!this.pool.isClosed) link.control({ kind: 'cleaned', handle, plan, outcome });
  }
}
