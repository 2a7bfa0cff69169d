// Eight consumers at the end of a log that grows by 100 MB/s. All keep up if each has read, in the time of the load, what was written in it.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { figureOf } from '../lib/crowd.mjs';
import { startKload } from '../lib/kload.mjs';
import { startRinglog } from '../lib/servers.mjs';
import { TOPIC, ringlogOptions } from '../lib/sides.mjs';
import { spread } from '../lib/stats.mjs';
import { secondsOf } from '../lib/quick.mjs';

const CONSUMERS = 8;
const RECORD_BYTES = 1024;
const BYTES_PER_SECOND = 100e6;

export default {
  name: 'tailing',
  summary: 'eight tailing consumers of one topic, producer at 100 MB/s: what each gets of what is written',
  steps: () => 1,
  async run(context) {
    const seconds = secondsOf(context, 20);
    const runs = [];
    for (let turn = 1; turn <= context.pairs; turn++) {
      context.progress.step(`eight tailing consumers, turn ${turn} of ${context.pairs}`);
      const dir = join(context.workDir, `tailing-${turn}`);
      const server = await startRinglog({ dir, ...ringlogOptions(context) });
      const topic = { topic: TOPIC, partitions: 4 };
      const created = await startKload(server.port, { ...topic, create: true, topicConfig: ['ringlog.durability=page-cache'] }).ended;
      if (created.code !== 0) throw new Error(created.errorText);
      const rate = Math.floor((BYTES_PER_SECOND * context.scale) / RECORD_BYTES);
      // The load begins before and ends after what the consumers measure.
      const load = startKload(server.port, {
        ...topic,
        connections: 4,
        inFlight: 64,
        recordBytes: RECORD_BYTES,
        batchBytes: 65536,
        rate,
        warmup: 2,
        seconds: seconds + 6,
      });
      await new Promise((resolve) => setTimeout(resolve, 3000));
      const readers = Array.from({ length: CONSUMERS }, () =>
        startKload(server.port, { ...topic, consume: true, offset: 'latest', fanOut: true, connections: 1, seconds }),
      );
      const read = await Promise.all(readers.map(({ ended }) => ended));
      const written = await load.ended;
      for (const { code, errorText } of [...read, written]) if (code !== 0) throw new Error(`kload failed: ${errorText}`);
      const shares = read.map(({ report }) => report.mb_per_s / written.report.mb_per_s);
      runs.push({ written: written.report.mb_per_s, latencyP99: written.report.latency_us.p99, shares, least: Math.min(...shares) });
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
      context.progress.done();
    }
    const figures = [
      figureOf(
        'MB/s written',
        spread(runs.map((run) => run.written)),
        `>= ${(95 * context.scale).toFixed(1)}`,
        (value) => value >= 95 * context.scale,
      ),
      figureOf('read of it by the slowest of eight', spread(runs.map((run) => run.least)), '>= 0.95', (value) => value >= 0.95),
      figureOf('µs, p99 of the producer', spread(runs.map((run) => run.latencyP99))),
    ];
    return [{ label: 'eight tailing consumers', unit: 'as named', figures, runs }];
  },
};
