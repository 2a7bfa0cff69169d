/** The first half of recovery: what checkpoint and journal of one shard say, before a byte of a segment is looked at. Pure bookkeeping. */
import type { CheckpointPartition } from './checkpoint.ts';
import { noteEpoch } from './epochs.ts';
import { EntryType, NO_SEGMENT, type AppendEntry, type ControlEntry } from './journal-layout.ts';
import type { FoundGroup } from './journal-reader.ts';
import { raiseLogStart } from './log-start.ts';
import { emptyPartition, partitionKey, type PartitionState, type SegmentState } from './partition-state.ts';
import { ProducerHistory } from './producer-history.ts';
import { replaceSegments } from './replacement.ts';

/** An append that is above the checkpoint. */
export interface ReplayedAppend {
  readonly entry: AppendEntry;
  readonly sequence: number;
  readonly journalPath: string;
  /** Position of the inline bytes in the journal file. */
  readonly payloadAt: number;
  /** Largest timestamp of its segment without it and what follows. */
  readonly maxTimestampBefore: number;
}

/** A partition after the replay of one shard's journal. */
export interface ReplayedPartition {
  /** Its `producers` are those of the beginning, until recovery puts the outcome of `producers` there. */
  state: PartitionState;
  producers: ProducerHistory;
  /** In offset order; all lie within `state`. */
  appends: ReplayedAppend[];
  /** It left this shard: another shard's record of the same move is the continuation. */
  movedOut: boolean;
  /** Sequence of the last group that tells where it ended. */
  lastSequence: number;
}

/** What another shard knows of a partition that left it. */
export interface HandedOver {
  /** As it let go, under the move number of the one that took over; or, where its record of that is lost, what it knew before, under its own. */
  readonly state: PartitionState;
  readonly movedOut: boolean;
}

/** A range of offsets that a damaged journal group took with it. */
export interface ReplayNote {
  readonly topicId: string;
  readonly partition: number;
  readonly text: string;
}

/** A later group that says which partition a handle means. */
interface Name {
  readonly sequence: number;
  /** Null: it opens one, and speaks of nothing before. */
  readonly bind: Bind | null;
}

type Bind = Extract<ControlEntry, { type: typeof EntryType.bind }>;

/** Replays journal groups over a checkpoint. */
export class Replay {
  readonly partitions = new Map<string, ReplayedPartition>();
  readonly notes: ReplayNote[] = [];
  private readonly byHandle = new Map<number, ReplayedPartition>();

  /** Keys of partitions that were brought from another shard and whose beginning is not what that one recorded as it let go. */
  readonly guessed = new Set<string>();
  private readonly handedOver: ReadonlyMap<string, readonly HandedOver[]>;
  private readonly names = new Map<number, Name[]>();
  /** Entries about partitions that no group names any more. */
  nameless = 0;

  /** `handedOver`: what other shards know of partitions, by key. */
  constructor(partitions: readonly CheckpointPartition[], handedOver: ReadonlyMap<string, readonly HandedOver[]> = new Map()) {
    this.handedOver = handedOver;
    for (const { handle, state, movedOut } of partitions) {
      const replayed: ReplayedPartition = { ...beginning(state), movedOut };
      this.partitions.set(partitionKey(state.topicId, state.partition), replayed);
      if (handle >= 0) this.byHandle.set(handle, replayed);
    }
  }

  /** Learns which partitions handles mean in groups that will be applied: those that said it first may be damaged. */
  foresee(groups: readonly FoundGroup[]): void {
    for (const { entries, sequence } of groups)
      for (const entry of entries) {
        if (entry.type !== 'control' || (entry.body.type !== EntryType.bind && entry.body.type !== EntryType.open)) continue;
        const names = this.names.get(entry.handle) ?? [];
        names.push({ sequence, bind: entry.body.type === EntryType.bind ? entry.body : null });
        this.names.set(entry.handle, names);
      }
  }

  /** Applies one group; groups come in ascending order. */
  apply(group: FoundGroup): void {
    for (const entry of group.entries) {
      if (entry.type === 'control') this.control(entry.handle, entry.body, group.sequence);
      else this.append(entry, group);
    }
  }

  private control(handle: number, body: ControlEntry, sequence: number): void {
    if (body.type === EntryType.open) {
      const { state } = body;
      const replayed = beginning(state, sequence);
      const key = partitionKey(state.topicId, state.partition);
      this.guessed.delete(key);
      this.partitions.set(key, replayed);
      this.byHandle.set(handle, replayed);
      return;
    }
    if (body.type === EntryType.bind) {
      this.bind(handle, body);
      return;
    }
    const replayed = this.named(handle, sequence);
    if (replayed === undefined) {
      // Of one that is deleted nobody has to know.
      if (body.type !== EntryType.close) this.nameless++;
      return;
    }
    // Where the log ended is not told by where it starts, nor by what compaction made of its older segments: a group that is missing before may have held
    // records all the same.
    if (body.type !== EntryType.logStart && body.type !== EntryType.replace) replayed.lastSequence = sequence;
    const { state } = replayed;
    switch (body.type) {
      case EntryType.close:
        this.partitions.delete(partitionKey(state.topicId, state.partition));
        this.byHandle.delete(handle);
        return;
      case EntryType.movedOut:
        // Everything was synced before the move was recorded: nothing is left to redo.
        this.guessed.delete(partitionKey(state.topicId, state.partition));
        replayed.state = body.state;
        replayed.producers = new ProducerHistory(body.state.producers);
        replayed.appends = [];
        replayed.movedOut = true;
        return;
      case EntryType.truncate:
        // Offsets that were given out and never written (see `memory` in shard.ts) have no entry: the cut may lie among them.
        if (body.endOffset > state.endOffset) {
          skipTo(state, body.endOffset);
        } else if (body.segmentBase === NO_SEGMENT) emptyReplayed(replayed, body.endOffset);
        else {
          truncateReplayed(replayed, body.endOffset, body.endPosition);
          const last = state.segments[state.segments.length - 1];
          if (body.maxTimestamp !== undefined && last?.baseOffset === body.segmentBase) last.maxTimestamp = body.maxTimestamp;
        }
        replayed.producers.truncate(body.endOffset, body.producers);
        return;
      case EntryType.logStart:
        // Offsets without an entry (never written, or in a damaged group) may lie before it.
        if (body.offset > state.endOffset) skipTo(state, body.offset);
        raiseLogStart(state, Math.max(body.offset, state.logStartOffset), body.firstSegment);
        // Their files may belong to somebody else by now.
        replayed.appends = replayed.appends.filter((append) => append.entry.segmentBase >= (state.segments[0]?.baseOffset ?? Infinity));
        return;
      case EntryType.replace: {
        const replaced = new Set(replaceSegments(state, body.segments, body.cleanedEnd).map(({ baseOffset }) => baseOffset));
        // Their bytes were on disk before they were compacted, and the files may be gone.
        replayed.appends = replayed.appends.filter(({ entry }) => !replaced.has(entry.segmentBase));
        return;
      }
      case EntryType.roll:
        if (body.baseOffset > state.endOffset) this.lose(state, body.baseOffset);
        if (body.baseOffset < state.endOffset) this.cutAsLost(replayed, body.baseOffset, null);
        rollReplayed(state, body.baseOffset, body.capacity);
        return;
    }
  }

  /** The partition that a handle means in group `sequence`; undefined if nothing says. */
  private named(handle: number, sequence: number): ReplayedPartition | undefined {
    const replayed = this.byHandle.get(handle);
    // One that has left comes back under the same handle.
    if (replayed !== undefined && !replayed.movedOut) return replayed;
    const bind = this.names.get(handle)?.find((name) => name.sequence > sequence)?.bind;
    if (bind != null) this.bind(handle, bind);
    return this.byHandle.get(handle);
  }

  private bind(handle: number, body: Bind): void {
    const key = partitionKey(body.topicId, body.partition);
    let replayed = this.partitions.get(key);
    if (replayed === undefined || replayed.movedOut || replayed.state.moveNumber < body.moveNumber) {
      // The group with its opening is damaged. A new partition began empty, a moved one with what the shard before had. Where that ended this entry does not tell.
      replayed = beginning(body.moveNumber === 0 ? emptyPartition(body.topicId, body.partition) : this.broughtBy(key, body));
      this.partitions.set(key, replayed);
      this.note(replayed.state, 'the journal group that opened it is damaged');
    }
    this.byHandle.set(handle, replayed);
  }

  /**
   * What a partition began with that was moved here. If the record of letting go is lost as well, what the shard before knew is a part of it: that shard synced
   * everything before it let go, truncations are durable when they are answered, and no file leaves its log by age or size before a checkpoint says so, here or there.
   */
  private broughtBy(key: string, { topicId, partition, moveNumber }: Bind): PartitionState {
    const known = this.handedOver.get(key) ?? [];
    const own = this.partitions.get(key);
    const whole = known.find(({ state, movedOut }) => movedOut && state.moveNumber === moveNumber);
    // A move that was refused has a number, too: the one before need not be the last that somebody recorded.
    const ownState = own === undefined ? [] : [{ state: { ...own.state, producers: own.producers.fold() }, movedOut: own.movedOut }];
    const before = [...known, ...ownState].filter(({ state }) => state.moveNumber < moveNumber);
    // Of the two that speak of one move, the one that took over knows more.
    const latest = before.toSorted((a, b) => b.state.moveNumber - a.state.moveNumber || Number(a.movedOut) - Number(b.movedOut))[0];
    const best = whole ?? latest;
    const state = best === undefined ? emptyPartition(topicId, partition) : structuredClone(best.state);
    state.moveNumber = moveNumber;
    if (whole === undefined) {
      this.guessed.add(key);
      const upTo = `goes on behind offset ${state.endOffset - 1} of what the shard before had recorded`;
      this.note(state, `the record of the shard before, as it let go, is lost; ${best === undefined ? 'nothing of it is known' : upTo}`);
    }
    return state;
  }

  private append(entry: AppendEntry, group: FoundGroup): void {
    const replayed = this.named(entry.handle, group.sequence);
    if (replayed === undefined) {
      this.nameless++;
      return;
    }
    const { state } = replayed;
    replayed.lastSequence = group.sequence;
    if (entry.baseOffset < state.endOffset) {
      const inSegment = state.segments.some((segment) => segment.baseOffset === entry.segmentBase);
      this.cutAsLost(replayed, entry.baseOffset, inSegment ? entry.position : null);
    }
    if (entry.baseOffset > state.endOffset) this.lose(state, entry.baseOffset);
    if (state.segments[state.segments.length - 1]?.baseOffset !== entry.segmentBase) rollReplayed(state, entry.segmentBase, 0);
    const segment = state.segments[state.segments.length - 1] as SegmentState;
    const end = entry.baseOffset + entry.lastOffsetDelta + 1;
    state.endOffset = segment.endOffset = end;
    segment.endPosition = entry.position + entry.batchBytes;
    const maxTimestampBefore = segment.maxTimestamp;
    segment.maxTimestamp = Math.max(segment.maxTimestamp, entry.maxTimestamp);
    if (entry.stamped) state.lastAppendTime = Math.max(state.lastAppendTime ?? -1, entry.maxTimestamp);
    noteEpoch(state.epochs, entry.leaderEpoch, entry.baseOffset);
    replayed.producers.append(entry, group.timestampMs);
    const payloadAt = group.payloadAt + entry.payloadAt;
    replayed.appends.push({ entry, sequence: group.sequence, journalPath: group.path, payloadAt, maxTimestampBefore });
  }

  /**
   * Offsets are given out again only behind a truncation: its group is lost, what it did shows in what follows. `position`: where the log ended, if the one who
   * follows tells; otherwise it is where the batch before ends.
   */
  private cutAsLost(replayed: ReplayedPartition, endOffset: number, position: number | null): void {
    this.note(replayed.state, `the journal group that truncated it to offset ${endOffset} is damaged`);
    const before = replayed.appends.findLast(
      ({ entry: { baseOffset, lastOffsetDelta } }) => baseOffset + lastOffsetDelta + 1 === endOffset,
    );
    const endOfBefore = before === undefined ? 0 : before.entry.position + before.entry.batchBytes;
    truncateReplayed(replayed, endOffset, position ?? endOfBefore);
  }

  /** Only a lost group leaves a gap: offsets are dense at append. */
  private lose(state: PartitionState, to: number): void {
    this.note(state, `offsets ${state.endOffset} to ${to - 1} were in a journal group that is damaged`);
    skipTo(state, to);
  }

  private note(state: PartitionState, text: string): void {
    this.notes.push({ topicId: state.topicId, partition: state.partition, text });
  }
}

function beginning(state: PartitionState, sequence = 0): ReplayedPartition {
  return { state, producers: new ProducerHistory(state.producers), appends: [], movedOut: false, lastSequence: sequence };
}

/** Goes on at a higher offset; those in between are taken and refused. */
function skipTo(state: PartitionState, endOffset: number): void {
  state.damaged.push({ from: state.endOffset, to: endOffset });
  state.endOffset = endOffset;
}

/** Begins a segment, in place of an empty one with the same base offset. */
function rollReplayed(state: PartitionState, baseOffset: number, capacity: number): void {
  if (state.segments[state.segments.length - 1]?.baseOffset === baseOffset) state.segments.pop();
  state.segments.push({ baseOffset, endOffset: baseOffset, endPosition: 0, maxTimestamp: -1, capacity });
}

/** Cuts a partition so that nothing of it is left and `endOffset` is next. */
function emptyReplayed(replayed: ReplayedPartition, endOffset: number): void {
  replayed.state.segments = [];
  truncateReplayed(replayed, endOffset, 0);
  replayed.appends = [];
}

/**
 * Cuts a torn tail: `endOffset` is next and the last segment ends at `endPosition`. A log start may have outlived the records below it; then nothing is left
 * and the log goes on there.
 */
export function cutTornTail(replayed: ReplayedPartition, endOffset: number, endPosition: number): void {
  const { logStartOffset } = replayed.state;
  if (endOffset < logStartOffset) emptyReplayed(replayed, logStartOffset);
  else truncateReplayed(replayed, endOffset, endPosition);
}

/**
 * Cuts a partition so that `endOffset` is next and its last segment ends at `endPosition`. As with a live truncation, the latest log-append time stays: readers
 * may have seen it, and it never goes back.
 */
function truncateReplayed(replayed: ReplayedPartition, endOffset: number, endPosition: number): void {
  const { state } = replayed;
  while (state.segments.length > 0 && (state.segments[state.segments.length - 1] as SegmentState).baseOffset >= endOffset) {
    const last = state.segments[state.segments.length - 1] as SegmentState;
    if (last.baseOffset === endOffset && endPosition === 0) {
      last.endOffset = endOffset;
      last.endPosition = 0;
      last.maxTimestamp = -1;
      break;
    }
    state.segments.pop();
  }
  const last = state.segments[state.segments.length - 1];
  if (last !== undefined && last.endOffset > endOffset) {
    last.endOffset = endOffset;
    last.endPosition = endPosition;
    // Without one the cut lies in what the checkpoint had: only the entry of a truncation tells then. What stays is too large, so nothing expires too early.
    const cut = replayed.appends.find(({ entry }) => entry.segmentBase === last.baseOffset && entry.baseOffset >= endOffset);
    if (cut !== undefined) last.maxTimestamp = cut.maxTimestampBefore;
  }
  state.endOffset = endOffset;
  if (state.cleanedEnd !== undefined) state.cleanedEnd = Math.min(state.cleanedEnd, endOffset);
  replayed.producers.cut(endOffset);
  state.epochs = state.epochs.filter((epoch) => epoch.startOffset < endOffset);
  state.damaged = state.damaged
    .filter((range) => range.from < endOffset)
    .map((range) => ({ from: range.from, to: Math.min(range.to, endOffset) }));
  replayed.appends = replayed.appends.filter((append) => append.entry.baseOffset < endOffset);
}
