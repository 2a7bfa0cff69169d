/** A scenario for bit rot: bytes that were durable change while the broker is down. Nothing wrong is served, nothing behind it is cut, no offset is given out twice. */
import { currentGeneration, generationNumber } from '../../src/log/generation.ts';
import { GROUP_ALIGNMENT, readGroup } from '../../src/log/journal-layout.ts';
import { generationFolder, segmentPath } from '../../src/log/layout.ts';
import { VOUCH_AFTER_MS } from '../../src/shard/vouching.ts';
import type { FakeDisk } from './fake-disk.ts';
import { check, holdsBatch, Survives, type SimTopic } from './history.ts';
import { DATA, Simulation } from './simulation.ts';

/** What rots: any byte of such a file, or one of the header or the entries of the last journal group. */
export type Rot = 'journal' | 'last group' | 'segment' | 'checkpoint';

/** Files of each kind. */
const PATTERNS = { journal: /sync-0\/journal/, 'last group': /sync-0\/journal/, segment: /\/topics\//, checkpoint: /sync-0\/.*\.ckpt/ };

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
  // Whatever was acknowledged is judged, so all of it must be vouched for: it is once the shard has been quiet for a while.
  for (let i = 0; i < 3; i++) {
    sim.nowMs += VOUCH_AFTER_MS;
    for (const slot of sim.shards) sim.work(slot);
  }
  const acked = topics.map((topic) => [...topic.records.values()].filter((record) => record.acked));
  check(
    acked.every((records) => records.length > 5),
    'the scenario acknowledged too little to prove anything',
  );
  const ends = acked.map((records) => Math.max(...records.map((record) => record.lastOffset + 1)));
  sim.stopAbruptly();

  const path = prng.pick(disk.paths().filter((each) => PATTERNS[rot].test(each)));
  const positions = rot === 'last group' ? null : writtenPositions(disk, path);
  if (positions === null) corruptLastGroup(sim);
  else if (positions.length > 0) disk.corrupt(path, prng.pick(positions), 1 << prng.below(8));

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

/** Flips a bit in the header or the entries of the last group of the journal. */
function corruptLastGroup({ disk, prng }: Simulation): void {
  const generation = currentGeneration(disk, DATA) as string;
  let last = { sequence: 0, path: '', at: 0, bytes: 0 };
  for (const path of disk.paths().filter((each) => each.startsWith(generationFolder(DATA, generation)) && each.endsWith('.jrn'))) {
    const file = disk.snapshot().get(path) as Buffer;
    for (let at = 0; at < file.length; at += GROUP_ALIGNMENT) {
      const group = readGroup(file, at, generationNumber(generation));
      if (group !== null && group.sequence > last.sequence)
        last = { sequence: group.sequence, path, at, bytes: group.bytes - group.payloadBytes };
    }
  }
  disk.corrupt(last.path, last.at + prng.below(last.bytes), 1 << prng.below(8));
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
