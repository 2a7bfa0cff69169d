/**
 * Builds the index of a segment from its batch headers, which form a chain: each batch begins where the one before ends, in bytes and in offsets.
 *
 * A header that does not fit breaks it, and then an intact batch of a later offset says nothing: where bytes of a recycled segment were lost, those of the log
 * before it stand, a chain as whole as this one's. So what follows a break is believed only if it is tied to something that is known, header by header:
 *   - to the end of the segment, reached at exactly its position with exactly its offset;
 *   - to what is believed before it, by the one damaged batch that lies between (StoredHeaders.isOneBatch); the same ties it to a chain behind;
 *   - to an entry of the index file that lay beside the segment. That one may have outlived a cut of its segment, so with the first entry that contradicts the chain
 *     from the start of the segment it counts no more.
 * Offsets may also be missing that were given out and never stored, with nothing between in the file: they are refused, and the next batch follows in place. So may one of
 * another log where this one's were lost: what follows such a gap in what is believed is a chain of its own, over further gaps too, and has to be tied to something.
 *
 * Where offsets are refused the chain counts as broken even if it fits: in place of a lost journal group another log may go on just there. A single batch that is the
 * whole of such a range is this log's.
 *
 * What is not believed gets no entry, and does not raise the offset that is expected. Readers refuse it with the damage around it: between two lost ranges,
 * or two stretches of more than one damaged batch each, of a segment without index file everything is refused, also what is intact: nothing tells it from another log's.
 *
 * Not found out is a chain of another log that fits this one's in place and offset, to the byte, where nobody knows that something was lost. Even then own batches
 * that claim the same offsets are believed, once they are tied to something.
 *
 * Every place is looked at about once: a search goes on behind the chain that it found, which ends with an intact batch. See StoredHeaders for the bound.
 */
import { DiskError, readFileIfPresent, type Disk } from '../log/disk.ts';
import { decodeIndexFile, type IndexEntries } from '../log/index-file.ts';
import type { DamagedRange } from '../log/partition-state.ts';
import { BATCH_HEADER_BYTES } from '../protocol/record-batch.ts';
import { IndexBuilder } from './index-builder.ts';
import type { Job } from './job.ts';
import { StoredHeaders } from './stored-headers.ts';

type RebuildJob = Extract<Job, { kind: 'rebuildIndex' }>;

/** Entries for the batches of a segment file. Throws DiskError. */
export function rebuildIndex(disk: Disk, job: RebuildJob): IndexEntries {
  const fd = disk.open(job.path, 'read');
  try {
    return new Rebuild(job, new StoredHeaders(disk, fd, job), formerIndex(disk, job)).run();
  } finally {
    disk.close(fd);
  }
}

/** What the file says that will be replaced; null if it says nothing. */
function formerIndex(disk: Disk, job: RebuildJob): IndexEntries | null {
  if (job.writePath === null) return null;
  try {
    const bytes = readFileIfPresent(disk, job.writePath);
    return bytes === null ? null : decodeIndexFile(bytes, job.baseOffset, job.endPosition);
  } catch (error) {
    if (error instanceof DiskError) return null;
    throw error;
  }
}

/** Batches that follow each other, or have one damaged batch between them. */
class Chain {
  /** Place and base offset of its first batch. */
  readonly startPosition: number;
  readonly startOffset: number;
  /** It begins where what is believed ends, but for offsets that were never stored; and may go on behind others. */
  readonly isBehindGap: boolean;
  readonly entries: IndexBuilder;
  /** Where it goes on, or broke. */
  position: number;
  offset: number;
  /** Place and base offset of the last batch whose header fitted; −1 while none did. */
  lastPosition = -1;
  lastOffset = -1;
  /** Nothing undamaged leads to the next batch. */
  isTakenUp: boolean;
  /** It fits further, but from there on offsets are refused. */
  isBarred = false;
  /** The former index has an entry for one of its batches. */
  isKnown = false;

  constructor(position: number, offset: number, isBehindGap: boolean, intervalBytes: number) {
    this.isBehindGap = isBehindGap;
    this.isTakenUp = position > 0 || isBehindGap;
    this.startPosition = this.position = position;
    this.startOffset = this.offset = offset;
    this.entries = new IndexBuilder(intervalBytes);
  }

  /** Adds the batch that `headers` are at. */
  add(headers: StoredHeaders): void {
    this.entries.onBatch(headers.base, headers.position, headers.maxTimestamp, this.isTakenUp);
    this.isTakenUp = false;
    this.lastPosition = headers.position;
    this.lastOffset = headers.base;
    this.position = headers.nextPosition;
    this.offset = headers.nextOffset;
  }

  /** Goes on behind a damaged batch. */
  takeUp(position: number, offset: number): void {
    this.position = position;
    this.offset = offset;
    this.isTakenUp = true;
    this.isBarred = false;
  }

  /** Takes over `later`, and forgets what contradicts it. */
  join(later: Chain): void {
    this.entries.join(later.entries, later.startOffset, later.startPosition);
    this.takeUp(later.position, later.offset);
    this.lastPosition = later.lastPosition;
    this.lastOffset = later.lastOffset;
    this.isBarred = later.isBarred;
  }
}

class Rebuild {
  private readonly job: RebuildJob;
  private readonly headers: StoredHeaders;
  /** Begins with the segment. */
  private readonly believed: Chain;
  /** The last chain behind it that is tied to nothing yet. */
  private pending: Chain | null = null;
  private former: IndexEntries | null;
  /** The first refused range that ends behind the batch that was looked at last. */
  private refusedAt = 0;
  /** The first entry of the former index that was not passed yet. */
  private formerAt = 0;

  constructor(job: RebuildJob, headers: StoredHeaders, former: IndexEntries | null) {
    this.job = job;
    this.headers = headers;
    this.former = former;
    this.believed = new Chain(0, job.baseOffset, false, job.intervalBytes);
  }

  run(): IndexEntries {
    const { headers, job } = this;
    let chain = this.believed;
    for (;;) {
      this.follow(chain);
      // The segment may have been cut within a gap.
      const isEnd = chain.position === job.endPosition && (chain.offset === job.endOffset || this.gapEnd(chain.offset) >= job.endOffset);
      if (isEnd || chain.isKnown) chain = this.believe(chain);
      if (isEnd) break;
      const next = this.stepOver(chain);
      if (next !== null) {
        chain = next;
        continue;
      }
      if (!headers.find(this.searchFrom(chain))) {
        // The damaged batch may be the last one, with a length that leads nowhere.
        const { pending } = this;
        const isTied = (behind: Chain): boolean =>
          this.leadsTo(behind, job.endPosition, job.endOffset) ||
          (behind.isBehindGap && this.leadsOverGap(behind, job.endPosition, job.endOffset));
        if (pending !== null && isTied(pending)) this.believe(pending);
        break;
      }
      chain = this.chainWith(headers.position, headers.base);
    }
    if (headers.isExhausted) this.keepFormer();
    return this.believed.entries.export();
  }

  /** Where the search ended early, the former index stays: what it says of the rest was not looked at, and readers look for themselves. */
  private keepFormer(): void {
    if (this.former === null) return;
    const { entries, position, offset } = this.believed;
    const { positions, offsets, timestamps, maxTimestamp } = this.former;
    for (const [i, known] of offsets.entries())
      if (known > offset && (positions[i] as number) >= position) entries.takeOver(known, positions[i] as number, timestamps[i] as number);
    entries.noteTimestamp(maxTimestamp);
  }

  private follow(chain: Chain): void {
    const { headers } = this;
    while (headers.goTo(chain.position) && headers.base === chain.offset) {
      if (!this.isAllowed(chain)) return;
      this.compareFormer(chain);
      chain.add(headers);
    }
  }

  /** Whether `chain` may go on with the next batch, as far as refused ranges are concerned. Notes it where it leaves one. */
  private isAllowed(chain: Chain): boolean {
    const { base, nextOffset } = this.headers;
    const { refused } = this.job;
    while (this.refusedAt < refused.length && (refused[this.refusedAt] as DamagedRange).to <= base) this.refusedAt++;
    while (this.refusedAt > 0 && (refused[this.refusedAt - 1] as DamagedRange).to > base) this.refusedAt--;
    // A reader who comes by the headers does not get through.
    if (this.refusedAt > 0 && (refused[this.refusedAt - 1] as DamagedRange).to === base) chain.isTakenUp = true;
    const range = refused[this.refusedAt];
    if (range === undefined || range.from >= nextOffset || (range.from === base && range.to === nextOffset)) return true;
    // A chain that begins within it may go on: it has to be tied to something anyhow.
    if (chain !== this.believed && (chain.lastPosition === -1 || chain.lastOffset >= range.from)) return true;
    // A batch that reaches into it has a damaged header.
    chain.isBarred = base >= range.from;
    return false;
  }

  /** Holds the former index against the next batch of `chain`. */
  private compareFormer(chain: Chain): void {
    const { former, headers } = this;
    if (former === null) return;
    const { positions, offsets } = former;
    let contradicts = false;
    for (; this.formerAt < positions.length && (positions[this.formerAt] as number) < headers.position; this.formerAt++)
      contradicts ||= !chain.isTakenUp && (positions[this.formerAt] as number) > chain.lastPosition;
    if (positions[this.formerAt] === headers.position) {
      if (offsets[this.formerAt] === headers.base) chain.isKnown = true;
      else contradicts = true;
    }
    if (contradicts && chain === this.believed) this.former = null;
  }

  /** What goes on behind the damaged batch if its own header says where; the usual case of a single flipped bit. Or behind a gap in offsets, with nothing damaged. */
  private stepOver(chain: Chain): Chain | null {
    // The last header that fitted may be the damaged one: in its last offset delta.
    return this.stepTo(chain, chain.position) ?? this.stepTo(chain, chain.position + this.headers.lengthAt(chain.position));
  }

  /** What goes on with the header at `position`, or the end. */
  private stepTo(chain: Chain, position: number): Chain | null {
    const { headers, job } = this;
    const isEnd = position === job.endPosition;
    if (!isEnd && !headers.goTo(position)) return null;
    return this.goOn(chain, position, isEnd ? job.endOffset : headers.base);
  }

  /** What goes on from `chain` with the batch of base offset `offset` at `position`, or the end; null: nothing leads there. */
  private goOn(chain: Chain, position: number, offset: number): Chain | null {
    // What would go on just where the chain broke is itself what broke it.
    if (position === chain.position && offset === chain.offset) return null;
    if (!this.leadsTo(chain, position, offset)) {
      if ((chain !== this.believed && !chain.isBehindGap) || !this.leadsOverGap(chain, position, offset)) return null;
      if (chain === this.believed) return this.begin(position, offset, true);
    } else if (chain === this.believed) this.pending = null;
    chain.takeUp(position, offset);
    return chain;
  }

  /** Whether from the break of `chain` to the batch of base offset `offset` at `position` there is one damaged batch: the one that broke it, or the last that did not. */
  private leadsTo(chain: Chain, position: number, offset: number): boolean {
    const { headers } = this;
    if (chain.isBarred) return false;
    if (chain.lastPosition !== -1 && headers.isOneBatch(chain.lastPosition, chain.lastOffset, position, offset)) return true;
    return headers.isOneBatch(chain.position, chain.offset, position, offset);
  }

  /** As {@link leadsTo}, with gaps in offsets before or behind the damaged batch; or with a gap alone. */
  private leadsOverGap(chain: Chain, position: number, offset: number): boolean {
    const { headers, job } = this;
    const end = job.refused.find(({ to }) => to === offset)?.from ?? offset;
    if (end !== offset && this.leadsTo(chain, position, end)) return true;
    const start = this.gapEnd(chain.offset);
    if (start === -1 || chain.isBarred) return false;
    if (position === chain.position) return offset === start;
    return headers.isOneBatch(chain.position, start, position, offset) || headers.isOneBatch(chain.position, start, position, end);
  }

  /** Where the refused offsets end that begin with `offset`; −1: none do. */
  private gapEnd(offset: number): number {
    return this.job.refused.find(({ from }) => from === offset)?.to ?? -1;
  }

  /**
   * The last batch of a chain may be a previous owner's, with own ones in the place of its records. Intact it is even if some bytes of its end became those of an own
   * header by being written over: zeros are zeros.
   */
  private searchFrom({ lastPosition, position }: Chain): number {
    if (lastPosition === -1) return position;
    const from = this.headers.isIntact(lastPosition, position) ? position - BATCH_HEADER_BYTES : 0;
    return Math.max(from, lastPosition + 1);
  }

  /** The chain that goes on with the batch of base offset `offset` at `position`, or a new one in place of the last that could not be believed. */
  private chainWith(position: number, offset: number): Chain {
    const known = this.goOn(this.believed, position, offset) ?? (this.pending && this.goOn(this.pending, position, offset));
    return known ?? this.begin(position, offset, false);
  }

  private begin(position: number, offset: number, isBehindGap: boolean): Chain {
    this.pending = new Chain(position, offset, isBehindGap, this.job.intervalBytes);
    return this.pending;
  }

  private believe(chain: Chain): Chain {
    if (chain === this.believed) return chain;
    this.believed.join(chain);
    this.pending = null;
    return this.believed;
  }
}
