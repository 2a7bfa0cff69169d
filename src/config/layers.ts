/**
 * Layers of text, weakest first, to one value of each setting, with where it came from: default, profile, file, environment, flag, and what clients changed
 * while the broker runs. Pure.
 */
import { COARSE_SETTINGS, HOUR_MS, type CoarseSetting } from './broker-table.ts';
import { shown, type ConfigDefinition } from './definition.ts';
import { ConfigError } from './errors.ts';
import { PROFILES, type Profile } from './profiles.ts';
import { BROKER_CONFIG_BY_NAME, unknownSetting } from './table.ts';
import { parseValue, type ParsedValue } from './values.ts';

/** `clusterDynamic` and `brokerDynamic`: set through the protocol, as the default of all brokers and for this one. */
export type ConfigOrigin = 'default' | 'profile' | 'file' | 'environment' | 'flag' | 'clusterDynamic' | 'brokerDynamic';

/** A setting as somebody gave it. */
export interface GivenSetting {
  readonly name: string;
  readonly text: string;
  /** Where a person finds it, for messages: `ringlog.yaml:3`, `RINGLOG_NUM_PARTITIONS`, `--set num.partitions`. */
  readonly place: string;
}

/** Text settings of one origin; a later layer wins over an earlier one, and a later setting over an earlier one of the same name. */
export interface ConfigLayer {
  readonly origin: Exclude<ConfigOrigin, 'default' | 'profile'>;
  readonly settings: readonly GivenSetting[];
}

export interface ConfiguredValue {
  /** As configured, for DescribeConfigs. */
  readonly text: string;
  readonly value: ParsedValue;
  readonly origin: ConfigOrigin;
  /** See {@link GivenSetting}; '' for a default. */
  readonly place: string;
  /** The weaker value that this one hides. */
  readonly beneath: ConfiguredValue | undefined;
}

/** A message about a setting, with the place where a person finds it in front. */
export function placed(place: string, message: string): string {
  return place === '' ? message : `${place}: ${message}`;
}

/** Every broker setting by name. Throws {@link ConfigError}: an unknown name, or a value that is not legal. */
export function resolveValues(layers: readonly ConfigLayer[]): Map<string, ConfiguredValue> {
  const values = new Map<string, ConfiguredValue>();
  for (const { name, default: text } of BROKER_CONFIG_BY_NAME.values()) put(values, { name, text, place: '' }, 'default');
  const coarse = new Map<string, { given: GivenSetting; origin: ConfigOrigin }>();
  for (const { origin, settings } of layers) {
    for (const given of settings) {
      if (COARSE_SETTINGS.some((setting) => setting.name === given.name)) coarse.set(given.name, { given, origin });
      else put(values, given, origin);
    }
  }
  for (const setting of COARSE_SETTINGS) {
    const found = coarse.get(setting.name);
    if (found === undefined) continue;
    const text = inMilliseconds(setting, found.given);
    if (values.get(setting.of)?.origin === 'default') put(values, { name: setting.of, text, place: found.given.place }, found.origin);
  }
  const profile = values.get('ringlog.profile')!.value as Profile;
  for (const [name, text] of Object.entries(PROFILES[profile].values)) {
    if (values.get(name)?.origin === 'default') put(values, { name, text, place: `ringlog.profile=${profile}` }, 'profile');
  }
  return values;
}

/** Puts one more layer over values that were resolved. */
export function overlay(values: ReadonlyMap<string, ConfiguredValue>, { origin, settings }: ConfigLayer): Map<string, ConfiguredValue> {
  const over = new Map(values);
  for (const given of settings) put(over, given, origin);
  return over;
}

function put(values: Map<string, ConfiguredValue>, { name, text, place }: GivenSetting, origin: ConfigOrigin): void {
  const definition = BROKER_CONFIG_BY_NAME.get(name);
  if (definition === undefined) throw new ConfigError(placed(place, unknownSetting('broker', name)));
  const parsed = parseValue(definition, text);
  if (!parsed.ok) throw new ConfigError(placed(place, parsed.reason));
  values.set(name, { text: text.trim(), value: parsed.value, origin, place, beneath: values.get(name) });
}

/** The text of a coarse setting in ms. Below zero is "no limit" for whoever takes that. Throws ConfigError. */
function inMilliseconds({ name, of, unitMs }: CoarseSetting, { text, place }: GivenSetting): string {
  const number = /^[+-]?[0-9]{1,10}$/.test(text.trim()) ? Number(text) : NaN;
  const ms = number < 0 ? number : number * unitMs;
  const definition = BROKER_CONFIG_BY_NAME.get(of) as ConfigDefinition;
  if (!Number.isNaN(ms) && parseValue(definition, String(ms)).ok) return String(ms);
  const min = (definition.min ?? 0) > 0 ? 1 : (definition.min ?? 0);
  const unit = unitMs === HOUR_MS ? 'hours' : 'minutes';
  const reason = `Invalid value "${shown(text)}" for ${name}: it must be a whole number of ${unit} from ${min} to 2147483647.`;
  throw new ConfigError(placed(place, reason));
}
