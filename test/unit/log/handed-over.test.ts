/**
 * A partition moved to another shard, the power failed, and the journal group with which the new shard took it over is damaged: it goes on with what the shard before
 * had. Refused is only what neither of them tells of; nothing is given out again.
 */
import { expect, test } from 'vitest';
import { currentGeneration, generationNumber } from '../../../src/log/generation.ts';
import { EntryType, type JournalEntry } from '../../../src/log/journal-layout.ts';
import { readJournal } from '../../../src/log/journal-reader.ts';
import { generationFolder } from '../../../src/log/layout.ts';
import type { PartitionState } from '../../../src/log/partition-state.ts';
import { VOUCH_AFTER_MS } from '../../../src/shard/vouching.ts';
import { Survives, type SimTopic } from '../../sim/history.ts';
import { DATA, Simulation } from '../../sim/simulation.ts';

/** Batches before the checkpoint of the first shard, behind it, and after the move. */
interface Batches {
  readonly checkpointed: number;
  readonly behind: number;
  readonly moved: number;
}

/** A topic that became `fsync` with all this on disk, and the power is gone. */
function moved(
  { checkpointed, behind, moved: after }: Batches,
  seed = 0,
  last: (sim: Simulation, topic: SimTopic) => void = () => undefined,
): { readonly sim: Simulation; readonly topic: SimTopic } {
  const sim = new Simulation({ seed });
  sim.start();
  const topic = sim.createTopic('page-cache');
  sim.workAll();
  for (let i = 0; i < checkpointed; i++) append(sim, topic);
  for (let i = 0; i < 3; i++) {
    sim.nowMs += 600;
    sim.workAll();
  }
  for (let i = 0; i < behind; i++) append(sim, topic);
  sim.changeDurability(topic, 'fsync');
  for (let i = 0; i < 20 && !topic.online; i++) work(sim);
  expect([topic.online, topic.shard]).toEqual([true, 'sync-0']);
  for (let i = 0; i < after; i++) append(sim, topic);
  last(sim, topic);
  for (let i = 0; i < 3; i++) {
    sim.nowMs += VOUCH_AFTER_MS / 2;
    work(sim);
  }
  expect(sim.acks).toBe(checkpointed + behind + after);
  sim.disk.losePower(0);
  topic.damagedAllowed = true;
  sim.afterCrash();
  return { sim, topic };
}

/** One batch that is acknowledged; the keeper does nothing meanwhile. */
function append(sim: Simulation, topic: SimTopic): void {
  sim.produce(topic, 300);
  work(sim);
}

function work(sim: Simulation): void {
  for (const slot of sim.shards) sim.work(slot);
}

/** Damages the entries of the first journal group that has such an entry; false where there is none. */
function damage({ disk }: Simulation, shard: string, isMeant: (entry: JournalEntry) => boolean): boolean {
  const generation = currentGeneration(disk, DATA) as string;
  const { groups } = readJournal(disk, `${generationFolder(DATA, generation)}/${shard}`, generationNumber(generation), 0);
  const group = groups.find(({ entries }) => entries.some(isMeant));
  if (group !== undefined) disk.corrupt(group.path, group.payloadAt - 1);
  return group !== undefined;
}

const isControl =
  (type: number) =>
  (entry: JournalEntry): boolean =>
    entry.type === 'control' && entry.body.type === type;
const isAppendOf =
  (record: { readonly baseOffset: number } | undefined) =>
  (entry: JournalEntry): boolean =>
    entry.type === EntryType.append && entry.baseOffset === record?.baseOffset;

/** Starts, holds the topic against what was promised, and lets it go on. */
function restarted(sim: Simulation, topic: SimTopic): PartitionState {
  const before = [...topic.records.values()].filter(({ acked }) => acked);
  const end = Math.max(...before.map(({ lastOffset }) => lastOffset + 1));
  const state = structuredClone(sim.start().partitions.get(`${topic.id}/0`)) as PartitionState;
  expect(state.endOffset).toBe(end);
  sim.verifyRecovered(Survives.power);
  append(sim, topic);
  expect([...topic.records.values()].at(-1)).toMatchObject({ acked: true, baseOffset: end });
  return state;
}

test('with nothing damaged no start speaks of damage, whatever the partition had before it moved', () => {
  for (const checkpointed of [0, 3])
    for (const behind of [0, 3]) {
      const { sim } = moved({ checkpointed, behind, moved: 0 });
      expect(sim.start().notes.filter(({ kind }) => kind === 'corruption')).toEqual([]);
    }
});

test('what it recorded as it let go is on disk when the move is answered: nothing is refused', () => {
  const { sim, topic } = moved({ checkpointed: 3, behind: 3, moved: 2 });
  expect(damage(sim, 'sync-0', isControl(EntryType.open))).toBe(true);
  expect(restarted(sim, topic).damaged).toEqual([]);
});

test('the same where nothing was appended since', () => {
  const { sim, topic } = moved({ checkpointed: 3, behind: 3, moved: 0 });
  expect(damage(sim, 'sync-0', isControl(EntryType.open))).toBe(true);
  expect(restarted(sim, topic).damaged).toEqual([]);
});

test('and what was done to it since is not forgotten: records that were deleted stay deleted', () => {
  let second = -1;
  const deleteFirst = (on: Simulation, of: SimTopic): void => {
    second = [...of.records.values()][1]!.baseOffset;
    on.deleteRecords(of, second);
    work(on);
  };
  const { sim, topic } = moved({ checkpointed: 3, behind: 3, moved: 0 }, 0, deleteFirst);
  expect(damage(sim, 'sync-0', isControl(EntryType.open))).toBe(true);
  expect(restarted(sim, topic).logStartOffset).toBe(second);
});

test('where that is lost as well, what it knew before is served, and only what came between is refused', () => {
  const { sim, topic } = moved({ checkpointed: 3, behind: 3, moved: 2 });
  const records = [...topic.records.values()];
  expect(damage(sim, 'sync-0', isControl(EntryType.open))).toBe(true);
  // What follows in the journal of the old shard is a torn tail: nobody vouches for it there.
  damage(sim, 'buffered-0', isAppendOf(records[4]));
  const { damaged, moveNumber } = restarted(sim, topic);
  expect([damaged, moveNumber]).toEqual([[{ from: records[4]!.baseOffset, to: records[6]!.baseOffset }], 1]);
  const notes = sim.lastRecovery?.notes.map(({ text }) => text).join('\n');
  expect(notes).toContain(`is lost; goes on behind offset ${records[3]!.lastOffset} of what the shard before had recorded`);
});

test('where only its checkpoint knew of it, too', () => {
  const { sim, topic } = moved({ checkpointed: 3, behind: 0, moved: 2 });
  expect(damage(sim, 'sync-0', isControl(EntryType.open))).toBe(true);
  damage(sim, 'buffered-0', isControl(EntryType.movedOut));
  expect(restarted(sim, topic).damaged).toEqual([]);
});

test('whatever of a move is damaged, what was acknowledged is served or refused, and no offset is given out again', () => {
  let refused = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const batches = { checkpointed: 1 + (seed % 3), behind: (seed >> 2) % 3, moved: seed % 2 };
    const { sim, topic } = moved(batches, seed & ~12);
    const records = [...topic.records.values()];
    damage(sim, 'sync-0', isControl(EntryType.open));
    damage(sim, 'buffered-0', isAppendOf(sim.prng.pick(records)));
    refused += restarted(sim, topic).damaged.length;
    sim.disk.losePower(0);
    sim.afterCrash();
    restarted(sim, topic);
  }
  expect(refused).toBeGreaterThan(0);
});
