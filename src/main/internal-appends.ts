/**
 * What main itself appends, for the coordinators it hosts: records become a batch in an area of the receive slab that no client can fill, go to the
 * partition's shard by the same ring as produced batches, and their outcome is told in main's turn. Main only; never waits.
 *
 *   append → line of the partition → (online? room in the ring? memory?) → region, batch, ring ⇒ shard ⇒ completion → region free → outcome told
 *
 * Whoever finds no room waits, in the order of the calls: for the ring in the line of its link, among the clients who wait there; for memory in a line here.
 * What waits is limited; beyond that a call is refused.
 *
 * Always: of one partition, appends reach the ring in the order of their calls, and outcomes are told in that order, refusals among them, never within the
 * call; every call is told exactly one outcome. A region is free when its shard has said that it reads it no more, whatever was told before.
 */
import { assert } from '../lib/assert.ts';
import { ErrorCode } from '../protocol/errors.ts';
import { keyedBatchBytes, writeKeyedBatch, type KeyedRecord } from '../protocol/keyed-batch.ts';
import type { SlabAllocator } from '../ring/slab.ts';
import type { RingWaiter, ShardLink } from './shard-link.ts';

/** `baseOffset` is −1 unless `errorCode` is 0. */
export type OnAppended = (errorCode: number, baseOffset: number) => void;

/** A partition as its appends need it; main's PartitionView is one. */
export interface AppendTarget {
  readonly handle: number;
  readonly link: ShardLink;
  readonly state: 'opening' | 'online' | 'moving' | 'offline';
  readonly topic: { readonly deleted: boolean; readonly config: { readonly maxMessageBytes: number } };
  /** Calls back once the partition is neither opening nor moving. */
  onceOnline(callback: () => void): void;
}

export interface InternalAppendsOptions {
  /** The area of the receive slab for these batches. */
  readonly memory: SlabAllocator;
  /** Time given to records, ms since 1970. */
  readonly nowMs: () => number;
  /** {@link InternalAppends.serve} should be called soon. */
  readonly onDue: () => void;
  /** Most calls that wait for room. */
  readonly waitingMax?: number;
  /** Most bytes of batches that wait for room. */
  readonly waitingBytesMax?: number;
}

const WAITING_MAX = 10_000;
const WAITING_BYTES_MAX = 8 << 20;

/** What an attempt to submit found. `memory` and `ring`: the partition stands in that line now. */
type Pumped = 'all' | 'ring' | 'memory' | 'moving';

/** One call. */
class Append {
  readonly bytes: number;
  readonly done: OnAppended;
  /** Null once they are in a batch, or refused. */
  records: readonly KeyedRecord[] | null;
  settled = false;
  errorCode: number = ErrorCode.NONE;
  baseOffset = -1;
  /** Of its region. */
  position = -1;

  constructor(records: readonly KeyedRecord[], bytes: number, done: OnAppended) {
    this.records = records;
    this.bytes = bytes;
    this.done = done;
  }
}

/** The calls about one partition that are not told yet, in their order. */
class PartitionLine implements RingWaiter {
  readonly target: AppendTarget;
  readonly appends: Append[] = [];
  /** Index of the first that is neither submitted nor refused. */
  next = 0;
  /** It will be tried again when the partition is online. */
  waitsOnline = false;
  /** It stands among those whose outcomes are to be told. */
  isDue = false;
  private readonly owner: InternalAppends;

  constructor(target: AppendTarget, owner: InternalAppends) {
    this.target = target;
    this.owner = owner;
  }

  onRingRoom(link: ShardLink): boolean {
    return this.owner.onRingRoom(this, link);
  }
}

/** See the file header. */
export class InternalAppends {
  /** {@link serve} has something to do. */
  isDue = false;
  private readonly options: InternalAppendsOptions;
  private readonly waitingMax: number;
  private readonly waitingBytesMax: number;
  private readonly lines = new Map<AppendTarget, PartitionLine>();
  /** Lines that wait for memory, in order. */
  private readonly memoryLine = new Set<PartitionLine>();
  private due: PartitionLine[] = [];
  /** Submitted appends by the number that travels as their request: −1 for slot 0, −2 for slot 1 … */
  private readonly slots: (SubmittedAppend | undefined)[] = [];
  private readonly freeSlots: number[] = [];
  private waitingCount = 0;
  private waitingBytes = 0;
  private stopped = false;

  constructor(options: InternalAppendsOptions) {
    this.options = options;
    this.waitingMax = options.waitingMax ?? WAITING_MAX;
    this.waitingBytesMax = options.waitingBytesMax ?? WAITING_BYTES_MAX;
  }

  /** Calls that wait for room. */
  get waiting(): number {
    return this.waitingCount;
  }

  /** Appends whose bytes a shard may still read. */
  get inFlight(): number {
    return this.slots.length - this.freeSlots.length;
  }

  /**
   * Appends the records as one batch; they must not change until `done` is told. Outcomes, as coordinators answer them to their clients:
   *  - NONE: secured in the durability of the topic
   *  - COORDINATOR_NOT_AVAILABLE: too much waits already, or the broker stops; to be tried again
   *  - NOT_COORDINATOR: the partition or its disk takes nothing at present
   *  - UNKNOWN_SERVER_ERROR: they can never be appended, because they are too large
   */
  append(target: AppendTarget, records: readonly KeyedRecord[], done: OnAppended): void {
    let line = this.lines.get(target);
    if (line === undefined) {
      line = new PartitionLine(target, this);
      this.lines.set(target, line);
    }
    const append = new Append(records, keyedBatchBytes(records), done);
    line.appends.push(append);
    const refusal = this.refusalOf(target, append.bytes);
    this.waitingCount++;
    this.waitingBytes += append.bytes;
    if (refusal !== ErrorCode.NONE) this.refuse(line, append, refusal);
    this.pump(line, null, false);
  }

  /** A completion of one of these appends; `request` is below zero. */
  onCompletion(request: number, isAnswer: boolean, isLast: boolean, errorCode: number, baseOffset: number): void {
    const submitted = this.slots[-1 - request];
    assert(submitted !== undefined, `completion for append ${request}, which never was`);
    const { line, append } = submitted;
    if (isAnswer) this.settle(line, append, asCoordinatorError(errorCode), errorCode === ErrorCode.NONE ? baseOffset : -1);
    if (!isLast) return;
    this.slots[-1 - request] = undefined;
    this.freeSlots.push(-1 - request);
    this.options.memory.free(append.position, append.bytes);
    if (this.memoryLine.size > 0) this.becomeDue();
  }

  /** Gives memory to those who wait, and tells what has an outcome. To be called in main's turn. */
  serve(): void {
    this.isDue = false;
    for (const line of this.memoryLine) {
      if (this.pump(line, null, true) === 'memory') break;
      this.memoryLine.delete(line);
    }
    // Whoever is told may call again, and is told of that in the next turn.
    const { due } = this;
    this.due = [];
    for (const line of due) this.tell(line);
  }

  /** Nothing is appended any more: all that was not told an outcome is told COORDINATOR_NOT_AVAILABLE at once, although it may have been appended. */
  stop(): void {
    this.stopped = true;
    this.memoryLine.clear();
    for (const line of this.lines.values())
      for (const append of line.appends) if (!append.settled) this.refuse(line, append, ErrorCode.COORDINATOR_NOT_AVAILABLE);
    for (const line of this.lines.values()) line.next = line.appends.length;
    this.serve();
  }

  /** The line of `link` has come to `line`. Returns whether it needs that no longer. */
  onRingRoom(line: PartitionLine, link: ShardLink): boolean {
    return this.pump(line, link, false) !== 'ring' || line.target.link !== link;
  }

  private refusalOf({ topic }: AppendTarget, bytes: number): number {
    if (this.stopped) return ErrorCode.COORDINATOR_NOT_AVAILABLE;
    if (bytes > topic.config.maxMessageBytes || bytes > this.options.memory.capacity) return ErrorCode.UNKNOWN_SERVER_ERROR;
    const isTooMuch = this.waitingCount >= this.waitingMax || this.waitingBytes + bytes > this.waitingBytesMax;
    return isTooMuch && this.waitingCount > 0 ? ErrorCode.COORDINATOR_NOT_AVAILABLE : ErrorCode.NONE;
  }

  /** Submits what can be. `inLine`: it is its turn in that line; `hasTurn`: it is its turn for memory. */
  private pump(line: PartitionLine, inLine: ShardLink | null, hasTurn: boolean): Pumped {
    const { target, appends } = line;
    const { memory } = this.options;
    for (; line.next < appends.length; line.next++) {
      const append = appends[line.next] as Append;
      if (append.settled) continue;
      if (target.state === 'offline' || target.topic.deleted) {
        this.refuse(line, append, ErrorCode.NOT_COORDINATOR);
        continue;
      }
      if (target.state !== 'online') {
        this.tryOnceOnline(line);
        return 'moving';
      }
      const { link } = target;
      if ((link.line.size > 0 && link !== inLine) || !link.hasRoom(1)) {
        link.line.add(line);
        return 'ring';
      }
      const position = hasTurn || this.memoryLine.size === 0 ? memory.allocate(append.bytes) : -1;
      if (position === -1) {
        this.memoryLine.add(line);
        return 'memory';
      }
      this.submit(line, append, position);
    }
    return 'all';
  }

  private submit(line: PartitionLine, append: Append, position: number): void {
    const { memory, nowMs } = this.options;
    const end = writeKeyedBatch(memory.bytes, position, append.records as readonly KeyedRecord[], nowMs());
    assert(end - position === append.bytes, 'a batch is as long as was said');
    this.leaveWaiting(append);
    append.position = position;
    const slot = this.freeSlots.pop() ?? this.slots.length;
    this.slots[slot] = { line, append };
    const { link, handle } = line.target;
    link.append(position, append.bytes, -1 - slot, 0, handle);
    // The turn publishes what is left; a call from outside of a turn brings one about.
    link.maybePublish();
    this.options.onDue();
  }

  private tryOnceOnline(line: PartitionLine): void {
    if (line.waitsOnline) return;
    line.waitsOnline = true;
    line.target.onceOnline(() => {
      line.waitsOnline = false;
      this.pump(line, null, false);
    });
  }

  private refuse(line: PartitionLine, append: Append, errorCode: number): void {
    if (append.records !== null) this.leaveWaiting(append);
    this.settle(line, append, errorCode, -1);
  }

  /** It is submitted, or refused. */
  private leaveWaiting(append: Append): void {
    append.records = null;
    this.waitingCount--;
    this.waitingBytes -= append.bytes;
  }

  private settle(line: PartitionLine, append: Append, errorCode: number, baseOffset: number): void {
    // After a stop it was told already.
    if (append.settled) return;
    append.settled = true;
    append.errorCode = errorCode;
    append.baseOffset = baseOffset;
    if (append !== line.appends[0] || line.isDue) return;
    line.isDue = true;
    this.due.push(line);
    this.becomeDue();
  }

  private becomeDue(): void {
    if (this.isDue) return;
    this.isDue = true;
    this.options.onDue();
  }

  private tell(line: PartitionLine): void {
    line.isDue = false;
    let count = 0;
    while (line.appends[count]?.settled === true) count++;
    const told = line.appends.splice(0, count);
    line.next = Math.max(0, line.next - count);
    if (line.appends.length === 0) this.lines.delete(line.target);
    for (const { done, errorCode, baseOffset } of told) done(errorCode, baseOffset);
  }
}

interface SubmittedAppend {
  readonly line: PartitionLine;
  readonly append: Append;
}

/** What a coordinator tells its client of an error of its log, as Kafka's do. */
function asCoordinatorError(errorCode: number): number {
  switch (errorCode) {
    case ErrorCode.NONE:
      return ErrorCode.NONE;
    case ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
    case ErrorCode.REQUEST_TIMED_OUT:
    case ErrorCode.NOT_ENOUGH_REPLICAS:
    case ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND:
      return ErrorCode.COORDINATOR_NOT_AVAILABLE;
    case ErrorCode.NOT_LEADER_OR_FOLLOWER:
    case ErrorCode.KAFKA_STORAGE_ERROR:
      return ErrorCode.NOT_COORDINATOR;
    default:
      return ErrorCode.UNKNOWN_SERVER_ERROR;
  }
}
