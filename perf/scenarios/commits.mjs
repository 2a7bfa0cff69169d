// What a producer sees while consumer groups commit offsets beside it: an open loop of produces, alone and beside 5,000 commits a second.
import { compare } from '../lib/compare.mjs';
import { connectClient } from '../lib/client.mjs';
import { Member } from '../lib/group-load.mjs';
import { runKload } from '../lib/kload.mjs';
import { atMost, kafkaSides, latency, ringlogSide, TOPIC } from '../lib/sides.mjs';
import { openLoop } from '../lib/open-loop.mjs';
import { secondsOf } from '../lib/quick.mjs';

const PRODUCE = { partitions: 4, connections: 4, inFlight: 1000, recordBytes: 1024, batchBytes: 1, rate: 5000, warmup: 2 };
const GROUPS = 100;
const COMMITS_PER_SECOND = 5000;
const EXISTS = 36; // Kafka's TOPIC_ALREADY_EXISTS

/** The paced load of a side, alone or beside groups that commit. Groups are there on both: what differs is that they commit. */
function measured(side, load, rate) {
  return {
    ...side,
    async measure(server) {
      const client = await connectClient(server.port);
      const created = await client.createTopic('work', {}, 1);
      if (created !== 0 && created !== EXISTS) throw new Error(`CreateTopics: error ${created}`);
      client.close();
      const members = Array.from({ length: GROUPS }, (_, index) => new Member(`group-${index}`, 'work'));
      try {
        await Promise.all(members.map((member) => member.connect(server.port)));
        await members[0].find();
        await Promise.all(members.map((member) => member.settle()));
        if (rate === 0) return await runKload(server.port, { topic: TOPIC, ...load });
        const committing = openLoop(members, rate, load.seconds + load.warmup, (member) => member.commit());
        const report = await runKload(server.port, { topic: TOPIC, ...load });
        const { latencies, refusals, seconds } = await committing;
        if (refusals.length > 0) throw new Error(`${refusals.length} commits were refused, the first with error ${refusals[0]}`);
        const perSecond = latencies.length / seconds;
        if (perSecond < 0.95 * rate) throw new Error(`only ${perSecond.toFixed(0)} of ${rate} commits a second were answered`);
        return { ...report, commits: { perSecond, p99Ms: latencies[Math.floor(latencies.length * 0.99)] } };
      } finally {
        for (const member of members) member.close();
      }
    },
  };
}

function sidesOf(context) {
  const durability = context.durability ?? 'fsync';
  const load = { ...PRODUCE, seconds: secondsOf(context, 15, 5) };
  const rate = COMMITS_PER_SECOND * Math.min(1, context.scale);
  const ours = (name) => ringlogSide(context, { durability, load, name, settings: ['group.initial.rebalance.delay.ms=0'] });
  return [
    measured(ours('ringlog-alone'), load, 0),
    measured(ours('ringlog'), load, rate),
    ...kafkaSides(context, { durability, load })
      .filter(({ name }) => name === 'kafka')
      .map((side) => measured(side, load, rate)),
  ];
}

export default {
  name: 'commits',
  summary: 'fsync p99 at 5,000 records/s beside 5,000 offset commits/s, against alone',
  durabilities: ['fsync'],
  peers: ['kafka'],
  steps: (context) => sidesOf(context).length,
  async run(context) {
    return [
      await compare(context, {
        label: 'commits: produce p99 at 5 k/s',
        sides: sidesOf(context),
        figure: latency('p99'),
        unit: 'µs',
        ratios: [
          { of: 'ringlog', to: 'ringlog-alone', target: '<= 1.3', holds: atMost(1.3) },
          { of: 'ringlog', to: 'kafka' },
          { of: 'ringlog', to: 'kafka', what: 'p99 of commits', figure: (run) => run.report.commits?.p99Ms },
        ],
      }),
    ];
  },
};
