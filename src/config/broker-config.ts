/**
 * The broker's settings as one typed plain object, resolved at start from layers of text, and again when a client changes a dynamic one.
 * Precedence, weakest first: default, profile, the given layers in order (file, environment), flags, dynamic ones of all brokers, dynamic ones of this broker.
 */

import { resolve as resolvePath } from 'node:path';
import { parseAddressLimits } from './address-limits.ts';
import { MINUTE_MS } from './broker-table.ts';
import { checkTogether } from './combinations.ts';
import { LONG_MAX_TEXT, shown } from './definition.ts';
import { ConfigError } from './errors.ts';
import { overlay, placed, resolveValues, type ConfigLayer, type ConfiguredValue, type GivenSetting } from './layers.ts';
import { formatAddress, parseListener, type ListenerAddress } from './listeners.ts';
import type { Profile } from './profiles.ts';
import { longToNumber, type ParsedValue } from './values.ts';

export type Durability = 'memory' | 'page-cache' | 'fsync';

/** What the command line gives; every field is optional and wins over every layer. */
export interface BrokerFlags {
  readonly host?: string;
  readonly port?: number | string;
  readonly dataDir?: string;
  /** `ringlog.http.port`. */
  readonly httpPort?: number | string;
  /** `name=value` each; a later one wins. */
  readonly set?: readonly string[];
}

export interface BrokerConfig {
  readonly nodeId: number;
  /** Where the listener binds; port 0 means any free one. */
  readonly host: string;
  readonly port: number;
  /** Where metrics and health are; port −1: nowhere, 0: any free one. */
  readonly httpHost: string;
  readonly httpPort: number;
  /** Most partitions with metrics of their own. */
  readonly metricsPartitionsMax: number;
  /** What clients are told to connect to; undefined: the local address of the connection that asks. */
  readonly advertised: ListenerAddress | undefined;
  /** Absolute path. */
  readonly dataDir: string;
  readonly profile: Profile;
  readonly logLevel: string;
  /** Default of topics. */
  readonly durability: Durability;
  readonly autoCreateTopics: boolean;
  readonly defaultPartitions: number;
  readonly socketRequestBytesMax: number;
  readonly fetchBytesMax: number;
  readonly fetchSessionSlotsMax: number;
  readonly connectionIdleMsMax: number;
  readonly connectionsMax: number;
  readonly connectionsPerAddressMax: number;
  /** Other limits for some addresses. */
  readonly connectionsOfAddressMax: ReadonlyMap<string, number>;
  readonly receiveMemoryBytes: number;
  readonly fetchMemoryBytes: number;
  readonly fetchVerify: 'once' | 'always' | 'never';
  readonly grantStallMs: number;
  readonly journalBytesMax: number;
  readonly journalFileBytes: number;
  readonly checkpointIntervalBytes: number;
  readonly checkpointIntervalMs: number;
  readonly groupBytesMax: number;
  readonly groupBatchesMax: number;
  readonly referenceBytesMin: number;
  readonly poolBytesMax: number;
  readonly retentionCheckIntervalMs: number;
  readonly cleanerThreads: number;
  /** Memory for keys of one thread. */
  readonly cleanerKeyBytes: number;
  readonly cleanerBytesPerSecondMax: number;
  readonly cleanerBackoffMs: number;
  readonly producerExpirationMs: number;
  readonly producerCheckIntervalMs: number;
  readonly partitionProducersMax: number;
  readonly producersMax: number;
  readonly openSegmentsMax: number;
  readonly groupInitialRebalanceDelayMs: number;
  readonly groupSessionTimeoutMsMin: number;
  readonly groupSessionTimeoutMsMax: number;
  readonly groupSizeMax: number;
  readonly offsetMetadataBytesMax: number;
  readonly offsetsRetentionMs: number;
  readonly offsetsRetentionCheckIntervalMs: number;
  readonly groupsMemoryBytes: number;
  readonly offsetsTopicPartitions: number;
  readonly offsetsTopicSegmentBytes: number;
  readonly offsetsTopicDurability: Durability;
  /** Whether groups are loaded without what is damaged of them. */
  readonly offsetsTopicSkipsDamage: boolean;
  readonly spinUs: number;
  readonly shardsSync: number;
  readonly shardsBuffered: number;
  /** Every broker setting by name, with its text and where it came from. */
  readonly values: ReadonlyMap<string, ConfiguredValue>;
}

/** Resolves flags and layers to the broker's settings. Throws {@link ConfigError} with one line for a person. */
export function resolveBrokerConfig(flags: BrokerFlags = {}, layers: readonly ConfigLayer[] = []): BrokerConfig {
  const values = resolveValues([...layers, flagLayer(flags)]);
  const address = listenAddress(values, flags);
  const config = toTyped(values, address);
  checkTogether(config, values);
  return Object.freeze(config);
}

/** What clients changed while the broker runs: names and texts, for all brokers and for this one. */
export interface DynamicSettings {
  readonly cluster: Readonly<Record<string, string>>;
  readonly broker: Readonly<Record<string, string>>;
}

/** The settings with what clients changed over what `start` resolved. Throws {@link ConfigError}, as {@link resolveBrokerConfig} does. */
export function withDynamic(start: BrokerConfig, { cluster, broker }: DynamicSettings): BrokerConfig {
  const layer = (origin: ConfigLayer['origin'], texts: Readonly<Record<string, string>>): ConfigLayer => ({
    origin,
    settings: Object.entries(texts).map(([name, text]) => ({ name, text, place: 'a change at run time' })),
  });
  const values = overlay(overlay(start.values, layer('clusterDynamic', cluster)), layer('brokerDynamic', broker));
  const config = toTyped(values, start);
  checkTogether(config, values);
  return Object.freeze(config);
}

function flagLayer(flags: BrokerFlags): ConfigLayer {
  const settings: GivenSetting[] = [];
  for (const assignment of flags.set ?? []) {
    const equals = assignment.indexOf('=');
    if (equals <= 0) throw new ConfigError(`--set ${assignment}: it must be name=value, for example --set num.partitions=4.`);
    const name = assignment.slice(0, equals).trim();
    settings.push({ name, text: assignment.slice(equals + 1), place: `--set ${shown(name)}` });
  }
  if (flags.dataDir !== undefined) settings.push({ name: 'log.dirs', text: flags.dataDir, place: '' });
  if (flags.httpPort !== undefined) settings.push({ name: 'ringlog.http.port', text: String(flags.httpPort), place: '' });
  return { origin: 'flag', settings };
}

function toTyped(values: ReadonlyMap<string, ConfiguredValue>, listener: ListenerAddress): BrokerConfig {
  const valueOf = (name: string): ParsedValue => {
    const entry = values.get(name);
    if (entry === undefined) throw new Error(`no such broker setting: ${name}`);
    return entry.value;
  };
  const number = (name: string): number => {
    const value = valueOf(name);
    return typeof value === 'bigint' ? longToNumber(value) : (value as number);
  };
  const text = (name: string): string => valueOf(name) as string;
  return {
    nodeId: number('node.id'),
    host: listener.host,
    port: listener.port,
    advertised: advertisedAddress(values.get('advertised.listeners')!),
    dataDir: dataDirectory(values.get('log.dirs')!),
    httpHost: text('ringlog.http.host'),
    httpPort: number('ringlog.http.port'),
    metricsPartitionsMax: number('ringlog.metrics.partitions.max'),
    profile: text('ringlog.profile') as Profile,
    logLevel: text('ringlog.log.level'),
    durability: brokerDurability(values),
    autoCreateTopics: valueOf('auto.create.topics.enable') as boolean,
    defaultPartitions: number('num.partitions'),
    socketRequestBytesMax: number('socket.request.max.bytes'),
    fetchBytesMax: number('fetch.max.bytes'),
    fetchSessionSlotsMax: number('max.incremental.fetch.session.cache.slots'),
    connectionIdleMsMax: number('connections.max.idle.ms'),
    connectionsMax: number('max.connections'),
    connectionsPerAddressMax: number('max.connections.per.ip'),
    connectionsOfAddressMax: addressLimits('max.connections.per.ip.overrides', values.get('max.connections.per.ip.overrides')!),
    receiveMemoryBytes: number('ringlog.receive.memory.bytes'),
    fetchMemoryBytes: number('ringlog.fetch.memory.bytes'),
    fetchVerify: text('ringlog.fetch.verify') as BrokerConfig['fetchVerify'],
    grantStallMs: number('ringlog.grant.stall.ms'),
    journalBytesMax: number('ringlog.journal.bytes'),
    journalFileBytes: number('ringlog.journal.file.bytes'),
    checkpointIntervalBytes: number('ringlog.checkpoint.interval.bytes'),
    checkpointIntervalMs: number('ringlog.checkpoint.interval.ms'),
    groupBytesMax: number('ringlog.group.bytes.max'),
    groupBatchesMax: number('ringlog.group.batches.max'),
    referenceBytesMin: number('ringlog.reference.bytes.min'),
    poolBytesMax: number('ringlog.pool.bytes.max'),
    retentionCheckIntervalMs: number('log.retention.check.interval.ms'),
    cleanerThreads: number('log.cleaner.threads'),
    cleanerKeyBytes: Math.floor(number('log.cleaner.dedupe.buffer.size') / number('log.cleaner.threads')),
    cleanerBytesPerSecondMax: number('log.cleaner.io.max.bytes.per.second'),
    cleanerBackoffMs: number('log.cleaner.backoff.ms'),
    producerExpirationMs: number('producer.id.expiration.ms'),
    producerCheckIntervalMs: number('producer.id.expiration.check.interval.ms'),
    partitionProducersMax: number('ringlog.partition.producers.max'),
    producersMax: number('ringlog.producers.max'),
    openSegmentsMax: number('ringlog.open.segments.max'),
    groupInitialRebalanceDelayMs: number('group.initial.rebalance.delay.ms'),
    groupSessionTimeoutMsMin: number('group.min.session.timeout.ms'),
    groupSessionTimeoutMsMax: number('group.max.session.timeout.ms'),
    groupSizeMax: number('group.max.size'),
    offsetMetadataBytesMax: number('offset.metadata.max.bytes'),
    offsetsRetentionMs: number('offsets.retention.minutes') * MINUTE_MS,
    offsetsRetentionCheckIntervalMs: number('offsets.retention.check.interval.ms'),
    groupsMemoryBytes: number('ringlog.groups.memory.bytes'),
    offsetsTopicPartitions: number('offsets.topic.num.partitions'),
    offsetsTopicSegmentBytes: number('offsets.topic.segment.bytes'),
    offsetsTopicSkipsDamage: text('ringlog.offsets.topic.damage') === 'skip',
    offsetsTopicDurability: text('ringlog.offsets.topic.durability') as Durability,
    spinUs: number('ringlog.spin.us'),
    shardsSync: number('ringlog.shards.sync'),
    shardsBuffered: number('ringlog.shards.buffered'),
    values,
  };
}

/** Where to listen. `--host` and `--port` are parts of `listeners`, which then says what they say. */
function listenAddress(values: Map<string, ConfiguredValue>, { host, port }: BrokerFlags): ListenerAddress {
  const given = values.get('listeners')!;
  const parsed = parseListener(given.text);
  if (typeof parsed === 'string') throw invalid('listeners', given, parsed);
  const address = { host: host ?? parsed.host, port: port === undefined ? parsed.port : portOf(port) };
  if (host !== undefined || port !== undefined) {
    const text = `PLAINTEXT://${formatAddress(address)}`;
    values.set('listeners', { text, value: text, origin: 'flag', place: '', beneath: given });
  }
  return { host: address.host === '' ? '0.0.0.0' : address.host, port: address.port };
}

function invalid(name: string, { text, place }: ConfiguredValue, right: string): ConfigError {
  return new ConfigError(placed(place, `Invalid value "${shown(text)}" for ${name}: it must be ${right}.`));
}

function portOf(port: number | string): number {
  const value = /^[0-9]{1,5}$/.test(String(port)) ? Number(port) : NaN;
  if (!(value <= 65_535)) throw new ConfigError(`Invalid port "${port}": it must be a whole number from 0 to 65535.`);
  return value;
}

function advertisedAddress(given: ConfiguredValue): ListenerAddress | undefined {
  if (given.text === '') return undefined;
  const parsed = parseListener(given.text);
  const wrong =
    typeof parsed === 'string' ? parsed : parsed.host === '' || parsed.port === 0 ? 'PLAINTEXT://host:port with host and port' : undefined;
  if (wrong !== undefined) throw invalid('advertised.listeners', given, wrong);
  return parsed as ListenerAddress;
}

function addressLimits(name: string, given: ConfiguredValue): ReadonlyMap<string, number> {
  const parsed = parseAddressLimits(given.text);
  if (typeof parsed === 'string') throw invalid(name, given, parsed);
  return parsed;
}

function dataDirectory(given: ConfiguredValue): string {
  if (given.text === '') throw new ConfigError(placed(given.place, 'log.dirs must name a folder.'));
  if (given.text.includes(',')) throw invalid('log.dirs', given, 'a single folder (several are not there yet)');
  return resolvePath(given.text);
}

/** Kafka's `log.flush.interval.*` mean fsync, whatever they say but never, unless `ringlog.durability` was set by itself. */
function brokerDurability(values: ReadonlyMap<string, ConfiguredValue>): Durability {
  const own = values.get('ringlog.durability')!;
  const flush = ['log.flush.interval.messages', 'log.flush.interval.ms'].find((name) => (values.get(name)!.value as bigint) < NEVER);
  if (flush === undefined) return own.value as Durability;
  if (own.value === 'fsync' || own.origin === 'default') return 'fsync';
  throw new ConfigError(`${flush}=${values.get(flush)!.text} asks for fsync but ringlog.durability is ${own.text}; set one of them.`);
}

/** 2^63-1. */
const NEVER = BigInt(LONG_MAX_TEXT);
