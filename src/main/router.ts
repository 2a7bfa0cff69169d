/** Finds topics by the bytes in a request and partitions by their handle. Lookups on the hot path allocate nothing. Main only. */
import type { TopicConfig } from '../config/topic-config.ts';
import { assert } from '../lib/assert.ts';
import { TopicNameCache } from '../protocol/topic-name-cache.ts';
import { TOPIC_ID_BYTES } from '../protocol/view.ts';
import type { PartitionView, TopicOfPartition } from './partition-view.ts';

/** A topic as main sees it. */
export interface Topic extends TopicOfPartition {
  readonly partitions: readonly (PartitionView | undefined)[];
}

/** The same, for its one writer, the topic lifecycle. */
export interface MutableTopic extends Topic {
  config: TopicConfig;
  readonly partitions: (PartitionView | undefined)[];
  deleted: boolean;
}

/** See the file header. */
export class Router {
  private readonly byName = new Map<string, Topic>();
  private readonly byId = new Map<string, Topic>();
  private readonly names = new TopicNameCache();
  private readonly ids = new TopicNameCache();
  /** Topics by the number that both caches know them under; freed numbers are used again. */
  private readonly numbered: (Topic | undefined)[] = [];
  private readonly freeNumbers: number[] = [];
  private readonly numbers = new Map<Topic, number>();
  private readonly views = new Map<number, PartitionView>();
  /** Names of the visible topics, ascending; null until somebody wants to go through them in order. */
  private sortedNames: string[] | null = null;

  /** The topic named by `length` bytes at `position`. */
  topicByNameBytes(bytes: Buffer, position: number, length: number): Topic | undefined {
    const number = this.names.find(bytes, position, length);
    return number === -1 ? undefined : this.numbered[number];
  }

  /** The topic whose 16-byte id stands at `position`. */
  topicByIdBytes(bytes: Buffer, position: number): Topic | undefined {
    const number = this.ids.find(bytes, position, TOPIC_ID_BYTES);
    return number === -1 ? undefined : this.numbered[number];
  }

  topicByName(name: string): Topic | undefined {
    return this.byName.get(name);
  }

  /** @param id text form */
  topicById(id: string): Topic | undefined {
    return this.byId.get(id);
  }

  /** The partition with this handle, also while its topic is being created or deleted. */
  view(handle: number): PartitionView | undefined {
    return this.views.get(handle);
  }

  /** All visible topics. */
  topics(): IterableIterator<Topic> {
    return this.byName.values();
  }

  /** Names of the visible topics from `from` on, in ascending order (of UTF-16 units). Not to be changed while it is gone through. */
  *namesFrom(from: string): Generator<string, void, undefined> {
    const names = (this.sortedNames ??= [...this.byName.keys()].sort());
    for (let at = placeOf(names, from); at < names.length; at++) yield names[at] as string;
  }

  /** Number of visible topics. */
  get topicCount(): number {
    return this.byName.size;
  }

  /** Makes a partition known to its shard's completions. */
  addView(view: PartitionView): void {
    assert(!this.views.has(view.handle), 'a handle is used once');
    this.views.set(view.handle, view);
  }

  /** Forgets a partition: late completions for its handle find nothing. */
  removeView(handle: number): void {
    this.views.delete(handle);
  }

  /** Makes a topic visible to clients. */
  addTopic(topic: Topic): void {
    assert(!this.byName.has(topic.name) && !this.byId.has(topic.id), 'a topic is added once');
    const number = this.freeNumbers.pop() ?? this.numbered.length;
    this.numbered[number] = topic;
    this.numbers.set(topic, number);
    this.byName.set(topic.name, topic);
    const { sortedNames } = this;
    sortedNames?.splice(placeOf(sortedNames, topic.name), 0, topic.name);
    this.byId.set(topic.id, topic);
    this.names.set(topic.name, number);
    this.ids.set(Buffer.from(topic.id, 'base64url'), number);
  }

  /** Makes a topic invisible. */
  removeTopic(topic: Topic): void {
    const number = this.numbers.get(topic);
    assert(number !== undefined, 'only a visible topic is removed');
    this.names.delete(topic.name);
    this.ids.delete(Buffer.from(topic.id, 'base64url'));
    this.byName.delete(topic.name);
    const { sortedNames } = this;
    sortedNames?.splice(placeOf(sortedNames, topic.name), 1);
    this.byId.delete(topic.id);
    this.numbers.delete(topic);
    this.numbered[number] = undefined;
    this.freeNumbers.push(number);
  }
}

/** Index of the first of the ascending names that is not below `name`. */
function placeOf(names: readonly string[], name: string): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((names[middle] as string) < name) low = middle + 1;
    else high = middle;
  }
  return low;
}
