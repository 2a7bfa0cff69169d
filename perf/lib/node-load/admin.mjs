// The few requests around a run: nothing here is measured.
import { setTimeout as sleep } from 'node:timers/promises';
import { API, describeError, FrameCutter, Reader, Writer } from './wire.mjs';
import { openSocket } from './socket.mjs';

const RECEIVE_BYTES = 64 * 1024;
const LEADER_WAIT_MS = 30_000;
const LEADER_POLL_MS = 20;
const REQUEST_TIMEOUT_MS = 60_000;
const UNKNOWN_TOPIC = 3;
const LEADER_NOT_AVAILABLE = 5;
const NOT_LEADER = 6;
const ALREADY_EXISTS = 36;
const END_TIMESTAMP = -1;
const BEGINNING_TIMESTAMP = -2;

/** One connection, one request at a time. */
class Admin {
  #socket;
  #cutter = new FrameCutter();
  #waiting = null;
  #correlation = 0;

  static async open(address) {
    const admin = new Admin();
    const onLost = () =>
      admin.#waiting?.reject(new Error('the broker closed the connection instead of answering (does it know this request version?)'));
    admin.#socket = await openSocket(address, RECEIVE_BYTES, (data, bytes) => admin.#onData(data, bytes), onLost);
    return admin;
  }
  #onData(data, bytes) {
    try {
      this.#cutter.feed(data, bytes, (buffer, start, end) => this.#waiting?.resolve(Buffer.from(buffer.subarray(start, end))));
    } catch (error) {
      this.#waiting?.reject(error);
    }
  }
  /** @param {(writer: Writer) => void} write the request's body  @returns {Promise<Reader>} past the answer's header */
  async call(api, write) {
    const writer = new Writer().begin(api, ++this.#correlation);
    write(writer);
    const request = writer.noTags().end();
    const answer = await new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.write(request);
    });
    const reader = new Reader().set(answer, 0, answer.length);
    if (reader.int32() !== this.#correlation) throw new Error(`${api.name}: the answer is not to the request that was sent`);
    if (api !== API.apiVersions) reader.skipTags();
    return reader;
  }
  close() {
    this.#waiting = null;
    this.#socket.destroy();
  }
}

async function withAdmin(address, use) {
  const admin = await Admin.open(address);
  try {
    return await use(admin);
  } finally {
    admin.close();
  }
}

async function checkVersions(admin) {
  const reader = await admin.call(API.apiVersions, (writer) => writer.string('node-load').string('1.0'));
  const error = reader.int16();
  if (error !== 0) throw new Error(`ApiVersions: error ${describeError(error)}`);
  const served = new Map();
  for (let count = reader.arrayCount(); count > 0; count--) {
    served.set(reader.int16(), { least: reader.int16(), most: reader.int16() });
    reader.skipTags();
  }
  for (const { key, version, name } of [API.produce, API.fetch, API.metadata, API.listOffsets, API.createTopics]) {
    const range = served.get(key);
    if (!range || version < range.least || version > range.most) throw new Error(`the broker does not serve ${name} version ${version}`);
  }
}

function readBrokers(reader) {
  return Array.from({ length: reader.arrayCount() }, () => {
    const broker = { id: reader.int32(), host: reader.string(), port: reader.int32() };
    reader.skipString(); // rack
    reader.skipTags();
    return broker;
  });
}

/** Who leads each partition: `leaders` are indexes into `brokers`. `error` is not 0 if topic or leaders are not there (yet). */
async function readMetadata(o, admin) {
  const write = (writer) => writer.arrayCount(1).string(o.topic).noTags().int8(0).int8(0).int8(0); // no creation, no operations
  const reader = await admin.call(API.metadata, write);
  reader.int32(); // throttle time
  const brokers = readBrokers(reader);
  if (brokers.length === 0) throw new Error('Metadata names no broker');
  reader.skipString(); // cluster id
  reader.int32(); // controller
  if (reader.arrayCount() !== 1) throw new Error(`Metadata does not answer for topic ${o.topic}`);
  let error = reader.int16();
  reader.skipString();
  reader.int8(); // not internal
  const count = reader.arrayCount();
  if (error === 0 && count !== o.partitions)
    throw new Error(`topic ${o.topic} has ${count} partitions, not ${o.partitions} (--partitions)`);
  const leaders = new Array(o.partitions).fill(0);
  for (let i = 0; i < count; i++) {
    const partitionError = reader.int16();
    const index = reader.int32();
    const leader = reader.int32();
    reader.int32(); // leader epoch
    for (let list = 0; list < 3; list++) reader.skip(4 * reader.arrayCount()); // replicas, in sync, offline
    reader.skipTags();
    error ||= partitionError;
    leaders[index] = brokers.findIndex(({ id }) => id === leader);
    if (leaders[index] < 0) error ||= LEADER_NOT_AVAILABLE;
  }
  return { error, brokers, leaders };
}

/** Gives the topic's error code: 0, or that it exists. */
async function requestCreation(o, admin) {
  const reader = await admin.call(API.createTopics, (writer) => {
    writer.arrayCount(1).string(o.topic).int32(o.partitions).int16(-1); // replication factor: the broker's default
    writer.arrayCount(0).arrayCount(o.topicConfig.length); // no assignments
    for (const text of o.topicConfig) {
      const equals = text.indexOf('=');
      writer
        .string(text.slice(0, equals))
        .string(text.slice(equals + 1))
        .noTags();
    }
    writer.noTags().int32(REQUEST_TIMEOUT_MS).int8(0);
  });
  reader.int32();
  reader.arrayCount();
  reader.skipString();
  const error = reader.int16();
  const message = reader.string();
  if (error !== 0 && error !== ALREADY_EXISTS) throw new Error(`cannot create topic ${o.topic}: error ${describeError(error)} ${message}`);
  return error;
}

/** Waits until the topic, created if it is not there and this is no consumer, has a leader for every partition. */
export function openCluster(o) {
  return withAdmin(o.bootstrap, async (admin) => {
    await checkVersions(admin);
    for (const until = performance.now() + LEADER_WAIT_MS; ; await sleep(LEADER_POLL_MS)) {
      const { error, ...cluster } = await readMetadata(o, admin);
      if (error === 0) return cluster;
      if (error === UNKNOWN_TOPIC && o.mode === 'consume') throw new Error(`there is no topic ${o.topic}`);
      if (error === UNKNOWN_TOPIC) await requestCreation(o, admin);
      else if (error !== LEADER_NOT_AVAILABLE && error !== NOT_LEADER) throw new Error(`topic ${o.topic}: error ${describeError(error)}`);
      if (performance.now() > until)
        throw new Error(`topic ${o.topic} has no leader after ${LEADER_WAIT_MS} ms: error ${describeError(error)}`);
    }
  });
}

export async function createTopic(o) {
  await withAdmin(o.bootstrap, async (admin) => {
    await checkVersions(admin);
    if ((await requestCreation(o, admin)) === ALREADY_EXISTS) throw new Error(`topic ${o.topic} already exists`);
  });
  await openCluster(o);
}

export function deleteTopic(o) {
  return withAdmin(o.bootstrap, async (admin) => {
    const reader = await admin.call(API.deleteTopics, (writer) => writer.arrayCount(1).string(o.topic).int32(REQUEST_TIMEOUT_MS));
    reader.int32();
    reader.arrayCount();
    reader.skipString();
    const error = reader.int16();
    if (error !== 0) throw new Error(`cannot delete topic ${o.topic}: error ${describeError(error)}`);
  });
}

/** A producer id, as the eight bytes that batches bear. */
export function initProducerId(o) {
  return withAdmin(o.bootstrap, async (admin) => {
    const reader = await admin.call(API.initProducerId, (writer) => writer.string(null).int32(0));
    reader.int32();
    const error = reader.int16();
    if (error !== 0) throw new Error(`InitProducerId: error ${describeError(error)}`);
    return reader.take(8);
  });
}

async function listOffsetsOf(o, broker, partitions, timestamp, offsets) {
  await withAdmin(broker, async (admin) => {
    const reader = await admin.call(API.listOffsets, (writer) => {
      writer.int32(-1).int8(0).arrayCount(1).string(o.topic).arrayCount(partitions.length); // no replica, read uncommitted
      for (const partition of partitions) writer.int32(partition).int32(-1).int64(timestamp).noTags();
      writer.noTags();
    });
    reader.int32();
    reader.arrayCount();
    reader.skipString();
    for (let count = reader.arrayCount(); count > 0; count--) {
      const partition = reader.int32();
      const error = reader.int16();
      reader.int64(); // timestamp
      if (error !== 0) throw new Error(`ListOffsets of partition ${partition}: error ${describeError(error)}`);
      offsets[partition] = reader.int64();
      reader.int32(); // leader epoch
      reader.skipTags();
    }
  });
}

/** Where each partition begins, or ends. @param {'beginning' | 'end'} where */
export async function listOffsets(o, { brokers, leaders }, where) {
  const offsets = new Array(o.partitions).fill(0);
  const timestamp = where === 'end' ? END_TIMESTAMP : BEGINNING_TIMESTAMP;
  for (const [index, broker] of brokers.entries()) {
    const partitions = partitionsOf(leaders, index);
    if (partitions.length > 0) await listOffsetsOf(o, broker, partitions, timestamp, offsets);
  }
  return offsets;
}

function partitionsOf(leaders, broker) {
  return leaders.flatMap((leader, partition) => (leader === broker ? [partition] : []));
}

/** The brokers that lead a partition. */
export function leadingBrokers({ leaders }) {
  return [...new Set(leaders)].sort((a, b) => a - b);
}

/**
 * Spreads connections over brokers, and partitions over the connections of their broker.
 * @returns {{ broker: { host: string, port: number }, partitions: number[] }[]} one for each connection
 */
export function shareOut(o, cluster) {
  const used = leadingBrokers(cluster);
  if (o.connections < used.length)
    throw new Error(`${used.length} brokers lead partitions: --connections must be at least that, not ${o.connections}`);
  return Array.from({ length: o.connections }, (_, connection) => {
    const rank = connection % used.length;
    const list = partitionsOf(cluster.leaders, used[rank]);
    const member = Math.floor(connection / used.length);
    const members = Math.ceil((o.connections - rank) / used.length);
    const broker = cluster.brokers[used[rank]];
    if (o.fanOut) return { broker, partitions: list };
    // With more connections than partitions several write to the same one; else each partition has one connection.
    if (members >= list.length) return { broker, partitions: [list[member % list.length]] };
    return { broker, partitions: list.filter((_partition, i) => i % members === member) };
  });
}
