/**
 * A network that does its worst to Produce requests: a TCP proxy that knows where a Kafka frame ends and, by a seed, repeats, delays and drops. Every other
 * request passes untouched. What it does to a Produce request:
 *
 *   pass       forwards it
 *   repeat     forwards it twice and delivers one of the two answers, the first or the second
 *   straggler  forwards it, and again a little later over a connection of its own, as a packet that took another way
 *   delay      holds it (and with it what follows on the connection)
 *   drop       ends the connection instead of forwarding it
 *   drop-late  the same, and the request arrives a little later over a connection of its own, perhaps after the client's next try
 *   swallow    forwards it, and ends the connection instead of delivering the answer
 */

import { connect, createServer } from 'node:net';

const PRODUCE = 0;
const DELAY_MS_MAX = 150;
const LATE_MS_MAX = 400;
/** Of a hundred Produce requests. */
const WEIGHTS = { repeat: 12, straggler: 8, delay: 6, drop: 3, 'drop-late': 3, swallow: 4 };

/** Cuts a stream into Kafka frames, each with its size in front. */
class Frames {
  #bytes = Buffer.alloc(0);

  *take(chunk) {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    while (this.#bytes.length >= 4 && this.#bytes.length >= 4 + this.#bytes.readInt32BE(0)) {
      const end = 4 + this.#bytes.readInt32BE(0);
      yield this.#bytes.subarray(0, end);
      this.#bytes = this.#bytes.subarray(end);
    }
  }
}

export class ProduceProxy {
  /** What was done how often. */
  counts = { pass: 0, ...Object.fromEntries(Object.keys(WEIGHTS).map((kind) => [kind, 0])) };
  #target = 0;
  #random;
  #sockets = new Set();
  #server;

  /** Listens on a port of its own; give the broker that port as its advertised one, then say where it is: {@link aim}. */
  static async start({ seed }) {
    const proxy = new ProduceProxy(seed);
    await new Promise((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  constructor(seed) {
    this.#random = mulberry32(seed);
    this.#server = createServer((client) => this.#serve(client));
  }

  get port() {
    return this.#server.address().port;
  }

  get address() {
    return `127.0.0.1:${this.port}`;
  }

  aim(port) {
    this.#target = port;
  }

  async stop() {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #track(socket) {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    socket.once('close', () => this.#sockets.delete(socket));
    return socket;
  }

  #serve(client) {
    this.#track(client);
    const broker = this.#track(connect({ port: this.#target, host: '127.0.0.1' }));
    const end = () => {
      client.destroy();
      broker.destroy();
    };
    client.once('close', end);
    broker.once('close', end);
    /** What becomes of each answer, in the order of the requests. */
    const fates = [];
    const requests = new Frames();
    const answers = new Frames();
    broker.on('data', (chunk) => {
      for (const answer of answers.take(chunk)) {
        const fate = fates.shift();
        if (fate === 'end') return end();
        if (fate === 'deliver') client.write(answer);
      }
    });
    let turn = Promise.resolve();
    client.on('data', (chunk) => {
      for (const frame of requests.take(chunk)) {
        // In order: what follows a delayed request waits behind it.
        turn = turn.then(() => this.#forward(frame, broker, fates, end));
      }
    });
  }

  async #forward(frame, broker, fates, end) {
    if (broker.destroyed) return;
    const send = (fate) => {
      fates.push(fate);
      broker.write(frame);
    };
    const kind = frame.readInt16BE(4) === PRODUCE ? this.#pick() : 'pass';
    if (frame.readInt16BE(4) === PRODUCE) this.counts[kind]++;
    switch (kind) {
      case 'repeat': {
        const first = this.#random() < 0.5;
        send(first ? 'deliver' : 'keep');
        return send(first ? 'keep' : 'deliver');
      }
      case 'straggler':
        this.#deliverLate(frame);
        return send('deliver');
      case 'delay':
        await new Promise((resolve) => setTimeout(resolve, this.#random() * DELAY_MS_MAX));
        return send('deliver');
      case 'drop':
        return end();
      case 'drop-late':
        this.#deliverLate(frame);
        return end();
      case 'swallow':
        return send('end');
      default:
        return send('deliver');
    }
  }

  #deliverLate(frame) {
    const copy = Buffer.from(frame);
    setTimeout(() => {
      const other = this.#track(connect({ port: this.#target, host: '127.0.0.1' }, () => other.write(copy)));
      other.once('data', () => other.destroy());
    }, this.#random() * LATE_MS_MAX).unref();
  }

  #pick() {
    let dice = this.#random() * 100;
    for (const [kind, weight] of Object.entries(WEIGHTS)) if ((dice -= weight) < 0) return kind;
    return 'pass';
  }
}

/** A small seeded generator of numbers below 1. */
function mulberry32(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
