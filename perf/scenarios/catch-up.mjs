import { compare } from '../lib/compare.mjs';
import { runKload } from '../lib/kload.mjs';
import { atLeast, floorSide, GIB, kafkaSides, megabytes, ringlogSide, TOPIC } from '../lib/sides.mjs';

const READ = { topic: TOPIC, consume: true, partitions: 4, connections: 4, fetchMaxBytes: '1m' };

/** The same side, which produces before and is measured at reading it all back, the second time (all of it cached). */
function reading(side, load) {
  return {
    ...side,
    promise: 'nothing is acknowledged: reading from the page cache',
    async prepare(server) {
      await side.prepare?.(server);
      await runKload(server.port, { topic: TOPIC, ...load });
      await runKload(server.port, { ...READ, verifyCrc: true });
    },
    measure: (server) => runKload(server.port, READ),
  };
}

function sidesOf(context) {
  const load = { partitions: 4, connections: 4, inFlight: 5, recordBytes: 1024, batchBytes: 65536, bytes: context.bytes ?? GIB };
  const sides = [
    ringlogSide(context, { durability: 'page-cache', load }),
    floorSide({ sync: false, load }), // pread into the answer, send: the C reader's way
    ...kafkaSides(context, { durability: 'page-cache', load }),
  ];
  return sides.map((side) => reading(side, load));
}

export default {
  name: 'catch-up',
  summary: 'fetch a log from its beginning out of the page cache, against C pread + send',
  steps: (context) => sidesOf(context).length,
  async run(context) {
    return [
      await compare(context, {
        label: 'catch-up fetch from the page cache',
        sides: sidesOf(context),
        figure: megabytes,
        unit: 'MB/s',
        ratios: [
          { of: 'ringlog', to: 'floor', target: '>= 0.7', holds: atLeast(0.7) },
          { of: 'ringlog', to: 'kafka' },
        ],
      }),
    ];
  },
};
