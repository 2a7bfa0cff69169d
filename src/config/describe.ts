/** What DescribeConfigs shows: every setting of a topic or of the broker with value, source, synonyms, type and documentation. */

import type { BrokerConfig } from './broker-config.ts';
import type { ConfigDefinition, ConfigType, TopicConfigDefinition } from './definition.ts';
import type { ConfigOrigin, ConfiguredValue } from './layers.ts';
import { BROKER_CONFIG_BY_NAME } from './table.ts';
import { CLIENT_METRICS_CONFIGS, GROUP_CONFIGS } from './resource-table.ts';
import { effectiveDurability, type TopicConfigOverrides } from './topic-config.ts';
import { TOPIC_CONFIGS } from './topic-table.ts';

/** Kafka's numbers of where a value comes from. */
export const CONFIG_SOURCE = { topic: 1, dynamicBroker: 2, dynamicDefaultBroker: 3, staticBroker: 4, default: 5, brokerLogger: 6 } as const;

const SOURCE_OF: Readonly<Record<ConfigOrigin, number>> = {
  default: CONFIG_SOURCE.default,
  profile: CONFIG_SOURCE.staticBroker,
  file: CONFIG_SOURCE.staticBroker,
  environment: CONFIG_SOURCE.staticBroker,
  flag: CONFIG_SOURCE.staticBroker,
  clusterDynamic: CONFIG_SOURCE.dynamicDefaultBroker,
  brokerDynamic: CONFIG_SOURCE.dynamicBroker,
};

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

/** Every broker setting. Read-only are those whose change needs a restart. */
export function describeBrokerConfigs(broker: BrokerConfig): ConfigEntry[] {
  return [...BROKER_CONFIG_BY_NAME.values()].map((definition) => {
    const synonyms = brokerSynonyms(definition.name, broker.values.get(definition.name)!);
    return { name: definition.name, value: synonyms[0]!.value, source: synonyms[0]!.source, synonyms, ...common(definition) };
  });
}

/** What was set for all brokers at once: only that, as in Kafka. */
export function describeClusterConfigs(broker: BrokerConfig): ConfigEntry[] {
  return describeBrokerConfigs(broker).flatMap((entry) => {
    const synonyms = entry.synonyms.filter(({ source }) => source >= CONFIG_SOURCE.dynamicDefaultBroker);
    const { value, source } = synonyms[0]!;
    return source === CONFIG_SOURCE.dynamicDefaultBroker ? [{ ...entry, value, source, synonyms }] : [];
  });
}

/** The one logger of the broker, under the name of Kafka's outermost one. */
export function describeLogger(logLevel: string): ConfigEntry[] {
  const value = logLevel === 'silent' ? 'OFF' : logLevel.toUpperCase();
  const { brokerLogger: source } = CONFIG_SOURCE;
  return [{ name: 'root', value, source, type: 0, readOnly: false, sensitive: false, doc: 'ringlog.log.level', synonyms: [] }];
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
  else synonyms.push(...brokerSynonyms(definition.brokerName!, wide));
  return synonyms;
}

/** One for each of Kafka's sources: of several static ones only the strongest. */
function brokerSynonyms(name: string, configured: ConfiguredValue): ConfigSynonym[] {
  const synonyms: ConfigSynonym[] = [];
  for (let at: ConfiguredValue | undefined = configured; at !== undefined; at = at.beneath) {
    const source = SOURCE_OF[at.origin];
    if (synonyms.at(-1)?.source !== source) synonyms.push({ name, value: at.text, source });
  }
  return synonyms;
}

function common(definition: ConfigDefinition): Pick<ConfigEntry, 'type' | 'readOnly' | 'sensitive' | 'doc'> {
  const { state } = definition;
  const note =
    state.kind === 'applied' ? '' : state.kind === 'notYet' ? ` (Not there yet: ${state.why}.)` : ` (Without effect: ${state.why}.)`;
  return { type: CONFIG_TYPE_CODE[definition.type], readOnly: !definition.dynamic, sensitive: false, doc: definition.doc + note };
}
