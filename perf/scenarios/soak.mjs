// Ten minutes of everything at once: paced small producers with fsync, a bulk stream with retention, tailing consumers, groups that commit, and a reader who goes
// through the log again and again. What is looked at is whether the last minute is like the second.
import { compare } from '../lib/compare.mjs';
import { SAMPLES_MIN } from '../lib/end-to-end.mjs';
import { connectClient } from '../lib/client.mjs';
import { Member } from '../lib/group-load.mjs';
import { runKload, startKload } from '../lib/kload.mjs';
import { openLoop } from '../lib/open-loop.mjs';
import { GIB, kafkaSides, ringlogSide } from '../lib/sides.mjs';
import { LONG_LOAD_BYTES } from '../lib/memory.mjs';
import { loadFailure } from '../lib/load-program.mjs';
import { median } from '../lib/stats.mjs';
import { secondsOf } from '../lib/quick.mjs';

const SECONDS = 600;
const QUICK_SECONDS = 20;
const PACED = { topic: 'perf', partitions: 4, connections: 8, inFlight: 1000, recordBytes: 1024, batchBytes: 1, rate: 3000 };
const STREAM = { topic: 'stream', partitions: 4, connections: 4, inFlight: 64, recordBytes: 1024, batchBytes: 65_536, rate: 30_000 };
const STREAM_CONFIG = [`retention.bytes=${GIB / 4}`, `segment.bytes=${GIB / 16}`];
const TAILERS = 2;
const GROUPS = 50;
const COMMITS_PER_SECOND = 500;
const WARMUP = 5;
/** The stream begins so many seconds before the others. */
const LEAD = 1;
/** A shorter run has not had the time to grow, nor to stop growing. */
const JUDGED_SECONDS = 300;
const GROWTH_MOST = 1.1;

/** Reads the stream from its beginning until told to end; gives how often, and how often what was being read was gone. */
async function readAgainAndAgain(server, isOver) {
  const count = { times: 0, gone: 0 };
  while (!isOver()) {
    const reading = startKload(server.port, {
      topic: STREAM.topic,
      partitions: STREAM.partitions,
      consume: true,
      connections: 1,
      seconds: 5,
    });
    const outcome = await reading.ended;
    // Retention may take what is being read: such a reader begins again.
    const isGone = outcome.code !== 0 && Object.keys(outcome.report?.errors ?? {}).some((error) => error.includes('OFFSET_OUT_OF_RANGE'));
    if (outcome.code !== 0 && !isGone) throw loadFailure(reading.command, outcome);
    count[isGone ? 'gone' : 'times']++;
  }
  return count;
}

async function commitAll(server, seconds) {
  const client = await connectClient(server.port);
  const created = await client.createTopic('work', {}, 1);
  if (created !== 0 && created !== 36) throw new Error(`CreateTopics: error ${created}`);
  client.close();
  const members = Array.from({ length: GROUPS }, (_, index) => new Member(`group-${index}`, 'work'));
  try {
    await Promise.all(members.map((member) => member.connect(server.port)));
    await members[0].find();
    await Promise.all(members.map((member) => member.settle()));
    const { latencies, refusals } = await openLoop(members, COMMITS_PER_SECOND, seconds, (member) => member.commit());
    return { count: latencies.length, refused: refusals.length, p99Ms: latencies[Math.floor(latencies.length * 0.99)] };
  } finally {
    for (const member of members) member.close();
  }
}

async function soak(server, seconds, topicConfig) {
  const all = seconds + WARMUP + LEAD;
  const stream = startKload(server.port, { ...STREAM, topicConfig: [...topicConfig, ...STREAM_CONFIG], seconds: all });
  await new Promise((resolve) => setTimeout(resolve, 1000 * LEAD));
  const tail = startKload(server.port, {
    topic: 'perf',
    partitions: 4,
    consume: true,
    offset: 'latest',
    fanOut: true,
    connections: TAILERS,
    seconds: all,
  });
  let isOver = false;
  const reading = readAgainAndAgain(server, () => isOver);
  const committing = commitAll(server, seconds);
  const report = await runKload(server.port, { ...PACED, seconds, warmup: WARMUP });
  isOver = true;
  const [streamed, tailed, commits, readings] = [await stream.ended, await tail.ended, await committing, await reading];
  for (const { code, errorText } of [streamed, tailed]) if (code !== 0) throw new Error(`a part of the soak failed: ${errorText}`);
  return { ...report, stream: streamed.report, tail: tailed.report, commits, readings };
}

function sidesOf(context) {
  const durability = context.durability ?? 'fsync';
  const seconds = secondsOf(context, SECONDS, QUICK_SECONDS);
  const load = { ...PACED, seconds };
  const measured = (side, topicConfig) => ({
    ...side,
    memoryBytes: LONG_LOAD_BYTES,
    measure: (server) => soak(server, seconds, topicConfig),
  });
  const settings = ['log.retention.check.interval.ms=1000', 'group.initial.rebalance.delay.ms=0'];
  return [
    measured(ringlogSide(context, { durability, load, settings }), ['ringlog.durability=page-cache']),
    ...kafkaSides(context, { durability, load, settings: settings.slice(0, 1) })
      .filter(({ name }) => name === 'kafka')
      .map((side) => measured({ ...side, isKept: false, clean: undefined }, [])),
  ];
}

/** The last minute of the measured part against the second one, of values with their seconds; in short runs the last sixth against the second. */
function growth(points, seconds) {
  const part = Math.min(60, seconds / 6);
  const between = (from, to) => points.filter(([second]) => second > from && second <= to).map(([, value]) => value);
  return median(between(seconds - part, seconds)) / median(between(part, 2 * part));
}
/** Memory is looked at from the start of everything on: the stream has a second before the others, and they warm up. */
const rssGrowth = (run) =>
  growth(
    run.memorySeries.map(([second, rss]) => [second - LEAD - WARMUP, rss]),
    run.report.seconds,
  );
const p99Growth = (run) =>
  growth(
    run.report.interval_p99_us.map((value, second) => [second + 1, value]),
    run.report.seconds,
  );

function verdictOf(run) {
  if (run.report.seconds < JUDGED_SECONDS) return `wanted <= ${GROWTH_MOST}; too short to judge`;
  return `wanted <= ${GROWTH_MOST}: ${rssGrowth(run) <= GROWTH_MOST ? 'reached' : 'NOT reached'}`;
}

const tailOf = ({ report }) => (report.latency_us.count >= SAMPLES_MIN ? report.latency_us['p99.9'] : Number.NaN);

export default {
  name: 'soak',
  summary: 'ten minutes of producers, a stream with retention, tailing and catching-up consumers and commits: p99 and RSS over time',
  durabilities: ['fsync'],
  peers: ['kafka'],
  pairs: 1,
  steps: (context) => sidesOf(context).length,
  async run(context) {
    // One turn of ten minutes says more than five short ones.
    const once = { ...context, pairs: 1 };
    const result = await compare(once, {
      label: `soak, ${context.durability}: produce p99 at ${PACED.rate}/s`,
      sides: sidesOf(context),
      figure: (run) => run.report.latency_us.p99,
      unit: 'µs',
      ratios: [
        { of: 'ringlog', to: 'kafka' },
        { of: 'ringlog', to: 'kafka', what: 'p99.9', figure: tailOf },
      ],
    });
    for (const run of result.runs) {
      const { commits, readings, tail, stream } = run.report;
      result.notes.push(
        `${run.side}: RSS of the last minute / of the second ${rssGrowth(run).toFixed(2)} (${verdictOf(run)}), p99 likewise ${p99Growth(run).toFixed(2)}; ` +
          `stream ${stream.mb_per_s.toFixed(0)} MB/s, tailing ${tail.mb_per_s.toFixed(1)} MB/s, ${commits.count} commits (p99 ${commits.p99Ms?.toFixed(1)} ms, ${commits.refused} refused), ${readings.times} times read again, ${readings.gone} times overtaken by retention`,
      );
    }
    return [result];
  },
};
