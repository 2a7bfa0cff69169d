/**
 * Settings as a typed object, for who starts a broker from JavaScript: names and legal words come from the tables, so an editor completes them and the
 * compiler refuses what the broker would.
 */
import type { BrokerTable, CoarseTable } from './broker-table.ts';
import type { ConfigDefinition } from './definition.ts';
import { ConfigError } from './errors.ts';
import type { ConfigLayer, GivenSetting } from './layers.ts';
import type { TopicTable } from './topic-table.ts';

/** A LONG above 2^53 is given as bigint or text. */
type ValueOf<D extends Pick<ConfigDefinition, 'type'>> = D extends { readonly validValues: readonly (infer Word)[] }
  ? D extends { readonly type: 'LIST' }
    ? Word | readonly Word[]
    : Word
  : { BOOLEAN: boolean; INT: number; LONG: number | bigint; DOUBLE: number; STRING: string; LIST: string | readonly string[] }[D['type']];

type OfBroker = { readonly [D in BrokerTable[number] as D['name']]?: ValueOf<D> };
type OfAllTopics = { readonly [D in Extract<TopicTable[number], { brokerName: string }> as D['brokerName']]?: ValueOf<D> };
type Coarse = { readonly [D in CoarseTable[number] as D['name']]?: number };

/** Any setting of docs/CONFIG.md's broker settings and of its "default for all topics", by name. Unset ones have their defaults. */
export type BrokerSettings = OfBroker & OfAllTopics & Coarse;

/** The layer of a settings object; undefined values are not set. Throws {@link ConfigError} for what is no text, number, boolean or list. */
export function settingsLayer(settings: BrokerSettings): ConfigLayer {
  const given: GivenSetting[] = [];
  for (const [name, value] of Object.entries(settings as Readonly<Record<string, unknown>>)) {
    if (value === undefined) continue;
    given.push({ name, text: textOf(name, value), place: 'settings' });
  }
  return { origin: 'flag', settings: given };
}

function textOf(name: string, value: unknown): string {
  switch (typeof value) {
    case 'string':
      return value;
    case 'number':
    case 'bigint':
    case 'boolean':
      return String(value);
    default:
      if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value.join(',');
      throw new ConfigError(`settings: ${name} must be text, a number, a boolean or a list of texts.`);
  }
}
