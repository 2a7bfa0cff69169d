/** Starts that come to no end: the next one has everything, however far the one before had come. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { delay, spawnBroker, startBroker, type BrokerProcess } from '../support/broker-process.ts';
import { batchOf } from '../support/kafka-client.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const PARTITIONS = 20;
const MODES = ['fsync', 'page-cache'];

/** A folder with two topics, a record in each partition; the broker that wrote it stopped cleanly or was killed. */
async function folderWithData(isClean: boolean): Promise<string> {
  const dataDir = join(temporaryFolder(), 'data');
  const broker = await startBroker({ dataDir });
  const client = await broker.connect();
  for (const mode of MODES) {
    await client.createTopic(mode, PARTITIONS, { 'ringlog.durability': mode });
    for (let partition = 0; partition < PARTITIONS; partition++)
      expect((await client.produce(mode, partition, batchOf([`${mode} ${partition}`]))).errorCode).toBe(0);
  }
  await (isClean ? broker.stop() : broker.kill());
  return dataDir;
}

async function expectAll(dataDir: string): Promise<void> {
  const broker = await startBroker({ dataDir });
  const client = await broker.connect();
  for (const mode of MODES)
    for (let partition = 0; partition < PARTITIONS; partition++)
      expect(await client.readAll(mode, partition)).toMatchObject([{ offset: 0, value: `${mode} ${partition}` }]);
  expect(broker.log.filter(({ level }) => level === 'error')).toEqual([]);
  expect((await broker.stop()).code).toBe(0);
}

/** Waits until a broker is up, or has ended; stops it in the first case, and says which it was. */
async function isUp(broker: BrokerProcess): Promise<boolean> {
  while (!broker.isOver && !broker.stdout.includes('is up')) await delay(5);
  if (broker.isOver) return false;
  await broker.stop();
  return true;
}

describe.each([
  ['a clean stop', true],
  ['kill -9', false],
])('after %s', (_what, isClean) => {
  it('starts that had too few descriptors, some for nearly nothing and some for nearly all, have cost nothing', async () => {
    const dataDir = await folderWithData(isClean);
    const outcomes: boolean[] = [];
    for (let descriptors = 24; outcomes.filter(Boolean).length < 2; descriptors += 6) {
      expect(descriptors).toBeLessThan(400);
      const broker = spawnBroker({ dataDir, wrapper: ['sh', '-c', 'ulimit -n "$0"; exec "$@"', String(descriptors)] });
      outcomes.push(await isUp(broker));
    }
    expect(outcomes).toContain(false);
    await expectAll(dataDir);
  });

  it('starts that were stopped or killed at any moment have cost nothing', async () => {
    const dataDir = await folderWithData(isClean);
    for (let waitMs = 0; waitMs <= 240; waitMs += 30) {
      const broker = spawnBroker({ dataDir });
      await delay(waitMs);
      broker.child.kill((waitMs / 30) % 2 === 0 ? 'SIGTERM' : 'SIGKILL');
      await broker.whenEnded();
    }
    await expectAll(dataDir);
  });

  it('a start that found its port taken has cost nothing', async () => {
    const dataDir = await folderWithData(isClean);
    const other = await startBroker({ dataDir: join(temporaryFolder(), 'data') });
    for (let again = 0; again < 2; again++) {
      const refused = spawnBroker({ dataDir, flags: ['--port', String(other.port)] });
      expect((await refused.whenEnded()).code).toBe(1);
      expect(refused.stderr).toContain('is in use by another process');
    }
    await expectAll(dataDir);
  });
});
