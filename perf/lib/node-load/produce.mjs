// The producing load. Closed loop: each connection keeps --in-flight requests unanswered, and a request's time runs from when it was handed to the socket. Open loop
// (--rate): see schedule.mjs.
import { Worker } from 'node:worker_threads';
import { initProducerId, openCluster, shareOut } from './admin.mjs';
import { EndToEnd } from './end-to-end.mjs';
import { Pool } from './pool.mjs';
import { ProducerConnection, requestPrefix, SENDING_MAX } from './producer.mjs';
import { Schedule } from './schedule.mjs';

const TICK_MS = 20;

/** Wakes `onWake` whenever a request is due. Gives what stops that. */
function startWaker(schedule, onWake) {
  const state = new Int32Array(new SharedArrayBuffer(4));
  const startNs = process.hrtime.bigint() + BigInt(Math.round((schedule.startMs - performance.now()) * 1e6));
  const workerData = { state, startNs, intervalNs: schedule.intervalMs * 1e6 };
  const worker = new Worker(new URL('./waker.thread.mjs', import.meta.url), { workerData });
  worker.on('message', () => {
    Atomics.store(state, 0, 0);
    onWake();
  });
  return () => worker.terminate();
}

export class ProduceLoad {
  options;
  result;
  pool;
  prefix;
  /** @type {Schedule | null} null: closed loop */
  schedule = null;
  /** @type {EndToEnd | null} */
  endToEnd = null;
  #connections = [];
  #live = 0;
  #isMeasuring = false;
  #isSendingOver = false;
  #hasFailed = false;
  #isFinished = false;
  #bytesIssued = 0;
  #measureFromMs = 0;
  #untilMs = Infinity;
  #drainedByMs = Infinity;
  #onFinished = null;

  /** @param {import('./result.mjs').Result} result */
  constructor(options, result) {
    this.options = options;
    this.result = result;
    this.prefix = requestPrefix(options);
  }

  async run() {
    const o = this.options;
    const cluster = await openCluster(o);
    this.pool = new Pool(o, o.connections * Math.min(SENDING_MAX, o.inFlight) * o.batchesPerRequest + 64);
    if (o.rate) this.schedule = new Schedule(o.rate / (this.pool.recordsMean * o.batchesPerRequest));
    for (const [number, share] of shareOut(o, cluster).entries()) {
      // Kafka refuses a request that names a partition twice.
      if (o.batchesPerRequest > share.partitions.length)
        throw new Error(
          `--batches-per-request ${o.batchesPerRequest}: connection ${number} has only ${share.partitions.length} partitions`,
        );
      const connection = new ProducerConnection(this, number, share, o.idempotent ? await initProducerId(o) : null);
      await connection.open();
      this.#connections.push(connection);
    }
    this.#live = o.connections;
    // From here on: what the load writes comes after the offsets at which these begin.
    if (o.endToEnd) this.endToEnd = await EndToEnd.open(o, cluster, this.schedule);
    await this.#load();
    return this.endToEnd?.delivered ?? null;
  }

  async #load() {
    const o = this.options;
    const finished = new Promise((resolve) => (this.#onFinished = resolve));
    const nowMs = performance.now();
    this.#measureFromMs = nowMs + 1000 * o.warmup;
    if (this.schedule) this.schedule.startMs = nowMs;
    const timer = setInterval(() => this.around(() => {}), TICK_MS);
    const stopWaker = this.schedule ? startWaker(this.schedule, () => this.around((atMs) => this.#issueDue(atMs))) : null;
    this.around((atMs) => {
      for (const connection of this.#connections) connection.pump(atMs);
    });
    await finished;
    clearInterval(timer);
    await stopWaker?.();
    this.#finish();
  }

  /** Whatever happens, happens in here: the phases change before it, and the end is seen behind it. @param {(nowMs: number) => void} what */
  around(what) {
    if (this.#isFinished) return;
    const nowMs = performance.now();
    this.#changePhase(nowMs);
    what(nowMs);
    const hasFailed = this.#hasFailed || this.#live === 0 || this.endToEnd?.hasFailed || this.result.errorCount > this.options.maxErrors;
    const isDone = this.#isSendingOver && (nowMs > this.#drainedByMs || this.#isAllAnswered());
    if (!hasFailed && !isDone) return;
    this.#isFinished = true;
    this.#onFinished();
  }

  #changePhase(nowMs) {
    const o = this.options;
    if (this.#isMeasuring && (!this.#isSendingOver || o.bytes)) {
      this.result.tick(nowMs);
      this.endToEnd?.delivered.tick(nowMs);
    }
    if (!this.#isMeasuring && nowMs >= this.#measureFromMs) this.#beginMeasuring(nowMs);
    if (!this.#isMeasuring || this.#isSendingOver) return;
    if (o.bytes ? this.#bytesIssued < o.bytes : nowMs < this.#untilMs) return;
    this.#isSendingOver = true;
    this.#drainedByMs = nowMs + 1000 * o.drain;
    if (this.schedule) this.schedule.endAt(this.#untilMs);
    else if (!o.bytes) this.result.end(nowMs);
  }
  #beginMeasuring(nowMs) {
    this.#untilMs = nowMs + 1000 * this.options.seconds;
    this.result.begin(nowMs);
    this.endToEnd?.begin(nowMs);
    this.#isMeasuring = true;
  }
  #isAllAnswered() {
    const end = this.schedule?.end ?? 0;
    for (const connection of this.#connections)
      if (connection.isOpen && (connection.inFlight > 0 || (this.schedule && connection.dueNext < end))) return false;
    return this.endToEnd?.isAllReceived ?? true;
  }

  /** Requests become due one after the other, each at the next connection. */
  #issueDue(nowMs) {
    const { schedule } = this;
    const before = schedule.due;
    schedule.advance(nowMs);
    const first = Math.max(before, schedule.due - this.#connections.length);
    for (let k = first; k < schedule.due; k++) this.#connections[k % this.#connections.length].pump(nowMs);
  }

  /** Whether `connection` may begin a request. */
  mayStart(connection) {
    if (this.schedule) return connection.dueNext < this.schedule.due;
    return !this.#isSendingOver && (!this.options.bytes || !this.#isMeasuring || this.#bytesIssued < this.options.bytes);
  }
  /** A request of so many bytes of batches and on the wire; gives whether it is of the measured part. */
  onStarted(startMs, batchBytes, wireBytes) {
    if (!this.#isMeasuring) return false;
    this.#bytesIssued += batchBytes;
    this.result.wireBytes += wireBytes;
    return startMs >= this.result.startMs;
  }
  onAnswered(isOk, startMs, records, bytes, isMeasured, nowMs) {
    const { result } = this;
    if (isOk) result.acknowledgedBytes += bytes;
    if (!this.#isMeasuring || !isOk) return;
    // Closed loop by time: what is answered in the measured part counts. Else: what was sent or due in it.
    const isByTime = !this.options.bytes && !this.schedule;
    if (isByTime ? result.endMs === 0 : isMeasured) {
      result.requests++;
      result.count(this.options.batchesPerRequest, records, bytes);
    }
    if (isMeasured) result.latency(nowMs - startMs);
  }
  onLost() {
    this.#live--;
    this.result.connectionsLost++;
    this.#hasFailed = true;
    this.around(() => {});
  }

  #finish() {
    const nowMs = performance.now();
    const { result } = this;
    if (!this.#isMeasuring) this.#beginMeasuring(nowMs); // lost before the measured part: zeros, and the loss is reported
    if (result.endMs === 0) result.end(nowMs);
    // In open loop the figures are those of what was due within the measured time, so that time is what divides them.
    if (this.schedule && this.#isSendingOver) result.endMs = this.#untilMs;
    // What should have been answered and was not, with the age it has: otherwise a hang would look like a good p99.
    const onUnanswered = (startMs) => {
      result.latency(nowMs - startMs);
      result.unanswered++;
    };
    for (const connection of this.#connections) {
      connection.eachUnanswered(onUnanswered);
      connection.close();
    }
    this.endToEnd?.finish(nowMs);
  }
}
