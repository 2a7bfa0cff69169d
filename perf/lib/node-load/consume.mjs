// The consumer: one Fetch at a time per connection, as Kafka's clients do, for all partitions of that connection. Every batch header is followed, so that a gap, an
// overlap or a foreign byte in the log shows as a chain error.
import { crc32c } from '@node-rs/crc32';
import { listOffsets, openCluster, shareOut } from './admin.mjs';
import { API, BATCH, FrameCutter, readInt64, Reader, Writer } from './wire.mjs';
import { openSocket } from './socket.mjs';

const RECEIVE_BYTES = 256 * 1024;
const TICK_MS = 20;
const SAID_MAX = 5; // errors of the chain that are told, not only counted

export class ConsumerConnection {
  #o;
  #result;
  #share;
  #hooks;
  #socket = null;
  #cutter = new FrameCutter();
  #reader = new Reader();
  #writer = new Writer();
  #correlation = 0;
  #askedAtMs = 0;
  /** @type {Map<number, { next: number, end: number }>} by partition; end: where the log ended at the start, Infinity if it is to be followed */
  #positions;
  isDone = false;
  isMeasuring = false;

  /**
   * @param {{ onStep: (nowMs: number) => void, onLost: () => void, onBatch?: (buffer: Buffer, position: number, bytes: number, nowMs: number) => void }} hooks
   *   onStep: before an answer is taken, and when there is nothing more to ask; onBatch: counts instead of `isMeasuring`
   */
  constructor(o, result, share, { from, to }, hooks) {
    this.#o = o;
    this.#result = result;
    this.#share = share;
    this.#hooks = hooks;
    const isFollowed = o.offset === 'latest' || o.seconds > 0;
    this.#positions = new Map(share.partitions.map((p) => [p, { next: from[p], end: isFollowed ? Infinity : to[p] }]));
  }
  async open() {
    this.#socket = await openSocket(
      this.#share.broker,
      RECEIVE_BYTES,
      (data, bytes) => this.#receive(data, bytes),
      () => this.#lose(),
    );
  }
  close() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.destroy();
  }
  #lose() {
    if (this.#socket === null) return;
    this.close();
    this.#result.connectionsLost++;
    this.#hooks.onLost();
  }

  ask(nowMs) {
    if (this.#socket === null) return;
    const wanted = [...this.#positions].filter(([, { next, end }]) => next < end);
    this.isDone = wanted.length === 0;
    if (this.isDone) return;
    const o = this.#o;
    const writer = this.#writer.begin(API.fetch, ++this.#correlation);
    writer.int32(-1).int32(o.fetchWaitMs).int32(1).int32(o.responseMaxBytes); // not a replica; at least one byte
    writer.int8(0).int32(0).int32(-1); // read uncommitted, no session
    writer.arrayCount(1).string(o.topic).arrayCount(wanted.length);
    for (const [partition, { next }] of wanted)
      writer.int32(partition).int32(-1).int64(next).int32(-1).int64(-1).int32(o.fetchMaxBytes).noTags();
    writer.noTags().arrayCount(0).string('').noTags(); // no forgotten topics, no rack
    this.#askedAtMs = nowMs;
    this.#socket.write(writer.end());
  }

  #receive(data, bytes) {
    if (this.#socket === null) return;
    const nowMs = performance.now();
    this.#hooks.onStep(nowMs);
    if (this.#socket === null) return; // that was the end
    try {
      this.#cutter.feed(data, bytes, (buffer, start, end) => {
        this.#takeAnswer(buffer, start, end, nowMs);
        this.ask(nowMs);
        return this.#socket !== null;
      });
    } catch (error) {
      process.stderr.write(`node-load: a Fetch answer that cannot be understood: ${error.message}\n`);
      return this.#lose();
    }
    if (this.isDone) this.#hooks.onStep(performance.now());
  }
  #takeAnswer(buffer, start, end, nowMs) {
    const reader = this.#reader.set(buffer, start, end);
    const correlation = reader.int32();
    if (correlation !== this.#correlation) throw new Error(`correlation id ${correlation} where ${this.#correlation} was due`);
    reader.skipTags();
    reader.int32(); // throttle time
    const error = reader.int16();
    if (error !== 0) this.#result.error(error);
    reader.int32(); // session
    for (let topics = reader.arrayCount(); topics > 0; topics--) {
      reader.skipString();
      for (let partitions = reader.arrayCount(); partitions > 0; partitions--) this.#takePartition(reader, buffer, nowMs);
      reader.skipTags();
    }
    if (!this.isMeasuring) return;
    this.#result.requests++;
    this.#result.wireBytes += end - start + 4;
    this.#result.latency(nowMs - this.#askedAtMs);
  }
  #takePartition(reader, buffer, nowMs) {
    const partition = reader.int32();
    const position = this.#positions.get(partition);
    if (!position) throw new Error(`partition ${partition}, which was not asked for`);
    const error = reader.int16();
    reader.skip(24); // high watermark, last stable offset, log start offset
    for (let aborted = reader.arrayCount(); aborted > 0; aborted--) {
      reader.skip(16);
      reader.skipTags();
    }
    reader.int32(); // preferred read replica
    const bytes = Math.max(0, reader.compactLength());
    const at = reader.skip(bytes);
    reader.skipTags();
    if (error === 0) return this.#takeBatches(partition, position, buffer, at, at + bytes, nowMs);
    this.#result.error(error);
    position.next = position.end;
  }
  #takeBatches(partition, position, buffer, from, end, nowMs) {
    const result = this.#result;
    for (let at = from; end - at >= BATCH.headerBytes;) {
      const bytes = BATCH.leaderEpoch + buffer.readUInt32BE(at + BATCH.length);
      if (bytes > end - at) return; // the answer's limit may cut off the last batch
      const base = readInt64(buffer, at + BATCH.baseOffset);
      const last = base + buffer.readInt32BE(at + BATCH.lastOffsetDelta);
      // Only the first batch after a start in its middle may begin below the wanted offset.
      if (bytes < BATCH.headerBytes || buffer[at + BATCH.magic] !== 2 || base > position.next || last < position.next)
        return this.#breakChain(partition, position, base, last);
      if (this.#o.verifyCrc && crc32c(buffer.subarray(at + BATCH.attributes, at + bytes)) !== buffer.readUInt32BE(at + BATCH.crc))
        result.crcErrors++;
      position.next = last + 1;
      this.#hooks.onBatch?.(buffer, at, bytes, nowMs);
      if (this.isMeasuring) result.count(1, last - base + 1, bytes);
      at += bytes;
    }
  }
  #breakChain(partition, position, base, last) {
    if (this.#result.chainErrors++ < SAID_MAX)
      process.stderr.write(`node-load: partition ${partition}: a batch of offsets ${base} to ${last} where ${position.next} was due\n`);
    position.next = position.end; // what follows cannot be trusted
  }
}

/** Connections at where they begin. @param {(connection: number) => object} hooksOf */
export async function openConsumers(o, result, cluster, hooksOf) {
  const from = await listOffsets(o, cluster, o.offset === 'latest' ? 'end' : 'beginning');
  const to = await listOffsets(o, cluster, 'end');
  const connections = shareOut(o, cluster).map((share, k) => new ConsumerConnection(o, result, share, { from, to }, hooksOf(k)));
  for (const connection of connections) await connection.open();
  return connections;
}

/** @param {import('./result.mjs').Result} result */
export async function consume(o, result) {
  const cluster = await openCluster(o);
  let isMeasuring = false;
  let connections = [];
  let onFinished;
  const finished = new Promise((resolve) => (onFinished = resolve));
  let measureFromMs = Infinity;
  let untilMs = Infinity;
  const onStep = (nowMs) => {
    if (!isMeasuring && nowMs >= measureFromMs) {
      isMeasuring = true;
      for (const connection of connections) connection.isMeasuring = true;
      if (o.seconds) untilMs = nowMs + 1000 * o.seconds;
      result.begin(nowMs);
    }
    if (isMeasuring) result.tick(nowMs);
    const isFull = o.bytes > 0 && result.bytes >= o.bytes;
    const isOver = nowMs >= untilMs || isFull || result.connectionsLost > 0 || result.errorCount > o.maxErrors;
    if (!isOver && !connections.every(({ isDone }) => isDone)) return;
    for (const connection of connections) connection.close(); // nothing more is taken
    onFinished(nowMs);
  };
  connections = await openConsumers(o, result, cluster, () => ({ onStep, onLost: () => onStep(performance.now()) }));
  const startMs = performance.now();
  measureFromMs = startMs + 1000 * o.warmup;
  for (const connection of connections) connection.ask(startMs);
  const timer = setInterval(() => onStep(performance.now()), TICK_MS);
  onStep(startMs);
  const endMs = await finished;
  clearInterval(timer);
  if (!isMeasuring) result.begin(endMs);
  result.end(endMs);
}
