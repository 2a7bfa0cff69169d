/** Entry of a worker that opens batches. */
import type { BatchFinding, BatchJob } from './job.ts';
import { openBatch } from './open-batch.ts';

/** Piscina calls this with each job. */
export default function open(job: BatchJob): BatchFinding {
  return openBatch(job);
}
