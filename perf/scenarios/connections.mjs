// The same number of requests on their way, over more and more connections.
import { compare } from '../lib/compare.mjs';
import { circleFloorSides, GIB, kafkaSides, latency, ringlogSide } from '../lib/sides.mjs';
import { pointsOf } from '../lib/points.mjs';
import { secondsOf } from '../lib/quick.mjs';

const COUNTS = [10, 1000, 10_000];
const IN_FLIGHT = 10_000;
/** Over 10,000 connections one at a time each; a connection is no use without one. */
const inFlightOf = (connections) => Math.max(1, Math.min(10, Math.floor(IN_FLIGHT / connections)));

function sidesOf(context, count) {
  const durability = context.durability ?? 'fsync';
  const connections = Math.max(4, Math.ceil(count * context.scale));
  const seconds = secondsOf(context, 10, 4);
  const load = { connections, inFlight: inFlightOf(count), partitions: 4, recordBytes: 1024, batchBytes: 1, seconds, warmup: 2 };
  const limits = [`max.connections=${connections + 100}`, `max.connections.per.ip=${connections + 100}`];
  return [
    ringlogSide(context, { durability, load, settings: limits }),
    ...circleFloorSides(context, { durability, load, bytes: 2 * GIB }),
    ...kafkaSides(context, { durability, load }),
  ];
}

export default {
  name: 'connections',
  summary: 'small requests over 10, 1,000 and 10,000 connections that all work',
  durabilities: ['fsync'],
  peers: ['kafka'],
  takes: ['points'],
  steps: (context) => pointsOf(context, COUNTS).reduce((sum, count) => sum + sidesOf(context, count).length, 0),
  async run(context) {
    const results = [];
    for (const count of pointsOf(context, COUNTS))
      results.push(
        await compare(context, {
          label: `${count} connections (x ${context.scale}), ${context.durability}`,
          sides: sidesOf(context, count),
          figure: (run) => run.report.requests_per_s,
          unit: 'requests/s',
          ratios: ['floor', 'kafka', 'kafka-flush'].flatMap((to) => [
            { of: 'ringlog', to },
            { of: 'ringlog', to, what: 'p99 (closed loop)', figure: latency('p99') },
          ]),
        }),
      );
    return results;
  },
};
