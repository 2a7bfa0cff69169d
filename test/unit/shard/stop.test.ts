/** The last checkpoint of a clean stop: what it names is synced first, many files at once, with the help of threads where there are many. */
import { expect, test, vi } from 'vitest';
import { readFileIfPresent } from '../../../src/log/disk.ts';
import { recover } from '../../../src/log/recovery.ts';
import { DATA, ShardBench } from '../../support/shard-bench.ts';

/** A shard with this many dirty partitions that was told to stop. */
function stopping(partitions: number): { bench: ShardBench; together: () => number[] } {
  const bench = new ShardBench('sync', { journalBytesMax: 8 << 20 });
  for (let handle = 0; handle < partitions; handle++) bench.open(handle);
  for (let handle = 0; handle < partitions; handle++) bench.send(handle, 900);
  bench.work();
  bench.said.length = 0;
  const syncs = vi.spyOn(bench.disk, 'fdatasyncMany');
  bench.tell({ kind: 'stop' });
  return { bench, together: () => syncs.mock.calls.map(([fds]) => fds.length) };
}

test('a stop that has much to sync asks for help first, and syncs many files at once', () => {
  const { bench, together } = stopping(200);
  bench.cycle();
  expect([bench.take('syncHelpWanted').length, bench.take('stopped').length, together()]).toEqual([1, 0, []]);
  bench.cycle();
  expect([bench.take('syncHelpWanted').length, bench.take('stopped')]).toEqual([0, [{ kind: 'stopped', error: null }]]);
  expect(together()).toEqual([128, 72]);
});

test('a stop that has little to sync does so at once, and starts no threads for it', () => {
  const { bench, together } = stopping(5);
  bench.cycle();
  expect([bench.take('syncHelpWanted').length, bench.take('stopped')]).toEqual([0, [{ kind: 'stopped', error: null }]]);
  expect(together()).toEqual([5]);
});

test('a file that is gone is owed nothing, and the folder that went with it neither', () => {
  const { bench } = stopping(3);
  bench.disk.removeTree('/data/topics/topic-1');
  bench.cycle();
  expect(bench.take('stopped')).toEqual([{ kind: 'stopped', error: null }]);
});

test('if one of many syncs fails the stop is not clean, and no checkpoint is written', () => {
  const { bench } = stopping(100);
  const before = bench.disk.paths().filter((path) => path.endsWith('.ckpt'));
  bench.disk.failSync = (path) => path.includes('/topic-57/');
  bench.cycle();
  bench.cycle();
  expect(bench.take('stopped')[0]?.error).toMatch(/EIO/);
  expect(bench.disk.paths().filter((path) => path.endsWith('.ckpt'))).toEqual(before);
});

/** The journal files that a start reads after `ending`. */
function journalsReadAfter(ending: 'stop' | 'kill'): { clean: boolean; ends: number[]; journals: number } {
  const { bench } = stopping(5);
  if (ending === 'stop') bench.cycle();
  const opened = vi.spyOn(bench.disk, 'open');
  const { clean, partitions } = recover(bench.disk, DATA, () => 'known');
  const journals = opened.mock.calls.filter(([path]) => path.endsWith('.jrn')).length;
  return { clean, ends: [...partitions.values()].map(({ segments }) => segments.at(-1)?.endOffset ?? -1), journals };
}

test('a start after a clean stop reads no journal, however large; one after a kill finds the same records there', () => {
  const killed = journalsReadAfter('kill');
  expect(killed.clean).toBe(false);
  expect(killed.journals).toBeGreaterThan(0);
  expect(journalsReadAfter('stop')).toEqual({ clean: true, ends: killed.ends, journals: 0 });
});

test.for([0, 1])(
  'a shard that is stopped when %i of its partitions are open, and not yet all, leaves the checkpoint that names them all',
  (opened) => {
    const bench = new ShardBench('sync', {}, false);
    const checkpoints = (): (string | undefined)[][] =>
      bench.disk
        .paths()
        .filter((path) => path.endsWith('.ckpt'))
        .map((path) => [path, readFileIfPresent(bench.disk, path)?.toString('hex')]);
    const before = checkpoints();
    for (let handle = 0; handle < opened; handle++) bench.open(handle);
    bench.tell({ kind: 'stop' });
    bench.cycle();
    expect(bench.take('stopped')).toEqual([{ kind: 'stopped', error: 'stopped before all of its partitions were open' }]);
    expect(before).not.toEqual([]);
    expect(checkpoints()).toEqual(before);
  },
);
