import { compare } from '../lib/compare.mjs';
import { goReadSides, goRatios } from '../lib/go-sides.mjs';
import { runKload } from '../lib/kload.mjs';
import { secondsOf } from '../lib/quick.mjs';
import { readAgain } from '../lib/read-again.mjs';
import { atLeast, floorSides, GIB, kafkaSides, megabytes, ringlogSide, TOPIC, warmSeconds } from '../lib/sides.mjs';

const READ = { topic: TOPIC, consume: true, partitions: 4, connections: 4, fetchMaxBytes: '1m' };

/** Seconds that are measured. */
const SECONDS = 10;

const readOnce = (port, topic) => runKload(port, { ...READ, topic });

/** The same side, which produces before and is measured at reading it all back when it has done so for a while (all of it cached). */
function reading(context, side, load) {
  return {
    ...side,
    promise: 'nothing is acknowledged: reading from the page cache',
    async prepare(server) {
      await side.prepare?.(server);
      await runKload(server.port, { topic: TOPIC, ...load });
      await runKload(server.port, { ...READ, verifyCrc: true });
      // A new broker of ours begins with 2.0 GB/s and comes to 3.4.
      await readAgain(() => readOnce(server.port, TOPIC), warmSeconds(context));
    },
    measure: (server) => readAgain(() => readOnce(server.port, TOPIC), secondsOf(context, SECONDS)),
  };
}

function sidesOf(context) {
  const durability = context.durability ?? 'page-cache';
  const bytes = context.bytes ?? (context.quick ? GIB / 4 : GIB);
  const load = { partitions: 4, connections: 4, inFlight: 5, recordBytes: 1024, batchBytes: 65536, bytes };
  // A peer warms up by reading, again and again.
  const warm = {
    fill: (server, topic) => runKload(server.port, { topic, ...load }),
    run: (server, topic, seconds) => readAgain(() => readOnce(server.port, topic), seconds),
  };
  const sides = [
    ringlogSide(context, { durability, load }),
    ...floorSides({ sync: false, load }), // pread into the answer, send: the C reader's way
    ...kafkaSides(context, { durability: 'page-cache', load, warm }),
  ];
  return [
    ...sides.map((side) => reading(context, side, load)),
    ...goReadSides(context, { durability, load, seconds: secondsOf(context, SECONDS) }),
  ];
}

export default {
  name: 'catch-up',
  summary: 'fetch a log from its beginning out of the page cache, against C pread + send',
  durabilities: ['page-cache'],
  peers: ['kafka', 'nats', 'rabbitmq-streams', 'redis-streams'],
  takes: ['bytes'],
  steps: (context) => sidesOf(context).length,
  look: (context) => sidesOf(context)[0],
  async run(context) {
    return [
      await compare(context, {
        label: 'catch-up fetch from the page cache',
        sides: sidesOf(context),
        figure: megabytes,
        unit: 'MB/s',
        ratios: [
          { of: 'ringlog', to: 'floor', target: '>= 0.7', holds: atLeast(0.7) },
          { of: 'ringlog', to: 'kafka', target: '>= 1', holds: atLeast(1) },
          ...goRatios(context, { durability: context.durability, promisesNothing: true, target: '> 1', holds: (ratio) => ratio > 1 }),
        ],
      }),
    ];
  },
};
