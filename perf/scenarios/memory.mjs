import { setTimeout as sleep } from 'node:timers/promises';
import { compare } from '../lib/compare.mjs';
import { startPeer, startRinglog } from '../lib/servers.mjs';
import { atMost, ringlogOptions } from '../lib/sides.mjs';

const IDLE_MS = 10_000;
const RSS_MB_MOST = 130;

function sidesOf(context) {
  const rest = (server) => sleep(context.quick ? IDLE_MS / 5 : IDLE_MS, server);
  const side = (name, start, isPeer = false) => ({
    name,
    promise: 'nothing is acknowledged: at rest',
    isPeer,
    start,
    measure: async (server) => (await rest(server), { seconds: IDLE_MS / 1000 }),
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
    const rssMb = result.sides.find(({ name }) => name === 'ringlog')?.rssMb;
    result.notes.push(`ringlog wants an RSS of at most ${RSS_MB_MOST} MB: ${rssMb?.median <= RSS_MB_MOST ? 'reached' : 'NOT reached'}`);
    return [result];
  },
};
