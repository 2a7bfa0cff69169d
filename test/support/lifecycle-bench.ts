/** A topic lifecycle over a real catalog, with shards that a test plays. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { MemoryMetadataStore } from '../../src/cluster/memory-metadata-store.ts';
import { TopicCatalog } from '../../src/cluster/topic-catalog.ts';
import { StoredBrokerSettings } from '../../src/cluster/broker-settings.ts';
import { resolveBrokerConfig, type BrokerConfig } from '../../src/config/broker-config.ts';
import { DynamicConfig } from '../../src/main/dynamic-config.ts';
import type { Job } from '../../src/jobs/job.ts';
import { runJob } from '../../src/jobs/run-job.ts';
import { TimerWheel } from '../../src/lib/timer-wheel.ts';
import type { FromShard, ToShard } from '../../src/log/messages.ts';
import { NodeDisk } from '../../src/log/node-disk.ts';
import type { PartitionConfig, PartitionState } from '../../src/log/partition-state.ts';
import type { ShardClass } from '../../src/main/early-shards.ts';
import { KeeperPool } from '../../src/main/keeper-pool.ts';
import { ReadSide } from '../../src/main/read-side.ts';
import { Router } from '../../src/main/router.ts';
import { openerInPlace } from './opener.ts';
import type { ShardLink } from '../../src/main/shard-link.ts';
import { TopicLifecycle } from '../../src/main/topic-lifecycle.ts';

/** A shard that answers as the real one does, one message per turn, in order; or not at all while it is held. */
export class FakeShard {
  readonly class: ShardClass;
  readonly received: ToShard[] = [];
  readonly open = new Map<number, { state: PartitionState; config: PartitionConfig }>();
  /** Refuses to open, or to hand on, with this. */
  failure: string | null = null;
  held = false;
  private readonly bench: LifecycleBench;
  private readonly waiting: ToShard[] = [];

  constructor(shardClass: ShardClass, bench: LifecycleBench) {
    this.class = shardClass;
    this.bench = bench;
  }

  control(message: ToShard): void {
    this.received.push(message);
    this.waiting.push(message);
    setImmediate(() => this.step());
  }

  release(): void {
    this.held = false;
    while (this.waiting.length > 0) this.step();
  }

  private step(): void {
    if (this.held) return;
    const message = this.waiting.shift();
    if (message === undefined) return;
    const reply = this.answer(message);
    if (reply !== null && !this.bench.lifecycle.onControl(reply)) throw new Error(`nobody wanted ${reply.kind}`);
  }

  private answer(message: ToShard): FromShard | null {
    switch (message.kind) {
      case 'open': {
        const { handle, state, config } = message;
        if (this.failure === null) this.open.set(handle, { state: structuredClone(state), config });
        return { kind: 'opened', handle, error: this.failure };
      }
      case 'close': {
        const state = this.open.get(message.handle)?.state ?? null;
        this.open.delete(message.handle);
        return { kind: 'closed', handle: message.handle, state };
      }
      case 'configure':
        if (this.open.has(message.handle)) this.open.get(message.handle)!.config = message.config;
        return { kind: 'configured', handle: message.handle };
      case 'moveOut': {
        if (this.failure !== null) return { kind: 'movedOut', handle: message.handle, state: null, error: this.failure };
        const { state } = this.open.get(message.handle)!;
        this.open.delete(message.handle);
        state.moveNumber = message.moveNumber;
        return { kind: 'movedOut', handle: message.handle, state, error: null };
      }
      case 'cleaned':
        // Its answer is the test's.
        return null;
      case 'setLogStart': {
        const { handle, offset } = message;
        const partition = this.open.get(handle);
        const error = this.failure ?? (partition === undefined ? `no partition with handle ${handle}` : null);
        const logStartOffset = Math.max(offset, partition?.state.logStartOffset ?? -1);
        if (partition !== undefined && error === null) partition.state.logStartOffset = logStartOffset;
        return { kind: 'logStartSet', handle, logStartOffset, retired: [], error };
      }
      default:
        throw new Error(`unexpected ${message.kind}`);
    }
  }
}

export class LifecycleBench {
  readonly dataDir = fs.mkdtempSync(path.join(os.tmpdir(), 'ringlog-topics-'));
  /** Settings as they are now, once there is {@link dynamic}. */
  config: BrokerConfig = resolveBrokerConfig({ dataDir: this.dataDir });
  readonly logger = { level: 'info', warn: (fields: object): void => void this.problems.push(JSON.stringify(fields)) };
  readonly store: MemoryMetadataStore;
  readonly router = new Router();
  readonly shards = { sync: new FakeShard('sync', this), buffered: new FakeShard('buffered', this) };
  readonly problems: string[] = [];
  readonly jobsRun: Job[] = [];
  /** Topics that are gone for good, by name. */
  readonly deleted: string[] = [];
  /** Whether nothing is left of deleted topics elsewhere. */
  forgotten = Promise.resolve(true);
  /** What was put off, in order. */
  readonly due: (() => void)[] = [];
  /** By how much, in ms. */
  readonly delays = new Map<() => void, number>();
  /** Starts the shards of a class. */
  onStartShards: (shardClass: ShardClass) => void = (shardClass) => void this.shards[shardClass];
  /** Set to make jobs fail. */
  jobFailure: Error | null = null;
  catalog!: TopicCatalog;
  dynamic!: DynamicConfig;
  reads!: ReadSide;
  lifecycle!: TopicLifecycle;

  private constructor(store: MemoryMetadataStore) {
    this.store = store;
  }

  static async create(store = new MemoryMetadataStore(), states: ReadonlyMap<string, PartitionState> = new Map()): Promise<LifecycleBench> {
    const bench = new LifecycleBench(store);
    const stored = await StoredBrokerSettings.load(store, bench.config.nodeId);
    bench.dynamic = new DynamicConfig({ start: bench.config, stored, logger: bench.logger });
    bench.config = bench.dynamic.current;
    bench.catalog = await TopicCatalog.load(store, { nodeId: bench.config.nodeId, defaultPartitions: 2 });
    const disk = new NodeDisk();
    const run = async (job: Job): Promise<unknown> => {
      bench.jobsRun.push(job);
      if (bench.jobFailure !== null) throw bench.jobFailure;
      return runJob(disk, job, () => undefined);
    };
    const jobs = new KeeperPool(
      async () => ({ run, close: async () => undefined }),
      (what) => bench.problems.push(what),
    );
    const log = (): void => undefined;
    bench.reads = new ReadSide({
      dataDir: bench.dataDir,
      fetchMemoryBytes: 1 << 20,
      fetchBytesMax: 1 << 20,
      fetchSessionSlotsMax: 10,
      verify: 'once',
      router: bench.router,
      jobs,
      opener: openerInPlace(1 << 20, () => bench.problems.push('opening a batch')),
      timers: new TimerWheel(0),
      nowMs: () => 0,
      logger: { debug: log, info: log, warn: log, error: log } as never,
    });
    bench.lifecycle = new TopicLifecycle({
      catalog: bench.catalog,
      broker: bench.config,
      router: bench.router,
      viewHost: bench.reads,
      reader: bench.reads.reader,
      indexes: bench.reads.indexes,
      jobs,
      cleaners: jobs,
      getLink: (shardClass) => bench.shards[shardClass] as unknown as ShardLink,
      startShards: (shardClass) => bench.onStartShards(shardClass),
      onProblem: (text) => bench.problems.push(text),
      onDeleted: (name) => {
        bench.deleted.push(name);
        return bench.forgotten;
      },
      later: (delayMs, run) => {
        bench.due.push(run);
        bench.delays.set(run, delayMs);
      },
    });
    await bench.lifecycle.openRecovered(states);
    return bench;
  }

  /** Runs what was put off by `delayMs`. */
  pass(delayMs: number): void {
    const due = this.due.filter((run) => this.delays.get(run) === delayMs);
    this.due.splice(0, this.due.length, ...this.due.filter((run) => !due.includes(run)));
    for (const run of due) run();
  }

  close(): void {
    this.catalog.close();
    this.reads.reader.closeAll();
    fs.rmSync(this.dataDir, { recursive: true, force: true });
  }
}
