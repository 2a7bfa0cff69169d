// Systems that do not speak Kafka's protocol, as sides: each driven by its own client, all in one program in one language (perf/peers/load), and ringlog beside them
// by the Kafka client of that program. Its figures are therefore not those of kload.
import { freePort, startRinglog } from './servers.mjs';
import { runGoEndToEnd, runGoLoad } from './go-load.mjs';
import { peers } from './peers.mjs';
import { readAgain } from './read-again.mjs';
import { ringlogOptions, TOPIC, WARM_TOPIC, warmSeconds } from './sides.mjs';

const OURS = 'ringlog-go';
const BULK_BATCH_BYTES = 65_536;

/** The variants that make the promise of a durability: what ringlog's topics of that durability are held against. */
const SAME_PROMISE = {
  fsync: ['nats-always', 'redis-streams-always'],
  'page-cache': ['rabbitmq-streams'],
  memory: [],
};

const others = (context) => context.peers.filter((peer) => peer !== 'kafka');

/** kload's words for a load in the Go program's. */
export function goOptions(load) {
  return {
    topic: TOPIC,
    streams: load.partitions,
    connections: load.connections,
    inFlight: load.inFlight,
    recordBytes: load.recordBytes,
    recordsPerRequest: Math.max(1, Math.floor((load.batchBytes ?? BULK_BATCH_BYTES) / load.recordBytes)),
    rate: load.rate,
    seconds: load.seconds,
    warmup: load.warmup,
    bytes: load.bytes,
  };
}

function allSides(context, durability, { promise, warm, prepare, measure }) {
  if (others(context).length === 0) return [];
  const with_ = (system, topicConfig) => ({
    ...(warm ? { warm: (server) => warm(system, server.port, topicConfig) } : {}),
    ...(prepare ? { prepare: (server) => prepare(system, server.port, topicConfig) } : {}),
    measure: (server) => measure(system, server.port, topicConfig),
  });
  const ours = {
    name: OURS,
    isPeer: true, // without Go it is missing as the others are
    promise: promise ?? `${durability}, by franz-go`,
    start: (dir) => startRinglog({ dir, ...ringlogOptions(context) }),
    ...with_('kafka', [`ringlog.durability=${durability}`]),
  };
  const theirs = others(context).flatMap((peer) =>
    peers[peer].variants.map((variant) => ({
      name: variant.name === 'default' ? peer : `${peer}-${variant.name}`,
      promise: promise ?? variant.promise,
      isPeer: true,
      start: async (dir) => peers[peer].start({ port: await freePort(), dataDir: dir, variant: variant.name }),
      ...with_(peer, []),
    })),
  );
  return [ours, ...theirs];
}

/**
 * Producing in a closed loop. isWarm: some seconds of the same load on another topic first.
 * @param {{ durability: string, load: any, isWarm?: boolean }} workload
 */
export function goProduceSides(context, { durability, load, isWarm = false }) {
  const run = (system, port, options) => runGoLoad(system, port, { mode: 'produce', ...goOptions(load), ...options });
  const warming = { topic: WARM_TOPIC, bytes: undefined, warmup: 0, seconds: warmSeconds(context) };
  return allSides(context, durability, {
    ...(isWarm ? { warm: (system, port, topicConfig) => run(system, port, { ...warming, topicConfig }) } : {}),
    measure: (system, port, topicConfig) => run(system, port, { topicConfig }),
  });
}

/** Reading from the beginning what was produced before, all of it in the page cache, when it has been read for a while; again and again for so many seconds. */
export function goReadSides(context, { durability, load, seconds }) {
  const expected = new Map(); // by port: a reader that gets fewer or more records fails
  const read = (system, port) =>
    runGoLoad(system, port, {
      mode: 'consume',
      topic: TOPIC,
      streams: load.partitions,
      connections: load.connections,
      expect: expected.get(port),
    });
  return allSides(context, durability, {
    promise: 'nothing is acknowledged: reading from the page cache',
    async prepare(system, port, topicConfig) {
      const { acknowledged_bytes_total: bytes } = await runGoLoad(system, port, { mode: 'produce', ...goOptions(load), topicConfig });
      expected.set(port, bytes / load.recordBytes);
      await readAgain(() => read(system, port), warmSeconds(context));
    },
    measure: (system, port) => readAgain(() => read(system, port), seconds),
  });
}

/** From when a message was due to when a consumer has it, at a fixed rate. */
export function goEndToEndSides(context, { durability, load }) {
  const measure = (system, port, topicConfig) => runGoEndToEnd(system, port, { ...goOptions(load), topicConfig });
  return allSides(context, durability, { measure });
}

/**
 * Ratios of ours to each of theirs. The target is for those that promise the same.
 * @param {{ durability: string, target?: string, holds?: (ratio: number) => boolean, what?: string, figure?: (run: any) => number }} wanted
 */
export function goRatios(context, { durability, target, holds, promisesNothing = false, ...figure }) {
  return others(context).flatMap((peer) =>
    peers[peer].variants.map(({ name }) => {
      const to = name === 'default' ? peer : `${peer}-${name}`;
      return { of: OURS, to, ...figure, ...(promisesNothing || SAME_PROMISE[durability].includes(to) ? { target, holds } : {}) };
    }),
  );
}
