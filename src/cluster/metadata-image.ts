/**
 * What a broker knows of the topics, in memory and pure: it is fed with the store's changes, in order, and answers look-ups. It never
 * decides that something is gone: only the deletion of a topic's key takes the topic out, and only its tombstone says that its files may
 * go.
 */

import { assert } from '../lib/assert.ts';
import type { MetadataChange, MetadataEntry } from './metadata-store.ts';

export const TOPIC_PREFIX = 'topic/';
export const TOMBSTONE_PREFIX = 'tombstone/';

export interface TopicMetadata {
  /** 22 characters, see `topic-id.ts`. */
  readonly topicId: string;
  readonly name: string;
  /** Partitions are numbered 0 … partitionCount - 1. */
  readonly partitionCount: number;
  /** Settings that a client set; all others have their defaults. */
  readonly configs: Readonly<Record<string, string>>;
  readonly createdRevision: number;
  /** Revision of the last change; what compare-and-swap compares. */
  readonly revision: number;
}

/** A deleted topic whose files have not been removed yet. */
export interface Tombstone {
  readonly topicId: string;
  readonly name: string;
  readonly partitionCount: number;
  readonly deletedRevision: number;
}

/** Who leads a partition, and in which epoch. With a single broker it is always that broker. */
export interface PartitionState {
  readonly leader: number;
  readonly leaderEpoch: number;
  readonly replicas: readonly number[];
  readonly isr: readonly number[];
}

/** What a change meant for topics. */
export type TopicEvent =
  | { readonly type: 'created'; readonly topic: TopicMetadata }
  | { readonly type: 'changed'; readonly topic: TopicMetadata; readonly before: TopicMetadata }
  | { readonly type: 'deleted'; readonly topic: TopicMetadata }
  | { readonly type: 'tombstoned'; readonly tombstone: Tombstone }
  | { readonly type: 'removed'; readonly tombstone: Tombstone };

/** A topic as stored under `topic/<name>`. Fields are added, never given another meaning. */
export interface StoredTopic {
  readonly topicId: string;
  readonly partitionCount: number;
  readonly configs: Record<string, string>;
}

/** A tombstone as stored under `tombstone/<topicId>`. */
export interface StoredTombstone {
  readonly name: string;
  readonly partitionCount: number;
}

export class MetadataImage {
  readonly #topicsByName = new Map<string, TopicMetadata>();
  readonly #topicsById = new Map<string, TopicMetadata>();
  /** Names by their form with "." and "_" made equal; see `topic-name.ts`. */
  readonly #namesByCollisionForm = new Map<string, string>();
  readonly #tombstones = new Map<string, Tombstone>();
  /** Sum of all topics' partitions. */
  #partitionTotal = 0;
  #revision = 0;

  /** The last revision taken in. */
  get revision(): number {
    return this.#revision;
  }

  get partitionTotal(): number {
    return this.#partitionTotal;
  }

  topicByName(name: string): TopicMetadata | undefined {
    return this.#topicsByName.get(name);
  }

  topicById(topicId: string): TopicMetadata | undefined {
    return this.#topicsById.get(topicId);
  }

  topics(): IterableIterator<TopicMetadata> {
    return this.#topicsByName.values();
  }

  get topicCount(): number {
    return this.#topicsByName.size;
  }

  tombstone(topicId: string): Tombstone | undefined {
    return this.#tombstones.get(topicId);
  }

  tombstones(): IterableIterator<Tombstone> {
    return this.#tombstones.values();
  }

  /** The name of the topic whose collision form this is. */
  nameByCollisionForm(form: string): string | undefined {
    return this.#namesByCollisionForm.get(form);
  }

  /** Takes in what the store held at `revision`, into an empty image. */
  load(entries: readonly MetadataEntry[], revision: number): void {
    assert(this.#revision === 0 && this.#topicsByName.size === 0, 'an image is loaded once');
    for (const entry of entries) this.#put(entry);
    this.#revision = revision;
  }

  /** Takes in the next change; returns what it meant. */
  apply(change: MetadataChange): TopicEvent[] {
    assert(change.revision > this.#revision, `change ${change.revision} after ${this.#revision}`);
    const events: TopicEvent[] = [];
    for (const event of change.events) {
      const meaning = event.type === 'put' ? this.#put(event.entry) : this.#delete(event.key);
      if (meaning !== undefined) events.push(meaning);
    }
    this.#revision = change.revision;
    return events;
  }

  #put(entry: MetadataEntry): TopicEvent | undefined {
    if (entry.key.startsWith(TOPIC_PREFIX)) return this.#putTopic(topicOf(entry));
    if (entry.key.startsWith(TOMBSTONE_PREFIX)) {
      const tombstone = tombstoneOf(entry);
      this.#tombstones.set(tombstone.topicId, tombstone);
      return { type: 'tombstoned', tombstone };
    }
    return undefined;
  }

  #putTopic(topic: TopicMetadata): TopicEvent {
    const before = this.#topicsByName.get(topic.name);
    assert(before === undefined || before.topicId === topic.topicId, `topic ${topic.name} changed its id without being deleted`);
    this.#topicsByName.set(topic.name, topic);
    this.#topicsById.set(topic.topicId, topic);
    this.#namesByCollisionForm.set(collisionForm(topic.name), topic.name);
    this.#partitionTotal += topic.partitionCount - (before?.partitionCount ?? 0);
    return before === undefined ? { type: 'created', topic } : { type: 'changed', topic, before };
  }

  #delete(key: string): TopicEvent | undefined {
    if (key.startsWith(TOPIC_PREFIX)) {
      const topic = this.#topicsByName.get(key.slice(TOPIC_PREFIX.length));
      if (topic === undefined) return undefined;
      this.#topicsByName.delete(topic.name);
      this.#topicsById.delete(topic.topicId);
      this.#namesByCollisionForm.delete(collisionForm(topic.name));
      this.#partitionTotal -= topic.partitionCount;
      return { type: 'deleted', topic };
    }
    const tombstone = this.#tombstones.get(key.slice(TOMBSTONE_PREFIX.length));
    if (tombstone === undefined) return undefined;
    this.#tombstones.delete(tombstone.topicId);
    return { type: 'removed', tombstone };
  }
}

/** Two names collide when they differ only in "." against "_": both may become the same metric name. */
export function collisionForm(name: string): string {
  return name.replaceAll('.', '_');
}

function topicOf(entry: MetadataEntry): TopicMetadata {
  const stored = entry.value as StoredTopic;
  return Object.freeze({
    topicId: stored.topicId,
    name: entry.key.slice(TOPIC_PREFIX.length),
    partitionCount: stored.partitionCount,
    configs: Object.freeze({ ...stored.configs }),
    createdRevision: entry.createRevision,
    revision: entry.modRevision,
  });
}

function tombstoneOf(entry: MetadataEntry): Tombstone {
  const stored = entry.value as StoredTombstone;
  return Object.freeze({
    topicId: entry.key.slice(TOMBSTONE_PREFIX.length),
    name: stored.name,
    partitionCount: stored.partitionCount,
    deletedRevision: entry.modRevision,
  });
}
