/** Kafka's rules for new topics and for changed settings, pure. A refusal carries the name of the protocol's error and one sentence. */

import type { ConfigDefinition } from '../config/definition.ts';
import { TOPIC_CONFIG_BY_NAME, unknownSetting } from '../config/table.ts';
import { validateTopicConfig, validateTopicConfigs } from '../config/topic-config.ts';
import { collisionForm, type MetadataImage, type TopicMetadata } from './metadata-image.ts';

/** Names from Kafka's error table; the protocol layer knows their numbers. */
export type CatalogErrorName =
  | 'INVALID_TOPIC_EXCEPTION'
  | 'TOPIC_ALREADY_EXISTS'
  | 'INVALID_PARTITIONS'
  | 'INVALID_REPLICATION_FACTOR'
  | 'INVALID_CONFIG'
  | 'INVALID_REQUEST'
  | 'UNKNOWN_TOPIC_OR_PARTITION'
  | 'UNKNOWN_TOPIC_ID'
  | 'KAFKA_STORAGE_ERROR';

export interface CatalogRefusal {
  readonly ok: false;
  readonly error: CatalogErrorName;
  readonly message: string;
}

export type CatalogResult<T> = { readonly ok: true; readonly value: T } | CatalogRefusal;

export interface NewTopic {
  readonly name: string;
  /** -1: the broker's default. */
  readonly partitions: number;
  /** 1, or -1 for the default, which is 1 with a single broker. */
  readonly replicationFactor: number;
  readonly configs: Readonly<Record<string, string | null>>;
}

/** One change of IncrementalAlterConfigs. `append` and `subtract` are for lists. */
export interface ConfigChange {
  readonly name: string;
  readonly operation: 'set' | 'delete' | 'append' | 'subtract';
  readonly value: string | null;
}

/** Partitions of all topics together on one broker. */
export const PARTITIONS_TOTAL_MAX = 100_000;

const TOPIC_NAME_MAX = 249;

export function refuse(error: CatalogErrorName, message: string): CatalogRefusal {
  return { ok: false, error, message };
}

/** What is wrong with `name` as the name of a topic, or undefined. */
export function topicNameProblem(name: string): string | undefined {
  if (name === '') return 'The topic name is empty.';
  if (name === '.' || name === '..') return `The topic name "${name}" is not allowed.`;
  if (name.length > TOPIC_NAME_MAX) return `The topic name is longer than ${TOPIC_NAME_MAX} characters.`;
  if (!/^[a-zA-Z0-9._-]+$/.test(name)) return 'The topic name may hold only letters, digits, ".", "_" and "-".';
  return undefined;
}

/** Whether `topic` may be created; `partitions` is its count with the default filled in, `partitionTotal` what exists or is on its way. */
export function checkNewTopic(
  topic: NewTopic,
  partitions: number,
  image: MetadataImage,
  partitionTotal: number,
): CatalogRefusal | undefined {
  const nameProblem = topicNameProblem(topic.name);
  if (nameProblem !== undefined) return refuse('INVALID_TOPIC_EXCEPTION', nameProblem);
  if (image.topicByName(topic.name) !== undefined) return refuse('TOPIC_ALREADY_EXISTS', `Topic '${topic.name}' already exists.`);
  const collision = image.nameByCollisionForm(collisionForm(topic.name));
  if (collision !== undefined)
    return refuse('INVALID_TOPIC_EXCEPTION', `Topic '${topic.name}' collides with existing topic: ${collision}.`);
  if (partitions < 1) return refuse('INVALID_PARTITIONS', 'Number of partitions must be larger than 0.');
  const tooMany = checkTotal(partitions, partitionTotal);
  if (tooMany !== undefined) return tooMany;
  if (topic.replicationFactor !== 1 && topic.replicationFactor !== -1) {
    const message = `Replication factor: ${topic.replicationFactor} is not possible with 1 broker available.`;
    return refuse('INVALID_REPLICATION_FACTOR', message);
  }
  return checkConfigs(topic.configs);
}

/** Whether a topic may grow to `count` partitions; `partitionTotal` is what exists or is on its way on this broker. */
export function checkNewCount(topic: TopicMetadata, count: number, partitionTotal: number): CatalogRefusal | undefined {
  const { name, partitionCount } = topic;
  if (count === partitionCount) return refuse('INVALID_PARTITIONS', `Topic already has ${count} partition(s).`);
  if (count < partitionCount) {
    const message = `The topic ${name} currently has ${partitionCount} partition(s); ${count} would not be an increase.`;
    return refuse('INVALID_PARTITIONS', message);
  }
  return checkTotal(count - partitionCount, partitionTotal);
}

function checkTotal(partitions: number, partitionTotal: number): CatalogRefusal | undefined {
  if (partitionTotal + partitions <= PARTITIONS_TOTAL_MAX) return undefined;
  return refuse('INVALID_PARTITIONS', `${partitions} partitions more would be over the limit of ${PARTITIONS_TOTAL_MAX} on this broker.`);
}

export function checkConfigs(configs: Readonly<Record<string, string | null>>): CatalogRefusal | undefined {
  const withoutValue = Object.keys(configs).find((name) => configs[name] === null);
  if (withoutValue !== undefined) return refuse('INVALID_CONFIG', `A null value is not allowed for ${withoutValue}.`);
  const problem = validateTopicConfigs(configs as Record<string, string>);
  return problem === undefined ? undefined : refuse('INVALID_CONFIG', problem);
}

/** Settings as they are stored: without the space around a value, which means nothing and has no limit. They must have passed {@link checkConfigs}. */
export function storedConfigs(configs: Readonly<Record<string, string | null>>): Record<string, string> {
  return Object.fromEntries(Object.entries(configs as Record<string, string>).map(([name, value]) => [name, value.trim()]));
}

/** The settings after `changes`, in Kafka's way, or why not. `current` are the topic's own; lists start from their default. */
export function changeConfigs(
  current: Readonly<Record<string, string>>,
  changes: readonly ConfigChange[],
): CatalogResult<Record<string, string>> {
  const changed = changeSettings(current, changes, 'topic', TOPIC_CONFIG_BY_NAME);
  if (!changed.ok) return changed;
  const { value } = changed;
  const names = changes.map(({ name }) => name);
  // Only what the request touches is judged name by name: a stored setting of another version must not stand in the way of all others.
  return checkConfigs(pick(value, names)) ?? checkTogether(value) ?? { ok: true, value };
}

/** What is set after `changes`, not yet judged: names and values may be wrong. Lists start from the default in `definitions`. */
export function changeSettings(
  current: Readonly<Record<string, string>>,
  changes: readonly ConfigChange[],
  kind: 'topic' | 'broker',
  definitions: ReadonlyMap<string, ConfigDefinition>,
): CatalogResult<Record<string, string>> {
  if (new Set(changes.map(({ name }) => name)).size !== changes.length)
    return refuse('INVALID_REQUEST', 'A setting is changed twice in one request.');
  const configs = new Map(Object.entries(current));
  for (const change of changes) {
    const definition = definitions.get(change.name);
    const problem = applyChange(configs, change, definition, () => unknownSetting(kind, change.name));
    if (problem !== undefined) return problem;
  }
  return { ok: true, value: Object.fromEntries(configs) };
}

function applyChange(
  configs: Map<string, string>,
  { name, operation, value }: ConfigChange,
  definition: ConfigDefinition | undefined,
  unknown: () => string,
): CatalogRefusal | undefined {
  if (operation === 'delete') {
    // A name that nobody knows is not set either: as in Kafka, nothing is to be done.
    configs.delete(name);
    return undefined;
  }
  if (value === null) return refuse('INVALID_CONFIG', `A null value is not allowed for ${name}.`);
  if (operation === 'set') {
    configs.set(name, value.trim());
    return undefined;
  }
  if (definition === undefined) return refuse('INVALID_CONFIG', unknown());
  if (definition.type !== 'LIST') return refuse('INVALID_CONFIG', `${operation} is for lists, and ${name} is none.`);
  const items = listItems(configs.get(name) ?? definition.default);
  const given = listItems(value);
  const next = operation === 'append' ? [...new Set([...items, ...given])] : items.filter((item) => !given.includes(item));
  configs.set(name, next.join(','));
  return undefined;
}

function checkTogether(configs: Record<string, string>): CatalogRefusal | undefined {
  const known = Object.entries(configs).filter(([name, value]) => validateTopicConfig(name, value) === undefined);
  return checkConfigs(Object.fromEntries(known));
}

function pick(configs: Record<string, string>, names: readonly string[]): Record<string, string> {
  const wanted = new Set(names);
  return Object.fromEntries(Object.entries(configs).filter(([name]) => wanted.has(name)));
}

function listItems(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}
