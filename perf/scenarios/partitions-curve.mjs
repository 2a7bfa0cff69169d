// What a partition costs: the same load spread over more and more of them.
import { compare } from '../lib/compare.mjs';
import { megabytes, ringlogSide } from '../lib/sides.mjs';

const COUNTS = [1, 100, 1000, 10_000];

function sidesOf(context) {
  const load = { connections: 4, inFlight: 5, recordBytes: 1024, batchBytes: 16384, seconds: context.seconds ?? 10, warmup: 2 };
  return COUNTS.map((count) => {
    const partitions = Math.max(1, Math.ceil(count * context.scale));
    return ringlogSide(context, { durability: 'fsync', load: { ...load, partitions }, name: `partitions-${count}` });
  });
}

export default {
  name: 'partitions-curve',
  summary: 'the same load (16 KiB batches, fsync) over 1, 100, 1,000 and 10,000 partitions',
  steps: (context) => sidesOf(context).length,
  async run(context) {
    return [
      await compare(context, {
        label: '1 to 10,000 partitions, fsync',
        sides: sidesOf(context),
        figure: megabytes,
        unit: 'MB/s',
        ratios: COUNTS.slice(1).map((count) => ({ of: `partitions-${count}`, to: 'partitions-1' })),
      }),
    ];
  },
};
