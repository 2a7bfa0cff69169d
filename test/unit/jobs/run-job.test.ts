/** What of a job's outcome does not depend on what it leaves behind. */
import { expect, test } from 'vitest';
import { runJob } from '../../../src/jobs/run-job.ts';
import { Prng } from '../../../src/lib/prng.ts';
import { buildBatch } from '../../../src/protocol/record.ts';
import { FakeDisk } from '../../sim/fake-disk.ts';

test('an index that was rebuilt is there for who waits, also on a disk that has no room for its file', () => {
  const disk = new FakeDisk(new Prng(1));
  const batches = [0, 1, 2].map((baseOffset) => buildBatch({ records: [{ value: 'x' }], baseOffset }));
  const file = Buffer.concat(batches);
  const fd = disk.open('/0.log', 'write');
  disk.write(fd, [file], 0);
  disk.close(fd);
  disk.capacity = disk.usedBytes();
  const job = {
    kind: 'rebuildIndex',
    path: '/0.log',
    baseOffset: 0,
    endPosition: file.length,
    endOffset: 3,
    refused: [],
    intervalBytes: 1,
    writePath: '/0.index',
  } as const;
  expect([...runJob(disk, job, () => undefined).offsets]).toEqual([1, 2]);
  expect(disk.exists('/0.index')).toBe(false);
});
