import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { ShardLink } from '../../../src/main/shard-link.ts';
import { FakeShard } from '../../support/fake-shard.ts';
import { until } from '../../support/wire-client.ts';

describe('a shard link', () => {
  it('keeps control messages in their place among the appends, also when the ring is full', () => {
    const slab = new SharedArrayBuffer(4096);
    const shard = new FakeShard(slab, { submissionSlots: 128, completionSlots: 512 });
    const { link } = shard;
    shard.checkBytes = false;
    shard.record = true;
    const order: (number | string)[] = [];
    let appended = 0;
    const fill = (): void => {
      while (link.hasRoom(1)) link.append(0, 100, 0, 0, appended++);
    };
    shard.controls.push = (message) => order.push(message.kind);
    shard.taken.push = (append) => order.push(append.handle);
    shard.memory.add(-1);
    fill();
    const first = appended;
    // Slots kept for control take the first ones; many more have to wait, and appends wait behind them.
    for (let n = 0; n < 100; n++) link.control({ kind: 'begin' });
    expect(link.hasRoom(1)).toBe(false);
    link.control({ kind: 'stop' });
    link.publish();
    for (let round = 0; round < 10; round++) {
      shard.step();
      link.serve();
    }
    // Completions were not drained, so appends in flight count on; control is not held up by that.
    expect(order.length).toBe(first + 101);
    expect(order.slice(0, first)).toEqual(Array.from({ length: first }, (_, n) => n));
    expect(order.slice(first)).toEqual([...new Array<string>(100).fill('begin'), 'stop']);
  });

  it('never lets appends in flight exceed what the completion ring takes', () => {
    const shard = new FakeShard(new SharedArrayBuffer(4096), { submissionSlots: 1024, completionSlots: 64 });
    const { link } = shard;
    shard.checkBytes = false;
    let appended = 0;
    while (link.hasRoom(1)) {
      link.append(0, 100, 0, 0, 0);
      appended++;
      link.publish();
      shard.step();
    }
    expect(appended).toBe(link.appendsMax);
    expect(appended * 2).toBeLessThanOrEqual(60);
    expect(link.hasRoom(1)).toBe(false);
    // Two steps of one append, then the one step of another.
    link.onSlot(true, false);
    expect(link.hasRoom(1)).toBe(false);
    link.onSlot(false, true);
    expect(link.hasRoom(1)).toBe(true);
    link.append(0, 100, 0, 0, 0);
    link.onSlot(true, true);
    expect(link.hasRoom(1)).toBe(true);
  });

  it('has room again for those who wait, in order, until one has to wait on', () => {
    const shard = new FakeShard(new SharedArrayBuffer(4096));
    const served: number[] = [];
    for (let n = 0; n < 5; n++) {
      shard.link.line.add({
        onRingRoom: () => {
          if (n === 3) return false;
          served.push(n);
          return true;
        },
      });
    }
    shard.link.serve();
    expect(served).toEqual([0, 1, 2]);
    expect(shard.link.line.size).toBe(2);
  });
});

describe('a shard worker', () => {
  let folder = '';
  let link: ShardLink | null = null;
  afterEach(async () => {
    await link?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Starts a worker with this source and returns what was said about its death. */
  function start(source: string, data: object = {}): { deaths: string[] } {
    folder = mkdtempSync(join(tmpdir(), 'ringlog-link-'));
    writeFileSync(join(folder, 'shard.mjs'), source);
    const deaths: string[] = [];
    link = ShardLink.start({
      index: 3,
      class: 'buffered',
      data,
      entry: pathToFileURL(join(folder, 'shard.mjs')),
      onDeath: (reason, dead) => {
        expect(dead).toBe(link);
        deaths.push(reason);
      },
    });
    return { deaths };
  }

  it('gets its data, and the rings and port of its link', async () => {
    const { deaths } = start(
      `import { workerData } from 'node:worker_threads';
       const { index, folder, submissions, completions, control } = workerData;
       throw new Error(JSON.stringify([index, folder, submissions.slots, submissions.slotWords, completions.slots, completions.slotWords, control.constructor.name]));`,
      { folder: 'here' },
    );
    await until(() => deaths.length > 0, 'died');
    expect(deaths[0]).toContain('[3,"here",8192,8,16384,16,"MessagePort"]');
  });

  it.each([
    ['throws', `throw new Error('planted')`, 'planted'],
    ['exits', `process.exit(7)`, 'exited with code 7'],
    ['ends by itself', `1`, 'exited with code 0'],
  ])('that %s is reported once', async (_what, source, reason) => {
    const { deaths } = start(source);
    await until(() => deaths.length > 0, 'died');
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(deaths.length).toBe(1);
    expect(deaths[0]).toContain(reason);
  });

  it('that was stopped is no death', async () => {
    const { deaths } = start(`setInterval(() => {}, 1000)`);
    await link?.stop();
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(deaths).toEqual([]);
  });
});
