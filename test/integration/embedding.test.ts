/** Brokers inside a program: what they leave in its process, what is left of them, and what the program hears when one cannot go on. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { run } from '../support/process.ts';

const host = join(import.meta.dirname, '../support/embedded-host.mjs');

interface Held {
  readonly descriptors: number;
  readonly threads: number;
  /** Kinds of handles that keep the process up. */
  readonly resources: readonly string[];
  readonly listeners: number;
}

/** Runs a scene in a process of its own, which must end by itself; what it printed. */
async function scene<T>(name: string): Promise<T> {
  const child = run(process.execPath, [host, name]);
  expect([await child.ended, child.stderr()]).toEqual([0, '']);
  return JSON.parse(child.stdout()) as T;
}

/** Threads of libuv's pool and of V8 are the process's own, come when they are first needed, and stay. */
const POOL_THREADS = 5;

function expectNothingLeft(before: Held, after: Held): void {
  expect(after).toMatchObject({ descriptors: before.descriptors, resources: [], listeners: before.listeners });
  expect(after.threads).toBeLessThanOrEqual(before.threads + POOL_THREADS);
}

describe('a broker inside a program', () => {
  it('leaves no descriptor, thread, handle or listener, however often one is started and stopped', async () => {
    const { before, after } = await scene<{ before: Held; after: Held }>('cycles');
    expectNothingLeft(before, after);
  });

  it('leaves no memory: once stopped, nothing in the process holds on to it', async () => {
    expect(await scene('memory')).toEqual({ kept: 0 });
  });

  it.skipIf(process.platform !== 'linux')('shares the open files of its process with the others there', async () => {
    // The hard limit, too: Node raises its own to that.
    const child = run('/bin/sh', ['-c', 'ulimit -n 1024; exec "$0" "$@"', process.execPath, host, 'crowd']);
    expect([await child.ended, child.stderr()]).toEqual([0, '']);
    expect(JSON.parse(child.stdout())).toEqual([
      ['first', 512],
      ['second', 512],
      ['first', 256],
      ['first', 512],
    ]);
  });

  it('is one of several, each with its own folder and port, which go with it', async () => {
    expect(await scene('several')).toEqual({ folders: 3, addresses: 3, refused: true, left: [] });
  });

  it('fails alone when one of its threads dies: event, closed and stop tell the reason, and everything of it is gone', async () => {
    const seen = await scene<Record<string, unknown> & { before: Held; after: Held }>('death');
    const reason = expect.stringMatching(/^shard sync-0 died: /);
    expect(seen).toMatchObject({ reason, rejected: reason, closed: reason, fatal: true, left: false });
    expectNothingLeft(seen.before, seen.after);
  });

  it('rejects the start when a thread dies meanwhile, and leaves nothing', async () => {
    const { reason, before, after } = await scene<{ reason: string; before: Held; after: Held }>('stillborn');
    expect(reason).toMatch(/^(?:started, Error: )?shard sync-0 died: /);
    expectNothingLeft(before, after);
  });

  it('that cannot start says why, leaves nothing, and leaves others alone', async () => {
    const seen = await scene<{ folderTaken: unknown; portTaken: unknown; before: Held; after: Held }>('refusal');
    expect(seen.folderTaken).toEqual(['DataFolderError', null, expect.stringMatching(/is in use by this process/)]);
    expect(seen.portTaken).toEqual(['Error', 'EADDRINUSE', expect.any(String)]);
    expectNothingLeft(seen.before, seen.after);
  });

  it('takes its temporary folder with it when the process ends without a stop', async () => {
    const { folder, there } = await scene<{ folder: string; there: boolean }>('exits');
    expect([there, existsSync(folder)]).toEqual([true, false]);
  });
});
