/**
 * Accepts connections and ends those that are useless: idle ones, and ones that hold memory without sending. Main only.
 *
 * Keeps its own count, because sockets leave `net`'s when landing.ts takes their handle.
 */
import net from 'node:net';
import type { Logger } from '../telemetry/logger.ts';
import { RepeatedLines } from '../telemetry/repeated-lines.ts';
import { Connection, plainAddress, type ConnectionHost } from './connection.ts';
import { openLandingSocket } from './landing.ts';

/** Answers that a client may leave unread before its requests are not read any more. */
const UNREAD_ANSWER_BYTES_MAX = 64 * 1024;
const BACKLOG = 1024;
const TICK_MS_MAX = 1000;
/** After accept() found no descriptor free, nobody is accepted for this long. */
const NO_DESCRIPTOR_PAUSE_MS = 200;
/** While others wait for memory, whoever has it must get on at this pace … */
const CONTENDED_BYTES_MIN = 4096;
/** … in each period of this length. */
const CONTENDED_STALL_MS = 1000;
/** While others wait for memory, a request may have it for this long behind what its client or others keep from being answered. */
const CONTENDED_HELD_MS = 3000;
/** Lines of the log that clients cause are limited per period of this length. */
const LINES_PERIOD_MS = 10_000;
/** `max.connections.per.ip` of this is no limit, and nobody is counted. */
const PER_ADDRESS_UNLIMITED = 2 ** 31 - 1;

/** How many connections there may be. */
export interface ConnectionLimits {
  readonly connectionsMax: number;
  /** Of one remote address. */
  readonly connectionsPerAddressMax: number;
  /** The same for some addresses. */
  readonly connectionsOfAddressMax: ReadonlyMap<string, number>;
}

export interface ListenerSettings extends ConnectionLimits {
  readonly host: string;
  readonly port: number;
  readonly connectionIdleMsMax: number;
  readonly grantStallMs: number;
}

/** Plain numbers for whoever shows them. */
export class ConnectionCounters {
  accepted = 0;
  refused = 0;
  closed = 0;
  closedIdle = 0;
  closedStalled = 0;
  closedBad = 0;
  acceptErrors = 0;
}

/** See the file header. */
export class Listener {
  readonly counters = new ConnectionCounters();
  private settings: ListenerSettings;
  private readonly host: ConnectionHost;
  private readonly logger: Logger;
  private readonly lines: RepeatedLines;
  private readonly connections = new Set<Connection>();
  /** How many each remote address has, and the address of each connection; empty while there is no limit. */
  private readonly addressCounts = new Map<string, number>();
  private readonly addresses = new Map<Connection, string>();
  private limitsAddresses: boolean;
  private server: net.Server | null = null;
  private bound: { host: string; port: number } | null = null;
  private timer: NodeJS.Timeout | null = null;
  private pause: NodeJS.Timeout | null = null;
  private readonly tickMs: number;
  private ticks = 0;
  private nextId = 1;
  private stopping = false;
  /** Called when the last connection is gone. */
  private onEmpty: (() => void) | null = null;

  constructor(settings: ListenerSettings, host: ConnectionHost, logger: Logger) {
    this.settings = settings;
    this.host = host;
    this.logger = logger;
    this.limitsAddresses = limitsAddresses(settings);
    this.lines = new RepeatedLines(logger);
    const shortest = Math.min(settings.connectionIdleMsMax, settings.grantStallMs, CONTENDED_STALL_MS);
    this.tickMs = Math.max(10, Math.min(TICK_MS_MAX, Math.floor(shortest / 4)));
  }

  /** Other limits from now on; connections that are open stay, also those above them. */
  limit({ connectionsMax, connectionsPerAddressMax, connectionsOfAddressMax }: ConnectionLimits): void {
    this.settings = { ...this.settings, connectionsMax, connectionsPerAddressMax, connectionsOfAddressMax };
    this.limitsAddresses = limitsAddresses(this.settings);
    this.addressCounts.clear();
    this.addresses.clear();
    if (!this.limitsAddresses) return;
    for (const connection of this.connections) this.countAddress(connection, connection.remoteAddress);
  }

  /** Connections that are open. */
  get size(): number {
    return this.connections.size;
  }

  /** Where clients reach it, once started. */
  get address(): { host: string; port: number } {
    return this.bound ?? { host: this.settings.host, port: this.settings.port };
  }

  /** Begins to listen. Rejects if the address cannot be had. */
  async start(): Promise<void> {
    await this.listen(this.settings.port);
    this.timer = setInterval(() => this.tick(), this.tickMs);
    // What keeps the process up is the listening socket.
    this.timer.unref();
  }

  /** Accepts nobody any more; open connections go on. */
  stopAccepting(): void {
    this.stopping = true;
    if (this.pause !== null) clearTimeout(this.pause);
    this.pause = null;
    this.server?.close();
    this.server = null;
  }

  /** Nobody's further request is taken. Resolves once all connections have their answers and are gone, or after `limitMs`. */
  drain(limitMs: number): Promise<void> {
    this.stopAccepting();
    for (const connection of [...this.connections]) connection.drain();
    if (this.connections.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const limit = setTimeout(resolve, limitMs);
      this.onEmpty = () => {
        clearTimeout(limit);
        resolve();
      };
    });
  }

  /** Ends everything. */
  stop(): void {
    this.stopAccepting();
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
    for (const connection of this.connections) connection.close('broker stops');
  }

  /** Called by the host when a connection is gone. */
  onClosed(connection: Connection, reason: string): void {
    if (!this.connections.delete(connection)) return;
    this.counters.closed++;
    this.forgetAddress(connection);
    if (this.connections.size === 0) this.onEmpty?.();
    this.logger.debug({ connection: connection.id, reason }, 'connection closed');
  }

  /** Called by the host before a connection is closed for what its client sent. */
  onRefused(connection: Connection, reason: string, line: string | null): void {
    this.counters.closedBad++;
    const fields = { connection: connection.id, remote: connection.remoteAddress, reason };
    this.lines.warn(
      fields,
      line ?? 'connection closed: the client sent what is no request of the Kafka protocol, or of a version not served',
    );
  }

  private async listen(port: number): Promise<void> {
    const server = net.createServer({ pauseOnConnect: true }, (socket) => this.accept(socket));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: this.settings.host, port, backlog: BACKLOG }, () => {
        server.removeListener('error', reject);
        resolve();
      });
    });
    server.on('error', (error: NodeJS.ErrnoException) => this.onServerError(error));
    const address = server.address() as net.AddressInfo;
    this.bound = { host: address.address, port: address.port };
    this.server = server;
    if (this.stopping) this.stopAccepting();
  }

  private accept(accepted: net.Socket): void {
    const address = this.limitsAddresses ? plainAddress(accepted.remoteAddress ?? '') : null;
    if (!this.hasRoomFor(address, accepted)) {
      this.counters.refused++;
      accepted.on('error', () => {});
      accepted.destroy();
      return;
    }
    const connection = new Connection(this.nextId++, this.host);
    const socket = openLandingSocket(accepted, connection, UNREAD_ANSWER_BYTES_MAX);
    if (socket === null) return;
    this.counters.accepted++;
    this.connections.add(connection);
    if (address !== null) this.countAddress(connection, address);
    connection.begin(socket);
  }

  private hasRoomFor(address: string | null, accepted: net.Socket): boolean {
    if (this.stopping) return false;
    const { connectionsMax } = this.settings;
    if (this.connections.size >= connectionsMax) {
      const fields = { remote: plainAddress(accepted.remoteAddress ?? ''), open: this.connections.size, max: connectionsMax };
      this.lines.warn(fields, 'connection refused: as many are open as max.connections or the limit of open files allows');
      return false;
    }
    if (address === null) return true;
    const own = this.settings.connectionsOfAddressMax.get(address);
    const max = own ?? this.settings.connectionsPerAddressMax;
    if ((this.addressCounts.get(address) ?? 0) < max) return true;
    const setting = own === undefined ? 'max.connections.per.ip' : 'max.connections.per.ip.overrides';
    this.lines.warn({ remote: address, max }, `connection refused: its address has as many as ${setting} allows`);
    return false;
  }

  private countAddress(connection: Connection, address: string): void {
    this.addresses.set(connection, address);
    this.addressCounts.set(address, (this.addressCounts.get(address) ?? 0) + 1);
  }

  private forgetAddress(connection: Connection): void {
    const address = this.addresses.get(connection);
    if (address === undefined) return;
    this.addresses.delete(connection);
    const left = (this.addressCounts.get(address) as number) - 1;
    if (left === 0) this.addressCounts.delete(address);
    else this.addressCounts.set(address, left);
  }

  /** Out of descriptors: the kernel keeps those who wait, and asking again at once would only burn the processor. */
  private onServerError(error: NodeJS.ErrnoException): void {
    this.counters.acceptErrors++;
    const server = this.server;
    if (server === null || this.pause !== null) return;
    this.lines.warn(
      { code: error.code, open: this.connections.size, retryMs: NO_DESCRIPTOR_PAUSE_MS },
      'cannot accept connections for now; those that are open go on',
    );
    this.server = null;
    server.close();
    this.pause = setTimeout(() => void this.listenAgain(), NO_DESCRIPTOR_PAUSE_MS);
  }

  private async listenAgain(): Promise<void> {
    this.pause = null;
    if (this.stopping) return;
    try {
      await this.listen(this.address.port);
    } catch (error) {
      this.lines.warn({ code: (error as NodeJS.ErrnoException).code, retryMs: NO_DESCRIPTOR_PAUSE_MS }, 'cannot listen for now');
      this.pause = setTimeout(() => void this.listenAgain(), NO_DESCRIPTOR_PAUSE_MS);
    }
  }

  private tick(): void {
    if (++this.ticks * this.tickMs >= LINES_PERIOD_MS) {
      this.ticks = 0;
      this.lines.endPeriod();
    }
    const contended = this.host.regions.waiting > 0;
    for (const connection of this.connections) {
      this.checkOwed(connection, contended);
      if (connection.open) this.checkHeld(connection, contended);
      if (connection.open) this.checkIdle(connection);
    }
  }

  /** A frame has memory and its sender owes the rest: it must get on, and faster when others wait for that memory. */
  private checkOwed(connection: Connection, contended: boolean): void {
    const { reader } = connection;
    // A sender that we do not read from owes nothing.
    if (!reader.isOwed || !connection.isReading) {
      connection.owedTicks = 0;
      return;
    }
    const stallMs = contended ? Math.min(CONTENDED_STALL_MS, this.settings.grantStallMs) : this.settings.grantStallMs;
    const bytesMin = contended ? CONTENDED_BYTES_MIN : 1;
    if (reader.landedBytes >= bytesMin) {
      reader.landedBytes = 0;
      connection.owedTicks = 0;
      return;
    }
    connection.owedTicks++;
    if (connection.owedTicks * this.tickMs >= stallMs) this.closeStalled(connection, 'its request stopped in the middle');
  }

  /** Others wait for memory that this one's next request has, and its turn comes when somebody else wants it to: nobody is held up by that for long. */
  private checkHeld(connection: Connection, contended: boolean): void {
    if (!contended || !connection.holdsInVain) {
      connection.heldTicks = 0;
      return;
    }
    connection.heldTicks++;
    if (connection.heldTicks * this.tickMs < CONTENDED_HELD_MS) return;
    this.closeStalled(
      connection,
      'others wait for the memory of a request that stands behind an answer which is not taken, or may take long',
    );
  }

  private closeStalled(connection: Connection, reason: string): void {
    this.counters.closedStalled++;
    this.lines.warn({ connection: connection.id, remote: connection.remoteAddress }, `connection closed: ${reason}`);
    connection.close(reason);
  }

  private checkIdle(connection: Connection): void {
    // Who waits for an answer is not idle; who does not take the ones there are, is.
    if (connection.active || (connection.unanswered > 0 && !connection.isUndrained)) {
      connection.active = false;
      connection.idleTicks = 0;
      return;
    }
    connection.idleTicks++;
    if (connection.idleTicks * this.tickMs < this.settings.connectionIdleMsMax) return;
    this.counters.closedIdle++;
    connection.close('idle');
  }
}

function limitsAddresses({ connectionsPerAddressMax, connectionsOfAddressMax }: ConnectionLimits): boolean {
  return connectionsPerAddressMax < PER_ADDRESS_UNLIMITED || connectionsOfAddressMax.size > 0;
}
