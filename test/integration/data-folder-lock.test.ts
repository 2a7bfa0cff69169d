import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openDataFolder } from '../../src/config/data-folder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const open = (path: string) => openDataFolder(path, { nodeId: 1, initialize: async () => undefined });

async function holder(path: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [join(import.meta.dirname, '../support/data-folder-holder.mjs'), path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return child;
}

describe('the lock of a data folder', () => {
  it('keeps a second process out and names the folder and the first one', async () => {
    const path = join(temporaryFolder(), 'data');
    const child = await holder(path);
    // Only a holder that answers can be named, and one that answers is not waited for.
    await expect(open(path)).rejects.toThrow(`The data folder ${path} is in use by process ${child.pid}.`);
  });

  it('is free at once after kill -9, again and again', async () => {
    const path = join(temporaryFolder(), 'data');
    for (let round = 0; round < 5; round++) {
      const child = await holder(path);
      child.kill('SIGKILL');
      const folder = await open(path); // not waiting for the exit of the child
      await folder.close();
    }
    expect(existsSync(join(path, 'ringlog.lock'))).toBe(false);
  });

  it('knows the folder under another name', async () => {
    const parent = temporaryFolder();
    const path = join(parent, 'data');
    await holder(path);
    symlinkSync(path, join(parent, 'link'));
    await expect(open(join(parent, 'link'))).rejects.toThrow(/in use by process/);
  });

  it('lets exactly one of several starts at the same time win', async () => {
    const path = join(temporaryFolder(), 'data');
    const dead = await holder(path);
    dead.kill('SIGKILL');
    await once(dead, 'exit');
    const outcomes = await Promise.allSettled(Array.from({ length: 6 }, () => open(path)));
    const winners = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    expect(winners).toHaveLength(1);
    await winners[0]!.close();
  });

  it('works in a folder whose name is longer than a socket address', async () => {
    const path = join(temporaryFolder(), 'long'.repeat(40), 'data');
    await holder(path);
    await expect(open(path)).rejects.toThrow(/in use by process/);
  });
});
