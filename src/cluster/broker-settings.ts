/**
 * Broker settings that clients changed while the broker ran, as the metadata store has them: those of all brokers under one key, those of each broker under
 * another. Only what was set is there. Thread: main.
 */
import type { DynamicSettings } from '../config/broker-config.ts';
import { MetadataStoreError, type MetadataStore } from './metadata-store.ts';

/** Of all brokers, or of this one, which wins. */
export type SettingsScope = keyof DynamicSettings;

type Texts = Readonly<Record<string, string>>;

interface Stored {
  readonly texts: Texts;
  /** Of the last change; 0: there was none. */
  readonly revision: number;
}

/** See the file header. */
export class StoredBrokerSettings {
  private readonly store: MetadataStore;
  private readonly keys: Readonly<Record<SettingsScope, string>>;
  private readonly stored: Record<SettingsScope, Stored>;

  private constructor(store: MetadataStore, keys: Readonly<Record<SettingsScope, string>>, stored: Record<SettingsScope, Stored>) {
    this.store = store;
    this.keys = keys;
    this.stored = stored;
  }

  /** Reads them. Rejects with MetadataStoreError. */
  static async load(store: MetadataStore, nodeId: number): Promise<StoredBrokerSettings> {
    const keys = { cluster: 'broker-settings/all', broker: `broker-settings/${nodeId}` };
    return new StoredBrokerSettings(store, keys, { cluster: await read(store, keys.cluster), broker: await read(store, keys.broker) });
  }

  /** What is set now. */
  get texts(): DynamicSettings {
    return { cluster: this.stored.cluster.texts, broker: this.stored.broker.texts };
  }

  /**
   * Makes `texts` all that is set in `scope`; resolves once that is durable. Rejects with MetadataStoreError, also when somebody else changed the same
   * meanwhile: then what they set is there, and the caller may look again.
   */
  async replace(scope: SettingsScope, texts: Texts): Promise<void> {
    const key = this.keys[scope];
    const result = await this.store.put(key, texts, { ifRevision: this.stored[scope].revision });
    this.stored[scope] = result.committed ? { texts, revision: result.revision } : await read(this.store, key);
    if (!result.committed) throw new MetadataStoreError('the settings were changed by somebody else at the same time: try again');
  }
}

async function read(store: MetadataStore, key: string): Promise<Stored> {
  const entry = await store.get(key);
  return { texts: (entry?.value as Texts | undefined) ?? {}, revision: entry?.modRevision ?? 0 };
}
