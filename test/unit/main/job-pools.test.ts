/** Pools of job threads that cannot be started, as where the process has no descriptor left: what comes later tries again. */
import { expect, test } from 'vitest';
import { BatchOpener } from '../../../src/main/batch-opener.ts';
import { KeeperPool, PoolStartError } from '../../../src/main/keeper-pool.ts';

/** What starts a runner; the first `failures` times it fails. */
function startingWith<Runner>(failures: number, runner: Runner): { starts: () => number; start: () => Promise<Runner> } {
  let starts = 0;
  return {
    starts: () => starts,
    start: () => (++starts <= failures ? Promise.reject(new Error('EMFILE: planted')) : Promise.resolve(runner)),
  };
}

test('the keeper: the jobs that waited for the start that failed are told, the next one starts it again, and that start is kept', async () => {
  const { starts, start } = startingWith(1, { run: () => Promise.resolve('done'), close: () => Promise.resolve() });
  const pool = new KeeperPool(start, () => undefined);
  const job = { kind: 'removeFiles', paths: [] } as const;
  const first = await Promise.allSettled([pool.submit(job), pool.submit(job)]);
  expect(first.map((one) => one.status === 'rejected' && one.reason instanceof PoolStartError)).toEqual([true, true]);
  expect(await pool.submit(job)).toBe('done');
  expect(await pool.submit(job)).toBe('done');
  expect([starts(), pool.pending, pool.ended]).toEqual([2, 0, 4]);
});

test('the opener of batches likewise: a batch that could not be looked into is answered as such', async () => {
  const found = { kind: 'found' } as never;
  const { starts, start } = startingWith(1, { run: () => Promise.resolve(found), close: () => Promise.resolve() });
  const failures: unknown[] = [];
  const opener = new BatchOpener(start, (error) => failures.push(error));
  const job = { kind: 'find' } as never;
  expect(await opener.open(job)).toEqual({ kind: 'failed' });
  expect(await opener.open(job)).toBe(found);
  expect([starts(), failures.map(String)]).toEqual([2, ['Error: EMFILE: planted']]);
});

test('a pool that could not be started closes without a word', async () => {
  const { start } = startingWith(Infinity, { run: () => Promise.resolve(), close: () => Promise.resolve() });
  const pool = new KeeperPool(start, () => undefined);
  const waiting = pool.submit({ kind: 'removeFiles', paths: [] });
  await Promise.all([pool.close(), expect(waiting).rejects.toThrow('could not be started')]);
});
