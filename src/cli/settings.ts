/** The settings that the broker of a command line gets: `start` runs with them, `doctor` looks at them. */
import { resolveBrokerConfig, type BrokerConfig, type BrokerFlags } from '../config/broker-config.ts';
import { readConfigFile } from '../config/config-file.ts';
import { CONFIG_FILE_VARIABLE, environmentLayer } from '../config/environment.ts';
import type { Terminal } from './terminal.ts';

/** What the command line says. */
export interface StartFlags extends BrokerFlags {
  /** Path of a configuration file; else the environment may name one. */
  readonly config?: string;
}

/** Settings from file, environment and flags, in this order, the later ones winning. Throws ConfigError. */
export function settingsOf({ config, ...flags }: StartFlags, environment: Terminal['environment']): BrokerConfig {
  const file = config ?? environment[CONFIG_FILE_VARIABLE];
  return resolveBrokerConfig(flags, [...(file === undefined ? [] : [readConfigFile(file)]), environmentLayer(environment)]);
}
