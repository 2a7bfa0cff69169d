// What a producer sees while consumer groups commit offsets beside it: an open loop of produces, alone and beside 5,000 commits a second.
import { compare } from '../lib/compare.mjs';
import { connectClient } from '../lib/client.mjs';
import { Member } from '../lib/group-load.mjs';
import { runKload } from '../lib/kload.mjs';
import { atMost, ringlogSide } from '../lib/sides.mjs';
import { openLoop } from '../lib/open-loop.mjs';

const PRODUCE = { partitions: 4, connections: 4, inFlight: 1000, recordBytes: 1024, batchBytes: 1, rate: 5000, warmup: 2 };
const GROUPS = 100;
const COMMITS_PER_SECOND = 5000;

function sidesOf(context) {
  const load = { ...PRODUCE, seconds: context.seconds ?? 15 };
  const rate = COMMITS_PER_SECOND * Math.min(1, context.scale);
  // Groups are there on both sides: what differs is that they commit.
  const side = (name, commits) => ({
    ...ringlogSide(context, { durability: 'fsync', load, name, settings: ['group.initial.rebalance.delay.ms=0'] }),
    async measure(server) {
      const client = await connectClient(server.port);
      const created = await client.createTopic('work', {}, 1);
      if (created !== 0) throw new Error(`CreateTopics: error ${created}`);
      client.close();
      const members = Array.from({ length: GROUPS }, (_, index) => new Member(`group-${index}`, 'work'));
      try {
        await Promise.all(members.map((member) => member.connect(server.port)));
        await members[0].find();
        await Promise.all(members.map((member) => member.settle()));
        if (!commits) return await runKload(server.port, { topic: 'perf', ...load });
        const committing = openLoop(members, rate, load.seconds + load.warmup, (member) => member.commit());
        const report = await runKload(server.port, { topic: 'perf', ...load });
        const { latencies, refusals, seconds } = await committing;
        if (refusals.length > 0) throw new Error(`${refusals.length} commits were refused, the first with error ${refusals[0]}`);
        const perSecond = latencies.length / seconds;
        if (perSecond < 0.95 * rate) throw new Error(`only ${perSecond.toFixed(0)} of ${rate} commits a second were answered`);
        return { ...report, commits: { perSecond, p99Ms: latencies[Math.floor(latencies.length * 0.99)] } };
      } finally {
        for (const member of members) member.close();
      }
    },
  });
  return [side('alone', false), side('commits', true)];
}

export default {
  name: 'commits',
  summary: 'fsync p99 at 5,000 records/s beside 5,000 offset commits/s, against alone',
  steps: (context) => sidesOf(context).length,
  async run(context) {
    return [
      await compare(context, {
        label: 'commits: produce p99 at 5 k/s',
        sides: sidesOf(context),
        figure: (run) => run.report.latency_us.p99,
        unit: 'µs',
        ratios: [{ of: 'commits', to: 'alone', target: '<= 1.3', holds: atMost(1.3) }],
      }),
    ];
  },
};
