/**
 * Shows once a second what main knows and does not count in shared memory anyway: levels (memory, connections, rings) and counts that its parts keep for
 * themselves. So the page of metrics costs requests nothing, and asking for it costs main nothing. Main only.
 */
import type { Router } from './router.ts';
import type { GroupLags } from './group-lags.ts';
import type { Ingress } from './ingress.ts';
import type { HttpHost } from './http-host.ts';
import type { KeeperPool } from './keeper-pool.ts';
import type { PartitionView } from './partition-view.ts';
import { ProcessWatch } from './process-watch.ts';
import type { ReadSide } from './read-side.ts';
import { Series, type SeriesKind } from './series.ts';
import type { ShardLink } from './shard-link.ts';
import { MetricCells } from '../telemetry/metric-cells.ts';
import { PARTITION_METRICS, RING_METRICS, type MAIN_METRICS } from '../telemetry/metric-table.ts';

const INTERVAL_MS = 1000;

/** What is shown. */
export interface PublisherParts {
  readonly http: HttpHost;
  readonly ingress: Ingress;
  readonly reads: ReadSide;
  readonly jobs: KeeperPool;
  readonly router: Router;
  /** `ringlog.metrics.partitions.max`. */
  readonly partitionsMax: number;
  readonly groups: GroupLags;
}

const PARTITIONS: SeriesKind<PartitionView> = {
  table: 'partitions',
  metrics: PARTITION_METRICS,
  labels: (view) => [view.topic.name, String(view.partition)],
  write(view, values, at) {
    values[at] = view.logStartOffset;
    values[at + 1] = view.highWatermark;
    values[at + 2] = view.bytes;
  },
};

interface ShownShard {
  readonly link: ShardLink;
  readonly metrics: SharedArrayBuffer;
  readonly ring: MetricCells<typeof RING_METRICS>;
}

/** See the file header. */
export class MetricsPublisher {
  private readonly parts: PublisherParts;
  private readonly watch: ProcessWatch;
  private readonly shards = new Map<string, ShownShard>();
  private readonly partitions: Series<PartitionView>;
  private readonly timer: NodeJS.Timeout;
  private partitionCount = 0;
  private offlineCount = 0;

  constructor(parts: PublisherParts) {
    this.parts = parts;
    this.watch = new ProcessWatch(parts.http.main);
    this.partitions = new Series(PARTITIONS, parts.partitionsMax);
    parts.http.tell({ kind: 'requests', memory: parts.ingress.metrics.cells.memory });
    this.timer = setInterval(() => this.show(), INTERVAL_MS);
    this.timer.unref();
  }

  /** A shard begins. */
  onShardStarted(name: string, link: ShardLink, metrics: SharedArrayBuffer): void {
    const ring = new MetricCells(RING_METRICS);
    this.shards.set(name, { link, metrics, ring });
    this.parts.http.tell({ kind: 'shard', name, metrics, ring: ring.memory, failure: null });
  }

  /** A shard takes no more appends. */
  onShardFailed(name: string, reason: string): void {
    const shard = this.shards.get(name);
    if (shard !== undefined)
      this.parts.http.tell({ kind: 'shard', name, metrics: shard.metrics, ring: shard.ring.memory, failure: reason });
  }

  /** Shows how everything is now. */
  show(): void {
    const { http, groups } = this.parts;
    this.watch.show();
    for (const { link, ring } of this.shards.values()) {
      ring.values[ring.cell('inFlight')] = link.inFlight;
      ring.values[ring.cell('waiting')] = link.line.size;
    }
    const partitions = this.partitions.show(this.views());
    if (partitions !== null) http.tell(partitions);
    // The one part that costs something, where there are many groups; and perhaps there are no pages.
    if (http.port !== null) groups.begin();
    this.showLevels(http.main);
  }

  stop(): void {
    clearInterval(this.timer);
    this.watch.stop();
    this.parts.groups.stop();
  }

  private showLevels(cells: MetricCells<typeof MAIN_METRICS>): void {
    const { ingress, reads, jobs, router, groups } = this.parts;
    const { Empty, PreparingRebalance, CompletingRebalance, Stable, offsets } = groups.counts;
    const { listener, metrics } = ingress;
    const { counters } = listener;
    const levels: Partial<Record<(typeof MAIN_METRICS)[number]['key'], number>> = {
      requestBytes: metrics.bytesIn,
      responseBytes: metrics.bytesOut,
      fetchedBytes: reads.fetch.recordBytes,
      produceFailures: metrics.produceFailures,
      connections: listener.size,
      connectionsAccepted: counters.accepted,
      connectionsClosed: counters.closed,
      connectionsRefused: counters.refused,
      connectionsBad: counters.closedBad,
      connectionsStalled: counters.closedStalled,
      connectionsIdle: counters.closedIdle,
      acceptErrors: counters.acceptErrors,
      receiveMemoryUsed: ingress.regions.usedBytes,
      receiveMemoryWaiting: ingress.regions.waiting,
      fetchMemoryFree: reads.memory.freeBytes,
      fetchMemoryWaiting: reads.memory.waiters,
      fetchesActive: reads.fetch.operations,
      producesFree: ingress.pending.available,
      topics: router.topicCount,
      partitions: this.partitionCount,
      partitionsOffline: this.offlineCount,
      groups: Empty + PreparingRebalance + CompletingRebalance + Stable,
      groupsEmpty: Empty,
      groupsPreparing: PreparingRebalance,
      groupsCompleting: CompletingRebalance,
      groupsStable: Stable,
      groupOffsets: offsets,
      jobsPending: jobs.pending,
      jobs: jobs.ended,
    };
    for (const [key, value] of Object.entries(levels)) cells.values[cells.cell(key as keyof typeof levels)] = value;
  }

  /** All partitions, counted on the way. */
  private *views(): Generator<PartitionView, void, undefined> {
    this.partitionCount = this.offlineCount = 0;
    for (const topic of this.parts.router.topics())
      for (const view of topic.partitions) {
        if (view === undefined) continue;
        this.partitionCount++;
        if (view.state === 'offline') this.offlineCount++;
        yield view;
      }
  }
}
