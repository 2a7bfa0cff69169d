/**
 * Gathers the Produce answers of one connection so that they leave with one write. Main only.
 *
 * Answers are written into a scratch buffer that all connections share, one connection at a time, and copied into Node's buffer pool at the end: a socket
 * that does not drain keeps its few bytes and nothing else.
 *
 * Always: what is gathered is of one socket, and no other is served before it has that.
 */
import type { Socket } from 'node:net';
import { assert } from '../lib/assert.ts';
import { ByteWriter } from '../protocol/byte-writer.ts';
import { produceResponseBytes, writeProduceResponse } from '../protocol/produce-response.ts';
import type { PendingProduce } from './produce.ts';
import type { ProduceRefusals } from './produce-refusals.ts';
import type { RequestMetrics } from './request-metrics.ts';

const SCRATCH_BYTES = 64 * 1024;

/** See the file header. */
export class ResponseWriter {
  private readonly scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  private readonly writer = new ByteWriter(this.scratch);
  private readonly request: Buffer;
  private readonly refusals: ProduceRefusals;
  private readonly metrics: RequestMetrics;
  private filled = 0;
  /** Whose answers are gathered, while there are any. */
  private owner: Socket | null = null;

  /** @param request the receive slab, where the names of the topics lie */
  constructor(request: Buffer, refusals: ProduceRefusals, metrics: RequestMetrics) {
    this.request = request;
    this.refusals = refusals;
    this.metrics = metrics;
  }

  /** Adds the answer to `pending`; {@link flush} must follow before another connection's turn. */
  produce(socket: Socket, pending: PendingProduce): void {
    assert(this.owner === null || this.owner === socket, 'answers of another connection are still here');
    if (pending.results.hasErrors) this.refusals.explain(pending);
    const bytes = produceResponseBytes(pending.view, pending.results);
    this.metrics.bytesOut += bytes;
    if (this.filled + bytes > SCRATCH_BYTES) this.flush(socket);
    if (bytes > SCRATCH_BYTES) {
      const own = new ByteWriter(Buffer.allocUnsafeSlow(bytes));
      writeProduceResponse(own, 0, bytes, pending.correlationId, pending.view, this.request, pending.results);
      socket.write(own.buffer);
      return;
    }
    writeProduceResponse(this.writer, this.filled, bytes, pending.correlationId, pending.view, this.request, pending.results);
    this.filled += bytes;
    this.owner = socket;
  }

  /** Gives what was gathered to the socket. */
  flush(socket: Socket): void {
    if (this.filled === 0) return;
    assert(this.owner === socket, 'answers of another connection are still here');
    const copy = Buffer.allocUnsafe(this.filled);
    this.scratch.copy(copy, 0, 0, this.filled);
    this.filled = 0;
    this.owner = null;
    socket.write(copy);
  }
}
