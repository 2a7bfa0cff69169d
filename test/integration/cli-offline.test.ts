/** `ringlog log verify` and `log dump`: a data folder without its broker. */
import { createHash } from 'node:crypto';
import {
  closeSync,
  cpSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildBatch } from '../../src/protocol/record.ts';
import { delay, eventually, startBroker } from '../support/broker-process.ts';
import { cli } from '../support/command-line.ts';
import type { KafkaClient } from '../support/kafka-client.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

interface Report {
  stoppedInOrder: boolean;
  partitions: {
    topic: string;
    partition: number;
    startOffset: number;
    endOffset: number;
    batches: number;
    flaws: number;
    refused: unknown[];
  }[];
  problems: string[];
  remarks: string[];
}

const numbers = (from: number, to: number): string => Array.from({ length: to - from }, (_, n) => `${from + n}\n`).join('');

/** Folders with two topics each, one whose broker was stopped, and one whose broker was killed. Tests work on copies. */
const originals = mkdtempSync(join(tmpdir(), 'ringlog-test-'));

beforeAll(async () => {
  await fill(join(originals, 'stop'), 'stop');
  await fill(join(originals, 'kill'), 'kill');
  return () => rmSync(originals, { recursive: true, force: true });
});

function filled(end: 'stop' | 'kill'): string {
  const dataDir = temporaryFolder();
  // What is left of the lock of a broker that was killed is a socket, which cannot be copied.
  cpSync(join(originals, end), dataDir, { recursive: true, filter: (path) => !path.endsWith('ringlog.lock') });
  return dataDir;
}

async function fill(dataDir: string, end: 'stop' | 'kill'): Promise<void> {
  const broker = await startBroker({ dataDir, cleanup: () => undefined });
  const bootstrap = `127.0.0.1:${broker.port}`;
  const produce = async (topic: string, input: string, ...args: string[]): Promise<void> => {
    expect(await cli(['produce', topic, '-b', bootstrap, ...args], input)).toMatchObject({ code: 0, stderr: '' });
  };
  expect((await cli(['topic', 'create', 'orders', '-p', '2', '-b', bootstrap])).code).toBe(0);
  await produce('orders', numbers(0, 100), '-p', '0', '-z', 'lz4');
  await produce('orders', 'a:1\nb:\n', '-p', '1', '-K', ':', '-Z', '-H', 'x=y');
  await produce('orders', numbers(100, 200), '-p', '0');
  await produce('clicks', numbers(0, 1000));
  await broker[end]();
}

async function verify(dataDir: string, ...args: string[]): Promise<{ code: unknown; report: Report }> {
  const { code, stdout, stderr } = await cli(['log', 'verify', '-d', dataDir, '--json', ...args]);
  expect(stderr).toBe('');
  return { code, report: JSON.parse(stdout) as Report };
}

/** Sums of all files of the data, by name. What the metadata store keeps about its readers is no data. */
function sums(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && entry.name !== 'lock.mdb',
  );
  return Object.fromEntries(
    files.map(({ parentPath, name }) => [
      join(parentPath, name),
      createHash('sha256')
        .update(readFileSync(join(parentPath, name)))
        .digest('hex'),
    ]),
  );
}

/** The largest segment file of the folder. */
function largestSegment(folder: string): string {
  const segments = readdirSync(join(folder, 'topics'), { recursive: true, withFileTypes: true }).filter(({ name }) =>
    name.endsWith('.log'),
  );
  const paths = segments.map(({ parentPath, name }) => join(parentPath, name));
  return paths.toSorted((a, b) => statSync(b).size - statSync(a).size)[0] as string;
}

function flipByte(path: string, position: number): void {
  const file = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, position);
  byte[0] = (byte[0] as number) ^ 1;
  writeSync(file, byte, 0, 1, position);
  closeSync(file);
}

describe('ringlog log verify', () => {
  it.each(['stop', 'kill'] as const)('finds all that was acknowledged after a %s, and changes nothing', async (end) => {
    const dataDir = filled(end);
    const before = sums(dataDir);
    const { code, report } = await verify(dataDir);
    expect(report.problems).toEqual([]);
    expect(code).toBe(0);
    expect(report.stoppedInOrder).toBe(end === 'stop');
    expect(
      report.partitions.map(({ topic, partition, startOffset, endOffset, flaws }) => [topic, partition, startOffset, endOffset, flaws]),
    ).toEqual([
      ['clicks', 0, 0, 1000, 0],
      ['orders', 0, 0, 200, 0],
      ['orders', 1, 0, 2, 0],
    ]);
    expect(sums(dataDir)).toEqual(before);
    const { stdout } = await cli(['log', 'verify', '-d', dataDir]);
    expect(stdout).toMatch(/\nclicks +0 +0 +1,000 +\d+ +.*\n[\s\S]*\nAll that was acknowledged can be read\.\n$/);
    const broker = await startBroker({ dataDir });
    expect((await cli(['consume', 'clicks', '-b', `127.0.0.1:${broker.port}`])).stdout).toBe(numbers(0, 1000));
  });

  it('refuses a folder of a newer format, by name', async () => {
    const dataDir = filled('stop');
    const path = join(dataDir, 'ringlog.json');
    writeFileSync(path, readFileSync(path, 'utf8').replace(/"formatVersion": \d+/, '"formatVersion": 99'));
    const { code, stderr } = await cli(['log', 'verify', '-d', dataDir]);
    expect([code, stderr]).toEqual([1, expect.stringContaining('has format version 99')]);
  });

  it('finds a flipped bit, says where it is, and ends with 1', async () => {
    const dataDir = filled('stop');
    const path = largestSegment(dataDir);
    flipByte(path, 100);
    const { code, report } = await verify(dataDir);
    expect(report.problems).toEqual([
      expect.stringMatching(/^clicks\/0: .*\.log at byte 0: the checksum of the batch with offsets 0 to \d+ does not fit$/),
    ]);
    expect(report.problems[0]).toContain(path);
    expect(code).toBe(1);
    expect((await verify(dataDir, '--topic', 'orders')).code).toBe(0);
  });

  it('finds what is missing: a length that cannot be, a segment', async () => {
    const dataDir = filled('stop');
    const path = largestSegment(dataDir);
    flipByte(path, 8);
    expect((await verify(dataDir)).report.problems).toEqual([
      expect.stringMatching(
        /^clicks\/0: .*\.log at byte 0: there should be the batch with offset 0, and there is none; offsets to 999 cannot be read$/,
      ),
    ]);
    rmSync(path);
    const { code, report } = await verify(dataDir);
    expect(report.problems).toEqual([expect.stringMatching(/\.log is missing; reads of what is not there are refused$/)]);
    expect(report.partitions[0]?.refused).toEqual([{ from: 0, to: 999 }]);
    expect(code).toBe(1);
  });

  it.each([['verify'], ['dump', '--topic', 'x']])('leaves a folder alone that a broker has: %s', async (...args) => {
    const dataDir = temporaryFolder();
    const broker = await startBroker({ dataDir });
    const { code, stderr } = await cli(['log', ...args, '-d', dataDir]);
    expect(stderr).toMatch(new RegExp(`^ringlog: The data folder ${dataDir} is in use by process ${broker.child.pid}\\. .*\\n$`));
    expect(code).toBe(1);
  });

  it('says what is no data folder', async () => {
    const folder = temporaryFolder();
    expect((await cli(['log', 'verify', '-d', join(folder, 'none')])).stderr).toBe(
      `ringlog: There is no folder ${folder}/none (--data-dir).\n`,
    );
    const { code, stderr } = await cli(['log', 'verify', '-d', folder]);
    expect(stderr).toMatch(
      /^ringlog: .* is no data folder: it has no ringlog\.json\. Give the folder that "ringlog start" was given \(--data-dir\)\.\n$/,
    );
    expect(code).toBe(1);
  });
});

describe('the log of a compacted topic', () => {
  const KEYS = 20;
  const valueOf = (n: number): string => `${n} `.padEnd(20_000, '.');
  const settings = { 'log.cleaner.backoff.ms': 100, 'ringlog.checkpoint.interval.ms': 200, 'ringlog.pool.bytes.max': 64 << 20 };
  const configs = { 'cleanup.policy': 'compact', 'segment.bytes': String(1 << 20), 'min.cleanable.dirty.ratio': '0.01' };

  async function fill(client: KafkaClient, from: number, to: number): Promise<void> {
    for (let n = from; n < to; n++) {
      const batch = buildBatch({ records: [{ key: `key-${n % KEYS}`, value: valueOf(n) }] });
      expect(await client.produce('t', 0, batch)).toMatchObject({ errorCode: 0, baseOffset: n });
    }
  }

  const files = (dataDir: string, id: string): string[] =>
    readdirSync(join(dataDir, 'topics', id, '0')).filter((name) => name.endsWith('.log'));

  async function dump(dataDir: string): Promise<Map<string, number>> {
    const { stdout, stderr } = await cli(['log', 'dump', '-d', dataDir, '--topic', 't', '--records', '--json']);
    expect(stderr).toBe('');
    const batches = stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { flaw?: string; records: { offset: number; key: string; value: string }[] });
    expect(batches.filter(({ flaw }) => flaw !== undefined)).toEqual([]);
    const records = batches.flatMap((batch) => batch.records);
    for (const { offset, value } of records) expect(value).toBe(valueOf(offset));
    return new Map(records.map(({ key, offset }) => [key, offset]));
  }

  const latest = (end: number): Map<string, number> => new Map(Array.from({ length: end }, (_, n) => [`key-${n % KEYS}`, n]));

  it.each(['stop', 'kill'] as const)('is read from the files that compaction made, after a %s', { timeout: 60_000 }, async (end) => {
    const dataDir = temporaryFolder();
    const broker = await startBroker({ dataDir, settings });
    const client = await broker.connect();
    const id = await client.createTopic('t', 1, configs);
    await fill(client, 0, 400);
    await eventually(async () => (await client.readAll('t', 0)).length < 200, 'old records go');
    await broker[end]();
    expect(files(dataDir, id).some((name) => /^\d{20}\.\d+\.log$/.test(name))).toBe(true);
    // What a pass wrote that nobody put in force.
    const folder = join(dataDir, 'topics', id, '0');
    writeFileSync(join(folder, `${'0'.repeat(20)}.${2 ** 50}.log`), 'half a segment');
    const before = sums(dataDir);
    const { code, report } = await verify(dataDir);
    expect(report.problems).toEqual([]);
    expect(code).toBe(0);
    expect(report.remarks).toContainEqual(
      expect.stringMatching(/^t\/0: \d+ files? \(0{20}\..*\) left the log, or never came to be part of it; the next start removes/),
    );
    expect(report.partitions).toMatchObject([{ topic: 't', startOffset: 0, endOffset: 400, flaws: 0, refused: [] }]);
    expect(report.partitions[0]?.batches).toBeLessThan(200);
    expect(report.stoppedInOrder).toBe(end === 'stop');
    expect(await dump(dataDir)).toEqual(latest(400));
    expect(sums(dataDir)).toEqual(before);
  });

  it('has all that was acknowledged whenever the broker is killed', { timeout: 180_000 }, async () => {
    const dataDir = temporaryFolder();
    let end = 0;
    for (let life = 0; life < 5; life++) {
      const broker = await startBroker({ dataDir, settings });
      const client = await broker.connect();
      if (life === 0) await client.createTopic('t', 1, configs);
      await fill(client, end, (end += 150));
      await delay(life * 40);
      await broker.kill();
      const { report } = await verify(dataDir);
      expect(report.problems).toEqual([]);
      expect(report.partitions).toMatchObject([{ topic: 't', startOffset: 0, endOffset: end, flaws: 0, refused: [] }]);
      expect(await dump(dataDir)).toEqual(latest(end));
    }
  });

  it('with a flipped bit in a compacted file is found damaged, and the file named', { timeout: 60_000 }, async () => {
    const dataDir = temporaryFolder();
    const broker = await startBroker({ dataDir, settings });
    const client = await broker.connect();
    const id = await client.createTopic('t', 1, configs);
    await fill(client, 0, 200);
    await eventually(async () => (await client.readAll('t', 0)).length < 100, 'old records go');
    await broker.stop();
    const { stdout } = await cli(['log', 'dump', '-d', dataDir, '--topic', 't', '-n', '1', '--json']);
    const name = (JSON.parse(stdout) as { file: string }).file;
    expect(name).toMatch(/^\d{20}\.\d+\.log$/);
    // In its header: perhaps no record is left in it.
    flipByte(join(dataDir, 'topics', id, '0', name), 30);
    const { code, report } = await verify(dataDir);
    expect(report.problems).toEqual([expect.stringContaining(`${name} at byte 0: the checksum of the batch`)]);
    expect(code).toBe(1);
  });
});

describe('ringlog log dump', () => {
  it('prints batches, and the records in them, whatever their codec', async () => {
    const dataDir = filled('kill');
    const dump = async (...args: string[]): Promise<Record<string, unknown>[]> => {
      const { stdout, stderr } = await cli(['log', 'dump', '-d', dataDir, '--topic', 'orders', '--json', ...args]);
      expect(stderr).toBe('');
      return stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    };
    const batches = await dump();
    expect(batches[0]).toMatchObject({ offset: 0, codec: 'lz4', position: 0, producerId: -1 });
    expect(batches.at(-1)).toMatchObject({ lastOffset: 199, codec: 'none' });
    const records = (await dump('--records')).flatMap((batch) => batch['records'] as { offset: number; value: string }[]);
    expect(records.map(({ offset, value }) => [offset, value])).toEqual(Array.from({ length: 200 }, (_, n) => [n, String(n)]));
    expect((await dump('--partition', '1', '--records'))[0]?.['records']).toEqual([
      { offset: 0, timestamp: expect.any(Number), key: 'a', value: '1', headers: [{ name: 'x', value: 'y' }] },
      { offset: 1, timestamp: expect.any(Number), key: 'b', value: null, headers: [{ name: 'x', value: 'y' }] },
    ]);
    const [first] = await dump('--from', '150', '--count', '1');
    expect(first?.['offset']).toBeLessThanOrEqual(150);
    expect(first?.['lastOffset']).toBeGreaterThanOrEqual(150);
    const { stdout } = await cli(['log', 'dump', '-d', dataDir, '-t', 'orders', '-p', '1', '-r']);
    expect(stdout).toMatch(/^offset=0 lastOffset=1 .*\n {2}\{"offset":0,.*\n {2}\{"offset":1,.*\n$/);
  });

  it('names the topic or partition that is not there', async () => {
    const dataDir = filled('stop');
    expect((await cli(['log', 'dump', '-d', dataDir, '-t', 'no'])).stderr).toBe(
      'ringlog: The data folder holds no topic "no" (--topic): it holds clicks, orders.\n',
    );
    const { code, stderr } = await cli(['log', 'dump', '-d', dataDir, '-t', 'orders', '-p', '2']);
    expect(stderr).toBe('ringlog: Topic orders has no partition 2: it has 2 partitions, counted from 0 (--partition).\n');
    expect(code).toBe(1);
  });
});
