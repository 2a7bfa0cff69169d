// Do attackers disturb others? The paced load is an open loop, so whatever it has to wait counts. On few cores what the attackers themselves use is part of the disturbance.
import { compare } from '../lib/compare.mjs';
import { runKload } from '../lib/kload.mjs';
import { atMost, ringlogSide } from '../lib/sides.mjs';
import { startAttackers } from '../lib/attackers.mjs';
import { secondsOf } from '../lib/quick.mjs';

const PACED = { topic: 'perf', partitions: 4, connections: 4, inFlight: 1000, recordBytes: 1024, batchBytes: 1, rate: 1000 };

function sidesOf(context) {
  const load = { ...PACED, seconds: secondsOf(context, 30), warmup: 3 };
  const alone = ringlogSide(context, { durability: 'page-cache', load, name: 'alone' });
  const disturbed = {
    ...alone,
    name: 'attacked',
    async measure(server) {
      const attackers = startAttackers(server.port);
      try {
        const report = await runKload(server.port, load);
        return { ...report, attacks: await attackers.stop() };
      } finally {
        attackers.kill();
      }
    },
  };
  return [alone, disturbed];
}

export default {
  name: 'hostile',
  summary: 'p99 of another connection at 1,000 records/s while every attack of the hostile suite runs, against alone',
  steps: (context) => sidesOf(context).length,
  async run(context) {
    return [
      await compare(context, {
        label: 'hostile: p99 at 1 k/s',
        sides: sidesOf(context),
        figure: (run) => run.report.latency_us.p99,
        unit: 'µs',
        ratios: [{ of: 'attacked', to: 'alone', target: '<= 3', holds: atMost(3) }],
      }),
    ];
  },
};
