// A consumer that asks and never reads, while the log goes round under it: what the broker has for it must not grow.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fetchRequest } from '../lib/client.mjs';
import { figureOf, open } from '../lib/crowd.mjs';
import { startKload } from '../lib/kload.mjs';
import { processMemory } from '../lib/machine.mjs';
import { startRinglog } from '../lib/servers.mjs';
import { GIB, TOPIC, ringlogOptions } from '../lib/sides.mjs';
import { spread } from '../lib/stats.mjs';
import { secondsOf } from '../lib/quick.mjs';

const MINUTES = 5;
const SAMPLE_MS = 500;
const PARTITIONS = 4;
const DEAF = 4;

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

export default {
  name: 'deaf-consumer',
  summary: 'a consumer that never reads, 5 minutes at full load, retention.bytes 1 GiB: RSS of the last minute against the first',
  steps: () => 1,
  async run(context) {
    const minuteMs = (secondsOf(context, MINUTES * 60, 25) / MINUTES) * 1000;
    const runs = [];
    for (let turn = 1; turn <= context.pairs; turn++) {
      context.progress.step(`consumer that never reads, turn ${turn} of ${context.pairs}`);
      const dir = join(context.workDir, `deaf-${turn}`);
      const settings = ['log.retention.check.interval.ms=5000'];
      const server = await startRinglog({ dir, ...ringlogOptions(context, settings) });
      const topicConfig = ['ringlog.durability=page-cache', `retention.bytes=${GIB}`, `segment.bytes=${GIB / 8}`];
      const load = { topic: TOPIC, partitions: PARTITIONS, connections: 4, inFlight: 5, recordBytes: 1024, batchBytes: 65536, topicConfig };
      const { child, ended } = startKload(server.port, { ...load, warmup: 2, seconds: (MINUTES * minuteMs) / 1000 });
      await sleep(2000);
      const deaf = [];
      for (let n = 0; n < DEAF; n++) {
        const { socket } = await open(server.port);
        socket.pause();
        for (let request = 0; request < 20; request++)
          socket.write(
            fetchRequest(
              TOPIC,
              Array.from({ length: PARTITIONS }, (_, p) => p),
              50 * 2 ** 20,
            ),
          );
        deaf.push(socket);
      }
      const minutes = [];
      for (let minute = 0; minute < MINUTES; minute++) {
        const samples = [];
        for (const until = performance.now() + minuteMs; performance.now() < until; await sleep(SAMPLE_MS))
          samples.push(processMemory(server.pid));
        minutes.push({ rss: mean(samples.map(({ rss }) => rss)), anonymous: mean(samples.map(({ anonymous }) => anonymous)) });
        if (child.exitCode !== null && minute < MINUTES - 1) break;
      }
      const { code, report, errorText } = await ended;
      if (code !== 0) throw new Error(`the load failed: ${errorText}`);
      for (const socket of deaf) socket.destroy();
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
      runs.push({ minutes, megabytesPerSecond: report.mb_per_s, ratio: minutes.at(-1).rss / minutes[0].rss });
      context.progress.done();
    }
    const figures = [
      figureOf('RSS of the last minute / of the first', spread(runs.map((run) => run.ratio)), '<= 1.05', (value) => value <= 1.05),
      figureOf('MB in the last minute', spread(runs.map((run) => run.minutes.at(-1).rss))),
      figureOf('MB/s produced meanwhile', spread(runs.map((run) => run.megabytesPerSecond))),
    ];
    return [{ label: 'a consumer that never reads', unit: 'as named', figures, runs }];
  },
};
