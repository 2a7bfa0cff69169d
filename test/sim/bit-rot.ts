/** A scenario for bit rot: bytes that were durable change while the broker is down. Nothing wrong is served, nothing behind it is cut, no offset is given out twice. */
import { segmentPath } from '../../src/log/layout.ts';
import type { FakeDisk } from './fake-disk.ts';
import { check, holdsBatch, Survives, type SimTopic } from './history.ts';
import { DATA, Simulation } from './simulation.ts';

/** Which files rot. */
export type Rot = 'journal' | 'segment' | 'checkpoint';

/** Runs one seed and throws a Violation if a promise breaks; tells whether recovery reported something. */
export function runRotSeed(seed: number, rot: Rot): boolean {
  const sim = new Simulation({ seed });
  const { prng, disk } = sim;
  sim.start();
  const topics = [sim.createTopic('fsync'), sim.createTopic('fsync'), sim.createTopic('fsync')];
  for (let i = 0; i < 60 + prng.below(60); i++) {
    sim.nowMs += 10;
    for (const topic of topics) if (topic.online && prng.chance(0.6)) sim.produce(topic, prng.below(prng.chance(0.2) ? 3000 : 300));
    for (const slot of sim.shards) {
      sim.work(slot);
      // Checkpoints end early, so that much of the journal is above the last one.
      if (i < 20) sim.runJob(slot);
    }
  }
  const work = (): void => {
    for (const slot of sim.shards) sim.work(slot);
  };
  work();
  // The last group of a journal has nobody to vouch for it: one more, of another topic, vouches for all that is judged here.
  const witness = sim.createTopic('fsync');
  for (let i = 0; i < 3; i++) {
    work();
    if (witness.online) sim.produce(witness, 10);
  }
  work();
  const acked = topics.map((topic) => [...topic.records.values()].filter((record) => record.acked));
  check(
    acked.every((records) => records.length > 5),
    'the scenario acknowledged too little to prove anything',
  );
  const ends = acked.map((records) => Math.max(...records.map((record) => record.lastOffset + 1)));
  sim.stopAbruptly();

  const pattern = { journal: /sync-0\/journal/, segment: /\/topics\//, checkpoint: /sync-0\/.*\.ckpt/ }[rot];
  const files = disk.paths().filter((path) => pattern.test(path));
  const path = prng.pick(files);
  const written = writtenPositions(disk, path);
  const reach = rot === 'journal' ? 0.7 : 1;
  if (written.length > 0) disk.corrupt(path, written[prng.below(Math.ceil(written.length * reach))] as number, 1 << prng.below(8));

  for (const topic of topics) topic.damagedAllowed = true;
  sim.afterCrash();
  const recovered = sim.start();
  topics.forEach((topic, i) => {
    const state = recovered.partitions.get(`${topic.id}/0`);
    check(state !== undefined, `${topic.id} is gone`);
    if (state === undefined) return;
    check(state.endOffset >= (ends[i] as number), `${topic.id}: offsets from ${state.endOffset} to ${ends[i]} would be given out again`);
    for (const record of acked[i] ?? []) {
      const isRefused = state.damaged.some((range) => range.from <= record.baseOffset && record.lastOffset < range.to);
      if (isRefused) continue;
      const file = disk.open(segmentPath(DATA, topic.id, 0, record.segmentBase), 'read');
      const bytes = Buffer.alloc(record.batch.length);
      disk.read(file, bytes, 0, bytes.length, record.position);
      disk.close(file);
      const intact = holdsBatch(topic, record, bytes);
      // Segments below the checkpoint are not read at start: there the reader's CRC check refuses what rotted.
      check(intact || rot === 'segment', `${topic.id}: offset ${record.baseOffset} is neither refused nor what was acknowledged`);
    }
    const refused = state.damaged.reduce((sum, range) => sum + range.to - range.from, 0);
    check(
      refused === 0 || recovered.notes.some((note) => note.kind === 'corruption'),
      `${topic.id}: ${refused} offsets refused and nobody told`,
    );
  });
  expectFreshOffsets(sim, topics, ends);
  return recovered.notes.length > 0;
}

/** What is produced now comes behind everything that was ever acknowledged. */
function expectFreshOffsets(sim: Simulation, topics: readonly SimTopic[], ends: readonly number[]): void {
  const known = new Map(topics.map((topic) => [topic, new Set(topic.records.keys())]));
  for (let i = 0; i < 10; i++) {
    for (const topic of topics) sim.produce(topic, 50);
    sim.workAll();
  }
  topics.forEach((topic, i) => {
    const fresh = [...topic.records.values()].filter((record) => record.acked && known.get(topic)?.has(record.baseOffset) !== true);
    check(fresh.length > 0, `${topic.id} takes nothing any more`);
    for (const record of fresh) {
      check(record.baseOffset >= (ends[i] as number), `${topic.id}: offset ${record.baseOffset} was given out again`);
      check(record.survives === Survives.power, `${topic.id}: a fresh record is less safe than asked`);
    }
  });
}

/** Where a file holds something: rot in the zeros of a preallocated file shows nothing. */
function writtenPositions(disk: FakeDisk, path: string): number[] {
  const fd = disk.open(path, 'read');
  const bytes = Buffer.alloc(disk.size(fd));
  disk.read(fd, bytes, 0, bytes.length, 0);
  disk.close(fd);
  const positions: number[] = [];
  for (let at = 0; at < bytes.length; at++) if (bytes[at] !== 0) positions.push(at);
  return positions;
}
