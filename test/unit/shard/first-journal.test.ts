/** A shard begins with one small journal file; the job pool makes the second, and need not be there for the first records. */
import { expect, test } from 'vitest';
import { ShardBench } from '../../support/shard-bench.ts';

const MIB = 1 << 20;

function begun(): ShardBench {
  const bench = new ShardBench('sync', { journalBytesMax: 64 * MIB, journalFileBytes: 16 * MIB });
  bench.open(0, { segmentBytes: 4 * MIB });
  return bench;
}

const filesAskedFor = (bench: ShardBench): number => bench.jobs.filter(({ work }) => work.kind === 'prepareJournal').length;

test('the second journal file is asked for a little after the shard has begun, not before its first records', () => {
  const bench = begun();
  bench.append(0);
  expect([filesAskedFor(bench), bench.codes]).toEqual([0, [0]]);
  bench.pass(300);
  expect(filesAskedFor(bench)).toBe(1);
});

test('it is asked for without being written to', () => {
  const bench = begun();
  bench.pass(300);
  expect(filesAskedFor(bench)).toBe(1);
});

test('it is asked for at once when the first one fills', () => {
  const bench = begun();
  const batches = () => bench.codes.length;
  while (filesAskedFor(bench) === 0 && batches() < 10_000) bench.append(0);
  expect(filesAskedFor(bench)).toBe(1);
  expect(bench.codes.every((code) => code === 0)).toBe(true);
});
