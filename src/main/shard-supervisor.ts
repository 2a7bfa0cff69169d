/**
 * Starts and stops the shard workers, decides which one owns a partition, and carries their keeper work to the job pool. Main only.
 *
 * Shards of class `sync` run from the start, those of class `buffered` from the first partition that needs them.
 */
import type { BrokerConfig } from '../config/broker-config.ts';
import type { BegunGeneration } from '../log/begin.ts';
import { generationFolder } from '../log/layout.ts';
import { JobStatus, type FromShard, type KeeperWork } from '../log/messages.ts';
import { RESERVE_BYTES } from '../log/room.ts';
import { createJobResults, JobResults } from '../ring/job-results.ts';
import type { Ingress } from './ingress.ts';
import type { KeeperPool } from './keeper-pool.ts';
import { ShardLink, type ShardClass } from './shard-link.ts';

/** One background sync of much holds up the journal's syncs: 64 MiB cost its p99.9 19 ms, 8 MiB nothing. */
const SYNC_STEP_BYTES = 8 << 20;

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
  readonly ingress: Ingress;
  readonly jobs: KeeperPool;
  /** Told of control messages about partitions; answers whether the message was one. */
  readonly onPartitionControl: (message: FromShard) => boolean;
  /** A sync of this shard failed. */
  readonly onFailed: (shard: string, reason: string) => void;
  /** A worker ended though nobody stopped it. */
  readonly onDeath: (shard: string, reason: string) => void;
}

interface Supervised {
  readonly name: string;
  readonly link: ShardLink;
  readonly results: JobResults;
  /** Settles when the worker said `began`, `stopped` or died. */
  began: Settled<void>;
  stopped: Settled<boolean>;
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

  /** The shard that owns a partition, started if it is the first of its class. */
  linkOf(shardClass: ShardClass, topicId: string, partition: number): ShardLink {
    const name = ShardSupervisor.nameOf(this.parts.config, shardClass, topicId, partition);
    return (this.shards.get(name) ?? this.start(name)).link;
  }

  /** Lets every shard finish what it has; true if all wrote a clean checkpoint within `limitMs`. */
  async stop(limitMs: number): Promise<boolean> {
    this.stopping = true;
    let timer: NodeJS.Timeout | undefined;
    const tooLong = new Promise<false>((resolve) => (timer = setTimeout(() => resolve(false), limitMs)));
    const clean = await Promise.race([this.stopAll(), tooLong]);
    clearTimeout(timer);
    this.isOver = true;
    await Promise.all([...this.shards.values()].map(({ link }) => link.stop()));
    return clean;
  }

  private async stopAll(): Promise<boolean> {
    const told = new Set<Supervised>();
    for (let clean = true; ;) {
      // A change of durability under way may start the first shard of a class meanwhile.
      const fresh = [...this.shards.values()].filter((shard) => !told.has(shard));
      if (fresh.length === 0) return clean;
      for (const shard of fresh) {
        told.add(shard);
        shard.link.control({ kind: 'stop' });
      }
      for (const isClean of await Promise.all(fresh.map((shard) => shard.stopped.promise))) clean &&= isClean;
    }
  }

  private start(name: string): Supervised {
    if (this.isOver) throw new Error('the broker has stopped');
    const { config, generation, crashPoint, ingress } = this.parts;
    const shardClass: ShardClass = name.startsWith('sync') ? 'sync' : 'buffered';
    const jobResults = createJobResults();
    const prepared = generation.folders.get(name);
    const link = ShardLink.start({
      index: this.shards.size,
      class: shardClass,
      onDeath: (reason) => this.onDeath(name, reason),
      data: {
        slab: ingress.memory,
        doorbell: ingress.doorbell,
        jobResults,
        folder: prepared ?? `${generationFolder(config.dataDir, generation.name)}/${name}`,
        generation: generation.number,
        begins: prepared === undefined ? { generation: generation.name, shard: name } : null,
        settings: {
          dataFolder: config.dataDir,
          class: shardClass,
          groupBytesMax: config.groupBytesMax,
          groupBatchesMax: config.groupBatchesMax,
          referenceBytesMin: config.referenceBytesMin,
          journalBytesMax: config.journalBytesMax,
          journalFileBytes: config.journalFileBytes,
          syncStepBytes: SYNC_STEP_BYTES,
          checkpointIntervalBytes: config.checkpointIntervalBytes,
          checkpointIntervalMs: config.checkpointIntervalMs,
          reserveBytes: RESERVE_BYTES,
          spinUs: config.spinUs,
        },
        crashPoint,
      },
    });
    const shard: Supervised = { name, link, results: new JobResults(jobResults), began: new Settled(), stopped: new Settled() };
    link.onControl = (message) => this.onControl(shard, message);
    this.shards.set(name, shard);
    ingress.addLink(link);
    if (this.hasBegun) link.control({ kind: 'begin' });
    return shard;
  }

  private onControl(shard: Supervised, message: FromShard): void {
    if (this.parts.onPartitionControl(message)) return;
    switch (message.kind) {
      case 'began':
        return shard.began.resolve();
      case 'stopped':
        return shard.stopped.resolve(message.clean);
      case 'failed':
        return this.parts.onFailed(shard.name, message.reason);
      case 'job':
        void this.runJob(shard, message.job, message.work);
        return;
      default:
        throw new Error(`unexpected control message ${message.kind} of shard ${shard.name}`);
    }
  }

  private async runJob(shard: Supervised, job: number, work: KeeperWork): Promise<void> {
    let status: number = JobStatus.failed;
    try {
      status = await this.parts.jobs.submit({ kind: 'keeper', work });
    } catch (error) {
      this.parts.jobs.onFailure(`${work.kind} of shard ${shard.name}`, error);
    }
    shard.results.complete(work.kind, job, status);
  }

  private onDeath(name: string, reason: string): void {
    const shard = this.shards.get(name);
    shard?.stopped.resolve(false);
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
