import { afterEach, describe, expect, it } from 'vitest';
import { metadata } from '../../../src/protocol/apis/03-metadata.ts';
import { encodeRequestFrame } from '../../../src/protocol/frame.ts';
import { MalformedError } from '../../../src/protocol/protocol-errors.ts';
import type { Request } from '../../../src/main/requests.ts';
import { IngressBench } from '../../support/ingress-bench.ts';
import { batchOf, produceFrame, until, type WireClient } from '../../support/wire-client.ts';

let bench: IngressBench;
afterEach(() => bench.stop());

const METADATA = 3;
const settle = (ms = 30): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const metadataFrame = (correlationId: number): Buffer =>
  encodeRequestFrame(metadata, 1, correlationId, 'client', { topics: [{ name: 'x'.repeat(20) }] });

/** An answer that is only a header and some bytes. */
function answer(correlationId: number, bytes = 0): Buffer {
  const frame = Buffer.alloc(8 + bytes);
  frame.writeInt32BE(4 + bytes, 0);
  frame.writeInt32BE(correlationId, 4);
  return frame;
}

async function correlationIds(client: WireClient, count: number): Promise<number[]> {
  const ids: number[] = [];
  while (ids.length < count) ids.push((await client.next()).readInt32BE(0));
  return ids;
}

describe('requests of one connection', () => {
  it('run alone and in order unless they are Produce', async () => {
    bench = await IngressBench.start();
    bench.router.addTopic('t', [bench.shard.link]);
    const running: Request[] = [];
    bench.ingress.handle(METADATA, (request) => {
      expect(running.length).toBe(0);
      running.push(request);
    });
    const client = await bench.connect();
    const produceOf = (n: number): Buffer => produceFrame(n, 't', [{ partition: 0, records: batchOf(10) }]);
    client.write(
      Buffer.concat([produceOf(1), produceOf(2), metadataFrame(3), produceOf(4), metadataFrame(5), metadataFrame(6), produceOf(7)]),
    );
    await until(() => bench.shard.waiting === 2, 'produce overlaps');
    await settle();
    expect(running.length).toBe(0);
    bench.step();
    await until(() => running.length === 1, 'metadata runs');
    expect(await correlationIds(client, 2)).toEqual([1, 2]);
    await settle();
    expect(bench.shard.waiting).toBe(0);
    for (const id of [3, 5, 6]) {
      await until(() => running.length === 1, `request ${id} runs`);
      const request = running.pop()!;
      expect(request.correlationId).toBe(id);
      expect(request.clientId).toBe('client');
      request.respond([answer(id)]);
      if (id === 3) {
        await until(() => bench.shard.waiting === 1, 'produce behind it');
        bench.step();
      }
    }
    await until(() => bench.shard.waiting === 1, 'the last produce');
    bench.step();
    expect(await correlationIds(client, 5)).toEqual([3, 4, 5, 6, 7]);
    expect(bench.usedBytes).toBe(0);
  });

  it('tell a waiting one when another queues behind it, also if that was so before it asked', async () => {
    bench = await IngressBench.start();
    let running: Request | null = null;
    bench.ingress.handle(METADATA, (request) => {
      running = request;
    });
    const take = async (): Promise<Request> => {
      await until(() => running !== null, 'runs');
      const request = running as unknown as Request;
      running = null;
      return request;
    };
    const client = await bench.connect();
    client.write(metadataFrame(1));
    const first = await take();
    let queued = 0;
    first.onQueued = () => {
      queued++;
      first.respond([answer(1)]);
    };
    await settle();
    expect(queued).toBe(0);
    client.write(Buffer.concat([metadataFrame(2), metadataFrame(3)]));
    const second = await take();
    expect(queued).toBe(1);
    await settle();
    second.onQueued = () => second.respond([answer(2)]);
    const third = await take();
    third.respond([answer(3)]);
    expect(await correlationIds(client, 3)).toEqual([1, 2, 3]);
  });

  it('are given up when the connection closes, and answers after that go nowhere', async () => {
    bench = await IngressBench.start();
    const requests: Request[] = [];
    bench.ingress.handle(METADATA, (request) => {
      requests.push(request);
    });
    const client = await bench.connect();
    client.write(metadataFrame(1));
    await until(() => requests.length === 1, 'runs');
    let closed = 0;
    requests[0]!.onClosed = () => closed++;
    client.destroy();
    await until(() => closed === 1, 'told');
    expect(requests[0]!.connection.open).toBe(false);
    let drained = 0;
    requests[0]!.respond([answer(1)], () => drained++);
    expect(drained).toBe(1);
    expect(() => requests[0]!.respond([answer(1)])).toThrow('answered twice');
  });

  it('free the pieces of an answer when the kernel has them, or the client is gone', async () => {
    bench = await IngressBench.start();
    let drained = 0;
    const piece = Buffer.alloc(1024 * 1024);
    bench.ingress.handle(METADATA, (request) => {
      const head = answer(request.correlationId);
      head.writeInt32BE(4 + 8 * piece.length, 0);
      request.respond([head, ...new Array<Buffer>(8).fill(piece)], () => drained++);
    });
    const reading = await bench.connect();
    reading.write(metadataFrame(1));
    expect((await reading.next()).length).toBe(4 + 8 * piece.length);
    await until(() => drained === 1, 'drained');
    const stuck = await bench.connect();
    stuck.socket.pause();
    stuck.write(Buffer.concat([metadataFrame(1), metadataFrame(2)]));
    await settle(100);
    // The second one is not even started: the client does not take the first answer.
    expect(drained).toBe(1);
    stuck.destroy();
    await until(() => drained === 2, 'freed at close');
    await settle();
    expect(drained).toBe(2);
  });

  it('close the connection when their handler throws, without a word for malformed ones and loudly for bugs', async () => {
    bench = await IngressBench.start();
    const errors: unknown[] = [new MalformedError('Metadata', 'topics', 0, 'cut short'), new Error('a bug')];
    bench.ingress.handle(METADATA, () => {
      throw errors.shift();
    });
    for (let n = 0; n < 2; n++) {
      const client = await bench.connect();
      client.write(metadataFrame(1));
      await client.waitClosed();
    }
    errors.push(new Error('rejected'));
    bench.ingress.handle(METADATA, async () => {
      await settle(5);
      throw errors.shift();
    });
    const client = await bench.connect();
    client.write(metadataFrame(1));
    await client.waitClosed();
    expect(bench.logger.lines.filter(({ level }) => level === 'error').length).toBe(2);
  });

  it('know the addresses of their connection, IPv4 as IPv4', async () => {
    bench = await IngressBench.start({ host: '::' });
    let seen: object | null = null;
    bench.ingress.handle(METADATA, (request) => {
      const { localAddress, localPort, remoteAddress } = request.connection;
      seen = { localAddress, localPort, remoteAddress };
      request.respond([answer(1)]);
    });
    const client = await bench.connect();
    client.write(metadataFrame(1));
    await client.next();
    expect(seen).toEqual({ localAddress: '127.0.0.1', localPort: bench.port, remoteAddress: '127.0.0.1' });
  });
});

describe('bad input', () => {
  const bytesOf = (...parts: (number | Buffer)[]): Buffer =>
    Buffer.concat(
      parts.map((part) => {
        if (typeof part !== 'number') return part;
        const size = Buffer.alloc(4);
        size.writeInt32BE(part);
        return size;
      }),
    );
  const header = (apiKey: number, version: number): Buffer => {
    const bytes = Buffer.alloc(10);
    bytes.writeInt16BE(apiKey, 0);
    bytes.writeInt16BE(version, 2);
    bytes.writeInt16BE(-1, 8);
    return bytes;
  };

  it.each([
    ['a negative size', bytesOf(-5, Buffer.alloc(20))],
    ['a size of zero', bytesOf(0, Buffer.alloc(20))],
    ['a size above socket.request.max.bytes', bytesOf(100 * 1024 * 1024 + 1)],
    ['the largest size', bytesOf(2147483647)],
    ['a frame without a header', bytesOf(3, Buffer.alloc(3))],
    ['an unknown api', bytesOf(10, header(999, 0))],
    ['a negative api', bytesOf(10, header(-1, 0))],
    ['an unsupported version', bytesOf(10, header(METADATA, 99))],
    ['Produce of a version before record batches', bytesOf(10, header(0, 2))],
    ['Produce with nothing in it', bytesOf(10, header(0, 7))],
    ['an api without a handler', bytesOf(10, header(20, 1))],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
    ['a client id longer than the frame', bytesOf(10, Buffer.from([0, 3, 0, 1, 0, 0, 0, 1, 0x7f, 0xff]))],
  ])('%s closes its connection and no other', async (_what, bytes) => {
    bench = await IngressBench.start();
    bench.router.addTopic('t', [bench.shard.link]);
    bench.runShard();
    const good = await bench.connect();
    const bad = await bench.connect();
    bad.write(bytes);
    await bad.waitClosed();
    good.write(produceFrame(1, 't', [{ partition: 0, records: batchOf(10) }]));
    expect((await good.nextProduce()).correlationId).toBe(1);
    expect(bench.usedBytes).toBe(0);
    expect(bench.ingress.listener.size).toBe(1);
  });

  it('in the middle of good requests loses none of those before it', async () => {
    bench = await IngressBench.start();
    bench.router.addTopic('t', [bench.shard.link]);
    const client = await bench.connect();
    const good = produceFrame(1, 't', [{ partition: 0, records: batchOf(10) }]);
    client.write(Buffer.concat([good, good, bytesOf(-1), good]));
    await client.waitClosed();
    await until(() => bench.shard.waiting === 2, 'both are with the shard');
    bench.step();
    expect(bench.usedBytes).toBe(0);
  });

  it('of random bytes never hurts', async () => {
    bench = await IngressBench.start();
    bench.router.addTopic('t', [bench.shard.link]);
    bench.runShard();
    const { default: fc } = await import('fast-check');
    const frame = produceFrame(1, 't', [{ partition: 0, records: batchOf(100) }]);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(frame.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }), async (edits) => {
        const bytes = Buffer.from(frame);
        bench.shard.checkBytes = false;
        // The size stays: a larger one is only a client that has not sent everything yet.
        for (const [at, value] of edits) bytes[4 + (at % (frame.length - 4))] = value;
        const client = await bench.connect();
        client.write(bytes);
        await until(
          () => client.closed || client.frames.length > 0 || bench.ingress.listener.size === 0 || acksZero(bytes),
          'answered or closed',
        );
        client.destroy();
        await until(() => bench.ingress.listener.size === 0, 'gone');
      }),
      { numRuns: 150 },
    );
    await until(() => bench.usedBytes === 0, 'all memory is back');
    expect(bench.logger.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });

  /** Version 9: header with client id 'test' and tags, null transactional id, then acks. */
  const acksZero = (bytes: Buffer): boolean => bytes.readInt16BE(4 + 8 + 2 + 4 + 1 + 1) === 0;
});
