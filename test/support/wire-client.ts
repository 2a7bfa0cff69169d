/** A client that writes bytes as it likes and reads frames. */
import net from 'node:net';
import { produce } from '../../src/protocol/apis/00-produce.ts';
import { decodeResponseFrame, encodeRequestFrame } from '../../src/protocol/frame.ts';
import { buildBatch } from '../../src/protocol/record.ts';
import type { ResponseOf } from '../../src/protocol/schema.ts';
import { HANG_MS } from './limits.ts';

export const PRODUCE_VERSION = 9;

/** A whole Produce frame. `parts`: partition number and records of each. */
export function produceFrame(
  correlationId: number,
  topic: string,
  parts: readonly { partition: number; records: Buffer | null }[],
  options: { acks?: number; version?: number; transactionalId?: string | null } = {},
): Buffer {
  const { acks = -1, version = PRODUCE_VERSION, transactionalId = null } = options;
  const topicData = [{ name: topic, partitionData: parts.map(({ partition, records }) => ({ index: partition, records })) }];
  return encodeRequestFrame(produce, version, correlationId, 'test', { transactionalId, acks, timeoutMs: 30000, topicData });
}

/** A batch with one record of `bytes` bytes. */
export function batchOf(bytes: number, fill = 1): Buffer {
  return buildBatch({ records: [{ value: Buffer.alloc(bytes, fill) }], baseTimestamp: 1_700_000_000_000 });
}

export type ProduceResponse = ResponseOf<typeof produce>;

export class WireClient {
  readonly socket: net.Socket;
  readonly frames: Buffer[] = [];
  closed = false;
  private rest: Buffer = Buffer.alloc(0);
  private waiters: (() => void)[] = [];

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.onData(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.closed = true;
      this.wake();
    });
  }

  static async connect(port: number, host = '127.0.0.1'): Promise<WireClient> {
    const socket = net.connect({ port, host });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new WireClient(socket);
  }

  write(bytes: Buffer): void {
    this.socket.write(bytes);
  }

  /** Writes and waits until the bytes are with the kernel. */
  async send(bytes: Buffer): Promise<void> {
    await new Promise<void>((resolve) => this.socket.write(bytes, () => resolve()));
  }

  /** The next response frame without its size. */
  async next(): Promise<Buffer> {
    const deadline = performance.now() + HANG_MS;
    while (this.frames.length === 0) {
      if (this.closed) throw new Error('connection closed');
      if (performance.now() > deadline) throw new Error('no response');
      await this.change(deadline - performance.now());
    }
    return this.frames.shift() as Buffer;
  }

  async nextProduce(version = PRODUCE_VERSION): Promise<{ correlationId: number; body: ProduceResponse }> {
    const frame = await this.next();
    return decodeResponseFrame(produce, version, frame, 0, frame.length);
  }

  async waitClosed(): Promise<void> {
    const deadline = performance.now() + HANG_MS;
    while (!this.closed) {
      if (performance.now() > deadline) throw new Error('connection was not closed');
      await this.change(deadline - performance.now());
    }
  }

  destroy(): void {
    this.socket.destroy();
  }

  private change(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(1, timeoutMs));
      this.waiters.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  private onData(chunk: Buffer): void {
    this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    while (this.rest.length >= 4) {
      const size = this.rest.readInt32BE(0);
      if (this.rest.length < 4 + size) break;
      this.frames.push(this.rest.subarray(4, 4 + size));
      this.rest = this.rest.subarray(4 + size);
    }
    this.wake();
  }

  private wake(): void {
    for (const waiter of this.waiters.splice(0)) waiter();
  }
}

/** Waits until `condition` holds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + HANG_MS;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`timed out: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
