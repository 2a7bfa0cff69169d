/** What a broker inside a program is started with, and what that means as settings. */
import { resolveBrokerConfig, type BrokerConfig, type BrokerFlags } from './broker-config.ts';
import { shown } from './definition.ts';
import { ConfigError } from './errors.ts';
import { settingsLayer, type BrokerSettings } from './settings.ts';
import { BROKER_CONFIG_BY_NAME, nearestName } from './table.ts';
import { makeTemporaryFolder } from './temporary-folder.ts';

/** Options of `Broker.start`. Neither the environment nor a configuration file is read: what is not given has its default. */
export interface BrokerOptions {
  /** Where data lies; made if it is missing. One broker at a time may have it. Default: `./data`; not with `temporary`. */
  readonly dataDir?: string;
  /**
   * For tests: the broker gets an empty folder of its own in the system's temporary folder, and any free port unless `port` says otherwise. The folder is
   * removed at `stop`, when the broker fails, and at the end of the process, unless that is killed. Default: false.
   */
  readonly temporary?: boolean;
  /** Port to listen on, 0 … 65535; 0 takes any free one, see `address`. Default: 9092, or that of `listeners` in `settings`. */
  readonly port?: number;
  /** Address to listen on; the empty string stands for every interface. Default: 127.0.0.1. */
  readonly host?: string;
  /** Port of `GET /metrics` and `GET /health`, 0 … 65535; 0 takes any free one, see `httpAddress`; -1: none. Default: -1, or `ringlog.http.port` in `settings`. */
  readonly httpPort?: number;
  /** Any setting of docs/CONFIG.md by name, such as `{ 'num.partitions': 4, 'ringlog.profile': 'latency' }`. Sizes in bytes, times in ms. */
  readonly settings?: BrokerSettings;
  /** Takes each line of the broker's log (JSON) instead of standard error. Must not throw. How much is said is the setting `ringlog.log.level`. */
  readonly onLog?: (line: string) => void;
}

export interface ResolvedOptions {
  readonly config: BrokerConfig;
  /** To be removed when the broker is down; undefined: nothing is. */
  readonly temporaryFolder: string | undefined;
}

const OPTION_NAMES: Readonly<Record<keyof BrokerOptions, true>> = {
  dataDir: true,
  temporary: true,
  port: true,
  host: true,
  httpPort: true,
  settings: true,
  onLog: true,
};

/** Whoever writes JavaScript has no compiler that would say it. */
function checkNames(options: BrokerOptions): void {
  const names = Object.keys(OPTION_NAMES);
  for (const name of Object.keys(options)) {
    if (names.includes(name)) continue;
    if (BROKER_CONFIG_BY_NAME.has(name))
      throw new ConfigError(`Unknown option "${shown(name)}": that is a setting, give it as { settings: { '${name}': … } }.`);
    const nearest = nearestName(name, names);
    const hint = nearest === undefined ? `Options are ${names.join(', ')}.` : `Did you mean ${nearest}?`;
    throw new ConfigError(`Unknown option "${shown(name)}" of Broker.start. ${hint}`);
  }
}

/** Throws {@link ConfigError}; then nothing was made. */
export function resolveOptions(options: BrokerOptions): ResolvedOptions {
  checkNames(options);
  const { dataDir, temporary = false, port, host, httpPort, settings = {} } = options;
  if (temporary && (dataDir !== undefined || settings['log.dirs'] !== undefined))
    throw new ConfigError('A temporary broker has a folder of its own: leave dataDir and log.dirs away, or temporary.');
  const flags: BrokerFlags = {
    ...(dataDir === undefined ? {} : { dataDir }),
    ...(port === undefined ? (temporary && settings.listeners === undefined ? { port: 0 } : {}) : { port }),
    ...(host === undefined ? {} : { host }),
    // Who embeds a broker has not asked for a second port, and several brokers of one process would fight for it.
    ...(httpPort === undefined ? (settings['ringlog.http.port'] === undefined ? { httpPort: -1 } : {}) : { httpPort }),
  };
  const layers = [settingsLayer(settings)];
  const config = resolveBrokerConfig(flags, layers);
  if (!temporary) return { config, temporaryFolder: undefined };
  const temporaryFolder = makeTemporaryFolder();
  return { config: resolveBrokerConfig({ ...flags, dataDir: temporaryFolder }, layers), temporaryFolder };
}
