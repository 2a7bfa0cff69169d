// Bulk produce in its three phases, for either durability.
import { compare } from './compare.mjs';
import { atLeast, floorSide, GIB, kafkaSides, megabytes, ringlogSide } from './sides.mjs';
import { spread } from './stats.mjs';

const LOAD = { connections: 4, inFlight: 5, partitions: 4, recordBytes: 1024, batchBytes: 65536, acks: 'all' };
export const PHASES = ['fresh', 'steady', 'sustained'];

function sidesOf(context, durability, phase) {
  const sync = durability === 'fsync';
  const sustained = phase === 'sustained';
  const load = sustained ? { ...LOAD, seconds: context.seconds ?? 60, warmup: 5 } : { ...LOAD, bytes: context.bytes ?? 2 * GIB };
  // Connections do not take equal shares, so the pre-written files have room to spare; sustained runs go round and round.
  const prewritten = phase === 'fresh' ? 0 : sustained ? 2 * GIB : (context.bytes ?? 2 * GIB) / 2;
  const recycle = phase === 'steady' ? load.bytes : 0;
  const topicConfig = sustained ? [`retention.bytes=${GIB}`, `segment.bytes=${GIB / 4}`] : [];
  const sides = [ringlogSide(context, { durability, load, recycle, topicConfig }), floorSide({ sync, load, prewritten, wrap: sustained })];
  if (sync) sides.push(floorSide({ sync, load, prewritten: prewritten * 4, singleFile: true, wrap: sustained }));
  return [...sides, ...kafkaSides(context, { durability, load })];
}

function ratiosOf(durability, phase) {
  const least = { 'page-cache': { fresh: 0.8, steady: 0.5, sustained: 0.7 }, fsync: { fresh: 0.7, steady: 0.7, sustained: 0.7 } }[
    durability
  ][phase];
  const holds =
    phase === 'sustained'
      ? (ratio, runs) => ratio * spread(runs.filter((run) => run.side === 'ringlog').map((run) => run.deviceBytesPerByte)).median >= least
      : atLeast(least);
  const target = phase === 'sustained' ? `>= ${least} / disk bytes per byte accepted` : `>= ${least}`;
  return [
    { of: 'ringlog', to: 'floor', target, holds },
    { of: 'ringlog', to: 'floor-one-file' },
    { of: 'ringlog', to: 'kafka' },
    { of: 'ringlog', to: 'kafka-flush' },
  ];
}

export function bulkScenario(durability) {
  const phasesOf = (context) => context.phases ?? PHASES;
  return {
    name: `bulk-${durability}`,
    summary: `produce 1 KiB records in 64 KiB batches, 4 partitions, 4 connections x 5, ${durability}: fresh, steady, sustained`,
    steps: (context) => phasesOf(context).reduce((sum, phase) => sum + sidesOf(context, durability, phase).length, 0),
    async run(context) {
      const results = [];
      for (const phase of phasesOf(context)) {
        const label = `bulk ${durability} ${phase}`;
        const sides = sidesOf(context, durability, phase);
        results.push(await compare(context, { label, sides, figure: megabytes, unit: 'MB/s', ratios: ratiosOf(durability, phase) }));
      }
      return results;
    },
  };
}
