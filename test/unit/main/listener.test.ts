import { once } from 'node:events';
import net from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { metadata } from '../../../src/protocol/apis/03-metadata.ts';
import { encodeRequestFrame } from '../../../src/protocol/frame.ts';
import { IngressBench } from '../../support/ingress-bench.ts';
import { batchOf, produceFrame, until, WireClient } from '../../support/wire-client.ts';

let bench: IngressBench;
afterEach(() => bench.stop());

const settle = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const frame = produceFrame(1, 't', [{ partition: 0, records: batchOf(20_000) }]);

describe('listener', () => {
  it('refuses connections above the limit and takes new ones when others have gone', async () => {
    bench = await IngressBench.start({ connectionsMax: 3 });
    bench.router.addTopic('t', [bench.shard.link]);
    bench.runShard();
    const clients = [await bench.connect(), await bench.connect(), await bench.connect()];
    await until(() => bench.ingress.listener.size === 3, 'three');
    const fourth = await bench.connect();
    await fourth.waitClosed();
    expect(bench.ingress.listener.counters.refused).toBe(1);
    clients[0]!.destroy();
    await until(() => bench.ingress.listener.size === 2, 'two');
    const fifth = await bench.connect();
    fifth.write(frame);
    expect((await fifth.nextProduce()).correlationId).toBe(1);
  });

  it('refuses an address more than its share, tells it apart from the others, and gives back what it closed', async () => {
    bench = await IngressBench.start({ host: '0.0.0.0', connectionsPerAddressMax: 2 });
    bench.router.addTopic('t', [bench.shard.link]);
    bench.runShard();
    const from = async (localAddress: string): Promise<net.Socket> => {
      const socket = net.connect({ host: '127.0.0.1', port: bench.port, localAddress });
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      return socket;
    };
    const greedy = [await from('127.0.0.2'), await from('127.0.0.2')];
    await until(() => bench.ingress.listener.size === 2, 'two');
    await once(await from('127.0.0.2'), 'close');
    expect(bench.ingress.listener.counters.refused).toBe(1);
    expect(bench.logger.lines).toMatchObject([{ level: 'warn', fields: { remote: '127.0.0.2', max: 2 } }]);
    const other = await from('127.0.0.3');
    other.write(frame);
    await once(other, 'data');
    greedy[0]!.destroy();
    await until(() => bench.ingress.listener.size === 2, 'one gone');
    const next = await from('127.0.0.2');
    next.write(frame);
    await once(next, 'data');
    for (const socket of [other, next, ...greedy]) socket.destroy();
  });

  it('counts an address that has a limit of its own by that, and the others by the common one', async () => {
    bench = await IngressBench.start({
      host: '0.0.0.0',
      connectionsPerAddressMax: 1,
      connectionsOfAddressMax: new Map([
        ['127.0.0.2', 0],
        ['127.0.0.3', 3],
      ]),
    });
    const closed = async (localAddress: string): Promise<boolean> => {
      const socket = net.connect({ host: '127.0.0.1', port: bench.port, localAddress });
      socket.on('error', () => undefined);
      const { size, counters } = bench.ingress.listener;
      const { refused } = counters;
      await once(socket, 'connect');
      await until(() => bench.ingress.listener.size > size || counters.refused > refused, 'it was judged');
      return counters.refused > refused;
    };
    expect([await closed('127.0.0.2'), await closed('127.0.0.4'), await closed('127.0.0.4')]).toEqual([true, false, true]);
    for (let n = 0; n < 3; n++) expect(await closed('127.0.0.3')).toBe(false);
    expect(await closed('127.0.0.3')).toBe(true);
    expect(bench.logger.lines.map(({ fields }) => fields)).toMatchObject([
      { remote: '127.0.0.2', max: 0 },
      { remote: '127.0.0.4', max: 1 },
      { remote: '127.0.0.3', max: 3 },
    ]);
  });

  it('takes nobody from where nobody may come', async () => {
    bench = await IngressBench.start({ connectionsPerAddressMax: 0 });
    await (await bench.connect()).waitClosed();
    expect(bench.ingress.listener.counters).toMatchObject({ accepted: 0, refused: 1 });
  });

  it('says once for each what a client that speaks something else was taken for', async () => {
    bench = await IngressBench.start();
    const cases: [string, Buffer | string][] = [
      ['looks like TLS', Buffer.from('16030102000100', 'hex')],
      ['looks like HTTP', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'],
      ['looks like HTTP', 'PRI * HTTP/2.0\r\n'],
      ['looks like SSH', 'SSH-2.0-OpenSSH_9.2\r\n'],
      ['no request of the Kafka protocol', Buffer.from('ffffffff', 'hex')],
    ];
    for (const [expected, bytes] of cases) {
      bench.logger.lines.length = 0;
      const client = await bench.connect();
      client.socket.write(bytes);
      await client.waitClosed();
      const warned = bench.logger.lines.filter(({ level }) => level === 'warn');
      expect(warned).toHaveLength(1);
      expect(warned[0]).toMatchObject({ message: expect.stringContaining(expected), fields: { remote: '127.0.0.1' } });
    }
    expect(bench.ingress.listener.counters.closedBad).toBe(cases.length);
  });

  it('ends connections that are idle, and none that wait for an answer', async () => {
    bench = await IngressBench.start({ connectionIdleMsMax: 200 });
    bench.router.addTopic('t', [bench.shard.link]);
    const idle = await bench.connect();
    const waiting = await bench.connect();
    const halfSize = await bench.connect();
    waiting.write(frame);
    halfSize.write(frame.subarray(0, 2));
    const before = Date.now();
    await Promise.all([idle.waitClosed(), halfSize.waitClosed()]);
    expect(Date.now() - before).toBeGreaterThan(150);
    await settle(300);
    expect(waiting.closed).toBe(false);
    bench.step();
    expect((await waiting.nextProduce()).correlationId).toBe(1);
    await waiting.waitClosed();
    expect(bench.ingress.listener.counters.closedIdle).toBe(3);
  });

  it('ends connections that do not take their answers', async () => {
    bench = await IngressBench.start({ connectionIdleMsMax: 300 });
    let freed = 0;
    bench.ingress.handle(3, (request) => {
      const answer = Buffer.alloc(16 * 1024 * 1024);
      answer.writeInt32BE(answer.length - 4);
      request.respond([answer], () => freed++);
    });
    const client = await bench.connect();
    client.socket.pause();
    const ask = encodeRequestFrame(metadata, 1, 1, 'c', { topics: [] });
    client.write(Buffer.concat([ask, ask]));
    await until(() => bench.ingress.listener.size === 1, 'accepted');
    await until(() => bench.ingress.listener.size === 0, 'ended');
    await until(() => freed === 1, 'its answer is freed');
    expect(bench.ingress.listener.counters.closedIdle).toBe(1);
  });

  it('ends a connection whose request stops in the middle, with its memory, but not one that gets on', async () => {
    bench = await IngressBench.start({ grantStallMs: 200 });
    bench.router.addTopic('t', [bench.shard.link]);
    bench.runShard();
    const stopped = await bench.connect();
    const slow = await bench.connect();
    stopped.write(frame.subarray(0, 15_000));
    const feeding = (async (): Promise<void> => {
      for (let at = 0; at < frame.length; at += 1500) {
        slow.write(frame.subarray(at, Math.min(frame.length, at + 1500)));
        await settle(60);
      }
    })();
    await stopped.waitClosed();
    await feeding;
    expect((await slow.nextProduce()).correlationId).toBe(1);
    expect(bench.ingress.listener.counters.closedStalled).toBe(1);
    expect(bench.usedBytes).toBe(0);
  });

  it('does not hold it against a client that the broker itself does not read on', async () => {
    bench = await IngressBench.start({ grantStallMs: 100 });
    bench.router.addTopic('t', [bench.shard.link]);
    const client = await bench.connect();
    // Sixteen unanswered, and the seventeenth is only partly read.
    client.write(Buffer.concat(new Array<Buffer>(17).fill(frame)));
    await until(() => bench.shard.waiting === 16, 'sixteen');
    await settle(400);
    expect(client.closed).toBe(false);
    bench.runShard();
    for (let n = 0; n < 17; n++) await client.nextProduce();
    expect(bench.usedBytes).toBe(0);
  });

  it('stops with all its connections', async () => {
    bench = await IngressBench.start();
    const client = await bench.connect();
    await until(() => bench.ingress.listener.size === 1, 'accepted');
    bench.ingress.stop();
    await client.waitClosed();
    await expect(WireClient.connect(bench.port)).rejects.toThrow('ECONNREFUSED');
  });

  it('says so when its address is taken', async () => {
    bench = await IngressBench.start();
    await expect(IngressBench.start({ port: bench.port })).rejects.toThrow('EADDRINUSE');
  });

  it('leaves the address alone for a moment when no descriptor is free, and then accepts again', async () => {
    bench = await IngressBench.start();
    bench.router.addTopic('t', [bench.shard.link]);
    bench.runShard();
    const open = await bench.connect();
    const listener = bench.ingress.listener as unknown as { server: { emit(event: string, error: Error): void } };
    const error = Object.assign(new Error('accept EMFILE'), { code: 'EMFILE' });
    listener.server.emit('error', error);
    expect(bench.logger.has('EMFILE')).toBe(true);
    await expect(WireClient.connect(bench.port)).rejects.toThrow('ECONNREFUSED');
    open.write(frame);
    expect((await open.nextProduce()).correlationId).toBe(1);
    await settle(300);
    const late = await bench.connect();
    late.write(frame);
    expect((await late.nextProduce()).correlationId).toBe(1);
  });
});
