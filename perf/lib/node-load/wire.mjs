// Reading and writing Kafka messages: big-endian, flexible ("compact") encodings only, in the versions that kload speaks (native-bench/wire.h), so that ringlog, the
// floor and Apache Kafka 4.x all understand both.

/** One version of each API; topics go by name. */
export const API = {
  produce: { key: 0, version: 9, name: 'Produce' },
  fetch: { key: 1, version: 12, name: 'Fetch' },
  listOffsets: { key: 2, version: 7, name: 'ListOffsets' },
  metadata: { key: 3, version: 9, name: 'Metadata' },
  apiVersions: { key: 18, version: 3, name: 'ApiVersions' },
  createTopics: { key: 19, version: 5, name: 'CreateTopics' },
  deleteTopics: { key: 20, version: 4, name: 'DeleteTopics' },
  initProducerId: { key: 22, version: 2, name: 'InitProducerId' },
};

/** Positions in the header of a record batch (magic 2). */
export const BATCH = {
  baseOffset: 0,
  length: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  recordCount: 57,
  headerBytes: 61,
};

/** Of a frame: its size and the correlation id of its request. */
export const CORRELATION_AT = 8;
const CLIENT_ID = 'node-load';
const TWO_TO_32 = 2 ** 32;

const ERROR_NAMES = new Map([
  [-1, 'UNKNOWN_SERVER_ERROR'],
  [1, 'OFFSET_OUT_OF_RANGE'],
  [2, 'CORRUPT_MESSAGE'],
  [3, 'UNKNOWN_TOPIC_OR_PARTITION'],
  [5, 'LEADER_NOT_AVAILABLE'],
  [6, 'NOT_LEADER_OR_FOLLOWER'],
  [7, 'REQUEST_TIMED_OUT'],
  [10, 'MESSAGE_TOO_LARGE'],
  [17, 'INVALID_TOPIC_EXCEPTION'],
  [19, 'NOT_ENOUGH_REPLICAS'],
  [20, 'NOT_ENOUGH_REPLICAS_AFTER_APPEND'],
  [21, 'INVALID_REQUIRED_ACKS'],
  [32, 'INVALID_TIMESTAMP'],
  [35, 'UNSUPPORTED_VERSION'],
  [36, 'TOPIC_ALREADY_EXISTS'],
  [37, 'INVALID_PARTITIONS'],
  [38, 'INVALID_REPLICATION_FACTOR'],
  [40, 'INVALID_CONFIG'],
  [41, 'NOT_CONTROLLER'],
  [42, 'INVALID_REQUEST'],
  [56, 'KAFKA_STORAGE_ERROR'],
  [87, 'INVALID_RECORD'],
]);

/** @param {number} code Kafka's */
export function describeError(code) {
  return `${code} ${ERROR_NAMES.get(code) ?? 'other error'}`;
}

/** A signed 64-bit integer, exact up to 2^53. */
export function readInt64(buffer, position) {
  return buffer.readInt32BE(position) * TWO_TO_32 + buffer.readUInt32BE(position + 4);
}

export function writeInt64(buffer, value, position) {
  buffer.writeInt32BE(Math.floor(value / TWO_TO_32), position);
  buffer.writeUInt32BE(value - Math.floor(value / TWO_TO_32) * TWO_TO_32, position + 4);
}

/** Writes `value` (0 to 2^32 - 1) seven bits a byte; gives the position after it. */
export function putUvarint(buffer, value, position) {
  let at = position;
  let rest = value;
  for (; rest > 127; rest >>>= 7) buffer[at++] = (rest & 127) | 128;
  buffer[at++] = rest;
  return at;
}

/** The same for signed 32-bit integers, zigzag. */
export function putVarint(buffer, value, position) {
  return putUvarint(buffer, ((value << 1) ^ (value >> 31)) >>> 0, position);
}

/** Reads one answer after the other without an object for each. Throws RangeError past the end. */
export class Reader {
  #buffer = Buffer.alloc(0);
  position = 0;
  end = 0;

  /** Reads from now on what is in `buffer` from `position` to `end`. */
  set(buffer, position, end) {
    this.#buffer = buffer;
    this.position = position;
    this.end = end;
    return this;
  }
  /** Goes over `bytes`; gives the position before them. */
  skip(bytes) {
    const before = this.position;
    this.position += bytes;
    if (bytes < 0 || this.position > this.end)
      throw new RangeError(`an answer of ${this.end} bytes ends at ${this.position} in the middle of a field`);
    return before;
  }
  /** A copy of the next bytes. */
  take(bytes) {
    const at = this.skip(bytes);
    return Buffer.from(this.#buffer.subarray(at, at + bytes));
  }
  int8() {
    return this.#buffer.readInt8(this.skip(1));
  }
  int16() {
    return this.#buffer.readInt16BE(this.skip(2));
  }
  int32() {
    return this.#buffer.readInt32BE(this.skip(4));
  }
  int64() {
    return readInt64(this.#buffer, this.skip(8));
  }
  uvarint() {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#buffer[this.skip(1)];
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
    throw new RangeError('an answer with a varint of more than five bytes');
  }
  /** Elements of an array that follow; 0 if it is null. */
  arrayCount() {
    return Math.max(0, this.uvarint() - 1);
  }
  /** Bytes of a string or of records; -1 if it is null. */
  compactLength() {
    return this.uvarint() - 1;
  }
  skipString() {
    this.skip(Math.max(0, this.compactLength()));
  }
  string() {
    const bytes = Math.max(0, this.compactLength());
    const at = this.skip(bytes);
    return this.#buffer.toString('utf8', at, at + bytes);
  }
  skipTags() {
    for (let count = this.uvarint(); count > 0; count--) {
      this.uvarint();
      this.skip(this.uvarint());
    }
  }
}

/** Makes one request in memory that grows. */
export class Writer {
  #buffer = Buffer.alloc(1024);
  bytes = 0;

  #space(bytes) {
    const at = this.bytes;
    this.bytes += bytes;
    if (this.bytes > this.#buffer.length) {
      const larger = Buffer.alloc(2 * this.bytes);
      this.#buffer.copy(larger, 0, 0, at);
      this.#buffer = larger;
    }
    return at;
  }
  int8(value) {
    this.#buffer.writeInt8(value, this.#space(1));
    return this;
  }
  int16(value) {
    const at = this.#space(2);
    this.#buffer.writeInt16BE(value, at);
    return this;
  }
  int32(value) {
    const at = this.#space(4);
    this.#buffer.writeInt32BE(value, at);
    return this;
  }
  int64(value) {
    const at = this.#space(8);
    writeInt64(this.#buffer, value, at);
    return this;
  }
  uvarint(value) {
    const at = this.#space(5);
    this.bytes = putUvarint(this.#buffer, value, at);
    return this;
  }
  /** How many elements of an array follow. */
  arrayCount(count) {
    return this.uvarint(count + 1);
  }
  /** @param {string | null} text */
  string(text) {
    if (text === null) return this.uvarint(0);
    const bytes = Buffer.byteLength(text);
    this.uvarint(bytes + 1);
    const at = this.#space(bytes);
    this.#buffer.write(text, at);
    return this;
  }
  noTags() {
    return this.int8(0);
  }
  /** Begins a request: room for its size, header version 2. */
  begin(api, correlation) {
    this.bytes = 0;
    this.int32(0).int16(api.key).int16(api.version).int32(correlation);
    this.int16(CLIENT_ID.length); // the client id keeps its int16 length in header version 2
    const at = this.#space(CLIENT_ID.length);
    this.#buffer.write(CLIENT_ID, at);
    return this.noTags();
  }
  /** The whole request; its memory is the caller's. */
  end() {
    this.#buffer.writeInt32BE(this.bytes - 4, 0);
    return Buffer.from(this.#buffer.subarray(0, this.bytes));
  }
  /** What has been written so far, its size not filled in. */
  copy() {
    return Buffer.from(this.#buffer.subarray(0, this.bytes));
  }
}

const FRAME_BYTES_MAX = 256 * 2 ** 20;
const PARTIAL_BYTES = 1024; // at first

/** Cuts frames out of what a socket gives, piece by piece. */
export class FrameCutter {
  #partial = Buffer.alloc(PARTIAL_BYTES);
  #have = 0;

  /**
   * Calls `onFrame(buffer, start, end)` for every frame that is complete now, without its size; the bytes are only there for that call, which may give false to
   * have no more. Throws if something is too large for an answer.
   */
  feed(data, bytes, onFrame) {
    let at = 0;
    while (at < bytes) {
      // Whole in the data, as most are, it needs no copy.
      if (this.#have === 0 && bytes - at >= 4) {
        const size = sizeAt(data, at);
        if (bytes - at >= 4 + size) {
          if (onFrame(data, at + 4, at + 4 + size) === false) return;
          at += 4 + size;
          continue;
        }
        this.#reserve(4 + size);
      }
      const wanted = this.#have < 4 ? 4 : 4 + sizeAt(this.#partial, 0);
      this.#reserve(wanted);
      const taken = Math.min(wanted - this.#have, bytes - at);
      data.copy(this.#partial, this.#have, at, at + taken);
      this.#have += taken;
      at += taken;
      if (this.#have < 4 || this.#have < 4 + sizeAt(this.#partial, 0)) continue;
      const end = this.#have;
      this.#have = 0;
      if (onFrame(this.#partial, 4, end) === false) return;
    }
  }
  #reserve(bytes) {
    if (bytes <= this.#partial.length) return;
    const larger = Buffer.allocUnsafeSlow(bytes + Math.floor(bytes / 4));
    this.#partial.copy(larger, 0, 0, this.#have);
    this.#partial = larger;
  }
}

function sizeAt(buffer, position) {
  const size = buffer.readUInt32BE(position);
  if (size > FRAME_BYTES_MAX) throw new RangeError(`an answer of ${size} bytes: is this a Kafka port?`);
  return size;
}
