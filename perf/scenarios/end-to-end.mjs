// From when a record was due to when a consumer has it, at three rates. One process produces and consumes (kload
// --end-to-end), so both ends go by one clock.
import { compare } from '../lib/compare.mjs';
import { enoughSeconds, pooledTail, runEndToEnd, SAMPLES_MIN } from '../lib/end-to-end.mjs';
import { atMost, kafkaSides, ringlogSide, TOPIC } from '../lib/sides.mjs';

const RATES = [1_000, 10_000, 50_000];
const JUDGED_RATE = 10_000;
const WARMUP_SECONDS = 3;

// Percentiles of a rate and what is wanted of them against Kafka's default, at JUDGED_RATE.
const JUDGED = [
  { percentile: 'p99', most: 0.4 },
  { percentile: 'p99.9', most: 0.5 },
];

/** The producers alone, as sides warm up with and create topics for. */
const loadOf = (rate) => ({ connections: 8, partitions: 4, inFlight: 2_000, recordBytes: 1024, batchBytes: 1, rate });

/** The same side, measured from end to end. A JVM has also to compile what delivers, so a peer warms up that way too. */
function endToEnd(context, side, load) {
  const run = (server, options) => runEndToEnd(server.port, { ...load, ...options });
  const measured = { ...side, measure: (server) => run(server, { topic: TOPIC }) };
  if (!side.name.startsWith('kafka')) return measured;
  const seconds = context.peerWarmup / 2;
  return {
    ...measured,
    async prepare(server) {
      await side.prepare?.(server);
      if (seconds > 0) await run(server, { topic: 'warm-up-delivery', warmup: 0, seconds });
    },
  };
}

function sidesOf(context, rate) {
  const durability = context.durability ?? 'fsync';
  const load = { ...loadOf(rate), warmup: WARMUP_SECONDS, seconds: enoughSeconds(context, rate) };
  return [
    ringlogSide(context, { durability, load }),
    // Its shards look for work before they sleep: what this profile is for.
    ringlogSide(context, { durability, load, settings: ['ringlog.profile=latency'], name: 'ringlog-latency' }),
    ...kafkaSides(context, { durability, load }),
  ].map((side) => endToEnd(context, side, load));
}

/** One rate: the p99 of each turn is the figure, and every other percentile stands beside it. */
async function compareRate(context, rate) {
  const judge = (percentile) => (rate === JUDGED_RATE ? JUDGED.find((one) => one.percentile === percentile) : undefined);
  const ratio =
    (percentile) =>
    ({ of, to }) => {
      const judged = of === 'ringlog' && to === 'kafka' ? judge(percentile) : undefined;
      return { of, to, ...(judged ? { target: `<= ${judged.most}`, holds: atMost(judged.most) } : {}) };
    };
  const pairs = [
    { of: 'ringlog', to: 'kafka' },
    { of: 'ringlog-latency', to: 'kafka' },
    { of: 'ringlog', to: 'kafka-flush' },
  ];
  const p99 = await compare(context, {
    label: `end to end at ${rate} records/s, p99`,
    sides: sidesOf(context, rate),
    figure: (run) => run.report.end_to_end_us.p99,
    unit: 'µs',
    ratios: pairs.map(ratio('p99')),
  });
  return [p99, pooledTail(p99, { label: `end to end at ${rate} records/s, p99.9`, ratios: pairs.map(ratio('p99.9')) })];
}

export default {
  name: 'end-to-end',
  summary: `from due to received at ${RATES.join(', ')} records/s of 1 KiB, fsync; ${SAMPLES_MIN} samples a turn: p99, p99.9`,
  steps: (context) => RATES.reduce((steps, rate) => steps + sidesOf(context, rate).length, 0),
  async run(context) {
    const results = [];
    for (const rate of RATES) results.push(...(await compareRate(context, rate)));
    return results;
  },
};
