/** One segment as main sees it: its extent, what is known about its bytes, and its index while that is in memory. */
import type { SegmentState } from '../log/partition-state.ts';
import type { SparseIndex } from './sparse-index.ts';

/** Most verified stretches remembered per segment; more readers than that in one segment verify some bytes twice. */
const VERIFIED_MAX = 8;

/** A segment's file that is open for reads; a node of segment-reader's LRU list. */
export interface Descriptor {
  readonly fd: number;
  readonly segment: SegmentView;
  /** Reads that have begun and not ended. */
  inFlight: number;
  /** Closed as soon as no read is in flight; its callbacks run then. */
  closing: (() => void)[] | null;
  newer: Descriptor | null;
  older: Descriptor | null;
}

/**
 * Always: baseOffset ≤ endOffset; bytes [0, endPosition) hold exactly the offsets [baseOffset, endOffset), readable ones only.
 */
export class SegmentView {
  readonly baseOffset: number;
  /** One past the last readable offset. */
  endOffset: number;
  /** Bytes that are readable; what lies behind is of no meaning. */
  endPosition: number;
  /** Largest record timestamp, ms; −1 while none. */
  maxTimestamp: number;
  /** Length of a preallocated pool file; 0 for a growing one. */
  readonly capacity: number;
  /** Part of the name of its files if compaction wrote it; 0: it was appended to. */
  readonly revision: number;
  /** Folder of the partition plus file name without extension; made when first needed. */
  path: string | null = null;
  /** The index while it is in memory: always for the active segment once it has entries, for others while the cache holds it. */
  index: SparseIndex | null = null;
  /** Main's open descriptor, if any; owned by segment-reader. */
  descriptor: Descriptor | null = null;
  /** Bytes from here on were appended in this life of the process while the segment is active, hence checked already; Infinity: none. */
  trustedFrom: number;
  /** Position that `rolled` said the segment ends at; −1 while it is active. It is sealed once everything up to there is readable. */
  sealedAt = -1;
  /** It no longer belongs to the log; no new read may begin. */
  retired = false;
  /** Verified stretches as pairs (from, to), disjoint; null while none. */
  private verified: number[] | null = null;

  constructor(state: Readonly<SegmentState>, trustedFrom: number) {
    this.baseOffset = state.baseOffset;
    this.endOffset = state.endOffset;
    this.endPosition = state.endPosition;
    this.maxTimestamp = state.maxTimestamp;
    this.capacity = state.capacity;
    this.revision = state.revision ?? 0;
    this.trustedFrom = trustedFrom;
  }

  /** Whether bytes [from, to) need no more checking than the framing of their batches. */
  isVerified(from: number, to: number): boolean {
    if (from >= this.trustedFrom) return true;
    if (this.verified === null) return false;
    const end = Math.min(to, this.trustedFrom);
    for (let i = 0; i < this.verified.length; i += 2) {
      if ((this.verified[i] as number) <= from && (this.verified[i + 1] as number) >= end) return true;
    }
    return false;
  }

  /** Remembers that the CRCs of bytes [from, to) were right. */
  markVerified(from: number, to: number): void {
    const stretches = (this.verified ??= []);
    let low = from;
    let high = to;
    for (let i = 0; i < stretches.length;) {
      const start = stretches[i] as number;
      const end = stretches[i + 1] as number;
      if (start <= high && end >= low) {
        low = Math.min(low, start);
        high = Math.max(high, end);
        stretches.splice(i, 2);
      } else i += 2;
    }
    stretches.push(low, high);
    if (stretches.length > VERIFIED_MAX * 2) this.forgetShortest(stretches);
  }

  /** The segment ends at `endPosition` now: what was known about bytes behind it is forgotten. */
  cut(endOffset: number, endPosition: number, maxTimestamp: number): void {
    this.endOffset = endOffset;
    this.endPosition = endPosition;
    this.maxTimestamp = maxTimestamp;
    if (this.verified !== null) {
      for (let i = 0; i < this.verified.length;) {
        this.verified[i + 1] = Math.min(this.verified[i + 1] as number, endPosition);
        if ((this.verified[i] as number) >= (this.verified[i + 1] as number)) this.verified.splice(i, 2);
        else i += 2;
      }
    }
    this.index?.truncate(endOffset, endPosition);
  }

  private forgetShortest(stretches: number[]): void {
    let shortest = 0;
    for (let i = 2; i < stretches.length; i += 2) {
      const length = (stretches[i + 1] as number) - (stretches[i] as number);
      if (length < (stretches[shortest + 1] as number) - (stretches[shortest] as number)) shortest = i;
    }
    stretches.splice(shortest, 2);
  }
}
