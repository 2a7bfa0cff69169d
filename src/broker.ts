/**
 * The composition root: the one place that knows every part. Builds a broker from its settings, in the order in which the parts need each other,
 * and takes it down in the opposite order.
 *
 *   start   settings → data folder (lock) → metadata → what clients changed of the settings → recovery → new generation → shards → partitions open → listener
 *   stop    no new connections → requests that have come are answered → shards finish what they have and write a clean checkpoint → metadata → lock
 */
import { EventEmitter } from 'node:events';
import { StoredBrokerSettings } from './cluster/broker-settings.ts';
import { EmbeddedMetadataStore } from './cluster/embedded-metadata-store.ts';
import { ProducerIds } from './cluster/producer-ids.ts';
import { offsetsTopic } from './cluster/internal-topics.ts';
import { TopicCatalog } from './cluster/topic-catalog.ts';
import type { BrokerConfig } from './config/broker-config.ts';
import { folderSpace, openDataFolder, type DataFolder } from './config/data-folder.ts';
import { formatAddress } from './config/listeners.ts';
import { connectionsWithin, openFilesMax } from './config/open-files.ts';
import { resolveOptions, type BrokerOptions } from './config/options.ts';
import { removeTemporaryFolder } from './config/temporary-folder.ts';
import { resolveTopicConfig } from './config/topic-config.ts';
import { TimerWheel } from './lib/timer-wheel.ts';
import { UserError } from './lib/user-error.ts';
import { beginGeneration, type AssignedPartition, type BegunGeneration } from './log/begin.ts';
import { CountingDisk } from './log/counting-disk.ts';
import type { Disk } from './log/disk.ts';
import { DiskError } from './log/disk.ts';
import { RecoveryError } from './log/generation.ts';
import { NodeDisk } from './log/node-disk.ts';
import type { TopicStatus } from './log/recovery-note.ts';
import { DynamicConfig } from './main/dynamic-config.ts';
import { EarlyShards } from './main/early-shards.ts';
import { GroupCoordinator } from './main/group-coordinator.ts';
import { GroupLags } from './main/group-lags.ts';
import { groupSettingsOf, handleGroups } from './main/group-side.ts';
import { fetchHandler } from './main/handlers/01-fetch.ts';
import { listOffsetsHandler } from './main/handlers/02-list-offsets.ts';
import { metadataHandler } from './main/handlers/03-metadata.ts';
import { createTopicsHandler } from './main/handlers/19-create-topics.ts';
import { deleteTopicsHandler } from './main/handlers/20-delete-topics.ts';
import { deleteRecordsHandler } from './main/handlers/21-delete-records.ts';
import { initProducerIdHandler } from './main/handlers/22-init-producer-id.ts';
import { offsetForLeaderEpochHandler } from './main/handlers/23-offset-for-leader-epoch.ts';
import { describeConfigsHandler } from './main/handlers/32-describe-configs.ts';
import { alterConfigsHandler } from './main/handlers/33-alter-configs.ts';
import { describeLogDirsHandler } from './main/handlers/35-describe-log-dirs.ts';
import { createPartitionsHandler } from './main/handlers/37-create-partitions.ts';
import { incrementalAlterConfigsHandler } from './main/handlers/44-incremental-alter-configs.ts';
import { handleListPartitionReassignments } from './main/handlers/46-list-partition-reassignments.ts';
import { describeClusterHandler } from './main/handlers/60-describe-cluster.ts';
import { listConfigResourcesHandler } from './main/handlers/74-list-config-resources.ts';
import { describeTopicPartitionsHandler } from './main/handlers/75-describe-topic-partitions.ts';
import { Ingress } from './main/ingress.ts';
import { InternalLoads } from './main/internal-loads.ts';
import { InternalTopicLog } from './main/internal-log.ts';
import { BatchOpener, startBatchPiscina } from './main/batch-opener.ts';
import { HttpHost } from './main/http-host.ts';
import { KeeperPool, startCleanerPiscina, startPiscina } from './main/keeper-pool.ts';
import { MetricsPublisher } from './main/metrics-publisher.ts';
import { loadPiscina } from './main/piscina.ts';
import { ReadSide } from './main/read-side.ts';
import { RecordAges } from './main/record-ages.ts';
import { Router } from './main/router.ts';
import { shardClassOf } from './main/shard-calls.ts';
import { ShardSupervisor, type CrashPoint } from './main/shard-supervisor.ts';
import { StartCrew } from './main/start-crew.ts';
import { TopicLifecycle } from './main/topic-lifecycle.ts';
import { ApiKey } from './protocol/api-versions.ts';
import { createOperationCounter, OperationCounter } from './ring/operation-counter.ts';
import { createLogger, type Logger, type RootLogger } from './telemetry/logger.ts';

/** Fetches wait on a wheel that turns this often. */
const TICK_MS = 5;
/** A stop that takes longer is cut short; the next start then recovers. What the last checkpoint has to sync may be all that the page cache holds. */
const STOP_MS_MAX = 60_000;
/** After this what a start has put off is loaded. */
const LOAD_LATER_MS = 500;
/** How long requests that have come may take to be answered when the broker stops. */
const DRAIN_MS_MAX = 1000;

/** What tests may set beside the settings. */
export interface BrokerInternals {
  /** Kills the process before its n-th changing disk operation, counted over all threads. */
  readonly crashAtOperation?: number;
  /** Where those operations are counted: one shared int32. */
  readonly operationCounter?: SharedArrayBuffer;
}

/** What a broker tells its owner; see {@link Broker}. */
export interface BrokerEvents {
  failed: [reason: Error];
}

/** How a broker is run, beside its settings. */
interface RunOptions {
  readonly onLog?: (line: string) => void;
  /** Removed when the broker is down, however that comes. */
  readonly temporaryFolder?: string | undefined;
  /** Threads that were started already; the broker's from now on. */
  readonly early?: EarlyShards;
}

/**
 * A running broker. As many as are wanted may run in one process, each with its own data folder, port and threads. Nothing of the process belongs to them: no
 * signal handlers, no exit codes, no environment.
 *
 * A broker that cannot go on (one of its threads died, say) takes itself down, and with it only its own connections and threads, never the process. Then it
 * emits `failed` with the reason, `closed` resolves with it, and `stop` rejects with it. What it had acknowledged is there at the next start with the same
 * folder.
 */
export class Broker extends EventEmitter<BrokerEvents> {
  /** Those of this process. They share nothing but its limit of open files. */
  private static readonly running = new Set<Broker>();

  /** The settings it runs with; those that clients may change have their present values. */
  readonly config: BrokerConfig;
  /** Resolves once it is down: with undefined after {@link stop}, with the reason when it failed. Never rejects. */
  readonly closed: Promise<Error | undefined>;
  /** Where consumer groups live. */
  readonly offsetsLog: InternalTopicLog;

  private readonly logger: RootLogger;
  private readonly dynamic: DynamicConfig;
  private readonly temporaryFolder: string | undefined;
  private readonly ingress: Ingress;
  private readonly supervisor: ShardSupervisor;
  private readonly jobs: KeeperPool;
  private readonly cleaners: KeeperPool;
  private readonly opener: BatchOpener;
  private readonly catalog: TopicCatalog;
  private readonly store: EmbeddedMetadataStore;
  private readonly folder: DataFolder;
  private readonly reads: ReadSide;
  private readonly loads: InternalLoads;
  private readonly groups: GroupCoordinator;
  private readonly wheel: NodeJS.Timeout;
  private readonly http: HttpHost;
  private readonly metrics: MetricsPublisher;
  private resolveClosed: (reason: Error | undefined) => void = () => undefined;
  private stopping: Promise<void> | null = null;
  private loadLater: NodeJS.Timeout | undefined;

  /**
   * Starts a broker and resolves once it accepts connections. It keeps the process up until {@link stop}.
   *
   * Rejects, with nothing left behind: with a `UserError`, whose message is for a person (settings, data folder, recovery); with the error of the listening
   * socket (`code` EADDRINUSE, say); or with what a thread died of meanwhile.
   */
  static async start(options: BrokerOptions = {}, internals: BrokerInternals = {}): Promise<Broker> {
    const { config, temporaryFolder } = resolveOptions(options);
    return Broker.run(config, { ...(options.onLog === undefined ? {} : { onLog: options.onLog }), temporaryFolder }, internals);
  }

  /** The same with settings that are resolved already. Not for programs that embed a broker. */
  static async run(
    start: BrokerConfig,
    { onLog, temporaryFolder, early: begun }: RunOptions = {},
    internals: BrokerInternals = {},
  ): Promise<Broker> {
    const logger = createLogger({ level: start.logLevel, ...(onLog === undefined ? {} : { destination: { write: onLog } }) });
    const undo: (() => Promise<void> | void)[] = [];
    if (temporaryFolder !== undefined) undo.push(() => removeTemporaryFolder(temporaryFolder));
    try {
      const early = begun ?? new EarlyShards();
      undo.push(() => early.stop());
      early.want(start.shardsSync);
      const folder = await openDataFolder(start.dataDir, {
        nodeId: start.nodeId,
        initialize: (path) => EmbeddedMetadataStore.create(path),
      });
      undo.push(() => folder.close());
      const http = new HttpHost(start, start.values.get('ringlog.http.port')?.origin !== 'default', logger);
      undo.push(() => http.stop());
      // Before recovery, which may take its time: that the broker starts is worth knowing.
      http.start();
      const store = await EmbeddedMetadataStore.open(folder.metaPath);
      undo.push(() => store.close());
      const dynamic = new DynamicConfig({ start, stored: await StoredBrokerSettings.load(store, start.nodeId), logger });
      const config = dynamic.current;
      const catalog = await TopicCatalog.load(store, {
        nodeId: config.nodeId,
        defaultPartitions: config.defaultPartitions,
        onLost: (reason) =>
          logger.error(
            { err: reason },
            'the metadata store failed: topics cannot be created, changed or deleted until the broker is started again',
          ),
      });
      undo.push(() => catalog.close());
      const crashPoint = crashPointOf(internals);
      const generation = await begin(config, catalog, crashPoint, logger);
      if (!generation.recovered.clean) await catalog.bumpUncleanEpoch();
      const broker = new Broker({ dynamic, logger, folder, store, catalog, generation, crashPoint, temporaryFolder, http, early });
      // It takes down all of the above, also when a shard's death has begun that already; why, is known.
      undo.length = 0;
      undo.push(
        () => early.stop(),
        () => broker.stop().catch(() => undefined),
      );
      // A shard that dies now never says what the start waits for.
      const failed = broker.closed.then((reason) => {
        throw reason ?? new Error('stopped while it started');
      });
      await Promise.race([broker.open(generation), failed]);
      return broker;
    } catch (error) {
      for (const step of undo.reverse()) {
        try {
          await step();
        } catch {
          // What is told is why the start failed; what is left has to be given up all the same.
        }
      }
      if (error instanceof RecoveryError || error instanceof DiskError) throw new UserError(error.message, { cause: error });
      throw error;
    }
  }

  /** Open files that each broker of the process may count on. */
  private static openFilesEach(): number {
    return openFilesMax() / Math.max(1, Broker.running.size);
  }

  /** `max.connections`, or less where the system allows few open files, or where the process has many brokers. */
  private static connectionsAllowed({ connectionsMax }: BrokerConfig): number {
    return connectionsWithin(connectionsMax, Broker.openFilesEach());
  }

  private readonly router = new Router();
  private readonly lifecycle: TopicLifecycle;

  private constructor(parts: {
    dynamic: DynamicConfig;
    logger: RootLogger;
    folder: DataFolder;
    store: EmbeddedMetadataStore;
    catalog: TopicCatalog;
    generation: BegunGeneration;
    crashPoint: CrashPoint | null;
    temporaryFolder: string | undefined;
    http: HttpHost;
    early: EarlyShards;
  }) {
    super();
    const { logger, catalog, generation } = parts;
    const config = parts.dynamic.current;
    this.config = config;
    this.dynamic = parts.dynamic;
    this.logger = logger;
    this.temporaryFolder = parts.temporaryFolder;
    this.folder = parts.folder;
    this.store = parts.store;
    this.catalog = catalog;
    this.closed = new Promise((resolve) => (this.resolveClosed = resolve));
    const { router } = this;
    this.jobs = new KeeperPool(
      (onLost) => startPiscina({ crashPoint: parts.crashPoint }, onLost),
      (what, error) => logger.error({ err: error }, `background job failed: ${what}`),
      (error) => this.fail(new Error(`the job pool died: ${error instanceof Error ? error.message : String(error)}`)),
    );
    this.cleaners = new KeeperPool(
      (onLost) => startCleanerPiscina({ crashPoint: parts.crashPoint }, config.cleanerThreads, onLost),
      (what, error) => logger.error({ err: error }, `background job failed: ${what}`),
      (error) => this.fail(new Error(`the cleaner pool died: ${error instanceof Error ? error.message : String(error)}`)),
    );
    this.opener = new BatchOpener(startBatchPiscina, (error) => logger.error({ err: error }, 'a compressed batch could not be opened'));
    const timers = new TimerWheel(performance.now(), TICK_MS);
    this.wheel = setInterval(() => timers.advance(performance.now()), TICK_MS);
    this.wheel.unref();
    this.reads = new ReadSide({
      dataDir: config.dataDir,
      fetchMemoryBytes: config.fetchMemoryBytes,
      fetchBytesMax: config.fetchBytesMax,
      fetchSessionSlotsMax: config.fetchSessionSlotsMax,
      verify: config.fetchVerify,
      router,
      jobs: this.jobs,
      opener: this.opener,
      timers,
      nowMs: () => performance.now(),
      logger,
    });
    warnOfFewFiles(config, logger);
    const connections = { connectionsMax: connectionsWithin(config.connectionsMax, openFilesMax() / (Broker.running.size + 1)) };
    this.ingress = new Ingress({ ...config, ...connections }, router, logger, this.opener, () => this.reads.waiting.flush());
    this.http = parts.http;
    const groupLags = new GroupLags({
      groups: () => this.groups.watched(),
      router,
      ages: new RecordAges(this.reads.locator, this.reads.reader),
      rowsMax: config.metricsPartitionsMax,
      date: () => Date.now(),
      tell: (message) => parts.http.tell(message),
    });
    this.metrics = new MetricsPublisher({
      ...{ http: parts.http, ingress: this.ingress, reads: this.reads, jobs: this.jobs, router },
      groups: groupLags,
      partitionsMax: config.metricsPartitionsMax,
    });
    this.supervisor = new ShardSupervisor({
      config,
      generation,
      crashPoint: parts.crashPoint,
      openFilesMax: () => Broker.openFilesEach(),
      ingress: this.ingress,
      jobs: this.jobs,
      early: parts.early,
      onPartitionControl: (message) => this.lifecycle.onControl(message),
      onStarted: (shard, link, metrics) => this.metrics.onShardStarted(shard, link, metrics),
      onFailed: (shard, reason) => {
        this.metrics.onShardFailed(shard, reason);
        logger.error({ shard, reason }, 'a disk sync failed: appends of this shard are refused until the broker is started again');
      },
      onRefusing: (shard, reason) =>
        logger.warn(
          { shard, reason },
          'the disk takes no records: producers are refused and try again, and go on by themselves once it does',
        ),
      onUnsecured: (shard, ranges) => {
        for (const { handle, from } of ranges) router.view(handle)?.onUnsecured(from);
        logger.error(
          { shard, partitions: ranges.length },
          'a sync of segments failed: their last records may not be on disk and are not served until the broker is started again',
        );
      },
      onDeath: (shard, reason) => this.fail(new Error(`shard ${shard} died: ${reason}`)),
      onFewHelpers: (shard, error) =>
        logger.warn({ shard, err: error }, 'the system allows no more threads: a shard does without some that would help with its syncs'),
    });
    this.lifecycle = new TopicLifecycle({
      catalog,
      broker: config,
      router,
      viewHost: this.reads,
      reader: this.reads.reader,
      indexes: this.reads.indexes,
      jobs: this.jobs,
      cleaners: this.cleaners,
      getLink: (shardClass, topicId, partition) => this.supervisor.linkOf(shardClass, topicId, partition),
      startShards: (shardClass) => this.supervisor.startClass(shardClass),
      onProblem: (text, error) => logger.error({ err: error }, text),
      onDeleted: (name) => this.groups.onTopicDeleted(name),
      later: (delayMs, run) => void timers.schedule(performance.now(), delayMs, run),
    });
    this.loads = new InternalLoads(
      this.reads.reader,
      ({ topic, partition }, offset, problem, error) =>
        logger.error({ topic: topic.name, partition, offset, err: error }, `an internal partition could not be loaded whole: ${problem}`),
      config.offsetsTopicSkipsDamage,
    );
    this.offsetsLog = new InternalTopicLog(offsetsTopic(config), {
      router,
      lifecycle: this.lifecycle,
      appends: this.ingress.own,
      loads: this.loads,
      onProblem: (text, error) => logger.error({ err: error }, text),
    });
    this.groups = new GroupCoordinator({
      log: this.offsetsLog,
      settings: groupSettingsOf(config),
      memoryBytes: config.groupsMemoryBytes,
      retentionCheckMs: config.offsetsRetentionCheckIntervalMs,
      timers,
      nowMs: () => performance.now(),
      date: () => Date.now(),
      onProblem: (text, details) => logger.warn(details, text),
    });
    this.dynamic.apply = (_before, after) => this.applySettings(after);
    this.registerHandlers();
    Broker.running.add(this);
  }

  /** Where clients reach it, `host:port` as bound: what a client takes as its bootstrap server. */
  get address(): string {
    return formatAddress(this.ingress.listener.address);
  }

  /** Where metrics and health are, `http://host:port`; null: nowhere. */
  get httpAddress(): string | null {
    const { port } = this.http;
    return port === null ? null : `http://${formatAddress({ host: this.config.httpHost, port })}`;
  }

  /**
   * Stops cleanly: what was submitted is finished, a final checkpoint is written, connections are closed. Once it resolves no thread, socket or file is left,
   * and the folder of a temporary broker is gone. May be called again; rejects when the broker failed before or meanwhile, with the reason.
   */
  stop(): Promise<void> {
    if (this.stopping === null) {
      this.http.tell({ kind: 'state', state: 'stopping', reason: null });
      this.stopping = this.end(undefined);
    }
    return this.stopping;
  }

  private registerHandlers(): void {
    const { ingress, router, lifecycle, catalog, config: broker, dynamic, reads } = this;
    const { clusterId, path: dataDir } = this.folder;
    ingress.handle(ApiKey.FETCH, fetchHandler(reads.fetch));
    ingress.handle(ApiKey.LIST_OFFSETS, listOffsetsHandler(router, reads.timestamps));
    ingress.handle(ApiKey.METADATA, metadataHandler({ router, lifecycle, broker, clusterId }));
    ingress.handle(ApiKey.CREATE_TOPICS, createTopicsHandler({ lifecycle, broker }));
    ingress.handle(ApiKey.DELETE_TOPICS, deleteTopicsHandler(lifecycle));
    ingress.handle(ApiKey.DELETE_RECORDS, deleteRecordsHandler({ router, lifecycle }));
    ingress.handle(
      ApiKey.INIT_PRODUCER_ID,
      initProducerIdHandler(new ProducerIds(this.store), (text, error) => this.logger.error({ err: error }, text)),
    );
    ingress.handle(ApiKey.OFFSET_FOR_LEADER_EPOCH, offsetForLeaderEpochHandler(router));
    ingress.handle(ApiKey.DESCRIBE_CONFIGS, describeConfigsHandler({ catalog, dynamic }));
    ingress.handle(ApiKey.ALTER_CONFIGS, alterConfigsHandler({ lifecycle, dynamic }));
    ingress.handle(ApiKey.DESCRIBE_LOG_DIRS, describeLogDirsHandler({ router, dataDir, space: () => folderSpace(dataDir) }));
    ingress.handle(ApiKey.CREATE_PARTITIONS, createPartitionsHandler({ router, lifecycle, nodeId: broker.nodeId }));
    ingress.handle(ApiKey.INCREMENTAL_ALTER_CONFIGS, incrementalAlterConfigsHandler({ lifecycle, dynamic }));
    ingress.handle(ApiKey.LIST_PARTITION_REASSIGNMENTS, handleListPartitionReassignments);
    ingress.handle(ApiKey.DESCRIBE_CLUSTER, describeClusterHandler({ broker, clusterId }));
    ingress.handle(ApiKey.LIST_CONFIG_RESOURCES, listConfigResourcesHandler(router, broker));
    ingress.handle(ApiKey.DESCRIBE_TOPIC_PARTITIONS, describeTopicPartitionsHandler(router, broker.nodeId));
    handleGroups({ ingress, coordinator: this.groups, router, broker });
  }

  /** Starts the shards, opens what was recovered, listens. */
  private async open(generation: BegunGeneration): Promise<void> {
    for (const note of generation.recovered.notes) this.logger.warn({ kind: note.kind }, note.text);
    const { replayedGroups, rewrittenBytes, clean } = generation.recovered;
    if (!clean) this.logger.info({ replayedGroups, rewrittenBytes }, 'recovered after an unclean stop');
    this.supervisor.startRecovered();
    await this.lifecycle.openRecovered(generation.recovered.partitions);
    await this.supervisor.begin();
    this.groups.start();
    this.lifecycle.forgetDeleted();
    this.shareOpenFiles();
    // Who cannot have the port that was asked for serves nobody.
    if (this.http.mayRefuse) await this.http.whenListening();
    await this.ingress.listener.start();
    this.http.tell({ kind: 'state', state: 'running', reason: null });
    this.lifecycle.finishDeletions();
    await this.http.whenListening();
    // What is not needed to serve the first clients comes behind them.
    this.loadLater = setTimeout(() => {
      this.logger.load();
      this.loadJobs();
    }, LOAD_LATER_MS);
    this.loadLater.unref();
  }

  /** Ahead of the first job: by then there may be no descriptor left to read the library with. */
  private loadJobs(): void {
    try {
      loadPiscina();
    } catch (error) {
      this.logger.warn({ err: error }, 'the library of the job threads cannot be loaded now; the first job tries again');
    }
  }

  private fail(error: Error): void {
    if (this.stopping !== null) return;
    this.logger.fatal({ err: error }, 'the broker fails');
    this.http.tell({ kind: 'state', state: 'failed', reason: error.message });
    this.stopping = this.end(error);
    // Whoever never calls stop is told by the event.
    this.stopping.catch(() => undefined);
  }

  /** Takes everything down, for `failure` or because somebody wants it, and tells the end of it. */
  private async end(failure: Error | undefined): Promise<void> {
    let reason = failure;
    clearTimeout(this.loadLater);
    try {
      // A failed broker has nothing more to say.
      if (failure === undefined) await this.ingress.listener.drain(DRAIN_MS_MAX);
      await this.takeDown();
    } catch (error) {
      reason ??= error instanceof Error ? error : new Error(String(error));
    }
    Broker.running.delete(this);
    this.shareOpenFiles();
    this.resolveClosed(reason);
    if (reason === undefined) return;
    // What a listener throws is not for whoever waits for the end.
    process.nextTick(() => this.emit('failed', reason));
    throw reason;
  }

  /** Puts in force what a client changed. Resolves with what went wrong, or null. */
  private applySettings(after: BrokerConfig): Promise<string | null> {
    warnOfFewFiles(after, this.logger);
    this.limitConnections(after);
    this.supervisor.configure(after);
    return this.lifecycle.applyDefaults();
  }

  private limitConnections(config: BrokerConfig): void {
    this.ingress.listener.limit({ ...config, connectionsMax: Broker.connectionsAllowed(config) });
  }

  /** This broker came or went: the others make room, or have more. Segments that their shards have open stay open: only connections change. */
  private shareOpenFiles(): void {
    for (const broker of Broker.running) {
      if (broker === this) continue;
      broker.limitConnections(broker.config);
      const fields = { brokers: Broker.running.size, connections: Broker.connectionsAllowed(broker.config) };
      // Who runs many in one process does so in tests, and hardly wants as many clients for each.
      broker.logger.debug(fields, 'the open files of the process are shared with its other brokers');
    }
  }

  /** Takes down one part after the other; one that cannot be is no reason to leave the rest. Rejects with the first thing that went wrong. */
  private async takeDown(): Promise<void> {
    this.ingress.listener.stopAccepting();
    const { temporaryFolder } = this;
    // What they write is nobody's yet: it need not come to an end.
    const cleanersClosed = this.cleaners.close();
    cleanersClosed.catch(() => undefined);
    const steps: readonly (() => Promise<unknown> | void)[] = [
      () => this.groups.stop(),
      () => this.stopShards(),
      () => clearInterval(this.wheel),
      () => this.metrics.stop(),
      () => this.ingress.own.stop(),
      () => this.loads.stop(),
      () => this.ingress.stop(),
      () => Promise.all([cleanersClosed, this.jobs.close(), this.opener.close()]),
      () => this.reads.reader.closeAll(),
      () => this.catalog.close(),
      () => this.store.close(),
      () => this.http.stop(),
      () => this.folder.close(),
      () => (temporaryFolder === undefined ? undefined : removeTemporaryFolder(temporaryFolder)),
    ];
    const failures: unknown[] = [];
    for (const step of steps) {
      try {
        await step();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  private async stopShards(): Promise<void> {
    const reasons = await this.supervisor.stop(STOP_MS_MAX);
    if (reasons.length > 0) this.logger.warn({ reasons }, 'the shards did not stop cleanly: the next start recovers');
  }
}

function warnOfFewFiles({ connectionsMax }: BrokerConfig, logger: Logger): void {
  const openFiles = openFilesMax();
  const connections = connectionsWithin(connectionsMax, openFiles);
  if (connections === connectionsMax) return;
  logger.warn(
    { openFiles, connections, 'max.connections': connectionsMax },
    'the system allows few open files (ulimit -n): fewer connections than max.connections are taken',
  );
}

function crashPointOf(internals: BrokerInternals): CrashPoint | null {
  const { crashAtOperation: at, operationCounter: counter = createOperationCounter() } = internals;
  return at === undefined ? null : { counter, at };
}

async function begin(config: BrokerConfig, catalog: TopicCatalog, crashPoint: CrashPoint | null, logger: Logger): Promise<BegunGeneration> {
  const tombstones = new Set([...catalog.tombstones()].map((tombstone) => tombstone.topicId));
  const status: TopicStatus = (topicId) =>
    catalog.topicById(topicId) !== undefined ? 'known' : tombstones.has(topicId) ? 'deleted' : 'unknown';
  const partitions: AssignedPartition[] = [];
  for (const topic of catalog.topics()) {
    const shardClass = shardClassOf(resolveTopicConfig(topic.configs, config));
    for (let partition = 0; partition < topic.partitionCount; partition++)
      partitions.push({ topicId: topic.topicId, partition, shard: ShardSupervisor.nameOf(config, shardClass, topic.topicId, partition) });
  }
  const always = Array.from({ length: config.shardsSync }, (_, index) => `sync-${index}`);
  const crew = new StartCrew((reason) => logger.warn({ reason }, 'a thread that helps to sync what recovery has rewritten is missing'));
  let disk: Disk = new NodeDisk(crew.sync);
  if (crashPoint !== null) {
    const counter = new OperationCounter(crashPoint.counter);
    disk = new CountingDisk(disk, () => counter.next(), crashPoint.at);
  }
  try {
    const generation = beginGeneration(disk, config.dataDir, status, partitions, always, config.journalBytesMax);
    logger.debug({ generation: generation.name }, 'generation begun');
    return generation;
  } finally {
    await crew.stop();
  }
}
