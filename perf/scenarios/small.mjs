import { compare } from '../lib/compare.mjs';
import { goProduceSides, goRatios } from '../lib/go-sides.mjs';
import { atLeast, circleFloorSides, GIB, kafkaSides, ringlogSide, warmSeconds } from '../lib/sides.mjs';
import { secondsOf } from '../lib/quick.mjs';

function sidesOf(context) {
  const durability = context.durability ?? 'fsync';
  const seconds = secondsOf(context, 10, 5);
  const load = { connections: 16, inFlight: 8, partitions: 4, recordBytes: 1024, batchBytes: 1, seconds, warmup: warmSeconds(context) };
  return [
    ringlogSide(context, { durability, load }),
    ...circleFloorSides(context, { durability, load, bytes: 2 * GIB }),
    ...kafkaSides(context, { durability, load }),
    ...goProduceSides(context, { durability, load }),
  ];
}

export default {
  name: 'small',
  summary: 'one 1 KiB record a request, 16 connections x 8',
  durabilities: ['fsync'],
  peers: ['kafka', 'nats', 'rabbitmq-streams', 'redis-streams'],
  steps: (context) => sidesOf(context).length,
  look: (context) => sidesOf(context)[0],
  async run(context) {
    const isFsync = context.durability === 'fsync';
    return [
      await compare(context, {
        label: `small requests, ${context.durability}`,
        sides: sidesOf(context),
        figure: (run) => run.report.requests_per_s,
        unit: 'requests/s',
        ratios: [
          { of: 'ringlog', to: 'floor', ...(isFsync ? { target: '>= 0.65', holds: atLeast(0.65) } : {}) },
          { of: 'ringlog', to: 'kafka', ...(isFsync ? { target: '>= 2', holds: atLeast(2) } : {}) },
          { of: 'ringlog', to: 'kafka-flush' },
          ...goRatios(context, { durability: context.durability, target: '> 1', holds: (ratio) => ratio > 1 }),
        ],
      }),
    ];
  },
};
