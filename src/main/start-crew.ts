/** The crew that syncs what recovery has rewritten: main is the boss, before it serves anybody. Threads are started once there is enough for them to do. */
import { trySync } from '../log/node-disk.ts';
import { createSyncCrew, SyncCrewBoss } from '../ring/sync-crew.ts';
import { SyncHelpers } from './sync-helpers.ts';

/** With main, so many syncs wait for the device together. Nothing else runs yet, so these are more than a shard has. */
const HELPERS = 15;
/** Fewer syncs at once are done before the threads have started. */
const HANDLES_MIN = 64;

/** See the file header. */
export class StartCrew {
  private readonly crew = createSyncCrew();
  private readonly boss = new SyncCrewBoss(this.crew, trySync);
  private readonly helpers: SyncHelpers;
  private readonly onProblem: (reason: string) => void;
  private isStarted = false;

  /** `onProblem`: a thread ended though nobody stopped it, or could not be started. The others and main do its share. */
  constructor(onProblem: (reason: string) => void, helpers = new SyncHelpers(HELPERS)) {
    this.helpers = helpers;
    this.onProblem = onProblem;
  }

  /** Syncs all of `handles` (see {@link trySync}); returns 0 or the error number of a failure. All were tried when it returns. */
  readonly sync = (handles: readonly number[]): number => {
    if (!this.isStarted && handles.length >= HANDLES_MIN) {
      this.isStarted = true;
      const missing = this.helpers.start(this.crew, 'start', this.onProblem);
      if (missing !== null) this.onProblem(`it could not be started: ${missing.message}`);
    }
    return this.boss.run(handles);
  };

  /** Ends the threads. */
  stop(): Promise<void> {
    return this.helpers.stop();
  }
}
