/** Records that are deleted, by age, by size and on request: what clients see of it, what is left on the disk, and what a crash makes of it. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ErrorCode } from '../../src/protocol/errors.ts';
import { delay, eventually, startBroker, type BrokerProcess } from '../support/broker-process.ts';
import { batchOf, type KafkaClient } from '../support/kafka-client.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const MIB = 1 << 20;
const MODES = ['fsync', 'page-cache', 'memory'] as const;
const EARLIEST = -2;
const LATEST = -1;
const SETTINGS = {
  'log.retention.check.interval.ms': 200,
  'ringlog.checkpoint.interval.ms': 200,
  'ringlog.checkpoint.interval.bytes': 4 * MIB,
  'ringlog.pool.bytes.max': 64 * MIB,
};

const valueOf = (topic: string, n: number): string => `${topic} ${n} `.padEnd(100_000, '.');

/** Appends records up to number `to`, several in flight. */
async function fill(client: KafkaClient, topic: string, from: number, to: number, timestampMs = Date.now()): Promise<void> {
  for (let at = from; at < to; at += 10) {
    const numbers = Array.from({ length: Math.min(10, to - at) }, (_, n) => at + n);
    const answers = await Promise.all(numbers.map((n) => client.produce(topic, 0, batchOf([valueOf(topic, n)], timestampMs))));
    expect(answers.map(({ errorCode, baseOffset }) => [errorCode, baseOffset])).toEqual(numbers.map((n) => [0, n]));
  }
  // What is acknowledged from memory becomes readable a moment later.
  await eventually(async () => (await client.listOffset(topic, 0, LATEST)).offset === to, 'all of it can be read');
}

/** The log start, once everything from there to `to` has been read and found right, and the log start did not move meanwhile. */
async function readFrom(client: KafkaClient, topic: string, to: number): Promise<number> {
  for (;;) {
    const { offset } = await client.listOffset(topic, 0, EARLIEST);
    const read = await client.readAll(topic, 0, offset).catch((error: Error) => error);
    if ((await client.listOffset(topic, 0, EARLIEST)).offset !== offset) continue;
    if (read instanceof Error) throw read;
    expect(read.map((record) => record.offset)).toEqual(Array.from({ length: to - offset }, (_, n) => offset + n));
    for (const { offset: n, value } of read) expect(value === valueOf(topic, n)).toBe(true);
    return offset;
  }
}

const folderOf = (broker: BrokerProcess, topicId: string): string => join(broker.dataDir, 'topics', topicId, '0');
const segmentsIn = (folder: string): string[] => readdirSync(folder).filter((name) => name.endsWith('.log'));
/** A file that leaves while it is looked at takes nothing. */
const bytesIn = (folder: string): number =>
  existsSync(folder)
    ? readdirSync(folder).reduce((sum, name) => sum + (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0), 0)
    : 0;

describe.each(MODES)('a %s topic', (mode) => {
  it('keeps about retention.bytes, on the disk too, and what left is out of range', { timeout: 120_000 }, async () => {
    const dataDir = join(temporaryFolder(), 'data');
    const broker = await startBroker({ dataDir, settings: { ...SETTINGS, 'ringlog.pool.bytes.max': 0 } });
    const client = await broker.connect();
    const configs = { 'ringlog.durability': mode, 'segment.bytes': String(MIB), 'retention.bytes': String(3 * MIB) };
    const id = await client.createTopic('t', 1, configs);
    await fill(client, 't', 0, 120);
    const start = await readFrom(client, 't', 120);
    expect(start).toBeGreaterThanOrEqual(70);
    expect(start).toBeLessThanOrEqual(90);
    for (const offset of [0, start - 1]) expect((await client.fetch('t', 0, offset)).errorCode).toBe(ErrorCode.OFFSET_OUT_OF_RANGE);
    await eventually(() => bytesIn(folderOf(broker, id)) < 6 * MIB, 'the files leave the disk');
    expect((await broker.stop()).code).toBe(0);
  });

  it('loses what is older than retention.ms, the whole log in the end, and goes on behind it', { timeout: 120_000 }, async () => {
    const dataDir = join(temporaryFolder(), 'data');
    const broker = await startBroker({ dataDir, settings: SETTINGS });
    const client = await broker.connect();
    const configs = { 'ringlog.durability': mode, 'segment.bytes': String(MIB), 'retention.ms': '3600000' };
    const id = await client.createTopic('t', 1, configs);
    await fill(client, 't', 0, 30, Date.now() - 7_200_000);
    await fill(client, 't', 30, 50);
    // Whole segments: what is younger than an hour keeps what lies with it.
    await eventually(async () => (await client.listOffset('t', 0, EARLIEST)).offset > 0, 'old records leave');
    expect(await readFrom(client, 't', 50)).toBeLessThanOrEqual(30);
    expect(await client.alterTopic('t', { 'retention.ms': '1' })).toBe(0);
    await eventually(async () => (await client.listOffset('t', 0, EARLIEST)).offset === 50, 'all records leave');
    expect(await client.alterTopic('t', { 'retention.ms': '3600000' })).toBe(0);
    await eventually(() => segmentsIn(folderOf(broker, id)).length === 0, 'all files leave');
    await fill(client, 't', 50, 60);
    expect(await readFrom(client, 't', 60)).toBe(50);
    expect((await broker.stop()).code).toBe(0);
    const next = await startBroker({ dataDir, settings: SETTINGS });
    expect(await readFrom(await next.connect(), 't', 60)).toBe(50);
  });

  it('has deleted records for good once that is answered, whatever kills the broker then', { timeout: 120_000 }, async () => {
    const dataDir = join(temporaryFolder(), 'data');
    let broker = await startBroker({ dataDir, settings: SETTINGS });
    let client = await broker.connect();
    const id = await client.createTopic('t', 1, { 'ringlog.durability': mode, 'segment.bytes': String(MIB) });
    await fill(client, 't', 0, 50);
    for (const [asked, start] of [
      [7, 7],
      [25, 25],
      [3, 25],
    ] as const) {
      expect(await client.deleteRecords('t', 0, asked)).toEqual({ errorCode: 0, logStartOffset: start });
      expect(await readFrom(client, 't', 50)).toBe(start);
    }
    expect(await client.deleteRecords('t', 0, 51)).toEqual({ errorCode: ErrorCode.OFFSET_OUT_OF_RANGE, logStartOffset: -1 });
    await broker.kill();
    broker = await startBroker({ dataDir, settings: SETTINGS });
    client = await broker.connect();
    // A `memory` topic may have lost its end, but not the word that was given.
    const end = (await client.listOffset('t', 0, -1)).offset;
    if (mode !== 'memory') expect(end).toBe(50);
    expect(await readFrom(client, 't', end)).toBe(25);
    await eventually(
      () => segmentsIn(folderOf(broker, id)).every((name) => Number(name.slice(0, 20)) >= 20),
      'what the kill left is removed',
    );
    expect(await client.deleteRecords('t', 0, -1)).toEqual({ errorCode: 0, logStartOffset: end });
    expect((await client.fetch('t', 0, end)).errorCode).toBe(0);
    await broker.kill();
    broker = await startBroker({ dataDir, settings: SETTINGS });
    client = await broker.connect();
    expect(await client.listOffset('t', 0, EARLIEST)).toEqual({ errorCode: 0, offset: end });
    await fill(client, 't', end, end + 5);
    expect(await readFrom(client, 't', end + 5)).toBe(end);
  });

  it('writes on in the files of what it lost', { timeout: 120_000 }, async () => {
    const dataDir = join(temporaryFolder(), 'data');
    const broker = await startBroker({ dataDir, settings: SETTINGS });
    const client = await broker.connect();
    const configs = { 'ringlog.durability': mode, 'segment.bytes': String(2 * MIB), 'retention.bytes': String(4 * MIB) };
    const id = await client.createTopic('t', 1, configs);
    // A file by its number and its birth: the numbers of removed ones are given out again.
    const namesOf = new Map<string, Set<string>>();
    const look = (): void => {
      for (const name of segmentsIn(folderOf(broker, id))) {
        const file = join(folderOf(broker, id), name);
        if (!existsSync(file)) continue;
        const { ino, birthtimeMs } = statSync(file);
        const key = `${ino} ${birthtimeMs}`;
        namesOf.set(key, (namesOf.get(key) ?? new Set()).add(name));
      }
    };
    const recycled = (): number => [...namesOf.values()].filter((names) => names.size > 1).length;
    let end = 0;
    for (; recycled() < 4 && end < 5000; end += 20) {
      await fill(client, 't', end, end + 20);
      look();
      // Time for a checkpoint, so that what left can come back.
      await delay(50);
    }
    expect(recycled()).toBeGreaterThanOrEqual(4);
    await readFrom(client, 't', end);
    expect((await broker.stop()).code).toBe(0);
    const next = await startBroker({ dataDir, settings: SETTINGS });
    await readFrom(await next.connect(), 't', end);
  });
});

it('segment.ms ends segments, so that retention.ms can take old records of a topic that is never full', { timeout: 60_000 }, async () => {
  const dataDir = join(temporaryFolder(), 'data');
  const broker = await startBroker({ dataDir, settings: SETTINGS });
  const client = await broker.connect();
  await client.createTopic('t', 1, { 'segment.ms': '1000', 'retention.ms': '3600000' });
  const nowMs = Date.now();
  for (let n = 0; n < 6; n++) await client.produce('t', 0, batchOf([valueOf('t', n)], n < 4 ? nowMs - 7_200_000 + n * 2000 : nowMs));
  await eventually(async () => (await client.listOffset('t', 0, EARLIEST)).offset === 4, 'the old ones leave');
  expect(await readFrom(client, 't', 6)).toBe(4);
});
