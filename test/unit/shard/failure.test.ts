/** A shard after a failed sync: it refuses, it sleeps, it stops at once, and not as after a clean life. */
import { expect, test } from 'vitest';
import { Worked } from '../../../src/shard/shard.ts';
import type { ShardSlot } from '../../sim/shard-slot.ts';
import { Simulation } from '../../sim/simulation.ts';
import { ShardBench } from '../../support/shard-bench.ts';

function started(): { sim: Simulation; slot: ShardSlot } {
  const sim = new Simulation({ seed: 0, referenceBytesMin: 1 });
  sim.start();
  return { sim, slot: sim.shards[0] as ShardSlot };
}

test('what waited to be journaled when a sync failed does not keep the shard from sleeping', () => {
  const { sim, slot } = started();
  const topic = sim.createTopic('fsync');
  sim.work(slot);
  // The first append brings a roll and a bind entry, and needs the name of its file on disk before the journal is written.
  sim.disk.failSync = (path) => path.includes('/topics');
  sim.produce(topic, 100);
  sim.work(slot);
  expect(slot.shard.failure).toMatch(/EIO/);
  expect(sim.refusals).toBe(1);
  expect(sim.work(slot)).toBe(Worked.nothing);
});

test('a failed shard stops at once, also in the middle of a checkpoint, and not cleanly', () => {
  const { sim, slot } = started();
  const topic = sim.createTopic('fsync');
  sim.workAll();
  for (let i = 0; i < 20; i++) {
    sim.produce(topic, 2000);
    sim.work(slot);
  }
  expect(slot.shard.checkpointer.busy).toBe(true);
  sim.disk.failSync = () => true;
  sim.produce(topic, 100);
  sim.work(slot);
  expect(slot.shard.failure).not.toBeNull();
  sim.stop();
  expect(slot.stopped).toBe(false);
});

test('main hears which offsets a failed sync of segments may have left out', () => {
  const bench = new ShardBench('sync');
  bench.open(1);
  bench.open(2);
  for (const handle of [1, 2]) bench.append(handle);
  bench.checkpoint();
  bench.append(1);
  bench.append(1);
  bench.disk.failSync = (path) => path.endsWith('.log');
  bench.checkpoint();
  expect(bench.shard.failure).toMatch(/background sync/);
  expect(bench.take('unsecured').map(({ ranges }) => ranges)).toEqual([[{ handle: 1, from: 1 }]]);
  expect(bench.take('failed')).toHaveLength(1);
});

test('a group whose sync fails makes doubtful what its segments already held, and not what others do', () => {
  const bench = new ShardBench('sync');
  bench.open(1, { segmentBytes: 8000 });
  bench.open(2);
  bench.append(1);
  bench.append(2);
  bench.disk.failSync = (path) => path.endsWith('.log');
  // Large enough to be written by reference: its segment is synced with the group.
  bench.append(1, 3500);
  expect(bench.take('unsecured').map(({ ranges }) => ranges)).toEqual([[{ handle: 1, from: 0 }]]);
});

test('main also hears of the sync that was under way when another one failed', () => {
  const bench = new ShardBench('sync');
  bench.open(1);
  bench.append(1);
  bench.pass(bench.shard.settings.checkpointIntervalMs + 100);
  expect(bench.shard.checkpointer.busy).toBe(true);
  bench.disk.failSync = (path) => path.endsWith('.jrn');
  bench.append(1);
  expect(bench.take('failed')).toHaveLength(1);
  expect(bench.take('unsecured')).toEqual([]);
  bench.disk.failSync = (path) => path.endsWith('.log');
  bench.keep();
  expect(bench.take('unsecured').map(({ ranges }) => ranges)).toEqual([[{ handle: 1, from: 0 }]]);
  expect(bench.take('failed')).toEqual([]);
});

test('a buffered shard whose journal cannot be synced goes on being read', () => {
  const bench = new ShardBench('buffered');
  bench.open(1, { durability: 'page-cache' });
  bench.append(1);
  bench.append(1);
  bench.disk.failSync = (path) => path.endsWith('.jrn');
  bench.tell({ kind: 'truncate', handle: 1, endOffset: 1 });
  bench.work();
  expect(bench.take('failed')).toHaveLength(1);
  expect(bench.take('unsecured')).toEqual([]);
});

test('a partition whose state is too large for the journal stays in its shard and goes on', () => {
  const bench = new ShardBench('sync');
  const partition = bench.open(1);
  bench.append(1);
  const damaged = Array.from({ length: 20_000 }, (_, i) => ({ from: i * 2, to: i * 2 + 1 }));
  partition.state.damaged.push(...damaged);
  bench.tell({ kind: 'moveOut', handle: 1, moveNumber: 1 });
  bench.work();
  const [answer] = bench.take('movedOut');
  expect(answer).toMatchObject({ state: null, error: expect.stringContaining('bytes of the journal') as string });
  bench.codes.length = 0;
  bench.append(1);
  expect(bench.codes).toEqual([0]);
});

test('files of quiet partitions that are closed: a failed sync makes theirs doubtful, a missing descriptor nothing', () => {
  const bench = new ShardBench('sync', { openSegmentsMax: 2 });
  for (const handle of [1, 2]) {
    bench.open(handle);
    bench.append(handle);
  }
  bench.open(3);
  bench.disk.failOpen = (path) => path.includes('/topics') && !path.endsWith('.log');
  bench.append(3);
  expect(bench.shard.failure).toBeNull();
  bench.disk.failOpen = null;
  bench.disk.failSync = (path) => path.endsWith('.log');
  bench.append(3);
  expect(bench.shard.failure).toMatch(/quiet partitions/);
  const [unsecured] = bench.take('unsecured');
  expect(unsecured?.ranges.every(({ handle, from }) => handle !== 3 && from === 0)).toBe(true);
  expect(unsecured?.ranges.length).toBeGreaterThan(0);
});
