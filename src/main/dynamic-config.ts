/**
 * The broker's settings as they are now. Clients change those that the table calls dynamic, for this broker or as the default of all: checked together with all
 * others, made durable, then put in force, then answered. Main only.
 *
 *   a crash before the commit   nothing was changed
 *   a crash after it            the next start resolves its settings with the change
 */
import type { SettingsScope, StoredBrokerSettings } from '../cluster/broker-settings.ts';
import { changeSettings, refuse, type CatalogResult, type ConfigChange } from '../cluster/topic-rules.ts';
import { withDynamic, type BrokerConfig, type DynamicSettings } from '../config/broker-config.ts';
import { dynamicProblem } from '../config/dynamic.ts';
import { ConfigError } from '../config/errors.ts';
import { BROKER_CONFIG_BY_NAME } from '../config/table.ts';
import type { RootLogger } from '../telemetry/logger.ts';

/** What a dynamic configuration is given to work with. */
export interface DynamicConfigParts {
  /** As resolved at start, without what clients changed. */
  readonly start: BrokerConfig;
  readonly stored: StoredBrokerSettings;
  readonly logger: Pick<RootLogger, 'level' | 'warn'>;
}

/** Puts changed settings in force. Resolves with what went wrong, or null. */
export type ApplySettings = (before: BrokerConfig, after: BrokerConfig) => Promise<string | null>;

type Texts = Readonly<Record<string, string>>;

/** See the file header. */
export class DynamicConfig {
  /** One object for the life of the broker; its fields change. Who copies a field has it as of then. */
  readonly current: BrokerConfig;
  /** Set by the composition root once there is something to apply settings to. */
  apply: ApplySettings = async () => null;
  private readonly parts: DynamicConfigParts;
  /** The change under way; the next one waits for it. */
  private running: Promise<unknown> = Promise.resolve();

  /** Throws ConfigError when what clients once changed is not legal together with what the broker is started with. */
  constructor(parts: DynamicConfigParts) {
    this.parts = parts;
    const { cluster, broker } = parts.stored.texts;
    this.current = { ...withDynamic(parts.start, { cluster: this.usable(cluster), broker: this.usable(broker) }) };
    parts.logger.level = this.current.logLevel;
  }

  /** Level of the log, which may differ from the setting: see {@link setLogLevel}. */
  get logLevel(): string {
    return this.parts.logger.level;
  }

  /** Another level until the broker ends or the setting is changed. `level` must be a legal value of ringlog.log.level. */
  setLogLevel(level: string): void {
    this.parts.logger.level = level;
  }

  /** Changes some settings (IncrementalAlterConfigs). Rejects with MetadataStoreError. */
  alter(scope: SettingsScope, changes: readonly ConfigChange[], validateOnly: boolean): Promise<CatalogResult<null>> {
    return this.inTurn(scope, (texts) => changeSettings(texts, changes, 'broker', BROKER_CONFIG_BY_NAME), validateOnly);
  }

  /** Makes these all that is set in `scope` (AlterConfigs). Rejects with MetadataStoreError. */
  replace(scope: SettingsScope, texts: Texts, validateOnly: boolean): Promise<CatalogResult<null>> {
    const trimmed = Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, text.trim()]));
    return this.inTurn(scope, () => ({ ok: true, value: trimmed }), validateOnly);
  }

  private async inTurn(
    scope: SettingsScope,
    change: (texts: Texts) => CatalogResult<Texts>,
    validateOnly: boolean,
  ): Promise<CatalogResult<null>> {
    const turn = this.running.then(() => this.change(scope, change, validateOnly));
    this.running = turn.catch(() => undefined);
    return turn;
  }

  private async change(
    scope: SettingsScope,
    change: (texts: Texts) => CatalogResult<Texts>,
    validateOnly: boolean,
  ): Promise<CatalogResult<null>> {
    const { stored, start, logger } = this.parts;
    const before = stored.texts[scope];
    const changed = change(before);
    if (!changed.ok) return refuse('INVALID_REQUEST', changed.message);
    const texts = changed.value;
    for (const [name, text] of Object.entries(texts)) {
      // What is stored already and not touched must not stand in the way, whichever version stored it.
      const problem = before[name] === text ? undefined : dynamicProblem(name, text);
      if (problem !== undefined) return refuse('INVALID_REQUEST', problem);
    }
    const dynamic: DynamicSettings = { ...stored.texts, [scope]: texts };
    let after: BrokerConfig;
    try {
      after = withDynamic(start, { cluster: this.usable(dynamic.cluster), broker: this.usable(dynamic.broker) });
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return refuse('INVALID_REQUEST', error.message);
    }
    if (validateOnly) return { ok: true, value: null };
    await stored.replace(scope, texts);
    const previous = { ...this.current };
    Object.assign(this.current, after);
    if (previous.logLevel !== after.logLevel) logger.level = after.logLevel;
    const problem = await this.apply(previous, this.current);
    return problem === null ? { ok: true, value: null } : refuse('KAFKA_STORAGE_ERROR', problem);
  }

  /** What of `texts` this version knows as dynamic and legal; the rest stays stored and has no effect. */
  private usable(texts: Texts): Texts {
    const problems = Object.entries(texts).flatMap(([name, text]) => dynamicProblem(name, text) ?? []);
    for (const problem of problems)
      this.parts.logger.warn({ problem }, 'a setting that a client once changed has no effect in this version');
    return problems.length === 0
      ? texts
      : Object.fromEntries(Object.entries(texts).filter(([name, text]) => dynamicProblem(name, text) === undefined));
  }
}
