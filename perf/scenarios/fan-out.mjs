// One topic, a producer at 200 MB/s, and 1, 4 or 16 consumers at its end, each of which gets everything.
import { compare } from '../lib/compare.mjs';
import { startKload } from '../lib/kload.mjs';
import { isOnlySlow } from '../lib/load-program.mjs';
import { atLeast, floorSides, kafkaSides, ringlogSide, TOPIC } from '../lib/sides.mjs';
import { spread } from '../lib/stats.mjs';
import { pointsOf } from '../lib/points.mjs';
import { secondsOf } from '../lib/quick.mjs';

const CONSUMERS = [1, 4, 16];
const RECORD_BYTES = 1024;
const MB_PER_SECOND = 200;
/** Sixteen consumers of 200 MB/s can be served in full: how much a side can deliver shows only where neither does. */
const MORE_MB_PER_SECOND = 300;
const JUDGED = { consumers: 16, least: 1.5 };
const WARMUP_SECONDS = 2;
const LEAD_SECONDS = 1; // the load begins before the consumers
/** Consumers warm up, and the load ends after them. */
const spansOf = (context) => (context.quick ? { warmup: 1, tail: 1 } : { warmup: 5, tail: 3 });

/** Gives the consumers' report, with the producer's p99 and MB/s in it, and the CPU of both. */
async function measureDelivery(server, load, consumers, { seconds, warmup, tail }, topic = TOPIC) {
  const producing = startKload(server.port, {
    topic,
    ...load,
    warmup: WARMUP_SECONDS,
    seconds: LEAD_SECONDS + warmup + seconds + tail,
  });
  await new Promise((resolve) => setTimeout(resolve, (WARMUP_SECONDS + LEAD_SECONDS) * 1000));
  const tailing = {
    topic,
    partitions: load.partitions,
    consume: true,
    offset: 'latest',
    fanOut: true,
    connections: consumers,
    warmup,
    seconds,
  };
  const consuming = startKload(server.port, tailing);
  const [read, written] = await Promise.all([consuming.ended, producing.ended]);
  if (read.code !== 0) throw new Error(`${consuming.command}\nfailed: ${read.errorText}`);
  if (written.code !== 0 && !isOnlySlow(written)) throw new Error(`${producing.command}\nfailed: ${written.errorText}`);
  const share = seconds / written.report.seconds; // of the producer's CPU, which is spent evenly
  return {
    ...read.report,
    client_cpu_user_s: read.report.client_cpu_user_s + share * written.report.client_cpu_user_s,
    client_cpu_system_s: read.report.client_cpu_system_s + share * written.report.client_cpu_system_s,
    producer: written.report,
  };
}

function sidesOf(context, consumers, mbPerSecond) {
  const rate = Math.floor((mbPerSecond * 1e6 * context.scale) / RECORD_BYTES);
  const load = { connections: 4, partitions: 4, inFlight: 64, recordBytes: RECORD_BYTES, batchBytes: 65536, rate };
  const durability = context.durability ?? 'page-cache';
  const spans = spansOf(context);
  const seconds = secondsOf(context, 20);
  // A JVM has also to compile what delivers, so a peer warms up with consumers too.
  const warm = { run: (server, topic, forSeconds) => measureDelivery(server, load, consumers, { ...spans, seconds: forSeconds }, topic) };
  const sides = [
    ringlogSide(context, { durability, load }),
    ...floorSides({ sync: false, load }), // pread into the answer, send, for each consumer; one that has all asks again at once
    ...kafkaSides(context, { durability, load, warm }),
  ];
  return sides.map((side) => ({
    ...side,
    tailSeconds: spans.tail,
    measure: (server) => measureDelivery(server, load, consumers, { ...spans, seconds }),
  }));
}

/** Each number of consumers at the usual rate, and those that are judged at a higher one too. */
function casesOf(context) {
  const usual = pointsOf(context, CONSUMERS).map((consumers) => ({ consumers, mbPerSecond: MB_PER_SECOND }));
  const more = usual.filter(({ consumers }) => consumers === JUDGED.consumers).map((one) => ({ ...one, mbPerSecond: MORE_MB_PER_SECOND }));
  return [...usual, ...more];
}

/** What the producer had of it, and whether it got its rate: a consumer cannot be given what was not written. */
function producerNotes(result) {
  const measured = result.sides.filter(({ figure }) => figure !== null); // a peer may be missing
  return measured.map(({ name }) => {
    const runs = result.runs.filter((run) => run.side === name);
    const p99 = spread(runs.map((run) => run.report.producer.latency_us.p99));
    const written = spread(runs.map((run) => run.report.producer.mb_per_s));
    return `${name}: producer ${written.median.toFixed(1)} MB/s, its p99 ${p99.median.toFixed(0)} µs (${p99.min.toFixed(0)}–${p99.max.toFixed(0)})`;
  });
}

export default {
  name: 'fan-out',
  summary: `${CONSUMERS.join(', ')} tailing consumers of all partitions, producer at ${MB_PER_SECOND} MB/s (${JUDGED.consumers}: ${MORE_MB_PER_SECOND} too): MB/s delivered`,
  durabilities: ['page-cache'],
  peers: ['kafka'],
  takes: ['points'],
  steps: (context) =>
    casesOf(context).reduce((steps, { consumers, mbPerSecond }) => steps + sidesOf(context, consumers, mbPerSecond).length, 0),
  look: (context) => sidesOf(context, pointsOf({ points: context.points ?? [JUDGED.consumers] }, CONSUMERS)[0], MB_PER_SECOND)[0],
  async run(context) {
    const results = [];
    for (const { consumers, mbPerSecond } of casesOf(context)) {
      const judged = consumers === JUDGED.consumers ? { target: `>= ${JUDGED.least}`, holds: atLeast(JUDGED.least) } : {};
      const result = await compare(context, {
        label: `fan-out to ${consumers} tailing consumers, producer at ${mbPerSecond * context.scale} MB/s, ${context.durability}`,
        sides: sidesOf(context, consumers, mbPerSecond),
        figure: (run) => run.report.mb_per_s,
        unit: 'MB/s delivered over all consumers',
        ratios: [
          { of: 'ringlog', to: 'floor' },
          { of: 'ringlog', to: 'kafka', ...judged },
        ],
      });
      result.notes.push(...producerNotes(result));
      results.push(result);
    }
    return results;
  },
};
