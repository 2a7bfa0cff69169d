// Batches made beforehand, in memory larger than the caches. Taking one writes a number that was never used before into its last record's last value bytes and
// corrects the CRC by eight table look-ups (CRC-32C is linear), so that all bytes sent are distinct batches at hardly any cost.
import { readFileSync } from 'node:fs';
import { randomFillSync, randomInt } from 'node:crypto';
import { crc32c } from '@node-rs/crc32';
import { BATCH, putVarint, writeInt64 } from './wire.mjs';

const NUMBER_BYTES = 8;
/** The record's count of headers: the number ends the last record's value. */
const BYTES_AFTER_NUMBER = 1;
const STRIDE = 64;
const HALF_AN_HOUR_MS = 1_800_000;
const RECORD_HEAD_BYTES_MAX = 24;

/** What a change of the number's byte `i` does to the CRC, at 256 * i + the change: the same in batches of all sizes, since the number ends them all. */
function numberCrcTable() {
  const bytes = Buffer.alloc(NUMBER_BYTES + BYTES_AFTER_NUMBER);
  const ofZeros = crc32c(bytes);
  const table = new Int32Array(NUMBER_BYTES * 256);
  for (let i = 0; i < NUMBER_BYTES; i++) {
    for (let change = 0; change < 256; change++) {
      bytes[i] = change;
      table[256 * i + change] = crc32c(bytes) ^ ofZeros;
    }
    bytes[i] = 0;
  }
  return table;
}

const scratch = Buffer.alloc(RECORD_HEAD_BYTES_MAX);

/** All of a record but its value: attributes, deltas, key, value's length; and the count of headers. */
function recordBodyBytes(recordBytes, delta) {
  return 2 + putVarint(scratch, delta, 0) + 1 + putVarint(scratch, recordBytes, 0) + recordBytes + 1;
}

function recordSize(recordBytes, delta) {
  const body = recordBodyBytes(recordBytes, delta);
  return putVarint(scratch, body, 0) + body;
}

function setCrc(batch) {
  batch.writeUInt32BE(crc32c(batch.subarray(BATCH.attributes)), BATCH.crc);
}

/**
 * Fills records with random values into `memory` up to `batchBytes` (at least one).
 * @returns {{ bytes: number, records: number }}
 */
function buildBatch(memory, recordBytes, batchBytes, nowMs) {
  let at = BATCH.headerBytes;
  let records = 0;
  do {
    at = putVarint(memory, recordBodyBytes(recordBytes, records), at);
    memory[at++] = 0; // attributes
    at = putVarint(memory, 0, at); // timestamp delta
    at = putVarint(memory, records, at); // offset delta
    at = putVarint(memory, -1, at); // no key
    at = putVarint(memory, recordBytes, at) + recordBytes; // the value is there: all memory was random at the beginning
    memory[at++] = 0; // no headers
    records++;
  } while (at + recordSize(recordBytes, records) <= batchBytes);
  memory.fill(0, 0, BATCH.headerBytes);
  memory.writeInt32BE(at - BATCH.leaderEpoch, BATCH.length);
  memory.writeInt32BE(-1, BATCH.leaderEpoch);
  memory[BATCH.magic] = 2;
  memory.writeInt32BE(records - 1, BATCH.lastOffsetDelta);
  writeInt64(memory, nowMs, BATCH.baseTimestamp);
  writeInt64(memory, nowMs, BATCH.maxTimestamp);
  memory.fill(0xff, BATCH.producerId, BATCH.recordCount); // no idempotence: all -1
  memory.writeInt32BE(records, BATCH.recordCount);
  setCrc(memory.subarray(0, at));
  return { bytes: at, records };
}

/** The record batches in a file, one behind the other. */
function batchesIn(path) {
  const data = readFileSync(path);
  const batches = [];
  for (let at = 0; at < data.length; at += batches.at(-1).length) {
    const bytes = data.length - at < BATCH.headerBytes ? 0 : BATCH.leaderEpoch + data.readInt32BE(at + BATCH.length);
    if (bytes < BATCH.headerBytes || bytes > data.length - at || data[at + BATCH.magic] !== 2)
      throw new Error(`--pool-file: ${path} is not record batches (magic 2) one behind the other, at byte ${at}`);
    batches.push(data.subarray(at, at + bytes));
  }
  if (batches.length === 0) throw new Error(`--pool-file: ${path} is empty`);
  return batches;
}

export class Pool {
  #memory;
  #stride;
  #sizes;
  #records;
  #busy;
  #next = 0;
  #isFromFile;
  /** Of a file's batches: their timestamps count up from half an hour ago, so none is an hour ahead, which brokers refuse. */
  #timestampMs = Date.now() - HALF_AN_HOUR_MS;
  #serialHigh = randomInt(2 ** 32); // so that two runs do not send the same batches either
  #serialLow = 0;
  #number = Buffer.alloc(NUMBER_BYTES);
  #crcTable = numberCrcTable();

  /**
   * @param {{ recordBytes: number, batchBytes: [number, number], poolBytes: number, poolFile: string | 0 }} options
   * @param {number} countLeast batches that may be taken and not given back at once, and one more
   */
  constructor({ recordBytes, batchBytes: [least, most], poolBytes, poolFile }, countLeast) {
    const given = poolFile ? batchesIn(poolFile) : null;
    const largest = given ? Math.max(...given.map(({ length }) => length)) : Math.max(most, BATCH.headerBytes + recordSize(recordBytes, 0));
    this.#isFromFile = given !== null;
    this.#stride = Math.ceil(largest / STRIDE) * STRIDE;
    this.count = Math.max(Math.floor(poolBytes / this.#stride), countLeast);
    this.#memory = Buffer.allocUnsafeSlow(this.count * this.#stride);
    this.#sizes = new Uint32Array(this.count);
    this.#records = new Uint32Array(this.count);
    this.#busy = new Uint8Array(this.count);
    if (!given) randomFillSync(this.#memory);
    const nowMs = Date.now();
    for (let i = 0; i < this.count; i++) {
      const memory = this.#memory.subarray(i * this.#stride, (i + 1) * this.#stride);
      if (given) this.#put(i, memory, given[i % given.length]);
      else this.#set(i, buildBatch(memory, recordBytes, least === most ? most : randomInt(least, most + 1), nowMs));
    }
  }

  #set(i, { bytes, records }) {
    this.#sizes[i] = bytes;
    this.#records[i] = records;
  }
  #put(i, memory, batch) {
    batch.copy(memory);
    this.#set(i, { bytes: batch.length, records: batch.readInt32BE(BATCH.recordCount) });
  }

  /** Of all batches, the mean of how many records they have. */
  get recordsMean() {
    return this.#records.reduce((sum, records) => sum + records, 0) / this.count;
  }
  bytesOf(i) {
    return this.#sizes[i];
  }
  recordsOf(i) {
    return this.#records[i];
  }
  /** Batch i, in the pool's memory. */
  batch(i) {
    return this.#memory.subarray(i * this.#stride, i * this.#stride + this.#sizes[i]);
  }
  /** Copies batch i; gives the position after it. */
  copyTo(i, target, position) {
    const start = i * this.#stride;
    return position + this.#memory.copy(target, position, start, start + this.#sizes[i]);
  }

  /** A batch that differs from all that were taken before. It is the caller's until `give`. */
  take() {
    if (this.#isFromFile) return this.#takeStamped();
    this.#serialLow++;
    this.#number.writeUInt32LE(this.#serialLow % 2 ** 32, 0);
    this.#number.writeUInt32LE((this.#serialHigh + Math.floor(this.#serialLow / 2 ** 32)) % 2 ** 32, 4);
    return this.#takeNumbered();
  }
  /** A batch that says when it was due, which `dueOf` reads. */
  takeDue(dueMs) {
    this.#number.writeDoubleLE(dueMs, 0);
    return this.#takeNumbered();
  }
  give(i) {
    this.#busy[i] = 0;
  }

  /** Makes batch i, just taken, one of an idempotent producer. @param {Buffer} producerId eight bytes */
  stamp(i, producerId, sequence) {
    const batch = this.batch(i);
    producerId.copy(batch, BATCH.producerId);
    batch.writeInt16BE(0, BATCH.producerEpoch);
    batch.writeInt32BE(sequence, BATCH.baseSequence);
    setCrc(batch);
  }

  #free() {
    let i = this.#next;
    while (this.#busy[i]) i = i + 1 === this.count ? 0 : i + 1; // ends: there are more batches than can be taken at once
    this.#next = i + 1 === this.count ? 0 : i + 1;
    this.#busy[i] = 1;
    return i;
  }
  #takeNumbered() {
    const i = this.#free();
    const start = i * this.#stride;
    const at = start + this.#sizes[i] - BYTES_AFTER_NUMBER - NUMBER_BYTES;
    let crc = this.#memory.readInt32BE(start + BATCH.crc);
    for (let b = 0; b < NUMBER_BYTES; b++) {
      crc ^= this.#crcTable[256 * b + (this.#memory[at + b] ^ this.#number[b])];
      this.#memory[at + b] = this.#number[b];
    }
    this.#memory.writeInt32BE(crc, start + BATCH.crc);
    return i;
  }
  /** Records compressed perhaps: their timestamps, all the header's, are what can be changed. */
  #takeStamped() {
    const i = this.#free();
    const batch = this.batch(i);
    this.#timestampMs++;
    writeInt64(batch, this.#timestampMs, BATCH.baseTimestamp);
    writeInt64(batch, this.#timestampMs, BATCH.maxTimestamp);
    setCrc(batch);
    return i;
  }
}

/** When a batch that `takeDue` gave was due, read where its record ends: the same number, bit by bit. */
export function dueOf(buffer, position, bytes) {
  return buffer.readDoubleLE(position + bytes - BYTES_AFTER_NUMBER - NUMBER_BYTES);
}
