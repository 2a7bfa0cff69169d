import { compare } from '../lib/compare.mjs';
import { atMost, floorSide, GIB, kafkaSides, ringlogSide } from '../lib/sides.mjs';

function sidesOf(context) {
  const load = { connections: 1, inFlight: 1, partitions: 4, recordBytes: 1024, batchBytes: 1, seconds: context.seconds ?? 5, warmup: 1 };
  return [
    ringlogSide(context, { durability: 'fsync', load }),
    // Its shards look for work before they sleep: what this profile is for.
    ringlogSide(context, { durability: 'fsync', load, settings: ['ringlog.profile=latency'], name: 'ringlog-latency' }),
    floorSide({ sync: true, load, prewritten: GIB / 4, singleFile: true, wrap: true, name: 'floor' }),
    ...kafkaSides(context, { durability: 'fsync', load }),
  ];
}

export default {
  name: 'one-in-flight-fsync',
  summary: 'one connection, one 1 KiB record in flight, fsync: p50',
  steps: (context) => sidesOf(context).length,
  async run(context) {
    return [
      await compare(context, {
        label: 'one in flight, fsync, p50',
        sides: sidesOf(context),
        figure: (run) => run.report.latency_us.p50,
        unit: 'µs',
        ratios: [
          { of: 'ringlog', to: 'floor', target: '<= 1.5', holds: atMost(1.5) },
          { of: 'ringlog-latency', to: 'floor', target: '<= 1.5', holds: atMost(1.5) },
          { of: 'ringlog', to: 'kafka' },
          { of: 'ringlog', to: 'kafka-flush' },
        ],
      }),
    ];
  },
};
