// A tiny raw-protocol client: enough to create a topic and to have one record acknowledged, for measuring start-up.
// It speaks Kafka's old, non-flexible encodings, which need no varints outside of the record.
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasExited, tailOf } from './process.mjs';

const string = (text) => Buffer.concat([int16(Buffer.byteLength(text)), Buffer.from(text)]);
const int16 = (value) => ((b) => (b.writeInt16BE(value), b))(Buffer.alloc(2));
const int32 = (value) => ((b) => (b.writeInt32BE(value), b))(Buffer.alloc(4));

const castagnoli = Uint32Array.from({ length: 256 }, (_, byte) => {
  let state = byte;
  for (let bit = 0; bit < 8; bit++) state = state & 1 ? (state >>> 1) ^ 0x82f63b78 : state >>> 1;
  return state >>> 0;
});
function crc32c(bytes) {
  let state = 0xffffffff;
  for (const byte of bytes) state = (state >>> 8) ^ castagnoli[(state ^ byte) & 255];
  return (state ^ 0xffffffff) >>> 0;
}

/** A batch of one record with a short value. */
function batchOf(value) {
  const text = Buffer.from(value);
  if (text.length > 50) throw new Error('one-byte varints only');
  // attributes, timestamp delta, offset delta, no key, value, no headers; lengths are zigzag varints
  const body = Buffer.concat([Buffer.from([0, 0, 0, 1, text.length * 2]), text, Buffer.from([0])]);
  const record = Buffer.concat([Buffer.from([body.length * 2]), body]);
  const batch = Buffer.alloc(61 + record.length);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt32BE(-1, 12);
  batch.writeInt8(2, 16);
  batch.writeBigInt64BE(BigInt(Date.now()), 27);
  batch.writeBigInt64BE(BigInt(Date.now()), 35);
  batch.fill(0xff, 43, 57); // no producer id, epoch, sequence
  batch.writeInt32BE(1, 57);
  record.copy(batch, 61);
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17);
  return batch;
}

/** A whole request of a version that is not flexible. */
export function request(key, version, body) {
  const header = Buffer.concat([int16(key), int16(version), int32(1), string('perf')]);
  return Buffer.concat([int32(header.length + body.length), header, body]);
}

function produceBody(topic, batch) {
  return Buffer.concat([int16(-1), int16(-1), int32(30000), int32(1), string(topic), int32(1), int32(0), int32(batch.length), batch]);
}

/** Produce 7 of one batch to partition 0, acks=all. */
export function produceRequest(topic, batch) {
  return request(0, 7, produceBody(topic, batch));
}

/** Fetch 4 of these partitions from their beginnings, with as much as fits `bytesMax`; waits for nothing. */
export function fetchRequest(topic, partitions, bytesMax) {
  const each = partitions.map((partition) => Buffer.concat([int32(partition), int32(0), int32(0), int32(bytesMax)]));
  const head = Buffer.concat([
    int32(-1),
    int32(0),
    int32(1),
    int32(bytesMax),
    Buffer.from([0]),
    int32(1),
    string(topic),
    int32(each.length),
  ]);
  return request(1, 4, Buffer.concat([head, ...each]));
}

class Client {
  #socket;
  #received = Buffer.alloc(0);
  #waiting = null;
  constructor(socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (data) => {
      this.#received = Buffer.concat([this.#received, data]);
      if (this.#received.length < 4) return;
      const size = this.#received.readInt32BE(0);
      if (this.#received.length < 4 + size || !this.#waiting) return;
      const answer = this.#received.subarray(8, 4 + size); // past size and correlation id
      this.#received = this.#received.subarray(4 + size);
      this.#waiting.resolve(answer);
    });
    const fail = (error) => this.#waiting?.reject(error ?? new Error('the broker closed the connection'));
    socket.on('error', fail).on('close', () => fail());
  }
  call(key, version, body) {
    this.#socket.write(request(key, version, body));
    return new Promise((resolve, reject) => (this.#waiting = { resolve, reject }));
  }
  /** CreateTopics 2. Gives the error code; 36 is "exists". */
  async createTopic(topic, configs = {}, partitions = 1) {
    const entries = Object.entries(configs);
    const settings = entries.flatMap(([name, value]) => [string(name), string(value)]);
    const answer = await this.call(
      19,
      2,
      Buffer.concat([
        int32(1),
        string(topic),
        int32(partitions),
        int16(1),
        int32(0),
        int32(entries.length),
        ...settings,
        int32(30000),
        Buffer.from([0]),
      ]),
    );
    return answer.readInt16BE(4 + 4 + 2 + answer.readInt16BE(8));
  }
  /** IncrementalAlterConfigs 0: sets one setting of a topic. Gives the error code. */
  async setTopicConfig(topic, name, value) {
    const resource = Buffer.concat([Buffer.from([2]), string(topic), int32(1), string(name), Buffer.from([0]), string(value)]);
    const answer = await this.call(44, 0, Buffer.concat([int32(1), resource, Buffer.from([0])]));
    return answer.readInt16BE(4 + 4);
  }
  /** Produce 7, acks=all, partition 0. Gives the error code. */
  async produce(topic, value) {
    const answer = await this.call(0, 7, produceBody(topic, batchOf(value)));
    return answer.readInt16BE(4 + 2 + answer.readInt16BE(4) + 4 + 4);
  }
  /** Produce 7, acks=all, one record into each partition of [from, to). Gives how many were refused. */
  async produceEach(topic, from, to) {
    const batch = batchOf('one record');
    const each = Array.from({ length: to - from }, (_, n) => Buffer.concat([int32(from + n), int32(batch.length), batch]));
    const head = Buffer.concat([int16(-1), int16(-1), int32(30000), int32(1), string(topic), int32(each.length)]);
    const answer = await this.call(0, 7, Buffer.concat([head, ...each]));
    const answersAt = 4 + 2 + Buffer.byteLength(topic) + 4;
    let refused = 0;
    // Each: partition, error code, base offset, append time, log start.
    for (let n = 0; n < to - from; n++) if (answer.readInt16BE(answersAt + n * 30 + 4) !== 0) refused++;
    return refused;
  }
  close() {
    this.#socket.destroy();
  }
}

function connectOnce(port) {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => (socket.removeAllListeners('error'), resolve(new Client(socket))));
    socket.once('error', reject);
  });
}

/** A client of a broker that listens. */
export function connectClient(port) {
  return connectOnce(port);
}

/** Keeps trying until one record is acknowledged in `topic` (created if `configs` is given); gives the time of that. */
export async function firstAcknowledged(port, topic, { configs, timeoutMs = 120_000, server } = {}) {
  const until = performance.now() + timeoutMs;
  let last = 'nothing listens';
  while (performance.now() < until) {
    if (server && hasExited(server.child)) throw new Error(`the broker ended instead of starting:\n${tailOf(server.logPath)}`);
    let client;
    try {
      client = await connectOnce(port);
      const created = configs ? await client.createTopic(topic, configs) : 0;
      if (created !== 0 && created !== 36) throw new Error(`CreateTopics: error ${created}`);
      for (let error = 1; error !== 0;) {
        error = await client.produce(topic, 'first record');
        if (error === 0) return performance.now();
        if (performance.now() > until) throw new Error(`Produce: error ${error}`);
        await sleep(1);
      }
    } catch (error) {
      last = error.message;
    } finally {
      client?.close();
    }
    await sleep(2);
  }
  throw new Error(`no record acknowledged after ${timeoutMs / 1000} s: ${last}`);
}
