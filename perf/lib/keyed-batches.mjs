// Batches of records with keys, of which half are replaced by later ones.
import { RecordCursor } from '../../build/jobs/record-cursor.js';
import { crc32cAt } from '../../build/protocol/crc32c.js';
import { ATTRIBUTES_POSITION, BATCH_HEADER_BYTES, CRC_POSITION, stampBatch } from '../../build/protocol/record-batch.js';
import { buildBatch } from '../../build/protocol/record.js';
import { open } from './crowd.mjs';
import { produceRequest } from './client.mjs';

export const RECORDS = 60;
const KEY_BYTES = 14;
/** Records for each key: then half of all records, drawn at random, are replaced by later ones. */
const RECORDS_PER_KEY = 1.594;
const IN_FLIGHT = 32;

export class KeyedBatches {
  #batch;
  #keys = [];
  #count;
  #seed = 12345;

  /** @param {number} bytes of the whole log */
  constructor(bytes) {
    const key = Buffer.alloc(KEY_BYTES, '0');
    const records = Array.from({ length: RECORDS }, (_, n) => ({ key, value: Buffer.alloc(1000, n) }));
    this.#batch = buildBatch({ records, baseTimestamp: 1_700_000_000_000 });
    const cursor = new RecordCursor();
    for (let at = BATCH_HEADER_BYTES; at < this.#batch.length; at = cursor.end) {
      cursor.read(this.#batch, at, this.#batch.length);
      this.#keys.push(cursor.keyStart);
    }
    this.#count = Math.ceil((Math.ceil(bytes / this.batchBytes) * RECORDS) / RECORDS_PER_KEY);
  }

  get batchBytes() {
    return this.#batch.length;
  }

  /** The next one, as it lies at `offset`. The same bytes are used again. */
  next(offset) {
    const batch = this.#batch;
    for (const at of this.#keys) {
      this.#seed = (Math.imul(this.#seed, 1664525) + 1013904223) >>> 0;
      batch.write(String(Math.floor((this.#seed / 2 ** 32) * this.#count)).padStart(KEY_BYTES, 'k'), at, 'latin1');
    }
    stampBatch(batch, 0, offset, 0);
    batch.writeUInt32BE(crc32cAt(batch, ATTRIBUTES_POSITION, batch.length - ATTRIBUTES_POSITION), CRC_POSITION);
    return batch;
  }
}

/** Produces such a log of `bytes` bytes to partition 0 of a topic. */
export async function produceKeyed(port, topic, bytes) {
  const batches = new KeyedBatches(bytes);
  const total = Math.ceil(bytes / batches.batchBytes);
  const { socket } = await open(port);
  let sent = 0;
  let answered = 0;
  let received = Buffer.alloc(0);
  await new Promise((resolve, reject) => {
    const fill = () => {
      for (; sent < total && sent - answered < IN_FLIGHT; sent++) socket.write(produceRequest(topic, batches.next(0)));
    };
    socket.on('close', () => reject(new Error('the broker closed the connection')));
    socket.on('data', (data) => {
      received = received.length === 0 ? data : Buffer.concat([received, data]);
      for (
        let size;
        received.length >= 4 && received.length >= 4 + (size = received.readInt32BE(0));
        received = received.subarray(4 + size)
      ) {
        // Behind a size, an id, counts, the topic and the number of the partition.
        const error = received.readInt16BE(8 + 4 + 2 + Buffer.byteLength(topic) + 4 + 4);
        if (error !== 0) return reject(new Error(`Produce: error ${error}`));
        answered++;
      }
      if (answered === total) resolve();
      else fill();
    });
    fill();
  });
  socket.removeAllListeners('close').destroy();
}
