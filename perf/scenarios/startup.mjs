import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { firstAcknowledged } from '../lib/client.mjs';
import { startRinglog } from '../lib/servers.mjs';
import { spread } from '../lib/stats.mjs';

const TOPIC_CONFIG = { 'ringlog.durability': 'fsync' };

async function once(context, dir, configs) {
  const bin = context.bin ? { bin: context.bin } : {};
  const server = await startRinglog({ dir, settings: context.settings, wait: false, ...bin });
  try {
    return (await firstAcknowledged(server.port, 'perf', { configs, child: server.child })) - server.startedAt;
  } finally {
    await server.stop();
  }
}

export default {
  name: 'startup',
  summary: 'start of the process to the first acknowledged record (fsync), empty and existing folder',
  steps: () => 1,
  async run(context) {
    const empty = [];
    const existing = [];
    for (let turn = 1; turn <= context.pairs; turn++) {
      context.progress.step(`startup, turn ${turn} of ${context.pairs}`);
      const dir = join(context.workDir, `startup-${turn}`);
      empty.push(await once(context, dir, TOPIC_CONFIG)); // creating the topic is in this time
      existing.push(await once(context, dir, undefined));
      rmSync(dir, { recursive: true, force: true });
      context.progress.done();
    }
    const figures = Object.entries({ 'empty folder': empty, 'existing folder': existing }).map(([name, values]) => {
      const figure = spread(values);
      return { name, figure, target: '<= 400 ms', holds: figure.median <= 400 };
    });
    return [{ label: 'start to first acknowledged record', unit: 'ms', figures, runs: { empty, existing } }];
  },
};
