/** A thread that dies takes the broker down loudly, never half; and what it had acknowledged is there at the next start. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import type * as batchOpener from '../../src/main/batch-opener.ts';
import type * as keeperPool from '../../src/main/keeper-pool.ts';
import { startBroker } from '../support/broker-process.ts';
import { batchOf } from '../support/kafka-client.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const script = join(import.meta.dirname, '../support/killable-broker.mjs');

describe('the death of a thread', () => {
  it.each([
    ['a sync shard', 'sync', 'fsync'],
    ['a buffered shard', 'buffered', 'page-cache'],
  ])('(%s) ends the broker with a reason and loses nothing acknowledged', async (_what, worker, durability) => {
    const dataDir = join(temporaryFolder(), 'data');
    const broker = await startBroker({ dataDir, script });
    const client = await broker.connect();
    await client.createTopic('t', 1, { 'ringlog.durability': durability });
    await client.createTopic('fsync', 1);
    const acknowledged: string[] = [];
    const sent: Promise<void>[] = [];
    for (let n = 0; n < 300; n++) {
      const value = `value ${n}`;
      const answered = client.produce('t', 0, batchOf([value])).then(
        ({ errorCode }) => void (errorCode === 0 && acknowledged.push(value)),
        () => undefined,
      );
      sent.push(answered);
      if (n === 150) {
        await answered;
        broker.child.stdin?.write(`${worker}\n`);
      }
    }
    expect(await broker.whenEnded()).toEqual({ code: 1, signal: null });
    await Promise.all(sent);
    expect(broker.stderr).toMatch(/^ringlog failed: .*shard .*died/m);
    expect(broker.log.some(({ level }) => level === 'fatal')).toBe(true);
    expect(acknowledged.length).toBeGreaterThanOrEqual(151);
    const next = await startBroker({ dataDir });
    const values = (await (await next.connect()).readAll('t', 0)).map(({ value }) => value);
    expect(values.slice(0, acknowledged.length)).toEqual(acknowledged);
    expect((await next.stop()).code).toBe(0);
  });
});

describe('a thread of a pool that cannot be started', () => {
  const entry = pathToFileURL(join(import.meta.dirname, '../support/broken-thread.mjs'));
  const dist = (file: string): string => pathToFileURL(join(import.meta.dirname, '../../build/main', file)).href;
  const reason = /cannot be loaded/;

  it('ends the jobs that waited for it', async () => {
    const { KeeperPool, startPiscina } = (await import(dist('keeper-pool.js'))) as typeof keeperPool;
    const pool = new KeeperPool(
      (onLost) => startPiscina({ crashPoint: null }, onLost, entry),
      () => undefined,
    );
    await expect(pool.submit({ kind: 'removeFiles', paths: [] })).rejects.toThrow(reason);
    await pool.close();
  });

  it('is told of, and the batch that waited for it counts as not opened', async () => {
    const { BatchOpener, startBatchPiscina } = (await import(dist('batch-opener.js'))) as typeof batchOpener;
    const told: unknown[] = [];
    const opener = new BatchOpener(
      (onLost) => startBatchPiscina(onLost, entry),
      (error) => void told.push(error),
    );
    for (const times of [1, 2]) {
      const job = { kind: 'find', batch: new Uint8Array(1), timestamp: 0, fromOffset: 0 } as const;
      expect(await opener.open(job)).toEqual({ kind: 'failed' });
      expect(told.map(String).filter((text) => reason.test(text))).toHaveLength(times);
    }
    await opener.close();
  });
});
