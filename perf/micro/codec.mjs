// The codec: what main does for each request before and after a shard has it. Views are what the broker uses, tables are what the views are tested against.
import { do_not_optimize } from 'mitata';
import { produce } from '../../build/protocol/apis/00-produce.js';
import { fetch } from '../../build/protocol/apis/01-fetch.js';
import { ByteWriter } from '../../build/protocol/byte-writer.js';
import { decodeRequest, encodeRequest } from '../../build/protocol/codec.js';
import { FetchPartitionResult, FetchResponseWriter } from '../../build/protocol/fetch-response.js';
import { FetchView } from '../../build/protocol/fetch-view.js';
import { encodeRequestFrame, encodeResponseFrame, parseRequestHeader, RequestHeader } from '../../build/protocol/frame.js';
import { ProduceResults, produceResponseBytes, writeProduceResponse } from '../../build/protocol/produce-response.js';
import { ProduceView } from '../../build/protocol/produce-view.js';
import { buildBatch } from '../../build/protocol/record.js';
import { TopicNameCache } from '../../build/protocol/topic-name-cache.js';
import { placed } from './memory.mjs';

const TOPIC = 'orders-eu-west';
const TOPIC_ID = 'AAECAwQFBgcICQoLDA0ODw';
const PRODUCE_VERSIONS = [3, 9, 13];
const FETCH_VERSIONS = [4, 11, 17];
const PARTITIONS = 50;
const TOPICS = 1000;

function produceRequest(version, partitions) {
  const records = buildBatch({ records: [{ value: Buffer.alloc(1024, 1) }], baseTimestamp: Date.now() });
  const topic = version < 13 ? { name: TOPIC } : { topicId: TOPIC_ID };
  const partitionData = Array.from({ length: partitions }, (_, index) => ({ index, records }));
  return { acks: -1, timeoutMs: 30_000, topicData: [{ ...topic, partitionData }] };
}

function fetchRequest(version, count) {
  const topic = version < 13 ? { topic: TOPIC } : { topicId: TOPIC_ID };
  const one = (partition) => ({ partition, fetchOffset: 12_345_678, partitionMaxBytes: 1 << 20 });
  const topics = [{ ...topic, partitions: Array.from({ length: count }, (_, partition) => one(partition)) }];
  return { maxWaitMs: 500, minBytes: 1, maxBytes: 50 << 20, topics, forgottenTopicsData: [] };
}

const partitionsText = (count) => `${count} ${count === 1 ? 'partition' : 'partitions'}`;

function produceCases(version, partitions) {
  const { buffer, start, end } = placed(encodeRequest(produce, version, produceRequest(version, partitions)));
  const view = new ProduceView();
  const results = new ProduceResults();
  const out = new ByteWriter(Buffer.alloc(1 << 16));
  const name = `produce v${version}, ${partitionsText(partitions)}`;
  return [
    { name: `${name}: parse`, run: () => do_not_optimize(view.parse(buffer, start, end, version) + view.partitionCount) },
    {
      name: `${name}: parse and answer`,
      run() {
        const error = view.parse(buffer, start, end, version);
        results.reset(view.partitionCount);
        for (let slot = 0; slot < view.partitionCount; slot++) results.succeed(slot, 123_456_789, -1, 0);
        const bytes = produceResponseBytes(view, results);
        do_not_optimize(error + writeProduceResponse(out, 0, bytes, 42, view, buffer, results));
      },
    },
  ];
}

function produceTableCases(version) {
  const request = produceRequest(version, 1);
  const { buffer, start, end } = placed(encodeRequest(produce, version, request));
  const topic = version < 13 ? { name: TOPIC } : { topicId: TOPIC_ID };
  const partitionResponses = [{ index: 0, errorCode: 0, baseOffset: 123_456_789, logStartOffset: 0 }];
  const answer = { responses: [{ ...topic, partitionResponses }] };
  const name = `produce v${version}, table`;
  return [
    { name: `${name}: decode request`, run: () => do_not_optimize(decodeRequest(produce, version, buffer, start, end)) },
    { name: `${name}: encode request`, run: () => do_not_optimize(encodeRequest(produce, version, request)) },
    { name: `${name}: encode answer`, run: () => do_not_optimize(encodeResponseFrame(produce, version, 42, answer)) },
  ];
}

function fetchCase(version, partitions) {
  const { buffer, start, end } = placed(encodeRequest(fetch, version, fetchRequest(version, partitions)));
  const view = new FetchView();
  return {
    name: `fetch v${version}, ${partitionsText(partitions)}: parse`,
    run: () => do_not_optimize(view.parse(buffer, start, end, version) + view.partitionCount),
  };
}

function fetchTableCase(version) {
  const { buffer, start, end } = placed(encodeRequest(fetch, version, fetchRequest(version, 1)));
  return {
    name: `fetch v${version}, table: decode request`,
    run: () => do_not_optimize(decodeRequest(fetch, version, buffer, start, end)),
  };
}

function fetchAnswerCase() {
  const writer = new FetchResponseWriter(Buffer.alloc(1 << 16));
  const scratch = Buffer.alloc(1 << 16);
  const result = new FetchPartitionResult();
  const id = Buffer.from(TOPIC_ID, 'base64url');
  return {
    name: 'fetch v17, 1 partition: answer around its records',
    run() {
      writer.begin(scratch, 0, 17, 42, 0, 0, 0, 1);
      writer.topic(id, 0, 16, 1);
      result.clear(0, 0);
      result.highWatermark = 123_456;
      result.recordsBytes = 1 << 20;
      writer.partition(result);
      do_not_optimize(writer.end());
    },
  };
}

function headerCase() {
  const { buffer, start, end } = placed(encodeRequestFrame(produce, 9, 1, 'a-client-id', { acks: 1, timeoutMs: 1, topicData: [] }));
  const header = new RequestHeader();
  return {
    name: 'request header: parse',
    run: () => do_not_optimize(parseRequestHeader(buffer, start + 4, end, header) + header.bodyStart),
  };
}

function topicNameCase() {
  const names = new TopicNameCache();
  for (let index = 0; index < TOPICS; index++) names.set(`topic-${index}`, index);
  names.set(TOPIC, TOPICS);
  const name = Buffer.from(TOPIC);
  return { name: `topic name: look up, ${TOPICS + 1} known`, run: () => do_not_optimize(names.find(name, 0, name.length)) };
}

export const codecCases = () => [
  headerCase(),
  topicNameCase(),
  ...PRODUCE_VERSIONS.flatMap((version) => produceCases(version, 1)),
  ...produceCases(9, PARTITIONS),
  ...PRODUCE_VERSIONS.flatMap(produceTableCases),
  ...FETCH_VERSIONS.map((version) => fetchCase(version, 1)),
  fetchCase(17, PARTITIONS),
  fetchAnswerCase(),
  ...FETCH_VERSIONS.map(fetchTableCase),
];
