/** Does a job, synchronously, on whatever thread calls: the pool's worker, or a test. Throws DiskError. */
import { DiskError, type Disk } from '../log/disk.ts';
import { randomBytes } from 'node:crypto';
import { encodeIndexFile } from '../log/index-file.ts';
import { runKeeperWork } from '../log/keeper.ts';
import { POOL_SEGMENT_BYTES_MIN } from '../log/pool.ts';
import { retireLeftovers, retireSegments, retireTopic, type PoolLimits } from '../log/retire.ts';
import { unreachable } from '../lib/assert.ts';
import { cleanLog } from './clean-log.ts';
import type { Job, JobResult } from './job.ts';
import { Pace } from './pace.ts';
import { rebuildIndex } from './rebuild-index.ts';

/** Between the steps in which a large file shrinks. */
const RETIRE_PAUSE_MS = 10;

/** `pause` waits that many ms; the simulator and tests do not wait. */
export function runJob<J extends Job>(disk: Disk, job: J, pause: (ms: number) => void): JobResult<J> {
  return run(disk, job, pause) as JobResult<J>;
}

function run(disk: Disk, job: Job, pause: (ms: number) => void): unknown {
  switch (job.kind) {
    case 'keeper':
      return runKeeperWork(disk, job.work, pause);
    case 'writeIndex':
      replaceFile(disk, job.path, encodeIndexFile(job.baseOffset, job.endPosition, job.entries));
      return null;
    case 'rebuildIndex': {
      const entries = rebuildIndex(disk, job);
      try {
        if (job.writePath !== null) replaceFile(disk, job.writePath, encodeIndexFile(job.baseOffset, job.endPosition, entries));
      } catch (error) {
        // On a full disk the file is rebuilt another time; who waits for the index needs no file.
        if (!(error instanceof DiskError)) throw error;
      }
      return entries;
    }
    case 'removeFiles':
      for (const path of job.paths) disk.unlink(path);
      return null;
    case 'retireSegments':
      for (const path of job.indexPaths) disk.unlink(path);
      retireSegments(disk, job.dataFolder, job.paths, poolLimits(job.poolBytesMax, job.poolBytesMin), () => pause(RETIRE_PAUSE_MS));
      return null;
    case 'retireLeftovers':
      for (const partition of job.partitions)
        retireLeftovers(disk, job.dataFolder, partition, poolLimits(job.poolBytesMax), () => pause(RETIRE_PAUSE_MS));
      return null;
    case 'clean': {
      const pace = new Pace(job.bytesPerSecondMax, () => performance.now(), pause);
      return cleanLog(disk, job.dataFolder, job.plan, { keyBytesMax: job.keyBytesMax, onBytes: (bytes) => pace.onBytes(bytes) });
    }
    case 'removeTopic':
      retireTopic(disk, job.dataFolder, job.topicId, poolLimits(job.poolBytesMax), () => pause(RETIRE_PAUSE_MS));
      return null;
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

function poolLimits(bytesMax: number, segmentBytesMin = POOL_SEGMENT_BYTES_MIN): PoolLimits {
  return { segmentBytesMin, bytesMax, random: () => randomBytes(6).toString('hex') };
}
