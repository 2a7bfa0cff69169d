/** `ringlog topic …` as a person calls it, against a broker of ours. */
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { brokerWithCli, cli } from '../support/command-line.ts';

interface Described {
  topic: string;
  partitions: { partition: number; leader: number; startOffset: number; endOffset: number; bytes: number }[];
  settings: Record<string, string>;
}

let run: Awaited<ReturnType<typeof brokerWithCli>>['run'];
let ok: Awaited<ReturnType<typeof brokerWithCli>>['ok'];
let json: Awaited<ReturnType<typeof brokerWithCli>>['json'];
let bootstrap = '';

beforeAll(async () => {
  const commands = await brokerWithCli();
  ({ run, ok, json, bootstrap } = commands);
  return commands.stop;
});

const describeTopic = async (name: string): Promise<Described> => (await json<[Described]>(['topic', 'describe', name]))[0];

describe('ringlog topic', () => {
  it('makes a topic with partitions and settings, shows it, and deletes it', async () => {
    expect(
      await ok(['topic', 'create', 'orders', '--partitions', '3', '--set', 'retention.ms=1000', '--set', 'segment.bytes=2000000']),
    ).toBe('Made topic orders with 3 partitions.\n');
    expect((await ok(['topic', 'list'])).split('\n')).toContain('orders');
    const { partitions, settings } = await describeTopic('orders');
    expect(partitions.map(({ partition, startOffset, endOffset }) => [partition, startOffset, endOffset])).toEqual([
      [0, 0, 0],
      [1, 0, 0],
      [2, 0, 0],
    ]);
    expect(settings).toEqual({ 'retention.ms': '1000', 'segment.bytes': '2000000' });
    expect(await ok(['topic', 'delete', 'orders'])).toBe('Deleted topic orders.\n');
    expect((await ok(['topic', 'list'])).split('\n')).not.toContain('orders');
  });

  it("gives the broker's number of partitions where none is asked for", async () => {
    expect(await json(['topic', 'create', 'by-default'])).toEqual({ topic: 'by-default', created: true, partitions: 1 });
  });

  it('changes and takes back settings, and adds partitions', async () => {
    await ok(['topic', 'create', 'changing', '--set', 'retention.ms=1000']);
    await ok(['topic', 'alter', 'changing', '--set', 'max.message.bytes=5000', '--unset', 'retention.ms', '--partitions', '4']);
    const { partitions, settings } = await describeTopic('changing');
    expect(settings).toEqual({ 'max.message.bytes': '5000' });
    expect(partitions).toHaveLength(4);
    expect(await ok(['topic', 'describe', 'changing', '--all'])).toMatch(/^ {2}segment\.bytes=1073741824$/m);
  });

  it('counts what is in the topics', async () => {
    await ok(['produce', 'counted'], 'a\nb\nc\n');
    const listed = await json<{ topic: string; records: number }[]>(['topic', 'list', '--long']);
    expect(listed.find(({ topic }) => topic === 'counted')).toEqual({ topic: 'counted', partitions: 1, replicas: 1, records: 3 });
    expect(await ok(['topic', 'describe', 'counted'])).toMatch(/\n {8}0 +1 +1 +1 +0 +3 +3 +\d+ B\n/);
  });

  it('leaves alone what is there, or is not, only when told to', async () => {
    await ok(['topic', 'create', 'there']);
    expect(await run(['topic', 'create', 'there'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^ringlog: TOPIC_ALREADY_EXISTS: .*there.*\n$/),
    });
    expect(await json(['topic', 'create', 'there', '--if-not-exists'])).toMatchObject({ created: false, partitions: 1 });
    expect((await run(['topic', 'delete', 'nowhere'])).code).toBe(1);
    expect(await json(['topic', 'delete', 'nowhere', 'there', '--if-exists'])).toEqual([
      { topic: 'nowhere', deleted: false },
      { topic: 'there', deleted: true },
    ]);
  });

  it.each([
    [
      ['topic', 'describe', 'nowhere'],
      /^ringlog: UNKNOWN_TOPIC_OR_PARTITION: There is no topic "nowhere"\. "ringlog topic list" shows what there is\.\n$/,
    ],
    [['topic', 'create', 'bad name'], /^ringlog: INVALID_TOPIC_EXCEPTION: .*\n$/],
    [['topic', 'create', 'x', '--set', 'retention.m=1'], /^ringlog: INVALID_CONFIG: .*retention\.m".*\n$/],
    [['topic', 'create', 'x', '--replication-factor', '3'], /^ringlog: INVALID_REPLICATION_FACTOR: .*\n$/],
  ])('fails with the reason of the broker: %j', async (args, message) => {
    const { code, stderr, stdout } = await run(args);
    expect(stderr).toMatch(message);
    expect([code, stdout]).toEqual([1, '']);
  });

  it.each([
    [['topic', 'alter', 'x'], /^ringlog: topic alter: nothing to change\. Give --set name=value, --unset name or --partitions count\.\n$/],
    [
      ['topic', 'create', 'x', '--partitions', '0'],
      /'-p, --partitions <count>' argument '0' is invalid\. It must be a whole number from 1 to 100000\./,
    ],
    [
      ['topic', 'create', 'x', '--set', 'retention.ms'],
      /'-s, --set <name=value>' argument 'retention\.ms' is invalid\. It must be name=value\./,
    ],
    [['topic', 'create'], /missing required argument 'topic'/],
    [['topic', 'crate', 'x'], /unknown command 'crate'[\s\S]*Did you mean create\?/],
  ])('exits with 2 for wrong usage, without a stack: %j', async (args, message) => {
    const { code, stderr } = await cli(args);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n {4}at /);
    expect(code).toBe(2);
  });
});

describe('a broker that cannot be reached', () => {
  it('is named in one line, with what to try', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => void server.close(resolve));
    const { code, stderr } = await cli(['topic', 'list', '-b', `127.0.0.1:${port}`]);
    expect(stderr).toBe(
      `ringlog: Cannot reach a broker at 127.0.0.1:${port}: nothing listens there. Start a broker ("ringlog start"), or give the address of one (--bootstrap host:port).\n`,
    );
    expect(code).toBe(1);
  });

  it('is passed over when another one of the list answers', async () => {
    expect((await cli(['topic', 'list', '-b', `127.0.0.1:1,${bootstrap}`])).code).toBe(0);
  });

  it('is told from one that is no Kafka broker, and from a name that leads nowhere', async () => {
    const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const stranger = await cli(['topic', 'list', '-b', `127.0.0.1:${port}`]);
    expect(stranger).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /^ringlog: Cannot reach a broker at 127\.0\.0\.1:\d+: the connection was cut\. Is it a Kafka broker.*\n$/,
      ),
    });
    const nowhere = await cli(['topic', 'list', '-b', 'no-such-host.invalid:9092']);
    expect(nowhere).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^ringlog: Cannot reach a broker at no-such-host\.invalid:9092: the name .*\n$/),
    });
  });

  it.each([
    [
      'nonsense',
      /^ringlog: Invalid --sasl: it must be mechanism:user:password, with one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 as mechanism\.\n$/,
    ],
    ['@/no/such/file', /^ringlog: Cannot read \/no\/such\/file \(--sasl\): ENOENT\.\n$/],
  ])('is a matter of usage when the login is none: %s', async (login, message) => {
    const { code, stderr } = await cli(['topic', 'list', '-b', bootstrap, '--sasl', login]);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });

  it('is a matter of usage when the address is none', async () => {
    const { code, stderr } = await cli(['topic', 'list', '-b', '127.0.0.1:99999']);
    expect(stderr).toBe(
      'ringlog: Invalid --bootstrap "127.0.0.1:99999": it must be host:port, for example 127.0.0.1:9092; several with commas between them.\n',
    );
    expect(code).toBe(2);
  });
});
