import { compare } from '../lib/compare.mjs';
import { atMost, floorSides, GIB, kafkaSides, latency, ringlogSide } from '../lib/sides.mjs';
import { secondsOf } from '../lib/quick.mjs';

function sidesOf(context) {
  const durability = context.durability ?? 'fsync';
  const load = { connections: 1, inFlight: 1, partitions: 4, recordBytes: 1024, batchBytes: 1, seconds: secondsOf(context, 5), warmup: 1 };
  return [
    ringlogSide(context, { durability, load }),
    // Its shards look for work before they sleep: what this profile is for.
    ringlogSide(context, { durability, load, settings: ['ringlog.profile=latency'], name: 'ringlog-latency' }),
    ...floorSides({ sync: durability === 'fsync', load, prewritten: GIB / 4, singleFile: true, wrap: true, name: 'floor' }),
    ...kafkaSides(context, { durability, load }),
  ];
}

export default {
  name: 'one-in-flight',
  summary: 'one connection, one 1 KiB record in flight: p50',
  durabilities: ['fsync'],
  peers: ['kafka'],
  steps: (context) => sidesOf(context).length,
  async run(context) {
    return [
      await compare(context, {
        label: `one in flight, ${context.durability}, p50`,
        sides: sidesOf(context),
        figure: latency('p50'),
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
