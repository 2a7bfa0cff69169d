import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { connectClient } from '../lib/client.mjs';
import { figureOf } from '../lib/crowd.mjs';
import { inTurns, Member } from '../lib/group-load.mjs';
import { processCpuSeconds } from '../lib/machine.mjs';
import { openLoop } from '../lib/open-loop.mjs';
import { startRinglog } from '../lib/servers.mjs';
import { spread } from '../lib/stats.mjs';
import { secondsOf } from '../lib/quick.mjs';
import { ringlogOptions } from '../lib/sides.mjs';

const GROUPS = 1000;
const MEMBERS = 10;
const HEARTBEAT_MS = 3000;
const COMMITS_PER_SECOND = 5000;
const SECONDS = 15;

export default {
  name: 'groups',
  summary: '1,000 groups of ten: what heartbeats every 3 s cost, and 5,000 commits a second',
  steps: () => 1,
  async run(context) {
    const groups = Math.ceil(GROUPS * context.scale);
    const seconds = secondsOf(context, SECONDS);
    const runs = [];
    for (let turn = 1; turn <= context.pairs; turn++) {
      context.progress.step(`${groups} groups of ${MEMBERS}, turn ${turn} of ${context.pairs}`);
      const dir = join(context.workDir, `groups-${turn}`);
      const settings = [`max.connections=${groups * MEMBERS + 10}`, `max.connections.per.ip=${groups * MEMBERS + 10}`];
      const server = await startRinglog({ dir, ...ringlogOptions(context, settings) });
      const client = await connectClient(server.port);
      const created = await client.createTopic('work', {}, MEMBERS);
      if (created !== 0) throw new Error(`CreateTopics: error ${created}`);
      client.close();
      const members = Array.from(
        { length: groups * MEMBERS },
        (_, index) => new Member(`group-${Math.floor(index / MEMBERS)}`, 'work', index % MEMBERS),
      );
      await inTurns(members, (member) => member.connect(server.port));
      await members[0].find();
      const joinedAt = performance.now();
      await Promise.all(members.map((member) => member.settle()));
      const settleMs = performance.now() - joinedAt;
      await openLoop(members, members.length / (HEARTBEAT_MS / 1000), 3, (member) => member.beat());
      const idleCpu = processCpuSeconds(server.pid);
      const beats = await openLoop(members, members.length / (HEARTBEAT_MS / 1000), seconds, (member) => member.beat());
      const beatCpu = (processCpuSeconds(server.pid) - idleCpu) / beats.seconds;
      const commitCpu = processCpuSeconds(server.pid);
      const commits = await openLoop(members, COMMITS_PER_SECOND * Math.min(1, context.scale), seconds, (member) => member.commit());
      const commitCores = (processCpuSeconds(server.pid) - commitCpu) / commits.seconds;
      const p99 = ({ latencies }) => latencies[Math.floor(latencies.length * 0.99)];
      runs.push({
        settleMs,
        beatCpuPercent: beatCpu * 100,
        beatMsP99: p99(beats),
        commitsPerSecond: commits.latencies.length / commits.seconds,
        commitCpuPercent: commitCores * 100,
        commitMsP50: commits.latencies[commits.latencies.length >> 1],
        commitMsP99: p99(commits),
        refusals: beats.refusals.length + commits.refusals.length,
      });
      for (const member of members) member.close();
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
      context.progress.done();
    }
    const of = (name) => spread(runs.map((run) => run[name]));
    const figures = [
      figureOf('% of a core for heartbeats', of('beatCpuPercent'), '<= 20', (value) => value <= 20),
      figureOf('ms of a heartbeat, p99', of('beatMsP99')),
      figureOf('ms until all members are at work', of('settleMs')),
      figureOf('commits/s', of('commitsPerSecond'), '>= 4900', (value) => value >= 4900 * Math.min(1, context.scale)),
      figureOf('ms of a commit, p50', of('commitMsP50')),
      figureOf('the same, p99', of('commitMsP99')),
      figureOf('% of a core for commits', of('commitCpuPercent')),
      figureOf('refusals', of('refusals'), '0', (value) => value === 0),
    ];
    return [{ label: `${groups} groups of ${MEMBERS} members`, unit: '', figures, runs }];
  },
};
