/**
 * The committed offsets of one group, and which partitions have a commit on its way to the log. Offsets change when their records are replayed; what is on
 * its way is known only so that a deletion covers it, too: its tombstones stand behind the commit in the log.
 */
import { assert } from '../lib/assert.ts';
import { OFFSET_BYTES, type GroupBudget } from './group-budget.ts';
import type { CommittedOffset } from './group-records.ts';
import type { PartitionName } from './group-requests.ts';

/** See the file header. */
export class GroupOffsets {
  private readonly topics = new Map<string, Map<number, CommittedOffset>>();
  /** Commits on their way, by topic and partition. */
  private readonly underWay = new Map<string, Map<number, number>>();
  private readonly budget: GroupBudget;

  constructor(budget: GroupBudget) {
    this.budget = budget;
  }

  get(topic: string, partition: number): CommittedOffset | undefined {
    return this.topics.get(topic)?.get(partition);
  }

  /** Topics with committed offsets. */
  topicNames(): IterableIterator<string> {
    return this.topics.keys();
  }

  /** The committed offsets of a topic. */
  *ofTopic(topic: string): Generator<readonly [partition: number, committed: CommittedOffset], void, undefined> {
    const partitions = this.topics.get(topic);
    if (partitions !== undefined) yield* partitions;
  }

  /** How many partitions of a topic have one. */
  countOf(topic: string): number {
    return this.topics.get(topic)?.size ?? 0;
  }

  /** Neither offsets nor commits on their way. */
  get isEmpty(): boolean {
    return this.topics.size === 0 && this.underWay.size === 0;
  }

  get hasUnderWay(): boolean {
    return this.underWay.size > 0;
  }

  /** From replay. */
  set(topic: string, partition: number, committed: CommittedOffset): void {
    let partitions = this.topics.get(topic);
    if (partitions === undefined) this.topics.set(topic, (partitions = new Map()));
    const before = partitions.get(partition);
    partitions.set(partition, committed);
    this.budget.add(offsetBytes(topic, committed.metadata) - (before === undefined ? 0 : offsetBytes(topic, before.metadata)));
  }

  /** From replay. */
  delete(topic: string, partition: number): void {
    const partitions = this.topics.get(topic);
    const before = partitions?.get(partition);
    if (partitions === undefined || before === undefined) return;
    partitions.delete(partition);
    this.budget.add(-offsetBytes(topic, before.metadata));
    if (partitions.size === 0) this.topics.delete(topic);
  }

  /** A commit of the partition goes to the log. */
  begin(topic: string, partition: number): void {
    let partitions = this.underWay.get(topic);
    if (partitions === undefined) this.underWay.set(topic, (partitions = new Map()));
    partitions.set(partition, (partitions.get(partition) ?? 0) + 1);
  }

  /** It has arrived, or failed. */
  end(topic: string, partition: number): void {
    const partitions = this.underWay.get(topic);
    const count = partitions?.get(partition);
    assert(partitions !== undefined && count !== undefined, 'a commit that ends has begun');
    if (count > 1) partitions.set(partition, count - 1);
    else partitions.delete(partition);
    if (partitions.size === 0) this.underWay.delete(topic);
  }

  isUnderWay(topic: string, partition: number): boolean {
    return this.underWay.get(topic)?.has(partition) ?? false;
  }

  /** Whether there is anything to delete: an offset, or a commit on its way. */
  has(topic: string, partition: number): boolean {
    return this.get(topic, partition) !== undefined || this.isUnderWay(topic, partition);
  }

  /** Every partition that {@link has} something, each once. */
  *all(): Generator<PartitionName, void, undefined> {
    for (const topic of new Set([...this.topics.keys(), ...this.underWay.keys()])) yield* this.allOf(topic);
  }

  /** The same for one topic. */
  *allOf(topic: string): Generator<PartitionName, void, undefined> {
    const committed = this.topics.get(topic);
    for (const partition of committed?.keys() ?? []) yield { topic, partition };
    for (const partition of this.underWay.get(topic)?.keys() ?? []) if (committed?.has(partition) !== true) yield { topic, partition };
  }
}

/** What it costs to keep an offset. */
export function offsetBytes(topic: string, metadata: string): number {
  return OFFSET_BYTES + 2 * metadata.length + (topic.length >>> 2);
}
