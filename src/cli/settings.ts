/** The settings that the broker of a command line gets: `start` runs with them, `doctor` looks at them. */
import { resolveBrokerConfig, type BrokerConfig, type BrokerFlags } from '../config/broker-config.ts';
import { CONFIG_FILE_VARIABLE, environmentLayer } from '../config/environment.ts';
import type { Terminal } from './terminal.ts';

/** What the command line says. */
export interface StartFlags extends BrokerFlags {
  /** Path of a configuration file; else the environment may name one. */
  readonly config?: string;
}

/** Settings from file, environment and flags, in this order, the later ones winning. Rejects with ConfigError. */
export async function settingsOf({ config, ...flags }: StartFlags, environment: Terminal['environment']): Promise<BrokerConfig> {
  const file = config ?? environment[CONFIG_FILE_VARIABLE];
  if (file === undefined) return resolveBrokerConfig(flags, [environmentLayer(environment)]);
  // Reading YAML takes a library, which a start without a file need not load.
  const { readConfigFile } = await import('../config/config-file.ts');
  return resolveBrokerConfig(flags, [readConfigFile(file), environmentLayer(environment)]);
}
