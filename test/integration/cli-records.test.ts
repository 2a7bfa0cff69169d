/** `ringlog produce` and `ringlog consume` as a person calls them, against a broker of ours. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { brokerWithCli, cli, startCli } from '../support/command-line.ts';
import { KafkaClient } from '../support/kafka-client.ts';
import { ringlog } from '../support/process.ts';
import { kcat } from '../support/system-tools.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

interface Printed {
  topic: string;
  partition: number;
  offset: number;
  timestamp: number;
  key: unknown;
  value: unknown;
  headers: { name: string; value: unknown }[];
}

let run: Awaited<ReturnType<typeof brokerWithCli>>['run'];
let ok: Awaited<ReturnType<typeof brokerWithCli>>['ok'];
let json: Awaited<ReturnType<typeof brokerWithCli>>['json'];
let start: Awaited<ReturnType<typeof brokerWithCli>>['start'];
let bootstrap = '';

beforeAll(async () => {
  const commands = await brokerWithCli();
  ({ run, ok, json, start, bootstrap } = commands);
  return commands.stop;
});

const consumed = async (...args: string[]): Promise<Printed[]> =>
  (await ok(['consume', ...args, '--format', 'json']))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Printed);

const numbers = (from: number, to: number): string => Array.from({ length: to - from }, (_, n) => `${from + n}\n`).join('');

describe('ringlog produce', () => {
  it('sends a record for each line, the last one with or without a newline, and nothing for no line', async () => {
    expect(await ok(['produce', 'lines'], 'one\n\nthree')).toBe('');
    await ok(['produce', 'lines'], '');
    await ok(['produce', 'lines'], 'four\n');
    expect((await consumed('lines')).map(({ offset, value, key }) => [offset, value, key])).toEqual([
      [0, 'one', null],
      [1, '', null],
      [2, 'three', null],
      [3, 'four', null],
    ]);
  });

  it('takes keys from the lines, headers for all, and nulls for what is empty', async () => {
    await ok(['produce', 'keyed', '--key-separator', '\\t', '-H', 'source=shop', '-H', 'source=again', '-Z'], 'a\t1\tx\n\t2\nb\t\n');
    const headers = [
      { name: 'source', value: 'shop' },
      { name: 'source', value: 'again' },
    ];
    expect((await consumed('keyed')).map(({ key, value, headers: each }) => ({ key, value, headers: each }))).toEqual([
      { key: 'a', value: '1\tx', headers },
      { key: null, value: '2', headers },
      { key: 'b', value: null, headers },
    ]);
  });

  it('sends whole files, whatever is in them', async () => {
    const folder = temporaryFolder();
    const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, n) => (n * 7) % 256));
    writeFileSync(join(folder, 'a'), bytes);
    writeFileSync(join(folder, 'b'), 'two\nlines\n');
    await ok(['produce', 'files', '--file', join(folder, 'a'), '--file', join(folder, 'b'), '--key', 'k']);
    expect((await run(['consume', 'files', '--format', '%s'])).bytes).toEqual(Buffer.concat([bytes, Buffer.from('two\nlines\n')]));
    expect((await consumed('files', '-n', '1'))[0]).toMatchObject({ key: 'k', value: { base64: bytes.toString('base64') } });
  });

  it('keeps bytes that are no text, line by line', async () => {
    const line = Buffer.from([0xff, 0xfe, 0, 0x0d, 0x80]);
    await ok(['produce', 'bytes'], Buffer.concat([line, Buffer.from('\n')]));
    expect((await run(['consume', 'bytes'])).bytes).toEqual(Buffer.concat([line, Buffer.from('\n')]));
  });

  it('sends the same key to the same partition as other clients do', async (context) => {
    await ok(['topic', 'create', 'spread', '-p', '7']);
    const keys = Array.from({ length: 50 }, (_, n) => `key-${n}`);
    await ok(['produce', 'spread', '-K', ':'], keys.map((key) => `${key}:ours\n`).join(''));
    const like = ['-K', ':', '-X', 'topic.partitioner=murmur2_random'];
    kcat(context, ['-P', '-b', bootstrap, '-t', 'spread', ...like], keys.map((key) => `${key}:kcat\n`).join(''));
    const records = await consumed('spread');
    expect(records).toHaveLength(100);
    const placesOf = (value: string): Map<unknown, number> =>
      new Map(records.filter((each) => each.value === value).map(({ key, partition }) => [key, partition]));
    expect(placesOf('ours')).toEqual(placesOf('kcat'));
    expect(new Set(placesOf('ours').values()).size).toBe(7);
  });

  it('sends a flood whole, in order, to a partition, and over all partitions without one', async () => {
    await ok(['topic', 'create', 'flood', '-p', '3']);
    expect(await json(['produce', 'flood', '--partition', '1'], numbers(0, 100_000))).toMatchObject({
      records: 100_000,
      partitions: [{ partition: 1, firstOffset: 0 }],
    });
    expect(await ok(['consume', 'flood'])).toBe(numbers(0, 100_000));
    await ok(['produce', 'flood'], numbers(0, 100_000));
    const [first, , third] = await Promise.all(
      [0, 1, 2].map(async (partition) => (await ok(['consume', 'flood', '-p', String(partition)])).split('\n').length),
    );
    expect(first).toBeGreaterThan(1000);
    expect(third).toBeGreaterThan(1000);
  });

  it.for(['none', 'gzip', 'snappy', 'lz4'])('compresses with %s, and kcat reads it', async (codec, context) => {
    await ok(['produce', `codec-${codec}`, '--compression', codec], numbers(0, 500));
    expect(await ok(['consume', `codec-${codec}`])).toBe(numbers(0, 500));
    expect(kcat(context, ['-C', '-b', bootstrap, '-t', `codec-${codec}`, '-e', '-q'])).toBe(numbers(0, 500));
  });

  it.each(['0', '1', 'all'])('sends with acks %s', async (acks) => {
    await ok(['produce', `acks-${acks}`, '--acks', '1'], 'first\n');
    await ok(['produce', `acks-${acks}`, '--acks', acks], 'one\ntwo\n');
    await expect.poll(() => ok(['consume', `acks-${acks}`]), { timeout: 60_000 }).toBe('first\none\ntwo\n');
  });

  it('keeps to a rate', async () => {
    const beganMs = performance.now();
    await ok(['produce', 'paced', '--rate', '20'], numbers(0, 21));
    expect(performance.now() - beganMs).toBeGreaterThanOrEqual(1000);
    expect(await ok(['consume', 'paced'])).toBe(numbers(0, 21));
  });

  it('says which line is too large for the topic, and how many went before it', async () => {
    await ok(['topic', 'create', 'small', '--set', 'max.message.bytes=1000']);
    const { code, stderr } = await run(['produce', 'small'], `${numbers(0, 500)}${'x'.repeat(2000)}\nafter\n`);
    expect(stderr).toMatch(
      /^ringlog: Line 501 makes a batch of about [\d,]+ bytes; the topic takes 1,000 \(its max\.message\.bytes; .*\)\. \(500 records sent before\.\)\n$/,
    );
    expect(code).toBe(1);
    expect(await ok(['consume', 'small'])).toBe(numbers(0, 500));
  });

  it.each([
    [
      ['--key-separator', ':'],
      1,
      /^ringlog: Line 2 has no ":" between a key and a value \(--key-separator\): plain \(1 record sent before\.\)\n$/,
    ],
    [['--partition', '9'], 1, /^ringlog: Topic careless has no partition 9: it has 1 partition, counted from 0 \(--partition\)\.\n$/],
    [['--file', '/no/such/file'], 1, /^ringlog: Cannot read \/no\/such\/file \(--file\): there is no such file\.\n$/],
    [['--key', 'a', '--key-separator', ':'], 2, /^ringlog: --key and --key-separator do not go together/],
    [['--acks', '2'], 2, /argument '2' is invalid\. Allowed choices are 0, 1, all\./],
    [['--rate', '0'], 2, /It must be a whole number from 1 to/],
  ])('names the mistake: %j', async (args, expected, message) => {
    await ok(['topic', 'create', 'careless', '--if-not-exists']);
    const { code, stderr } = await run(['produce', 'careless', ...args], 'a:1\nplain\n');
    expect(stderr).toMatch(message);
    expect(code).toBe(expected);
  });
});

describe('ringlog consume', () => {
  beforeAll(async () => {
    await ok(['topic', 'create', 'ten', '-p', '2']);
    await ok(['produce', 'ten', '-p', '0', '-K', ':'], 'a:0\nb:1\nc:2\nd:3\n');
    await ok(['produce', 'ten', '-p', '1'], '4\n5\n6\n7\n8\n9\n');
  });

  it('begins where it is told to', async () => {
    expect((await ok(['consume', 'ten'])).split('\n').toSorted()).toEqual(['', ...'0123456789'.split('')]);
    expect(await ok(['consume', 'ten', '-p', '1', '--from', '4'])).toBe('8\n9\n');
    expect(await ok(['consume', 'ten', '-p', '0', '--from', 'beginning', '-n', '2'])).toBe('0\n1\n');
    expect(await ok(['consume', 'ten', '--last', '3'])).toBe('7\n8\n9\n');
    expect(await ok(['consume', 'ten', '-p', '0,1', '--last', '100'])).toBe('0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n');
  });

  it('begins at a time', async () => {
    const all = await consumed('ten', '-p', '1');
    const sinceMs = all[0]?.timestamp as number;
    expect((await consumed('ten', '-p', '1', '--since', String(sinceMs))).map(({ value }) => value)).toEqual('456789'.split(''));
    expect(await consumed('ten', '-p', '1', '--since', String(sinceMs + 3_600_000))).toEqual([]);
    expect((await consumed('ten', '-p', '1', '--since', '1d')).length).toBe(6);
    expect((await consumed('ten', '-p', '1', '--since', '2020-01-31T12:00:00Z')).length).toBe(6);
  });

  it('prints as it is told to', async () => {
    expect(await ok(['consume', 'ten', '-p', '0', '--format', 'key-value', '-n', '2'])).toBe('a\t0\nb\t1\n');
    expect(await ok(['consume', 'ten', '-p', '0', '--format', 'key-value', '-K', ' => ', '-n', '1'])).toBe('a => 0\n');
    expect(await ok(['consume', 'ten', '-p', '0', '--format', '%t/%p@%o %k=%s %K %S 100%%\\n', '-n', '1'])).toBe('ten/0@0 a=0 1 1 100%\n');
    expect(await consumed('ten', '-p', '0', '-n', '1')).toEqual([
      { topic: 'ten', partition: 0, offset: 0, timestamp: expect.any(Number), key: 'a', value: '0', headers: [] },
    ]);
  });

  it('reads what others compressed, zstd too', async (context) => {
    for (const codec of ['gzip', 'snappy', 'lz4', 'zstd'])
      kcat(context, ['-P', '-b', bootstrap, '-t', 'foreign', '-p', '0', '-z', codec], `${`${codec} `.repeat(100)}\n`);
    expect(await ok(['consume', 'foreign'])).toBe(
      ['gzip', 'snappy', 'lz4', 'zstd'].map((codec) => `${`${codec} `.repeat(100)}\n`).join(''),
    );
  });

  it('follows from the end: nothing of what was there', async () => {
    await ok(['produce', 'tail'], 'before\n');
    const consumer = start(['consume', 'tail', '--from', 'end', '-n', '2']);
    // It asks for the end some time after it is started: records go on until it has seen two.
    for (let n = 0; !consumer.isOver(); n++) await ok(['produce', 'tail'], `after ${n}\n`);
    expect(await consumer.ended).toMatchObject({ code: 0, stdout: expect.stringMatching(/^after (\d+)\nafter \d+\n$/) });
  });

  it('goes on over a restart of the broker when it follows', async () => {
    const dataDir = temporaryFolder();
    const startOn = (port: string) => ringlog('start', '--port', port, '--data-dir', dataDir);
    const broker = startOn('0');
    const [, port] = await broker.until(/address {5}127\.0\.0\.1:(\d+)\n/);
    const produce = (text: string) => cli(['produce', 'kept', '-b', `127.0.0.1:${port}`], text);
    await produce('one\n');
    const consumer = startCli(['consume', 'kept', '--follow', '-b', `127.0.0.1:${port}`]);
    await consumer.until('one\n');
    broker.child.kill('SIGTERM');
    await broker.ended;
    const again = startOn(port as string);
    await again.until('ringlog ');
    await produce('two\n');
    await consumer.until('two\n');
    expect(consumer.stdout()).toBe('one\ntwo\n');
  });

  it('says what was deleted before it could be read, and goes on behind it', async () => {
    await ok(['produce', 'cut', '-p', '0'], numbers(0, 10));
    const client = await KafkaClient.connect(Number(bootstrap.split(':')[1]));
    expect((await client.deleteRecords('cut', 0, 6)).errorCode).toBe(0);
    client.close();
    expect(await run(['consume', 'cut', '--from', '3'])).toMatchObject({
      code: 0,
      stdout: numbers(6, 10),
      stderr: 'ringlog: Partition 0 of cut begins at offset 6: offsets 3 to 5 are deleted.\n',
    });
  });

  it('begins at an offset, and refuses one behind the end', async () => {
    await ok(['produce', 'ends', '-p', '0'], numbers(0, 10));
    expect(await ok(['consume', 'ends', '--from', '3', '-n', '1'])).toBe('3\n');
    expect(await run(['consume', 'ends', '--from', '11'])).toMatchObject({
      code: 1,
      stderr: 'ringlog: ends has no offset 11: it ends at 10 (--from).\n',
    });
  });

  it.each([
    [['nowhere'], 1, /^ringlog: UNKNOWN_TOPIC_OR_PARTITION: There is no topic "nowhere"/],
    [['ten', '-p', '2'], 1, /^ringlog: Topic ten has no partition 2: it has 2 partitions, counted from 0 \(--partition\)\.\n$/],
    [['ten', '--from', 'start'], 2, /It must be beginning, end, or an offset\./],
    [['ten', '--from', 'end', '--last', '1'], 2, /^ringlog: --from and --last do not go together: give one place to begin\.\n$/],
    [['ten', '--format', 'plain'], 2, /^ringlog: Invalid --format "plain"\. It must be value, key-value, json, or a pattern/],
    [['ten', '--format', '%q'], 2, /^ringlog: Invalid --format "%q"\. "%q" stands for nothing; there is %t, /],
    [['ten', '--since', 'yesterday'], 2, /It must be a time \(2026-01-31T12:00:00Z\)/],
    [['ten', '--group', 'g', '--last', '2'], 2, /^ringlog: --group begins where the group has come to/],
  ])('names the mistake: %j', async (args, expected, message) => {
    const { code, stderr, stdout } = await run(['consume', ...args]);
    expect(stderr).toMatch(message);
    expect([code, stdout]).toEqual([expected, '']);
  });
});
