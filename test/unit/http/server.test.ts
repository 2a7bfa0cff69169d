/** The HTTP server alone: what its clients may do to it. */
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { HttpServer, TURN_MS } from '../../../src/http/server.ts';
import { HANG_MS } from '../../support/limits.ts';

async function start(body = 'hello\n'): Promise<{ port: number; made: () => number }> {
  let made = 0;
  const server = new HttpServer((path) => {
    if (path === '/broken') return Promise.reject(new Error('broken'));
    if (path !== '/page') return undefined;
    made++;
    return Promise.resolve({ status: 200, type: 'text/plain', body: Buffer.from(body) });
  });
  onTestFinished(() => server.close());
  return { port: await server.listen('127.0.0.1', 0), made: () => made };
}

function ask(port: number, path: string, method = 'GET', body?: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, method, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => void (text += piece));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

/** A connection that sends `bytes` and reads whatever comes; resolves at its end. */
function raw(port: number, bytes: string): { socket: Socket; ended: Promise<string> } {
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  let text = '';
  socket.setEncoding('latin1').on('data', (piece: string) => void (text += piece));
  socket.on('error', () => undefined);
  socket.write(bytes);
  const ended = new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the connection stayed open')), HANG_MS);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(text);
    });
  });
  return { socket, ended };
}

describe('the HTTP server', () => {
  it('answers GET and HEAD, with or without a query', async () => {
    const { port } = await start();
    expect(await ask(port, '/page')).toEqual({ status: 200, text: 'hello\n' });
    expect(await ask(port, '/page?debug=1')).toEqual({ status: 200, text: 'hello\n' });
    expect(await ask(port, '/page', 'HEAD')).toEqual({ status: 200, text: '' });
  });

  it('says what there is to whoever asks for something else, and refuses other methods and their bodies', async () => {
    const { port, made } = await start();
    expect(await ask(port, '/')).toMatchObject({ status: 404 });
    expect(await ask(port, '/page', 'POST', 'x'.repeat(100_000))).toMatchObject({ status: 405 });
    expect(await ask(port, '/page', 'DELETE')).toMatchObject({ status: 405 });
    expect(made()).toBe(0);
  });

  it('answers 500 with the reason when a page cannot be made, and goes on', async () => {
    const { port } = await start();
    expect(await ask(port, '/broken')).toEqual({ status: 500, text: 'the page could not be made: broken\n' });
    expect(await ask(port, '/page')).toMatchObject({ status: 200 });
  });

  it.each([
    ['no HTTP', '\x00\x00\x00\x1f\x00\x12\x00\x04\x00\x00\x00\x01garbage'],
    ['huge headers', `GET /page HTTP/1.1\r\nHost: x\r\nX-Large: ${'y'.repeat(64 * 1024)}\r\n\r\n`],
    ['a request line without an end', `GET /${'a'.repeat(64 * 1024)}`],
    ['an impossible body', 'GET /page HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n'],
  ])('ends a connection with %s, and serves the next one', async (_what, bytes) => {
    const { port, made } = await start();
    expect(await raw(port, bytes).ended).not.toContain('200 OK');
    expect(made()).toBe(0);
    expect(await ask(port, '/page')).toMatchObject({ status: 200 });
  });

  it('ends a client that sends a header and never its end', async () => {
    const { port } = await start();
    const slow = raw(port, 'GET /page HTTP/1.1\r\nHost: x\r\n');
    const drip = setInterval(() => slow.socket.write('X-A: b\r\n'), 200);
    onTestFinished(() => clearInterval(drip));
    expect(await slow.ended).not.toContain('200 OK');
    expect(await ask(port, '/page')).toMatchObject({ status: 200 });
  });

  it('makes one answer a turn, however many are asked for at once', async () => {
    const { port } = await start();
    const beganMs = performance.now();
    const answers = await Promise.all(Array.from({ length: 40 }, () => ask(port, '/page')));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    // Timers may be a millisecond early; they are never all early.
    expect(performance.now() - beganMs).toBeGreaterThan(40 * (TURN_MS - 1));
  });

  it('ends a connection that asks for more than may wait, whatever it asks with one write', async () => {
    const { port, made } = await start();
    await raw(port, 'GET /page HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(1000)).ended;
    expect(made()).toBeLessThan(1000);
    expect(await ask(port, '/page')).toMatchObject({ status: 200 });
  });
});
