/**
 * The journal says which partition a handle means in a few groups; appends in others have the handle alone. However many of the first groups are damaged, what
 * was acknowledged behind them keeps its owner.
 */
import { expect, test } from 'vitest';
import { currentGeneration, generationNumber } from '../../../src/log/generation.ts';
import { EntryType } from '../../../src/log/journal-layout.ts';
import type { FoundGroup } from '../../../src/log/journal-reader.ts';
import { readJournal } from '../../../src/log/journal-reader.ts';
import { generationFolder } from '../../../src/log/layout.ts';
import { VOUCH_AFTER_MS } from '../../../src/shard/vouching.ts';
import type { SimTopic } from '../../sim/history.ts';
import { DATA, Simulation } from '../../sim/simulation.ts';

/** Of a record, of which a batch has up to three. */
const BYTES = 1000;

function append(sim: Simulation, topic: SimTopic): void {
  sim.produce(topic, BYTES);
  for (const slot of sim.shards) sim.work(slot);
}

/** A broker that is on for the first time, or again, and has since acknowledged so many batches of a topic; the power is gone. */
function written(isRestarted: boolean, batches: number): { readonly sim: Simulation; readonly topic: SimTopic } {
  // No checkpoint names the handles before the end; and appends are in the journal alone.
  const sim = new Simulation({ seed: 0, referenceBytesMin: 1 << 20 });
  sim.start();
  const topic = sim.createTopic('fsync');
  sim.configure(topic, 1 << 20);
  sim.workAll();
  if (isRestarted) {
    append(sim, topic);
    sim.stop();
    sim.afterCrash();
    sim.start();
  }
  for (let i = 0; i < batches; i++) append(sim, topic);
  for (let i = 0; i < 3; i++) {
    sim.nowMs += VOUCH_AFTER_MS / 2;
    for (const slot of sim.shards) sim.work(slot);
  }
  expect(sim.acks).toBe(batches + Number(isRestarted));
  sim.disk.losePower(0);
  topic.damagedAllowed = true;
  sim.afterCrash();
  return { sim, topic };
}

function groupsOf({ disk }: Simulation): readonly FoundGroup[] {
  const generation = currentGeneration(disk, DATA) as string;
  return readJournal(disk, `${generationFolder(DATA, generation)}/sync-0`, generationNumber(generation), 0).groups;
}

const isNaming = ({ entries }: FoundGroup): boolean =>
  entries.some((entry) => entry.type === 'control' && (entry.body.type === EntryType.bind || entry.body.type === EntryType.open));

for (const isRestarted of [false, true]) {
  const since = isRestarted ? 'after a restart' : 'new';

  for (const damaged of [1, 2, 3, 10, 20])
    test(`a partition, ${since}: the first ${damaged} groups are damaged, and what is behind them is served`, () => {
      const { sim, topic } = written(isRestarted, 40);
      const groups = groupsOf(sim);
      expect(groups.length).toBeGreaterThan(40);
      for (const { path, payloadAt } of groups.slice(0, damaged)) sim.disk.corrupt(path, payloadAt - 1);
      const lost = groups.slice(0, damaged).flatMap(({ entries }) => entries.filter(({ type }) => type === EntryType.append)).length;
      const kept = groups
        .slice(damaged)
        .flatMap(({ entries }) => entries.map((entry) => (entry.type === EntryType.append ? entry.batchBytes : 0)));
      const { partitions, rewrittenBytes } = sim.start();
      const state = structuredClone(partitions.get(`${topic.id}/0`));
      expect(rewrittenBytes).toBe(kept.reduce((sum, bytes) => sum + bytes));
      const records = [...topic.records.values()];
      expect(state?.endOffset).toBe(records.at(-1)!.lastOffset + 1);
      const first = records[Number(isRestarted)]!;
      const behind = records[lost + Number(isRestarted)]!;
      expect(state?.damaged).toEqual(lost === 0 ? [] : [{ from: first.baseOffset, to: behind.baseOffset }]);
      append(sim, topic);
      expect([...topic.records.values()].at(-1)).toMatchObject({ acked: true, baseOffset: records.at(-1)!.lastOffset + 1 });
    });

  test(`a partition, ${since}: it is named with every group at first, and seldom later`, () => {
    const { sim } = written(isRestarted, 100);
    const named = groupsOf(sim).map(isNaming);
    expect(named.slice(0, 15)).not.toContain(false);
    expect(named.filter(Boolean).length).toBeLessThan(40);
  });
}

test('where nothing names the partition of what was acknowledged, the start says so', () => {
  const { sim } = written(true, 100);
  const groups = groupsOf(sim);
  for (const group of groups.filter(isNaming)) sim.disk.corrupt(group.path, group.payloadAt - 1);
  const nameless = groups.filter((group) => !isNaming(group)).length;
  const { notes } = sim.start();
  expect(notes.map(({ text }) => text).join('\n')).toContain(`${nameless} batch(es) or changes in the journal of`);
});
