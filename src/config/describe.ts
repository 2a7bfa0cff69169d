/** What DescribeConfigs shows: every setting of a topic or of the broker with value, source, synonyms, type and documentation. */

import type { BrokerConfig, ConfiguredValue } from './broker-config.ts';
import type { ConfigDefinition, ConfigType, TopicConfigDefinition } from './definition.ts';
import { BROKER_CONFIG_BY_NAME } from './table.ts';
import { CLIENT_METRICS_CONFIGS, GROUP_CONFIGS } from './resource-table.ts';
import { effectiveDurability, type TopicConfigOverrides } from './topic-config.ts';
import { TOPIC_CONFIGS } from './topic-table.ts';

/** Kafka's numbers of where a value comes from. */
export const CONFIG_SOURCE = { topic: 1, staticBroker: 4, default: 5, brokerLogger: 6 } as const;

/** Kafka's numbers of the types. */
export const CONFIG_TYPE_CODE: Readonly<Record<ConfigType, number>> = { BOOLEAN: 1, STRING: 2, INT: 3, LONG: 5, DOUBLE: 6, LIST: 7 };

export interface ConfigSynonym {
  readonly name: string;
  readonly value: string;
  readonly source: number;
}

export interface ConfigEntry {
  readonly name: string;
  readonly value: string;
  /** See {@link CONFIG_SOURCE}. */
  readonly source: number;
  /** See {@link CONFIG_TYPE_CODE}. */
  readonly type: number;
  readonly readOnly: boolean;
  readonly sensitive: boolean;
  readonly doc: string;
  /** Where the value could come from, the one in force first. */
  readonly synonyms: readonly ConfigSynonym[];
}

/** Every topic setting, set or not, for a topic with `overrides`. */
export function describeTopicConfigs(overrides: TopicConfigOverrides, broker: BrokerConfig): ConfigEntry[] {
  return TOPIC_CONFIGS.map((definition) => {
    const synonyms = topicSynonyms(definition, overrides, broker);
    const inForce = synonyms[0]!;
    const entry = { name: definition.name, value: inForce.value, source: inForce.source, synonyms, ...common(definition) };
    // A topic whose fsync comes from flush.messages=1 must not be described as having the broker's durability.
    if (definition.name === 'ringlog.durability') return { ...entry, value: effectiveDurability(overrides, broker) };
    return entry;
  });
}

/** Every broker setting. All are read-only: a change needs a restart. */
export function describeBrokerConfigs(broker: BrokerConfig): ConfigEntry[] {
  return [...BROKER_CONFIG_BY_NAME.values()].map((definition) => {
    const configured = broker.values.get(definition.name)!;
    const synonyms = brokerSynonyms(definition.name, configured, definition.default);
    return {
      name: definition.name,
      value: synonyms[0]!.value,
      source: synonyms[0]!.source,
      synonyms,
      ...common(definition),
      readOnly: true,
    };
  });
}

/** The one logger of the broker, under the name of Kafka's outermost one. */
export function describeLogger({ logLevel }: Pick<BrokerConfig, 'logLevel'>): ConfigEntry[] {
  const value = logLevel === 'silent' ? 'OFF' : logLevel.toUpperCase();
  const { brokerLogger: source } = CONFIG_SOURCE;
  return [{ name: 'root', value, source, type: 0, readOnly: true, sensitive: false, doc: 'ringlog.log.level', synonyms: [] }];
}

/** Settings of a group that nobody has set: the defaults. */
export function describeGroupConfigs(): ConfigEntry[] {
  return GROUP_CONFIGS.map(describeDefault);
}

/** Settings of a subscription to client metrics that nobody has set: the defaults. */
export function describeClientMetricsConfigs(): ConfigEntry[] {
  return CLIENT_METRICS_CONFIGS.map(describeDefault);
}

function describeDefault(definition: ConfigDefinition): ConfigEntry {
  const { name, default: value } = definition;
  const { default: source } = CONFIG_SOURCE;
  return { name, value, source, synonyms: [{ name, value, source }], ...common(definition) };
}

function topicSynonyms(definition: TopicConfigDefinition, overrides: TopicConfigOverrides, broker: BrokerConfig): ConfigSynonym[] {
  const synonyms: ConfigSynonym[] = [];
  const own = overrides[definition.name];
  if (own !== undefined) synonyms.push({ name: definition.name, value: own.trim(), source: CONFIG_SOURCE.topic });
  const wide = definition.brokerName === undefined ? undefined : broker.values.get(definition.brokerName);
  if (wide === undefined) synonyms.push({ name: definition.name, value: definition.default, source: CONFIG_SOURCE.default });
  else synonyms.push(...brokerSynonyms(definition.brokerName!, wide, definition.default));
  return synonyms;
}

function brokerSynonyms(name: string, configured: ConfiguredValue, defaultText: string): ConfigSynonym[] {
  const byDefault = { name, value: defaultText, source: CONFIG_SOURCE.default };
  if (configured.origin === 'default') return [byDefault];
  return [{ name, value: configured.text, source: CONFIG_SOURCE.staticBroker }, byDefault];
}

function common(definition: ConfigDefinition): Pick<ConfigEntry, 'type' | 'readOnly' | 'sensitive' | 'doc'> {
  const { state } = definition;
  const note =
    state.kind === 'applied' ? '' : state.kind === 'notYet' ? ` (Not there yet: ${state.why}.)` : ` (Without effect: ${state.why}.)`;
  return { type: CONFIG_TYPE_CODE[definition.type], readOnly: !definition.dynamic, sensitive: false, doc: definition.doc + note };
}
