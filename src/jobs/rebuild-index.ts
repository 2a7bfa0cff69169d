/**
 * Builds the index of a segment from its batch headers. A header that does not fit breaks the chain; it is taken up again at the next place where an intact
 * batch with a later offset stands that is followed by another one or by the end. Every batch is checked again when it is read. That is not enough where bytes
 * of a recycled segment were lost: what stands there is of the log before it, intact as well, and can be taken for this log's.
 */
import { isIntactBatch } from '../log/batch-reader.ts';
import type { Disk } from '../log/disk.ts';
import type { IndexEntries } from '../log/index-file.ts';
import {
  BATCH_HEADER_BYTES,
  baseOffset,
  batchBytes,
  lastOffsetDelta,
  MAGIC,
  MAGIC_POSITION,
  magic,
  maxTimestamp,
} from '../protocol/record-batch.ts';
import type { Job } from './job.ts';

const CHUNK_BYTES = 1 << 20;
/** As many as an index in memory may have; see SparseIndex. */
const ENTRIES_MAX = 4096;

type RebuildJob = Extract<Job, { kind: 'rebuildIndex' }>;

/** Entries for the batches of a segment file. Throws DiskError. */
export function rebuildIndex(disk: Disk, job: RebuildJob): IndexEntries {
  const fd = disk.open(job.path, 'read');
  try {
    return new Rebuild(disk, fd, job).run();
  } finally {
    disk.close(fd);
  }
}

class Rebuild {
  private readonly disk: Disk;
  private readonly fd: number;
  private readonly job: RebuildJob;
  private readonly chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  private chunkPosition = 0;
  private chunkLength = 0;
  private intervalBytes: number;
  private offsets: number[] = [];
  private positions: number[] = [];
  private timestamps: number[] = [];
  private maxTimestamp = -1;

  constructor(disk: Disk, fd: number, job: RebuildJob) {
    this.disk = disk;
    this.fd = fd;
    this.job = job;
    this.intervalBytes = Math.max(1, job.intervalBytes);
  }

  run(): IndexEntries {
    let position = 0;
    let expected = this.job.baseOffset;
    let lastEntry = 0;
    while (position < this.job.endPosition) {
      let at = this.header(position, expected);
      if (at === -1) {
        position = this.resume(position + 1, expected);
        if (position === -1) break;
        at = this.header(position, -1);
        if (at === -1) break;
        // Where the chain was taken up again must be findable, whatever the interval.
        lastEntry = -Infinity;
      }
      const base = baseOffset(this.chunk, at);
      if (position > 0 && position - lastEntry >= this.intervalBytes) {
        this.add(base, position);
        lastEntry = position;
      }
      this.maxTimestamp = Math.max(this.maxTimestamp, maxTimestamp(this.chunk, at));
      expected = base + lastOffsetDelta(this.chunk, at) + 1;
      position += batchBytes(this.chunk, at);
    }
    return {
      offsets: Float64Array.from(this.offsets),
      positions: Uint32Array.from(this.positions),
      timestamps: Float64Array.from(this.timestamps),
      maxTimestamp: this.maxTimestamp,
    };
  }

  /** Place in the chunk of a possible header at `position` with base offset `expected` (−1: any that is possible); −1: none. */
  private header(position: number, expected: number): number {
    const { job } = this;
    const at = this.load(position, BATCH_HEADER_BYTES);
    if (at === -1 || magic(this.chunk, at) !== MAGIC) return -1;
    const base = baseOffset(this.chunk, at);
    const delta = lastOffsetDelta(this.chunk, at);
    const bytes = batchBytes(this.chunk, at);
    if (expected !== -1 && base !== expected) return -1;
    if (base < job.baseOffset || delta < 0 || base + delta >= job.endOffset) return -1;
    return bytes >= BATCH_HEADER_BYTES && position + bytes <= job.endPosition ? at : -1;
  }

  /** First position from `from` on of an intact batch whose offset is above `expected` and which is followed by a batch or the end; −1: none. */
  private resume(from: number, expected: number): number {
    for (let position = from; position + BATCH_HEADER_BYTES <= this.job.endPosition; position++) {
      const loaded = this.load(position, BATCH_HEADER_BYTES);
      if (loaded === -1) return -1;
      // The magic byte first: it rules out most positions cheaply.
      const found = this.chunk.subarray(0, this.chunkLength).indexOf(MAGIC, loaded + MAGIC_POSITION);
      position = found === -1 ? this.chunkPosition + this.chunkLength - MAGIC_POSITION : this.chunkPosition + found - MAGIC_POSITION;
      if (found === -1) {
        position--;
        continue;
      }
      if (this.isTrustworthy(position, expected)) return position;
    }
    return -1;
  }

  private isTrustworthy(position: number, expected: number): boolean {
    const at = this.header(position, -1);
    if (at === -1 || baseOffset(this.chunk, at) <= expected) return false;
    const bytes = batchBytes(this.chunk, at);
    const next = baseOffset(this.chunk, at) + lastOffsetDelta(this.chunk, at) + 1;
    const batch = Buffer.allocUnsafeSlow(bytes);
    if (this.disk.read(this.fd, batch, 0, bytes, position) < bytes || !isIntactBatch(batch, bytes)) return false;
    return position + bytes === this.job.endPosition || this.header(position + bytes, next) !== -1;
  }

  /** Makes `length` bytes at `position` available; their place in the chunk, or −1 when there are not as many. */
  private load(position: number, length: number): number {
    if (position + length > this.job.endPosition) return -1;
    if (position < this.chunkPosition || position + length > this.chunkPosition + this.chunkLength) {
      const wanted = Math.min(CHUNK_BYTES, this.job.endPosition - position);
      this.chunkLength = this.disk.read(this.fd, this.chunk, 0, wanted, position);
      this.chunkPosition = position;
    }
    return position + length <= this.chunkPosition + this.chunkLength ? position - this.chunkPosition : -1;
  }

  private add(offset: number, position: number): void {
    if (this.offsets.length === ENTRIES_MAX) {
      const odd = (_: number, i: number): boolean => i % 2 === 1;
      this.offsets = this.offsets.filter(odd);
      this.positions = this.positions.filter(odd);
      this.timestamps = this.timestamps.filter(odd);
      this.intervalBytes *= 2;
    }
    this.offsets.push(offset);
    this.positions.push(position);
    this.timestamps.push(this.maxTimestamp);
  }
}
