/**
 * The topics of the cluster: store and image together. Every change is a transaction on the store, compared against what was read; the
 * image changes only by the store's own watch, and a call returns once the image shows what it did.
 *
 * A topic is born by its key (compared to "does not exist") and dies by one transaction that removes the key and writes its tombstone. Its
 * files may be removed only while the tombstone stands; `removeTombstone` says that they are gone. If we crash before, the tombstone is
 * found again at the next start.
 */

import { isInternalTopic } from './internal-topics.ts';
import { MetadataStoreError, type MetadataStore, type MetadataWatch } from './metadata-store.ts';
import {
  collisionForm,
  MetadataImage,
  TOMBSTONE_PREFIX,
  TOPIC_PREFIX,
  type PartitionState,
  type StoredTombstone,
  type StoredTopic,
  type Tombstone,
  type TopicEvent,
  type TopicMetadata,
} from './metadata-image.ts';
import { newTopicId } from './topic-id.ts';
import {
  changeConfigs,
  checkConfigs,
  checkNewCount,
  checkNewTopic,
  refuse,
  storedConfigs,
  type CatalogResult,
  type ConfigChange,
  type NewTopic,
} from './topic-rules.ts';

export interface TopicCatalogOptions {
  readonly nodeId: number;
  /** For topics whose creator did not say. */
  readonly defaultPartitions?: number;
  /** Gives topic ids; the simulator passes its own. */
  readonly newTopicId?: () => string;
  /** The image no longer follows the store, for good: every later change is refused, until the broker is started again and reads what is really stored. */
  readonly onLost?: (reason: Error) => void;
}

export interface DeletedTopic {
  readonly topic: TopicMetadata;
  readonly tombstone: Tombstone;
}

/** Tries of a compare-and-swap that loses against other writers before the caller is told to come again. */
const SWAP_TRIES_MAX = 20;

export class TopicCatalog {
  readonly #store: MetadataStore;
  readonly #options: Required<TopicCatalogOptions>;
  readonly #image = new MetadataImage();
  readonly #listeners = new Set<(event: TopicEvent) => void>();
  readonly #revisionWaiters = new Set<() => void>();
  /** Creations under way, by the collision form of their name; each resolves when it is settled. */
  readonly #creating = new Map<string, Promise<unknown>>();
  /** Partitions of creations under way. */
  #partitionsCreating = 0;
  #watches: MetadataWatch[] = [];
  #leaderEpoch = 0;
  /** Why the image no longer follows the store; undefined while it does. */
  #lost: Error | undefined;

  /** Reads everything. Rejects with {@link MetadataStoreError} when the store cannot be read. */
  static async load(store: MetadataStore, options: TopicCatalogOptions): Promise<TopicCatalog> {
    const catalog = new TopicCatalog(store, { defaultPartitions: 1, newTopicId: () => newTopicId(), onLost: () => undefined, ...options });
    await catalog.#load();
    return catalog;
  }

  private constructor(store: MetadataStore, options: Required<TopicCatalogOptions>) {
    this.#store = store;
    this.#options = options;
  }

  async #load(): Promise<void> {
    // One listing, so that topics and tombstones are of one revision.
    const { revision, entries } = await this.#store.list('');
    this.#image.load(entries, revision);
    const onLost = (reason: Error): void => {
      this.#lost = reason;
      for (const waiter of this.#revisionWaiters) waiter();
      this.#options.onLost(reason);
    };
    const onChange = (change: Parameters<MetadataImage['apply']>[0]): void => {
      const events = this.#image.apply(change);
      for (const listener of this.#listeners) events.forEach(listener);
      for (const waiter of this.#revisionWaiters) waiter();
    };
    this.#watches = [this.#store.watch('', revision + 1, { onChange, onLost })];
    this.#leaderEpoch = await this.#storedLeaderEpoch();
  }

  /** Ends the watch. The store stays open. */
  close(): void {
    for (const watch of this.#watches) watch.close();
    this.#watches = [];
    this.#listeners.clear();
  }

  topicByName(name: string): TopicMetadata | undefined {
    return this.#image.topicByName(name);
  }

  topicById(topicId: string): TopicMetadata | undefined {
    return this.#image.topicById(topicId);
  }

  /** In no particular order. */
  topics(): IterableIterator<TopicMetadata> {
    return this.#image.topics();
  }

  get topicCount(): number {
    return this.#image.topicCount;
  }

  /** Partitions of all topics together. */
  get partitionTotal(): number {
    return this.#image.partitionTotal;
  }

  /** Deleted topics whose files are to be removed; also those of earlier lives. */
  tombstones(): IterableIterator<Tombstone> {
    return this.#image.tombstones();
  }

  /** Who leads a partition. With a single broker: it does, in the epoch of its last unclean start. */
  partitionState(_topic: TopicMetadata, _partition: number): PartitionState {
    const { nodeId } = this.#options;
    return { leader: nodeId, leaderEpoch: this.#leaderEpoch, replicas: [nodeId], isr: [nodeId] };
  }

  /** Calls `listener` for every change of topics from now on, in order, once it is durable. Returns what ends that. */
  onTopicEvent(listener: (event: TopicEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Creates a topic; of several at once under the same or a colliding name exactly one succeeds. */
  async createTopic(topic: NewTopic, { validateOnly = false } = {}): Promise<CatalogResult<TopicMetadata>> {
    const form = collisionForm(topic.name);
    while (this.#creating.has(form)) await this.#creating.get(form);
    const partitions = topic.partitions === -1 ? this.#options.defaultPartitions : topic.partitions;
    // As many partitions as clients like must not keep the groups from having their topic.
    const total = isInternalTopic(topic.name) ? 0 : this.#image.partitionTotal + this.#partitionsCreating;
    const refusal = checkNewTopic(topic, partitions, this.#image, total);
    if (refusal !== undefined) return refusal;
    const stored: StoredTopic = {
      topicId: this.#options.newTopicId(),
      partitionCount: partitions,
      configs: storedConfigs(topic.configs),
    };
    if (validateOnly) return { ok: true, value: { ...stored, name: topic.name, createdRevision: 0, revision: 0 } };

    // From the check to here nothing was awaited, so no other creation can have come between.
    const creation = this.#commitNewTopic(topic.name, stored);
    this.#creating.set(
      form,
      creation.catch(() => undefined),
    );
    this.#partitionsCreating += partitions;
    try {
      return await creation;
    } finally {
      this.#creating.delete(form);
      this.#partitionsCreating -= partitions;
    }
  }

  async #commitNewTopic(name: string, stored: StoredTopic): Promise<CatalogResult<TopicMetadata>> {
    const key = TOPIC_PREFIX + name;
    const result = await this.#store.transaction({ compare: [{ key, modRevision: 0 }], puts: [{ key, value: stored }] });
    await this.#untilRevision(result.revision);
    if (!result.committed) return refuse('TOPIC_ALREADY_EXISTS', `Topic '${name}' already exists.`);
    const topic = this.#image.topicByName(name);
    if (topic?.topicId !== stored.topicId) throw new MetadataStoreError(`topic ${name} was deleted while it was created`);
    return { ok: true, value: topic };
  }

  /** Deletes a topic by name or by id; its tombstone stands once this resolves. */
  async deleteTopic(which: { readonly name: string } | { readonly topicId: string }): Promise<CatalogResult<DeletedTopic>> {
    for (let tries = 0; tries < SWAP_TRIES_MAX; tries++) {
      const topic = 'name' in which ? this.#image.topicByName(which.name) : this.#image.topicById(which.topicId);
      if (topic === undefined) {
        if ('topicId' in which) return refuse('UNKNOWN_TOPIC_ID', 'This server does not host this topic ID.');
        return refuse('UNKNOWN_TOPIC_OR_PARTITION', 'This server does not host this topic-partition.');
      }
      const key = TOPIC_PREFIX + topic.name;
      const value: StoredTombstone = { name: topic.name, partitionCount: topic.partitionCount };
      const result = await this.#store.transaction({
        compare: [{ key, modRevision: topic.revision }],
        puts: [{ key: TOMBSTONE_PREFIX + topic.topicId, value }],
        deletes: [key],
      });
      await this.#untilRevision(result.revision);
      if (!result.committed) continue;
      const tombstone = { topicId: topic.topicId, ...value, deletedRevision: result.revision };
      return { ok: true, value: { topic, tombstone } };
    }
    throw tooManyTries();
  }

  /** Says that the files of a deleted topic are gone, durably. Unknown ids are fine: it was said before. */
  async removeTombstone(topicId: string): Promise<void> {
    const result = await this.#store.delete(TOMBSTONE_PREFIX + topicId);
    await this.#untilRevision(result.revision);
  }

  /** Changes some settings of a topic (IncrementalAlterConfigs). */
  alterTopicConfigs(
    name: string,
    changes: readonly ConfigChange[],
    options: { validateOnly?: boolean } = {},
  ): Promise<CatalogResult<TopicMetadata>> {
    return this.#swap(
      name,
      configsOf(({ configs }) => changeConfigs(configs, changes)),
      options,
    );
  }

  /** Gives a topic exactly these settings (AlterConfigs). */
  replaceTopicConfigs(
    name: string,
    configs: Readonly<Record<string, string | null>>,
    options: { validateOnly?: boolean } = {},
  ): Promise<CatalogResult<TopicMetadata>> {
    const next = (): CatalogResult<Record<string, string>> => checkConfigs(configs) ?? { ok: true, value: storedConfigs(configs) };
    return this.#swap(name, configsOf(next), options);
  }

  /** Gives a topic more partitions, `count` in all. */
  async createPartitions(name: string, count: number, options: { validateOnly?: boolean } = {}): Promise<CatalogResult<TopicMetadata>> {
    const added = Math.max(0, count - (this.#image.topicByName(name)?.partitionCount ?? count));
    const reserved = options.validateOnly === true ? 0 : added;
    const next = (topic: TopicMetadata): CatalogResult<Partial<StoredTopic>> => {
      const others = this.#image.partitionTotal + this.#partitionsCreating - reserved;
      return checkNewCount(topic, count, others) ?? { ok: true, value: { partitionCount: count } };
    };
    this.#partitionsCreating += reserved;
    try {
      return await this.#swap(name, next, options);
    } finally {
      this.#partitionsCreating -= reserved;
    }
  }

  /** Changes what is stored of a topic by compare-and-swap; `next` says what is different, or why nothing may be. */
  async #swap(
    name: string,
    next: (topic: TopicMetadata) => CatalogResult<Partial<StoredTopic>>,
    { validateOnly = false }: { validateOnly?: boolean },
  ): Promise<CatalogResult<TopicMetadata>> {
    for (let tries = 0; tries < SWAP_TRIES_MAX; tries++) {
      const topic = this.#image.topicByName(name);
      if (topic === undefined) return refuse('UNKNOWN_TOPIC_OR_PARTITION', 'This server does not host this topic-partition.');
      const changed = next(topic);
      if (!changed.ok) return changed;
      if (validateOnly) return { ok: true, value: { ...topic, ...changed.value } };
      const { topicId, partitionCount, configs } = topic;
      const value: StoredTopic = { topicId, partitionCount, configs, ...changed.value };
      const result = await this.#store.put(TOPIC_PREFIX + name, value, { ifRevision: topic.revision });
      await this.#untilRevision(result.revision);
      if (!result.committed) continue;
      return { ok: true, value: this.#image.topicByName(name) ?? { ...topic, ...changed.value, revision: result.revision } };
    }
    throw tooManyTries();
  }

  /** The leader epoch of this broker's partitions: how many unclean starts it has had. */
  get leaderEpoch(): number {
    return this.#leaderEpoch;
  }

  /**
   * Raises the leader epoch, durably, and returns it. To be called at each start that does not follow a clean stop, before anything is
   * served.
   */
  async bumpUncleanEpoch(): Promise<number> {
    for (let tries = 0; tries < SWAP_TRIES_MAX; tries++) {
      const entry = await this.#store.get(this.#leaderEpochKey());
      const leaderEpoch = ((entry?.value as number | undefined) ?? 0) + 1;
      const result = await this.#store.put(this.#leaderEpochKey(), leaderEpoch, { ifRevision: entry?.modRevision ?? 0 });
      if (result.committed) return (this.#leaderEpoch = leaderEpoch);
    }
    throw tooManyTries();
  }

  async #storedLeaderEpoch(): Promise<number> {
    return ((await this.#store.get(this.#leaderEpochKey()))?.value as number | undefined) ?? 0;
  }

  #leaderEpochKey(): string {
    return `broker/${this.#options.nodeId}/leader-epoch`;
  }

  /** Resolves once the image shows `revision`. */
  async #untilRevision(revision: number): Promise<void> {
    while (this.#image.revision < revision) {
      if (this.#lost !== undefined)
        throw new MetadataStoreError(`metadata can no longer be followed: ${this.#lost.message}`, { cause: this.#lost });
      await new Promise<void>((resolve) => {
        const waiter = (): void => {
          this.#revisionWaiters.delete(waiter);
          resolve();
        };
        this.#revisionWaiters.add(waiter);
      });
    }
  }
}

function configsOf(next: (topic: TopicMetadata) => CatalogResult<Record<string, string>>) {
  return (topic: TopicMetadata): CatalogResult<Partial<StoredTopic>> => {
    const configs = next(topic);
    return configs.ok ? { ok: true, value: { configs: configs.value } } : configs;
  };
}

function tooManyTries(): MetadataStoreError {
  return new MetadataStoreError(`a metadata change lost ${SWAP_TRIES_MAX} times against other changes`);
}
