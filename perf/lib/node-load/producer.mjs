// One producing connection: requests of pre-encoded batches, pipelined, answers in order.
import { API, CORRELATION_AT, FrameCutter, putUvarint, Reader, Writer } from './wire.mjs';
import { openSocket } from './socket.mjs';

const RECEIVE_BYTES = 16 * 1024;
/** Requests that wait for the socket at once. */
export const SENDING_MAX = 32;
/** Batches up to this size are copied behind one another into one write; of larger ones the pool's memory is handed to the socket. */
const COPIED_BYTES_MAX = 8192;
const CHUNK_BYTES = 64 * 1024;
/** Framing around a batch: tags of the one before, partition, length. */
const PART_BYTES = 16;
const REQUEST_TIMEOUT_MS = 30_000;
const SEQUENCE_END = 2 ** 31; // begins again at 0

/** What every request begins with. */
export function requestPrefix(o) {
  const writer = new Writer().begin(API.produce, 0);
  writer.string(null).int16(o.acks).int32(REQUEST_TIMEOUT_MS); // no transactional id
  return writer.arrayCount(1).string(o.topic).arrayCount(o.batchesPerRequest).copy();
}

export class ProducerConnection {
  #load;
  #o;
  #share;
  #producerId;
  #socket = null;
  #cutter = new FrameCutter();
  #reader = new Reader();
  #cursor; // next partition of the share
  #sequences;
  #correlationNext = 0;
  #correlationExpected = 0;
  #windowMask;
  // In flight, in order, at correlation & mask: since when, how much, and whether in the measured part.
  #starts;
  #records;
  #bytes;
  #measured;
  #sending = 0;
  // Framing and small batches are written one behind the other; what is before `#chunkFrom` is the socket's.
  #chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  #chunkFrom = 0;
  #chunkAt = 0;
  #pieces = [];
  #held = [];
  inFlight = 0;
  /** Open loop: the global number of this connection's next request. */
  dueNext;

  /** @param {import('./produce.mjs').ProduceLoad} load  @param {Buffer | null} producerId of an idempotent producer */
  constructor(load, number, share, producerId) {
    this.#load = load;
    this.#o = load.options;
    this.#share = share;
    this.#producerId = producerId;
    this.#cursor = number % share.partitions.length; // connections that share partitions do not all begin with the same one
    this.#sequences = share.partitions.map(() => 0);
    this.dueNext = number;
    const window = 2 ** Math.ceil(Math.log2(this.#o.inFlight));
    this.#windowMask = window - 1;
    this.#starts = new Float64Array(window);
    this.#records = new Uint32Array(window);
    this.#bytes = new Uint32Array(window);
    this.#measured = new Uint8Array(window);
  }
  async open() {
    const onData = (data, bytes) => this.#load.around((nowMs) => this.#receive(data, bytes, nowMs));
    this.#socket = await openSocket(this.#share.broker, RECEIVE_BYTES, onData, () => this.#lose());
  }
  get isOpen() {
    return this.#socket !== null;
  }

  /** Sends whatever may be sent now. */
  pump(nowMs) {
    if (this.#socket === null) return;
    const before = this.#sending;
    while (this.#mayStart()) this.#start(nowMs);
    if (this.#sending > before) this.#flush(this.#sending - before);
  }
  #mayStart() {
    return this.inFlight < this.#o.inFlight && this.#sending < SENDING_MAX && this.#load.mayStart(this);
  }

  /** Prefix, then per batch its partition and length and the batch itself from the pool, closing tags. */
  #start(nowMs) {
    const { pool, prefix, schedule } = this.#load;
    const startMs = schedule ? schedule.dueTime(this.dueNext) : nowMs;
    this.#room(prefix.length + PART_BYTES);
    const frame = this.#chunk;
    const frameAt = this.#chunkAt;
    prefix.copy(frame, frameAt);
    frame.writeInt32BE(this.#correlationNext, frameAt + CORRELATION_AT);
    this.#chunkAt += prefix.length;
    let size = prefix.length - 4;
    let batchBytes = 0;
    let records = 0;
    for (let b = 0; b < this.#o.batchesPerRequest; b++) {
      const i = this.#o.endToEnd ? pool.takeDue(startMs) : pool.take();
      if (this.#producerId) this.#stamp(i);
      const bytes = pool.bytesOf(i);
      size += this.#partHead(b, bytes) + bytes;
      this.#append(i, bytes);
      batchBytes += bytes;
      records += pool.recordsOf(i);
    }
    this.#room(3);
    this.#chunk.fill(0, this.#chunkAt, this.#chunkAt + 3); // tags of partition, topic, request
    this.#chunkAt += 3;
    frame.writeInt32BE(size + 3, frameAt);
    const slot = this.#correlationNext & this.#windowMask;
    this.#correlationNext = (this.#correlationNext + 1) | 0;
    this.#starts[slot] = startMs;
    this.#records[slot] = records;
    this.#bytes[slot] = batchBytes;
    this.#measured[slot] = this.#load.onStarted(startMs, batchBytes, size + 7) ? 1 : 0;
    this.inFlight++;
    this.#sending++;
    if (schedule) this.dueNext += this.#o.connections;
  }
  #stamp(i) {
    const sequence = this.#sequences[this.#cursor];
    this.#load.pool.stamp(i, this.#producerId, sequence);
    this.#sequences[this.#cursor] = (sequence + this.#load.pool.recordsOf(i)) % SEQUENCE_END;
  }
  #partHead(b, batchBytes) {
    this.#room(PART_BYTES);
    const from = this.#chunkAt;
    if (b > 0) this.#chunk[this.#chunkAt++] = 0; // tags of the partition before
    this.#chunk.writeInt32BE(this.#share.partitions[this.#cursor], this.#chunkAt);
    this.#chunkAt = putUvarint(this.#chunk, batchBytes + 1, this.#chunkAt + 4);
    if (++this.#cursor === this.#share.partitions.length) this.#cursor = 0;
    return this.#chunkAt - from;
  }
  #append(i, bytes) {
    const { pool } = this.#load;
    if (bytes <= COPIED_BYTES_MAX) {
      this.#room(bytes);
      this.#chunkAt = pool.copyTo(i, this.#chunk, this.#chunkAt);
      return pool.give(i);
    }
    this.#closePiece();
    this.#pieces.push(pool.batch(i));
    this.#held.push(i);
  }
  /** Begins another chunk if so many bytes do not fit this one; the old one stays with whoever writes it. */
  #room(bytes) {
    if (this.#chunk.length - this.#chunkAt >= bytes) return;
    this.#closePiece();
    this.#chunk = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, bytes));
    this.#chunkFrom = 0;
    this.#chunkAt = 0;
  }
  #closePiece() {
    if (this.#chunkAt > this.#chunkFrom) this.#pieces.push(this.#chunk.subarray(this.#chunkFrom, this.#chunkAt));
    this.#chunkFrom = this.#chunkAt;
  }

  #flush(requests) {
    this.#closePiece();
    const pieces = this.#pieces;
    const held = this.#held;
    this.#pieces = [];
    this.#held = [];
    const onWritten = () => this.#load.around((nowMs) => this.#onWritten(requests, held, nowMs));
    const socket = this.#socket;
    socket.cork(); // all of them in one writev
    for (let i = 0; i < pieces.length - 1; i++) socket.write(pieces[i]);
    socket.write(pieces.at(-1), onWritten);
    socket.uncork();
  }
  #onWritten(requests, held, nowMs) {
    for (const i of held) this.#load.pool.give(i);
    if (this.#socket === null) return;
    this.#sending -= requests;
    if (this.#o.acks === 0) for (let i = 0; i < requests; i++) this.#onAnswered(true, nowMs); // handed to the kernel is all there is to know
    this.pump(nowMs);
  }

  #receive(data, bytes, nowMs) {
    if (this.#socket === null) return;
    try {
      this.#cutter.feed(data, bytes, (buffer, start, end) => this.#takeAnswer(buffer, start, end, nowMs));
    } catch (error) {
      process.stderr.write(`node-load: a Produce answer that cannot be understood: ${error.message}\n`);
      return this.#lose();
    }
    this.pump(nowMs);
  }
  #takeAnswer(buffer, start, end, nowMs) {
    const reader = this.#reader.set(buffer, start, end);
    const correlation = reader.int32();
    if (correlation !== this.#correlationExpected || this.inFlight === 0)
      throw new Error(`correlation id ${correlation} where ${this.#correlationExpected} was due`);
    reader.skipTags();
    let isOk = true;
    let seen = 0;
    for (let topics = reader.arrayCount(); topics > 0; topics--) {
      reader.skipString();
      for (let partitions = reader.arrayCount(); partitions > 0; partitions--, seen++) isOk = this.#takePartition(reader) && isOk;
      reader.skipTags();
    }
    if (seen !== this.#o.batchesPerRequest) throw new Error(`${seen} partitions where ${this.#o.batchesPerRequest} were sent`);
    this.#onAnswered(isOk, nowMs);
  }
  #takePartition(reader) {
    reader.int32();
    const error = reader.int16();
    reader.skip(24); // base offset, log append time, log start offset
    for (let errors = reader.arrayCount(); errors > 0; errors--) {
      reader.int32();
      reader.skipString();
      reader.skipTags();
    }
    reader.skipString();
    reader.skipTags();
    if (error !== 0) this.#load.result.error(error);
    return error === 0;
  }
  #onAnswered(isOk, nowMs) {
    const slot = this.#correlationExpected & this.#windowMask;
    this.#correlationExpected = (this.#correlationExpected + 1) | 0;
    this.inFlight--;
    this.#load.onAnswered(isOk, this.#starts[slot], this.#records[slot], this.#bytes[slot], this.#measured[slot] === 1, nowMs);
  }
  #lose() {
    if (this.#socket === null) return;
    this.close();
    this.#load.onLost();
  }
  close() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.destroy();
  }

  /** Tells `onUnanswered` since when, for each measured request that has not been answered, or not been sent although due. */
  eachUnanswered(onUnanswered) {
    for (let i = 0; i < this.inFlight; i++) {
      const slot = (this.#correlationExpected + i) & this.#windowMask;
      if (this.#measured[slot] === 1) onUnanswered(this.#starts[slot]);
    }
    const { schedule } = this.#load;
    if (!schedule || schedule.end === Infinity) return;
    for (let k = this.dueNext; k < schedule.end; k += this.#o.connections) onUnanswered(schedule.dueTime(k));
  }
}
