/**
 * What main's thread can do alone: sockets, framing, requests and answers, with a shard that only counts. No disk, no CRC.
 *
 *   node perf/ingress.mjs [--port 9092] [--partitions 4] [--worker]      (after `npm run build`)
 *   native-bench/bin/kload --topic kload --partitions 4 --batch-bytes 1 --connections 16 --in-flight 8
 *
 * The shard answers in this thread, so its cost is inside the figure; with --worker it is a thread of its own, as in the broker.
 */
import { isMainThread, workerData } from 'node:worker_threads';
import { parseArgs } from 'node:util';
import { setLong, Completion, CompletionFlag, CompletionKind } from '../build/ring/completion.js';
import { DoorbellRinger } from '../build/ring/doorbell.js';
import { RingConsumer, RingProducer } from '../build/ring/ring.js';
import { Submission } from '../build/ring/submission.js';

class CountingShard {
  offsets = [];
  constructor(submissions, completions) {
    this.submissions = new RingConsumer(submissions);
    this.completions = new RingProducer(completions);
  }
  step() {
    const { submissions, completions } = this;
    const count = Math.min(submissions.available(), completions.free(1000));
    for (let n = 0; n < count; n++) {
      const from = submissions.at(n);
      const at = completions.claim();
      const handle = submissions.words[from + Submission.handle];
      const offset = this.offsets[handle] ?? 0;
      this.offsets[handle] = offset + 1;
      completions.words[at + Completion.kind] = CompletionKind.append;
      completions.words[at + Completion.request] = submissions.words[from + Submission.request];
      completions.words[at + Completion.tag] = submissions.words[from + Submission.tag];
      completions.words[at + Completion.errorCode] = 0;
      completions.words[at + Completion.handle] = handle;
      completions.words[at + Completion.flags] = CompletionFlag.answer | CompletionFlag.readable | CompletionFlag.released;
      setLong(completions.words, at + Completion.baseOffset, offset);
      completions.words[at + Completion.lastOffsetDelta] = 0;
      setLong(completions.words, at + Completion.logAppendTime, -1);
    }
    if (count > 0) submissions.release(count);
    completions.publish();
    return count;
  }
}

if (!isMainThread) {
  const shard = new CountingShard(workerData.submissions, workerData.completions);
  const doorbell = new DoorbellRinger(workerData.doorbell);
  for (;;) {
    if (shard.step() > 0) doorbell.ring();
    else shard.submissions.sleep(1000);
  }
}

const { createTopics } = await import('../build/protocol/apis/19-create-topics.js');
const { metadata } = await import('../build/protocol/apis/03-metadata.js');
const { decodeRequest } = await import('../build/protocol/codec.js');
const { encodeResponseFrame } = await import('../build/protocol/frame.js');
const { Ingress } = await import('../build/main/ingress.js');
const { ShardLink } = await import('../build/main/shard-link.js');
const { TopicNameCache } = await import('../build/protocol/topic-name-cache.js');
const { createRing } = await import('../build/ring/ring.js');

const { values } = parseArgs({
  options: { port: { type: 'string', default: '9092' }, partitions: { type: 'string', default: '4' }, worker: { type: 'boolean' } },
});
const partitionCount = Number(values.partitions);
const names = new TopicNameCache();
names.set('kload', 0);
const topic = { config: { maxMessageBytes: 2 ** 30, recordValidation: 'uncompressed' }, partitions: [] };
const router = {
  topicByNameBytes: (bytes, position, length) => (names.find(bytes, position, length) === 0 ? topic : undefined),
  topicByIdBytes: () => undefined,
  view: (handle) => topic.partitions[handle],
};
const logger = { debug() {}, warn: console.error, error: console.error };
const settings = {
  host: '127.0.0.1',
  port: Number(values.port),
  connectionsMax: 10000,
  connectionIdleMsMax: 600000,
  grantStallMs: 10000,
  receiveMemoryBytes: 256 * 2 ** 20,
  socketRequestBytesMax: 100 * 2 ** 20,
};
const ingress = new Ingress(settings, router, logger, null, () => {});
let link;
if (values.worker) {
  const data = { doorbell: ingress.doorbell };
  link = ShardLink.start({
    index: 0,
    class: 'sync',
    data,
    entry: new URL(import.meta.url),
    onDeath: (reason) => {
      throw new Error(reason);
    },
  });
} else {
  const submissions = createRing(8192, 8);
  const completions = createRing(16384, 16);
  link = new ShardLink(0, 'sync', submissions, completions, { post() {}, receive() {} });
  const shard = new CountingShard(submissions, completions);
  const turn = ingress.cycle.run.bind(ingress.cycle);
  ingress.cycle.run = () => {
    shard.step();
    turn();
  };
}
ingress.addLink(link);
for (let handle = 0; handle < partitionCount; handle++) {
  topic.partitions.push({ handle, link, state: 'online', logStartOffset: 0, onceOnline() {}, onReadable() {} });
}
ingress.handle(3, (request) => {
  decodeRequest(metadata, request.apiVersion, request.bytes, request.bodyStart, request.bodyEnd);
  const partitions = topic.partitions.map((_, partitionIndex) => ({
    errorCode: 0,
    partitionIndex,
    leaderId: 1,
    leaderEpoch: 0,
    replicaNodes: [1],
    isrNodes: [1],
    offlineReplicas: [],
  }));
  const body = {
    brokers: [{ nodeId: 1, host: '127.0.0.1', port: settings.port, rack: null }],
    clusterId: 'ingress',
    controllerId: 1,
    topics: [{ errorCode: 0, name: 'kload', isInternal: false, partitions }],
  };
  request.respond([encodeResponseFrame(metadata, request.apiVersion, request.correlationId, body)]);
});
ingress.handle(19, (request) => {
  const body = { topics: [{ name: 'kload', errorCode: 36, errorMessage: 'exists' }] };
  request.respond([encodeResponseFrame(createTopics, request.apiVersion, request.correlationId, body)]);
});
await ingress.listener.start();
console.log('listening', ingress.listener.address);
process.on('SIGTERM', () => process.exit(0));
