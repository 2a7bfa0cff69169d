/**
 * The table of settings as one: look-up by name, the broker-wide defaults derived from topic settings, and the nearest name for a mistyped
 * one.
 */

import { BROKER_CONFIGS } from './broker-table.ts';
import { shown, type ConfigDefinition, type TopicConfigDefinition } from './definition.ts';
import { TOPIC_CONFIGS } from './topic-table.ts';

/** A broker-wide default of a topic setting: the same type, bounds and state under the broker's name. */
function brokerDefaultOf(topic: TopicConfigDefinition & { brokerName: string }): ConfigDefinition {
  const { brokerName, ...rest } = topic;
  return { ...rest, name: brokerName, doc: `Default of the topic setting ${topic.name}. ${topic.doc}` };
}

function withBrokerName(definition: TopicConfigDefinition): definition is TopicConfigDefinition & { brokerName: string } {
  return definition.brokerName !== undefined;
}

function byName<T extends ConfigDefinition>(definitions: readonly T[]): ReadonlyMap<string, T> {
  return new Map(definitions.map((definition) => [definition.name, definition]));
}

/** Topic settings by name. */
export const TOPIC_CONFIG_BY_NAME: ReadonlyMap<string, TopicConfigDefinition> = byName(TOPIC_CONFIGS);

/** Broker settings by name, including the broker-wide defaults of topic settings. */
export const BROKER_CONFIG_BY_NAME: ReadonlyMap<string, ConfigDefinition> = byName([
  ...BROKER_CONFIGS,
  ...TOPIC_CONFIGS.filter(withBrokerName).map(brokerDefaultOf),
]);

/** The topic setting of each broker-wide default, by the broker's name. */
export const TOPIC_NAME_BY_BROKER_NAME: ReadonlyMap<string, string> = new Map(
  TOPIC_CONFIGS.filter(withBrokerName).map((definition) => [definition.brokerName, definition.name]),
);

/** `Unknown <kind> setting "<name>"`, with the nearest known name when one is near enough to be what was meant. */
export function unknownSetting(kind: 'topic' | 'broker', name: string): string {
  const known = kind === 'topic' ? TOPIC_CONFIG_BY_NAME : BROKER_CONFIG_BY_NAME;
  const other = kind === 'topic' ? BROKER_CONFIG_BY_NAME : TOPIC_CONFIG_BY_NAME;
  const sentence = `Unknown ${kind} setting "${shown(name)}"`;
  if (other.has(name)) {
    const translated = kind === 'topic' ? TOPIC_NAME_BY_BROKER_NAME.get(name) : TOPIC_CONFIG_BY_NAME.get(name)?.brokerName;
    const otherKind = kind === 'topic' ? 'broker' : 'topic';
    return `${sentence}: that is a ${otherKind} setting${translated === undefined ? '' : `; the ${kind} setting is "${translated}"`}.`;
  }
  const nearest = nearestName(name, known.keys());
  return nearest === undefined ? `${sentence}.` : `${sentence}. Did you mean "${nearest}"?`;
}

/** The name with the fewest edits from `name`, if no more than a third of it would have to change; otherwise undefined. */
export function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  const wanted = name.toLowerCase().replaceAll('_', '.');
  if (wanted.length > 100) return undefined;
  let best: string | undefined;
  let bestEdits = Math.floor(wanted.length / 3) + 1;
  for (const candidate of candidates) {
    const edits = editDistance(wanted, candidate, bestEdits);
    if (edits < bestEdits) {
      best = candidate;
      bestEdits = edits;
    }
  }
  return best;
}

/** Levenshtein distance, or any number ≥ `limit` once it cannot be less. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(substituted, previous[j]! + 1, current[j - 1]! + 1));
    }
    previous = current;
  }
  return previous[b.length]!;
}
