/**
 * The partitions that one fetch looks at, in the order in which its answer is filled: those of the request, or those of its session that may have
 * something to tell. Arrays that are made once and filled again; partitions of the same topic that follow each other share an entry of the topic arrays.
 */
import type { FetchView } from '../protocol/fetch-view.ts';
import type { FetchWindow } from './fetch-windows.ts';
import type { PartitionView } from './partition-view.ts';
import type { Router, Topic } from './router.ts';

const CAPACITY_INITIAL = 16;
const NO_NAME = Buffer.alloc(0);

/** First version that names topics by id. */
export const TOPIC_ID_VERSION = 13;

/** See the file header. `Member`: what a session knows of a partition. */
export class FetchTargets<Member = unknown> {
  /** Partitions: entries behind them mean nothing. */
  count = 0;
  /** Entries of the topic arrays. */
  topicCount = 0;
  capacity = CAPACITY_INITIAL;
  /** Entry of the topic arrays, per partition, as the next five. */
  topicOf = new Int32Array(CAPACITY_INITIAL);
  /** As the client wrote it; may be anything. */
  partitionIndex = new Int32Array(CAPACITY_INITIAL);
  offset = new Float64Array(CAPACITY_INITIAL);
  /** Most bytes wanted; may be anything. */
  bytesMax = new Int32Array(CAPACITY_INITIAL);
  /** −1: not told. */
  leaderEpoch = new Int32Array(CAPACITY_INITIAL);
  errors = new Int32Array(CAPACITY_INITIAL);
  readonly views: (PartitionView | undefined)[] = [];
  /** What is read for the answer; null: nothing. */
  readonly windows: (FetchWindow | null)[] = [];
  /** The partition of the session; null without session. */
  readonly members: (Member | null)[] = [];
  /** Per topic entry: undefined when there is no such topic. */
  readonly topics: (Topic | undefined)[] = [];
  /** Per topic entry: where its name, or its 16-byte id, stands. */
  readonly names: Buffer[] = [];
  readonly namePosition: number[] = [];
  readonly nameLength: number[] = [];

  /** Forgets everything; whoever holds windows has released them. The arrays keep their length: a shorter one would be allocated anew with the next fetch. */
  clear(): void {
    for (let i = 0; i < this.count; i++) {
      this.views[i] = undefined;
      this.windows[i] = null;
      this.members[i] = null;
    }
    for (let t = 0; t < this.topicCount; t++) {
      this.topics[t] = undefined;
      this.names[t] = NO_NAME;
    }
    this.count = 0;
    this.topicCount = 0;
  }

  /**
   * Fills in the partitions of a request, going on where it stopped the last time; `most` topics and partitions at once.
   * Returns whether that was all.
   */
  addRequest(request: FetchView, bytes: Buffer, router: Router, most: number): boolean {
    let left = most;
    for (;;) {
      const t = this.topicCount - 1;
      if (t >= 0) {
        const end = request.topicEndPartition(t);
        const stop = Math.min(end, this.count + left);
        left -= stop - this.count;
        this.addPartitions(request, this.topics[t], stop);
        if (stop < end) return false;
      }
      if (t + 1 === request.topicCount) return true;
      if (left <= 0) return false;
      left--;
      this.addTopicOf(request, t + 1, bytes, router);
    }
  }

  private addTopicOf(request: FetchView, t: number, bytes: Buffer, router: Router): void {
    const position = request.topicPosition[t] as number;
    const length = request.topicLength[t] as number;
    const byId = request.version >= TOPIC_ID_VERSION;
    const topic = byId ? router.topicByIdBytes(bytes, position) : router.topicByNameBytes(bytes, position, length);
    this.addTopic(topic, bytes, position, length);
  }

  /** Those of the request from `count` on, which stand there in the same order. */
  private addPartitions(request: FetchView, topic: Topic | undefined, end: number): void {
    for (let i = this.count; i < end; i++) {
      const index = request.partitionIndex[i] as number;
      this.addPartition(
        topic?.partitions[index],
        index,
        request.fetchOffset[i] as number,
        request.partitionMaxBytes[i] as number,
        request.currentLeaderEpoch[i] as number,
        null,
      );
    }
  }

  /** Adds a topic: the partitions added next belong to it. */
  addTopic(topic: Topic | undefined, name: Buffer, position: number, length: number): void {
    const t = this.topicCount++;
    this.topics[t] = topic;
    this.names[t] = name;
    this.namePosition[t] = position;
    this.nameLength[t] = length;
  }

  /** Adds a partition of the topic added last. */
  addPartition(
    view: PartitionView | undefined,
    index: number,
    offset: number,
    bytesMax: number,
    leaderEpoch: number,
    member: Member | null,
  ): void {
    if (this.count === this.capacity) this.grow();
    const i = this.count++;
    this.topicOf[i] = this.topicCount - 1;
    this.partitionIndex[i] = index;
    this.offset[i] = offset;
    this.bytesMax[i] = bytesMax;
    this.leaderEpoch[i] = leaderEpoch;
    this.errors[i] = 0;
    this.views[i] = view;
    this.windows[i] = null;
    this.members[i] = member;
  }

  /** Topic of partition `i`. */
  topic(i: number): Topic | undefined {
    return this.topics[this.topicOf[i] as number];
  }

  private grow(): void {
    this.capacity *= 2;
    this.topicOf = enlarge(this.topicOf, new Int32Array(this.capacity));
    this.partitionIndex = enlarge(this.partitionIndex, new Int32Array(this.capacity));
    this.offset = enlarge(this.offset, new Float64Array(this.capacity));
    this.bytesMax = enlarge(this.bytesMax, new Int32Array(this.capacity));
    this.leaderEpoch = enlarge(this.leaderEpoch, new Int32Array(this.capacity));
    this.errors = enlarge(this.errors, new Int32Array(this.capacity));
  }
}

function enlarge<T extends Int32Array | Float64Array>(old: T, larger: T): T {
  larger.set(old);
  return larger;
}
