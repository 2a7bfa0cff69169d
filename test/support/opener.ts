/** Opens compressed batches on the calling thread. */
import { openBatch } from '../../src/jobs/open-batch.ts';
import { BatchOpener } from '../../src/main/batch-opener.ts';

export function openerInPlace(bytesMax: number, onFailure: (error: unknown) => void): BatchOpener {
  return new BatchOpener(async () => ({ run: async (job) => openBatch(job, bytesMax), close: async () => undefined }), onFailure);
}
