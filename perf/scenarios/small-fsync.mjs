import { compare } from '../lib/compare.mjs';
import { atLeast, floorSide, GIB, kafkaSides, ringlogSide } from '../lib/sides.mjs';

function sidesOf(context) {
  const load = { connections: 16, inFlight: 8, partitions: 4, recordBytes: 1024, batchBytes: 1, seconds: context.seconds ?? 10, warmup: 2 };
  return [
    ringlogSide(context, { durability: 'fsync', load }),
    // The best a C server can do: all partitions into one pre-written file, one fdatasync per group.
    floorSide({ sync: true, load, prewritten: 2 * GIB, singleFile: true, wrap: true, name: 'floor' }),
    ...kafkaSides(context, { durability: 'fsync', load }),
  ];
}

export default {
  name: 'small-fsync',
  summary: 'one 1 KiB record a request, 16 connections x 8, fsync',
  steps: (context) => sidesOf(context).length,
  async run(context) {
    return [
      await compare(context, {
        label: 'small requests, fsync',
        sides: sidesOf(context),
        figure: (run) => run.report.requests_per_s,
        unit: 'requests/s',
        ratios: [
          { of: 'ringlog', to: 'floor', target: '>= 0.5', holds: atLeast(0.5) },
          { of: 'ringlog', to: 'kafka' },
          { of: 'ringlog', to: 'kafka-flush' },
        ],
      }),
    ];
  },
};
