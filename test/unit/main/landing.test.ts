import net from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { openLandingSocket, type LandingSink } from '../../../src/main/landing.ts';
import { until } from '../../support/wire-client.ts';

const servers: net.Server[] = [];
const sockets: net.Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

/** A pair of a client socket and a landing socket with `sink`. */
async function pair(sink: LandingSink): Promise<{ client: net.Socket; landing: net.Socket; server: net.Server }> {
  let landing: net.Socket | null = null;
  const server = net.createServer({ pauseOnConnect: true }, (accepted) => {
    landing = openLandingSocket(accepted, sink, 1024);
    landing?.on('error', () => {});
    sockets.push(landing as net.Socket);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  client.on('error', () => {});
  sockets.push(client);
  await until(() => landing !== null, 'accepted');
  return { client, landing: landing as unknown as net.Socket, server };
}

/** Keeps what lands, and the order of the calls. */
class Recorder implements LandingSink {
  readonly calls: string[] = [];
  readonly bytes: number[] = [];
  readonly memory = Buffer.from(new SharedArrayBuffer(64 * 1024));
  size = 16;
  stopAfter = Infinity;
  private at = 0;

  view(): Buffer {
    this.calls.push('view');
    this.at = (this.at + 4096) % this.memory.length;
    return this.memory.subarray(this.at, this.at + this.size);
  }

  landed(view: Buffer, count: number): boolean {
    this.calls.push(`landed ${count}`);
    this.bytes.push(...view.subarray(0, count));
    return --this.stopAfter > 0;
  }
}

const numbers = (count: number, from = 0): Buffer => Buffer.from(Array.from({ length: count }, (_, n) => (from + n) & 0xff));

describe('landing sockets', () => {
  it('do not read before resume, then bring every byte once and in order, in a new view each time', async () => {
    const sink = new Recorder();
    const { client, landing } = await pair(sink);
    client.write(numbers(200));
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(sink.bytes).toEqual([]);
    landing.resume();
    await until(() => sink.bytes.length === 200, 'all landed');
    expect(sink.bytes).toEqual([...numbers(200)]);
    // One view before each read, and one for the next.
    expect(sink.calls.filter((call) => call === 'view').length).toBe(sink.calls.filter((call) => call !== 'view').length + 1);
  });

  it('stop when the callback says so, with the view for the next read already chosen, and go on after resume', async () => {
    const sink = new Recorder();
    const { client, landing } = await pair(sink);
    sink.stopAfter = 1;
    landing.resume();
    client.write(numbers(100));
    await until(() => sink.bytes.length === 16, 'first view');
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(sink.bytes.length).toBe(16);
    // The trap: the generator ran once more after the stop, so this size only counts from the read after the next on.
    expect(sink.calls.at(-1)).toBe('view');
    sink.size = 1000;
    sink.stopAfter = Infinity;
    landing.resume();
    await until(() => sink.bytes.length === 100, 'the rest');
    expect(sink.calls.filter((call) => call.startsWith('landed'))).toEqual(['landed 16', 'landed 16', 'landed 68']);
    expect(sink.bytes).toEqual([...numbers(100)]);
  });

  it('survive being destroyed inside the callback', async () => {
    const sink = new Recorder();
    const { client, landing } = await pair(sink);
    const original = sink.landed.bind(sink);
    sink.landed = (view, count) => {
      landing.destroy();
      return original(view, count);
    };
    landing.resume();
    client.write(numbers(100));
    await until(() => landing.closed, 'closed');
    expect(sink.bytes.length).toBe(16);
  });

  it('leave nothing behind in their server: it closes though they live on', async () => {
    const sink = new Recorder();
    const { client, landing, server } = await pair(sink);
    landing.resume();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    client.write(numbers(10));
    await until(() => sink.bytes.length === 10, 'still lands');
    landing.write('x');
    const answer = await new Promise<Buffer>((resolve) => client.once('data', resolve));
    expect(answer.toString()).toBe('x');
    client.destroy();
    await until(() => landing.closed, 'closes with its client');
  });

  it('are not made for a client that is already gone', () => {
    expect(openLandingSocket(new net.Socket(), new Recorder(), 1024)).toBe(null);
  });
});
