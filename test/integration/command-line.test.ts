import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ringlog, run } from '../support/process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const root = join(import.meta.dirname, '../..');
const IS_UP = /ringlog \S+ is up\n[\s\S]*-e\n/;

/** Brokers of several tests at once cannot all have port 8080. */
const startIn = (folder: string, ...args: string[]) => ringlog('start', '--port', '0', '--http-port', '-1', '--data-dir', folder, ...args);

describe('ringlog start', () => {
  it('prints one short block: version, address, data folder, durability, metrics, a line to produce and one to consume', async () => {
    const folder = join(temporaryFolder(), 'data');
    const broker = startIn(folder, '--set', 'ringlog.durability=page-cache', '--http-port', '0');
    const [block] = await broker.until(IS_UP);
    const address = /address {5}(127\.0\.0\.1:[1-9]\d+)\n/.exec(block)?.[1];
    expect(block.split('\n')).toEqual([
      expect.stringMatching(/^ringlog \d+\.\d+\.\d+ is up$/),
      `  address     ${address}`,
      `  data        ${folder}`,
      expect.stringMatching(/^ {2}durability {2}page-cache \(.+\)$/),
      expect.stringMatching(/^ {2}metrics {5}http:\/\/127\.0\.0\.1:[1-9]\d+\/metrics \(and http:\/\/127\.0\.0\.1:[1-9]\d+\/health\)$/),
      `  produce     echo hello | kcat -P -b ${address} -t demo`,
      `  consume     kcat -C -b ${address} -t demo -o beginning -e`,
      '',
    ]);
    expect(broker.stderr()).toBe('');
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('stops cleanly at %s', async (signal) => {
    const broker = startIn(temporaryFolder());
    await broker.until(IS_UP);
    broker.child.kill(signal);
    expect(await broker.ended).toBe(0);
    expect(broker.stdout()).toMatch(/ringlog stopped\n$/);
  });

  it('takes the same key press twice for one, as it comes under npm', async () => {
    const broker = startIn(temporaryFolder());
    await broker.until(IS_UP);
    broker.child.kill('SIGINT');
    broker.child.kill('SIGINT');
    expect(await broker.ended).toBe(0);
  });

  it('is refused for a folder that another broker has, with one line, and starts there after kill -9 of it', async () => {
    const folder = temporaryFolder();
    const first = startIn(folder);
    await first.until(IS_UP);
    const second = startIn(folder);
    expect(await second.ended).toBe(1);
    expect(second.stderr()).toMatch(new RegExp(`^ringlog: The data folder ${folder} is in use by process ${first.child.pid}\\. .*\\n$`));
    first.child.kill('SIGKILL');
    await startIn(folder).until(IS_UP);
  });

  it('says in one line that a port is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const broker = startIn(temporaryFolder(), '--port', String(port));
    expect(await broker.ended).toBe(1);
    expect(broker.stderr()).toBe(`ringlog: 127.0.0.1:${port} is in use by another process. Stop it, or choose another port (--port).\n`);
  });

  it('says in one line that a port is taken, also for a folder with a very long name', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const broker = ringlog('start', '--port', String(port), '--http-port', '-1', '--data-dir', join(temporaryFolder(), 'long'.repeat(40)));
    expect(await broker.ended).toBe(1);
    expect(broker.stderr()).toMatch(/^ringlog: 127\.0\.0\.1:\d+ is in use by another process\. .*\n$/);
  });

  it('says in one line that a host name leads nowhere', async () => {
    const broker = startIn(temporaryFolder(), '--host', 'no such host');
    expect(await broker.ended).toBe(1);
    expect(broker.stderr()).toMatch(/^ringlog: "no such host" is no address, and no name that leads to one \(\w+\)\. .*\(--host\)\.\n$/);
  });

  it('refuses to start empty where the metadata is gone', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'ringlog.json'), '{"formatVersion":1,"clusterId":"AAAAAAAAAAAAAAAAAAAAAQ","nodeId":1}');
    mkdirSync(join(folder, 'topics'));
    const broker = startIn(folder);
    expect(await broker.ended).toBe(1);
    expect(broker.stderr()).toMatch(/^ringlog: .*meta is missing: the metadata of this data folder is gone.*\n$/);
  });

  it.each([
    [
      ['start', '--set', 'num.partition=2'],
      /^ringlog: --set num\.partition: Unknown broker setting "num\.partition"\. Did you mean "num\.partitions"\?\n$/,
    ],
    [['start', '--port', 'x'], /^ringlog: Invalid port "x"/],
    [['start', '--set', '__proto__=1'], /^ringlog: --set __proto__: Unknown broker setting "__proto__"\.\n$/],
    [['start', '--bogus'], /unknown option '--bogus'/],
    [['strat'], /unknown command 'strat'[\s\S]*Did you mean start/],
  ])('exits with 2 for bad usage: %j', async (args, message) => {
    const broker = ringlog(...args);
    expect(await broker.ended).toBe(2);
    expect(broker.stderr()).toMatch(message);
    expect(broker.stderr()).not.toMatch(/\n {4}at /);
  });

  it('explains itself with examples', async () => {
    const help = ringlog('start', '--help');
    expect(await help.ended).toBe(0);
    expect(help.stdout()).toMatch(/Examples:\n +ringlog start .*\n.*--data-dir/);
  });
});

describe.skipIf(process.platform === 'win32')('ringlog under npm', () => {
  const npmStart = (folder: string) => run('npm', ['start', '--', '--port', '0', '--http-port', '-1', '--data-dir', folder], { cwd: root });

  it.each(['SIGTERM', 'SIGKILL'] as const)('stops when npm ends by %s', async (signal) => {
    const folder = temporaryFolder();
    const npm = npmStart(folder);
    await npm.until(IS_UP);
    npm.child.kill(signal);
    await npm.until('ringlog stopped');
    await startIn(folder).until(IS_UP);
  });

  it('stops when npm ends, also when nobody asks for the outcome of npm', async () => {
    // The shell becomes `sleep`, which waits for none of its children: what is left of npm stays.
    const npm = `npm start -- --port 0 --data-dir ${temporaryFolder()}`;
    const keeper = run('sh', ['-c', `${npm} & echo "npm is $!"; exec sleep 600`], { cwd: root });
    const [, pid] = await keeper.until(/npm is (\d+)\n/);
    await keeper.until(IS_UP);
    process.kill(Number(pid), 'SIGKILL');
    await keeper.until('ringlog stopped');
  });
});

describe('setup before start and test', () => {
  it('does and says nothing when all is up to date', async () => {
    const setup = run(process.execPath, [join(root, '.ci/setup.mjs')]);
    expect(await setup.ended).toBe(0);
    expect(setup.stdout() + setup.stderr()).toBe('');
  });
});
