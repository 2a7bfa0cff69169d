/**
 * What clients sent and what they were answered, and what a broker must make of it after its process died: everything acknowledged in a mode that
 * survives that is there, at its offset; offsets are dense; nothing was invented, changed, repeated or reordered.
 */
import { ErrorCode } from '../../src/protocol/errors.ts';
import { CompactedHistory, GroupsHistory } from './compacted-history.ts';
import { batchOf, ConnectionLost, type KafkaClient, type SeenRecord } from '../support/kafka-client.ts';

export type Durability = 'memory' | 'page-cache' | 'fsync';

const EARLIEST = -2;

interface Sent {
  readonly value: string;
  /** −1 until it was acknowledged. */
  offset: number;
  /** Acknowledged by a promise that outlives the process. */
  kept: boolean;
}

/** One topic of one id. Always: all its batches hold one record and come from one connection at a time. */
export class TopicHistory {
  readonly name: string;
  /** The mode in force, or while a change is under way the weaker of both. */
  durability: Durability;
  state: 'creating' | 'there' | 'deleting' | 'gone' = 'creating';
  /** The broker deletes the oldest records while what is left has this many bytes. */
  readonly retentionBytes: number;
  /** Records below may be gone: their deletion was asked for. */
  askedStart = 0;
  /** Records below are gone for good: that was answered, or a start has shown it. */
  securedStart = 0;
  readonly sent: Sent[] = [];
  private readonly byValue = new Map<string, number>();

  constructor(name: string, durability: Durability, retentionBytes = Infinity) {
    this.name = name;
    this.durability = durability;
    this.retentionBytes = retentionBytes;
  }

  get acknowledged(): number {
    return this.sent.filter(({ offset }) => offset >= 0).length;
  }

  /** Sends one record; resolves with the error code, rejects when the connection ends first. */
  async produce(client: KafkaClient, value: string, bytes = 0): Promise<number> {
    const entry: Sent = { value: value.padEnd(bytes, '.'), offset: -1, kept: false };
    this.remember(entry);
    const answer = await client.produce(this.name, 0, batchOf([entry.value]));
    if (answer.errorCode !== 0) return answer.errorCode;
    entry.offset = answer.baseOffset;
    entry.kept = this.durability !== 'memory';
    return 0;
  }

  remember(entry: Sent): void {
    this.byValue.set(entry.value, this.sent.length);
    this.sent.push(entry);
  }

  /** Changes the mode; once that is answered, all that was acknowledged before is as safe as the new mode says. */
  async alter(client: KafkaClient, durability: Durability): Promise<number> {
    const stronger = durability !== 'memory';
    if (!stronger) this.durability = durability;
    const errorCode = await client.alterTopic(this.name, { 'ringlog.durability': durability });
    if (errorCode !== 0) return errorCode;
    this.durability = durability;
    if (stronger) for (const entry of this.sent) if (entry.offset >= 0) entry.kept = true;
    return 0;
  }

  /** Deletes the records below an offset; resolves with the error code. */
  async deleteRecords(client: KafkaClient, offset: number): Promise<number> {
    this.askedStart = Math.max(this.askedStart, offset);
    const { errorCode, logStartOffset } = await client.deleteRecords(this.name, 0, offset);
    if (errorCode === 0) this.securedStart = Math.max(this.securedStart, logStartOffset);
    return errorCode;
  }

  /** A clean stop keeps everything. */
  onCleanStop(): void {
    for (const entry of this.sent) if (entry.offset >= 0) entry.kept = true;
  }

  /** Holds a log that begins at `start` against the history; throws what is wrong with it. */
  verify(start: number, records: readonly SeenRecord[]): void {
    if (start < this.securedStart) throw new Error(`${this.name}: begins at ${start}, and what is below ${this.securedStart} was deleted`);
    const left = records.reduce((bytes, { value }) => bytes + value.length, 0);
    // Headers come on top of the values: a little less than what retention keeps is right.
    if (start > this.askedStart && left < this.retentionBytes * 0.99)
      throw new Error(`${this.name}: begins at ${start} with ${left} bytes, and nobody deleted that much`);
    let before = -1;
    records.forEach(({ offset, value }, n) => {
      const what = `${this.name}: offset ${offset}`;
      if (offset !== start + n) throw new Error(`${what} stands where ${start + n} should`);
      const index = this.byValue.get(value);
      if (index === undefined) throw new Error(`${what} holds ${JSON.stringify(value.slice(0, 40))}, which was never sent`);
      if (index <= before) throw new Error(`${what} holds number ${index}, behind number ${before}`);
      before = index;
    });
    for (const { offset, kept, value } of this.sent) {
      if (offset < start || (!kept && offset >= start + records.length)) continue;
      const found = records[offset - start]?.value;
      if (found !== value)
        throw new Error(
          `${this.name}: acknowledged offset ${offset} held ${value.slice(0, 40)} and now ${found?.slice(0, 40) ?? 'nothing'}`,
        );
    }
    // What recovery kept it serves from now on, so it must keep it at the next start too.
    records.forEach(({ value }, n) => {
      const entry = this.sent[this.byValue.get(value) as number] as Sent;
      entry.offset = start + n;
      entry.kept = true;
    });
    for (const entry of this.sent) if (!entry.kept) entry.offset = -1;
    this.askedStart = this.securedStart = start;
  }
}

/** All topics. */
export class History {
  readonly topics: TopicHistory[] = [];
  compacted = new CompactedHistory('compacted');
  groups = new GroupsHistory();

  async create(
    client: KafkaClient,
    name: string,
    durability: Durability,
    { segmentBytes = 1 << 20, retentionBytes = Infinity } = {},
  ): Promise<TopicHistory> {
    const topic = new TopicHistory(name, durability, retentionBytes);
    this.topics.push(topic);
    // By their timestamps the records of tests are old: their age must not matter.
    const configs = { 'ringlog.durability': durability, 'segment.bytes': String(segmentBytes), 'retention.ms': '-1' };
    await client.createTopic(name, 1, retentionBytes === Infinity ? configs : { ...configs, 'retention.bytes': String(retentionBytes) });
    topic.state = 'there';
    return topic;
  }

  async delete(client: KafkaClient, topic: TopicHistory): Promise<void> {
    topic.state = 'deleting';
    const errorCode = await client.deleteTopic(topic.name);
    if (errorCode !== 0) throw new Error(`${topic.name} was not deleted: error ${errorCode}`);
    topic.state = 'gone';
  }

  onCleanStop(): void {
    for (const topic of this.topics) topic.onCleanStop();
  }

  /** A copy with the same past and a future of its own. */
  clone(): History {
    const copy = new History();
    copy.compacted = this.compacted.clone();
    copy.groups = this.groups.clone();
    for (const topic of this.topics) {
      const twin = new TopicHistory(topic.name, topic.durability, topic.retentionBytes);
      twin.state = topic.state;
      twin.askedStart = topic.askedStart;
      twin.securedStart = topic.securedStart;
      for (const entry of topic.sent) twin.remember({ ...entry });
      copy.topics.push(twin);
    }
    return copy;
  }

  /** Reads everything from a broker that has just started and holds it against the history. Returns what it read, to compare a later start with. */
  async verify(client: KafkaClient): Promise<string> {
    const known = new Set((await client.metadata(null)).topics.map(({ name }) => name));
    const seen: string[] = [];
    for (const name of new Set(this.topics.map((topic) => topic.name))) {
      const lives = this.topics.filter((topic) => topic.name === name);
      const last = lives.at(-1) as TopicHistory;
      const before = lives.at(-2);
      // A creation or deletion that was not answered may have happened or not.
      const current = last.state === 'creating' && before?.state === 'deleting' ? undefined : last;
      if (current === undefined) throw new Error(`${name}: created again before its deletion was answered`);
      if (!known.has(name)) {
        if (current.state === 'there') throw new Error(`topic ${name} is gone`);
        current.state = 'gone';
        continue;
      }
      if (current.state === 'gone') throw new Error(`deleted topic ${name} is back`);
      current.state = 'there';
      const start = (await client.listOffset(name, 0, EARLIEST)).offset;
      const records = await client.readAll(name, 0, start);
      current.verify(start, records);
      for (const outside of [start - 1, start + records.length + 1]) {
        const answer = await client.fetch(name, 0, outside);
        if (answer.errorCode !== ErrorCode.OFFSET_OUT_OF_RANGE)
          throw new Error(`${name}: offset ${outside} is answered with error ${answer.errorCode}`);
      }
      seen.push(`${name}: ${records.map(({ offset, value }) => `${offset}=${value}`).join(' ')}`);
    }
    seen.push(await this.compacted.verify(client, known.has(this.compacted.name)), await this.groups.verify(client));
    return seen.join('\n');
  }
}

/** Whether the broker's process died under a request. */
export function isDeath(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return error instanceof ConnectionLost || code === 'ECONNREFUSED' || code === 'ECONNRESET' || code === 'EPIPE';
}
