/** Which broker settings clients may change while the broker runs. */
import { COARSE_SETTINGS } from './broker-table.ts';
import { BROKER_CONFIG_BY_NAME, unknownSetting } from './table.ts';
import { parseValue } from './values.ts';

/** Why a client may not set `name` to `text`, as one sentence; undefined when it may. */
export function dynamicProblem(name: string, text: string): string | undefined {
  const definition = BROKER_CONFIG_BY_NAME.get(name);
  if (definition === undefined) {
    const coarse = COARSE_SETTINGS.find((setting) => setting.name === name);
    return coarse === undefined ? unknownSetting('broker', name) : `${name} is read at start only: while the broker runs set ${coarse.of}.`;
  }
  if (!definition.dynamic) return `${name} cannot be changed while the broker runs: set it in its configuration and restart it.`;
  const parsed = parseValue(definition, text);
  return parsed.ok ? undefined : parsed.reason;
}
