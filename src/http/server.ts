/**
 * The HTTP server: two pages for GET and HEAD, everything else is refused. Whoever asks much, slowly or wrongly is contained here and costs the broker nothing:
 * few connections, short time-outs, small headers, and one answer in each {@link TURN_MS}, whoever asks.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

/** One answer in this time: a flood of questions then takes a small part of one core, and an answer waits for at most {@link WAITING_MAX} of them. */
export const TURN_MS = 5;
/** Questions that may wait for their turn. */
const WAITING_MAX = 128;
const CONNECTIONS_MAX = 64;
const HEADER_BYTES_MAX = 8 * 1024;
/** For a whole request to come, and for a client to take an answer. */
const PATIENCE_MS = 5000;

/** An answer. */
export interface Page {
  readonly status: number;
  readonly type: string;
  /** UTF-8, made once: all that are answered with the same page share it. */
  readonly body: Buffer;
}

/** Makes an answer by path; undefined: there is no such page. */
export type Pages = (path: string) => Promise<Page> | undefined;

interface Waiting {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** See the file header. */
export class HttpServer {
  private readonly pages: Pages;
  private readonly server: Server;
  private readonly line: Waiting[] = [];
  private timer: NodeJS.Timeout | null = null;

  constructor(pages: Pages) {
    this.pages = pages;
    this.server = createServer(
      {
        maxHeaderSize: HEADER_BYTES_MAX,
        headersTimeout: PATIENCE_MS,
        requestTimeout: PATIENCE_MS,
        keepAliveTimeout: PATIENCE_MS,
        connectionsCheckingInterval: 1000,
      },
      (request, response) => this.take({ request, response }),
    );
    this.server.maxConnections = CONNECTIONS_MAX;
    // Ends who does not take its answer.
    this.server.setTimeout(2 * PATIENCE_MS);
    this.server.on('clientError', (_error, socket) => socket.destroy());
  }

  /** Resolves with the port; rejects with the system's error. */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen({ host, port }, () => {
        this.server.removeListener('error', reject);
        // Out of descriptors: who comes now waits, or is refused.
        this.server.on('error', () => undefined);
        resolve((this.server.address() as { port: number }).port);
      });
    });
  }

  close(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.server.close();
    this.server.closeAllConnections();
  }

  private take(waiting: Waiting): void {
    if (this.line.length >= WAITING_MAX) {
      waiting.request.socket.destroy();
      return;
    }
    this.line.push(waiting);
    this.timer ??= setTimeout(() => this.turn(), TURN_MS);
  }

  private turn(): void {
    this.timer = null;
    const next = this.line.shift();
    if (this.line.length > 0) this.timer = setTimeout(() => this.turn(), TURN_MS);
    if (next === undefined || next.response.destroyed) return;
    void this.answer(next);
  }

  private async answer(waiting: Waiting): Promise<void> {
    const { method, url = '/' } = waiting.request;
    if (method !== 'GET' && method !== 'HEAD') {
      waiting.response.setHeader('allow', 'GET, HEAD');
      send(waiting, textPage(405, 'only GET and HEAD\n'));
      return;
    }
    try {
      const page = await this.pages(url.split('?', 1)[0] as string);
      send(waiting, page ?? textPage(404, 'there are /metrics and /health\n'));
    } catch (error) {
      send(waiting, textPage(500, `the page could not be made: ${error instanceof Error ? error.message : String(error)}\n`));
    }
  }
}

function textPage(status: number, text: string): Page {
  return { status, type: 'text/plain; charset=utf-8', body: Buffer.from(text) };
}

function send({ request, response }: Waiting, { status, type, body }: Page): void {
  // Whatever body a request brings is nobody's: the connection ends with the answer.
  if (!request.complete) response.setHeader('connection', 'close');
  response.writeHead(status, { 'content-type': type, 'content-length': body.length, 'cache-control': 'no-store' });
  response.end(request.method === 'HEAD' ? undefined : body);
}
