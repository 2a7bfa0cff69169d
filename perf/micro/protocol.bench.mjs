// Nanoseconds per operation of the hot protocol paths, against dist: npm run build && node perf/micro/protocol.bench.mjs
// Cases take turns, each best of many rounds; results are folded into a sink so that nothing is optimised away.

import { cpus, loadavg } from 'node:os';
import { fetch } from '../../build/protocol/apis/01-fetch.js';
import { produce } from '../../build/protocol/apis/00-produce.js';
import { ByteWriter } from '../../build/protocol/byte-writer.js';
import { decodeRequest, encodeRequest } from '../../build/protocol/codec.js';
import { crc32cAt } from '../../build/protocol/crc32c.js';
import { FetchPartitionResult, FetchResponseWriter } from '../../build/protocol/fetch-response.js';
import { FetchView } from '../../build/protocol/fetch-view.js';
import { encodeRequestFrame, encodeResponseFrame, parseRequestHeader, RequestHeader } from '../../build/protocol/frame.js';
import { ProduceResults, produceResponseBytes, writeProduceResponse } from '../../build/protocol/produce-response.js';
import { ProduceView } from '../../build/protocol/produce-view.js';
import { checkBatchHeader, stampBatch } from '../../build/protocol/record-batch.js';
import { buildBatch } from '../../build/protocol/record.js';
import { TopicNameCache } from '../../build/protocol/topic-name-cache.js';

const ROUNDS = 25;
const ROUND_MS = 12;
const ID = 'AAECAwQFBgcICQoLDA0ODw';

/** Requests lie in shared memory behind other bytes, as in the broker. */
function placed(body) {
  const buffer = Buffer.from(new SharedArrayBuffer(body.length + 4096));
  buffer.set(body, 1024);
  return { buffer, start: 1024, end: 1024 + body.length };
}

const batch = buildBatch({ records: [{ value: Buffer.alloc(1024, 1) }], baseTimestamp: Date.now() });
const named = (version) => (version < 13 ? { name: 'orders-eu-west' } : { topicId: ID });
const produceBody = (version, partitions) =>
  encodeRequest(produce, version, {
    acks: -1,
    timeoutMs: 30000,
    topicData: [{ ...named(version), partitionData: Array.from({ length: partitions }, (_, index) => ({ index, records: batch })) }],
  });
const fetchTopic = (version) => (version < 13 ? { topic: 'orders-eu-west' } : { topicId: ID });
const fetchBody = (version, count) =>
  encodeRequest(fetch, version, {
    maxWaitMs: 500,
    minBytes: 1,
    maxBytes: 52428800,
    topics: [
      {
        ...fetchTopic(version),
        partitions: Array.from({ length: count }, (_, partition) => ({ partition, fetchOffset: 12345678, partitionMaxBytes: 1048576 })),
      },
    ],
    forgottenTopicsData: [],
  });

const view = new ProduceView();
const results = new ProduceResults();
const out = new ByteWriter(Buffer.alloc(1 << 16));
const fetchView = new FetchView();
const fetchWriter = new FetchResponseWriter(Buffer.alloc(1 << 16));
const fetchScratch = Buffer.alloc(1 << 16);
const fetchResult = new FetchPartitionResult();
const header = new RequestHeader();
const names = new TopicNameCache();
for (let index = 0; index < 1000; index++) names.set(`topic-${index}`, index);
names.set('orders-eu-west', 7);

function answer(buffer) {
  results.reset(view.partitionCount);
  for (let slot = 0; slot < view.partitionCount; slot++) results.succeed(slot, 123456789, -1, 0);
  const bytes = produceResponseBytes(view, results);
  return writeProduceResponse(out, 0, bytes, 42, view, buffer, results);
}

const cases = [];
for (const version of [3, 9, 13]) {
  const one = placed(produceBody(version, 1));
  cases.push([`produce v${version}, 1 partition: parse`, () => view.parse(one.buffer, one.start, one.end, version) + view.partitionCount]);
  cases.push([
    `produce v${version}, 1 partition: parse + response`,
    () => view.parse(one.buffer, one.start, one.end, version) + answer(one.buffer),
  ]);
  cases.push([
    `produce v${version}, 1 partition: table decode`,
    () => decodeRequest(produce, version, one.buffer, one.start, one.end).acks,
  ]);
  const table = {
    responses: [{ ...named(version), partitionResponses: [{ index: 0, errorCode: 0, baseOffset: 123456789, logStartOffset: 0 }] }],
  };
  cases.push([`produce v${version}, 1 partition: table response frame`, () => encodeResponseFrame(produce, version, 42, table).length]);
}
const many = placed(produceBody(9, 50));
cases.push(['produce v9, 50 partitions: parse', () => view.parse(many.buffer, many.start, many.end, 9) + view.partitionCount]);
cases.push(['produce v9, 50 partitions: parse + response', () => view.parse(many.buffer, many.start, many.end, 9) + answer(many.buffer)]);
for (const version of [4, 11, 17]) {
  const one = placed(fetchBody(version, 1));
  cases.push([
    `fetch v${version}, 1 partition: parse`,
    () => fetchView.parse(one.buffer, one.start, one.end, version) + fetchView.partitionCount,
  ]);
  cases.push([
    `fetch v${version}, 1 partition: table decode`,
    () => decodeRequest(fetch, version, one.buffer, one.start, one.end).minBytes,
  ]);
}
const fifty = placed(fetchBody(17, 50));
cases.push(['fetch v17, 50 partitions: parse', () => fetchView.parse(fifty.buffer, fifty.start, fifty.end, 17) + fetchView.partitionCount]);
const id = Buffer.from(ID, 'base64url');
cases.push([
  'fetch v17, 1 partition: response around records',
  () => {
    fetchWriter.begin(fetchScratch, 0, 17, 42, 0, 0, 0, 1);
    fetchWriter.topic(id, 0, 16, 1);
    fetchResult.clear(0, 0);
    fetchResult.highWatermark = 123456;
    fetchResult.recordsBytes = 1 << 20;
    fetchWriter.partition(fetchResult);
    return fetchWriter.end();
  },
]);
const frame = placed(encodeRequestFrame(produce, 9, 1, 'a-client-id', { acks: 1, timeoutMs: 1, topicData: [] }));
cases.push(['request header', () => parseRequestHeader(frame.buffer, frame.start + 4, frame.end, header) + header.bodyStart]);
const name = Buffer.from('orders-eu-west');
cases.push(['topic name lookup, 14 bytes, 1001 known', () => names.find(name, 0, name.length)]);
const stored = placed(batch);
cases.push([
  'batch: check header + stamp',
  () => checkBatchHeader(batch, 0, batch.length) + (stampBatch(stored.buffer, stored.start, 99, 1), 1),
]);
cases.push(['batch: CRC of 1 KiB', () => crc32cAt(stored.buffer, stored.start, 1024)]);

let sink = 0;

function round(run, iterations) {
  const start = process.hrtime.bigint();
  for (let index = 0; index < iterations; index++) sink += run();
  return Number(process.hrtime.bigint() - start) / iterations;
}

const states = cases.map(([label, run]) => ({ label, run, best: Infinity, all: [] }));
for (let turn = 0; turn < ROUNDS; turn++) {
  for (const state of states) {
    const iterations = Math.ceil((ROUND_MS * 1e6) / Math.max(round(state.run, 200), 5));
    const ns = round(state.run, iterations);
    state.best = Math.min(state.best, ns);
    state.all.push(ns);
  }
}
console.log(`${cpus()[0].model}, ${cpus().length} CPUs, load ${loadavg()[0].toFixed(2)}, Node ${process.version}; ns per operation`);
for (const { label, best, all } of states) {
  const median = all.sort((a, b) => a - b)[Math.floor(all.length / 2)];
  console.log(`${label.padEnd(52)} median ${median.toFixed(0).padStart(6)}   best ${best.toFixed(0).padStart(6)}`);
}
if (Number.isNaN(sink)) console.log('a case returned no number');
