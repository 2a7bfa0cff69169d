/**
 * One client connection: frames come out of its reader, requests go in order through its queue, answers leave in that order. Main only.
 *
 *   queue   ┌─ started ──────────────────┬─ at most one, not started ─┐
 *           │ Produce Produce Produce    │ Produce or another API     │     or: one other API, running alone, and one behind it
 *           └────────────────────────────┴────────────────────────────┘
 *
 * Only Produce overlaps; any other request runs alone. Reading stops while a request waits for its turn, while 16 are unanswered, while memory or ring room
 * is waited for, and while the client does not take its answers; it goes on when that is over, never by polling.
 *
 * Always: started ≤ queue length ≤ started + 1; queue length ≤ {@link UNANSWERED_MAX} + 1.
 */
import type { Socket } from 'node:net';
import { assert } from '../lib/assert.ts';
import { LinkedList, type Linked } from '../lib/linked-list.ts';
import { foreignProtocol } from './foreign-protocol.ts';
import { FrameReader, type FrameSink } from './framing.ts';
import type { Landing, LandingSink } from './landing.ts';
import { PendingProduce, type PendingTable, type ProduceOwner } from './produce.ts';
import type { Grant, ReceiveRegions } from './regions.ts';
import type { RequestMetrics } from './request-metrics.ts';
import { ApiRequest, type ApiRequestOwner, type CloseListener } from './requests.ts';
import type { ResponseWriter } from './response-writer.ts';
import type { ShardLink } from './shard-link.ts';
import { ApiKey } from '../protocol/api-versions.ts';

/** Requests of one connection that may be unanswered before reading stops. */
export const UNANSWERED_MAX = 16;

/** How long a client that has all its answers may take to close its end when the broker stops: closing first may cost it answers that it has not read. */
const LINGER_MS = 100;

type Entry = PendingProduce | ApiRequest;

/** An answer that the socket has and the kernel has not, with what is to be done then. */
interface Undrained extends Linked<Undrained> {
  readonly onDrained: () => void;
  isReleased: boolean;
}

/** What all connections share. */
export interface ConnectionHost {
  readonly regions: ReceiveRegions;
  readonly landing: Landing;
  readonly pending: PendingTable;
  readonly links: readonly ShardLink[];
  readonly requestBytesMax: number;
  readonly writer: ResponseWriter;
  readonly metrics: RequestMetrics;
  /** A frame: parses its header and enqueues a request, or closes the connection. */
  accept(connection: Connection, bytes: Buffer, start: number, end: number, grant: Grant | null): void;
  /** Starts a request. False: not now. */
  start(connection: Connection, entry: Entry, inLine: ShardLink | null): boolean;
  /** The connection has answers to write: `flush` is called soon. */
  onDirty(connection: Connection): void;
  /** Bytes were read: rings are published and looked at soon. */
  onLanded(): void;
  onClosed(connection: Connection, reason: string): void;
  /** The connection is about to be closed for what its client sent. `line`: the log's, if it is one of its own. */
  onRefused(connection: Connection, reason: string, line: string | null): void;
}

/** See the file header. */
export class Connection implements LandingSink, FrameSink, ProduceOwner, ApiRequestOwner {
  readonly id: number;
  open = true;
  /** Whether `flush` is due. */
  dirty = false;
  /** Set whenever bytes land or answers leave; the owner's coarse timer clears it. */
  active = true;
  /** Coarse ticks without activity. */
  idleTicks = 0;
  /** Coarse ticks for which the sender owed the rest of a frame without enough progress. */
  owedTicks = 0;
  /** Coarse ticks for which it held memory in vain while others waited for some. */
  heldTicks = 0;
  readonly reader: FrameReader;
  closeListener: CloseListener | null = null;
  private readonly host: ConnectionHost;
  private socket: Socket | null = null;
  private readonly queue: Entry[] = [];
  private started = 0;
  private reading = false;
  /** No further request is taken. */
  private draining = false;
  /** All was answered; what still comes is for nobody. */
  private ending = false;
  /** Answers given to the socket whose `onDrained` did not run yet. */
  private readonly undrained = new LinkedList<Undrained>();

  constructor(id: number, host: ConnectionHost) {
    this.id = id;
    this.host = host;
    this.reader = new FrameReader(this, host.regions, host.landing, host.requestBytesMax);
  }

  /** Takes over its socket and begins to read. */
  begin(socket: Socket): void {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('error', (error: NodeJS.ErrnoException) => this.close(error.code ?? error.message));
    socket.on('end', () => this.close('end of stream'));
    socket.on('close', () => this.close('closed'));
    socket.on('drain', () => this.wake());
    this.reading = true;
    socket.resume();
  }

  get localAddress(): string {
    return plainAddress(this.socket?.localAddress ?? '');
  }

  get localPort(): number {
    return this.socket?.localPort ?? 0;
  }

  get remoteAddress(): string {
    return plainAddress(this.socket?.remoteAddress ?? '');
  }

  get unanswered(): number {
    return this.queue.length;
  }

  get isReading(): boolean {
    return this.reading;
  }

  /** Whether another request waits behind the one that runs alone. */
  get hasQueued(): boolean {
    return this.queue.length > this.started;
  }

  get isHurried(): boolean {
    return this.hasQueued || this.draining;
  }

  /** Whether it holds memory for a request whose turn does not come: behind answers that its client does not take, or behind a request that waits for other clients. */
  get holdsInVain(): boolean {
    const next = this.queue[this.started];
    const queued = next !== undefined && (next instanceof PendingProduce || next.hasMemory);
    if (!this.isUndrained) return queued && this.runsParked;
    // Of a frame that still comes its sender owes the rest: see the listener.
    return queued || (this.reader.hasMemory && !(this.reading && this.reader.isOwed));
  }

  // Landing: from the socket to the reader.

  view(): Buffer {
    if (this.ending) return this.host.landing.idle;
    return this.reader.view();
  }

  landed(view: Buffer, count: number): boolean {
    if (this.ending) return this.open;
    this.active = true;
    const { metrics } = this.host;
    metrics.tick();
    metrics.bytesIn += count;
    this.reader.landed(view, count);
    this.host.onLanded();
    this.reading = this.mayRead();
    return this.reading;
  }

  // Frames: from the reader to the queue.

  isReady(): boolean {
    if (!this.open || this.draining || this.queue.length >= UNANSWERED_MAX || this.queue.length > this.started) return false;
    if ((this.socket as Socket).writableNeedDrain) return false;
    if (this.host.pending.available > 0) return true;
    this.host.pending.line.add(this);
    return false;
  }

  onFrame(bytes: Buffer, start: number, end: number, grant: Grant | null): void {
    this.host.accept(this, bytes, start, end, grant);
  }

  onBadSize(bytes: number): void {
    this.refuse(
      `a frame of ${bytes} bytes was announced, and 1 to ${this.host.requestBytesMax} may come (socket.request.max.bytes)`,
      foreignProtocol(bytes),
    );
  }

  onGranted(): void {
    this.proceed();
  }

  onSlotFree(): void {
    this.proceed();
  }

  /** A request was parsed; it starts if it is its turn. */
  enqueue(entry: Entry): void {
    assert(this.queue.length === this.started, 'two requests wait for their turn');
    this.queue.push(entry);
    this.tryStart(null);
    if (this.hasQueued) this.notifyRunning();
  }

  // Turns: from the queue to the handlers and back.

  onRingRoom(link: ShardLink): boolean {
    const entry = this.queue[this.started];
    if (!this.open || !(entry instanceof PendingProduce) || !entry.waiting) return true;
    entry.waiting = false;
    if (!this.tryStart(link)) return !this.open || entry.waitsFor !== link;
    // Not here: what comes next may have to join this very line, behind the others.
    this.wake();
    return true;
  }

  /** An entry of the queue has its answer. */
  onAnswered(): void {
    this.wake();
  }

  /** Something this connection waited for has happened: it goes on in main's next turn, which also publishes what it submits. */
  wake(): void {
    if (this.open) this.host.onDirty(this);
  }

  /** Writes the answers that are ready and whose turn it is; starts what waited for them. */
  flush(): void {
    this.dirty = false;
    const socket = this.socket;
    let answered = false;
    while (this.started > 0) {
      const entry = this.queue[0] as Entry;
      if (!entry.done) break;
      this.queue.shift();
      this.started--;
      answered = true;
      if (entry instanceof PendingProduce) this.writeProduce(entry);
      else this.writeApi(entry);
    }
    if (!this.open || socket === null) return;
    if (answered) {
      this.host.writer.flush(socket);
      this.active = true;
    }
    this.proceed();
  }

  /** Starts what waits for its turn, deals with what was held and reads on, as far as that is allowed now. */
  proceed(): void {
    if (!this.open) return;
    if (this.hasQueued) this.tryStart(null);
    if (this.draining) return this.endIfDrained();
    if (!this.reading) this.reader.proceed();
    if (this.reading || !this.mayRead()) return;
    this.reading = true;
    (this.socket as Socket).resume();
  }

  /**
   * The broker stops: takes no further request, and ends the connection once those it has are answered. A fetch that waits for records is answered with what
   * there is; a request that waits for other clients is not waited for.
   */
  drain(): void {
    if (!this.open || this.draining) return;
    this.draining = true;
    this.notifyRunning();
    this.closeIfParked();
    // An answer may be there that is to be written first.
    this.wake();
  }

  /** Closes the connection for what its client sent, and says so in the log: nothing else tells whoever has to repair the client. */
  refuse(reason: string, line: string | null = null): void {
    if (!this.open) return;
    this.host.onRefused(this, reason, line);
    this.close(reason);
  }

  close(reason: string): void {
    if (!this.open) return;
    this.open = false;
    this.reading = false;
    this.reader.close();
    for (const link of this.host.links) link.line.delete(this);
    this.host.pending.line.delete(this);
    for (const entry of this.queue) this.abandon(entry);
    this.queue.length = 0;
    this.started = 0;
    const socket = this.socket;
    if (socket !== null) {
      // What the kernel may still read from (the pieces of answers) is released only once the socket is closed.
      if (socket.closed) this.releaseUndrained();
      else socket.once('close', () => this.releaseUndrained());
      socket.destroy();
    }
    const listener = this.closeListener;
    this.closeListener = null;
    listener?.onConnectionClosed(this);
    this.host.onClosed(this, reason);
  }

  private endIfDrained(): void {
    if (!this.open || this.ending || this.queue.length > 0) return;
    this.ending = true;
    const socket = this.socket as Socket;
    socket.end(() => void setTimeout(() => this.close('broker stops'), LINGER_MS).unref());
    // Its end is seen by reading on; and a socket that is closed with unread bytes takes back what its client has not read.
    socket.resume();
  }

  private closeIfParked(): void {
    if (this.runsParked) this.close('broker stops');
  }

  /** Whether the running request waits for what other clients do. */
  private get runsParked(): boolean {
    const running = this.queue[0];
    return this.started > 0 && running instanceof ApiRequest && running.parked && !running.done;
  }

  private mayRead(): boolean {
    return this.open && this.reader.canLand && this.isReady();
  }

  /** True if nothing waits any more. */
  private tryStart(inLine: ShardLink | null): boolean {
    while (this.open && this.queue.length > this.started) {
      const entry = this.queue[this.started] as Entry;
      if (entry instanceof PendingProduce) {
        if (entry.waiting || (this.started > 0 && this.queue[0] instanceof ApiRequest)) return false;
      } else if (this.started > 0 || this.isUndrained) return false;
      // Counted before it starts: a handler may answer at once.
      this.started++;
      if (!this.host.start(this, entry, inLine)) {
        if (this.open) this.started--;
        return false;
      }
      if (entry.done) this.onAnswered();
      else if (this.draining) this.closeIfParked();
    }
    return true;
  }

  /** Whether the client owes it to us to take its answers. */
  get isUndrained(): boolean {
    if (this.socket === null) return false;
    return this.undrained.size > 0 || this.socket.writableNeedDrain;
  }

  private notifyRunning(): void {
    const running = this.queue[0];
    if (this.started > 0 && running instanceof ApiRequest) running.notifyQueued();
  }

  private writeProduce(entry: PendingProduce): void {
    const { metrics } = this.host;
    metrics.onAnswered(ApiKey.PRODUCE, entry.arrivedMs, entry.startedMs, entry.doneMs);
    if (entry.results.hasErrors) metrics.produceFailures++;
    const socket = this.socket as Socket;
    if (entry.acks !== 0) this.host.writer.produce(socket, entry);
    else if (entry.results.hasErrors) {
      // Those before it have an answer, which is theirs all the same; and nothing of it may stay for whoever writes next.
      this.host.writer.flush(socket);
      // The only way to tell a client that wants no answers.
      this.close('produce with acks=0 failed');
    }
    this.host.pending.release(entry);
  }

  private writeApi(entry: ApiRequest): void {
    const socket = this.socket as Socket;
    const { metrics } = this.host;
    metrics.onAnswered(entry.apiKey, entry.arrivedMs, entry.startedMs, entry.doneMs);
    this.host.writer.flush(socket);
    const pieces = entry.pieces as Buffer[];
    const onDrained = entry.onDrained;
    entry.pieces = null;
    entry.onDrained = null;
    let written: (() => void) | undefined;
    if (onDrained !== null) {
      const answer: Undrained = { onDrained, isReleased: false, next: null, previous: null };
      this.undrained.append(answer);
      written = () => {
        if (answer.isReleased) return;
        this.release(answer);
        this.wake();
      };
    }
    if (pieces.length > 1) socket.cork();
    for (let index = 0; index < pieces.length; index++) {
      const piece = pieces[index] as Buffer;
      metrics.bytesOut += piece.length;
      if (index === pieces.length - 1 && written !== undefined) socket.write(piece, written);
      else socket.write(piece);
    }
    if (pieces.length > 1) socket.uncork();
  }

  private abandon(entry: Entry): void {
    if (entry instanceof ApiRequest) entry.becomeClosed();
    else this.host.pending.release(entry);
  }

  private releaseUndrained(): void {
    for (let answer = this.undrained.first; answer !== null; answer = this.undrained.first) this.release(answer);
  }

  private release(answer: Undrained): void {
    answer.isReleased = true;
    this.undrained.remove(answer);
    answer.onDrained();
  }
}

/** IPv4 addresses look like themselves, also on a socket of both families. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address;
}
