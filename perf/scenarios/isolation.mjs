// Does an fsync topic under full load disturb a page-cache topic? The paced load is an open loop, so whatever it has
// to wait counts. On few cores the saturating client and the broker's own CPU use are part of the disturbance.
import { compare } from '../lib/compare.mjs';
import { runKload, startKload } from '../lib/kload.mjs';
import { atMost, GIB, ringlogSide } from '../lib/sides.mjs';
import { secondsOf } from '../lib/quick.mjs';

const PACED = { topic: 'perf', partitions: 4, connections: 4, inFlight: 1000, recordBytes: 1024, batchBytes: 1, rate: 5000 };
const FLOOD = { topic: 'flood', partitions: 4, connections: 4, inFlight: 5, recordBytes: 1024, batchBytes: 65536 };

function sidesOf(context) {
  // At least 30 s, so that a checkpoint falls into the measured time also by the clock.
  const load = { ...PACED, seconds: secondsOf(context, 35), warmup: 3 };
  const alone = ringlogSide(context, { durability: 'page-cache', load, name: 'alone' });
  const disturbed = {
    ...alone,
    name: 'disturbed',
    async measure(server) {
      const topicConfig = ['ringlog.durability=fsync', `retention.bytes=${GIB / 2}`, `segment.bytes=${GIB / 8}`];
      const flood = startKload(server.port, { ...FLOOD, topicConfig, seconds: load.seconds + load.warmup + 1 });
      const report = await runKload(server.port, load);
      const { report: floodReport, code, errorText } = await flood.ended;
      if (code !== 0) throw new Error(`the saturating load failed: ${errorText}`);
      return { ...report, flood: floodReport };
    },
  };
  return [alone, disturbed];
}

export default {
  name: 'isolation',
  summary: 'page-cache p99 at 5,000 records/s while an fsync topic is saturated, against alone',
  steps: (context) => sidesOf(context).length,
  async run(context) {
    return [
      await compare(context, {
        label: 'isolation: page-cache p99 at 5 k/s',
        sides: sidesOf(context),
        figure: (run) => run.report.latency_us.p99,
        unit: 'µs',
        ratios: [{ of: 'disturbed', to: 'alone', target: '<= 2', holds: atMost(2) }],
      }),
    ];
  },
};
