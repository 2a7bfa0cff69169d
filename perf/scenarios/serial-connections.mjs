import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask, descriptorsOf, figureOf, open } from '../lib/crowd.mjs';
import { processMemory } from '../lib/machine.mjs';
import { startRinglog } from '../lib/servers.mjs';
import { spread } from '../lib/stats.mjs';
import { ringlogOptions } from '../lib/sides.mjs';

const CONNECTIONS = 100_000;
const LIMIT = 100;
/** At once: below the limit, because the broker hears of an end a moment later. */
const AT_ONCE = 50;

/** Connects, asks, goes; as many times as told. Counts those that were refused. */
async function come(port, times) {
  let refused = 0;
  for (let n = 0; n < times; n++) {
    const { socket } = await open(port);
    if (!(await ask(socket))) refused++;
    socket.destroy();
  }
  return refused;
}

export default {
  name: 'serial-connections',
  summary: '100,000 connections in series under max.connections=100, then a clean stop: no leak, and how long the stop takes',
  steps: () => 1,
  async run(context) {
    const count = Math.ceil(CONNECTIONS * context.scale);
    const runs = [];
    for (let turn = 1; turn <= context.pairs; turn++) {
      context.progress.step(`${count} connections in series, turn ${turn} of ${context.pairs}`);
      const dir = join(context.workDir, `serial-${turn}`);
      const settings = [`max.connections=${LIMIT}`];
      const server = await startRinglog({ dir, ...ringlogOptions(context, settings) });
      const share = Math.ceil(count / AT_ONCE / 2);
      const all = () => Promise.all(Array.from({ length: AT_ONCE }, () => come(server.port, share)));
      // The first half warms; what the second half adds is a leak.
      await all();
      await sleep(1000);
      const before = { rss: processMemory(server.pid).rss, descriptors: descriptorsOf(server.pid) };
      const startedAt = performance.now();
      const refused = (await all()).reduce((sum, one) => sum + one, 0);
      const seconds = (performance.now() - startedAt) / 1000;
      await sleep(1000);
      const after = { rss: processMemory(server.pid).rss, descriptors: descriptorsOf(server.pid) };
      const stopAt = performance.now();
      const { code } = await server.stop();
      const stopMs = performance.now() - stopAt;
      if (code !== 0) throw new Error(`the broker ended with ${code}`);
      runs.push({
        count,
        refused,
        perSecond: (share * AT_ONCE) / seconds,
        rssMore: after.rss - before.rss,
        descriptorsMore: after.descriptors - before.descriptors,
        stopMs,
      });
      rmSync(dir, { recursive: true, force: true });
      context.progress.done();
    }
    const of = (name) => spread(runs.map((run) => run[name]));
    const figures = [
      figureOf('descriptors more than after the first half', of('descriptorsMore'), '<= 0', (value) => value <= 0),
      figureOf('MB of RSS more than after the first half', of('rssMore'), '<= 10', (value) => value <= 10),
      figureOf('ms to stop', of('stopMs'), '<= 1000', (value) => value <= 1000),
      figureOf('refused', of('refused')),
      figureOf('connections a second', of('perSecond')),
    ];
    return [{ label: `${count} connections in series`, unit: 'as named', figures, runs }];
  },
};
