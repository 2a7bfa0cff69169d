import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { connectClient } from '../lib/client.mjs';
import { descriptorsOf, figureOf } from '../lib/crowd.mjs';
import { recordIntoEach } from '../lib/each-partition.mjs';
import { runKload } from '../lib/kload.mjs';
import { processMemory } from '../lib/machine.mjs';
import { startRinglog } from '../lib/servers.mjs';
import { spread } from '../lib/stats.mjs';
import { ringlogOptions } from '../lib/sides.mjs';

const PARTITIONS = 10_000;
const TOPIC = 'many';

export default {
  name: 'partitions-10000',
  summary: '10,000 partitions: start after a clean stop, one record into each and back, descriptors',
  steps: () => 1,
  async run(context) {
    const count = Math.ceil(PARTITIONS * context.scale);
    const runs = [];
    for (let turn = 1; turn <= context.pairs; turn++) {
      context.progress.step(`${count} partitions, turn ${turn} of ${context.pairs}`);
      const dir = join(context.workDir, `partitions-${turn}`);
      const start = () => startRinglog({ dir, ...ringlogOptions(context) });
      const first = await start();
      let client = await connectClient(first.port);
      const createdAt = performance.now();
      const created = await client.createTopic(TOPIC, { 'ringlog.durability': 'fsync' }, count);
      if (created !== 0) throw new Error(`CreateTopics: error ${created}`);
      const createMs = performance.now() - createdAt;
      // The first record into each makes its files; they are there at the start that is measured, as in any broker that was used.
      await recordIntoEach(client, TOPIC, count);
      client.close();
      if ((await first.stop()).code !== 0) throw new Error('the stop was not clean');

      const second = await start();
      const startMs = performance.now() - second.startedAt;
      const roundAt = performance.now();
      client = await connectClient(second.port);
      await recordIntoEach(client, TOPIC, count);
      const read = await runKload(second.port, { topic: TOPIC, consume: true, partitions: count, connections: 4, fetchMaxBytes: '64k' });
      if (read.records !== 2 * count) throw new Error(`${read.records} records came back, and ${2 * count} were written`);
      const roundMs = performance.now() - roundAt;
      const descriptors = descriptorsOf(second.pid);
      const { rss } = processMemory(second.pid);
      client.close();
      await second.stop();
      rmSync(dir, { recursive: true, force: true });
      runs.push({ count, createMs, startMs, roundMs, descriptors, rss });
      context.progress.done();
    }
    const of = (name) => spread(runs.map((run) => run[name]));
    const figures = [
      figureOf('ms to start after a clean stop', of('startMs'), '<= 3000', (value) => value <= 3000),
      figureOf('ms for one record into each and back', of('roundMs'), '<= 10000', (value) => value <= 10_000),
      figureOf('descriptors afterwards', of('descriptors')),
      figureOf('ms to create the topic', of('createMs')),
      figureOf('MB of RSS', of('rss')),
    ];
    return [{ label: `${count} partitions`, unit: 'as named', figures, runs }];
  },
};
