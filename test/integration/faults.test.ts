/** A real broker on a disk that is full, fails or is slow. Needs root (a small tmpfs) and strace; says loudly what it could not run. */
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, type TestContext } from 'vitest';
import { ErrorCode } from '../../src/protocol/errors.ts';
import { eventually, startBroker, startRefused } from '../support/broker-process.ts';
import { batchOf, ConnectionLost, type KafkaClient } from '../support/kafka-client.ts';
import { fillDisk, mountSmall, strace, tracerOf } from '../support/system-tools.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const MIB = 1 << 20;
const MODES = ['fsync', 'page-cache', 'memory'] as const;

describe('a full disk', () => {
  const SETTINGS = {
    'ringlog.journal.bytes': 16 * MIB,
    'ringlog.journal.file.bytes': 8 * MIB,
    'ringlog.checkpoint.interval.bytes': 2 * MIB,
    'ringlog.checkpoint.interval.ms': 200,
  };

  /** A broker on a disk of 64 MiB, and the name of a file there that may fill it. */
  async function startOnSmallDisk(context: TestContext) {
    const mount = join(temporaryFolder(), 'small');
    mkdirSync(mount);
    mountSmall(context, mount, 64 * MIB);
    const dataDir = join(mount, 'data');
    const first = await startBroker({ dataDir, settings: SETTINGS });
    return { dataDir, filler: join(mount, 'filler'), first, client: await first.connect() };
  }

  /** Produces until the broker refuses with the storage error; keeps what was acknowledged. */
  async function fill(client: KafkaClient, topic: string, acknowledged: string[]): Promise<void> {
    for (;;) {
      const value = `${topic} ${acknowledged.length}`.padEnd(60_000, '.');
      const answer = await client.produce(topic, 0, batchOf([value]));
      if (answer.errorCode === ErrorCode.KAFKA_STORAGE_ERROR) return;
      expect(answer).toMatchObject({ errorCode: 0, baseOffset: acknowledged.length });
      acknowledged.push(value);
    }
  }

  const readBack = async (client: KafkaClient, topic: string): Promise<string[]> =>
    (await client.readAll(topic, 0)).map(({ value }) => value);

  async function resumed(client: KafkaClient, topic: string, acknowledged: string[]): Promise<void> {
    await eventually(async () => {
      const value = `${topic} ${acknowledged.length}`;
      const answer = await client.produce(topic, 0, batchOf([value]));
      if (answer.errorCode !== 0) return false;
      expect(answer.baseOffset).toBe(acknowledged.length);
      acknowledged.push(value);
      return true;
    }, `appends to ${topic} resume by themselves`);
  }

  it('refuses appends with the storage error, serves reads, and takes appends again once there is room', async (context) => {
    const { dataDir, filler, first, client } = await startOnSmallDisk(context);
    const acknowledged: Record<string, string[]> = { fsync: [], 'page-cache': [] };
    for (const mode of MODES) await client.createTopic(mode, 1, { 'ringlog.durability': mode });
    await client.createTopic('spare', 1, { 'ringlog.durability': 'page-cache' });
    for (let n = 0; n < 60; n++) expect((await client.produce('spare', 0, batchOf([Buffer.alloc(100_000)]))).errorCode).toBe(0);
    fillDisk(filler, 2 * MIB);
    for (const topic of ['fsync', 'page-cache']) {
      await fill(client, topic, acknowledged[topic] as string[]);
      expect(await readBack(client, topic)).toEqual(acknowledged[topic]);
    }
    const refusing = 'the disk takes no records: producers are refused and try again, and go on by themselves once it does';
    for (const shard of ['sync-0', 'buffered-0'])
      await first.logged(({ msg, ...fields }) => msg === refusing && fields['shard'] === shard && /ENOSPC/.test(String(fields['reason'])));
    // A `memory` batch may be answered before the disk refuses it: then the partition stops, and says so from the next one on.
    await eventually(
      async () => (await client.produce('memory', 0, batchOf([Buffer.alloc(100_000)]))).errorCode === ErrorCode.KAFKA_STORAGE_ERROR,
      'the memory topic is refused too',
    );

    fillDisk(filler);
    // Room by deleting a topic, with not a byte free …
    expect(await client.deleteTopic('spare')).toBe(0);
    for (const topic of ['fsync', 'page-cache']) await resumed(client, topic, acknowledged[topic] as string[]);
    // … and, full again, by whoever else had it.
    fillDisk(filler, MIB);
    for (const topic of ['fsync', 'page-cache']) await fill(client, topic, acknowledged[topic] as string[]);
    rmSync(filler);
    for (const topic of ['fsync', 'page-cache']) await resumed(client, topic, acknowledged[topic] as string[]);
    for (const topic of ['fsync', 'page-cache']) expect(await readBack(client, topic)).toEqual(acknowledged[topic]);
    // Not of each refusal.
    expect(first.log.filter(({ msg }) => msg === refusing).length).toBeLessThan(6);
    expect((await first.stop()).code).toBe(0);
    const second = await startBroker({ dataDir, settings: SETTINGS });
    const reader = await second.connect();
    for (const topic of ['fsync', 'page-cache']) expect(await readBack(reader, topic)).toEqual(acknowledged[topic]);
    expect(await second.stop()).toEqual({ code: 0, signal: null });
  });

  it('keeps a broker neither from stopping cleanly nor from starting, nor from recovering', async (context) => {
    const { dataDir, filler, first, client } = await startOnSmallDisk(context);
    const acknowledged: string[] = [];
    await client.createTopic('t');
    await eventually(async () => {
      await client.produce('t', 0, batchOf(['warm'])).then(({ baseOffset }) => void acknowledged.push(`warm ${baseOffset}`));
      return first.isOver || acknowledged.length > 20;
    }, 'a checkpoint with its reserve');
    fillDisk(filler);
    const full: string[] = [];
    for (let n = 0; n < 50; n++) {
      const answer = await client.produce('t', 0, batchOf([`full ${n}`.padEnd(50_000, '.')]));
      if (answer.errorCode === 0) full.push(`full ${n}`);
      else expect(answer.errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR);
    }
    const expected = [...acknowledged.map(() => 'warm'), ...full];
    const read = async (reader: KafkaClient): Promise<string[]> =>
      (await reader.readAll('t', 0)).map(({ value }) => value.replaceAll('.', ''));
    expect((await first.stop()).code).toBe(0);
    const second = await startBroker({ dataDir, settings: SETTINGS });
    const reader = await second.connect();
    expect(await read(reader)).toEqual(expected);
    await second.kill();
    const third = await startBroker({ dataDir, settings: SETTINGS });
    const last = await third.connect();
    expect(await read(last)).toEqual(expected);
    rmSync(filler);
    await eventually(async () => (await last.produce('t', 0, batchOf(['room']))).errorCode === 0, 'appends resume');
    expect((await read(last)).slice(0, -1)).toEqual(expected);
    expect((await third.stop()).code).toBe(0);
  });
});

describe('a full disk and a class of shards that begins', () => {
  const SETTINGS = {
    'ringlog.journal.bytes': 16 * MIB,
    'ringlog.journal.file.bytes': 8 * MIB,
    'ringlog.checkpoint.interval.bytes': 8 * MIB,
  };

  it('refuses the first page-cache topic until there is room, and goes on with all others', { timeout: 120_000 }, async (context) => {
    const mount = join(temporaryFolder(), 'small');
    mkdirSync(mount);
    mountSmall(context, mount, 64 * MIB);
    const dataDir = join(mount, 'data');
    const filler = join(mount, 'filler');
    const broker = await startBroker({ dataDir, settings: SETTINGS });
    const client = await broker.connect();
    await client.createTopic('forced');
    expect((await client.produce('forced', 0, batchOf(['before']))).errorCode).toBe(0);
    // A journal file that finds no room while it is made would give back what it has taken.
    const journalSizes = (): number[] =>
      readdirSync(join(dataDir, 'generations'), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.jrn'))
        .map((name) => statSync(join(dataDir, 'generations', name)).size);
    await eventually(() => journalSizes().filter((bytes) => bytes === 8 * MIB).length === 2, 'the journal has both of its files');
    // Room for the metadata, none for a journal, and no reserve yet.
    fillDisk(filler, MIB);
    await client.createTopic('cached', 1, { 'ringlog.durability': 'page-cache' });
    const refused = await client.produce('cached', 0, batchOf(['no']));
    expect(refused.errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR);
    expect(await client.produce('forced', 0, batchOf(['meanwhile']))).toMatchObject({ errorCode: 0, baseOffset: 1 });
    rmSync(filler);
    await eventually(async () => (await client.produce('cached', 0, batchOf(['yes']))).errorCode === 0, 'the topic comes online by itself');
    expect((await client.readAll('cached', 0)).map(({ value }) => value)).toEqual(['yes']);
    expect((await broker.stop()).code).toBe(0);
  });

  it('starts again with partitions of both classes, and serves what they hold', { timeout: 120_000 }, async (context) => {
    const mount = join(temporaryFolder(), 'small');
    mkdirSync(mount);
    mountSmall(context, mount, 64 * MIB);
    const dataDir = join(mount, 'data');
    const filler = join(mount, 'filler');
    const first = await startBroker({ dataDir, settings: SETTINGS });
    const client = await first.connect();
    await client.createTopic('forced');
    await client.createTopic('cached', 1, { 'ringlog.durability': 'page-cache' });
    for (const topic of ['forced', 'cached']) expect((await client.produce(topic, 0, batchOf([topic]))).errorCode).toBe(0);
    // Every shard keeps its journal; the little that is left is for the checkpoints of the new generation.
    fillDisk(filler, 128 * 1024);
    await first.kill();
    const second = await startBroker({ dataDir, settings: SETTINGS });
    const reader = await second.connect();
    for (const topic of ['forced', 'cached']) expect((await reader.readAll(topic, 0)).map(({ value }) => value)).toEqual([topic]);
    rmSync(filler);
    for (const topic of ['forced', 'cached'])
      await eventually(async () => (await reader.produce(topic, 0, batchOf(['more']))).errorCode === 0, `${topic} takes appends`);
    expect(await second.stop()).toEqual({ code: 0, signal: null });
  });
});

describe('a disk without room for a journal', () => {
  it('keeps a broker from starting, with the reason and an exit code that says so', async (context) => {
    const mount = join(temporaryFolder(), 'small');
    mkdirSync(mount);
    mountSmall(context, mount, 3 * MIB);
    const { ended, stdout, stderr } = await startRefused({ dataDir: join(mount, 'data') });
    expect([ended.code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/shard sync-0 died: .*ENOSPC/);
  });
});

describe('a failing fdatasync', () => {
  // strace counts for each thread by itself: the shard's first ones succeed, all later ones fail.
  const SUCCEED = 30;

  it('is fail-stop for its shard: nothing more is acknowledged, nothing that may be lost is served, and the next start recovers', async (context) => {
    const dataDir = join(temporaryFolder(), 'data');
    const broker = await startBroker({ dataDir, wrapper: strace(context, `error=EIO:when=${SUCCEED}+`) });
    const client = await broker.connect();
    await client.createTopic('t');
    await client.createTopic('u');
    await client.createTopic('cached', 1, { 'ringlog.durability': 'page-cache' });
    const acknowledged: string[] = [];
    let refusal = 0;
    for (let n = 0; n < 2 * SUCCEED && refusal === 0; n++) {
      const answer = await client.produce('t', 0, batchOf([`${n}`]));
      refusal = answer.errorCode;
      if (refusal === 0) acknowledged.push(`${n}`);
    }
    expect(refusal).toBe(ErrorCode.KAFKA_STORAGE_ERROR);
    expect(acknowledged.length).toBeGreaterThan(5);
    // Never again, neither this partition nor another of the shard.
    for (let n = 0; n < 5; n++) {
      expect((await client.produce('t', 0, batchOf(['no']))).errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR);
      expect((await client.produce('u', 0, batchOf(['no']))).errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR);
    }
    // What is below the watermark is served, what may be lost is not, although it reads back.
    expect((await client.fetch('t', 0, 0)).highWatermark).toBe(acknowledged.length);
    expect((await client.readAll('t', 0)).map(({ value }) => value)).toEqual(acknowledged);
    expect((await client.listOffset('t', 0, -1)).offset).toBe(acknowledged.length);
    // The other class of shard does not wait for syncs, nor for this one.
    expect(await client.produce('cached', 0, batchOf(['yes']))).toMatchObject({ errorCode: 0, baseOffset: 0 });
    expect(await client.alterTopic('t', { 'ringlog.durability': 'memory' })).not.toBe(0);
    await broker.logged(({ msg }) => msg.startsWith('a disk sync failed'));

    client.socket.destroy();
    const ended = await broker.stop();
    expect(ended.code).toBe(0);
    const { reasons } = await broker.logged(({ msg }) => msg.startsWith('the shards did not stop cleanly'));
    expect(reasons).toEqual([expect.stringMatching(/^sync-0: .*fdatasync/)]);
    const next = await startBroker({ dataDir });
    expect(next.log.some(({ msg }) => msg === 'recovered after an unclean stop')).toBe(true);
    const reader = await next.connect();
    const values = (await reader.readAll('t', 0)).map(({ value }) => value);
    expect(values.slice(0, acknowledged.length)).toEqual(acknowledged);
    // At most the one batch whose sync failed; nothing of what was refused behind it.
    expect(values.slice(acknowledged.length).filter((value) => value === 'no')).toEqual([]);
    expect(values.length).toBeLessThanOrEqual(acknowledged.length + 1);
    expect((await reader.readAll('cached', 0)).map(({ value }) => value)).toEqual(['yes']);
    expect((await reader.readAll('u', 0)).length).toBe(0);
    expect((await reader.produce('t', 0, batchOf(['again']))).baseOffset).toBe(values.length);
    expect((await next.stop()).code).toBe(0);
  });

  it('after kill -9 leaves the same', async (context) => {
    const dataDir = join(temporaryFolder(), 'data');
    const broker = await startBroker({ dataDir, wrapper: strace(context, `error=EIO:when=${SUCCEED}+`) });
    const client = await broker.connect();
    await client.createTopic('t');
    const acknowledged: string[] = [];
    for (;;) {
      const value = `${acknowledged.length}`.padEnd(300_000, '.');
      if ((await client.produce('t', 0, batchOf([value]))).errorCode !== 0) break;
      acknowledged.push(value);
    }
    await broker.kill();
    const next = await startBroker({ dataDir });
    const reader = await next.connect();
    const values = (await reader.readAll('t', 0)).map(({ value }) => value);
    expect(values.slice(0, acknowledged.length)).toEqual(acknowledged);
    expect(values.length).toBeLessThanOrEqual(acknowledged.length + 1);
    expect((await next.stop()).code).toBe(0);
  });
});

describe('a start after kill -9 of a broker with many partitions', () => {
  const PARTITIONS = 200;

  it('is refused when a sync fails in any of its threads, and serves everything when none does', async (context) => {
    const dataDir = join(temporaryFolder(), 'data');
    const settings = { 'ringlog.checkpoint.interval.ms': 3_600_000 };
    const first = await startBroker({ dataDir, settings });
    const client = await first.connect();
    await client.createTopic('wide', PARTITIONS);
    for (let n = 0; n < PARTITIONS; n++) expect((await client.produce('wide', n, batchOf([`${n}`]))).errorCode).toBe(0);
    await first.kill();

    // The first sync of each thread succeeds.
    const refused = await startRefused({ dataDir, wrapper: strace(context, 'error=EIO:when=2+') });
    expect(refused.ended.code).toBe(1);
    expect(refused.stderr).toMatch(/fdatasync one of \d+ files from \S+\.log to \S+\.log: EIO/);

    const next = await startBroker({ dataDir });
    expect(next.log.some(({ msg }) => msg === 'recovered after an unclean stop')).toBe(true);
    const reader = await next.connect();
    for (let n = 0; n < PARTITIONS; n++) expect((await reader.readAll('wide', n)).map(({ value }) => value)).toEqual([`${n}`]);
    expect((await next.stop()).code).toBe(0);
  });
});

describe('a slow fdatasync', () => {
  const QUICK = 30;

  it('does not hold up topics of a weaker mode', async (context) => {
    const dataDir = join(temporaryFolder(), 'data');
    // For each thread the first ones are quick, so that the start is; a later one does not come back while this test runs.
    const broker = await startBroker({ dataDir, wrapper: strace(context, `delay_exit=${600 * 1e6}:when=${QUICK + 1}+`) });
    const endTracer = tracerOf(context, broker.child.pid as number);
    const client = await broker.connect();
    await client.createTopic('slow');
    for (const mode of ['page-cache', 'memory']) await client.createTopic(mode, 1, { 'ringlog.durability': mode });
    const other = await broker.connect();
    let acknowledged = 0;
    const slow = (async () => {
      for (;;) {
        expect((await other.produce('slow', 0, batchOf(['x']))).errorCode).toBe(0);
        acknowledged++;
      }
    })().catch((error: unknown) => error);
    // Until there were thirty in a row without a sync that came back: the shard hangs in one, and had they waited for it, they would, too.
    for (let [n, inARow] = [0, 0]; inARow < 30; n++) {
      const before = acknowledged;
      for (const mode of ['page-cache', 'memory']) {
        expect(await client.produce(mode, 0, batchOf([`${n}`]))).toMatchObject({ errorCode: 0, baseOffset: n });
        await eventually(async () => (await client.readAll(mode, 0, n)).length === 1, `${mode} ${n} is readable`);
      }
      inARow = acknowledged === before ? inARow + 1 : 0;
    }
    expect(acknowledged).toBeGreaterThan(0);
    expect(acknowledged).toBeLessThanOrEqual(QUICK);
    endTracer();
    await broker.kill();
    expect(await slow).toBeInstanceOf(ConnectionLost);
  });
});
