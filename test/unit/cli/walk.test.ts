/** Walking the batches of a stored partition whose file belonged to another log before. */
import { expect, test } from 'vitest';
import { walkPartition } from '../../../src/cli/offline/walk.ts';
import { Prng } from '../../../src/lib/prng.ts';
import { segmentPath } from '../../../src/log/layout.ts';
import { emptyPartition, type DamagedRange, type PartitionState } from '../../../src/log/partition-state.ts';
import { buildBatch } from '../../../src/protocol/record.ts';
import { FakeDisk } from '../../sim/fake-disk.ts';

const TOPIC = Buffer.alloc(16, 1).toString('base64url');

/** A batch of three offsets. */
const batch = (base: number, value: string): Buffer =>
  buildBatch({ records: Array.from({ length: 3 }, () => ({ value: Buffer.from(value) })), baseOffset: base });

/** Base offsets of the batches that are shown, and the number of flaws. */
function walk(batches: readonly Buffer[], endOffset: number, damaged: DamagedRange[]): { bases: number[]; flaws: number } {
  const disk = new FakeDisk(new Prng(1));
  const file = Buffer.concat(batches);
  const path = segmentPath('/', TOPIC, 0, 0);
  disk.mkdir(path.slice(0, path.lastIndexOf('/')));
  const fd = disk.open(path, 'write');
  disk.write(fd, [file], 0);
  disk.close(fd);
  const segment = { baseOffset: 0, endOffset, endPosition: file.length, maxTimestamp: -1, capacity: 0 };
  const state: PartitionState = { ...emptyPartition(TOPIC, 0), endOffset, segments: [segment], damaged };
  const found = [...walkPartition(disk, '/', state)];
  return {
    bases: found.flatMap((item) => (item.kind === 'batch' ? [item.head.baseOffset] : [])),
    flaws: found.filter(({ kind }) => kind === 'flaw').length,
  };
}

const own = (...bases: number[]): Buffer[] => bases.map((base) => batch(base, 'own'));

test('offsets that were given out and never written lie between batches that lead to the end', () => {
  const gaps = [
    { from: 6, to: 9 },
    { from: 12, to: 30 },
  ];
  expect(walk(own(0, 3, 9, 30, 33), 36, gaps)).toEqual({ bases: [0, 3, 9, 30, 33], flaws: 0 });
  // Cut within the second.
  expect(walk(own(0, 3, 9), 20, gaps)).toEqual({ bases: [0, 3, 9], flaws: 0 });
  expect(walk(own(0, 3, 10, 30, 33), 36, gaps)).toEqual({ bases: [0, 3], flaws: 1 });
});

test('a batch of another log that has just the offset behind what was lost, in its place, is not shown', () => {
  const lost = [{ from: 6, to: 12 }];
  const foreign = [batch(12, 'xxx'), batch(15, 'xxx')];
  expect(walk([...own(0, 3), ...foreign, ...own(12, 15)], 18, lost)).toEqual({ bases: [0, 3], flaws: 1 });
});
