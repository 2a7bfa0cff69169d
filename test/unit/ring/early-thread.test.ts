import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MessageChannel } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { EarlyThread } from '../../../src/ring/early-thread.ts';
import { until } from '../../support/wire-client.ts';

describe('a thread that is started before its data is known', () => {
  let folder = '';
  let thread: EarlyThread | null = null;
  afterEach(async () => {
    await thread?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  function start(source: string): EarlyThread {
    folder = mkdtempSync(join(tmpdir(), 'ringlog-early-'));
    writeFileSync(join(folder, 'thread.mjs'), source);
    return (thread = new EarlyThread(pathToFileURL(join(folder, 'thread.mjs')), 'early'));
  }

  it('gets it, with the ports that belong to it, whenever that comes', async () => {
    const early = start(`
      import { parentPort, workerData } from 'node:worker_threads';
      parentPort.once('message', ({ word, port }) => port.postMessage([workerData, word]));
    `);
    const { port1, port2 } = new MessageChannel();
    const worker = early.give({ word: 'data', port: port2 }, [port2]);
    // Its end and what it said reach us by different ways, so either may be here first.
    const [said, exited] = await Promise.all([once(port1, 'message'), once(worker, 'exit')]);
    expect([said[0], exited]).toEqual([[{ early: 'early' }, 'data'], [0]]);
    port1.close();
  });

  it('is not given anything once it has died: the reason is told instead', async () => {
    const early = start(`throw new Error('planted')`);
    await until(() => early.death !== null, 'it has died');
    expect(() => early.give({}, [])).toThrow('planted');
  });

  it('ends when nobody wants it any more', async () => {
    const early = start(`import { parentPort } from 'node:worker_threads'; parentPort.on('message', () => {});`);
    await early.stop();
    expect(() => early.give({}, [])).toThrow(/exited with code/);
  });
});
