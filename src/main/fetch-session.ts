/**
 * One incremental fetch session (KIP-227): what a client has asked for so far, and what it was told of each partition.
 *
 *              asked for, or asked for anew      it has nothing to tell (answered)
 *     request ────────────────────────────► due ───────────────────────────────────► resting
 *                                            ▲                                          │
 *                                            └──────────────────────────────────────────┘
 *                                              its view has changed
 *
 * A fetch looks at the due partitions only, so an idle session costs nothing, however many partitions it has. Due partitions stand in a line; who was
 * given records goes to its end, so that an answer that is full starts with others the next time.
 *
 * Always: a resting partition has no error, no readable record at its offset, and nothing that its client was not told; its view will tell it of a change.
 */
import { LinkedList, type Linked } from '../lib/linked-list.ts';
import { ErrorCode } from '../protocol/errors.ts';
import type { FetchView } from '../protocol/fetch-view.ts';
import type { FetchTargets } from './fetch-targets.ts';
import type { PartitionView, ReadableListener } from './partition-view.ts';
import type { CloseListener, RequestConnection } from './requests.ts';
import type { Topic } from './router.ts';
import { Watch } from './watch.ts';

/** What a session is taken to cost in memory, bytes: itself, each topic beside its name, each partition. About what they take. */
const SESSION_BYTES = 512;
const TOPIC_BYTES = 256;
const PARTITION_BYTES = 256;

/** Finds topics by their bytes in a request. */
export interface TopicFinder {
  topicByNameBytes(bytes: Buffer, position: number, length: number): Topic | undefined;
  topicByIdBytes(bytes: Buffer, position: number): Topic | undefined;
}

/** A fetch that waits for its session. */
export interface SessionWaiter {
  /** A partition of the session has something to tell. */
  onSessionChanged(): void;
  /** The session ended, or another fetch goes on with it: nothing more comes. */
  onSessionLost(): void;
}

/** What a session tells those who keep it. */
export interface SessionKeeper {
  /** The connection that used the session last is gone. */
  onAbandoned(session: FetchSession): void;
}

/** A topic of a session. */
class SessionTopic {
  /** Name, or 16-byte id. */
  readonly name: Buffer;
  readonly key: string;
  readonly partitions = new Map<number, SessionPartition>();
  private readonly byId: boolean;
  private found: Topic | undefined = undefined;

  constructor(name: Buffer, key: string, byId: boolean) {
    this.name = name;
    this.key = key;
    this.byId = byId;
  }

  /** The topic as it is now: one of the same name may have taken the place of a deleted one. */
  resolve(topics: TopicFinder): Topic | undefined {
    if (this.found === undefined || this.found.deleted)
      this.found = this.byId ? topics.topicByIdBytes(this.name, 0) : topics.topicByNameBytes(this.name, 0, this.name.length);
    return this.found;
  }

  isNamed(bytes: Buffer, position: number, length: number): boolean {
    const { name } = this;
    if (name.length !== length) return false;
    for (let index = 0; index < length; index++) if (name[index] !== bytes[position + index]) return false;
    return true;
  }
}

/** A partition of a session. */
export class SessionPartition implements ReadableListener, Linked<SessionPartition> {
  next: SessionPartition | null = null;
  previous: SessionPartition | null = null;
  readonly session: FetchSession;
  readonly topic: SessionTopic;
  readonly index: number;
  offset = 0;
  bytesMax = 0;
  leaderEpoch = -1;
  view: PartitionView | undefined = undefined;
  /** Stands in the line of its session. */
  due = false;
  /** What the client knows; −1: nothing, or an error. */
  private toldHighWatermark = -1;
  private toldLogStartOffset = -1;
  /** Waits for the view that will tell of a change. */
  private readonly place = new Watch(this);

  constructor(session: FetchSession, topic: SessionTopic, index: number) {
    this.session = session;
    this.topic = topic;
    this.index = index;
  }

  onViewChanged(): void {
    // Once is enough: it watches again when it has nothing to tell.
    this.unwatch();
    this.session.onPartitionChanged(this);
  }

  /** Whether the client has to be told about a partition without error and without records. */
  get isChanged(): boolean {
    const view = this.view as PartitionView;
    return this.toldHighWatermark !== view.highWatermark || this.toldLogStartOffset !== view.logStartOffset;
  }

  /** An answer tells the client `error`, or what the view says, and gives records or none. */
  onAnswered(error: number, hasRecords: boolean): void {
    const { view } = this;
    if (error !== ErrorCode.NONE || view === undefined) {
      // When the error goes away the partition is told again, whatever it was before.
      this.toldHighWatermark = -1;
      this.toldLogStartOffset = -1;
      this.session.onFailed(this);
      return;
    }
    this.toldHighWatermark = view.highWatermark;
    this.toldLogStartOffset = view.logStartOffset;
    if (hasRecords) this.session.onServed(this);
    else if (this.offset >= view.highWatermark && isReadable(view)) this.session.onRest(this);
  }

  /** The view tells of its next change. */
  watch(): void {
    if (this.view === undefined) this.place.end();
    else if (this.place.view !== this.view) this.place.begin(this.view);
  }

  /** The view tells of nothing any more. */
  unwatch(): void {
    this.place.end();
  }
}

/** See the file header. */
export class FetchSession implements CloseListener, Linked<FetchSession> {
  next: FetchSession | null = null;
  previous: FetchSession | null = null;
  readonly id: number;
  /** Names topics by their id; a session keeps to one of both ways. */
  readonly byId: boolean;
  readonly createdMs: number;
  /** What its next request has to say. */
  epoch = 1;
  lastUsedMs: number;
  /** It was in use for long enough to make place for a larger one. */
  established = false;
  /** The connection that used it last is gone. */
  abandoned = false;
  closed = false;
  /** Sessions that its connection opened before it and never used, in a row. */
  unusedBefore = 0;
  /** Partitions. */
  size = 0;
  /** What it is taken to cost in memory. */
  bytes = SESSION_BYTES;
  private readonly keeper: SessionKeeper;
  private readonly line = new LinkedList<SessionPartition>();
  private readonly topics = new Map<string, SessionTopic>();
  /** The topic looked up last: most requests name few. */
  private recent: SessionTopic | null = null;
  private connection: RequestConnection | null = null;
  private waiter: SessionWaiter | null = null;

  constructor(id: number, byId: boolean, nowMs: number, keeper: SessionKeeper) {
    this.id = id;
    this.byId = byId;
    this.createdMs = nowMs;
    this.lastUsedMs = nowMs;
    this.keeper = keeper;
  }

  /** Partitions that the next fetch looks at. */
  get dueCount(): number {
    return this.line.size;
  }

  /** Whether no request has gone on with it so far. */
  get isUnused(): boolean {
    return this.epoch === 1 && this.lastUsedMs === this.createdMs && !this.closed;
  }

  /** Takes over what an incremental request says: forgotten partitions go last, as in Kafka. */
  update(request: FetchView, bytes: Buffer): void {
    for (let t = 0; t < request.topicCount; t++) {
      const end = request.topicEndPartition(t);
      const first = request.topicFirstPartition[t] as number;
      if (first === end) continue;
      const topic = this.topicOf(bytes, request.topicPosition[t] as number, request.topicLength[t] as number);
      for (let i = first; i < end; i++)
        this.put(
          topic,
          request.partitionIndex[i] as number,
          request.fetchOffset[i] as number,
          request.partitionMaxBytes[i] as number,
          request.currentLeaderEpoch[i] as number,
        );
    }
    const { forgotten } = request;
    for (let i = 0; i < forgotten.partitionCount; i++) {
      const t = forgotten.partitionTopic[i] as number;
      this.forget(bytes, forgotten.topicPosition[t] as number, forgotten.topicLength[t] as number, forgotten.partitionIndex[i] as number);
    }
  }

  /** Takes over the partitions of a full request, as the session's first: they become the members of `targets`. */
  adopt(targets: FetchTargets<SessionPartition>): void {
    for (let i = 0; i < targets.count; i++) {
      const t = targets.topicOf[i] as number;
      const topic = this.topicOf(targets.names[t] as Buffer, targets.namePosition[t] as number, targets.nameLength[t] as number);
      const member = this.put(
        topic,
        targets.partitionIndex[i] as number,
        targets.offset[i] as number,
        targets.bytesMax[i] as number,
        targets.leaderEpoch[i] as number,
      );
      member.view = targets.views[i];
      targets.members[i] = member;
    }
  }

  /** Fills in the due partitions, in the order of their line. */
  collect(targets: FetchTargets<SessionPartition>, topics: TopicFinder): void {
    let topic: SessionTopic | null = null;
    for (let member = this.line.first; member !== null; member = member.next) {
      const found = member.topic.resolve(topics);
      if (member.topic !== topic) {
        topic = member.topic;
        targets.addTopic(found, topic.name, 0, topic.name.length);
      }
      member.view = found?.partitions[member.index];
      targets.addPartition(member.view, member.index, member.offset, member.bytesMax, member.leaderEpoch, member);
    }
  }

  /** From now on `waiter` is told; who was told before has lost the session. */
  becomeAwaited(waiter: SessionWaiter): void {
    const previous = this.waiter;
    this.waiter = waiter;
    previous?.onSessionLost();
  }

  /** `waiter` is told nothing any more. */
  leave(waiter: SessionWaiter): void {
    if (this.waiter === waiter) this.waiter = null;
  }

  /** A request of `connection` uses it. */
  becomeUsed(connection: RequestConnection): void {
    this.connection = connection;
    connection.closeListener = this;
  }

  onConnectionClosed(connection: RequestConnection): void {
    // It may be in use on another connection by now.
    if (this.connection !== connection) return;
    this.connection = null;
    if (!this.closed) this.keeper.onAbandoned(this);
  }

  /** Ends it: views tell it nothing any more. */
  close(): void {
    this.closed = true;
    for (const topic of this.topics.values()) for (const member of topic.partitions.values()) this.drop(member);
    this.topics.clear();
    this.recent = null;
    this.size = 0;
    const { waiter, connection } = this;
    this.waiter = null;
    this.connection = null;
    if (connection?.closeListener === this) connection.closeListener = null;
    waiter?.onSessionLost();
  }

  /** A partition has something to tell. */
  onPartitionChanged(member: SessionPartition): void {
    this.becomeDue(member);
    this.waiter?.onSessionChanged();
  }

  /** A partition has an error: it is told again and again. */
  onFailed(member: SessionPartition): void {
    this.becomeDue(member);
  }

  /** A partition was given records. */
  onServed(member: SessionPartition): void {
    if (member.due) this.line.moveToEnd(member);
  }

  /** A partition has nothing to tell. */
  onRest(member: SessionPartition): void {
    if (member.due) this.line.remove(member);
    member.due = false;
    member.view?.rememberEnd(member.offset);
    member.watch();
  }

  private put(topic: SessionTopic, index: number, offset: number, bytesMax: number, leaderEpoch: number): SessionPartition {
    let member = topic.partitions.get(index);
    if (member === undefined) {
      member = new SessionPartition(this, topic, index);
      topic.partitions.set(index, member);
      this.size++;
      this.bytes += PARTITION_BYTES;
    }
    member.offset = offset;
    member.bytesMax = bytesMax;
    member.leaderEpoch = leaderEpoch;
    this.becomeDue(member);
    return member;
  }

  private forget(bytes: Buffer, position: number, length: number, index: number): void {
    const topic = this.find(bytes, position, length);
    const member = topic?.partitions.get(index);
    if (topic === undefined || member === undefined) return;
    this.drop(member);
    topic.partitions.delete(index);
    this.size--;
    this.bytes -= PARTITION_BYTES;
    if (topic.partitions.size > 0) return;
    this.topics.delete(topic.key);
    this.bytes -= TOPIC_BYTES + 2 * topic.name.length;
    if (this.recent === topic) this.recent = null;
  }

  private drop(member: SessionPartition): void {
    member.unwatch();
    if (member.due) this.line.remove(member);
    member.due = false;
  }

  private becomeDue(member: SessionPartition): void {
    if (member.due) return;
    member.due = true;
    this.line.append(member);
  }

  private topicOf(bytes: Buffer, position: number, length: number): SessionTopic {
    let topic = this.find(bytes, position, length);
    if (topic === undefined) {
      const name = Buffer.from(bytes.subarray(position, position + length));
      topic = new SessionTopic(name, name.toString('latin1'), this.byId);
      this.topics.set(topic.key, topic);
      this.bytes += TOPIC_BYTES + 2 * length;
    }
    this.recent = topic;
    return topic;
  }

  private find(bytes: Buffer, position: number, length: number): SessionTopic | undefined {
    if (this.recent?.isNamed(bytes, position, length) === true) return this.recent;
    return this.topics.get(bytes.toString('latin1', position, position + length));
  }
}

/** Whether the view has no error of its own now: it may have changed since it was judged. */
function isReadable(view: PartitionView): boolean {
  return (view.state === 'online' || view.state === 'moving') && !view.topic.deleted;
}
