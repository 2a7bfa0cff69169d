/** Entry of a job pool worker. */
import { NodeDisk } from '../log/node-disk.ts';
import { Nap } from '../ring/ring.ts';
import type { Job } from './job.ts';
import { runJob } from './run-job.ts';

const disk = new NodeDisk();
const nap = new Nap();

/** Piscina calls this with each job. */
export default function keeper(job: Job): unknown {
  return runJob(disk, job, (ms) => nap.sleep(ms));
}
