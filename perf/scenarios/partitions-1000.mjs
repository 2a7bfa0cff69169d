import { compare } from '../lib/compare.mjs';
import { atLeast, floorSide, GIB, kafkaSides, megabytes, ringlogSide } from '../lib/sides.mjs';

function sidesOf(context) {
  const load = { connections: 4, inFlight: 5, recordBytes: 1024, batchBytes: '1024-16384', seconds: context.seconds ?? 10, warmup: 2 };
  const many = { ...load, partitions: 1000 };
  const few = { ...load, partitions: 4 };
  return [
    ringlogSide(context, { durability: 'fsync', load: many, name: 'ringlog-1000' }),
    ringlogSide(context, { durability: 'fsync', load: few, name: 'ringlog-4' }),
    floorSide({ sync: true, load: many, prewritten: 4 * GIB, singleFile: true, wrap: true, name: 'floor-1000' }),
    ...kafkaSides(context, { durability: 'fsync', load: many }),
  ];
}

export default {
  name: 'partitions-1000',
  summary: '1,000 partitions spread evenly against 4, 1 KiB to 16 KiB batches, fsync',
  steps: (context) => sidesOf(context).length,
  async run(context) {
    return [
      await compare(context, {
        label: '1,000 partitions, fsync',
        sides: sidesOf(context),
        figure: megabytes,
        unit: 'MB/s',
        ratios: [
          { of: 'ringlog-1000', to: 'ringlog-4', target: '>= 0.5', holds: atLeast(0.5) },
          { of: 'ringlog-1000', to: 'floor-1000' },
          { of: 'ringlog-1000', to: 'kafka' },
          { of: 'ringlog-1000', to: 'kafka-flush' },
        ],
      }),
    ];
  },
};
