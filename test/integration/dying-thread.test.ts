/** A thread that dies takes the broker down loudly, never half; and what it had acknowledged is there at the next start. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
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
