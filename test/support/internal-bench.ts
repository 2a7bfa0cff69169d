/** Main's own appends in the thread of the test: regions, rings, completions and turns are real, shards are fake, and nothing happens but what a test does. */
import { Completions } from '../../src/main/completions.ts';
import { Cycle } from '../../src/main/cycle.ts';
import { InternalAppends, type AppendTarget, type InternalAppendsOptions } from '../../src/main/internal-appends.ts';
import { PendingTable } from '../../src/main/produce.ts';
import { ReceiveRegions } from '../../src/main/regions.ts';
import { RequestMetrics } from '../../src/main/request-metrics.ts';
import type { ShardLink } from '../../src/main/shard-link.ts';
import type { KeyedRecord } from '../../src/protocol/keyed-batch.ts';
import { FakePartition } from './fake-router.ts';
import { FakeShard, type FakeShardOptions } from './fake-shard.ts';

/** A partition of an internal topic, as appends see it. */
export class FakeTarget extends FakePartition implements AppendTarget {
  readonly topic = { deleted: false, config: { maxMessageBytes: 1 << 20 } };
}

/** An outcome that was told. */
export interface Told {
  readonly name: string;
  readonly errorCode: number;
  readonly baseOffset: number;
}

export interface InternalBenchOptions extends Partial<Pick<InternalAppendsOptions, 'waitingMax' | 'waitingBytesMax'>> {
  /** Bytes for main's own batches. */
  readonly ownBytes?: number;
  readonly shard?: FakeShardOptions;
}

/** See the file header. */
export class InternalBench {
  readonly regions: ReceiveRegions;
  readonly links: ShardLink[] = [];
  readonly shard: FakeShard;
  readonly own: InternalAppends;
  readonly told: Told[] = [];
  nowMs = 1_000;
  private readonly cycle: Cycle;
  private readonly targets: FakeTarget[] = [];

  constructor({ ownBytes = 1 << 20, shard = {}, ...limits }: InternalBenchOptions = {}) {
    this.regions = new ReceiveRegions({ budgetBytes: 4 << 20, requestBytesMax: 1 << 20, ownBytes, onRoom: () => undefined });
    const pending = new PendingTable(this.regions);
    // Turns are the test's to give.
    this.own = new InternalAppends({ memory: this.regions.own, nowMs: () => this.nowMs, onDue: () => undefined, ...limits });
    const metrics = new RequestMetrics();
    const views = { view: (handle: number): FakeTarget | undefined => this.targets[handle] };
    this.cycle = new Cycle(
      this.links,
      new Completions(this.links, pending, this.own, metrics, views, () => undefined),
      pending,
      this.regions,
      this.own,
      metrics,
    );
    this.shard = this.addShard(shard);
  }

  addShard(options: FakeShardOptions): FakeShard {
    const shard = new FakeShard(this.regions.memory, { index: this.links.length, ...options });
    shard.record = true;
    this.links.push(shard.link);
    return shard;
  }

  addTarget(shard = this.shard): FakeTarget {
    const target = new FakeTarget(this.targets.length, shard.link);
    this.targets.push(target);
    return target;
  }

  /** Appends one record, or what is given, under a name that its outcome is told with. */
  append(target: FakeTarget, name: string, records: readonly KeyedRecord[] = [{ key: Buffer.from(name), value: Buffer.from('v') }]): void {
    this.own.append(target, records, (errorCode, baseOffset) => void this.told.push({ name, errorCode, baseOffset }));
  }

  /** Main's turn. */
  turn(): void {
    this.cycle.run();
  }

  /** A step of every shard, and main's turn after it. */
  step(max?: number, shard = this.shard): void {
    shard.step(max);
    this.turn();
  }

  /** Names of those that were told, in order. */
  get names(): string[] {
    return this.told.map(({ name }) => name);
  }

  get usedBytes(): number {
    return this.regions.own.capacity - this.regions.own.freeBytes;
  }
}
