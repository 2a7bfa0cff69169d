/**
 * Births, changes and deaths of topics on this broker: keeps metadata store, shards and router in step. Main only.
 *
 *   create   metadata commit (durable) → open in a shard → visible → answer
 *            a crash after the commit: the next start finds the topic and opens it empty
 *   delete   tombstone commit → no longer visible → answer … close in the shard → reads drained, descriptors closed → files removed → tombstone removed
 *            a crash after the commit: the next start finds the tombstone and goes on with the files
 *   alter    metadata commit → configure, or move between shard classes → answer
 *            a crash in between: the next start opens every partition by what metadata says
 *
 * Operations on one topic run one after the other. A missing metadata entry never deletes data: only a tombstone does.
 */
import { internalTopicRefusal, isInternalTopic, newTopicRefusal } from '../cluster/internal-topics.ts';
import type { TopicCatalog } from '../cluster/topic-catalog.ts';
import type { Tombstone, TopicMetadata } from '../cluster/metadata-image.ts';
import { refuse, type CatalogResult, type ConfigChange, type NewTopic } from '../cluster/topic-rules.ts';
import type { BrokerConfig } from '../config/broker-config.ts';
import { effectiveDurability, isSameConfig, resolveTopicConfig, type TopicConfig } from '../config/topic-config.ts';
import { assert } from '../lib/assert.ts';
import type { FromShard, LogStartChange, Replacement } from '../log/messages.ts';
import { segmentPath } from '../log/layout.ts';
import { emptyPartition, partitionKey, type PartitionState } from '../log/partition-state.ts';
import type { KeptSegments } from '../log/retire.ts';
import type { ShardClass } from './early-shards.ts';
import type { IndexCache } from './index-cache.ts';
import type { KeeperPool } from './keeper-pool.ts';
import { Cleaning } from './cleaning.ts';
import { ForgottenTopics } from './forgotten-topics.ts';
import { PartitionOpening } from './partition-opening.ts';
import { PartitionView, type ViewHost } from './partition-view.ts';
import { RetiredSegments } from './retired-segments.ts';
import { partitionConfig, shardClassOf, ShardCalls } from './shard-calls.ts';
import type { ShardLink } from './shard-link.ts';
import type { MutableTopic, Router, Topic } from './router.ts';
import type { SegmentReader } from './segment-reader.ts';

/** What the lifecycle is given to work with. */
export interface TopicLifecycleParts {
  readonly catalog: TopicCatalog;
  readonly broker: BrokerConfig;
  readonly router: Router;
  readonly viewHost: ViewHost;
  readonly reader: SegmentReader;
  readonly indexes: IndexCache;
  readonly jobs: KeeperPool;
  /** For compaction alone. */
  readonly cleaners: KeeperPool;
  /** The shard of the class that owns a partition; starts the class at its first use. */
  readonly getLink: (shardClass: ShardClass, topicId: string, partition: number) => ShardLink;
  /** Starts all shards of a class that do not run yet. Throws if one cannot be started. */
  readonly startShards: (shardClass: ShardClass) => void;
  /** Something went wrong that no client is told of. */
  readonly onProblem: (text: string, error?: unknown) => void;
  /** A topic is gone for good. Resolves once nothing is left of it elsewhere; false: something is, and it has to be said again. */
  readonly onDeleted: (name: string) => Promise<boolean>;
  /** Calls back after a while. */
  readonly later: (delayMs: number, run: () => void) => void;
}

/** See the file header. */
export class TopicLifecycle {
  private readonly parts: TopicLifecycleParts;
  private readonly calls = new ShardCalls();
  private readonly opening: PartitionOpening;
  /** The last operation on each topic, by name; the next one waits for it. */
  private readonly running = new Map<string, Promise<unknown>>();
  private readonly retired: RetiredSegments;
  private readonly cleaning: Cleaning;
  /** Found by {@link openRecovered} for {@link finishDeletions}. */
  private leftovers: KeptSegments[] = [];
  private readonly forgotten: ForgottenTopics;
  private nextHandle = 1;

  constructor(parts: TopicLifecycleParts) {
    this.parts = parts;
    this.retired = new RetiredSegments(parts.reader, parts.jobs, parts.broker.dataDir, parts.broker.poolBytesMax);
    const { dataDir, cleanerKeyBytes: keyBytesMax, cleanerBytesPerSecondMax: bytesPerSecondMax } = parts.broker;
    this.cleaning = new Cleaning(parts.cleaners, this.retired, { dataDir, keyBytesMax, bytesPerSecondMax });
    const { onProblem, later, onDeleted } = parts;
    this.forgotten = new ForgottenTopics({ attempt: onDeleted, onProblem, later });
    this.opening = new PartitionOpening({ calls: this.calls, onProblem, later, inTurn: (name, run) => this.inTurn(name, run) });
  }

  /** Control messages of shards about partitions. Returns false for those that are not about partitions. */
  onControl(message: FromShard): boolean {
    switch (message.kind) {
      case 'rolled': {
        const replaced = this.parts.router
          .view(message.handle)
          ?.onRolled(message.baseOffset, message.capacity, message.previousEndPosition);
        if (replaced != null) {
          this.parts.indexes.forget(replaced);
          this.parts.reader.retire(replaced, () => undefined);
        }
        return true;
      }
      case 'truncated':
        if (message.state !== null) this.onTruncated(message.handle, message.state);
        return this.calls.onReply(message);
      case 'logStartSet':
        this.onLogStartChange(message);
        return this.calls.onReply(message);
      case 'logStartMoved':
        this.onLogStartChange(message);
        return true;
      case 'clean': {
        const view = this.parts.router.view(message.handle);
        assert(view !== undefined, 'a shard plans for partitions that it has');
        void this.cleaning.run(view.link, message.handle, message.plan);
        return true;
      }
      case 'replaced':
        this.onReplaced(message);
        return true;
      case 'released':
        this.retired.onReleased(message.segments);
        return true;
      case 'opened':
      case 'closed':
      case 'configured':
      case 'movedOut':
        return this.calls.onReply(message);
      default:
        return false;
    }
  }

  /**
   * At start, before any traffic: opens every partition of the catalog with the state that recovery found, by {@link partitionKey}, and makes all topics
   * visible. The caller then sends `begin` to the shards and calls {@link finishDeletions}.
   */
  async openRecovered(states: ReadonlyMap<string, PartitionState>): Promise<void> {
    const opened: Promise<unknown>[] = [];
    for (const metadata of this.parts.catalog.topics()) {
      const topic = this.makeTopic(metadata);
      for (let partition = 0; partition < metadata.partitionCount; partition++) {
        const state = states.get(partitionKey(metadata.topicId, partition)) ?? emptyPartition(metadata.topicId, partition);
        const leftovers = RetiredSegments.leftoversOf(state, topic.config.cleanupCompact);
        if (leftovers !== undefined) this.leftovers.push(leftovers);
        opened.push(this.open(topic, state, true));
      }
      this.parts.router.addTopic(topic);
    }
    await Promise.all(opened);
  }

  /** At start, before anybody can create a topic of the same name: tells once more which topics are gone, for all that the life before has not finished. */
  forgetDeleted(): void {
    const { catalog } = this.parts;
    for (const { name } of catalog.tombstones()) if (catalog.topicByName(name) === undefined) void this.forgotten.forget(name);
  }

  /** Goes on with deletions of topics and records that an earlier life began. Does not wait for them. */
  finishDeletions(): void {
    this.retired.giveAwayLeftovers(this.leftovers);
    this.leftovers = [];
    const { catalog } = this.parts;
    for (const tombstone of catalog.tombstones()) {
      // The name is another's, who got it after this one was forgotten.
      const isTaken = catalog.topicByName(tombstone.name) !== undefined;
      void this.removeFiles(tombstone, isTaken ? Promise.resolve() : this.forgotten.forget(tombstone.name));
    }
  }

  /** Creates a topic for a client; answered once it is durable and open. Rejects with MetadataStoreError. */
  async createTopic(topic: NewTopic, options: { validateOnly?: boolean } = {}): Promise<CatalogResult<TopicMetadata>> {
    const refusal = newTopicRefusal(topic.name);
    if (refusal !== undefined) return refusal;
    if (options.validateOnly === true) return this.parts.catalog.createTopic(topic, options);
    return this.create(topic);
  }

  /** Creates a topic of the broker's own, or joins a creation under way; otherwise like {@link createTopic}. */
  async createInternalTopic(topic: NewTopic): Promise<CatalogResult<TopicMetadata>> {
    assert(isInternalTopic(topic.name), 'a topic of the broker has a name of the broker');
    return this.orExisting(topic.name, await this.create(topic));
  }

  private async create(topic: NewTopic): Promise<CatalogResult<TopicMetadata>> {
    for (;;) {
      // Waited for without the turn: everybody waits for the same attempt, and not one after the other.
      if (this.forgotten.isOwed(topic.name) && !(await this.forgotten.isForgotten(topic.name)))
        return refuse('KAFKA_STORAGE_ERROR', stillCommitted(topic.name));
      const result = await this.createInTurn(topic);
      if (result !== null) return result;
    }
  }

  /** Null: another topic of the name was deleted while this one waited for its turn, and is not forgotten yet. */
  private createInTurn(topic: NewTopic): Promise<CatalogResult<TopicMetadata> | null> {
    return this.inTurn(topic.name, async () => {
      if (this.forgotten.isOwed(topic.name)) return null;
      // A thread that cannot be started is no reason for a topic that is there and belongs to nobody.
      this.parts.startShards(classOfNew(topic, this.parts.broker));
      const result = await this.parts.catalog.createTopic(topic);
      if (result.ok) await this.openNew(result.value);
      return result;
    });
  }

  /** Creates a topic with the broker's defaults, or joins a creation under way. */
  async autoCreateTopic(name: string): Promise<CatalogResult<TopicMetadata>> {
    return this.orExisting(name, await this.createTopic({ name, partitions: -1, replicationFactor: -1, configs: {} }));
  }

  private orExisting(name: string, result: CatalogResult<TopicMetadata>): CatalogResult<TopicMetadata> {
    if (result.ok || result.error !== 'TOPIC_ALREADY_EXISTS') return result;
    const existing = this.parts.catalog.topicByName(name);
    return existing === undefined ? result : { ok: true, value: existing };
  }

  /** Deletes a topic; answered once nobody can see it any more and nothing can bring it back. Its files go in the background. */
  async deleteTopic(which: { readonly name: string } | { readonly topicId: string }): Promise<CatalogResult<TopicMetadata>> {
    const known = 'name' in which ? this.parts.catalog.topicByName(which.name) : this.parts.catalog.topicById(which.topicId);
    const refusal = known === undefined ? undefined : internalTopicRefusal(known.name, 'deleted');
    if (refusal !== undefined) return refusal;
    return this.inTurn(known?.name ?? ('name' in which ? which.name : ''), async () => {
      const result = await this.parts.catalog.deleteTopic(which);
      if (!result.ok) return result;
      const { topic: metadata, tombstone } = result.value;
      const topic = this.parts.router.topicById(metadata.topicId) as MutableTopic | undefined;
      if (topic !== undefined) this.hide(topic);
      const forgotten = this.forgotten.forget(metadata.name);
      if (topic === undefined) void this.removeFiles(tombstone, forgotten);
      else void this.closeAndRemove(topic, tombstone, forgotten);
      return { ok: true, value: metadata };
    });
  }

  /** Gives a topic more partitions, `count` in all; answered once that is durable and they are open. */
  async createPartitions(name: string, count: number, options: { validateOnly?: boolean } = {}): Promise<CatalogResult<TopicMetadata>> {
    // Which partition holds what of a group follows from their number.
    const refusal = internalTopicRefusal(name, 'given more partitions');
    if (refusal !== undefined) return refusal;
    if (options.validateOnly === true) return this.parts.catalog.createPartitions(name, count, options);
    return this.inTurn(name, async () => {
      const topic = this.parts.router.topicByName(name) as MutableTopic | undefined;
      if (topic !== undefined) this.parts.startShards(shardClassOf(topic.config));
      const result = await this.parts.catalog.createPartitions(name, count);
      if (!result.ok || topic === undefined) return result;
      // Nobody sees them before all are open: a client that writes by key must not find a count that changes step by step.
      const views: PartitionView[] = [];
      for (let partition = topic.partitions.length; partition < result.value.partitionCount; partition++)
        views.push(this.makeView(topic, emptyPartition(topic.id, partition)));
      await Promise.all(views.map((view) => this.opening.open(view, emptyPartition(topic.id, view.partition), false)));
      for (const view of views) topic.partitions.push(view);
      return result;
    });
  }

  /** Changes settings of a topic; answered once they are in force, moves between shards included. */
  alterTopicConfigs(
    name: string,
    changes: readonly ConfigChange[],
    options: { validateOnly?: boolean } = {},
  ): Promise<CatalogResult<TopicMetadata>> {
    return this.alter(name, options, (catalog) => catalog.alterTopicConfigs(name, changes, options));
  }

  /** Gives a topic exactly these settings; otherwise like {@link alterTopicConfigs}. */
  replaceTopicConfigs(
    name: string,
    configs: Readonly<Record<string, string>>,
    options: { validateOnly?: boolean } = {},
  ): Promise<CatalogResult<TopicMetadata>> {
    return this.alter(name, options, (catalog) => catalog.replaceTopicConfigs(name, configs, options));
  }

  private alter(
    name: string,
    { validateOnly = false }: { validateOnly?: boolean },
    change: (catalog: TopicCatalog) => Promise<CatalogResult<TopicMetadata>>,
  ): Promise<CatalogResult<TopicMetadata>> {
    if (validateOnly) return change(this.parts.catalog);
    return this.inTurn(name, async () => {
      const result = await change(this.parts.catalog);
      if (!result.ok) return result;
      const topic = this.parts.router.topicByName(name) as MutableTopic | undefined;
      const problem =
        topic === undefined ? null : await this.applyConfig(topic, resolveTopicConfig(result.value.configs, this.parts.broker));
      return problem === null ? result : refuse('KAFKA_STORAGE_ERROR', problem);
    });
  }

  /**
   * Puts the broker's settings in force for topics that have none of their own; resolves when it is done, moves between shards included, with the first thing
   * that went wrong, or null.
   */
  async applyDefaults(): Promise<string | null> {
    const problems = await Promise.all(
      [...this.parts.catalog.topics()].map(({ name }) => this.inTurn(name, () => this.applyDefaultsTo(name))),
    );
    return problems.find((problem) => problem !== null) ?? null;
  }

  private async applyDefaultsTo(name: string): Promise<string | null> {
    const metadata = this.parts.catalog.topicByName(name);
    const topic = this.parts.router.topicByName(name) as MutableTopic | undefined;
    if (metadata === undefined || topic === undefined) return null;
    const config = resolveTopicConfig(metadata.configs, this.parts.broker);
    return isSameConfig(config, topic.config) ? null : this.applyConfig(topic, config);
  }

  /** Cuts a partition's log so that `endOffset` is its next offset (replication). Rejects when the shard refuses. */
  async truncate(view: PartitionView, endOffset: number): Promise<void> {
    const reply = await this.calls.call(view.link, { kind: 'truncate', handle: view.handle, endOffset });
    if (reply.error !== null) throw new Error(reply.error);
  }

  /** Deletes the records below `offset`, which is at most the watermark; resolves once that is durable, with the log start, or with why it is not. */
  async setLogStart(view: PartitionView, offset: number): Promise<Pick<LogStartChange, 'logStartOffset' | 'error'>> {
    await new Promise<void>((resolve) => view.onceOnline(resolve));
    return this.calls.call(view.link, { kind: 'setLogStart', handle: view.handle, offset });
  }

  private async inTurn<T>(name: string, run: () => Promise<T>): Promise<T> {
    const before = this.running.get(name);
    const turn = before === undefined ? run() : before.then(run, run);
    this.running.set(name, turn);
    try {
      return await turn;
    } finally {
      if (this.running.get(name) === turn) this.running.delete(name);
    }
  }

  private makeTopic(metadata: TopicMetadata): MutableTopic {
    const config = resolveTopicConfig(metadata.configs, this.parts.broker);
    const { name, topicId: id } = metadata;
    return { name, id, config, partitions: [], internal: isInternalTopic(name), deleted: false };
  }

  private async openNew(metadata: TopicMetadata): Promise<void> {
    const topic = this.makeTopic(metadata);
    const opened: Promise<unknown>[] = [];
    for (let partition = 0; partition < metadata.partitionCount; partition++) {
      opened.push(this.open(topic, emptyPartition(metadata.topicId, partition), false));
    }
    await Promise.all(opened);
    this.parts.router.addTopic(topic);
  }

  /** Opens the next partition of a topic in a shard of its class and makes its view online, or offline when the shard refuses. */
  private async open(topic: MutableTopic, state: PartitionState, recovered: boolean): Promise<void> {
    const view = this.makeView(topic, state);
    topic.partitions.push(view);
    await this.opening.open(view, state, recovered);
  }

  private makeView(topic: Topic, state: PartitionState): PartitionView {
    const { router, viewHost, catalog } = this.parts;
    const { partition } = state;
    const handle = this.nextHandle++;
    const link = this.parts.getLink(shardClassOf(topic.config), topic.id, partition);
    const view = new PartitionView(handle, partition, topic, link, catalog.leaderEpoch, topic.config.indexIntervalBytes, viewHost);
    view.loadState(state);
    router.addView(view);
    return view;
  }

  private hide(topic: MutableTopic): void {
    topic.deleted = true;
    this.parts.router.removeTopic(topic);
    for (const view of topic.partitions) view?.becomeState('offline');
  }

  private async closeAndRemove(topic: Topic, tombstone: Tombstone, forgotten: Promise<void>): Promise<void> {
    const closed = topic.partitions.map(async (view) => {
      if (view === undefined) return;
      await this.calls.call(view.link, { kind: 'close', handle: view.handle });
      this.parts.router.removeView(view.handle);
      const segments = view.dropSegments();
      for (const segment of segments) this.parts.indexes.forget(segment);
      await new Promise<void>((resolve) => this.parts.reader.retireAll(segments, resolve));
    });
    try {
      await Promise.all(closed);
    } catch (error) {
      this.parts.onProblem(`the shards did not close deleted topic ${topic.name}; its files stay until the next start`, error);
      return;
    }
    await this.removeFiles(tombstone, forgotten);
  }

  /** The tombstone is what a start goes by: it stays until nothing is left of the topic. */
  private async removeFiles(tombstone: Tombstone, forgotten: Promise<void>): Promise<void> {
    await this.retired.abandon(tombstone.topicId);
    try {
      await this.parts.jobs.submit({
        kind: 'removeTopic',
        dataFolder: this.parts.broker.dataDir,
        topicId: tombstone.topicId,
        poolBytesMax: this.parts.broker.poolBytesMax,
      });
      await forgotten;
      await this.parts.catalog.removeTombstone(tombstone.topicId);
    } catch (error) {
      this.parts.onProblem(
        `files of deleted topic ${tombstone.name} (${tombstone.topicId}) could not be removed; the next start tries again`,
        error,
      );
    }
  }

  /** Puts a new configuration in force. Returns what went wrong, or null. */
  private async applyConfig(topic: MutableTopic, config: TopicConfig): Promise<string | null> {
    topic.config = config;
    const views = topic.partitions.filter((view) => view !== undefined);
    for (const view of views) view.indexIntervalBytes = config.indexIntervalBytes;
    const problems = await Promise.all(views.map((view) => this.applyTo(view, config)));
    return problems.find((problem) => problem !== null) ?? null;
  }

  /** What counts is where the partition is, not what was in force before: an earlier change may have failed half way. */
  private async applyTo(view: PartitionView, config: TopicConfig): Promise<string | null> {
    if (view.link.class !== shardClassOf(config)) return this.move(view, shardClassOf(config));
    await this.calls.call(view.link, { kind: 'configure', handle: view.handle, config: partitionConfig(config) });
    return null;
  }

  /**
   * Moves a partition to a shard of another class. Readers go on; appends wait. The old shard secures everything before it lets go, so what is secured
   * stays a prefix. A crash in between leaves both journals with the whole state, and recovery believes the higher move number.
   */
  private async move(view: PartitionView, shardClass: ShardClass): Promise<string | null> {
    const moveNumber = view.moveNumber + 1;
    // It may have to be started, and that may fail: then the partition has not left yet.
    const link = this.parts.getLink(shardClass, view.topic.id, view.partition);
    assert(link.class === shardClass, 'a link of the class asked for');
    const unopened = this.opening.unopened(view);
    // A partition that no shard took is only sent elsewhere; the number counts all the same: the old shard's checkpoint may name it.
    let state = unopened === undefined ? null : { ...unopened.state, moveNumber };
    if (state === null) {
      view.becomeState('moving');
      const left = await this.calls.call(view.link, { kind: 'moveOut', handle: view.handle, moveNumber });
      if (left.state === null) {
        // It stays where it is; if its shard has failed, that shard refuses its appends.
        view.becomeState('online');
        return left.error ?? 'the partition could not leave its shard';
      }
      state = left.state;
    }
    view.loadState(state);
    view.link = link;
    return this.opening.open(view, state, false);
  }

  private onTruncated(handle: number, state: PartitionState): void {
    const view = this.parts.router.view(handle);
    if (view === undefined) return;
    const before = view.segments.slice();
    view.onTruncated(state);
    const dropped = before.filter((segment) => segment.retired);
    for (const segment of dropped) this.parts.indexes.forget(segment);
    this.parts.reader.retireAll(dropped, () => undefined);
    // Index files of segments that ended elsewhere when they were written.
    const stale = [...dropped, ...view.segments.slice(-1)].map((segment) => this.parts.reader.pathOf(view, segment, 'index'));
    this.parts.jobs
      .submit({ kind: 'removeFiles', paths: stale })
      .catch((error: unknown) => this.parts.jobs.onFailure('removing stale indexes', error));
  }

  private onReplaced({ handle, topicId, partition, segments, replaced, discarded, error }: Replacement): void {
    // Whether the journal has it is not known: files of both stay until the next start knows.
    if (error !== null) return;
    const view = this.parts.router.view(handle);
    const gone = view?.onReplaced(segments, replaced) ?? [];
    for (const segment of gone) this.parts.indexes.forget(segment);
    if (view !== undefined) this.retired.onRetired(view, gone);
    if (discarded.length === 0) return;
    const paths = discarded.map(({ baseOffset, revision }) =>
      segmentPath(this.parts.broker.dataDir, topicId, partition, baseOffset, revision),
    );
    this.parts.jobs
      .submit({ kind: 'removeFiles', paths })
      .catch((failed: unknown) => this.parts.jobs.onFailure('removing what compaction has written in vain', failed));
  }

  private onLogStartChange(message: LogStartChange): void {
    const view = this.parts.router.view(message.handle);
    if (view === undefined || message.error !== null) return;
    const retired = view.onLogStartSet(message.logStartOffset, message.retired);
    for (const segment of retired) this.parts.indexes.forget(segment);
    this.retired.onRetired(view, retired);
  }
}

/** Why a name is not given again yet. */
function stillCommitted(name: string): string {
  return `Offsets that groups have committed for a deleted topic "${name}" are not deleted yet: the disk is full, or the groups cannot be loaded. It is tried again.`;
}

/** The class of the shards that a topic will have, if it is created: what is wrong with its settings is found then. */
function classOfNew({ configs }: NewTopic, broker: BrokerConfig): ShardClass {
  const given = Object.entries(configs).filter((entry): entry is [string, string] => entry[1] !== null);
  return shardClassOf({ durability: effectiveDurability(Object.fromEntries(given), broker) });
}
