import { compare } from '../lib/compare.mjs';
import { firstAcknowledged } from '../lib/client.mjs';
import { wantedNote } from '../lib/report.mjs';
import { orStopped, startPeer, startRinglog } from '../lib/servers.mjs';
import { atMost, ringlogOptions } from '../lib/sides.mjs';

const MOST_MS = 400;

/** A side whose server is started twice for an existing folder: once to make it. The clock runs from the start that is measured. */
function side({ name, promise, isPeer = false, configs, isExisting, start }) {
  return {
    name,
    promise,
    isPeer,
    isOverAtStart: true,
    async start(dir) {
      if (isExisting) {
        const first = await start(dir);
        await orStopped(first, firstAcknowledged(first.port, 'perf', { configs, server: first }));
        await first.stop();
      }
      const server = await start(dir);
      // Measured here and not in `measure`: resting between the two would be part of the time.
      const at = await orStopped(server, firstAcknowledged(server.port, 'perf', { configs: isExisting ? undefined : configs, server }));
      return { ...server, milliseconds: at - server.startedAt };
    },
    measure: async (server) => ({ milliseconds: server.milliseconds, seconds: 1 }),
  };
}

function sidesOf(context, isExisting) {
  const ours = side({
    name: 'ringlog',
    promise: 'one record with fsync',
    configs: { 'ringlog.durability': 'fsync' },
    isExisting,
    start: (dir) => startRinglog({ dir, ...ringlogOptions(context), wait: false }),
  });
  if (!context.peers.includes('kafka')) return [ours];
  const kafka = side({
    name: 'kafka',
    promise: 'one record in the page cache (Kafka default); formatting its folder is not counted',
    isPeer: true,
    configs: {},
    isExisting,
    start: (dir) => startPeer('kafka', { dir, wait: false }),
  });
  return [ours, kafka];
}

export default {
  name: 'startup',
  summary: 'start of the process to the first acknowledged record, empty and existing folder',
  peers: ['kafka'],
  steps: (context) => 2 * sidesOf(context, false).length,
  async run(context) {
    const results = [];
    for (const isExisting of [false, true]) {
      const result = await compare(context, {
        label: `start to first acknowledged record, ${isExisting ? 'existing' : 'empty'} folder`,
        sides: sidesOf(context, isExisting),
        figure: (run) => run.report.milliseconds,
        unit: 'ms',
        ratios: [{ of: 'ringlog', to: 'kafka', target: '<= 0.1', holds: atMost(0.1) }],
      });
      const own = result.sides.find(({ name }) => name === 'ringlog');
      result.notes.push(...wantedNote('ringlog wants a start in ms', own?.figure, MOST_MS));
      results.push(result);
    }
    return results;
  },
};
