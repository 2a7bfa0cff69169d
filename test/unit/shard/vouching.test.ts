/** A quiet sync shard vouches for its last group: once, where the next group will begin, and only when that group is durable. */
import { expect, test } from 'vitest';
import { GROUP_ALIGNMENT, GROUP_HEADER_BYTES } from '../../../src/log/journal-layout.ts';
import { readJournal, type JournalContents } from '../../../src/log/journal-reader.ts';
import { generationNumber } from '../../../src/log/generation.ts';
import { Worked } from '../../../src/shard/shard.ts';
import { VOUCH_AFTER_MS } from '../../../src/shard/vouching.ts';
import { DATA, ShardBench } from '../../support/shard-bench.ts';

const GENERATION = '00000000000000aa';
const FOLDER = `${DATA}/generations/${GENERATION}/sync-0`;
const JOURNAL = `${FOLDER}/journal-000000.jrn`;

function benchWith(...[kind, settings]: ConstructorParameters<typeof ShardBench>): ShardBench {
  const bench = new ShardBench(kind, settings);
  bench.open(1, { segmentBytes: 1 << 20, maxMessageBytes: 100_000, ...(kind === 'buffered' ? { durability: 'page-cache' } : {}) });
  bench.append(1);
  return bench;
}

const journalOf = ({ disk }: ShardBench): JournalContents => readJournal(disk, FOLDER, generationNumber(GENERATION), 0);
const sequencesOf = (bench: ShardBench): number[] => journalOf(bench).groups.map(({ sequence }) => sequence);

/** Syncs of the journal from now on. */
function countSyncs(bench: ShardBench): { count: number } {
  const syncs = { count: 0 };
  bench.disk.failSync = (path) => {
    if (path.endsWith('.jrn')) syncs.count++;
    return false;
  };
  return syncs;
}

/** The last group's header, or its entries, rot. */
function rotLastGroup(bench: ShardBench): void {
  const { path, payloadAt } = journalOf(bench).groups.at(-1)!;
  bench.disk.corrupt(path, payloadAt - 1);
}

test('the last group is vouched for once the shard was quiet for a while, durably, and its damage is no torn tail', () => {
  const bench = benchWith();
  const { sequence } = bench.shard.journalWriter;
  bench.pass(VOUCH_AFTER_MS - 10);
  expect(journalOf(bench).syncedThrough).toBe(sequence - 1);
  bench.pass(10);
  bench.disk.losePower(0);
  expect(journalOf(bench)).toMatchObject({ syncedThrough: sequence, missing: [] });
  rotLastGroup(bench);
  expect(journalOf(bench)).toMatchObject({ syncedThrough: sequence, missing: [sequence] });
});

test('it costs one sync for each quiet spell behind a group, and none while groups follow each other', () => {
  const bench = benchWith();
  const syncs = countSyncs(bench);
  for (let n = 0; n < 20; n++) {
    bench.append(1);
    bench.pass(VOUCH_AFTER_MS - 1);
  }
  expect(syncs.count).toBe(20);
  bench.pass(20 * VOUCH_AFTER_MS);
  expect(syncs.count).toBe(21);
  bench.append(1);
  bench.pass(20 * VOUCH_AFTER_MS);
  expect(syncs.count).toBe(23);
});

test('it is no work: the shard sleeps, and no checkpoint becomes due', () => {
  const bench = benchWith();
  bench.checkpoint();
  expect(bench.shard.checkpointer.completed).toBe(1);
  bench.append(1);
  bench.checkpoint();
  bench.pass(VOUCH_AFTER_MS);
  bench.nowMs += VOUCH_AFTER_MS;
  expect(bench.cycle()).toBe(Worked.nothing);
  expect(bench.shard.checkpointer.completed).toBe(2);
  bench.checkpoint();
  expect(bench.shard.checkpointer.completed).toBe(2);
});

test('a clock that goes back begins the quiet spell anew, and does not put it off for as long as it went back', () => {
  const bench = benchWith();
  bench.nowMs -= 3_600_000;
  bench.pass(2 * VOUCH_AFTER_MS);
  expect(journalOf(bench).syncedThrough).toBe(bench.shard.journalWriter.sequence);
});

test('a group that a durable checkpoint contains needs nobody to vouch for it', () => {
  const bench = benchWith();
  bench.nowMs += 10_100;
  bench.cycle();
  bench.keep();
  expect(bench.shard.checkpointer.durableSequence).toBe(bench.shard.journalWriter.sequence);
  const syncs = countSyncs(bench);
  bench.pass(5 * VOUCH_AFTER_MS);
  expect(syncs.count).toBe(0);
});

test('nothing is vouched for by a shard that has journaled nothing, does not sync its groups, or has failed', () => {
  const young = new ShardBench();
  const buffered = benchWith('buffered');
  const failed = benchWith();
  failed.disk.failSync = (path) => path.endsWith('.jrn');
  failed.append(1);
  expect(failed.shard.failure).not.toBeNull();
  for (const bench of [young, buffered, failed]) {
    const { operations } = bench.disk;
    bench.pass(5 * VOUCH_AFTER_MS);
    expect(bench.disk.operations).toBe(operations);
  }
});

test('the next group takes the place of the vouch', () => {
  const bench = benchWith();
  const { journal } = bench.shard.journalWriter;
  const { freeBytes, bytesWritten } = journal;
  bench.pass(VOUCH_AFTER_MS);
  expect(journal).toMatchObject({ freeBytes, bytesWritten });
  bench.append(1);
  const { sequence } = bench.shard.journalWriter;
  expect(sequencesOf(bench)).toEqual(Array.from({ length: sequence }, (_, n) => n + 1));
  expect(journalOf(bench).syncedThrough).toBe(sequence - 1);
});

test('a vouch of which a part is missing is none', () => {
  const bench = benchWith();
  const { sequence } = bench.shard.journalWriter;
  const at = sequence * GROUP_ALIGNMENT;
  bench.pass(VOUCH_AFTER_MS);
  for (let byte = 0; byte < GROUP_HEADER_BYTES; byte++) {
    bench.disk.corrupt(JOURNAL, at + byte);
    expect(journalOf(bench)).toMatchObject({ syncedThrough: sequence - 1, missing: [], behindTail: [] });
    bench.disk.corrupt(JOURNAL, at + byte);
  }
  expect(journalOf(bench).syncedThrough).toBe(sequence);
});

test('a group of which the loss of power left a part, over the vouch, is a torn tail, and what was before it is whole', () => {
  for (const keep of [0, 0.3, 0.6, 0.9]) {
    const bench = benchWith();
    bench.pass(VOUCH_AFTER_MS);
    const { sequence } = bench.shard.journalWriter;
    bench.disk.crashAt = bench.disk.operations + 3;
    bench.send(1, 2000);
    // It dies in the sync of the group, behind the writes of segment and journal.
    expect(() => bench.work()).toThrow('fdatasync');
    bench.disk.losePower(keep);
    const { groups, missing, behindTail, syncedThrough } = journalOf(bench);
    expect([missing, behindTail]).toEqual([[], []]);
    expect(groups.slice(0, sequence).map((group) => group.sequence)).toEqual(Array.from({ length: sequence }, (_, n) => n + 1));
    if (keep === 0) expect([groups.length, syncedThrough]).toEqual([sequence, sequence]);
  }
});

test('a vouch that cannot be synced fails the shard, and nothing that is there becomes doubtful', () => {
  const bench = benchWith();
  bench.disk.failSync = (path) => path.endsWith('.jrn');
  bench.pass(VOUCH_AFTER_MS);
  expect(bench.shard.failure).toMatch(/EIO.*journal/);
  expect(bench.take('unsecured')).toEqual([]);
  expect(bench.take('failed')).toHaveLength(1);
});
