/** What only a process of its own shows of a command: exit codes, signals, streams that are pipes, and who is left when it is killed. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { brokerWithCli, cli } from '../support/command-line.ts';
import { eventually } from '../support/broker-process.ts';
import { ringlog } from '../support/process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const BIN = join(import.meta.dirname, '../../dist/bin.js');

let ok: Awaited<ReturnType<typeof brokerWithCli>>['ok'];
let run: Awaited<ReturnType<typeof brokerWithCli>>['run'];
let bootstrap = '';

beforeAll(async () => {
  const commands = await brokerWithCli();
  ({ ok, run, bootstrap } = commands);
  return commands.stop;
});

/** A command in a process of its own, with something on its standard input. */
function inProcess(words: readonly string[], input = '') {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...words], { input, encoding: 'utf8' });
  return { code: status, stdout, stderr };
}

describe('the process of a command', () => {
  it('reads and writes its own streams, and ends with 0', async () => {
    expect(inProcess(['produce', 'piped', '-b', bootstrap], 'one\ntwo')).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(inProcess(['consume', 'piped', '-b', bootstrap])).toEqual({ code: 0, stdout: 'one\ntwo\n', stderr: '' });
  });

  it('ends with 1 when something failed, and with 2 when it was called wrongly', () => {
    expect(inProcess(['consume', 'nowhere', '-b', bootstrap])).toEqual({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^ringlog: UNKNOWN_TOPIC_OR_PARTITION: .*\n$/),
    });
    expect(inProcess(['topic', 'crate', 'x'])).toEqual({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/unknown command 'crate'[\s\S]*Did you mean create\?/),
    });
    expect(inProcess(['doctor', '--set', 'num.partition=2', '--port', '0', '--data-dir', temporaryFolder()])).toMatchObject({
      code: 1,
      stderr: '',
    });
  });

  it('sends what it was given when it is interrupted, and ends with 130', async () => {
    const producer = spawn(process.execPath, [BIN, 'produce', 'interrupted', '-b', bootstrap], { stdio: 'pipe' });
    onTestFinished(() => void producer.kill('SIGKILL'));
    const ended = once(producer, 'exit');
    producer.stdin.write('one\ntwo');
    await expect.poll(() => run(['consume', 'interrupted']), { timeout: 60_000 }).toMatchObject({ stdout: 'one\n' });
    producer.kill('SIGINT');
    expect(await ended).toEqual([130, null]);
    expect([producer.stdout.read(), producer.stderr.read()]).toEqual([null, null]);
    expect(await ok(['consume', 'interrupted'])).toBe('one\n');
  });

  it('follows until Ctrl-C, and ends quietly', async () => {
    await ok(['produce', 'followed'], 'before\n');
    const consumer = ringlog('consume', 'followed', '--follow', '-b', bootstrap);
    await consumer.until('before\n');
    await ok(['produce', 'followed'], 'after\n');
    await consumer.until('after\n');
    consumer.child.kill('SIGINT');
    expect(await consumer.ended).toBe(0);
    expect(consumer.stdout()).toBe('before\nafter\n');
    expect(consumer.stderr()).toBe('');
  });

  it('ends quietly when nobody reads on', async () => {
    await ok(['produce', 'long'], Array.from({ length: 200_000 }, (_, n) => `${n}\n`).join(''));
    const command = `"${process.execPath}" "${BIN}" consume long -b ${bootstrap} | head -n 2`;
    const { status, stdout, stderr } = spawnSync('bash', ['-o', 'pipefail', '-c', command], { encoding: 'utf8' });
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '0\n1\n', stderr: '' });
  });

  it('takes the broker of a bench with it, also when it is killed', async () => {
    const parent = temporaryFolder();
    const bench = ringlog('bench', '--duration', '10m', '--data-dir', parent);
    const verify = async () => cli(['log', 'verify', '--json', '--data-dir', join(parent, readdirSync(parent)[0] ?? 'none', 'data')]);
    await eventually(async () => /is in use by process \d+/.test((await verify()).stderr), 'the bench has a broker');
    bench.child.kill('SIGKILL');
    await eventually(async () => (await verify()).code === 0, 'the broker is gone');
    expect(JSON.parse((await verify()).stdout)).toMatchObject({ stoppedInOrder: true });
  });
});
