/**
 * Bit rot: bytes of journals, segments and checkpoints change while the broker is down. Whatever they were, wrong bytes are never served, good records
 * around them stay, acknowledged offsets are never given out again; and where the truth is lost the start is refused and changes nothing.
 */
import { afterEach, expect, test, vi } from 'vitest';
import { isIntactBatch } from '../../src/log/batch-reader.ts';
import { BEGUN, begunShards } from '../../src/log/begun.ts';
import { loadCheckpoint } from '../../src/log/checkpoint.ts';
import { currentGeneration, generationNumber, RecoveryError } from '../../src/log/generation.ts';
import { EntryType } from '../../src/log/journal-layout.ts';
import { readJournal, type FoundGroup } from '../../src/log/journal-reader.ts';
import { generationFolder, segmentPath } from '../../src/log/layout.ts';
import { JournalWriter } from '../../src/shard/journal-writer.ts';
import { VOUCH_AFTER_MS, Vouching } from '../../src/shard/vouching.ts';
import { live } from './scenario.ts';
import { check, holdsBatch, Violation, type SimRecord, type SimTopic } from './history.ts';
import { DATA, Simulation } from './simulation.ts';

const SEEDS = Math.max(40, Math.floor(Number(process.env['SIM_SEEDS'] ?? 150) / 3));
const FIRST = Number(process.env['SIM_SEED'] ?? 1);
/**
 * Lives that showed something once: a lost group with the segment in which the log began, a lost group between the records and a new start of the log, the
 * same with the segment, a start that nobody was told of.
 */
const FOUND = [772, 7_100_007, 31_001_566, 361_187_350];
/** The same of shards that vouch when they are quiet: a truncation after a move. */
const FOUND_VOUCHING = [1_040_731_904];

/** What was hit, and so what may be refused. */
interface Rot {
  readonly what: string;
  readonly mayBeRefused: (topic: SimTopic, record: SimRecord) => boolean;
  /** It looks like a torn tail, and may be cut like one. */
  readonly mayBeCut?: (topic: SimTopic, record: SimRecord) => boolean;
  /** The start may be refused. */
  readonly mayStopStart: boolean;
}

interface Vouched {
  readonly group: FoundGroup;
  readonly headerAt: number;
  readonly topics: ReadonlyMap<number, string>;
  readonly isLast: boolean;
}

/** Groups of the sync shard's journal that something behind them vouches for. */
function vouchedGroups(sim: Simulation): Vouched[] {
  // A sync shard writes a group when the one before is synced, and vouches for the last one when it is quiet.
  const groups = groupsOf(sim, 'sync-0');
  return groups.filter(({ group, isLast }) => !isLast || isVouchedFor(sim, group));
}

/** Whether the journal of the sync shard says that a group is durable. */
function isVouchedFor(sim: Simulation, { sequence }: FoundGroup): boolean {
  const generation = currentGeneration(sim.disk, DATA) as string;
  return sequence <= readJournal(sim.disk, `${generationFolder(DATA, generation)}/sync-0`, generationNumber(generation), 0).syncedThrough;
}

/** All groups of a shard's journal behind its checkpoint. */
function groupsOf(sim: Simulation, shard: string): Vouched[] {
  const generation = currentGeneration(sim.disk, DATA) as string;
  const folder = `${generationFolder(DATA, generation)}/${shard}`;
  const { checkpoint } = loadCheckpoint(sim.disk, folder);
  if (checkpoint === null) return [];
  const topics = new Map<number, string>();
  for (const { handle, state } of checkpoint.partitions) if (handle >= 0) topics.set(handle, state.topicId);
  const journal = readJournal(sim.disk, folder, generationNumber(generation), checkpoint.sequence);
  const found: Vouched[] = [];
  for (const group of journal.groups) {
    for (const entry of group.entries) {
      if (entry.type !== 'control') continue;
      if (entry.body.type === EntryType.bind) topics.set(entry.handle, entry.body.topicId);
      if (entry.body.type === EntryType.open) topics.set(entry.handle, entry.body.state.topicId);
    }
    found.push({ group, headerAt: headerOf(sim, group), topics: new Map(topics), isLast: group === journal.groups.at(-1) });
  }
  return found;
}

/**
 * End of what of a topic is vouched for: by a checkpoint, by the state that a move or a birth recorded, or by what follows in the journal of a sync shard. What lies behind is
 * the tail: bytes that are wrong there may never have been whole. Of two shards the one that the partition was moved to last says it: it may have been truncated there.
 */
function vouchedEnd(sim: Simulation, topicId: string): number {
  const known = ['sync-0', 'buffered-0'].map((shard) => vouchedBy(sim, shard, topicId)).filter((each) => each !== null);
  return known.toSorted((a, b) => b.moveNumber - a.moveNumber || Number(a.movedOut) - Number(b.movedOut))[0]?.end ?? 0;
}

/** Up to where a shard vouches for a topic, and since which move; null where the shard does not know it. */
function vouchedBy(sim: Simulation, shard: string, topicId: string): { end: number; moveNumber: number; movedOut: boolean } | null {
  const generation = currentGeneration(sim.disk, DATA) as string;
  const start = loadCheckpoint(sim.disk, `${generationFolder(DATA, generation)}/${shard}`).checkpoint?.partitions ?? [];
  const found = start.find(({ state }) => state.topicId === topicId);
  let known = found === undefined ? null : { end: found.state.endOffset, moveNumber: found.state.moveNumber, movedOut: found.movedOut };
  const vouched = new Set(shard === 'sync-0' ? vouchedGroups(sim).map(({ group }) => group.sequence) : []);
  for (const { group, topics } of groupsOf(sim, shard)) {
    for (const entry of group.entries) {
      if (entry.type === 'control' && 'state' in entry.body) {
        const { state, type } = entry.body;
        if (state.topicId === topicId)
          known = { end: state.endOffset, moveNumber: state.moveNumber, movedOut: type === EntryType.movedOut };
      } else if (known === null || topics.get(entry.handle) !== topicId) {
        continue;
      } else if (entry.type !== 'control') {
        if (vouched.has(group.sequence)) known.end = entry.baseOffset + entry.lastOffsetDelta + 1;
      } else if (entry.body.type === EntryType.truncate) {
        known.end = Math.min(known.end, entry.body.endOffset);
      }
    }
  }
  return known;
}

/** A group begins at the last multiple of the alignment before its payload whose header has its sequence. */
function headerOf(sim: Simulation, group: FoundGroup): number {
  const file = sim.disk.open(group.path, 'read');
  const header = Buffer.alloc(64);
  let at = Math.floor((group.payloadAt - 1) / 4096) * 4096;
  for (; at >= 0; at -= 4096) {
    sim.disk.read(file, header, 0, 64, at);
    if (header.readDoubleLE(16) === group.sequence && at + 64 + header.readUInt32LE(36) === group.payloadAt) break;
  }
  sim.disk.close(file);
  return at;
}

/** Hits something; null where this life left nothing to hit. */
function corrupt(sim: Simulation): Rot | null {
  const { prng, disk } = sim;
  const mask = 1 << prng.below(8);
  const kind = prng.pick(['group', 'group', 'group', 'payload', 'segment', 'segment', 'copy', 'checkpoint'] as const);
  if (kind === 'group' || kind === 'payload') {
    const groups = vouchedGroups(sim);
    if (groups.length === 0) return null;
    const { group, headerAt, topics, isLast } = prng.pick(groups);
    const file = disk.open(group.path, 'read');
    const header = Buffer.alloc(64);
    disk.read(file, header, 0, 64, headerAt);
    disk.close(file);
    if (kind === 'payload') {
      const bytes = header.readUInt32LE(40);
      if (bytes === 0) return null;
      disk.corrupt(group.path, group.payloadAt + prng.below(bytes), mask);
      // Every inline batch is in its segment too; only the loss of power may have left it nowhere else.
      return { what: `payload of group ${group.sequence}`, mayStopStart: false, mayBeRefused: () => false };
    }
    disk.corrupt(group.path, headerAt + prng.below(group.payloadAt - headerAt), mask);
    const hit = new Set(
      group.entries.flatMap((entry) => (entry.type === 'control' ? [] : [`${topics.get(entry.handle)}:${entry.baseOffset}`])),
    );
    const changed = new Set(group.entries.flatMap((entry) => (entry.type === 'control' ? [topics.get(entry.handle)] : [])));
    return {
      what: `header or entries of ${isLast ? 'the last group' : 'group'} ${group.sequence}`,
      mayStopStart: false,
      mayBeRefused: (topic, record) => hit.has(`${topic.id}:${record.baseOffset}`) || changed.has(topic.id),
    };
  }
  if (kind === 'segment') {
    const records = [...sim.topics.values()]
      .filter(({ deleted }) => !deleted)
      .flatMap((topic) => [...topic.records.values()].map((record) => ({ topic, record })));
    const stored = records.filter(({ topic, record }) => record.acked && record.position >= 0 && record.lastOffset < topic.truncatingTo);
    if (stored.length === 0) return null;
    const { topic, record } = prng.pick(stored);
    const path = segmentPath(DATA, topic.id, 0, record.segmentBase);
    const isTail = record.lastOffset >= vouchedEnd(sim, topic.id);
    disk.corrupt(path, record.position + prng.below(record.batch.length), mask);
    return {
      what: `${topic.id} offset ${record.baseOffset} in its segment`,
      mayStopStart: false,
      mayBeRefused: (_topic, other) => other === record,
      mayBeCut: (of, other) => isTail && of === topic && other.baseOffset >= record.baseOffset,
    };
  }
  const checkpoints = disk
    .paths()
    .filter((path) => path.endsWith('.ckpt') && path.startsWith(generationFolder(DATA, currentGeneration(disk, DATA) as string)));
  const path = prng.pick(checkpoints);
  const file = disk.open(path, 'read');
  const half = disk.size(file) / 2;
  const body = Buffer.alloc(4);
  disk.read(file, body, 0, 4, 28);
  disk.close(file);
  const covered = 32 + body.readUInt32LE(0);
  if (kind === 'copy') {
    disk.corrupt(path, half * prng.below(2) + prng.below(covered), mask);
    return { what: `one copy of ${path}`, mayStopStart: false, mayBeRefused: () => false };
  }
  for (const copy of [0, 1]) disk.corrupt(path, half * copy + prng.below(covered), mask);
  return { what: `both copies of ${path}`, mayStopStart: true, mayBeRefused: () => false };
}

/** Holds what recovery made of it against the history. */
function verify(sim: Simulation, rot: Rot): void {
  const { disk } = sim;
  for (const topic of sim.topics.values()) {
    if (topic.deleted) continue;
    const state = sim.lastRecovery?.partitions.get(`${topic.id}/0`);
    // Retention may have moved the start of the log, durably, and nobody was told yet.
    const logStart = state?.logStartOffset ?? 0;
    check(
      logStart <= topic.maybeStart,
      `${topic.id}: with ${rot.what} rotten the log starts at ${logStart}, deleted was at most what is below ${topic.maybeStart}`,
    );
    for (const record of topic.records.values()) {
      if (!record.acked || record.survives < 1 || record.lastOffset >= topic.truncatingTo || record.lastOffset < logStart) continue;
      if (rot.mayBeCut?.(topic, record) === true) continue;
      const what = `${topic.id}: offset ${record.baseOffset}, with ${rot.what} rotten,`;
      check(
        state !== undefined && record.lastOffset < state.endOffset,
        `${what} is gone and can be given out again: the log ends at ${state?.endOffset}`,
      );
      if (state === undefined) continue;
      const refused = state.damaged.some(({ from, to }) => from <= record.baseOffset && record.baseOffset < to);
      if (refused) {
        check(rot.mayBeRefused(topic, record), `${what} is refused`);
        continue;
      }
      const segment = state.segments.findLast(({ baseOffset }) => baseOffset <= record.baseOffset);
      check(segment !== undefined && record.lastOffset < segment.endOffset, `${what} lies in no segment`);
      const path = segmentPath(DATA, topic.id, 0, record.segmentBase);
      const batch = Buffer.alloc(record.batch.length);
      const file = disk.open(path, 'read');
      disk.read(file, batch, 0, batch.length, record.position);
      disk.close(file);
      const intact = holdsBatch(topic, record, batch) && Number(batch.readBigInt64BE(0)) === record.baseOffset;
      // What a reader's check of CRC, offset and length refuses is not served either.
      const served =
        isIntactBatch(batch, batch.length) &&
        Number(batch.readBigInt64BE(0)) === record.baseOffset &&
        batch.readInt32BE(8) === batch.length - 12;
      check(intact || !served, `${what} is served with other bytes`);
      check(intact || rot.mayBeRefused(topic, record), `${what} is not intact`);
    }
    if (state !== undefined)
      for (const { from, to } of state.damaged)
        check(to <= state.endOffset && from < to, `${topic.id}: damage ${from} to ${to} of a log that ends at ${state.endOffset}`);
  }
}

/** The keeper has other things to do, and nothing is asked of the shards for a while. */
function beQuiet(sim: Simulation): void {
  for (let i = 0; i < 4; i++) {
    sim.nowMs += VOUCH_AFTER_MS / 2;
    for (const slot of sim.shards) sim.work(slot);
  }
}

/** One life, rot, a start, and a second start that must find the same. Returns what was hit. */
function runRot(seed: number, last?: (sim: Simulation) => void): string | null {
  const sim = new Simulation({ seed });
  if (process.env['SIM_TRACE'] === '1') sim.trace = (line) => console.log(line);
  sim.start();
  live(sim, ['kill', 'clean'], last);
  sim.afterCrash();
  sim.disk.killProcess();
  sim.disk.capacity = Infinity;
  sim.disk.failSync = null;
  const before = sim.disk.snapshot();
  const rot = corrupt(sim);
  if (rot === null) return null;
  const rotten = sim.disk.snapshot();
  try {
    sim.start();
  } catch (error) {
    if (!(error instanceof RecoveryError) || !rot.mayStopStart) throw error;
    check(sim.disk.isLike(rotten), `with ${rot.what} rotten the start was refused (${error.message}) and changed something`);
    // Restored from a backup, everything is there.
    sim.disk.restore(before);
    sim.start();
    verify(sim, { what: 'nothing', mayStopStart: false, mayBeRefused: () => false });
    return `${rot.what}: refused`;
  }
  verify(sim, rot);
  const ends = new Map([...(sim.lastRecovery?.partitions ?? [])].map(([key, state]) => [key, state.endOffset]));
  sim.afterCrash();
  sim.disk.killProcess();
  sim.start();
  verify(sim, rot);
  for (const [key, end] of ends)
    check(sim.lastRecovery?.partitions.get(key)?.endOffset === end, `${key}: ended at ${end} and at the next start elsewhere`);
  return rot.what;
}

afterEach(() => void vi.restoreAllMocks());

test(
  `${SEEDS} seeds of bit rot: nothing wrong is served, nothing good is cut, no offset is given out again`,
  { timeout: 3_600_000 },
  () => {
    const hits = new Map<string, number>();
    for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
      try {
        const hit = runRot(seed, seed % 2 === 0 ? beQuiet : undefined);
        if (hit !== null) hits.set(hit.replaceAll(/\d+|\/\S+/g, '#'), (hits.get(hit.replaceAll(/\d+|\/\S+/g, '#')) ?? 0) + 1);
      } catch (error) {
        throw new Error(`bit rot, seed ${seed}: ${(error as Error).message}`, { cause: error });
      }
    }
    console.log([...hits].map(([what, count]) => `${count} × ${what}`).join(', '));
    expect([...hits.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThan(SEEDS / 2);
  },
);

test(`${SEEDS} seeds of a shard whose folder is gone or empty: the start is refused and changes nothing`, { timeout: 3_600_000 }, () => {
  const lost = new Set<string>();
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const sim = new Simulation({ seed, syncShards: () => 1 + (seed % 2) });
    const { disk, prng } = sim;
    sim.start();
    live(sim);
    sim.afterCrash();
    disk.killProcess();
    disk.capacity = Infinity;
    disk.failSync = null;
    const whole = disk.snapshot();
    const generation = generationFolder(DATA, currentGeneration(disk, DATA) as string);
    const begun = begunShards(disk, generation);
    // A late one that the crash came before, also between its checkpoint and its name, has nothing that could be lost: it may record only behind both.
    for (const name of disk.list(generation).filter((each) => each !== BEGUN && !begun.includes(each)))
      check(
        disk.list(`${generation}/${name}`).every((file) => file.includes('.ckpt')),
        `seed ${seed}: ${name} has recorded something and left no name`,
      );
    const shard = prng.pick(begun);
    const folder = `${generation}/${shard}`;
    lost.add(shard);
    for (const name of disk.list(folder)) disk.unlink(`${folder}/${name}`);
    if (prng.chance(0.5)) disk.removeTree(folder);
    const before = disk.snapshot();
    let refusal: unknown = null;
    try {
      sim.start();
    } catch (error) {
      refusal = error;
    }
    if (!(refusal instanceof RecoveryError)) throw new Error(`seed ${seed}: ${folder} is lost, and the start goes on`, { cause: refusal });
    check(disk.isLike(before), `seed ${seed}: the start was refused (${refusal.message}) and changed something`);
    disk.killProcess();
    for (const changed of disk.mkdir(folder)) disk.syncFolder(changed);
    disk.restore(whole);
    sim.start();
  }
  expect([...lost].sort()).toEqual(['buffered-0', 'sync-0', 'sync-1']);
});

test.each(FOUND)('seed %i, which showed something once: nothing wrong is served, nothing good is cut', (seed) => {
  // Shards vouched for nothing then; one more operation of the disk would make it another life.
  vi.spyOn(Vouching.prototype, 'poll').mockImplementation(() => undefined);
  runRot(seed);
});

test.each(FOUND_VOUCHING)(
  'seed %i, which showed something once, of shards that vouch: nothing wrong is served, nothing good is cut',
  (seed) => {
    runRot(seed, beQuiet);
  },
);

test('caught: corruption is taken for a torn tail, because nothing is vouched for', () => {
  vi.spyOn(JournalWriter.prototype, 'becomeSynced').mockImplementation(function (this: JournalWriter) {});
  vi.spyOn(Vouching.prototype, 'poll').mockImplementation(() => undefined);
  let caught: unknown = null;
  let seed = 0;
  while (caught === null && seed < 600) {
    try {
      runRot(++seed);
    } catch (error) {
      caught = error;
    }
  }
  vi.restoreAllMocks();
  expect(caught).toBeInstanceOf(Violation);
  runRot(seed);
});
