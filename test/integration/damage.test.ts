/** Files that are not what was written: what is damaged is refused and reported, what is behind it is kept, and where the truth is lost the broker does not start. */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ErrorCode } from '../../src/protocol/errors.ts';
import { generationNumber } from '../../src/log/generation.ts';
import { alignGroup, GROUP_ALIGNMENT, readGroup } from '../../src/log/journal-layout.ts';
import { eventually, startBroker, startRefused, type BrokerProcess } from '../support/broker-process.ts';
import { cli } from '../support/command-line.ts';
import { batchesOf, batchOf, recordsOf, type KafkaClient } from '../support/kafka-client.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const COUNT = 45;
const VALUE_BYTES = 100_000;
const BATCH_BYTES = batchOf([Buffer.alloc(VALUE_BYTES)]).length;
const CORRUPT = `error ${ErrorCode.CORRUPT_MESSAGE}`;

const valueOf = (n: number): string => `${n}`.padEnd(VALUE_BYTES, '.');
const values = (count: number): string[] => Array.from({ length: count }, (_, n) => `${n}`);

/** A topic of five segments of ten batches of one record each. */
async function filled(client: KafkaClient, name: string, durability = 'fsync'): Promise<string> {
  const id = await client.createTopic(name, 1, { 'segment.bytes': '1048576', 'ringlog.durability': durability });
  const answers = await Promise.all(Array.from({ length: COUNT }, (_, n) => client.produce(name, 0, batchOf([valueOf(n)]))));
  expect(answers.map(({ baseOffset }) => baseOffset)).toEqual([...answers.keys()]);
  return id;
}

const segment = (dataDir: string, topicId: string, baseOffset: number): string =>
  join(dataDir, 'topics', topicId, '0', `${String(baseOffset).padStart(20, '0')}.log`);

function flip(path: string, position: number, mask = 0x10): void {
  const file = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, position);
  byte[0] = (byte[0] as number) ^ mask;
  writeSync(file, byte, 0, 1, position);
  closeSync(file);
}

/** What a client gets for each offset by itself: the record's number, or the error. */
async function eachOffset(client: KafkaClient, name: string, count: number): Promise<string[]> {
  const got: string[] = [];
  for (let offset = 0; offset < count; offset++) {
    const answer = await client.fetch(name, 0, offset, { partitionMaxBytes: 1 });
    const first = answer.errorCode === 0 ? batchesOf(answer.records).flatMap(recordsOf)[0] : undefined;
    if (first !== undefined && first.offset !== offset) got.push(`offset ${first.offset}`);
    else got.push(first === undefined ? `error ${answer.errorCode}` : first.value.replaceAll('.', ''));
  }
  return got;
}

/** The same as {@link values}, with some refused. */
const without = (count: number, ...damaged: number[]): string[] => values(count).map((value, n) => (damaged.includes(n) ? CORRUPT : value));

async function expectGoesOn(broker: BrokerProcess, client: KafkaClient, name: string, end: number): Promise<void> {
  expect(await client.produce(name, 0, batchOf(['more']))).toMatchObject({ errorCode: 0, baseOffset: end });
  expect((await client.readAll(name, 0, end)).map(({ value }) => value)).toEqual(['more']);
  expect((await broker.stop()).code).toBe(0);
}

describe('a bit flipped in a sealed segment', () => {
  const places: [string, number][] = [
    ['in a record', 5000],
    ['in the CRC', 18],
    ['in the length', 9],
    ['in the base offset', 7],
    ['in the last offset delta', 26],
  ];

  it('while the broker is down: that offset is refused, those before and behind it are served', async () => {
    const dataDir = join(temporaryFolder(), 'data');
    const first = await startBroker({ dataDir });
    const client = await first.connect();
    const ids: string[] = [];
    for (const [n] of places.entries()) ids.push(await filled(client, `t${n}`, n % 2 === 0 ? 'fsync' : 'page-cache'));
    await first.stop();
    places.forEach(([, at], n) => flip(segment(dataDir, ids[n] as string, 10), 4 * BATCH_BYTES + at));
    const second = await startBroker({ dataDir });
    const reader = await second.connect();
    for (const [n] of places.entries()) expect([n, await eachOffset(reader, `t${n}`, COUNT)]).toEqual([n, without(COUNT, 14)]);
    expect(
      second.log
        .filter(({ msg }) => msg.startsWith('damaged records'))
        .map(({ topic, fromOffset, toOffset }) => [topic, fromOffset, toOffset]),
    ).toEqual(places.map((_, n) => [`t${n}`, 14, 15]));
    await expectGoesOn(second, reader, 't0', COUNT);
  });

  it('while the broker is up: the same', async () => {
    const dataDir = join(temporaryFolder(), 'data');
    const broker = await startBroker({ dataDir });
    const client = await broker.connect();
    const id = await filled(client, 't');
    flip(segment(dataDir, id, 20), 9 * BATCH_BYTES + 300);
    flip(segment(dataDir, id, 0), 300);
    expect(await eachOffset(client, 't', COUNT)).toEqual(without(COUNT, 0, 29));
    expect(broker.log.filter(({ msg }) => msg.startsWith('damaged records')).length).toBe(2);
    await expectGoesOn(broker, client, 't', COUNT);
  });

  it('behind records that were read before is found at the next read if every read is verified', async () => {
    const dataDir = join(temporaryFolder(), 'data');
    const broker = await startBroker({ dataDir, settings: { 'ringlog.fetch.verify': 'always' } });
    const client = await broker.connect();
    const id = await filled(client, 't');
    expect(await eachOffset(client, 't', COUNT)).toEqual(values(COUNT));
    flip(segment(dataDir, id, 20), 3 * BATCH_BYTES + 300);
    expect(await eachOffset(client, 't', COUNT)).toEqual(without(COUNT, 23));
    await expectGoesOn(broker, client, 't', COUNT);
  });
});

describe('a segment file', () => {
  it('that is missing is reported; its offsets are refused, those of the others served', async () => {
    const dataDir = join(temporaryFolder(), 'data');
    const first = await startBroker({ dataDir });
    const client = await first.connect();
    const sealed = await filled(client, 'sealed');
    const active = await filled(client, 'active');
    await first.stop();
    rmSync(segment(dataDir, sealed, 20));
    rmSync(segment(dataDir, active, 40));
    const second = await startBroker({ dataDir });
    const reader = await second.connect();
    expect(await eachOffset(reader, 'sealed', COUNT)).toEqual(without(COUNT, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29));
    expect(await eachOffset(reader, 'active', COUNT)).toEqual(without(COUNT, 40, 41, 42, 43, 44));
    expect(second.log.filter(({ kind }) => kind === 'missing-file')).toHaveLength(2);
    for (const name of ['sealed', 'active'])
      expect(await reader.produce(name, 0, batchOf(['more']))).toMatchObject({ errorCode: 0, baseOffset: COUNT });
    await second.kill();
    const third = await startBroker({ dataDir });
    const again = await third.connect();
    expect((await again.readAll('active', 0, COUNT)).map(({ value }) => value)).toEqual(['more']);
    await expectGoesOn(third, again, 'active', COUNT + 1);
  });

  it('that is shorter than its log is reported; what is there is served', async () => {
    const dataDir = join(temporaryFolder(), 'data');
    const first = await startBroker({ dataDir });
    const client = await first.connect();
    const id = await filled(client, 't');
    await first.stop();
    truncateSync(segment(dataDir, id, 20), 6 * BATCH_BYTES + 70);
    const second = await startBroker({ dataDir });
    const reader = await second.connect();
    expect(await eachOffset(reader, 't', COUNT)).toEqual(without(COUNT, 26, 27, 28, 29));
    expect(second.log.filter(({ kind }) => kind === 'missing-file')).toHaveLength(1);
    await expectGoesOn(second, reader, 't', COUNT);
  });

  it('with bytes behind the end of its log serves none of them', async () => {
    const dataDir = join(temporaryFolder(), 'data');
    const first = await startBroker({ dataDir });
    const client = await first.connect();
    const id = await client.createTopic('t', 1, { 'ringlog.durability': 'page-cache' });
    for (let n = 0; n < 3; n++) await client.produce('t', 0, batchOf([`${n}`]));
    await first.kill();
    // A batch that would fit exactly: stale bytes of an earlier life look like this.
    const path = segment(dataDir, id, 0);
    const stale = batchOf(['stale']);
    stale.writeBigInt64BE(3n, 0);
    stale.writeInt32BE(0, 12);
    writeFileSync(path, Buffer.concat([readFileSync(path), stale]));
    const second = await startBroker({ dataDir });
    const reader = await second.connect();
    expect((await reader.readAll('t', 0)).map(({ value }) => value)).toEqual(values(3));
    await expectGoesOn(second, reader, 't', 3);
  });
});

describe('the journal', () => {
  interface Found {
    readonly path: string;
    readonly at: number;
    readonly entriesEnd: number;
    readonly offsets: readonly number[];
    readonly isVouch: boolean;
  }

  /** Groups (and vouches, which append nothing) of the generation that holds the truth, and the offsets that each appended. */
  function groupsOf(dataDir: string): Found[] {
    const generation = readFileSync(join(dataDir, 'CURRENT'), 'utf8').trim();
    const folder = join(dataDir, 'generations', generation, 'sync-0');
    const found: Found[] = [];
    for (const name of readdirSync(folder).filter((file) => file.endsWith('.jrn'))) {
      const path = join(folder, name);
      const bytes = readFileSync(path);
      for (let at = 0; at < bytes.length;) {
        const group = readGroup(bytes, at, generationNumber(generation));
        if (group === null) {
          at += GROUP_ALIGNMENT;
          continue;
        }
        const offsets = group.entries.flatMap((entry) => (entry.type === 'control' ? [] : [entry.baseOffset]));
        found.push({ path, at, entriesEnd: at + group.bytes - group.payloadBytes, offsets, isVouch: group.sequence === 0 });
        at = alignGroup(at + group.bytes);
      }
    }
    return found;
  }

  /** A killed broker with forty records in a group each. `meanwhile`: before it is killed. */
  async function killed(meanwhile: (dataDir: string) => Promise<unknown> = () => Promise.resolve()): Promise<string> {
    const dataDir = join(temporaryFolder(), 'data');
    const broker = await startBroker({ dataDir, settings: { 'ringlog.checkpoint.interval.ms': 3_600_000 } });
    const client = await broker.connect();
    await client.createTopic('t');
    for (let n = 0; n < 40; n++) await client.produce('t', 0, batchOf([`${n}`]));
    await meanwhile(dataDir);
    await broker.kill();
    return dataDir;
  }

  it('with a damaged group in the middle: what it held is refused, what is behind it kept, no offset given out again', async () => {
    const dataDir = await killed();
    const group = groupsOf(dataDir).find(({ offsets }) => offsets[0] === 20) as Found;
    flip(group.path, group.at + 100);
    for (let start = 0; start < 2; start++) {
      const broker = await startBroker({ dataDir });
      expect(broker.log.some(({ kind }) => kind === 'corruption')).toBe(start === 0);
      const client = await broker.connect();
      expect(await eachOffset(client, 't', 40)).toEqual(without(40, 20));
      expect((await client.fetch('t', 0, 0)).highWatermark).toBe(40);
      await broker.kill();
    }
    const broker = await startBroker({ dataDir });
    await expectGoesOn(broker, await broker.connect(), 't', 40);
  });

  it('with damage that an earlier start has found: verify and dump tell of it all the same', async () => {
    const dataDir = await killed();
    const group = groupsOf(dataDir).find(({ offsets }) => offsets[0] === 20) as Found;
    flip(group.path, group.at + 100);
    const verified = async (...options: string[]): Promise<unknown> => {
      const { code, stdout } = await cli(['log', 'verify', '-d', dataDir, '--json', ...options]);
      return [code, (JSON.parse(stdout) as { problems: string[] }).problems.filter((text) => text.includes('offsets'))];
    };
    // The first time recovery itself speaks of it.
    expect(await verified()).toEqual([1, [expect.stringMatching(/offsets 20 to 20 were in a journal group that is damaged$/)]]);
    const broker = await startBroker({ dataDir });
    expect((await broker.stop()).code).toBe(0);
    const problem = 't/0: offsets 20 to 20 cannot be read: an earlier start found them damaged or lost';
    expect(await verified()).toEqual([1, [problem]]);
    expect(await verified('--topic', 't')).toEqual([1, [problem]]);
    const { stdout } = await cli(['log', 'dump', '-t', 't', '-d', dataDir]);
    expect(stdout).toMatch(/^FLAW offsets 20 to 20 cannot be read/);
  });

  it('with a damaged last group that was vouched for by nothing: a torn tail, cut', async () => {
    const dataDir = await killed();
    const groups = groupsOf(dataDir);
    const group = groups.find(({ offsets }) => offsets[0] === 39) as Found;
    flip(group.path, group.at + 100);
    // As if it had been killed at once, however long that took here.
    for (const { path, at, isVouch } of groups) if (isVouch) flip(path, at);
    const broker = await startBroker({ dataDir });
    const client = await broker.connect();
    // The process died, not the power, and nobody may tell those apart: offset 39 is not served, and given out again.
    expect(await eachOffset(client, 't', 39)).toEqual(values(39));
    await expectGoesOn(broker, client, 't', 39);
  });

  it('with a damaged last group after a quiet moment: what it held is refused, and not given out again', async () => {
    const dataDir = await killed((folder) => eventually(() => groupsOf(folder).at(-1)?.isVouch === true, 'a vouch for the last group'));
    const group = groupsOf(dataDir).find(({ offsets }) => offsets[0] === 39) as Found;
    flip(group.path, group.at + 100);
    const broker = await startBroker({ dataDir });
    expect(broker.log.some(({ kind }) => kind === 'corruption')).toBe(true);
    const client = await broker.connect();
    expect(await eachOffset(client, 't', 40)).toEqual(without(40, 39));
    await expectGoesOn(broker, client, 't', 40);
  });

  it('with damaged bytes of a batch loses nothing: the segment has them too', async () => {
    const dataDir = await killed();
    const group = groupsOf(dataDir).find(({ offsets }) => offsets[0] === 20) as Found;
    flip(group.path, group.entriesEnd + 65);
    const broker = await startBroker({ dataDir });
    const client = await broker.connect();
    expect(await eachOffset(client, 't', 40)).toEqual(values(40));
    await expectGoesOn(broker, client, 't', 40);
  });
});

describe('what says where everything is', () => {
  async function stopped(): Promise<string> {
    const dataDir = join(temporaryFolder(), 'data');
    const broker = await startBroker({ dataDir });
    const client = await broker.connect();
    await client.createTopic('t');
    for (let n = 0; n < 5; n++) await client.produce('t', 0, batchOf([`${n}`]));
    await broker.stop();
    return dataDir;
  }

  const shardFolder = (dataDir: string): string =>
    join(dataDir, 'generations', readFileSync(join(dataDir, 'CURRENT'), 'utf8').trim(), 'sync-0');
  const checkpoints = (dataDir: string): string[] =>
    readdirSync(shardFolder(dataDir))
      .filter((name) => name.endsWith('.ckpt'))
      .sort()
      .map((name) => join(shardFolder(dataDir), name));

  /** Refused in one line, with nothing changed. */
  async function expectRefused(dataDir: string, message: string | RegExp): Promise<void> {
    const listing = (): string[] => readdirSync(dataDir, { recursive: true, encoding: 'utf8' }).sort();
    const before = listing();
    const { ended, stdout, stderr } = await startRefused({ dataDir });
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(stderr).not.toMatch(/\n {4}at /);
    expect([ended.code, stdout]).toEqual([1, '']);
    expect(listing()).toEqual(before);
  }

  it('a checkpoint with one broken copy is as good as ever', async () => {
    for (const copy of [0, 1]) {
      const dataDir = await stopped();
      const path = checkpoints(dataDir).at(-1) as string;
      flip(path, copy * (readFileSync(path).length / 2) + 40);
      const broker = await startBroker({ dataDir });
      const client = await broker.connect();
      expect(await eachOffset(client, 't', 5)).toEqual(values(5));
      await expectGoesOn(broker, client, 't', 5);
    }
  });

  it('a newest checkpoint with both copies broken: the one before and the journal say the same, or the broker does not start', async () => {
    const dataDir = await stopped();
    const path = checkpoints(dataDir).at(-1) as string;
    for (const copy of [0, 1]) flip(path, copy * (readFileSync(path).length / 2) + 40);
    const broker = await startBroker({ dataDir });
    expect(broker.log.some(({ kind }) => kind === 'corruption')).toBe(true);
    const client = await broker.connect();
    expect(await eachOffset(client, 't', 5)).toEqual(values(5));
    await expectGoesOn(broker, client, 't', 5);
  });

  it('no intact checkpoint: no start', async () => {
    const dataDir = await stopped();
    for (const path of checkpoints(dataDir)) writeFileSync(path, Buffer.alloc(8192, 0x55));
    await expectRefused(dataDir, /sync-0 has no intact checkpoint/);
  });

  it('the folder of a shard gone, or its files: no start', async () => {
    const dataDir = await stopped();
    // With another shard beside it, so that something is found.
    const broker = await startBroker({ dataDir });
    await (await broker.connect()).createTopic('cached', 1, { 'ringlog.durability': 'page-cache' });
    await broker.stop();
    renameSync(shardFolder(dataDir), `${dataDir}-shard`);
    await expectRefused(dataDir, /sync-0: missing or without a checkpoint .* restore the data folder from a backup/);
    mkdirSync(shardFolder(dataDir));
    await expectRefused(dataDir, /sync-0: missing or without a checkpoint/);
    expect((await cli(['log', 'verify', '-d', dataDir])).code).toBe(1);
    rmSync(shardFolder(dataDir), { recursive: true });
    renameSync(`${dataDir}-shard`, shardFolder(dataDir));
    const restored = await startBroker({ dataDir });
    expect(await eachOffset(await restored.connect(), 't', 5)).toEqual(values(5));
  });

  it('garbage in CURRENT, or none: no start', async () => {
    const dataDir = await stopped();
    const path = join(dataDir, 'CURRENT');
    const good = readFileSync(path);
    for (const bad of [Buffer.from('garbage\n'), Buffer.alloc(0), Buffer.from([0xff, 0xfe, 0, 1])]) {
      writeFileSync(path, bad);
      await expectRefused(dataDir, /CURRENT does not name a generation/);
    }
    writeFileSync(path, 'deadbeefdeadbeef\n');
    await expectRefused(dataDir, /deadbeefdeadbeef/);
    rmSync(path);
    await expectRefused(dataDir, /CURRENT is missing/);
    const generations = join(dataDir, 'generations');
    renameSync(generations, `${dataDir}-generations`);
    await expectRefused(dataDir, /CURRENT is missing/);
    expect((await cli(['log', 'verify', '-d', dataDir])).code).toBe(1);
    renameSync(`${dataDir}-generations`, generations);
    writeFileSync(path, good);
    const broker = await startBroker({ dataDir });
    expect(await eachOffset(await broker.connect(), 't', 5)).toEqual(values(5));
  });

  it.each([
    ['full of garbage', (path: string) => writeFileSync(path, Buffer.alloc(65_536, 0x5a))],
    ['empty', (path: string) => truncateSync(path, 0)],
    ['cut in the middle', (path: string) => truncateSync(path, 6000)],
    ['gone', (path: string) => rmSync(path)],
    ['gone with its folder', (path: string) => rmSync(join(path, '..'), { recursive: true })],
  ])('metadata %s: no start, and above all no empty one', async (_what, damage) => {
    const dataDir = await stopped();
    damage(join(dataDir, 'meta/data.mdb'));
    const { ended, stdout, stderr } = await startRefused({ dataDir });
    expect(stderr).toMatch(/^ringlog: .*meta/);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect([ended.code, stdout]).toEqual([1, '']);
    expect(readdirSync(join(dataDir, 'topics'))).toHaveLength(1);
    expect(existsSync(join(dataDir, 'quarantine'))).toBe(false);
  });

  it('a folder that no topic claims is moved aside, not deleted', async () => {
    const dataDir = await stopped();
    const stranger = join(dataDir, 'topics', 'AAAAAAAAAAAAAAAAAAAAAQ', '0');
    const known = readdirSync(join(dataDir, 'topics'));
    mkdirSync(stranger, { recursive: true });
    writeFileSync(join(stranger, '00000000000000000000.log'), 'precious');
    const broker = await startBroker({ dataDir });
    await broker.logged(({ kind }) => kind === 'quarantine');
    expect(readdirSync(join(dataDir, 'topics'))).toEqual(known);
    expect(readFileSync(join(dataDir, 'quarantine/AAAAAAAAAAAAAAAAAAAAAQ/0/00000000000000000000.log'), 'utf8')).toBe('precious');
  });
});
