// What a partition costs: the same load spread over more and more of them, and against Kafka.
import { compare } from '../lib/compare.mjs';
import { runKload } from '../lib/kload.mjs';
import { atLeast, circleFloorSides, GIB, kafkaSides, megabytes, ringlogSide, TOPIC } from '../lib/sides.mjs';
import { pointsOf } from '../lib/points.mjs';
import { secondsOf } from '../lib/quick.mjs';
import { settle } from '../lib/warm.mjs';

const COUNTS = [1, 100, 1000, 10_000];
const JUDGED_COUNT = 1000;
const AGAINST_FLUSH = 20; // wanted at JUDGED_COUNT

/** @param {string[]} unsettled takes the name of a side for each turn that began while its rate still moved */
function sidesOf(context, count, unsettled = []) {
  const durability = context.durability ?? 'fsync';
  const partitions = Math.max(1, Math.ceil(count * context.scale));
  const seconds = secondsOf(context, 10, 4);
  const load = { connections: 4, inFlight: 5, recordBytes: 1024, batchBytes: '1024-16384', seconds, warmup: 2, partitions };
  const sides = [
    ringlogSide(context, { durability, load }),
    ...(count === JUDGED_COUNT
      ? [ringlogSide(context, { durability, load: { ...load, partitions: 4 }, name: 'ringlog-4-partitions' })]
      : []),
    ...circleFloorSides(context, { durability, load, bytes: 4 * GIB }),
    ...kafkaSides(context, { durability, load }),
  ];
  return context.quick ? sides : sides.map(settled);

  /** A thousand new partitions keep a server busy for a while, each in its own way: a turn begins when the rate stands still. */
  function settled(side) {
    const own = side.name === 'ringlog-4-partitions' ? { ...load, partitions: 4 } : load;
    const prepare = async (server) => {
      await side.prepare?.(server);
      const isSettled = await settle((forSeconds) => runKload(server.port, { topic: TOPIC, ...own, warmup: 0, seconds: forSeconds }));
      if (!isSettled) unsettled.push(side.name);
    };
    return { ...side, prepare };
  }
}

export default {
  name: 'partitions',
  summary: 'the same load (1 to 16 KiB batches) over 1, 100, 1,000 and 10,000 partitions',
  durabilities: ['fsync'],
  peers: ['kafka'],
  takes: ['points'],
  steps: (context) => pointsOf(context, COUNTS).reduce((sum, count) => sum + sidesOf(context, count).length, 0),
  look: (context) => sidesOf(context, pointsOf({ points: context.points ?? [JUDGED_COUNT] }, COUNTS)[0])[0],
  async run(context) {
    const results = [];
    for (const count of pointsOf(context, COUNTS)) {
      const unsettled = [];
      const wanted = count === JUDGED_COUNT && context.durability === 'fsync';
      const result = await compare(context, {
        label: `${count} partitions (x ${context.scale}), ${context.durability}`,
        sides: sidesOf(context, count, unsettled),
        figure: megabytes,
        unit: 'MB/s',
        ratios: [
          { of: 'ringlog', to: 'floor' },
          { of: 'ringlog', to: 'ringlog-4-partitions', target: '>= 0.5', holds: atLeast(0.5) },
          { of: 'ringlog', to: 'kafka' },
          { of: 'ringlog', to: 'kafka-flush', ...(wanted ? { target: `>= ${AGAINST_FLUSH}`, holds: atLeast(AGAINST_FLUSH) } : {}) },
        ],
      });
      for (const name of new Set(unsettled))
        result.notes.push(
          `${name}: its rate had not come to stand still before ${unsettled.filter((one) => one === name).length} of its turns`,
        );
      results.push(result);
    }
    return results;
  },
};
