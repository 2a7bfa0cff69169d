/** A broker that stops: what has come is answered, nothing more is taken, and nobody is waited for without end. */
import net from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { metadata } from '../../../src/protocol/apis/03-metadata.ts';
import { encodeRequestFrame } from '../../../src/protocol/frame.ts';
import type { Request } from '../../../src/main/requests.ts';
import { IngressBench } from '../../support/ingress-bench.ts';
import { HANG_MS } from '../../support/limits.ts';
import { batchOf, produceFrame, until, type WireClient } from '../../support/wire-client.ts';

const METADATA = 3;
const metadataFrame = (correlationId: number): Buffer => encodeRequestFrame(metadata, 1, correlationId, 'client', { topics: [] });
const produceOf = (n: number): Buffer => produceFrame(n, 't', [{ partition: 0, records: batchOf(10) }]);

/** An answer that is only a header and some bytes. */
function answer(correlationId: number, bytes = 0): Buffer {
  const frame = Buffer.alloc(8 + bytes);
  frame.writeInt32BE(4 + bytes, 0);
  frame.writeInt32BE(correlationId, 4);
  return frame;
}

let bench: IngressBench;
afterEach(() => bench.stop());

async function startBench(): Promise<WireClient> {
  bench = await IngressBench.start();
  bench.router.addTopic('t', [bench.shard.link]);
  return bench.connect();
}

/** A drain, and whether it has ended. */
function drain(limitMs = HANG_MS): { ended: boolean; whenEnded: Promise<void> } {
  const state = { ended: false, whenEnded: Promise.resolve() };
  state.whenEnded = bench.ingress.listener.drain(limitMs).then(() => void (state.ended = true));
  return state;
}

describe('a drain', () => {
  it('ends at once where there is nobody', async () => {
    bench = await IngressBench.start();
    await bench.ingress.listener.drain(HANG_MS);
  });

  it('ends connections that want nothing', async () => {
    const client = await startBench();
    client.write(produceOf(1));
    bench.runShard();
    await client.next();
    await drain().whenEnded;
    await client.waitClosed();
    expect(bench.ingress.listener.size).toBe(0);
  });

  it('answers what has come, takes nothing more, then ends the connection', async () => {
    const client = await startBench();
    client.write(Buffer.concat([produceOf(1), produceOf(2)]));
    await until(() => bench.shard.waiting === 2, 'both are submitted');
    const drained = drain();
    await client.send(produceOf(3));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(client.closed).toBe(false);
    expect(drained.ended).toBe(false);
    bench.step();
    expect((await client.nextProduce()).correlationId).toBe(1);
    expect((await client.nextProduce()).correlationId).toBe(2);
    await client.waitClosed();
    await drained.whenEnded;
    expect(client.frames).toEqual([]);
    expect(bench.shard.waiting).toBe(0);
    expect(bench.usedBytes).toBe(0);
  });

  it('answers also what waited for its turn', async () => {
    const client = await startBench();
    bench.ingress.handle(METADATA, (request) => request.respond([answer(request.correlationId)]));
    client.write(Buffer.concat([produceOf(1), metadataFrame(2)]));
    await until(() => bench.shard.waiting === 1, 'it is submitted');
    const drained = drain();
    bench.step();
    expect((await client.next()).readInt32BE(0)).toBe(1);
    expect((await client.next()).readInt32BE(0)).toBe(2);
    await client.waitClosed();
    await drained.whenEnded;
  });

  it('hurries who waits for records, also who begins to only now', async () => {
    const client = await startBench();
    bench.ingress.handle(METADATA, (request) => {
      request.onQueued = () => request.respond([answer(request.correlationId)]);
    });
    const second = await bench.connect();
    client.write(metadataFrame(1));
    second.write(Buffer.concat([produceOf(2), metadataFrame(3)]));
    await until(() => bench.shard.waiting === 1, 'it is submitted');
    const drained = drain();
    expect((await client.next()).readInt32BE(0)).toBe(1);
    bench.step();
    expect((await second.next()).readInt32BE(0)).toBe(2);
    expect((await second.next()).readInt32BE(0)).toBe(3);
    await drained.whenEnded;
  });

  it('does not wait for who waits for other clients', async () => {
    const client = await startBench();
    let parked: Request | null = null;
    bench.ingress.handle(METADATA, (request) => {
      request.becomeParked();
      parked = request;
    });
    const second = await bench.connect();
    client.write(metadataFrame(1));
    await until(() => parked !== null, 'it waits');
    second.write(Buffer.concat([produceOf(2), metadataFrame(3)]));
    await until(() => bench.shard.waiting === 1, 'it is submitted');
    const drained = drain();
    await client.waitClosed();
    bench.step();
    expect((await second.next()).readInt32BE(0)).toBe(2);
    await second.waitClosed();
    await drained.whenEnded;
  });

  it('gives a large answer to a client that takes its time', async () => {
    const client = await startBench();
    const bytes = 8 << 20;
    bench.ingress.handle(METADATA, (request) => request.respond([answer(request.correlationId, bytes)]));
    client.socket.pause();
    client.write(metadataFrame(1));
    await until(() => bench.ingress.metrics.bytesOut > bytes, 'it is answered');
    const drained = drain();
    setTimeout(() => client.socket.resume(), 50);
    expect((await client.next()).length).toBe(4 + bytes);
    await drained.whenEnded;
  });

  it('gives a client that does not close its end little time, and ends at its limit', async () => {
    await startBench();
    // Two clients that never close: one has all its answers, the other one's never comes.
    const open = (): Promise<net.Socket> =>
      new Promise((resolve) => {
        const socket = net.connect({ port: bench.port, host: '127.0.0.1', allowHalfOpen: true }, () => resolve(socket));
        socket.on('error', () => undefined).resume();
      });
    const [idle, waiting] = [await open(), await open()];
    await until(() => bench.ingress.listener.size === 3, 'all are accepted');
    waiting.write(produceOf(1));
    await until(() => bench.shard.waiting === 1, 'it is submitted');
    await drain(1000).whenEnded;
    expect(bench.ingress.listener.size).toBe(1);
    idle.destroy();
    waiting.destroy();
  });
});
