import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask, figureOf, open, openMany } from '../lib/crowd.mjs';
import { processMemory } from '../lib/machine.mjs';
import { startRinglog } from '../lib/servers.mjs';
import { spread } from '../lib/stats.mjs';
import { ringlogOptions } from '../lib/sides.mjs';

/** With a new one that comes: a process that may open 20,000 files has half of them for connections. */
const CONNECTIONS = 10_000;
/** Opened and closed beside those that are idle, one after the other. */
const NEW = 500;
const SETTLE_MS = 3000;

export default {
  name: 'idle-connections',
  summary: '10,000 connections open at once and idle: memory of each, and how long a new one takes',
  steps: () => 1,
  async run(context) {
    const count = Math.ceil(CONNECTIONS * context.scale);
    const runs = [];
    for (let turn = 1; turn <= context.pairs; turn++) {
      context.progress.step(`${count} idle connections, turn ${turn} of ${context.pairs}`);
      const dir = join(context.workDir, `idle-connections-${turn}`);
      const settings = [`max.connections=${count}`];
      const server = await startRinglog({ dir, ...ringlogOptions(context, settings) });
      // Warm first, so that what is compiled and grown at first use is not divided among the connections.
      for (const socket of await openMany(server.port, Math.min(500, count))) socket.destroy();
      await sleep(SETTLE_MS);
      const before = processMemory(server.pid).rss;
      const sockets = await openMany(server.port, count - 1);
      await sleep(SETTLE_MS);
      const after = processMemory(server.pid).rss;
      const acceptMs = [];
      for (let n = 0; n < NEW; n++) {
        const startedAt = performance.now();
        const { socket } = await open(server.port);
        if (!(await ask(socket))) throw new Error('a new connection was closed');
        acceptMs.push(performance.now() - startedAt);
        socket.destroy();
      }
      acceptMs.sort((a, b) => a - b);
      runs.push({
        connections: count,
        before,
        after,
        kibEach: ((after - before) * 1e6) / 1024 / (count - 1),
        acceptMsP99: acceptMs[Math.floor(NEW * 0.99)],
        acceptMsMax: acceptMs.at(-1),
      });
      for (const socket of sockets) socket.destroy();
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
      context.progress.done();
    }
    const of = (name) => spread(runs.map((run) => run[name]));
    const figures = [
      figureOf('KiB of each', of('kibEach'), '<= 32', (value) => value <= 32),
      figureOf('ms to connect and be answered, p99', of('acceptMsP99'), '<= 10', (value) => value <= 10),
      figureOf('the same, slowest', of('acceptMsMax')),
    ];
    return [{ label: `${count} idle connections`, unit: 'KiB, ms', figures, runs }];
  },
};
