// End to end: the last value bytes of every batch say when it was due, and the consumers, in the same process and by the same clock, take how long ago that was when
// they have it. A record that was sent late, stored late or delivered late is late by all of it, and one that never comes counts with the age it has at the end.
import { leadingBrokers } from './admin.mjs';
import { openConsumers } from './consume.mjs';
import { dueOf } from './pool.mjs';
import { Result } from './result.mjs';
import { BATCH } from './wire.mjs';

const SAID_MAX = 5;
const SPARE = 64; // requests due while the measured part begins and ends

export class EndToEnd {
  delivered = new Result();
  #schedule;
  #capacity;
  /** Per consumer: which of the measured requests it has. */
  #seen;
  #connections = [];
  #received = 0;
  #first = 0;
  #isMeasuring = false;
  #recordsPerBatch = 1;

  constructor(o, schedule) {
    this.#schedule = schedule;
    this.#capacity = Math.ceil((1000 * o.seconds) / schedule.intervalMs) + SPARE;
    this.#seen = Array.from({ length: o.consumers }, () => new Uint8Array(this.#capacity));
  }
  /** Consumers, each with a connection to every broker that leads a partition, at where the log ends now. */
  static async open(o, cluster, schedule) {
    const endToEnd = new EndToEnd(o, schedule);
    const brokers = leadingBrokers(cluster).length;
    const consuming = { ...o, connections: o.consumers * brokers, fanOut: true, offset: 'latest' };
    endToEnd.#connections = await openConsumers(consuming, endToEnd.delivered, cluster, (connection) => ({
      onStep() {},
      onLost() {},
      onBatch: (buffer, position, bytes, nowMs) => endToEnd.#onBatch(Math.floor(connection / brokers), buffer, position, bytes, nowMs),
    }));
    for (const connection of endToEnd.#connections) connection.ask(performance.now());
    return endToEnd;
  }
  begin(nowMs) {
    this.delivered.begin(nowMs);
    this.#first = this.#schedule.firstFrom(nowMs);
    this.#isMeasuring = true;
  }
  get hasFailed() {
    return this.delivered.failures > 0;
  }
  get isAllReceived() {
    return this.#received === (this.#schedule.end - this.#first) * this.#seen.length;
  }

  /** All of a batch's records were due at once, so one number stands for them. */
  #onBatch(consumer, buffer, position, bytes, nowMs) {
    const dueMs = dueOf(buffer, position, bytes);
    const k = this.#schedule.numberOf(dueMs);
    if (k < 0 || k >= this.#schedule.due) return this.#complain(`a record due at ${dueMs} ms, which none was`);
    if (!this.#isMeasuring || k < this.#first) return; // warm-up
    const i = k - this.#first;
    if (i >= this.#capacity) return this.#complain(`request ${k}, which is not of the measured time`);
    if (this.#seen[consumer][i] === 1) return this.#complain(`request ${k} came twice`);
    this.#seen[consumer][i] = 1;
    this.#received++;
    this.#recordsPerBatch = buffer.readInt32BE(position + BATCH.recordCount);
    this.delivered.count(1, this.#recordsPerBatch, bytes);
    this.delivered.latency(nowMs - dueMs, this.#recordsPerBatch);
  }
  #complain(text) {
    if (this.delivered.chainErrors++ < SAID_MAX) process.stderr.write(`node-load: ${text}\n`);
  }
  finish(nowMs) {
    for (const connection of this.#connections) connection.close();
    const end = Math.min(this.#schedule.end, this.#schedule.due);
    for (const seen of this.#seen)
      for (let k = this.#first; k < end && k - this.#first < this.#capacity; k++) {
        if (seen[k - this.#first] === 1) continue;
        this.delivered.latency(nowMs - this.#schedule.dueTime(k), this.#recordsPerBatch);
        this.delivered.neverReceived += this.#recordsPerBatch;
      }
  }
}
