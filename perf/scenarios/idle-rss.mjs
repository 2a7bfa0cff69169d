import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { processMemory } from '../lib/machine.mjs';
import { startRinglog } from '../lib/servers.mjs';
import { spread } from '../lib/stats.mjs';

const IDLE_MS = 10_000;

export default {
  name: 'idle-rss',
  summary: 'resident memory of a broker that has done nothing for 10 s',
  steps: () => 1,
  async run(context) {
    const runs = [];
    for (let turn = 1; turn <= context.pairs; turn++) {
      context.progress.step(`idle RSS, turn ${turn} of ${context.pairs}`);
      const dir = join(context.workDir, `idle-${turn}`);
      const server = await startRinglog({ dir, settings: context.settings, ...(context.bin ? { bin: context.bin } : {}) });
      await sleep(IDLE_MS);
      runs.push(processMemory(server.pid));
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
      context.progress.done();
    }
    const rss = spread(runs.map((run) => run.rss));
    const part = (name) => ({ name: `of it ${name}`, figure: spread(runs.map((run) => run[name])), target: null, holds: null });
    const figures = [
      { name: 'RSS', figure: rss, target: '<= 130 MB', holds: rss.median <= 130 },
      part('anonymous'),
      part('file'),
      part('shared'),
    ];
    return [{ label: 'idle memory', unit: 'MB', figures, runs }];
  },
};
