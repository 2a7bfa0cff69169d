/** Entry of a thread that helps a shard sync several files at once (ring/sync-crew.ts). It owns nothing and lives until main ends it. */
import { workerData } from 'node:worker_threads';
import { trySync } from '../log/node-disk.ts';
import { helpSync } from '../ring/sync-crew.ts';

/** `workerData` of such a thread. */
export interface SyncWorkerData {
  readonly crew: SharedArrayBuffer;
}

helpSync((workerData as SyncWorkerData).crew, trySync);
