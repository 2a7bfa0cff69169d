// The broker that is measured: alone, in a folder of its own, with its page of metrics.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { syncFileSystem } from '../lib/machine.mjs';
import { freePort, startRinglog } from '../lib/servers.mjs';
import { ringlogOptions } from '../lib/sides.mjs';

/**
 * Starts ringlog in `dir`; `httpPort` of the handle answers GET /metrics.
 * @param {object} context of the harness
 * @param {string[]} [settings] "key=value"
 */
export async function startBroker(context, dir, settings = []) {
  const httpPort = await freePort();
  const server = await startRinglog({ dir, ...ringlogOptions(context, [`ringlog.http.port=${httpPort}`, ...settings]) });
  return { ...server, httpPort };
}

/** Runs `work(dir)` with an empty folder that is gone afterwards, from the disk too. */
export async function withFolder(context, name, work) {
  const dir = join(context.workDir, name);
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  try {
    return await work(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
    syncFileSystem(context.workDir); // freeing blocks costs the disk too: not in the time of what comes next
  }
}

/** Runs `work(server, dir)` with a fresh broker, which is stopped afterwards. */
export function withBroker(context, name, settings, work) {
  return withFolder(context, name, async (dir) => {
    const server = await startBroker(context, dir, settings);
    try {
      return await work(server, dir);
    } finally {
      await server.stop();
    }
  });
}
