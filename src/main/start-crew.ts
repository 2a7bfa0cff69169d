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
  private readonly helpers = new SyncHelpers(HELPERS);
  private readonly onDeath: (reason: string) => void;
  private isStarted = false;

  /** `onDeath`: a thread ended though nobody stopped it. The others and main do its share. */
  constructor(onDeath: (reason: string) => void) {
    this.onDeath = onDeath;
  }

  /** Syncs all of `handles` (see {@link trySync}); returns 0 or the error number of a failure. All were tried when it returns. */
  readonly sync = (handles: readonly number[]): number => {
    if (!this.isStarted && handles.length >= HANDLES_MIN) {
      this.isStarted = true;
      this.helpers.start(this.crew, 'start', this.onDeath);
    }
    return this.boss.run(handles);
  };

  /** Ends the threads. */
  stop(): Promise<void> {
    return this.helpers.stop();
  }
}
