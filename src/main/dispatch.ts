/**
 * From frames to handlers: parses the header, decides what is refused, and starts requests when their connection says that it is their turn. Main only.
 */
import type { Logger } from '../telemetry/logger.ts';
import { ApiKey, PRODUCE_VERSION_MIN } from '../protocol/api-versions.ts';
import { clientIdOf, HeaderStatus, parseRequestHeader, RequestHeader } from '../protocol/frame.ts';
import { MalformedError } from '../protocol/protocol-errors.ts';
import type { Connection } from './connection.ts';
import { respondUnsupportedVersion } from './handlers/18-api-versions.ts';
import { StartOutcome, type ProduceHandler } from './handlers/00-produce.ts';
import { PendingProduce, type PendingTable } from './produce.ts';
import { isLarge, LargeRequests } from './large-requests.ts';
import type { Grant, ReceiveRegions } from './regions.ts';
import type { RequestMetrics } from './request-metrics.ts';
import { ApiRequest, type Handler, type RequestFailures } from './requests.ts';
import type { ShardLink } from './shard-link.ts';
import { Steps } from './steps.ts';

/** See the file header. */
export class Dispatcher implements RequestFailures {
  /** By API key; Produce has its own way. Filled by the composition root. */
  readonly handlers = new Map<number, Handler>();
  private readonly header = new RequestHeader();
  private readonly produce: ProduceHandler;
  private readonly pending: PendingTable;
  private readonly regions: ReceiveRegions;
  private readonly logger: Logger;
  private readonly metrics: RequestMetrics;
  private readonly steps = new Steps();
  private readonly large = new LargeRequests((request) => this.runInStep(request));

  constructor(produce: ProduceHandler, pending: PendingTable, regions: ReceiveRegions, metrics: RequestMetrics, logger: Logger) {
    this.produce = produce;
    this.pending = pending;
    this.regions = regions;
    this.metrics = metrics;
    this.logger = logger;
  }

  /** A frame came in on `connection`: enqueues its request, or closes the connection. */
  accept(connection: Connection, bytes: Buffer, start: number, end: number, grant: Grant | null): void {
    const header = this.header;
    const status = parseRequestHeader(bytes, start, end, header);
    if (status === HeaderStatus.OK && header.apiKey === ApiKey.PRODUCE && header.apiVersion >= PRODUCE_VERSION_MIN && grant !== null) {
      const pending = this.pending.take(connection, grant);
      pending.correlationId = header.correlationId;
      pending.apiVersion = header.apiVersion;
      pending.bodyStart = header.bodyStart;
      pending.bodyEnd = end;
      pending.arrivedMs = this.metrics.nowMs;
      connection.enqueue(pending);
      return;
    }
    const reason = this.refusal(status);
    if (reason !== null) {
      if (grant !== null) this.regions.release(grant);
      connection.refuse(reason);
      return;
    }
    const clientId = status === HeaderStatus.OK ? clientIdOf(bytes, header) : null;
    const request = new ApiRequest(connection, header, clientId, bytes, end, grant, this.regions, this.steps, this);
    request.unsupported = status !== HeaderStatus.OK;
    request.arrivedMs = this.metrics.nowMs;
    connection.enqueue(request);
  }

  /** Starts a request whose turn it is. False: not now. */
  start(connection: Connection, entry: PendingProduce | ApiRequest, inLine: ShardLink | null): boolean {
    if (entry instanceof PendingProduce) {
      if (this.produce.start(entry, connection, inLine) !== StartOutcome.started) return false;
      entry.startedMs = this.metrics.nowMs;
      // Refused altogether: that is its answer.
      if (entry.done) entry.doneMs = entry.startedMs;
      return true;
    }
    if (isLarge(entry)) this.large.add(entry);
    else this.run(entry);
    return true;
  }

  private refusal(status: HeaderStatus): string | null {
    const { apiKey, apiVersion } = this.header;
    if (status === HeaderStatus.MALFORMED) return 'malformed request header';
    if (status === HeaderStatus.UNKNOWN_API) return `unknown api ${apiKey}`;
    const tooOld = apiKey === ApiKey.PRODUCE && apiVersion < PRODUCE_VERSION_MIN;
    if (tooOld || (status === HeaderStatus.UNSUPPORTED_VERSION && apiKey !== ApiKey.API_VERSIONS))
      return `unsupported version ${apiVersion} of api ${apiKey}`;
    return null;
  }

  /** Even to parse it is work. */
  private runInStep(request: ApiRequest): void {
    this.steps.add(() => {
      if (request.connection.open) this.run(request);
    });
  }

  private run(request: ApiRequest): void {
    request.started = true;
    request.startedMs = this.metrics.nowMs;
    if (request.unsupported) {
      respondUnsupportedVersion(request);
      request.becomeSettled();
      return;
    }
    const handler = this.handlers.get(request.apiKey);
    if (handler === undefined) {
      request.abort(`no handler for api ${request.apiKey}`);
      request.becomeSettled();
      return;
    }
    try {
      const running = handler(request);
      if (running === undefined) {
        request.becomeSettled();
        return;
      }
      running.then(
        () => request.becomeSettled(),
        (error: unknown) => this.onThrown(request, error),
      );
    } catch (error) {
      this.onThrown(request, error);
    }
  }

  onThrown(request: ApiRequest, error: unknown): void {
    if (error instanceof MalformedError) request.abort(`malformed request of api ${request.apiKey}: ${error.message}`);
    else {
      this.logger.error({ apiKey: request.apiKey, apiVersion: request.apiVersion, err: error }, 'handler failed');
      if (!request.done) request.connection.close(`handler of api ${request.apiKey} failed`);
    }
    request.becomeSettled();
  }
}
