/**
 * Drains what the shards report, in ring order: readable batches advance their view, answers fill their request, control messages go to whoever
 * listens. Main only; called once per cycle.
 */
import { Completion, CompletionFlag, CompletionKind, getLong } from '../ring/completion.ts';
import type { InternalAppends } from './internal-appends.ts';
import type { PendingProduce, PendingTable } from './produce.ts';
import type { RequestMetrics } from './request-metrics.ts';
import type { ShardLink } from './shard-link.ts';

/** Slots of one link that one drain takes, so that sockets get their turn. */
const SLOTS_PER_DRAIN = 4096;

/** What completions need of a partition's view. */
export interface ReadableView {
  onReadable(baseOffset: number, lastOffsetDelta: number, position: number, length: number, maxTimestamp: number): void;
}

/** See the file header. */
export class Completions {
  private readonly links: readonly ShardLink[];
  private readonly pending: PendingTable;
  private readonly own: InternalAppends;
  private readonly metrics: RequestMetrics;
  private readonly views: { view(handle: number): ReadableView | undefined };
  /** Called after a drain that found something: waiting fetches are woken here, not in the middle. */
  private readonly onDrained: () => void;

  constructor(
    links: readonly ShardLink[],
    pending: PendingTable,
    own: InternalAppends,
    metrics: RequestMetrics,
    views: { view(handle: number): ReadableView | undefined },
    onDrained: () => void,
  ) {
    this.links = links;
    this.pending = pending;
    this.own = own;
    this.metrics = metrics;
    this.views = views;
    this.onDrained = onDrained;
  }

  /** Takes what waits. Returns whether more may wait. */
  drain(): boolean {
    let found = false;
    let more = false;
    for (let index = 0; index < this.links.length; index++) {
      const link = this.links[index] as ShardLink;
      const available = link.completions.available();
      if (available === 0) continue;
      found = true;
      const count = Math.min(available, SLOTS_PER_DRAIN);
      for (let n = 0; n < count; n++) this.take(link, link.completions.at(n));
      link.completions.release(count);
      if (count < available) more = true;
    }
    if (found) this.onDrained();
    return more;
  }

  private take(link: ShardLink, at: number): void {
    const words = link.completions.words;
    if (words[at + Completion.kind] === CompletionKind.control) {
      link.receiveControl();
      return;
    }
    const flags = words[at + Completion.flags] as number;
    const errorCode = words[at + Completion.errorCode] as number;
    const isReadable = (flags & CompletionFlag.readable) !== 0;
    const isAnswer = (flags & CompletionFlag.answer) !== 0;
    // The shard does not touch the batch's bytes any more.
    const isLast = (flags & CompletionFlag.released) !== 0;
    link.onSlot(isAnswer, isLast);
    if (isReadable && errorCode === 0) {
      // A deleted partition has no view any more; its last batches are nobody's.
      this.views
        .view(words[at + Completion.handle] as number)
        ?.onReadable(
          getLong(words, at + Completion.baseOffset),
          words[at + Completion.lastOffsetDelta] as number,
          words[at + Completion.position] as number,
          words[at + Completion.length] as number,
          getLong(words, at + Completion.maxTimestamp),
        );
    }
    const request = words[at + Completion.request] as number;
    if (request < 0) {
      this.own.onCompletion(request, isAnswer, isLast, errorCode, getLong(words, at + Completion.baseOffset));
      return;
    }
    const pending = this.pending.at(request);
    if (isAnswer) this.answer(pending, words, at, errorCode);
    if (isLast) this.pending.onAppendEnded(pending);
  }

  private answer(pending: PendingProduce, words: Int32Array, at: number, errorCode: number): void {
    const slot = words[at + Completion.tag] as number;
    if (errorCode === 0)
      pending.onAppended(slot, getLong(words, at + Completion.baseOffset), getLong(words, at + Completion.logAppendTime));
    else pending.onRefused(slot, errorCode, words[at + Completion.badRecord] as number);
    if (!pending.done) return;
    pending.doneMs = this.metrics.nowMs;
    pending.owner?.onAnswered();
  }
}
