/**
 * Starts and stops the shard workers, decides which one owns a partition, and carries their keeper work to the job pool. Main only.
 *
 * Shards of class `sync` run from the start, those of class `buffered` from the first partition that needs them.
 */
import type { BrokerConfig } from '../config/broker-config.ts';
import { segmentsWithin } from '../config/open-files.ts';
import type { BegunGeneration } from '../log/begin.ts';
import { generationFolder } from '../log/layout.ts';
import { JobStatus, type ChangeableSettings, type FromShard, type KeeperWork, type UnsecuredRange } from '../log/messages.ts';
import { RESERVE_BYTES } from '../log/room.ts';
import { createJobResults, JobResults } from '../ring/job-results.ts';
import { createSyncCrew } from '../ring/sync-crew.ts';
import type { Ingress } from './ingress.ts';
import { PoolStartError, type KeeperPool } from './keeper-pool.ts';
import type { EarlyShards, ShardClass } from './early-shards.ts';
import { ShardLink } from './shard-link.ts';
import { SyncHelpers } from './sync-helpers.ts';
import { MetricCells } from '../telemetry/metric-cells.ts';
import { SHARD_METRICS } from '../telemetry/metric-table.ts';

/** One background sync of much holds up the journal's syncs: 64 MiB take tens of ms, 8 MiB 5 to 8, and whoever comes meanwhile waits as long. */
const SYNC_STEP_BYTES = 1 << 20;

/** A group that waits for no sync gains nothing by being large, and its answers leave earlier when it is small. */
const BUFFERED_GROUP_BYTES_MAX = 256 * 1024;
/** The journal of a buffered shard holds no bytes of batches, so its checkpoints need not come as often; each makes the disk busy for a while. */
const BUFFERED_CHECKPOINT_FACTOR = 4;

/** Where the process dies in a crash test. */
export interface CrashPoint {
  readonly counter: SharedArrayBuffer;
  readonly at: number;
}

/** What a supervisor is given to work with. */
export interface ShardSupervisorParts {
  readonly config: BrokerConfig;
  readonly generation: BegunGeneration;
  readonly crashPoint: CrashPoint | null;
  /** How many files the broker may have open. A shard keeps to what it was when it started. */
  readonly openFilesMax: () => number;
  readonly ingress: Ingress;
  readonly jobs: KeeperPool;
  /** Told of control messages about partitions; answers whether the message was one. */
  readonly onPartitionControl: (message: FromShard) => boolean;
  /** A sync of this shard failed. */
  readonly onFailed: (shard: string, reason: string) => void;
  /** Its disk takes nothing for now, most likely because it is full; told at most once a minute. */
  readonly onRefusing: (shard: string, reason: string) => void;
  /** A sync of its segments failed: these offsets must not be served any more. */
  readonly onUnsecured: (shard: string, ranges: readonly UnsecuredRange[]) => void;
  /** A shard begins; its numbers appear in `metrics`. */
  readonly onStarted?: (shard: string, link: ShardLink, metrics: SharedArrayBuffer) => void;
  /** A worker ended though nobody stopped it. */
  readonly onDeath: (shard: string, reason: string) => void;
  /** Not all threads that help a shard with its syncs could be started. */
  readonly onFewHelpers?: (shard: string, error: Error) => void;
  /** Threads that wait for their data. */
  readonly early?: EarlyShards;
  /** Another worker entry, for tests. */
  readonly entry?: URL;
}

interface Supervised {
  readonly name: string;
  readonly link: ShardLink;
  readonly results: JobResults;
  readonly crew: SharedArrayBuffer;
  readonly helpers: SyncHelpers;
  /** Settles when the worker said `began`. */
  began: Settled<void>;
  /** Settles when the worker said `stopped` or died: with why it did not stop cleanly, or null. */
  stopped: Settled<string | null>;
}

/** See the file header. */
export class ShardSupervisor {
  private readonly parts: ShardSupervisorParts;
  private readonly shards = new Map<string, Supervised>();
  private hasBegun = false;
  private stopping = false;
  /** Stopped: nothing starts any more. */
  private isOver = false;

  constructor(parts: ShardSupervisorParts) {
    this.parts = parts;
  }

  /** Name of the shard that owns a partition: the same at every start with the same number of shards, neighbours apart. */
  static nameOf(
    config: Pick<BrokerConfig, 'shardsSync' | 'shardsBuffered'>,
    shardClass: ShardClass,
    topicId: string,
    partition: number,
  ): string {
    const count = shardClass === 'sync' ? config.shardsSync : config.shardsBuffered;
    let hash = 0;
    for (let i = 0; i < topicId.length; i++) hash = (Math.imul(hash, 31) + topicId.charCodeAt(i)) >>> 0;
    return `${shardClass}-${(hash + partition) % count}`;
  }

  /** Starts every shard that the generation began with. */
  startRecovered(): void {
    for (const name of this.parts.generation.folders.keys()) this.start(name);
  }

  /** Tells the shards that every recovered partition is open; resolves once all take traffic. */
  async begin(): Promise<void> {
    this.hasBegun = true;
    const shards = [...this.shards.values()];
    for (const { link } of shards) link.control({ kind: 'begin' });
    await Promise.all(shards.map((shard) => shard.began.promise));
  }

  /** Starts every shard of a class that does not run yet. Throws if one cannot be started. */
  startClass(shardClass: ShardClass): void {
    const { shardsSync, shardsBuffered } = this.parts.config;
    const count = shardClass === 'sync' ? shardsSync : shardsBuffered;
    for (let index = 0; index < count; index++) {
      const name = `${shardClass}-${index}`;
      if (!this.shards.has(name)) this.start(name);
    }
  }

  /** The shard that owns a partition, started if it is the first of its class. */
  linkOf(shardClass: ShardClass, topicId: string, partition: number): ShardLink {
    const name = ShardSupervisor.nameOf(this.parts.config, shardClass, topicId, partition);
    return (this.shards.get(name) ?? this.start(name)).link;
  }

  /** Tells every shard of settings that may change while it runs; those that start later have them anyway. */
  configure({ retentionCheckIntervalMs, producerExpirationMs }: ChangeableSettings): void {
    if (this.stopping) return;
    for (const { link } of this.shards.values()) link.control({ kind: 'settings', retentionCheckIntervalMs, producerExpirationMs });
  }

  /** Lets every shard write its last checkpoint, for at most `limitMs`. Returns what kept which shard from a clean stop; nothing: all are clean. */
  async stop(limitMs: number): Promise<string[]> {
    this.stopping = true;
    let timer: NodeJS.Timeout | undefined;
    const tooLong = new Promise<string>((resolve) => (timer = setTimeout(() => resolve(`not done within ${limitMs} ms`), limitMs)));
    const errors = await this.stopAll(tooLong);
    clearTimeout(timer);
    this.isOver = true;
    const shards = [...this.shards.values()];
    await Promise.all(shards.map(({ link }) => link.stop()));
    await Promise.all(shards.map(({ helpers }) => helpers.stop()));
    return errors;
  }

  private async stopAll(tooLong: Promise<string>): Promise<string[]> {
    const errors: string[] = [];
    const told = new Set<Supervised>();
    for (;;) {
      // A change of durability under way may start the first shard of a class meanwhile.
      const fresh = [...this.shards.values()].filter((shard) => !told.has(shard));
      if (fresh.length === 0) return errors;
      for (const shard of fresh) {
        told.add(shard);
        shard.link.control({ kind: 'stop' });
      }
      const ends = await Promise.all(fresh.map((shard) => Promise.race([shard.stopped.promise, tooLong])));
      ends.forEach((error, index) => void (error === null || errors.push(`${fresh[index]?.name}: ${error}`)));
    }
  }

  private start(name: string): Supervised {
    if (this.isOver) throw new Error('the broker has stopped');
    const { config, generation, crashPoint, ingress } = this.parts;
    const shardClass: ShardClass = name.startsWith('sync') ? 'sync' : 'buffered';
    const isBuffered = shardClass === 'buffered';
    const jobResults = createJobResults();
    const crew = createSyncCrew();
    const metrics = new MetricCells(SHARD_METRICS).memory;
    const prepared = generation.folders.get(name);
    const index = this.shards.size;
    const early = this.parts.early?.take(index, shardClass);
    if (early !== undefined && early.death !== null) throw new Error(`shard ${name} died: ${early.death}`);
    const link = ShardLink.start({
      index,
      class: shardClass,
      ...(early === undefined ? {} : { early }),
      ...(this.parts.entry === undefined ? {} : { entry: this.parts.entry }),
      onDeath: (reason) => this.onShardDeath(name, reason),
      data: {
        slab: ingress.memory,
        doorbell: ingress.doorbell,
        jobResults,
        crew,
        metrics,
        folder: prepared ?? `${generationFolder(config.dataDir, generation.name)}/${name}`,
        generation: generation.number,
        begins: prepared === undefined ? { generation: generation.name, shard: name } : null,
        mustBegin: prepared !== undefined && generation.recovered.partitions.size === 0,
        settings: {
          dataFolder: config.dataDir,
          class: shardClass,
          groupBytesMax: isBuffered ? Math.min(config.groupBytesMax, BUFFERED_GROUP_BYTES_MAX) : config.groupBytesMax,
          groupBatchesMax: config.groupBatchesMax,
          referenceBytesMin: config.referenceBytesMin,
          journalBytesMax: config.journalBytesMax,
          journalFileBytes: config.journalFileBytes,
          syncStepBytes: SYNC_STEP_BYTES,
          checkpointIntervalBytes: config.checkpointIntervalBytes * (isBuffered ? BUFFERED_CHECKPOINT_FACTOR : 1),
          checkpointIntervalMs: config.checkpointIntervalMs,
          reserveBytes: RESERVE_BYTES,
          openSegmentsMax: segmentsWithin(config.openSegmentsMax, this.parts.openFilesMax(), config.shardsSync + config.shardsBuffered),
          retentionCheckIntervalMs: config.retentionCheckIntervalMs,
          cleanerBackoffMs: config.cleanerBackoffMs,
          producerExpirationMs: config.producerExpirationMs,
          producerCheckIntervalMs: config.producerCheckIntervalMs,
          partitionProducersMax: config.partitionProducersMax,
          producersMax: config.producersMax,
          spinUs: config.spinUs,
        },
        crashPoint,
      },
    });
    const shard: Supervised = {
      name,
      link,
      results: new JobResults(jobResults),
      crew,
      helpers: new SyncHelpers(),
      began: new Settled(),
      stopped: new Settled(),
    };
    link.onControl = (message) => this.onControl(shard, message);
    this.shards.set(name, shard);
    ingress.addLink(link);
    this.parts.onStarted?.(name, link, metrics);
    if (this.hasBegun) link.control({ kind: 'begin' });
    return shard;
  }

  private onControl(shard: Supervised, message: FromShard): void {
    if (this.parts.onPartitionControl(message)) return;
    switch (message.kind) {
      case 'began':
        return shard.began.resolve();
      case 'stopped':
        return shard.stopped.resolve(message.error);
      case 'syncHelpWanted':
        return this.startHelpers(shard);
      case 'failed':
        return this.parts.onFailed(shard.name, message.reason);
      case 'refusing':
        return this.parts.onRefusing(shard.name, message.reason);
      case 'unsecured':
        return this.parts.onUnsecured(shard.name, message.ranges);
      case 'job':
        void this.runJob(shard, message.job, message.work);
        return;
      default:
        throw new Error(`unexpected control message ${message.kind} of shard ${shard.name}`);
    }
  }

  private startHelpers({ helpers, crew, name }: Supervised): void {
    const missing = helpers.start(crew, name, (reason) => this.onDeath(name, reason));
    if (missing !== null) this.parts.onFewHelpers?.(name, missing);
  }

  private async runJob(shard: Supervised, job: number, work: KeeperWork): Promise<void> {
    let status: number = JobStatus.failed;
    try {
      status = await this.parts.jobs.submit({ kind: 'keeper', work });
    } catch (error) {
      this.parts.jobs.onFailure(`${work.kind} of shard ${shard.name}`, error);
      // Of a thread that died with it nobody knows what it has done; this one was not begun, and the shard asks again.
      if (error instanceof PoolStartError) status = JobStatus.notDone;
    }
    shard.results.complete(work.kind, job, status);
  }

  /** The end of a thread and the bell reach main by different ways, so the end may be here first; what the shard said before counts all the same. */
  private onShardDeath(name: string, reason: string): void {
    this.parts.ingress.hearOut((this.shards.get(name) as Supervised).link);
    this.onDeath(name, reason);
  }

  /** A shard, or one of its helpers, is gone. */
  private onDeath(name: string, reason: string): void {
    this.shards.get(name)?.stopped.resolve(reason);
    if (!this.stopping) this.parts.onDeath(name, reason);
  }
}

/** A promise that is settled from outside. */
class Settled<T> {
  readonly promise: Promise<T>;
  resolve: (value: T) => void = () => undefined;

  constructor() {
    this.promise = new Promise((resolve) => (this.resolve = resolve));
  }
}
