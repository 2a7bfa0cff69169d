/** From start to stop: the banner, the lock of the data folder, signals, and what the next start makes of it. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { spawnBroker, startBroker, startRefused, type LogLine } from '../support/broker-process.ts';
import { batchOf } from '../support/kafka-client.ts';
import { WireClient } from '../support/wire-client.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const recovered = (line: LogLine): boolean => line.msg === 'recovered after an unclean stop';

describe('a start', () => {
  it('prints one short block with address, data folder, durability and two lines to copy, and serves at once', async () => {
    const dataDir = join(temporaryFolder(), 'data');
    const broker = await startBroker({ dataDir });
    const address = `127.0.0.1:${broker.port}`;
    const lines = broker.stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(6);
    expect(lines[0]).toMatch(/^ringlog \d+\.\d+\.\d+\S* is up$/);
    expect(lines[1]).toBe(`  address     ${address}`);
    expect(lines[2]).toBe(`  data        ${dataDir}`);
    expect(lines[3]).toMatch(/^ {2}durability {2}fsync/);
    expect(lines[4]).toContain(`kcat -P -b ${address}`);
    expect(lines[5]).toContain(`kcat -C -b ${address}`);
    expect(broker.stderr).toBe('');
    const client = await broker.connect();
    await client.createTopic('t');
    expect(await client.produce('t', 0, batchOf(['hello']))).toMatchObject({ errorCode: 0, baseOffset: 0 });
    expect(await client.readAll('t', 0)).toMatchObject([{ offset: 0, value: 'hello' }]);
  });

  it.runIf(existsSync('/dev/full'))('goes on, and stops in order, when what it says cannot be written', async () => {
    const dataDir = join(temporaryFolder(), 'data');
    const broker = await startBroker({ dataDir, wrapper: ['sh', '-c', 'exec "$0" "$@" 2> /dev/full'] });
    for (let n = 0; n < 5; n++) {
      // Worth a line of the log each.
      const stranger = await WireClient.connect(broker.port);
      stranger.write(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
      await stranger.waitClosed();
    }
    const client = await broker.connect();
    await client.createTopic('t');
    expect((await client.produce('t', 0, batchOf(['still here']))).errorCode).toBe(0);
    expect((await broker.stop()).code).toBe(0);
    expect((await startBroker({ dataDir })).log).toEqual([]);
  });

  it('is refused on a folder that another broker uses, and names it', async () => {
    const dataDir = join(temporaryFolder(), 'data');
    const first = await startBroker({ dataDir });
    const second = await startRefused({ dataDir });
    expect(second.ended.code).toBe(1);
    expect(second.stdout).toBe('');
    expect(second.stderr).toContain(`${dataDir} is in use by process ${first.child.pid}`);
    const client = await first.connect();
    await client.createTopic('t');
    expect((await client.produce('t', 0, batchOf(['still here']))).errorCode).toBe(0);
  });

  it('is not refused right after kill -9, and recovers', async () => {
    const dataDir = join(temporaryFolder(), 'data');
    const killed = await startBroker({ dataDir });
    const client = await killed.connect();
    await client.createTopic('t');
    expect((await client.produce('t', 0, batchOf(['kept']))).errorCode).toBe(0);
    killed.child.kill('SIGKILL'); // not waiting for its end
    const next = await startBroker({ dataDir });
    expect(next.log.some(recovered)).toBe(true);
    expect(await (await next.connect()).readAll('t', 0)).toMatchObject([{ offset: 0, value: 'kept' }]);
  });

  it('refuses a data folder of a newer format by name, and changes nothing in it', async () => {
    const dataDir = join(temporaryFolder(), 'data');
    await (await startBroker({ dataDir })).stop();
    const path = join(dataDir, 'ringlog.json');
    const newer = readFileSync(path, 'utf8').replace(/"formatVersion": \d+/, '"formatVersion": 99');
    writeFileSync(path, newer);
    const before = readdirSync(dataDir).sort();
    const refused = await startRefused({ dataDir });
    expect(refused.ended.code).toBe(1);
    expect(refused.stderr).toContain('format version 99');
    expect(refused.stderr).toContain(dataDir);
    expect(readFileSync(path, 'utf8')).toBe(newer);
    expect(readdirSync(dataDir).sort()).toEqual(before);
  });

  it('tells in one line that its port is taken', async () => {
    const folder = temporaryFolder();
    const first = await startBroker({ dataDir: join(folder, 'a') });
    const second = await startRefused({ dataDir: join(folder, 'b'), flags: ['--port', String(first.port)] });
    expect(second.ended.code).toBe(1);
    expect(second.stderr).toBe(
      `ringlog: 127.0.0.1:${first.port} is in use by another process. Stop it, or choose another port (--port).\n`,
    );
  });
});

describe('a stop', () => {
  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    'by %s is clean: every mode keeps what it acknowledged, and the next start recovers nothing',
    async (signal) => {
      const dataDir = join(temporaryFolder(), 'data');
      const first = await startBroker({ dataDir });
      const client = await first.connect();
      const modes = ['memory', 'page-cache', 'fsync'];
      for (const mode of modes) {
        await client.createTopic(mode, 2, { 'ringlog.durability': mode });
        for (let n = 0; n < 5; n++) expect((await client.produce(mode, n % 2, batchOf([`${mode} ${n}`]))).errorCode).toBe(0);
      }
      // With what it said last: a process that ends by another signal than its own says why there.
      const end = await first.stop(signal);
      expect({ ...end, stderr: first.stderr }).toEqual({ code: 0, signal: null, stderr: '' });
      expect(first.stdout).toMatch(/\nringlog stopped\n$/);
      expect(existsSync(join(dataDir, 'ringlog.lock'))).toBe(false);
      const second = await startBroker({ dataDir });
      expect(second.log).toEqual([]);
      const reader = await second.connect();
      for (const mode of modes) {
        expect((await reader.readAll(mode, 0)).map(({ value }) => value)).toEqual([0, 2, 4].map((n) => `${mode} ${n}`));
        expect((await reader.readAll(mode, 1)).map(({ value }) => value)).toEqual([1, 3].map((n) => `${mode} ${n}`));
      }
    },
  );

  it('under load answers or ends every request, and loses nothing acknowledged', async () => {
    const dataDir = join(temporaryFolder(), 'data');
    const first = await startBroker({ dataDir });
    const client = await first.connect();
    await client.createTopic('t', 1, { 'ringlog.durability': 'memory' });
    const acknowledged: string[] = [];
    const sent: Promise<void>[] = [];
    for (let n = 0; n < 400; n++) {
      const value = `value ${n}`;
      const answered = client.produce('t', 0, batchOf([value, Buffer.alloc(2000, 7)])).then(
        ({ errorCode }) => void (errorCode === 0 && acknowledged.push(value)),
        () => undefined,
      );
      sent.push(answered);
      if (n === 200) {
        await answered;
        first.child.kill('SIGTERM');
      }
    }
    expect((await first.whenEnded()).code).toBe(0);
    await Promise.all(sent);
    expect(acknowledged.length).toBeGreaterThan(0);
    const second = await startBroker({ dataDir });
    expect(second.log).toEqual([]);
    const values = (await (await second.connect()).readAll('t', 0)).map(({ value }) => value).filter((value) => value.startsWith('value'));
    expect(values.slice(0, acknowledged.length)).toEqual(acknowledged);
  });

  it('while it starts leaves a folder that starts', async () => {
    const dataDir = join(temporaryFolder(), 'data');
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const broker = spawnBroker({ dataDir });
      broker.child.kill(signal);
      await broker.whenEnded();
    }
    const broker = await startBroker({ dataDir });
    expect((await broker.stop()).code).toBe(0);
  });
});
