/** Scans that queue while others wait for the disk. */
import { expect, test } from 'vitest';
import { HeaderScanner, type Scan } from '../../../src/main/header-scan.ts';
import type { PartitionView } from '../../../src/main/partition-view.ts';
import type { SegmentReader } from '../../../src/main/segment-reader.ts';
import type { SegmentView } from '../../../src/main/segment-view.ts';

const SCANS = 20_000;

test('thousands of scans whose segment goes meanwhile are told so, one after the other and not one within the other', () => {
  const reads: (() => void)[] = [];
  const reader = { read: (...args: unknown[]) => void reads.push(() => (args.at(-1) as (error: null, bytes: number) => void)(null, 1000)) };
  const segment = { retired: false, baseOffset: 0, endPosition: 1e6 };
  const scanner = new HeaderScanner(reader as unknown as SegmentReader);
  const view = { active: null, damage: { any: false } } as unknown as PartitionView;
  const done: Scan[] = [];
  for (let n = 0; n < SCANS; n++)
    scanner.scan(view, segment as unknown as SegmentView, null, 0, 0, n, Infinity, (scan) => {
      done.push(scan);
    });
  expect(done).toEqual([]);
  const underWay = reads.length;
  segment.retired = true;
  reads.shift()!();
  expect(done.every(({ outcome }) => outcome === 'gone')).toBe(true);
  // All but those that still wait for the disk.
  expect(done).toHaveLength(SCANS - underWay + 1);
  for (const read of reads) read();
  expect(new Set(done.map(({ targetOffset }) => targetOffset)).size).toBe(SCANS);
});
