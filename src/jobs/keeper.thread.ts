/** Entry of a job pool worker. */
import { workerData } from 'piscina';
import { CountingDisk } from '../log/counting-disk.ts';
import { NodeDisk } from '../log/node-disk.ts';
import { OperationCounter } from '../ring/operation-counter.ts';
import { Nap } from '../ring/ring.ts';
import type { Job, KeeperWorkerData } from './job.ts';
import { runJob } from './run-job.ts';

const { crashPoint } = workerData as KeeperWorkerData;
const disk = crashPoint === null ? new NodeDisk() : countingDisk(crashPoint);
const nap = new Nap();

/** Piscina calls this with each job. */
export default function keeper(job: Job): unknown {
  return runJob(disk, job, (ms) => nap.sleep(ms));
}

function countingDisk({ counter, at }: NonNullable<KeeperWorkerData['crashPoint']>): CountingDisk {
  const operations = new OperationCounter(counter);
  return new CountingDisk(new NodeDisk(), () => operations.next(), at);
}
