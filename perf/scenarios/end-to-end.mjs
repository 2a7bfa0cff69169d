// From when a record was due to when a consumer has it, at three rates. One process produces and consumes (kload
// --end-to-end), so both ends go by one clock.
import { compare } from '../lib/compare.mjs';
import { enoughSeconds, runEndToEnd, sampleNotes, SAMPLES_MIN } from '../lib/end-to-end.mjs';
import { goEndToEndSides, goRatios } from '../lib/go-sides.mjs';
import { pointsOf } from '../lib/points.mjs';
import { atMost, circleFloorSides, GIB, kafkaSides, ringlogSide, TOPIC } from '../lib/sides.mjs';

const RATES = [1_000, 10_000, 50_000];
const JUDGED_RATE = 10_000;
/** The first seconds of a new broker of ours are its compiler's, and its journal grows. */
const WARMUP_SECONDS = 10;
/** Seconds for which a quick look waits at its end for a side that does not keep up. */
const DRAIN_QUICK = 3;
const FLOOR = 'floor-acknowledged';

/** Wanted against Kafka's default, at JUDGED_RATE. */
const MOST = { p99: 0.4, 'p99.9': 0.5 };

/** The producers alone, as sides warm up with and create topics for. */
const loadOf = (rate) => ({ connections: 8, partitions: 4, inFlight: 2_000, recordBytes: 1024, batchBytes: 1, rate });

function sidesOf(context, rate) {
  const durability = context.durability ?? 'fsync';
  const load = {
    ...loadOf(rate),
    warmup: context.quick ? 3 : WARMUP_SECONDS,
    seconds: enoughSeconds(context, rate),
    drain: context.quick ? DRAIN_QUICK : undefined,
  };
  // A JVM has also to compile what delivers, so a peer warms up from end to end too.
  const warm = { run: (server, topic, seconds) => runEndToEnd(server.port, { ...load, topic, warmup: 0, seconds }) };
  const sides = [
    ringlogSide(context, { durability, load }),
    // Its shards look for work before they sleep: what this profile is for.
    ringlogSide(context, { durability, load, settings: ['ringlog.profile=latency'], name: 'ringlog-latency' }),
    ...kafkaSides(context, { durability, load, warm }),
  ].map((side) => ({ ...side, measure: (server) => runEndToEnd(server.port, { ...load, topic: TOPIC }) }));
  const others = rate === JUDGED_RATE ? goEndToEndSides(context, { durability, load }) : [];
  return [...sides, ...floorsOf(context, durability, load), ...others];
}

/** The floor holds no consumer until something comes: what is measured of it is the acknowledgement alone, which the way to a consumer only adds to. */
function floorsOf(context, durability, load) {
  const sides = circleFloorSides(context, { durability, load, bytes: 2 * GIB, name: FLOOR });
  return sides.map((side) => ({ ...side, promise: `${side.promise}; until the acknowledgement, nothing is delivered` }));
}

/** What the Go program calls the latency of an end-to-end run is what kload calls end_to_end_us. */
const deliveryOf = (run) => run.report.end_to_end_us ?? run.report.latency_us;

/** One rate: the p99 of each turn is the figure, and the ratios of the p99.9 stand beside it where there are samples enough. */
async function compareRate(context, rate) {
  const durability = context.durability ?? 'fsync';
  const pairs = [
    { of: 'ringlog', to: 'kafka' },
    { of: 'ringlog-latency', to: 'kafka' },
    { of: 'ringlog', to: 'kafka-flush' },
    { of: 'ringlog', to: FLOOR },
  ];
  const judged = ({ of, to }, most) =>
    rate === JUDGED_RATE && of === 'ringlog' && to === 'kafka' ? { target: `<= ${most}`, holds: atMost(most) } : {};
  const against = rate === JUDGED_RATE ? goRatios(context, { durability, target: '< 1', holds: (ratio) => ratio < 1 }) : [];
  const result = await compare(context, {
    label: `end to end at ${rate} records/s, ${durability}, p99`,
    sides: sidesOf(context, rate),
    figure: (run) => deliveryOf(run).p99,
    unit: 'µs',
    ratios: [
      ...pairs.map((pair) => ({ ...pair, ...judged(pair, MOST.p99) })),
      ...pairs.map((pair) => ({ ...pair, what: 'p99.9', figure: tailOf, ...judged(pair, MOST['p99.9']) })),
      ...pairs.map((pair) => ({ ...pair, what: 'p50', figure: (run) => deliveryOf(run).p50 })),
      ...against,
    ],
  });
  result.notes.push(...sampleNotes(result, deliveryOf));
  return result;

  function tailOf(run) {
    return deliveryOf(run).count >= SAMPLES_MIN ? deliveryOf(run)['p99.9'] : Number.NaN;
  }
}

export default {
  name: 'end-to-end',
  summary: `from due to received at ${RATES.join(', ')} records/s of 1 KiB; ${SAMPLES_MIN} samples a turn: p50, p99, p99.9`,
  durabilities: ['fsync'],
  peers: ['kafka', 'nats', 'rabbitmq-streams', 'redis-streams'],
  takes: ['points'],
  steps: (context) => pointsOf(context, RATES).reduce((steps, rate) => steps + sidesOf(context, rate).length, 0),
  look: (context) => sidesOf(context, pointsOf({ points: context.points ?? [JUDGED_RATE] }, RATES)[0])[0],
  async run(context) {
    const results = [];
    for (const rate of pointsOf(context, RATES)) results.push(await compareRate(context, rate));
    return results;
  },
};
