// kload's options, as a program of the harness gives them to either.
import { parseArgs } from 'node:util';

export const HELP = `node-load: kload (native-bench/) in plain Node, for machines without a C compiler

usage: node perf/lib/node-load/main.mjs --bootstrap HOST:PORT --topic T [options]

what to do (default: produce; the topic is created if it is not there)
  --consume, --end-to-end with --consumers N, --create, --delete
topic
  --bootstrap HOST:PORT, --topic T, --partitions P, --topic-config K=V (may be repeated)
load
  --connections C, --in-flight F, --acks A, --record-bytes N, --batch-bytes N[-M], --idempotent, --batches-per-request K, --rate R,
  --pool-bytes SIZE, --pool-file F, --fetch-max-bytes SIZE, --response-max-bytes SIZE, --fetch-wait-ms N, --fan-out,
  --offset earliest|latest, --verify-crc
how long
  --seconds S, --bytes SIZE, --warmup S, --drain S, --max-errors N

They mean what they mean to kload, with its defaults, and so does the line of JSON at the end; perf/lib/node-load/README.md says what differs.
Exit code: 0 only if nothing failed.

examples:
  node perf/lib/node-load/main.mjs --topic bulk --seconds 10 --warmup 2
  node perf/lib/node-load/main.mjs --topic paced --batch-bytes 1 --rate 5000 --in-flight 1000 --seconds 30
  node perf/lib/node-load/main.mjs --topic bulk --consume --verify-crc
`;

const SIZES = { k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };

function sizeOf(text, name) {
  const match = /^(\d+(?:\.\d+)?)([kmg]?)$/i.exec(text);
  if (!match) throw new Error(`--${name}: '${text}' is not a size (examples: 4096, 64k, 1m, 2g)`);
  return Math.floor(Number(match[1]) * (SIZES[match[2].toLowerCase()] ?? 1));
}

function numberOf(text, name, least, most) {
  const value = Number(text);
  if (text.trim() === '' || !(value >= least && value <= most))
    throw new Error(`--${name}: '${text}' is not a number from ${least} to ${most}`);
  return value;
}

function integerOf(text, name, least, most) {
  const value = numberOf(text, name, least, most);
  if (!Number.isInteger(value)) throw new Error(`--${name}: '${text}' is not a whole number`);
  return value;
}

const integer = (least, most) => (text, name) => integerOf(text, name, least, most);
const decimal = (least, most) => (text, name) => numberOf(text, name, least, most);

function bootstrapOf(text, name) {
  const colon = text.lastIndexOf(':');
  if (colon < 1) throw new Error(`--${name}: '${text}' is not HOST:PORT`);
  return { host: text.slice(0, colon), port: integerOf(text.slice(colon + 1), `${name}'s port`, 1, 65535) };
}

function batchBytesOf(text, name) {
  const [least, most = least] = text.split('-').map((part) => sizeOf(part, name));
  if (most < least || most > 64 * 2 ** 20) throw new Error(`--${name}: '${text}' is not N or N-M, up to 64m`);
  return [least, most];
}

function topicConfigOf(texts, name) {
  for (const text of texts) if (!text.includes('=')) throw new Error(`--${name}: '${text}' is not K=V`);
  return texts;
}

function offsetOf(text, name) {
  if (text !== 'earliest' && text !== 'latest') throw new Error(`--${name}: '${text}' is neither earliest nor latest`);
  return text;
}

const acksOf = (text, name) => (text === 'all' || text === '-1' ? -1 : integerOf(text, name, 0, 1));
const asIs = (text) => text;

/** Options with a value: how it is read, and what it is without. A null default depends on others. */
const VALUES = {
  bootstrap: [bootstrapOf, '127.0.0.1:9092'],
  topic: [asIs, 'kload'],
  partitions: [integer(1, 100_000), '4'],
  consumers: [integer(1, 10_000), '1'],
  connections: [integer(1, 100_000), '4'],
  'in-flight': [integer(1, 100_000), '5'],
  acks: [acksOf, 'all'],
  'record-bytes': [integer(8, 32 * 2 ** 20), '1024'],
  'batch-bytes': [batchBytesOf, null],
  'batches-per-request': [integer(1, 10_000), '1'],
  rate: [decimal(0.001, 1e9), null],
  'pool-bytes': [sizeOf, '64m'],
  'pool-file': [asIs, null],
  'fetch-max-bytes': [sizeOf, '1m'],
  'response-max-bytes': [sizeOf, '50m'],
  'fetch-wait-ms': [integer(0, 600_000), '500'],
  offset: [offsetOf, 'earliest'],
  seconds: [decimal(0.01, 1e6), null],
  bytes: [sizeOf, null],
  warmup: [decimal(0, 1e5), '0'],
  drain: [decimal(0, 1e5), '30'],
  'max-errors': [integer(0, Number.MAX_SAFE_INTEGER), '1000'],
};
const FLAGS = ['consume', 'end-to-end', 'create', 'delete', 'idempotent', 'fan-out', 'verify-crc', 'help'];

const camel = (name) => name.replace(/-[a-z]/g, (dashed) => dashed[1].toUpperCase());

function modeOf(values) {
  if (values.delete) return 'delete';
  if (values.create) return 'create';
  return values.consume ? 'consume' : 'produce';
}

/** What does not go together. */
function refuseContradictions(o) {
  if (o.rate && (o.bytes || o.mode === 'consume')) throw new Error('--rate goes with --seconds and producing');
  if (o.idempotent && (o.mode !== 'produce' || o.acks !== -1 || o.batchBytes[0] !== o.batchBytes[1]))
    throw new Error('--idempotent goes with producing batches of one size and --acks all');
  if (o.idempotent && o.inFlight > 5) throw new Error(`--idempotent: at most 5 requests in flight, not ${o.inFlight}`);
  if (o.endToEnd && (o.mode !== 'produce' || !o.rate)) throw new Error('--end-to-end goes with producing and --rate');
  if (o.endToEnd && o.batchesPerRequest > 1) throw new Error('--end-to-end: one batch a request');
  if (o.poolFile && (o.endToEnd || o.idempotent)) throw new Error('--pool-file goes with neither --end-to-end nor --idempotent');
}

/**
 * @param {string[]} args
 * @returns the options in camel case, sizes in bytes, times in seconds; `rate`, `bytes` and `seconds` are 0 if they do not limit anything
 */
export function parseOptions(args) {
  const strings = Object.keys(VALUES).map((name) => [name, { type: 'string' }]);
  const flags = FLAGS.map((name) => [name, { type: 'boolean', default: false }]);
  const { values } = parseArgs({
    args,
    options: { ...Object.fromEntries([...strings, ...flags]), 'topic-config': { type: 'string', multiple: true, default: [] } },
  });
  const options = { mode: modeOf(values), topicConfig: topicConfigOf(values['topic-config'], 'topic-config') };
  for (const name of FLAGS) options[camel(name)] = values[name];
  for (const [name, [read, otherwise]] of Object.entries(VALUES)) {
    const text = values[name] ?? otherwise;
    options[camel(name)] = text === null ? 0 : read(text, name);
  }
  options.batchBytes ||= options.endToEnd ? [1, 1] : [65_536, 65_536];
  if (options.mode === 'produce' || (options.mode === 'consume' && options.offset === 'latest')) options.seconds ||= 10;
  refuseContradictions(options);
  return options;
}
