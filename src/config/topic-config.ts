/** A topic's settings: validation of what a client sets, and the typed object that the engine works with. */

import type { BrokerConfig, Durability } from './broker-config.ts';
import { LONG_MAX_TEXT } from './definition.ts';
import { TOPIC_CONFIGS } from './topic-table.ts';
import { TOPIC_CONFIG_BY_NAME, unknownSetting } from './table.ts';
import { longToNumber, parseValue, type ParsedValue } from './values.ts';

/** 2^63-1. */
const NEVER = BigInt(LONG_MAX_TEXT);

/** What a client set on a topic: name to text. Only names that differ from the defaults are there. */
export type TopicConfigOverrides = Readonly<Record<string, string>>;

/** Times in ms, sizes in bytes; `Infinity` stands for "no limit" or "never". */
export interface TopicConfig {
  readonly durability: Durability;
  readonly segmentBytes: number;
  readonly segmentMs: number;
  readonly segmentJitterMs: number;
  readonly maxMessageBytes: number;
  readonly indexIntervalBytes: number;
  readonly minInsyncReplicas: number;
  readonly messageTimestampType: 'CreateTime' | 'LogAppendTime';
  readonly messageTimestampBeforeMsMax: number;
  readonly messageTimestampAfterMsMax: number;
  /** `full`: compressed batches are opened, too. Always so in compacted topics, where every record must have a key. */
  readonly recordValidation: 'uncompressed' | 'full';
  /** `Infinity`: forever. */
  readonly retentionMs: number;
  /** `Infinity`: unlimited. */
  readonly retentionBytes: number;
  readonly cleanupDelete: boolean;
  readonly cleanupCompact: boolean;
  /** In force where `cleanupCompact` is. */
  readonly compaction: {
    readonly lagMsMin: number;
    /** `Infinity`: none. */
    readonly lagMsMax: number;
    readonly dirtyRatioMin: number;
    readonly deleteRetentionMs: number;
  };
  readonly compressionType: string;
}

/** Why a client may not set `name` to `value` on a topic, as one sentence; undefined when it may. */
export function validateTopicConfig(name: string, value: string): string | undefined {
  const definition = TOPIC_CONFIG_BY_NAME.get(name);
  if (definition === undefined) return unknownSetting('topic', name);
  const parsed = parseValue(definition, value);
  return parsed.ok ? undefined : parsed.reason;
}

/** The same for all settings of a topic together, including rules that join several; the first thing wrong, or undefined. */
export function validateTopicConfigs(overrides: TopicConfigOverrides): string | undefined {
  for (const [name, value] of Object.entries(overrides)) {
    const reason = validateTopicConfig(name, value);
    if (reason !== undefined) return reason;
  }
  const durability = overrides['ringlog.durability']?.trim();
  const flush = FLUSH_SETTINGS.find((name) => asksForFlush(overrides[name]));
  if (flush !== undefined && durability !== undefined && durability !== 'fsync')
    return `${flush}=${overrides[flush]?.trim()} asks for fsync but ringlog.durability is ${durability}; set one of them.`;
  const [lagMin, lagMax] = [overrides['min.compaction.lag.ms'], overrides['max.compaction.lag.ms']];
  if (lagMin !== undefined && lagMax !== undefined && BigInt(lagMin.trim()) > BigInt(lagMax.trim()))
    return `min.compaction.lag.ms (${lagMin.trim()}) must be at most max.compaction.lag.ms (${lagMax.trim()}).`;
  return undefined;
}

/**
 * The typed settings of a topic: its own, else the broker-wide ones, else the defaults. `overrides` must have passed {@link
 * validateTopicConfigs}; a stored value that no longer parses (another version wrote it) counts as not set.
 */
export function resolveTopicConfig(overrides: TopicConfigOverrides, broker: BrokerConfig): TopicConfig {
  const values = new Map<string, ParsedValue>();
  for (const definition of TOPIC_CONFIGS) values.set(definition.name, effectiveValue(definition.name, overrides, broker));
  const valueOf = (name: string): ParsedValue => values.get(name)!;
  const int = (name: string): number => valueOf(name) as number;
  const long = (name: string): number => longToNumber(valueOf(name) as bigint);
  const unlimitedBelowZero = (value: number): number => (value < 0 ? Infinity : value);
  const cleanup = valueOf('cleanup.policy') as readonly string[];
  return Object.freeze({
    durability: effectiveDurability(overrides, broker),
    segmentBytes: int('segment.bytes'),
    segmentMs: long('segment.ms'),
    segmentJitterMs: long('segment.jitter.ms'),
    maxMessageBytes: int('max.message.bytes'),
    indexIntervalBytes: int('index.interval.bytes'),
    minInsyncReplicas: int('min.insync.replicas'),
    messageTimestampType: valueOf('message.timestamp.type') as TopicConfig['messageTimestampType'],
    messageTimestampBeforeMsMax: long('message.timestamp.before.max.ms'),
    messageTimestampAfterMsMax: long('message.timestamp.after.max.ms'),
    recordValidation: cleanup.includes('compact') ? 'full' : (valueOf('ringlog.record.validation') as TopicConfig['recordValidation']),
    retentionMs: unlimitedBelowZero(long('retention.ms')),
    retentionBytes: unlimitedBelowZero(long('retention.bytes')),
    cleanupDelete: cleanup.includes('delete'),
    cleanupCompact: cleanup.includes('compact'),
    compaction: {
      lagMsMin: long('min.compaction.lag.ms'),
      lagMsMax: long('max.compaction.lag.ms'),
      dirtyRatioMin: valueOf('min.cleanable.dirty.ratio') as number,
      deleteRetentionMs: long('delete.retention.ms'),
    },
    compressionType: valueOf('compression.type') as string,
  });
}

/** Whether two settings of topics mean the same. */
export function isSameConfig(a: TopicConfig, b: TopicConfig): boolean {
  return isSame(a, b, (name) => name === 'compaction') && isSame(a.compaction, b.compaction);
}

function isSame<T extends object>(a: T, b: T, isLeftOut: (name: keyof T) => boolean = () => false): boolean {
  return (Object.keys(a) as (keyof T)[]).every((name) => a[name] === b[name] || isLeftOut(name));
}

/** The durability a topic really has: its own `ringlog.durability`, else fsync where it asks for flushes, else the broker's. */
export function effectiveDurability(overrides: TopicConfigOverrides, broker: Pick<BrokerConfig, 'durability'>): Durability {
  const own = overrides['ringlog.durability'];
  if (own !== undefined && validateTopicConfig('ringlog.durability', own) === undefined) return own.trim() as Durability;
  return FLUSH_SETTINGS.some((name) => asksForFlush(overrides[name])) ? 'fsync' : broker.durability;
}

/** Kafka's ways to say that records must be on disk after so many of them, or after some time. */
const FLUSH_SETTINGS = ['flush.messages', 'flush.ms'] as const;

/** Whether a value of theirs asks for anything: the largest one, which is the default, stands for never. */
function asksForFlush(text: string | undefined): boolean {
  return text !== undefined && /^\+?[0-9]{1,20}$/.test(text.trim()) && BigInt(text.trim().replace('+', '')) < NEVER;
}

function effectiveValue(name: string, overrides: TopicConfigOverrides, broker: BrokerConfig): ParsedValue {
  const definition = TOPIC_CONFIG_BY_NAME.get(name)!;
  const own = overrides[name];
  if (own !== undefined) {
    const parsed = parseValue(definition, own);
    if (parsed.ok) return parsed.value;
  }
  const wide = definition.brokerName === undefined ? undefined : broker.values.get(definition.brokerName);
  if (wide !== undefined) return wide.value;
  const parsed = parseValue(definition, definition.default);
  if (!parsed.ok) throw new Error(`the default of ${name} is not legal: ${parsed.reason}`);
  return parsed.value;
}
