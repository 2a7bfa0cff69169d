/** Does a job, synchronously, on whatever thread calls: the pool's worker, or a test. Throws DiskError. */
import type { Disk } from '../log/disk.ts';
import { encodeIndexFile } from '../log/index-file.ts';
import { runKeeperWork } from '../log/keeper.ts';
import { unreachable } from '../lib/assert.ts';
import type { Job, JobResult } from './job.ts';
import { rebuildIndex } from './rebuild-index.ts';
import { removeTopic } from './remove-topic.ts';

/** `pause` waits that many ms; the simulator and tests do not wait. */
export function runJob<J extends Job>(disk: Disk, job: J, pause: (ms: number) => void): JobResult<J> {
  return run(disk, job, pause) as JobResult<J>;
}

function run(disk: Disk, job: Job, pause: (ms: number) => void): unknown {
  switch (job.kind) {
    case 'keeper':
      return runKeeperWork(disk, job.work);
    case 'writeIndex':
      replaceFile(disk, job.path, encodeIndexFile(job.baseOffset, job.endPosition, job.entries));
      return null;
    case 'rebuildIndex': {
      const entries = rebuildIndex(disk, job);
      if (job.writePath !== null) replaceFile(disk, job.writePath, encodeIndexFile(job.baseOffset, job.endPosition, entries));
      return entries;
    }
    case 'removeFiles':
      for (const path of job.paths) disk.unlink(path);
      return null;
    case 'removeTopic':
      return removeTopic(disk, job.dataFolder, job.topicId, pause);
    default:
      return unreachable(job);
  }
}

/** Whole or not at all for readers; not durable: an index that a crash loses or tears is rebuilt. */
function replaceFile(disk: Disk, path: string, bytes: Buffer): void {
  const temporary = `${path}.tmp`;
  disk.unlink(temporary);
  const fd = disk.open(temporary, 'write');
  try {
    disk.write(fd, [bytes], 0);
  } finally {
    disk.close(fd);
  }
  disk.rename(temporary, path);
}
