/** One seeded run: anything may happen, the process or the power dies, the log recovers, and everything is checked; several lives in a row. */
import { isSpaceError } from '../../src/log/disk.ts';
import { reservePath } from '../../src/log/layout.ts';
import type { Durability } from '../../src/log/partition-state.ts';
import { check, Survives, type SimRetention, type SimTopic } from './history.ts';
import { DATA, SEGMENT_BYTES_MIN, Simulation, SimulatedCrash, type SimOptions } from './simulation.ts';

const MODES: readonly Durability[] = ['fsync', 'page-cache', 'memory'];

/** What a run did, for the summary. */
export interface RunSummary {
  readonly acks: number;
  readonly refusals: number;
  readonly starts: number;
  readonly operations: number;
  readonly retirements: number;
  readonly recycled: number;
  /** Batches answered as appended before, and producers that a recovery knew as it should. */
  readonly duplicates: number;
  readonly confirmed: number;
}

/** Runs one seed and throws a Violation if a promise breaks. */
export function runSeed(options: SimOptions): RunSummary {
  const sim: Simulation = new Simulation({ syncShards: () => 1 + sim.prng.below(2), ...options });
  const { prng, disk } = sim;
  // eslint-disable-next-line no-console
  if (process.env['SIM_TRACE'] === '1') sim.trace = (line) => console.log(line);
  sim.start();
  const lives = 3 + prng.below(4);
  for (let life = 0; life < lives; life++) {
    const survived = live(sim);
    restart(sim, survived);
  }
  disk.capacity = Infinity;
  sim.stop();
  check(
    sim.shards.every((slot) => slot.stopped === true),
    'the last stop was not clean',
  );
  sim.start();
  check(sim.lastRecovery?.clean === true, 'a clean stop was not recognised');
  sim.verifyRecovered(Survives.stop);
  sim.files.giveAwayLeftovers();
  sim.expectNoLeftovers();
  const { acks, refusals, starts, retirements, recycled } = sim;
  const { duplicates, confirmed } = sim.producers;
  return { acks, refusals, starts, operations: disk.operations, retirements, recycled, duplicates, confirmed };
}

const ENDINGS = ['kill', 'power', 'clean', 'failed-sync-kill', 'failed-sync-power', 'failed-sync-power', 'power', 'kill'] as const;

/**
 * A life until its end; returns what a record must have been trusted with to be there afterwards. `last`: what happens before the end, unless the process died
 * earlier.
 */
export function live(
  sim: Simulation,
  endings: readonly (typeof ENDINGS)[number][] = ENDINGS,
  last: (sim: Simulation) => void = () => undefined,
): number {
  const { prng, disk } = sim;
  const ending = prng.pick(endings);
  const steps = 50 + prng.below(250);
  if (prng.chance(ending.startsWith('failed-sync') ? 0.3 : 0.7) && ending !== 'clean') disk.crashAt = disk.operations + 1 + prng.below(400);
  // What is lost with the pages need not survive: not always, or other losses would not show.
  const evicts = ending.startsWith('failed-sync') && prng.chance(0.4);
  try {
    for (let i = 0; i < steps; i++) {
      if (i === steps >> 1 && ending.startsWith('failed-sync')) {
        disk.failSync = failingSyncs(sim);
        sim.hadTrouble = true;
      }
      if (evicts && i > steps >> 1 && prng.chance(0.1)) sim.evictPages();
      step(sim);
    }
    disk.failOpen = null;
    if (prng.chance(0.3)) resume(sim);
    last(sim);
    if (ending === 'clean') {
      disk.crashAt = -1;
      sim.stop(() => produceSome(sim));
      if (sim.shards.every((slot) => slot.stopped === true)) return prng.chance(0.5) ? Survives.stop : cutPower(sim);
    }
  } catch (error) {
    if (!(error instanceof SimulatedCrash)) throw error;
  }
  if (ending.includes('power')) return cutPower(sim);
  disk.failSync = null;
  disk.killProcess();
  // What a failed sync has lost for good was safe only where it was durable elsewhere.
  return sim.hasEvicted ? Survives.power : Survives.process;
}

/** Syncs that fail from now on: always, now and then, or only the next few, of everything or of one kind of file. */
function failingSyncs({ prng }: Simulation): (path: string) => boolean {
  const kind = prng.pick(['', '', '.log', '.log', '.jrn', '/topics']);
  const p = prng.pick([1, 0.3]);
  let left = prng.pick([1, 1, 2, Infinity]);
  return (path) => path.includes(kind) && left > 0 && prng.chance(p) && left-- > 0;
}

/** All is well again: every partition takes appends by itself, unless its shard has failed or it said that it does not any more. */
function resume(sim: Simulation): void {
  sim.disk.failSync = null;
  sim.disk.capacity = Infinity;
  const cycle = (): void => {
    sim.nowMs += 200;
    sim.retryOpens();
    sim.workAll();
  };
  for (let i = 0; i < 60; i++) cycle();
  for (const topic of sim.topics.values()) {
    if (topic.deleted || topic.damagedAllowed || sim.slotOf(topic).shard.failure !== null) continue;
    check(topic.online, `${topic.id} does not come online again`);
    const before = sim.acks;
    check(sim.produce(topic, 100), `${topic.id} takes nothing any more: its ring is full`);
    for (let i = 0; i < 60 && sim.acks === before; i++) cycle();
    check(sim.acks > before, `${topic.id} acknowledges nothing any more`);
  }
}

function cutPower(sim: Simulation): number {
  sim.disk.failSync = null;
  sim.disk.losePower(sim.prng.pick([0, 0.5, 0.9, 1]));
  return Survives.power;
}

/** Starts again, perhaps dying a few times on the way. */
function restart(sim: Simulation, survived: number): void {
  const { prng, disk } = sim;
  sim.afterCrash();
  // A full disk must not keep a broker from starting.
  disk.capacity = prng.chance(0.3) ? disk.usedBytes() + prng.below(20_000) : Infinity;
  let least = survived;
  for (let attempt = 0; ; attempt++) {
    disk.crashAt = attempt < 3 && prng.chance(0.4) ? disk.operations + 1 + prng.below(120) : -1;
    try {
      sim.start();
      disk.crashAt = -1;
      sim.verifyRecovered(least);
      return;
    } catch (error) {
      if (isSpaceError(error)) {
        // Somebody has to make room, but not before everything that was set aside for this is used up.
        const left = disk.paths().filter((path) => path === reservePath(DATA) || path.startsWith(`${DATA}/pool/`));
        check(left.length === 0, `the start found no room (${(error as Error).message}), and there is ${left.join(', ')}`);
        disk.capacity = Infinity;
        disk.killProcess();
      } else if (!(error instanceof SimulatedCrash)) throw error;
      sim.afterCrash();
      if (prng.chance(0.5)) least = Math.max(least, cutPower(sim));
      else disk.killProcess();
    }
  }
}

/** Small numbers, so that something is always due. */
function pickRetention({ prng }: Simulation): SimRetention {
  return {
    retentionMs: prng.pick([Infinity, 2000, 5000]),
    retentionBytes: prng.pick([Infinity, 0, 12_000, 40_000]),
    segmentMs: prng.pick([Infinity, 700, 3000]),
    segmentJitterMs: prng.pick([0, 500]),
  };
}

/** A place in a log that readers may see: where a batch begins, ends, or in the middle of one; or just beyond. */
function pickOffset(sim: Simulation, topic: SimTopic): number | null {
  const shown = [...topic.records.values()].filter((record) => record.shown);
  if (shown.length === 0) return null;
  const { baseOffset, lastOffset } = sim.prng.pick(shown);
  return baseOffset + sim.prng.below(lastOffset - baseOffset + 3);
}

function produceSome(sim: Simulation): void {
  const { prng } = sim;
  const online = [...sim.topics.values()].filter((topic) => !topic.deleted && topic.online);
  if (online.length === 0) return;
  const topic = prng.pick(online);
  if (sim.hasProducers && prng.chance(0.4)) return sim.producers.step(topic);
  const bulk = prng.chance(0.3);
  // A leader's batches come without repetitions, which would move the offset that they have to have.
  const given = prng.chance(0.2) && !sim.hasProducers;
  for (let n = prng.below(bulk ? 8 : 4); n >= 0; n--) sim.produce(topic, prng.below(bulk ? prng.pick([3000, 3000, 4500]) : 400), given);
}

function step(sim: Simulation): void {
  const { prng, deletesRecords } = sim;
  sim.nowMs += prng.below(40);
  const live = [...sim.topics.values()].filter((topic) => !topic.deleted);
  const online = live.filter((topic) => topic.online);
  const dice = prng.below(100);
  if (live.length < 2 || (dice < 2 && live.length < 6))
    sim.createTopic(prng.pick(MODES), deletesRecords && prng.chance(0.6) ? pickRetention(sim) : undefined);
  else if (dice < (deletesRecords ? 47 : 50) && online.length > 0) produceSome(sim);
  else if (dice < 49 && online.length > 0) deleteSome(sim, prng.pick(online));
  else if (dice < 50 && online.length > 0) sim.changeRetention(prng.pick(online), pickRetention(sim));
  else if (dice < 73) sim.work(prng.pick(sim.shards));
  else if (dice < 81) sim.runJob(prng.pick(sim.shards));
  else if (dice < 84 && online.length > 0) sim.changeDurability(prng.pick(online), prng.pick(MODES));
  else if (dice < 86 && online.length > 2) sim.deleteTopic(prng.pick(online));
  else if (dice < 89 && online.length > 0) change(sim, prng.pick(online));
  else if (dice < 92 && online.length > 0) sim.files.beginRead(prng.pick(online));
  else if (dice < 94) sim.files.finishReads();
  else if (dice === 95 && prng.chance(0.5)) sim.files.giveAwayLeftovers();
  else if (dice < 98) trouble(sim, dice);
  else {
    sim.retryOpens();
    sim.workAll();
  }
}

function deleteSome(sim: Simulation, topic: SimTopic): void {
  const offset = pickOffset(sim, topic);
  if (offset !== null) sim.deleteRecords(topic, offset);
}

/** What is asked of a partition beside appends. */
function change(sim: Simulation, topic: SimTopic): void {
  const { prng } = sim;
  const offsets = [...topic.records.keys()];
  if (offsets.length > 0 && prng.chance(0.7)) sim.truncate(topic, prng.pick(offsets) + prng.below(2));
  else sim.configure(topic, prng.pick([SEGMENT_BYTES_MIN, 16384, 24000]));
}

/** The disk is full, or has no descriptors, for a while. */
function trouble(sim: Simulation, dice: number): void {
  const { prng, disk } = sim;
  if (dice < 96) disk.capacity = prng.chance(0.3) ? disk.usedBytes() + prng.below(20_000) : Infinity;
  else {
    const kind = prng.pick(['', '.log']);
    const p = prng.pick([0, 0, 0.1, 0.5, 1]);
    disk.failOpen = p === 0 ? null : (path) => path.includes(kind) && prng.chance(p);
  }
  sim.hadTrouble ||= disk.capacity < Infinity || disk.failOpen !== null;
}
