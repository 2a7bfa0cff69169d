/** Opens compressed batches on the calling thread. */
import { openBatch } from '../../src/jobs/open-batch.ts';
import { BatchOpener } from '../../src/main/batch-opener.ts';

/** @param before waited for before each batch, if there is anything */
export function openerInPlace(
  bytesMax: number,
  onFailure: (error: unknown) => void,
  before: () => Promise<void> | null = () => null,
): BatchOpener {
  return new BatchOpener(
    async () => ({
      run: async (job) => {
        await before();
        return openBatch(job, bytesMax);
      },
      close: async () => undefined,
    }),
    onFailure,
  );
}
