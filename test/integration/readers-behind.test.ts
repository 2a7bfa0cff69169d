/**
 * Readers that are behind while records and topics are deleted under them and their files get new owners. Every record's content follows from its topic's id and
 * its offset, so a foreign byte, a zero, or an offset that is given twice shows at once.
 */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Prng } from '../../src/lib/prng.ts';
import { ErrorCode } from '../../src/protocol/errors.ts';
import { delay, startBroker, type BrokerProcess } from '../support/broker-process.ts';
import { batchesOf, batchOf, recordsOf, VERSIONS, type FetchAnswer, type KafkaClient, type SeenRecord } from '../support/kafka-client.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const MIB = 1 << 20;
const RECORDS = Number(process.env['READERS_RECORDS'] ?? 2500);
const IN_FLIGHT = 8;
const MODES = ['fsync', 'page-cache', 'memory'] as const;
const SETTINGS = {
  'log.retention.check.interval.ms': 50,
  'ringlog.checkpoint.interval.ms': 100,
  'ringlog.checkpoint.interval.bytes': 4 * MIB,
  'ringlog.pool.bytes.max': 24 * MIB,
  // So that what was checked before is not trusted because of that.
  'ringlog.fetch.verify': 'never',
};

/** One topic id: what was acknowledged, and what is known to be deleted. */
class Log {
  readonly name: string;
  readonly id: string;
  /** One past the last acknowledged offset. */
  end = 0;
  isDeleted = false;

  constructor(name: string, id: string) {
    this.name = name;
    this.id = id;
  }

  valueOf(offset: number): string {
    const mixed = Math.imul(offset + 1, 0x9e3779b9) >>> 0;
    return `${this.id} ${offset} `.padEnd(60 + (mixed % 30_000), String.fromCharCode(97 + (mixed % 26)));
  }
}

/** The whole scene. */
class Scene {
  readonly prng = new Prng(Number(process.env['READERS_SEED'] ?? 1));
  isOver = false;
  /** Records read and found right; fetches whose offset had left meanwhile. */
  right = 0;
  overtaken = 0;
  /** The same, read by name over the lives of a topic. */
  rightByName = 0;
  reconfigured = 0;
  readonly broker: BrokerProcess;

  constructor(broker: BrokerProcess) {
    this.broker = broker;
  }

  async create(client: KafkaClient, name: string, mode: string): Promise<Log> {
    const configs = { 'ringlog.durability': mode, 'segment.bytes': String(2 * MIB), 'retention.bytes': String(4 * MIB) };
    return new Log(name, await client.createTopic(name, 1, configs));
  }

  /** Whether everything that readers are to be held against has happened a few times. */
  get sawEnough(): boolean {
    return this.overtaken > 3 && this.rightByName > 100 && this.reconfigured > 3;
  }

  /** The only producer of its log, so it knows which offset each record gets. */
  async write(client: KafkaClient, log: Log, records: number): Promise<void> {
    for (const to = log.end + records; log.end < to;) {
      const offsets = Array.from({ length: Math.min(IN_FLIGHT, to - log.end) }, (_, n) => log.end + n);
      const answers = await Promise.all(
        offsets.map((offset) => client.produce(log.name, 0, batchOf([log.valueOf(offset)], 1_700_000_000_000 + offset))),
      );
      expect(answers.map(({ errorCode, baseOffset }) => [errorCode, baseOffset])).toEqual(offsets.map((offset) => [0, offset]));
      log.end += offsets.length;
    }
  }

  fetch(client: KafkaClient, log: Log, offset: number, maxBytes: number): Promise<FetchAnswer> {
    return client.fetch(log.id, 0, offset, { partitionMaxBytes: maxBytes, maxBytes }, VERSIONS.fetchById);
  }

  /** Judges an answer; returns the offset to go on from, or −1 when the topic is gone. */
  async judge(client: KafkaClient, log: Log, offset: number, answer: FetchAnswer): Promise<number> {
    if (answer.errorCode === ErrorCode.UNKNOWN_TOPIC_ID) {
      expect(log.isDeleted).toBe(true);
      return -1;
    }
    if (answer.errorCode === ErrorCode.OFFSET_OUT_OF_RANGE) {
      const earliest = await client.listOffset(log.name, 0, -2);
      if (log.isDeleted) return -1;
      expect(earliest.errorCode).toBe(0);
      expect(earliest.offset).toBeGreaterThan(offset);
      this.overtaken++;
      return earliest.offset;
    }
    expect(answer.errorCode).toBe(0);
    let next = offset;
    for (const { offset: found, value } of batchesOf(answer.records).flatMap(recordsOf)) {
      if (found !== next) throw new Error(`${log.name}: offset ${found} stands where ${next} should`);
      if (value !== log.valueOf(found)) throw new Error(`${log.name}: offset ${found} holds ${JSON.stringify(value.slice(0, 60))}`);
      next = found + 1;
      this.right++;
    }
    return next;
  }

  /** Reads on from where it is, with pauses in which it is overtaken. */
  async follow(log: Log, pauseMs: number): Promise<void> {
    const client = await this.broker.connect();
    for (let offset = 0; !this.isOver && offset >= 0;) {
      offset = await this.judge(client, log, offset, await this.fetch(client, log, offset, 300_000));
      await delay(this.prng.below(pauseMs));
    }
    client.close();
  }

  /** Reads anywhere. */
  async jump(log: Log): Promise<void> {
    const client = await this.broker.connect();
    for (let next = 0; !this.isOver && next >= 0;) {
      const offset = this.prng.below(log.end + 1);
      next = await this.judge(client, log, offset, await this.fetch(client, log, offset, 100_000));
      if (next < 0 || this.prng.chance(0.8)) continue;
      const byTime = await client.listOffset(log.name, 0, 1_700_000_000_000 + this.prng.below(log.end + 1));
      if (!log.isDeleted) expect(byTime.errorCode).toBe(0);
    }
    client.close();
  }

  /** Asks for much and takes it late: the broker has read it, or is about to, when its segment leaves. */
  async dawdle(log: Log): Promise<void> {
    const client = await this.broker.connect();
    for (let next = 0; !this.isOver && next >= 0;) {
      const earliest = await client.listOffset(log.name, 0, -2);
      const offset = Math.max(0, earliest.offset);
      const answer = this.fetch(client, log, offset, 4 * MIB);
      client.socket.pause();
      await delay(this.prng.below(150));
      client.socket.resume();
      next = await this.judge(client, log, offset, await answer);
    }
    client.close();
  }

  /** Other segments from now on, or another durability: then the log moves to another shard, which has files of its own. */
  async reconfigure(client: KafkaClient, log: Log): Promise<void> {
    const movable = log.name !== 'memory';
    const configs =
      movable && this.prng.chance(0.5)
        ? { 'ringlog.durability': this.prng.pick(['fsync', 'page-cache']) }
        : { 'segment.bytes': String(MIB + this.prng.below(2 * MIB)) };
    expect(await client.alterTopic(log.name, configs)).toBe(0);
    this.reconfigured++;
  }

  /**
   * Reads a topic by its name, whichever life it is in: what one answer holds is of one life, and right for that. A record of the life before, or of another topic, at
   * an offset of this one would show.
   */
  async followName(name: string, lives: ReadonlyMap<string, Log>): Promise<void> {
    const client = await this.broker.connect();
    for (let offset = 0; !this.isOver;) {
      const answer = await client.fetch(name, 0, offset, { partitionMaxBytes: 300_000, maxBytes: 300_000 });
      if (answer.errorCode !== 0) {
        // Gone, not yet there again, or shorter than the life before.
        const { OFFSET_OUT_OF_RANGE, UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER } = ErrorCode;
        expect([OFFSET_OUT_OF_RANGE, UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER]).toContain(answer.errorCode);
        offset = Math.max(0, (await client.listOffset(name, 0, -2)).offset);
        await delay(5);
        continue;
      }
      const records = batchesOf(answer.records).flatMap(recordsOf);
      const life = lives.get(records[0]?.value.split(' ', 1)[0] ?? '');
      for (const { offset: found, value } of records) {
        if (found !== offset || life === undefined || value !== life.valueOf(found))
          throw new Error(`${name}: at ${offset} stands offset ${found} with ${JSON.stringify(value.slice(0, 60))}`);
        offset = found + 1;
        this.rightByName++;
      }
      await delay(this.prng.below(10));
    }
    client.close();
  }

  /** Deletes records on request, and changes what retention keeps. */
  async govern(logs: readonly Log[]): Promise<void> {
    const client = await this.broker.connect();
    while (!this.isOver) {
      const log = this.prng.pick(logs);
      if (this.prng.chance(0.15)) await this.reconfigure(client, log);
      else if (this.prng.chance(0.7)) {
        const { offset } = await client.listOffset(log.name, 0, -2);
        const asked = Math.min(offset + this.prng.below(50), log.end);
        const { errorCode, logStartOffset } = await client.deleteRecords(log.name, 0, asked);
        expect(errorCode).toBe(0);
        expect(logStartOffset).toBeGreaterThanOrEqual(asked);
      } else {
        // By their timestamps all records are old, so with 1 ms the whole log goes.
        const configs = { 'retention.bytes': String((3 + this.prng.below(5)) * MIB), 'retention.ms': this.prng.chance(0.2) ? '1' : '-1' };
        expect(await client.alterTopic(log.name, configs)).toBe(0);
        if (configs['retention.ms'] === '1') expect(await client.alterTopic(log.name, { 'retention.ms': '-1' })).toBe(0);
      }
      await delay(this.prng.below(100));
    }
    client.close();
  }

  /** A topic that is deleted and made again, with readers of each life. */
  async churn(): Promise<void> {
    const client = await this.broker.connect();
    const lives = new Map<string, Log>();
    const readers = [this.followName('churn', lives), this.followName('churn', lives)];
    for (let life = 0; !this.isOver; life++) {
      const log = await this.create(client, 'churn', MODES[life % 3] as string);
      lives.set(log.id, log);
      readers.push(this.follow(log, 20), this.jump(log));
      await this.write(client, log, 150 + this.prng.below(200));
      // A request that is under way may be answered by either.
      log.isDeleted = true;
      expect(await client.deleteTopic('churn')).toBe(0);
    }
    await Promise.all(readers);
    client.close();
  }
}

/** All that a log has, from its start on. Retention goes on: what went between two requests is read again, from where the log begins now. */
async function readWhole(client: KafkaClient, topic: string): Promise<{ offset: number; records: SeenRecord[] }> {
  for (;;) {
    const { offset } = await client.listOffset(topic, 0, -2);
    try {
      return { offset, records: await client.readAll(topic, 0, offset) };
    } catch (error) {
      if ((await client.listOffset(topic, 0, -2)).offset === offset) throw error;
    }
  }
}

it(
  'see no foreign byte, no zeros, no offset twice, while what they read is deleted and its files are used again',
  { timeout: 240_000 },
  async () => {
    const dataDir = join(temporaryFolder(), 'data');
    const broker = await startBroker({ dataDir, settings: SETTINGS });
    const scene = new Scene(broker);
    const admin = await broker.connect();
    const logs = await Promise.all(MODES.map((mode) => scene.create(admin, mode, mode)));
    const watching = logs.flatMap((log) => [scene.follow(log, 10), scene.follow(log, 60), scene.jump(log), scene.dawdle(log)]);
    const others = [scene.govern(logs), scene.churn(), ...watching];
    const writers = Promise.all(
      logs.map(async (log) => {
        const client = await broker.connect();
        await scene.write(client, log, RECORDS);
        // However fast the machine is: until enough has happened.
        while (!scene.sawEnough) await scene.write(client, log, RECORDS / 10);
        client.close();
      }),
    );
    // Whoever fails first ends it.
    await Promise.race([writers, Promise.all(others)]);
    await writers;
    scene.isOver = true;
    await Promise.all(others);
    expect(scene.right).toBeGreaterThan(RECORDS);
    expect(scene.overtaken).toBeGreaterThan(3);
    expect(scene.rightByName).toBeGreaterThan(100);
    expect(scene.reconfigured).toBeGreaterThan(3);
    expect(broker.log.filter(({ level }) => level !== 'info' && level !== 'debug')).toEqual([]);
    const { right, rightByName, overtaken, reconfigured } = scene;
    console.log(`${right} records were right, ${rightByName} by name, ${overtaken} fetches overtaken, ${reconfigured} changes of settings`);

    await broker.kill();
    const next = await startBroker({ dataDir, settings: SETTINGS });
    const client = await next.connect();
    for (const log of logs) {
      const { offset, records } = await readWhole(client, log.name);
      records.forEach((record, n) => {
        expect(record.offset).toBe(offset + n);
        expect(record.value === log.valueOf(record.offset)).toBe(true);
      });
      if (log.name !== 'memory') expect(offset + records.length).toBe(log.end);
    }
    expect((await next.stop()).code).toBe(0);
  },
);
