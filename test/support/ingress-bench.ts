/** An ingress on a loopback port with fake shards, for tests. */
import { Ingress, type IngressSettings } from '../../src/main/ingress.ts';
import type { LogFields, Logger } from '../../src/telemetry/logger.ts';
import { FakeRouter } from './fake-router.ts';
import { FakeShard, type FakeShardOptions } from './fake-shard.ts';
import { openerInPlace } from './opener.ts';
import { WireClient } from './wire-client.ts';

export class TestLogger implements Logger {
  readonly lines: { level: string; message: string; fields: LogFields }[] = [];
  debug(fields: LogFields, message: string): void {
    this.lines.push({ level: 'debug', message, fields });
  }
  info(fields: LogFields, message: string): void {
    this.lines.push({ level: 'info', message, fields });
  }
  warn(fields: LogFields, message: string): void {
    this.lines.push({ level: 'warn', message, fields });
  }
  error(fields: LogFields, message: string): void {
    this.lines.push({ level: 'error', message, fields });
  }
  fatal(fields: LogFields, message: string): void {
    this.lines.push({ level: 'fatal', message, fields });
  }
  has(text: string): boolean {
    return this.lines.some((line) => JSON.stringify(line).includes(text));
  }
}

export class IngressBench {
  readonly ingress: Ingress;
  readonly router = new FakeRouter();
  readonly logger = new TestLogger();
  readonly shard: FakeShard;
  drains = 0;
  /** Compressed batches are opened once this has come, if it is there. */
  openingHeld: Promise<void> | null = null;
  failedOpenings = 0;
  private stepping: NodeJS.Immediate | null = null;
  private readonly clients: WireClient[] = [];

  private constructor(settings: Partial<IngressSettings>, shard: FakeShardOptions) {
    this.ingress = new Ingress(
      {
        host: '127.0.0.1',
        port: 0,
        connectionsMax: 5000,
        connectionsPerAddressMax: 2 ** 31 - 1,
        connectionsOfAddressMax: new Map(),
        connectionIdleMsMax: 600_000,
        grantStallMs: 10_000,
        receiveMemoryBytes: 64 * 1024 * 1024,
        socketRequestBytesMax: 100 * 1024 * 1024,
        ...settings,
      },
      this.router,
      this.logger,
      openerInPlace(
        1 << 20,
        () => this.failedOpenings++,
        () => this.openingHeld,
      ),
      () => this.drains++,
    );
    this.shard = new FakeShard(this.ingress.memory, shard);
    this.ingress.addLink(this.shard.link);
  }

  static async start(settings: Partial<IngressSettings> = {}, shard: FakeShardOptions = {}): Promise<IngressBench> {
    const bench = new IngressBench(settings, shard);
    await bench.ingress.listener.start();
    return bench;
  }

  get port(): number {
    return this.ingress.listener.address.port;
  }

  async connect(): Promise<WireClient> {
    const client = await WireClient.connect(this.port);
    this.clients.push(client);
    return client;
  }

  /** From now on the shard answers by itself. */
  runShard(): void {
    if (this.stepping !== null) return;
    const step = (): void => {
      if (this.shard.step() > 0) this.ingress.cycle.run();
      this.stepping = setImmediate(step);
    };
    this.stepping = setImmediate(step);
  }

  pauseShard(): void {
    if (this.stepping !== null) clearImmediate(this.stepping);
    this.stepping = null;
  }

  /** One step of the shard, and main's turn after it. */
  step(max?: number): number {
    const taken = this.shard.step(max);
    this.ingress.cycle.run();
    return taken;
  }

  /** Bytes of the slab that someone still has. */
  get usedBytes(): number {
    return this.ingress.regions.usedBytes;
  }

  stop(): void {
    this.pauseShard();
    for (const client of this.clients) client.destroy();
    this.ingress.stop();
  }
}
