/**
 * Everything between the sockets and the shards, put together: what the composition root makes, and what tests make without threads. Main only.
 *
 *   listener → connection (landing, framing) → dispatcher → handlers
 *                     ▲                            └─ produce → shard links ─┐
 *                     └───────── cycle ◄── completions ◄─────────────────────┘
 */
import { createDoorbell, DoorbellListener } from '../ring/doorbell.ts';
import type { BatchOpener } from './batch-opener.ts';
import { Completions, type ReadableView } from './completions.ts';
import type { Connection, ConnectionHost } from './connection.ts';
import { Cycle } from './cycle.ts';
import { Dispatcher } from './dispatch.ts';
import { ProduceHandler, type ProduceTopics } from './handlers/00-produce.ts';
import { handleApiVersions } from './handlers/18-api-versions.ts';
import { InternalAppends } from './internal-appends.ts';
import { Landing } from './landing.ts';
import { Listener, type ListenerSettings } from './listener.ts';
import type { Logger } from '../telemetry/logger.ts';
import { PendingTable } from './produce.ts';
import { ProduceRefusals } from './produce-refusals.ts';
import { ReceiveRegions, REQUEST_BYTES_MAX, type Grant } from './regions.ts';
import { RequestMetrics } from './request-metrics.ts';
import type { ApiRequest, Handler } from './requests.ts';
import type { PendingProduce } from './produce.ts';
import { ResponseWriter } from './response-writer.ts';
import type { ShardLink } from './shard-link.ts';
import { ApiKey } from '../protocol/api-versions.ts';

/** Memory for batches that main itself writes; untouched, it costs nothing. */
const OWN_BYTES = 8 << 20;

export interface IngressSettings extends ListenerSettings {
  readonly receiveMemoryBytes: number;
  readonly socketRequestBytesMax: number;
}

/** Topics and views by what requests and completions carry; the Router is one. */
export interface IngressRouter extends ProduceTopics {
  view(handle: number): ReadableView | undefined;
}

/** See the file header. */
export class Ingress implements ConnectionHost {
  readonly regions: ReceiveRegions;
  readonly landing = new Landing();
  readonly pending: PendingTable;
  /** What main itself appends. */
  readonly own: InternalAppends;
  readonly links: ShardLink[] = [];
  readonly requestBytesMax: number;
  readonly writer: ResponseWriter;
  readonly listener: Listener;
  readonly cycle: Cycle;
  readonly metrics = new RequestMetrics();
  /** For the shards to ring. */
  readonly doorbell = createDoorbell();
  private readonly dispatcher: Dispatcher;
  private readonly bell: DoorbellListener;

  /** @param opener opens compressed batches @param onDrained called after completions were drained, in the middle of main's turn: waiting fetches are woken there */
  constructor(settings: IngressSettings, router: IngressRouter, logger: Logger, opener: BatchOpener, onDrained: () => void) {
    this.requestBytesMax = Math.min(settings.socketRequestBytesMax, REQUEST_BYTES_MAX);
    this.regions = new ReceiveRegions({
      budgetBytes: settings.receiveMemoryBytes,
      requestBytesMax: this.requestBytesMax,
      ownBytes: OWN_BYTES,
      onRoom: () => this.cycle.schedule(),
    });
    this.pending = new PendingTable(this.regions);
    this.own = new InternalAppends({ memory: this.regions.own, nowMs: () => Date.now(), onDue: () => this.cycle.schedule() });
    const completions = new Completions(this.links, this.pending, this.own, this.metrics, router, onDrained);
    this.cycle = new Cycle(this.links, completions, this.pending, this.regions, this.own, this.metrics);
    const produce = new ProduceHandler(router, this.links, this.regions.bytes, opener);
    const refusals = new ProduceRefusals(this.regions.bytes, (pending, topicSlot) => produce.topicOf(pending, topicSlot));
    this.writer = new ResponseWriter(this.regions.bytes, refusals, this.metrics);
    this.dispatcher = new Dispatcher(produce, this.pending, this.regions, this.metrics, logger);
    this.dispatcher.handlers.set(ApiKey.API_VERSIONS, handleApiVersions);
    this.listener = new Listener(settings, this, logger);
    this.bell = new DoorbellListener(this.doorbell, () => this.cycle.run());
  }

  /** The receive slab, for `workerData`. */
  get memory(): SharedArrayBuffer {
    return this.regions.memory;
  }

  /** Registers the handler of an API. */
  handle(apiKey: number, handler: Handler): void {
    this.dispatcher.handlers.set(apiKey, handler);
  }

  /** Makes a shard known, before any partition of it is. */
  addLink(link: ShardLink): void {
    this.links.push(link);
  }

  /** Takes whatever a shard said before its thread ended; nothing is added any more. */
  hearOut(link: ShardLink): void {
    while (link.completions.available() > 0) this.cycle.run();
  }

  /** Ends all connections and listens to no shard any more. */
  stop(): void {
    this.listener.stop();
    this.bell.stop();
  }

  accept(connection: Connection, bytes: Buffer, start: number, end: number, grant: Grant | null): void {
    this.dispatcher.accept(connection, bytes, start, end, grant);
  }

  start(connection: Connection, entry: PendingProduce | ApiRequest, inLine: ShardLink | null): boolean {
    return this.dispatcher.start(connection, entry, inLine);
  }

  onDirty(connection: Connection): void {
    this.cycle.add(connection);
  }

  onLanded(): void {
    this.cycle.onLanded();
  }

  onClosed(connection: Connection, reason: string): void {
    this.listener.onClosed(connection, reason);
  }

  onRefused(connection: Connection, reason: string, line: string | null): void {
    this.listener.onRefused(connection, reason, line);
  }
}
