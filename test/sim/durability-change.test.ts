/** `ringlog.durability` is changed on a live topic, and the power or the process is gone at each step of it. */
import { afterEach, expect, test, vi } from 'vitest';
import type { Durability } from '../../src/log/partition-state.ts';
import { ShardControl } from '../../src/shard/control.ts';
import { SegmentWriter } from '../../src/shard/segment-writer.ts';
import { Shard } from '../../src/shard/shard.ts';
import { runChange, type Change } from './durability-change.ts';
import { Violation } from './history.ts';

const FIRST = Number(process.env['SIM_SEED'] ?? 1);
const SEEDS = Math.max(2, Math.floor(Number(process.env['SIM_SEEDS'] ?? 150) / 75));
const MODES: readonly Durability[] = ['memory', 'page-cache', 'fsync'];
const CHANGES = MODES.flatMap((from) => MODES.filter((to) => to !== from).map((to) => ({ from, to })));

afterEach(() => void vi.restoreAllMocks());

/** Runs every step of a change; returns how many there were. */
function everyStep(seed: number, change: Pick<Change, 'from' | 'to' | 'ending'>): number {
  for (let step = 1; ; step++) {
    try {
      if (!runChange({ seed }, { ...change, step })) return step - 1;
    } catch (error) {
      throw new Error(`seed ${seed}, step ${step}: ${(error as Error).message}`, { cause: error });
    }
  }
}

test.for(CHANGES)('from $from to $to: nothing promised is missing, whatever step the power or the process ends at', (change) => {
  let steps = 0;
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++)
    for (const ending of ['power', 'kill'] as const) steps += everyStep(seed, { ...change, ending });
  // A change within a class asks the disk for nothing; the appends behind it do.
  expect(steps).toBeGreaterThan(SEEDS * 10);
});

/** The first violation in some step of some change. */
function firstCaught(change: Pick<Change, 'from' | 'to'>): Error | null {
  for (let seed = 1; seed <= 8; seed++) {
    try {
      everyStep(seed, { ...change, ending: 'power' });
    } catch (error) {
      return (error as Error).cause as Error;
    }
  }
  return null;
}

const CLASS_CHANGES = CHANGES.filter(({ from, to }) => (from === 'fsync') !== (to === 'fsync'));

test.for(CLASS_CHANGES)('caught: from $from to $to a partition moves out before what it has is synced', (change) => {
  vi.spyOn(SegmentWriter.prototype, 'syncAll').mockImplementation(() => undefined);
  const caught = firstCaught(change);
  expect(caught).toBeInstanceOf(Violation);
  expect(caught?.message).toMatch(/is gone|stands offset|damage reported|never sent/);
});

/** What the new shard, of class `sync`, records of a move is answered and not on disk. */
function plantUnsyncedOpening(): void {
  const inside = Shard.prototype as unknown as { syncGroup: (this: unknown) => void };
  const { syncGroup } = inside;
  vi.spyOn(inside, 'syncGroup').mockImplementation(function (this: { touched: unknown[] }) {
    if (this.touched.length > 0) syncGroup.call(this);
  });
}

/** The same of what the old one, of class `buffered`, records. */
function plantUnsyncedLeaving(): void {
  vi.spyOn(ShardControl.prototype, 'mustBeDurable', 'get').mockReturnValue(false);
}

test('caught: a change is answered while neither shard’s record of it is on disk', () => {
  plantUnsyncedOpening();
  plantUnsyncedLeaving();
  const caught = firstCaught({ from: 'page-cache', to: 'fsync' });
  expect(caught).toBeInstanceOf(Violation);
  expect(caught?.message).toMatch(/is gone/);
});

test.for([
  ['new', plantUnsyncedOpening],
  ['old', plantUnsyncedLeaving],
] as const)('what one shard recorded of a change makes good that the record of the %s one is not on disk', ([, plant]) => {
  plant();
  expect(firstCaught({ from: 'page-cache', to: 'fsync' })).toBeNull();
});
