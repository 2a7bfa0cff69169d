/**
 * Settings from environment variables. The variable of a setting is `RINGLOG_` and its name in capitals, with `_` for `.`; a name that begins with `ringlog.`
 * says so once: `log.segment.bytes` is RINGLOG_LOG_SEGMENT_BYTES, `ringlog.durability` is RINGLOG_DURABILITY. No two settings have the same variable (a
 * test holds the table to that). Pure: whoever owns the process gives its environment.
 */
import { COARSE_SETTINGS } from './broker-table.ts';
import { shown } from './definition.ts';
import { ConfigError } from './errors.ts';
import type { ConfigLayer, GivenSetting } from './layers.ts';
import { BROKER_CONFIG_BY_NAME, nearestName } from './table.ts';

const PREFIX = 'RINGLOG_';

/** Names a configuration file, for who cannot give a flag. */
export const CONFIG_FILE_VARIABLE = 'RINGLOG_CONFIG';

/**
 * Variables with our prefix that are no settings: the file, those of this repository's own tools, and what Kubernetes puts into every container beside a
 * service that is called ringlog.
 */
const OTHERS =
  /^RINGLOG_(?:CONFIG|SEED|SHARED_VECTORS|PEERS_DIR|CI_\w+|SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_\w+)?)$/;
/** Kubernetes' RINGLOG_PORT is an address, not a port. */
const SERVICE_ADDRESS = /^(?:tcp|udp|sctp):\/\//;

/** The environment variable of a broker setting. */
export function environmentName(setting: string): string {
  return (
    PREFIX +
    setting
      .replace(/^ringlog\./, '')
      .replaceAll('.', '_')
      .toUpperCase()
  );
}

const SETTING_BY_VARIABLE: ReadonlyMap<string, string> = new Map(
  [...BROKER_CONFIG_BY_NAME.keys(), ...COARSE_SETTINGS.map(({ name }) => name)].map((name) => [environmentName(name), name]),
);

/** The layer of `environment`. Throws {@link ConfigError} for a variable with our prefix that no setting has. */
export function environmentLayer(environment: Readonly<Record<string, string | undefined>>): ConfigLayer {
  const settings: GivenSetting[] = [];
  for (const [variable, text] of Object.entries(environment)) {
    if (!variable.startsWith(PREFIX) || text === undefined || isOther(variable, text)) continue;
    const name = SETTING_BY_VARIABLE.get(variable);
    if (name === undefined) throw new ConfigError(unknownVariable(variable));
    settings.push({ name, text, place: variable });
  }
  return { origin: 'environment', settings };
}

function isOther(variable: string, text: string): boolean {
  return OTHERS.test(variable) || (variable === 'RINGLOG_PORT' && SERVICE_ADDRESS.test(text));
}

/** Variables by the form in which {@link nearestName} compares: without the prefix, with dots. */
const VARIABLE_BY_DOTTED: ReadonlyMap<string, string> = new Map(
  [...SETTING_BY_VARIABLE.keys()].map((variable) => [variable.slice(PREFIX.length).toLowerCase().replaceAll('_', '.'), variable]),
);

function unknownVariable(variable: string): string {
  const nearest = nearestName(variable.slice(PREFIX.length).replace(/^RINGLOG_/, ''), VARIABLE_BY_DOTTED.keys());
  const sentence = `Unknown environment variable "${shown(variable)}": no setting has it.`;
  return nearest === undefined ? sentence : `${sentence} Did you mean "${VARIABLE_BY_DOTTED.get(nearest)}"?`;
}
