// The peers, all of one shape: { variants, fetch, version, start }. Their names are those of --peer and of the Go load's --system.
import { fetchKafka, kafkaVersion, startKafka } from '../peers/kafka.mjs';
import * as nats from '../peers/nats.mjs';
import * as rabbitmq from '../peers/rabbitmq-streams.mjs';
import * as redis from '../peers/redis-streams.mjs';

/**
 * @typedef {object} PeerServer
 * @property {string} name with its version
 * @property {number} pid of the server itself, for its CPU and memory
 * @property {import('node:child_process').ChildProcess} child
 * @property {number} port
 * @property {string} logPath
 * @property {number} startedAt by performance.now()
 * @property {() => Promise<unknown>} stop
 *
 * @typedef {object} Peer
 * @property {{ name: string, promise: string, topicConfig?: string[] }[]} variants promise: what an acknowledged record is; topicConfig: for the load's
 *   creation of the topic
 * @property {() => string} fetch gets it unless it is there; throws, saying what is missing
 * @property {() => string} version
 * @property {(options: { port: number, dataDir: string, variant?: string }) => Promise<PeerServer>} start
 */

/** @type {Peer} */
const kafka = {
  variants: [
    { name: 'default', promise: 'appended to the page cache (Kafka default)', topicConfig: [] },
    { name: 'flush', promise: 'flushed to disk (flush.messages=1)', topicConfig: ['flush.messages=1'] },
  ],
  fetch: fetchKafka,
  version: kafkaVersion,
  start: ({ port, dataDir }) => startKafka({ port, dataDir }), // the variants differ in their topics only
};

/** @type {Record<'kafka' | 'nats' | 'rabbitmq-streams' | 'redis-streams', Peer>} */
export const peers = { kafka, nats, 'rabbitmq-streams': rabbitmq, 'redis-streams': redis };
