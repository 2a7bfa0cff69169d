import { setTimeout as sleep } from 'node:timers/promises';
import { compare } from '../lib/compare.mjs';
import { wantedNote } from '../lib/report.mjs';
import { startPeer, startRinglog } from '../lib/servers.mjs';
import { atMost, ringlogOptions } from '../lib/sides.mjs';

const IDLE_MS = 10_000;
const RSS_MB_MOST = 130;

function sidesOf(context) {
  const idleMs = context.quick ? IDLE_MS / 5 : IDLE_MS;
  const side = (name, start, isPeer = false) => ({
    name,
    promise: 'nothing is acknowledged: at rest',
    isPeer,
    start,
    measure: async () => (await sleep(idleMs), { seconds: idleMs / 1000 }),
  });
  const ours = side('ringlog', (dir) => startRinglog({ dir, ...ringlogOptions(context) }));
  return context.peers.includes('kafka') ? [ours, side('kafka', (dir) => startPeer('kafka', { dir }), true)] : [ours];
}

export default {
  name: 'memory',
  summary: 'memory of a broker that has done nothing for 10 s: anonymous and shared, and RSS (under load: bulk)',
  peers: ['kafka'],
  steps: (context) => sidesOf(context).length,
  async run(context) {
    const result = await compare(context, {
      label: 'memory at rest, anonymous and shared',
      sides: sidesOf(context),
      figure: (run) => run.memory.anonymous + run.memory.shared,
      unit: 'MB',
      ratios: [
        { of: 'ringlog', to: 'kafka', target: '<= 0.35', holds: atMost(0.35) },
        { of: 'ringlog', to: 'kafka', what: 'RSS', figure: (run) => run.memory.rss },
      ],
    });
    const rss = result.sides.find(({ name }) => name === 'ringlog')?.rssMb;
    result.notes.push(...wantedNote('ringlog wants an RSS in MB', rss, RSS_MB_MOST));
    return [result];
  },
};
