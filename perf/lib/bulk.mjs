// Bulk produce in its three phases, for either durability.
import { compare } from './compare.mjs';
import { goProduceSides, goRatios } from './go-sides.mjs';
import { LONG_LOAD_BYTES } from './memory.mjs';
import { atLeast, floorSides, GIB, kafkaSides, megabytes, ringlogSide } from './sides.mjs';
import { spread } from './stats.mjs';
import { secondsOf } from './quick.mjs';

const LOAD = { connections: 4, inFlight: 5, partitions: 4, recordBytes: 1024, batchBytes: 65536, acks: 'all' };
export const PHASES = ['fresh', 'steady', 'sustained'];
/** Files of Kafka's log that retention has given up go as soon as ours do, or they would fill the disk. */
const KAFKA_RETENTION = ['log.retention.check.interval.ms=1000'];

function loadOf(context, phase) {
  if (phase === 'sustained') return { ...LOAD, seconds: secondsOf(context, 60), warmup: context.quick ? 1 : 5 };
  return { ...LOAD, bytes: context.bytes ?? (context.quick ? GIB / 4 : 2 * GIB) };
}

/** Bytes per file of the floor that are there beforehand. Connections do not take equal shares, so they have room to spare; sustained runs go round and round. */
function prewrittenBytes(context, load, phase) {
  if (phase === 'fresh') return 0;
  if (phase === 'steady') return load.bytes / 2;
  return context.quick ? GIB / 4 : 2 * GIB;
}

function sidesOf(context, durability, phase) {
  const sync = durability === 'fsync';
  const isSustained = phase === 'sustained';
  const load = loadOf(context, phase);
  const prewritten = prewrittenBytes(context, load, phase);
  const topicConfig = isSustained ? [`retention.bytes=${GIB}`, `segment.bytes=${GIB / 4}`] : [];
  const sides = [
    ringlogSide(context, { durability, load, recycle: phase === 'steady' ? load.bytes : 0, isWarm: phase === 'fresh', topicConfig }),
    ...floorSides({ sync, load, prewritten, wrap: isSustained }),
    ...(sync && !context.quick ? floorSides({ sync, load, prewritten: prewritten * 4, singleFile: true, wrap: isSustained }) : []),
    ...kafkaSides(context, { durability, load, topicConfig, settings: isSustained ? KAFKA_RETENTION : [] }),
    // The other systems neither keep files to use again nor go round in them as told to here.
    ...(phase === 'fresh' ? goProduceSides(context, { durability, load, isWarm: true }) : []),
  ];
  return isSustained ? sides.map((side) => ({ ...side, memoryBytes: LONG_LOAD_BYTES })) : sides;
}

/** Wanted, by durability and phase: against the C floor, Kafka as it comes, and Kafka that flushes. */
const LEAST = {
  'page-cache': { fresh: { kafka: 1.3 }, steady: { kafka: 2 }, sustained: { kafka: 1 } },
  fsync: {
    fresh: { kafka: 0.9, 'kafka-flush': 5 },
    steady: { floor: 0.85, kafka: 1.2, 'kafka-flush': 8 },
    sustained: { 'kafka-flush': 3 },
  },
  memory: { fresh: {}, steady: {}, sustained: {} },
};
/** Of the engine against its floor, where no more is wanted above; sustained: divided by the disk's bytes per byte accepted. */
const FLOOR_LEAST = { 'page-cache': { fresh: 0.8, steady: 0.5, sustained: 0.7 }, fsync: { fresh: 0.7, steady: 0.7, sustained: 0.7 } };

function floorRatio(durability, phase) {
  const least = LEAST[durability][phase].floor ?? FLOOR_LEAST[durability]?.[phase];
  if (least === undefined) return { of: 'ringlog', to: 'floor' };
  if (phase !== 'sustained') return { of: 'ringlog', to: 'floor', target: `>= ${least}`, holds: atLeast(least) };
  const written = (runs) => spread(runs.filter((run) => run.side === 'ringlog').map((run) => run.deviceBytesPerByte ?? NaN))?.median ?? 1;
  return {
    of: 'ringlog',
    to: 'floor',
    target: `>= ${least} / disk bytes per byte accepted`,
    holds: (ratio, runs) => ratio * written(runs) >= least,
  };
}

function ratiosOf(context, durability, phase) {
  const against = (to) => {
    const least = LEAST[durability][phase][to];
    return { of: 'ringlog', to, ...(least === undefined ? {} : { target: `>= ${least}`, holds: atLeast(least) }) };
  };
  const ownMemory = (run) => run.memory.anonymous + run.memory.shared;
  const memory = {
    of: 'ringlog',
    to: 'kafka',
    what: 'anonymous and shared memory at most',
    figure: ownMemory,
    target: '<= 0.5',
    holds: (ratio) => ratio <= 0.5,
  };
  return [
    floorRatio(durability, phase),
    { of: 'ringlog', to: 'floor-one-file' },
    against('kafka'),
    against('kafka-flush'),
    memory,
    ...(phase === 'fresh' ? goRatios(context, { durability, holds: (ratio) => ratio > 1, target: '> 1' }) : []),
  ];
}

export function bulkScenario() {
  const phasesOf = (context) => context.phases ?? PHASES;
  return {
    name: 'bulk',
    summary: 'produce 1 KiB records in 64 KiB batches, 4 partitions, 4 connections x 5: fresh, steady, sustained',
    durabilities: ['page-cache', 'fsync'],
    peers: ['kafka', 'nats', 'rabbitmq-streams', 'redis-streams'],
    takes: ['phase', 'bytes'],
    steps: (context) => phasesOf(context).reduce((sum, phase) => sum + sidesOf(context, context.durability ?? 'fsync', phase).length, 0),
    look: (context) => sidesOf(context, context.durability, context.phases?.[0] ?? 'sustained')[0],
    async run(context) {
      const { durability } = context;
      const results = [];
      for (const phase of phasesOf(context)) {
        const label = `bulk ${durability} ${phase}`;
        const sides = sidesOf(context, durability, phase);
        results.push(
          await compare(context, { label, sides, figure: megabytes, unit: 'MB/s', ratios: ratiosOf(context, durability, phase) }),
        );
      }
      return results;
    },
  };
}
