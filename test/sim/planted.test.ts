/**
 * The simulator watched at work: each bug that storage must not have is planted into the product's own classes, and a scenario catches it within a
 * bounded number of seeds. The same seeds without the bug pass.
 */
import { afterEach, expect, test, vi } from 'vitest';
import { Replay } from '../../src/log/replay.ts';
import { JournalWriter } from '../../src/shard/journal-writer.ts';
import { Checkpointer } from '../../src/shard/checkpointer.ts';
import { SegmentWriter } from '../../src/shard/segment-writer.ts';
import type { ShardControl } from '../../src/shard/control.ts';
import * as control from '../../src/shard/control.ts';
import { FakeDisk } from './fake-disk.ts';
import { runSeed } from './scenario.ts';
import { runRotSeed } from './corruption.ts';
import { Violation, type SimOptions } from './simulation.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

/** Every planted bug has to show within this many seeds. */
const SEEDS = 60;

/** The first seed that notices, or −1. */
function caughtAt(options: Partial<SimOptions> = {}, run: (seed: number) => unknown = (seed) => runSeed({ ...options, seed })): number {
  for (let seed = 1; seed <= SEEDS; seed++) {
    try {
      run(seed);
    } catch (error) {
      // A bug that only makes the product throw proves nothing about the checker.
      if (!(error instanceof Violation)) throw error;
      return seed;
    }
  }
  return -1;
}

/** Replaces a method for the length of the test; the replacement gets the original. */
function plant<T extends object, K extends keyof T & string>(prototype: T, method: K, bug: (original: T[K]) => T[K]): void {
  const original = prototype[method];
  vi.spyOn(prototype as Record<string, () => unknown>, method).mockImplementation(function (this: never, ...args: never[]) {
    return (bug(original) as unknown as (...args: never[]) => never).apply(this, args);
  } as never);
}

const FILES_OF_RECOVERY = /\/topics\//;

test('without a planted bug every one of these seeds passes', () => {
  expect(caughtAt()).toBe(-1);
});

test('acknowledged before the journal is synced', () => {
  plant(
    JournalWriter.prototype,
    'sync',
    () =>
      function (this: JournalWriter) {
        this.syncedThrough = this.sequence;
      },
  );
  expect(caughtAt()).toBeGreaterThan(0);
});

test('a disk that lies about syncs of segments', () => {
  plant(
    FakeDisk.prototype,
    'fdatasync',
    (original) =>
      function (this: FakeDisk, fd: number) {
        this.lieAboutSync = (path) => FILES_OF_RECOVERY.test(path);
        original.call(this, fd);
      },
  );
  expect(caughtAt()).toBeGreaterThan(0);
});

test('replay undoes a truncation', () => {
  plant(
    Replay.prototype,
    'apply',
    (original) =>
      function (this: Replay, group) {
        original.call(this, { ...group, entries: group.entries.filter((entry) => entry.type !== 'control' || entry.body.type !== 6) });
      },
  );
  expect(caughtAt()).toBeGreaterThan(0);
});

test('corruption is taken for a torn tail: nothing vouches for what was durable', () => {
  plant(
    JournalWriter.prototype,
    'write',
    (original) =>
      function (this: JournalWriter, ...args) {
        this.syncedThrough = 0;
        return original.apply(this, args);
      },
  );
  expect(caughtAt({}, (seed) => runRotSeed(seed, 'journal'))).toBeGreaterThan(0);
});

test('unsynced bytes are served after recovery: redo does not rewrite', () => {
  plant(
    FakeDisk.prototype,
    'write',
    (original) =>
      function (this: FakeDisk, fd, pieces, position) {
        // Recovery is the only one that writes a batch of its own buffer to a segment before any shard runs.
        if ((this as unknown as { recovering?: boolean }).recovering === true) return;
        original.call(this, fd, pieces, position);
      },
  );
  expect(caughtAt({ onRecovering: (disk, on) => Object.assign(disk, { recovering: on }) })).toBeGreaterThan(0);
});

test('a recycled segment is written by its next owner while a reader still reads it', () => {
  expect(caughtAt({ recycleBeforeReadersAreDone: true })).toBeGreaterThan(0);
});

test('bytes of an earlier life count as part of the log: a segment ends where its file ends', () => {
  plant(
    Checkpointer.prototype,
    'poll',
    (original) =>
      function (this: Checkpointer, nowMs: number) {
        const { shard } = this as unknown as {
          shard: { partitions: ({ state: { segments: { endPosition: number; capacity: number }[] } } | undefined)[] };
        };
        for (const partition of shard.partitions)
          for (const segment of partition?.state.segments.slice(0, -1) ?? [])
            if (segment.capacity > 0) segment.endPosition = segment.capacity;
        original.call(this, nowMs);
      },
  );
  expect(caughtAt()).toBeGreaterThan(0);
});

test('a partition that moved out is forgotten by the next checkpoint', () => {
  plant(
    control.ShardControl.prototype,
    'handle',
    (original) =>
      function (this: ShardControl, message, nowMs) {
        original.call(this, message, nowMs);
        (this as unknown as { shard: { movedOut: Map<string, unknown> } }).shard.movedOut.clear();
      },
  );
  expect(caughtAt()).toBeGreaterThan(0);
});

test('a checkpoint frees the journal without having synced the segments', () => {
  plant(
    SegmentWriter.prototype,
    'lendDirty',
    (original) =>
      function (this: SegmentWriter, bytesMin) {
        return { ...original.call(this, bytesMin), paths: [] };
      },
  );
  expect(caughtAt()).toBeGreaterThan(0);
});
