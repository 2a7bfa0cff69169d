/**
 * Main's read view of one partition: what may be read, and where it lies. Built only from what the partition's shard says through its completion
 * ring, in ring order, so it needs no lock and never looks into another thread's structures.
 *
 * Always: segments ascend, are adjacent in offsets, and the last is the active one; `highWatermark` is the end offset of the last readable batch,
 * which ends at `endPosition` of its segment; bytes behind that position are never served, whatever the file holds there.
 */
import type { TopicConfig } from '../config/topic-config.ts';
import { assert } from '../lib/assert.ts';
import type { LinkedList } from '../lib/linked-list.ts';
import { endOffsetForEpoch, type EpochEnd } from '../log/epochs.ts';
import type { EpochStart, PartitionState, SegmentState } from '../log/partition-state.ts';
import { DamageList } from './damage.ts';
import { PositionHints } from './position-hints.ts';
import { SegmentView } from './segment-view.ts';
import type { ShardLink } from './shard-link.ts';
import { SparseIndex } from './sparse-index.ts';
import type { Watch } from './watch.ts';

/** `opening`: the shard has not taken it over yet. `moving`: between two shards; readable, appends wait. `offline`: the shard refused it, or it is deleted. */
export type ViewState = 'opening' | 'online' | 'moving' | 'offline';

/** Who wants to know that more can be read (long polls). */
export interface ReadableListener {
  onViewChanged(view: PartitionView): void;
}

/** What the views of a broker share. */
export interface ViewHost {
  /** The view has new readable data, or changed in another way that a waiting fetch must see. Called at most once until `view.changed` is cleared. */
  onViewChanged(view: PartitionView): void;
  /** Everything up to the segment's end is readable and nothing will be added: its index may be written. */
  onSealed(view: PartitionView, segment: SegmentView): void;
  /** Bytes at and behind `endPosition` of the segment are gone (cut, dropped, perhaps not on disk): shared reads of them must not be handed out any more. */
  onCut(view: PartitionView, segment: SegmentView, endPosition: number): void;
}

/** What a partition knows of its topic. */
export interface TopicOfPartition {
  readonly name: string;
  /** 22 characters, base64url. */
  readonly id: string;
  readonly config: TopicConfig;
  /** The broker's own: clients may read it, and change nothing in it. */
  readonly internal: boolean;
  /** Set when the topic left the router: who still holds it answers as for an unknown one. */
  readonly deleted: boolean;
}

/** See the file header. */
export class PartitionView {
  /** Unique for the life of the process. */
  readonly handle: number;
  readonly partition: number;
  readonly topic: TopicOfPartition;
  /** The shard that owns the partition; changes when it moves. */
  link: ShardLink;
  leaderEpoch: number;
  logStartOffset = 0;
  /** Offset of the next record to become readable. */
  highWatermark = 0;
  state: ViewState = 'opening';
  /** Grows at every move between shards. */
  moveNumber = 0;
  /** Offsets from here on may not be on disk although they read back: not served until the next start has secured or cut them. Infinity: none. */
  unsecuredFrom = Infinity;
  /** Set between a change and the wake-up of those who wait for it. */
  changed = false;
  /** Fetches that wait for this view; null while none ever did. */
  waiters: LinkedList<Watch> | null = null;
  readonly damage = new LazyDamage();
  readonly hints = new PositionHints();
  /** Between two entries of an index; segments that have none yet take it over. */
  indexIntervalBytes: number;
  private readonly host: ViewHost;
  private segmentList: SegmentView[] = [];
  private epochList: EpochStart[] = [];
  private onlineCallbacks: (() => void)[] | null = null;

  constructor(
    handle: number,
    partition: number,
    topic: TopicOfPartition,
    link: ShardLink,
    leaderEpoch: number,
    indexIntervalBytes: number,
    host: ViewHost,
  ) {
    this.handle = handle;
    this.partition = partition;
    this.topic = topic;
    this.link = link;
    this.leaderEpoch = leaderEpoch;
    this.indexIntervalBytes = indexIntervalBytes;
    this.host = host;
  }

  /** All segments, ascending; the last one is active. */
  get segments(): readonly SegmentView[] {
    return this.segmentList;
  }

  /** The segment that grows; undefined before the first record. */
  get active(): SegmentView | undefined {
    return this.segmentList[this.segmentList.length - 1];
  }

  /** Takes over the partition as recovery or a move left it. Segments already known keep what is known of them. */
  loadState(state: Readonly<PartitionState>): void {
    this.moveNumber = state.moveNumber;
    this.logStartOffset = state.logStartOffset;
    this.epochList = [...state.epochs];
    this.damage.load(state.damaged);
    this.replaceSegments(state);
    this.highWatermark = state.endOffset;
    this.markChanged();
  }

  /** A batch became readable. Called by the completion drain for every batch, in ring order; allocates nothing but a rare index growth. */
  onReadable(baseOffset: number, lastOffsetDelta: number, position: number, length: number, maxTimestamp: number): void {
    let segment = this.segmentList[this.segmentList.length - 1];
    // The last batches of a segment may become readable after its successor was announced.
    if (segment !== undefined && baseOffset < segment.baseOffset) segment = this.segmentList[this.segmentIndexOf(baseOffset)];
    assert(segment !== undefined, 'readable batch before its segment was announced');
    assert(position === segment.endPosition, `readable batch at ${position}, expected ${segment.endPosition}`);
    assert(baseOffset >= this.highWatermark, `readable batch of offset ${baseOffset} below the watermark ${this.highWatermark}`);
    const index = (segment.index ??= new SparseIndex(this.indexIntervalBytes, position, segment.endOffset));
    index.onBatch(baseOffset, position, maxTimestamp);
    const endOffset = baseOffset + lastOffsetDelta + 1;
    segment.endOffset = endOffset;
    segment.endPosition = position + length;
    if (maxTimestamp > segment.maxTimestamp) segment.maxTimestamp = maxTimestamp;
    const lastEpoch = this.epochList[this.epochList.length - 1];
    if (lastEpoch === undefined || lastEpoch.epoch < this.leaderEpoch)
      this.epochList.push({ epoch: this.leaderEpoch, startOffset: baseOffset });
    this.highWatermark = endOffset;
    if (segment.endPosition === segment.sealedAt) this.seal(segment);
    if (!this.changed) this.markChanged();
  }

  /**
   * A new active segment begins. It takes the place of an empty one with the same base offset (another file, from the pool); that one is returned, its
   * descriptor is the caller's to close.
   */
  onRolled(baseOffset: number, capacity: number, previousEndPosition: number): SegmentView | null {
    const previous = this.active;
    const segment = new SegmentView({ baseOffset, endOffset: baseOffset, endPosition: 0, maxTimestamp: -1, capacity }, 0);
    if (previous === undefined) {
      this.segmentList.push(segment);
      return null;
    }
    if (previous.baseOffset === baseOffset) {
      assert(previous.endPosition === 0, 'only an empty segment is replaced');
      this.segmentList[this.segmentList.length - 1] = segment;
      this.drop(previous);
      return previous;
    }
    assert(baseOffset > previous.baseOffset, 'a new segment begins behind the one before');
    this.segmentList.push(segment);
    previous.sealedAt = previousEndPosition;
    if (previous.endPosition === previousEndPosition) this.seal(previous);
    return null;
  }

  /** A failed sync may have left out what lies from `offset` on. What was read of it already is not handed out any more either. */
  onUnsecured(offset: number): void {
    this.unsecuredFrom = Math.min(this.unsecuredFrom, offset);
    for (const segment of this.segmentList) if (segment.endOffset > offset) this.host.onCut(this, segment, 0);
    this.markChanged();
  }

  /** The log was cut (or starts elsewhere) as `state` says; untouched segments keep what is known of them. */
  onTruncated(state: Readonly<PartitionState>): void {
    this.logStartOffset = state.logStartOffset;
    this.epochList = [...state.epochs];
    this.hints.clear();
    this.replaceSegments(state);
    this.highWatermark = state.endOffset;
    this.pruneDamage(this.highWatermark);
    this.markChanged();
  }

  /** Records below `offset` no longer belong to the log. Returns the segments dropped with them; their descriptors are the caller's to close. */
  onLogStartSet(offset: number, retiredBaseOffsets: readonly number[]): SegmentView[] {
    this.logStartOffset = offset;
    const retired = this.segmentList.filter((segment) => retiredBaseOffsets.includes(segment.baseOffset));
    this.segmentList = this.segmentList.filter((segment) => !retired.includes(segment));
    for (const segment of retired) this.drop(segment);
    if (this.segmentList.length === 0) this.hints.clear();
    if (offset > this.highWatermark) this.highWatermark = offset;
    this.pruneDamage(Infinity);
    this.markChanged();
    return retired;
  }

  /**
   * Compacted segments take the place of others. Returns those; their descriptors are the caller's to close. Who was about to read one looks the place up again, in
   * the new ones.
   */
  onReplaced(by: readonly Readonly<SegmentState>[], replaced: readonly Readonly<SegmentState>[]): SegmentView[] {
    const gone = this.segmentList.filter((segment) =>
      replaced.some(({ baseOffset, revision = 0 }) => baseOffset === segment.baseOffset && revision === segment.revision),
    );
    // The job had them on disk, and nobody has read them yet: they are checked when first read.
    const fresh = by.map((state) => new SegmentView(state, Infinity));
    this.segmentList = [...this.segmentList.filter((segment) => !gone.includes(segment)), ...fresh].sort(
      (a, b) => a.baseOffset - b.baseOffset,
    );
    for (const segment of gone) this.drop(segment);
    // A hole is a place in a file; what was read without fault for the new one is none.
    for (const { baseOffset, endOffset } of by) this.damage.forget(baseOffset, endOffset);
    this.hints.clear();
    this.markChanged();
    return gone;
  }

  /** Index in {@link segments} of the one that holds `offset` (or would); −1 when `offset` lies before the first. */
  segmentIndexOf(offset: number): number {
    let low = 0;
    let high = this.segmentList.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.segmentList[middle] as SegmentView).baseOffset <= offset) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** A reader waits at `offset`: if that is the end, the next batch goes where the log ends now, and the reader will need no lookup. */
  rememberEnd(offset: number): void {
    const { active } = this;
    if (active !== undefined && active.endPosition > 0 && offset === this.highWatermark)
      this.hints.remember(offset, active.endPosition, offset);
  }

  /** Leader epoch of the record at `offset`; −1 unknown. */
  epochOf(offset: number): number {
    let epoch = -1;
    for (const start of this.epochList) {
      if (start.startOffset > offset) break;
      epoch = start.epoch;
    }
    return epoch;
  }

  /** End of the largest leader epoch at most `epoch`, as OffsetForLeaderEpoch answers it; both −1 for an epoch that is unknown. */
  epochEnd(epoch: number): EpochEnd {
    // The leader's own epoch begins at the watermark until it has appended something.
    if (epoch === this.leaderEpoch) return { epoch, endOffset: this.highWatermark };
    if (epoch > this.leaderEpoch || epoch === -1) return { epoch: -1, endOffset: -1 };
    const found = endOffsetForEpoch({ epochs: this.epochList, endOffset: this.highWatermark }, epoch);
    // An epoch before all that are known ends where the first one of them begins.
    return found.epoch === -1 ? { epoch, endOffset: this.epochList[0]?.startOffset ?? this.highWatermark } : found;
  }

  /** Bytes of all segments together. */
  get bytes(): number {
    let bytes = 0;
    for (const segment of this.segmentList) bytes += segment.endPosition;
    return bytes;
  }

  /** Runs `callback` once the view is neither opening nor moving: at once if that is so now. It then looks at `state` itself. */
  onceOnline(callback: () => void): void {
    if (this.state === 'online' || this.state === 'offline') callback();
    else (this.onlineCallbacks ??= []).push(callback);
  }

  /** Changes the state, wakes who waited for it. */
  becomeState(state: ViewState): void {
    this.state = state;
    if (state === 'online' || state === 'offline') {
      const callbacks = this.onlineCallbacks;
      this.onlineCallbacks = null;
      if (callbacks !== null) for (const callback of callbacks) callback();
    }
    this.markChanged();
  }

  /** Forgets all segments (the topic is deleted). Returns them; their descriptors are the caller's to close. */
  dropSegments(): SegmentView[] {
    const segments = this.segmentList;
    this.segmentList = [];
    for (const segment of segments) this.drop(segment);
    this.hints.clear();
    this.markChanged();
    return segments;
  }

  /**
   * Damage goes with its segment: whoever follows the batches of the first one has to get past it, whether its records are deleted or not. Above the log start
   * it stays, also where no segment holds its offsets.
   */
  private pruneDamage(endOffset: number): void {
    const { logStartOffset } = this;
    this.damage.prune(Math.min(logStartOffset, this.segmentList[0]?.baseOffset ?? logStartOffset), endOffset);
  }

  private markChanged(): void {
    if (this.changed || this.waiters === null || this.waiters.size === 0) return;
    this.changed = true;
    this.host.onViewChanged(this);
  }

  private seal(segment: SegmentView): void {
    // From now on nobody writes to it: what was trusted because it had just been appended is checked once when it is read from the sealed file.
    segment.trustedFrom = Infinity;
    this.host.onSealed(this, segment);
  }

  private drop(segment: SegmentView): void {
    segment.retired = true;
    this.host.onCut(this, segment, 0);
  }

  private replaceSegments(state: Readonly<PartitionState>): void {
    const known = new Map<number, SegmentView>();
    for (const segment of this.segmentList) known.set(segment.baseOffset, segment);
    const last = state.segments.length - 1;
    this.segmentList = state.segments.map((next, i) => {
      const found = known.get(next.baseOffset);
      const segment = found?.revision === (next.revision ?? 0) ? found : undefined;
      // Bytes up to endPosition were written in an earlier life or by another shard: they are checked when first read.
      if (segment === undefined) return new SegmentView(next, i === last ? next.endPosition : Infinity);
      known.delete(next.baseOffset);
      if (next.endPosition < segment.endPosition) {
        this.host.onCut(this, segment, next.endPosition);
        segment.cut(next.endOffset, next.endPosition, next.maxTimestamp);
        if (segment.trustedFrom !== Infinity) segment.trustedFrom = Math.min(segment.trustedFrom, next.endPosition);
      } else if (next.endPosition > segment.endPosition) {
        // Secured by the old shard while the partition moved, without having been announced batch by batch.
        assert(next.endOffset >= segment.endOffset, 'a segment grows in offsets as in bytes');
        segment.index = null;
        segment.endOffset = next.endOffset;
        segment.endPosition = next.endPosition;
        segment.maxTimestamp = next.maxTimestamp;
      }
      if (i === last) {
        segment.sealedAt = -1;
        if (segment.trustedFrom === Infinity) segment.trustedFrom = segment.endPosition;
      }
      return segment;
    });
    for (const segment of known.values()) this.drop(segment);
  }
}

/** The damage of a partition; almost none has any, so the list is made with the first. */
class LazyDamage {
  private list: DamageList | null = null;

  /** True when the partition has refused ranges. */
  get any(): boolean {
    return this.list !== null;
  }

  /** The list, made if necessary. */
  get all(): DamageList {
    return (this.list ??= new DamageList());
  }

  load(ranges: PartitionState['damaged']): void {
    for (const range of ranges) this.all.refuse(range.from, range.to);
  }

  /** Whether `offset` is refused. */
  has(offset: number): boolean {
    return this.list !== null && this.list.has(offset);
  }

  /** First refused offset at or behind `offset`; Infinity when there is none. */
  nextFrom(offset: number): number {
    return this.list === null ? Infinity : this.list.nextFrom(offset);
  }

  forget(from: number, to: number): void {
    this.list?.forget(from, to);
  }

  prune(logStartOffset: number, endOffset: number): void {
    this.list?.prune(logStartOffset, endOffset);
  }
}
