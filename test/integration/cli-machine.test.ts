/** `ringlog doctor` and `ringlog bench` as a person calls them. */
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startBroker } from '../support/broker-process.ts';
import { cli } from '../support/command-line.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

interface Check {
  name: string;
  status: 'ok' | 'warn' | 'fail';
  found: string;
  advice: string;
}

async function doctor(...args: string[]): Promise<{ code: unknown; checks: Record<string, Check> }> {
  const { code, stdout, stderr } = await cli(['doctor', '--json', ...args]);
  expect(stderr).toBe('');
  return { code, checks: Object.fromEntries((JSON.parse(stdout) as Check[]).map((check) => [check.name, check])) };
}

describe('ringlog doctor', () => {
  it('looks at everything, says so, and leaves nothing behind', async () => {
    const folder = temporaryFolder();
    const { code, checks } = await doctor('--data-dir', join(folder, 'new'), '--port', '0');
    expect(Object.keys(checks)).toEqual(
      expect.arrayContaining([
        'Node.js',
        'processors',
        'memory',
        'open files',
        'clock',
        'settings',
        'data folder',
        'port',
        'metrics',
        'disk space',
        'file system',
        'sync',
      ]),
    );
    expect(checks['sync']?.found).toMatch(/^4 KiB are on disk after \d+\.\d\d ms/);
    for (const name of ['Node.js', 'clock', 'settings', 'data folder', 'port'])
      expect(checks[name]).toMatchObject({ status: 'ok', advice: '' });
    expect(code).toBe(Object.values(checks).some(({ status }) => status === 'fail') ? 1 : 0);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('finds a port in use, a folder in use, and a wrong setting, says what to do, and ends with 1', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const dataDir = temporaryFolder();
    await startBroker({ dataDir });
    const { code, checks } = await doctor('--data-dir', dataDir, '--port', String(port));
    expect(checks['port']).toMatchObject({
      status: 'fail',
      found: `127.0.0.1:${port} is in use`,
      advice: expect.stringContaining('--port'),
    });
    const pages = await doctor('--data-dir', dataDir, '--port', '0', '--http-port', String(port));
    expect(pages.checks['metrics']).toMatchObject({
      status: 'fail',
      found: `127.0.0.1:${port} is in use`,
      advice: expect.stringContaining('--http-port'),
    });
    expect(checks['data folder']).toMatchObject({ status: 'fail', found: expect.stringMatching(/is in use by process \d+/) });
    expect(code).toBe(1);
    const wrong = await doctor('--set', 'num.partition=2', '--data-dir', dataDir);
    expect(wrong.checks['settings']).toMatchObject({ status: 'fail', found: expect.stringContaining('Did you mean "num.partitions"?') });
    expect(wrong.code).toBe(1);
  });

  it('looks at the settings of a file, as a start does', async () => {
    const folder = temporaryFolder();
    const config = join(folder, 'ringlog.yaml');
    writeFileSync(config, 'num.partition: 2\n');
    const { code, checks } = await doctor('--config', config, '--data-dir', folder, '--port', '0');
    expect(checks['settings']).toMatchObject({
      status: 'fail',
      found: expect.stringMatching(/ringlog\.yaml:1: .*Did you mean "num\.partitions"\?/),
    });
    expect(code).toBe(1);
  });

  it('finds data of a newer version', async () => {
    const dataDir = temporaryFolder();
    writeFileSync(join(dataDir, 'ringlog.json'), '{"formatVersion":99}');
    const { checks } = await doctor('--data-dir', dataDir, '--port', '0');
    expect(checks['data folder']).toMatchObject({ status: 'fail', found: expect.stringContaining('has format 99') });
  });

  it('prints for a person what is wrong with an arrow to what to do', async () => {
    const { stdout } = await cli(['doctor', '--set', 'num.partition=2', '--port', '0', '--data-dir', temporaryFolder()]);
    expect(stdout).toMatch(/\nFAIL {2}settings +--set num\.partition: Unknown broker setting "num\.partition"\..*\n +→ .+\n/);
    expect(stdout).toMatch(/\n\d+ failures?, \d+ warnings?\.\n$/);
  });
});

describe('ringlog bench', () => {
  interface Measured {
    produce: { records: number; ackMs: { p50: number; p99: number } };
    steady: { records: number; ackMs: { p50: number }; endToEndMs: { p50: number; max: number } };
    consume: { records: number };
  }

  it('runs a broker of its own, measures, and leaves nothing behind', async () => {
    const parent = temporaryFolder();
    const { code, stdout, stderr } = await cli(['bench', '--duration', '300ms', '--rate', '50', '--data-dir', parent, '--json']);
    expect([code, stderr.replace(/^ringlog: .* is memory, not a disk.*\n/, '')]).toEqual([0, '']);
    const { produce, steady, consume } = JSON.parse(stdout) as Measured;
    expect(produce.records).toBeGreaterThan(0);
    expect(produce.ackMs.p50).toBeGreaterThan(0);
    expect(produce.ackMs.p99).toBeGreaterThanOrEqual(produce.ackMs.p50);
    expect(steady.records).toBe(15);
    expect(steady.endToEndMs.max).toBeGreaterThanOrEqual(steady.endToEndMs.p50);
    expect(consume.records).toBeGreaterThanOrEqual(produce.records + steady.records);
    expect(readdirSync(parent)).toEqual([]);
  });

  it('takes a broker that runs, and removes its topic', async () => {
    const broker = await startBroker({ dataDir: temporaryFolder() });
    const bootstrap = `127.0.0.1:${broker.port}`;
    const { code, stdout } = await cli([
      'bench',
      '-b',
      bootstrap,
      '-t',
      '200ms',
      '-r',
      '50',
      '--durability',
      'page-cache',
      '--size',
      '100',
    ]);
    expect(stdout).toMatch(
      /^records of 100 B, acks all, durability page-cache; times in ms\n +RECORDS\/S +BYTES +P50 +P99 +P99\.9 +MAX\n(?:.+\n){4}$/,
    );
    expect(code).toBe(0);
    expect((await cli(['topic', 'list', '-b', bootstrap])).stdout).toBe('');
  });
});
