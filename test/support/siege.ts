/**
 * A real broker under attack. Beside the attackers there is a bystander who produces a record, reads it back and asks for metadata, again and again; what it gets must be
 * right as long as the siege lasts. When it is over, the broker is alive, its memory never passed its budget, and every descriptor is given back.
 */
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { delay, eventually, startBroker, type BrokerOptions, type BrokerProcess, type LogLine } from './broker-process.ts';
import { batchOf, batchesOf, recordsOf, type KafkaClient } from './kafka-client.ts';
import { HANG_MS } from './limits.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { WireClient } from './wire-client.ts';

const MIB = 1 << 20;
const TOPIC = 'bystander';
const RECEIVE_BYTES = 16 * MIB;
const FETCH_BYTES = 16 * MIB;
/**
 * What a broker may have beyond what it had before the attack and the memory its settings allow for requests and fetches: heap that is not collected yet, buffers on
 * the way to the kernel, the threads' own.
 */
const SLACK_BYTES = 96 * MIB;
/** By then a broker has loaded what its start puts off (half a second). */
const LOADED_MS = 800;
/** What may be open more than before beside sockets: segments and journal of what was written, and what threads have that start at first use. */
const FILES_MORE_MAX = 60;
const ROUND_PAUSE_MS = 5;

export interface SiegeOptions {
  readonly settings?: Readonly<Record<string, string | number>>;
  readonly wrapper?: readonly string[];
  /** Instead of the usual slack, for attacks that may legally make the broker keep something. */
  readonly slackBytes?: number;
}

/** See the file header. */
export class Siege {
  readonly broker: BrokerProcess;
  private readonly slackBytes: number;
  private readonly client: KafkaClient;
  private readonly attackers: WireClient[] = [];
  private rounds = 0;
  private isOver = false;
  private failure: Error | null = null;
  private running: Promise<void> = Promise.resolve();
  private linesBefore = 0;
  private before = { sockets: 0, others: 0 };
  private budgetBytes = 0;

  private constructor(broker: BrokerProcess, client: KafkaClient, slackBytes: number) {
    this.broker = broker;
    this.client = client;
    this.slackBytes = slackBytes;
  }

  /** Starts a broker with small memory, and the bystander; what it has then is what the end is compared with. */
  static async begin(options: SiegeOptions = {}): Promise<Siege> {
    const settings = { 'ringlog.receive.memory.bytes': RECEIVE_BYTES, 'ringlog.fetch.memory.bytes': FETCH_BYTES, ...options.settings };
    const brokerOptions: BrokerOptions = { dataDir: join(temporaryFolder(), 'data'), settings };
    const broker = await startBroker(options.wrapper === undefined ? brokerOptions : { ...brokerOptions, wrapper: options.wrapper });
    const client = await broker.connect();
    await client.createTopic(TOPIC);
    const siege = new Siege(broker, client, options.slackBytes ?? SLACK_BYTES);
    siege.running = siege.bystand();
    // Warm: what is opened and compiled at first use, or loaded behind the start, belongs to no attack.
    await delay(LOADED_MS);
    await siege.served(10);
    siege.linesBefore = broker.log.length;
    siege.before = siege.openNow();
    // Makes the kernel forget the peak of the start.
    writeFileSync(`/proc/${broker.child.pid}/clear_refs`, '5');
    siege.budgetBytes = siege.memory('VmRSS') + RECEIVE_BYTES + FETCH_BYTES + siege.slackBytes;
    return siege;
  }

  /** A connection of an attacker, ended with the siege. */
  async attacker(): Promise<WireClient> {
    const attacker = await WireClient.connect(this.broker.port);
    this.attackers.push(attacker);
    return attacker;
  }

  /** Many of them. */
  async crowd(count: number): Promise<WireClient[]> {
    const crowd: WireClient[] = [];
    while (crowd.length < count) {
      const some = Math.min(50, count - crowd.length);
      crowd.push(...(await Promise.all(Array.from({ length: some }, () => this.attacker()))));
    }
    return crowd;
  }

  /** Waits until the bystander was served this often from now on. */
  async served(times = 5): Promise<void> {
    const wanted = this.rounds + times;
    await eventually(() => {
      if (this.failure !== null) throw this.failure;
      if (this.broker.isOver) throw new Error(`the broker ended:\n${this.broker.stderr}`);
      return this.rounds >= wanted;
    }, `the bystander is served ${times} times`);
  }

  /** Sends bytes on a connection of its own, which the broker has to close without a word. */
  async closesOn(bytes: Buffer): Promise<void> {
    const attacker = await this.attacker();
    attacker.write(bytes);
    await attacker.waitClosed();
    expect(attacker.frames).toEqual([]);
  }

  /** Lines of the log that are no information, since the siege began. */
  get complaints(): LogLine[] {
    return this.broker.log.slice(this.linesBefore).filter(({ level }) => level !== 'info' && level !== 'debug');
  }

  /** Exactly one complaint, and that it says `text`. */
  async complainsOnce(text: string): Promise<void> {
    await eventually(() => this.complaints.length > 0, `it is said in the log: ${text}`);
    expect(this.complaints).toHaveLength(1);
    const [line] = this.complaints;
    expect(JSON.stringify(line)).toContain(text);
  }

  /** Ends the attackers, and judges. */
  async end(): Promise<void> {
    await this.served();
    for (const attacker of this.attackers) attacker.destroy();
    await eventually(() => this.openNow().sockets <= this.before.sockets, 'the sockets of the attackers are closed');
    expect(this.openNow().others).toBeLessThanOrEqual(this.before.others + FILES_MORE_MAX);
    await this.served();
    this.isOver = true;
    await this.running;
    if (this.failure !== null) throw this.failure;
    const peak = this.memory('VmHWM');
    if (peak > this.budgetBytes)
      throw new Error(`${Math.round(peak / MIB)} MiB resident, and the budget is ${Math.round(this.budgetBytes / MIB)} MiB`);
    const seen = await this.client.readAll(TOPIC, 0);
    expect(seen.map(({ value }) => value)).toEqual(Array.from({ length: this.rounds }, (_, n) => valueOf(n)));
    this.client.close();
    expect((await this.broker.stop()).code).toBe(0);
    expect(this.broker.log.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
  }

  /** Descriptors that the broker has open. */
  descriptors(): number {
    const { sockets, others } = this.openNow();
    return sockets + others;
  }

  private openNow(): { sockets: number; others: number } {
    const folder = `/proc/${this.broker.child.pid}/fd`;
    let sockets = 0;
    let others = 0;
    for (const name of readdirSync(folder)) {
      try {
        if (readlinkSync(join(folder, name)).startsWith('socket:')) sockets++;
        else others++;
      } catch {
        // Closed since the folder was listed.
      }
    }
    return { sockets, others };
  }

  private async bystand(): Promise<void> {
    try {
      while (!this.isOver) {
        const n = this.rounds;
        expect(await this.client.produce(TOPIC, 0, batchOf([valueOf(n)]))).toMatchObject({ errorCode: 0, baseOffset: n });
        await this.readBack(n);
        expect((await this.client.metadata([TOPIC])).topics[0]).toMatchObject({ errorCode: 0, name: TOPIC });
        this.rounds++;
        await delay(ROUND_PAUSE_MS);
      }
    } catch (error) {
      this.failure = error as Error;
    }
  }

  /** An answer without records is allowed while memory is short; standing still is not, nor is any other record. */
  private async readBack(n: number): Promise<void> {
    for (const beganMs = performance.now(); ;) {
      const answer = await this.client.fetch(TOPIC, 0, n, { maxWaitMs: 50, maxBytes: 1000, partitionMaxBytes: 1000 });
      expect(answer.errorCode).toBe(0);
      const records = batchesOf(answer.records).flatMap(recordsOf);
      if (records.length > 0) {
        expect(records[0]).toMatchObject({ offset: n, value: valueOf(n) });
        return;
      }
      if (performance.now() - beganMs > HANG_MS) throw new Error(`record ${n} of the bystander cannot be read`);
    }
  }

  /** A line of /proc/PID/status, bytes. */
  private memory(line: 'VmRSS' | 'VmHWM'): number {
    const status = readFileSync(`/proc/${this.broker.child.pid}/status`, 'utf8');
    return Number(new RegExp(`^${line}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024;
  }
}

function valueOf(n: number): string {
  return `record ${n}`;
}
