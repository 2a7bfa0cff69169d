/**
 * How a partition's batches are stored, asked for with a Fetch request of our own: no client tells the codec of what it received, and an old librdkafka
 * stops compressing, silently, when it does not like the versions it is offered.
 */

import { connect } from 'node:net';

const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];
const BATCH_HEADER_BYTES = 61;
const FETCH = 1;
/** The first version that may carry zstd. */
const FETCH_VERSION = 10;
const FETCH_BYTES_MAX = 50 * 1024 * 1024;

const int8 = (value) => Buffer.from([value]);
const int16 = (value) => Buffer.from([(value >> 8) & 0xff, value & 0xff]);
const int32 = (value) => Buffer.concat([int16(value >> 16), int16(value)]);
const int64 = (value) => Buffer.concat([int32(value < 0 ? -1 : 0), int32(value)]);
const string = (text) => Buffer.concat([int16(Buffer.byteLength(text)), Buffer.from(text)]);

function fetchRequest(topic, partition, offset) {
  const frame = Buffer.concat([
    ...[int16(FETCH), int16(FETCH_VERSION), int32(1), int16(-1)], // correlation id 1, no client id
    ...[int32(-1), int32(100), int32(1), int32(FETCH_BYTES_MAX), int8(0)], // replica, wait ms, bytes min and max, read uncommitted
    ...[int32(0), int32(-1)], // no session
    ...[int32(1), string(topic), int32(1), int32(partition)],
    ...[int32(-1), int64(offset), int64(-1), int32(FETCH_BYTES_MAX)], // leader epoch unknown, log start unknown
    int32(0), // forgets no topics
  ]);
  return Buffer.concat([int32(frame.length), frame]);
}

function exchange(port, request) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(request));
    socket.setTimeout(10_000, () => socket.destroy(new Error('no answer to the fetch')));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the connection was closed')));
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      const bytes = Buffer.concat(chunks);
      if (bytes.length < 4 || bytes.length < 4 + bytes.readInt32BE(0)) return;
      resolve(bytes.subarray(4));
      socket.destroy();
    });
  });
}

/** The record batches of a partition from `offset` on, as far as one fetch reaches; the last one may be cut off. */
export async function fetchRecords({ port, topic, partition = 0, offset = 0 }) {
  const response = await exchange(port, fetchRequest(topic, partition, offset));
  let at = 4 + 4 + 2 + 4 + 4; // correlation id, throttle, error, session, count of topics
  at += 2 + response.readInt16BE(at) + 4 + 4; // name, count of partitions, partition
  const error = response.readInt16BE(at);
  if (error !== 0) throw new Error(`fetch of ${topic}/${partition}: error ${error}`);
  at += 2 + 8 + 8 + 8; // error, high watermark, last stable offset, log start
  at += 4 + 16 * Math.max(0, response.readInt32BE(at)); // aborted transactions
  return response.subarray(at + 4, at + 4 + response.readInt32BE(at));
}

/** The batches of a partition from its beginning, as far as one fetch reaches: `{ codec, records, bytes }` each. */
export async function storedBatches({ port, topic, partition = 0 }) {
  const records = await fetchRecords({ port, topic, partition });
  const batches = [];
  for (let start = 0; start + BATCH_HEADER_BYTES <= records.length;) {
    const bytes = 12 + records.readInt32BE(start + 8);
    batches.push({ codec: CODECS[records.readInt16BE(start + 21) & 7], records: records.readInt32BE(start + 57), bytes });
    start += bytes;
  }
  return batches;
}
