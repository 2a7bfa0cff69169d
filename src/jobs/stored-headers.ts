/**
 * Headers and batches of a segment file, for whoever has no index to go by. A header counts if it is possible in this segment; whether the batch is intact is asked
 * apart, and neither says that it belongs to the log: what was never written in a recycled segment is its previous owner's, intact as well.
 *
 * Looking is bounded: records may hold whatever their producer likes, so a file can be full of what looks like batches. What was read in vain beyond
 * {@link lookBytesMax} ends the search, and what it would have found later stays unfound.
 */
import { isIntactBatch } from '../log/batch-reader.ts';
import type { Disk } from '../log/disk.ts';
import {
  BATCH_HEADER_BYTES,
  BATCH_LENGTH_OVERHEAD,
  BATCH_LENGTH_POSITION,
  baseOffset,
  batchBytes,
  LAST_OFFSET_DELTA_POSITION,
  lastOffsetDelta,
  MAGIC,
  MAGIC_POSITION,
  magic,
  maxTimestamp,
} from '../protocol/record-batch.ts';

const CHUNK_BYTES = 1 << 20;
const INT32_MAX = 2 ** 31 - 1;
/** Of the four fields of a damaged header that place a batch, so many must still be right before its CRC is computed. */
const FIELDS_RIGHT_MIN = 2;

/** The part of a file that is a segment: bytes [0, endPosition) hold the offsets [baseOffset, endOffset). */
export interface Extent {
  readonly baseOffset: number;
  readonly endPosition: number;
  readonly endOffset: number;
}

/** Bytes that are read of a segment at most, while batches are looked for: some passes over it, and enough for small ones. */
export function lookBytesMax(endPosition: number): number {
  return 4 * endPosition + 64 * CHUNK_BYTES;
}

/** See the file header. */
export class StoredHeaders {
  /** Place and base offset of the header gone to last. */
  position = 0;
  base = 0;
  /** Where the batch behind it lies. */
  nextPosition = 0;
  nextOffset = 0;
  /** ms; −1 none. */
  maxTimestamp = -1;
  private readonly disk: Disk;
  private readonly fd: number;
  private readonly extent: Extent;
  private readonly chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  private chunkPosition = 0;
  private chunkLength = 0;
  private lookBytesLeft: number;

  constructor(disk: Disk, fd: number, extent: Extent) {
    this.disk = disk;
    this.fd = fd;
    this.extent = extent;
    this.lookBytesLeft = lookBytesMax(extent.endPosition);
  }

  /** Goes to the header at `position`; false if none is possible there. */
  goTo(position: number): boolean {
    const { extent, chunk } = this;
    const at = this.load(position);
    if (at === -1 || magic(chunk, at) !== MAGIC) return false;
    const base = baseOffset(chunk, at);
    const delta = lastOffsetDelta(chunk, at);
    const bytes = batchBytes(chunk, at);
    if (base < extent.baseOffset || delta < 0 || base + delta >= extent.endOffset) return false;
    if (bytes < BATCH_HEADER_BYTES || position + bytes > extent.endPosition) return false;
    this.position = position;
    this.base = base;
    this.nextPosition = position + bytes;
    this.nextOffset = base + delta + 1;
    this.maxTimestamp = maxTimestamp(chunk, at);
    return true;
  }

  /** Goes to the first intact batch at or behind `from`; false: there is none, or too much was read in vain. */
  find(from: number): boolean {
    let position = from;
    while (this.lookBytesLeft > 0) {
      const at = this.load(position);
      if (at === -1) return false;
      // The magic byte first: it rules out most places cheaply.
      const found = this.chunk.subarray(0, this.chunkLength).indexOf(MAGIC, at + MAGIC_POSITION);
      if (found === -1) {
        position = this.chunkPosition + this.chunkLength - MAGIC_POSITION;
        continue;
      }
      position = this.chunkPosition + found - MAGIC_POSITION;
      if (this.goTo(position) && this.isIntact(position, this.nextPosition)) return true;
      position++;
    }
    return false;
  }

  /** Whether bytes [position, nextPosition) are one batch with the right CRC. */
  isIntact(position: number, nextPosition: number): boolean {
    const batch = this.read(position, nextPosition);
    return batch !== null && isIntactBatch(batch, batch.length);
  }

  /** What the header at `position` says of the length of its batch, however damaged; 0 where no header fits in, or says less than its own. */
  lengthAt(position: number): number {
    const header = this.peek(position);
    const bytes = header === null ? 0 : batchBytes(header, 0);
    return bytes < BATCH_HEADER_BYTES ? 0 : bytes;
  }

  /**
   * Whether one batch of offsets [offset, nextOffset) and nothing else lies in bytes [position, nextPosition), although its header does not fit: with what places it
   * (base offset, length, magic, last offset delta) set right, its CRC is. Any damage to those fields passes. Another log's batch does not, unless it has as many
   * offsets in as many bytes, and then it shows the same: that exactly one batch of this log lay there.
   */
  isOneBatch(position: number, offset: number, nextPosition: number, nextOffset: number): boolean {
    const bytes = nextPosition - position;
    const delta = nextOffset - offset - 1;
    if (bytes < BATCH_HEADER_BYTES || bytes > INT32_MAX || delta < 0 || delta > INT32_MAX) return false;
    const header = this.peek(position);
    if (header === null) return false;
    const right = [
      baseOffset(header, 0) === offset,
      batchBytes(header, 0) === bytes,
      magic(header, 0) === MAGIC,
      lastOffsetDelta(header, 0) === delta,
    ];
    // Otherwise the whole of a lost range would be read for each batch found behind it.
    if (right.filter(Boolean).length < FIELDS_RIGHT_MIN) return false;
    const batch = this.read(position, nextPosition);
    if (batch === null) return false;
    batch.writeInt32BE(bytes - BATCH_LENGTH_OVERHEAD, BATCH_LENGTH_POSITION);
    batch.writeInt8(MAGIC, MAGIC_POSITION);
    batch.writeInt32BE(delta, LAST_OFFSET_DELTA_POSITION);
    return isIntactBatch(batch, bytes);
  }

  /** The bytes of a header at `position`, or null when there are not as many. The chunk stays: a search asks of places far behind it. */
  private peek(position: number): Buffer | null {
    const at = position - this.chunkPosition;
    if (at >= 0 && at + BATCH_HEADER_BYTES <= this.chunkLength) return this.chunk.subarray(at, at + BATCH_HEADER_BYTES);
    return position + BATCH_HEADER_BYTES > this.extent.endPosition ? null : this.read(position, position + BATCH_HEADER_BYTES);
  }

  /** Bytes [position, nextPosition), or null when the file ends before, or too much was read in vain. */
  private read(position: number, nextPosition: number): Buffer | null {
    const length = nextPosition - position;
    if (this.lookBytesLeft <= 0) return null;
    this.lookBytesLeft -= length;
    const bytes = Buffer.allocUnsafeSlow(length);
    return this.disk.read(this.fd, bytes, 0, length, position) < length ? null : bytes;
  }

  /** Makes the bytes of a header at `position` available; their place in the chunk, or −1 when there are not as many. */
  private load(position: number): number {
    const { endPosition } = this.extent;
    if (position + BATCH_HEADER_BYTES > endPosition) return -1;
    if (position < this.chunkPosition || position + BATCH_HEADER_BYTES > this.chunkPosition + this.chunkLength) {
      const wanted = Math.min(CHUNK_BYTES, endPosition - position);
      this.chunkLength = this.disk.read(this.fd, this.chunk, 0, wanted, position);
      this.chunkPosition = position;
      this.lookBytesLeft -= wanted;
    }
    return position + BATCH_HEADER_BYTES <= this.chunkPosition + this.chunkLength ? position - this.chunkPosition : -1;
  }
}
