/** Topics, partitions and views as produce sees them, without anything behind. */
import type { ProducePartition, ProduceTopic } from '../../src/main/handlers/00-produce.ts';
import type { IngressRouter } from '../../src/main/ingress.ts';
import type { ShardLink } from '../../src/main/shard-link.ts';

export class FakePartition implements ProducePartition {
  readonly handle: number;
  link: ShardLink;
  state: 'opening' | 'online' | 'moving' | 'offline' = 'online';
  logStartOffset = 0;
  readonly readable: { baseOffset: number; lastOffsetDelta: number; length: number }[] = [];
  private callbacks: (() => void)[] = [];

  constructor(handle: number, link: ShardLink) {
    this.handle = handle;
    this.link = link;
  }

  onceOnline(callback: () => void): void {
    this.callbacks.push(callback);
  }

  becomeOnline(): void {
    this.state = 'online';
    for (const callback of this.callbacks.splice(0)) callback();
  }

  onReadable(baseOffset: number, lastOffsetDelta: number, _position: number, length: number): void {
    this.readable.push({ baseOffset, lastOffsetDelta, length });
  }
}

export class FakeTopic implements ProduceTopic {
  internal = false;
  readonly config = {
    maxMessageBytes: 1024 * 1024 * 64,
    recordValidation: 'uncompressed' as 'uncompressed' | 'full',
    cleanupCompact: false,
    messageTimestampType: 'CreateTime' as const,
    messageTimestampBeforeMsMax: Infinity,
    messageTimestampAfterMsMax: Infinity,
  };
  readonly partitions: FakePartition[] = [];
}

export class FakeRouter implements IngressRouter {
  readonly topics = new Map<string, FakeTopic>();
  readonly views: FakePartition[] = [];

  addTopic(name: string, links: readonly ShardLink[]): FakeTopic {
    const topic = new FakeTopic();
    for (const link of links) {
      const partition = new FakePartition(this.views.length, link);
      this.views.push(partition);
      topic.partitions.push(partition);
    }
    this.topics.set(name, topic);
    return topic;
  }

  topicByNameBytes(bytes: Buffer, position: number, length: number): FakeTopic | undefined {
    return this.topics.get(bytes.toString('utf8', position, position + length));
  }

  /** Ids are known under their hex form. */
  topicByIdBytes(bytes: Buffer, position: number): FakeTopic | undefined {
    return this.topics.get(bytes.toString('hex', position, position + 16));
  }

  view(handle: number): FakePartition | undefined {
    return this.views[handle];
  }
}
