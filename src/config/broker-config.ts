/**
 * The broker's settings as one typed plain object, resolved once at start from layers of text.
 * Precedence, weakest first: default, profile, then the given layers in order (file, environment, flags).
 */

import { resolve as resolvePath } from 'node:path';
import { parseAddressLimits } from './address-limits.ts';
import { COARSE_SETTINGS, HOUR_MS, type CoarseSetting } from './broker-table.ts';
import { LONG_MAX_TEXT, shown, type ConfigDefinition } from './definition.ts';
import { ConfigError } from './errors.ts';
import { parseListener, type ListenerAddress } from './listeners.ts';
import { PROFILES, type Profile } from './profiles.ts';
import { BROKER_CONFIG_BY_NAME, unknownSetting } from './table.ts';
import { longToNumber, parseValue, type ParsedValue } from './values.ts';

export type Durability = 'memory' | 'page-cache' | 'fsync';

export type ConfigOrigin = 'default' | 'profile' | 'file' | 'environment' | 'flag';

/** Text settings of one origin; a later layer wins over an earlier one. */
export interface ConfigLayer {
  readonly origin: Exclude<ConfigOrigin, 'default' | 'profile'>;
  readonly values: Readonly<Record<string, string>>;
}

/** What the command line gives; every field is optional and wins over every layer. */
export interface BrokerFlags {
  readonly host?: string;
  readonly port?: number | string;
  readonly dataDir?: string;
  /** `name=value` each; a later one wins. */
  readonly set?: readonly string[];
}

export interface ConfiguredValue {
  /** As configured, for DescribeConfigs. */
  readonly text: string;
  readonly value: ParsedValue;
  readonly origin: ConfigOrigin;
}

export interface BrokerConfig {
  readonly nodeId: number;
  /** Where the listener binds; port 0 means any free one. */
  readonly host: string;
  readonly port: number;
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
  readonly spinUs: number;
  readonly shardsSync: number;
  readonly shardsBuffered: number;
  /** Every broker setting by name, with its text and where it came from. */
  readonly values: ReadonlyMap<string, ConfiguredValue>;
}

/** Resolves flags and layers to the broker's settings. Throws {@link ConfigError} with one line for a person. */
export function resolveBrokerConfig(flags: BrokerFlags = {}, layers: readonly ConfigLayer[] = []): BrokerConfig {
  const values = resolveValues([...layers, flagLayer(flags)]);
  const config = toTyped(values, flags);
  checkTogether(config, values);
  return Object.freeze(config);
}

function flagLayer(flags: BrokerFlags): ConfigLayer {
  const values = new Map<string, string>();
  for (const assignment of flags.set ?? []) {
    const equals = assignment.indexOf('=');
    if (equals <= 0) throw new ConfigError(`--set ${assignment}: it must be name=value, for example --set num.partitions=4.`);
    values.set(assignment.slice(0, equals).trim(), assignment.slice(equals + 1));
  }
  if (flags.dataDir !== undefined) values.set('log.dirs', flags.dataDir);
  return { origin: 'flag', values: Object.fromEntries(values) };
}

function resolveValues(layers: readonly ConfigLayer[]): Map<string, ConfiguredValue> {
  const values = new Map<string, ConfiguredValue>();
  const put = (name: string, text: string, origin: ConfigOrigin): void => {
    const definition = BROKER_CONFIG_BY_NAME.get(name);
    if (definition === undefined) throw new ConfigError(unknownSetting('broker', name));
    const parsed = parseValue(definition, text);
    if (!parsed.ok) throw new ConfigError(parsed.reason);
    values.set(name, { text: text.trim(), value: parsed.value, origin });
  };
  for (const definition of BROKER_CONFIG_BY_NAME.values()) put(definition.name, definition.default, 'default');
  const coarse = new Map<string, { text: string; origin: ConfigOrigin }>();
  for (const layer of layers) {
    for (const [name, text] of Object.entries(layer.values)) {
      if (COARSE_SETTINGS.some((setting) => setting.name === name)) coarse.set(name, { text, origin: layer.origin });
      else put(name, text, layer.origin);
    }
  }
  for (const setting of COARSE_SETTINGS) {
    const given = coarse.get(setting.name);
    if (given === undefined) continue;
    const text = inMilliseconds(setting, given.text);
    if (values.get(setting.of)?.origin === 'default') put(setting.of, text, given.origin);
  }
  const profile = values.get('ringlog.profile')!.value as Profile;
  for (const [name, text] of Object.entries(PROFILES[profile].values)) {
    if (values.get(name)?.origin === 'default') put(name, text, 'profile');
  }
  return values;
}

/** The text of a coarse setting in ms. Below zero is "no limit" for whoever takes that. Throws ConfigError. */
function inMilliseconds({ name, of, unitMs }: CoarseSetting, text: string): string {
  const number = /^[+-]?[0-9]{1,10}$/.test(text.trim()) ? Number(text) : NaN;
  const ms = number < 0 ? number : number * unitMs;
  const definition = BROKER_CONFIG_BY_NAME.get(of) as ConfigDefinition;
  if (Number.isNaN(ms) || !parseValue(definition, String(ms)).ok) {
    const min = (definition.min ?? 0) > 0 ? 1 : (definition.min ?? 0);
    const unit = unitMs === HOUR_MS ? 'hours' : 'minutes';
    throw new ConfigError(`Invalid value "${shown(text)}" for ${name}: it must be a whole number of ${unit} from ${min} to 2147483647.`);
  }
  return String(ms);
}

function toTyped(values: ReadonlyMap<string, ConfiguredValue>, flags: BrokerFlags): BrokerConfig {
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
  const listener = listenAddress(text('listeners'), flags);
  return {
    nodeId: number('node.id'),
    host: listener.host,
    port: listener.port,
    advertised: advertisedAddress(text('advertised.listeners')),
    dataDir: dataDirectory(text('log.dirs')),
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
    connectionsOfAddressMax: addressLimits('max.connections.per.ip.overrides', text('max.connections.per.ip.overrides')),
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
    spinUs: number('ringlog.spin.us'),
    shardsSync: number('ringlog.shards.sync'),
    shardsBuffered: number('ringlog.shards.buffered'),
    values,
  };
}

function listenAddress(listeners: string, flags: BrokerFlags): ListenerAddress {
  const parsed = parseListener(listeners);
  if (typeof parsed === 'string') throw new ConfigError(`Invalid value "${listeners}" for listeners: it must be ${parsed}.`);
  const host = flags.host ?? parsed.host;
  return { host: host === '' ? '0.0.0.0' : host, port: flags.port === undefined ? parsed.port : portOf(flags.port) };
}

function portOf(port: number | string): number {
  const value = /^[0-9]{1,5}$/.test(String(port)) ? Number(port) : NaN;
  if (!(value <= 65_535)) throw new ConfigError(`Invalid port "${port}": it must be a whole number from 0 to 65535.`);
  return value;
}

function advertisedAddress(text: string): ListenerAddress | undefined {
  if (text === '') return undefined;
  const parsed = parseListener(text);
  const wrong =
    typeof parsed === 'string' ? parsed : parsed.host === '' || parsed.port === 0 ? 'PLAINTEXT://host:port with host and port' : undefined;
  if (wrong !== undefined) throw new ConfigError(`Invalid value "${text}" for advertised.listeners: it must be ${wrong}.`);
  return parsed as ListenerAddress;
}

function addressLimits(name: string, text: string): ReadonlyMap<string, number> {
  const parsed = parseAddressLimits(text);
  if (typeof parsed === 'string') throw new ConfigError(`Invalid value "${shown(text)}" for ${name}: it must be ${parsed}.`);
  return parsed;
}

function dataDirectory(text: string): string {
  if (text === '') throw new ConfigError('log.dirs must name a folder.');
  if (text.includes(','))
    throw new ConfigError(`Invalid value "${text}" for log.dirs: it must be a single folder (several are not there yet).`);
  return resolvePath(text);
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

/** An append's entry in the journal; a group has one for each batch. */
const JOURNAL_ENTRY_BYTES = 72;

/** Rules over several settings: each would otherwise show only later, as a broker that stands still. */
function checkTogether(config: BrokerConfig, values: ReadonlyMap<string, ConfiguredValue>): void {
  const must = (holds: boolean, less: string, more: string, why: string): void => {
    if (holds) return;
    throw new ConfigError(`${less} (${values.get(less)!.text}) must be at most ${more} (${values.get(more)!.text}): ${why}.`);
  };
  const largestBatch = values.get('message.max.bytes')!.value as number;
  must(largestBatch <= config.socketRequestBytesMax, 'message.max.bytes', 'socket.request.max.bytes', 'a larger batch could never arrive');
  must(
    2 * config.journalFileBytes <= config.journalBytesMax,
    'ringlog.journal.file.bytes',
    'ringlog.journal.bytes',
    'a journal needs two files or more',
  );
  must(
    config.checkpointIntervalBytes <= config.journalBytesMax,
    'ringlog.checkpoint.interval.bytes',
    'ringlog.journal.bytes',
    'the journal would be full before a checkpoint is due',
  );
  // What a group needs in the journal beside the batches it gathers (JournalWriter.overhead) must leave most of a file to those.
  const overhead = config.referenceBytesMin + JOURNAL_ENTRY_BYTES * config.groupBatchesMax;
  if (overhead > config.journalFileBytes / 4) {
    throw new ConfigError(
      `ringlog.journal.file.bytes (${config.journalFileBytes}) is too small: ringlog.reference.bytes.min (${config.referenceBytesMin}) and ` +
        `${JOURNAL_ENTRY_BYTES} bytes for each of ringlog.group.batches.max (${config.groupBatchesMax}) must together fit in a quarter of it.`,
    );
  }
}
